package migrate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/migrate"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// TestMoveToItself: one directory under two names is not emptied.
func TestMoveToItself(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o777))
	require.NoError(t, os.Symlink("data", filepath.Join(dir, "link")))
	side := func(name string) migrate.Side {
		o := compat.Defaults()
		s, err := filestore.New(filestore.Options{DataDir: filepath.Join(dir, name)})
		require.NoError(t, err)
		m, err := compat.New(o, s, compat.Environment{})
		require.NoError(t, err)
		return migrate.Side{Store: s, Manager: m}
	}
	from, to := side("data"), side("link")
	session := pyvalue.NewDict()
	session.SetStr("_creation_time", pyvalue.Float(1e9))
	require.NoError(t, from.Store.Put(t.Context(), "abcd", session))
	_, err := migrate.Run(t.Context(), migrate.Options{From: from, To: to, Move: true})
	require.ErrorIs(t, err, migrate.ErrOptions)
	require.ErrorContains(t, err, "same store under two names")
	n := 0
	for _, err := range from.Store.(*filestore.Store).List(t.Context(), "") {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
}
