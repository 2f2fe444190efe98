//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// TestSQLiteReadLeavesNothing: to read a record makes no files; one that was cut off is
// corrupt, not absent, also beside the empty log that a reader of Python's leaves.
func TestSQLiteReadLeavesNothing(t *testing.T) {
	const id = "1e4c684fb206494191440c2cc28cbc22"
	s, err := New(Options{DataDir: t.TempDir(), Format: SQLite})
	require.NoError(t, err)
	require.NoError(t, s.Put(t.Context(), id, pyvalue.Str("abc")))
	v, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("abc"), v)
	files, err := filepath.Glob(s.base(id) + "*")
	require.NoError(t, err)
	require.Equal(t, []string{s.base(id)}, files)

	whole, err := os.ReadFile(s.base(id))
	require.NoError(t, err)
	for _, log := range []bool{false, true} {
		if log {
			require.NoError(t, os.WriteFile(s.base(id)+"-wal", nil, 0o666))
		}
		for _, n := range []int{100, 5000, len(whole) - 1} {
			require.NoError(t, os.WriteFile(s.base(id), whole[:n], 0o666))
			_, err = s.Get(t.Context(), id)
			require.ErrorIs(t, err, stores.ErrCorrupt, n)
		}
		require.NoError(t, os.WriteFile(s.base(id), whole, 0o666))
		v, err = s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, pyvalue.Str("abc"), v)
	}
}
