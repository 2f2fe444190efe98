package backend_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		options func(*compat.Options)
		want    stores.Store
		fails   string // part of the error
	}{
		"default, no directory":  {func(o *compat.Options) {}, &memstore.Store{}, ""},
		"default, a directory":   {func(o *compat.Options) { o.DataDir = dir }, &filestore.Store{}, ""},
		"memory":                 {func(o *compat.Options) { o.Type, o.DataDir = "memory", dir }, &memstore.Store{}, ""},
		"file":                   {func(o *compat.Options) { o.Type, o.DataDir = "file", dir }, &filestore.Store{}, ""},
		"file, own directories":  {func(o *compat.Options) { o.Type, o.FileDir, o.LockDir = "file", dir, dir }, &filestore.Store{}, ""},
		"file, no directory":     {func(o *compat.Options) { o.Type = "file" }, nil, "data_dir or file_dir is required"},
		"file, no lock_dir":      {func(o *compat.Options) { o.Type, o.FileDir = "file", dir }, nil, "data_dir or lock_dir is required"},
		"file, fsync":            {func(o *compat.Options) { o.DataDir, o.Extra = dir, map[string]string{"fsync": " On "} }, &filestore.Store{}, ""},
		"file, fsync is no word": {func(o *compat.Options) { o.DataDir, o.Extra = dir, map[string]string{"fsync": "maybe"} }, nil, `fsync: "maybe"`},
		"cookie":                 {func(o *compat.Options) { o.Type, o.DataDir = "cookie", dir }, nil, ""},
		"memcached":              {func(o *compat.Options) { o.Type = "ext:memcached" }, nil, "type = ext:memcached"},
		"unknown":                {func(o *compat.Options) { o.Type = "flie" }, nil, "must be file, memory or cookie"},
	} {
		t.Run(name, func(t *testing.T) {
			o := compat.Defaults()
			test.options(&o)
			s, err := backend.Open(o)
			if test.fails != "" {
				require.ErrorContains(t, err, test.fails)
				require.Nil(t, s)
				return
			}
			require.NoError(t, err)
			if test.want == nil {
				require.True(t, s == nil, "no store, and not a nil one in an interface")
				return
			}
			require.IsType(t, test.want, s)
		})
	}
	_, err := backend.Open(compat.Options{Type: "dbm"})
	require.ErrorIs(t, err, backend.ErrUnsupported)
}

// TestOpenPassesOn: the directories and the rule of ids get to the store.
func TestOpenPassesOn(t *testing.T) {
	dir := t.TempDir()
	rule, err := beakerfmt.NewIDRule(`[a-z.]+`)
	require.NoError(t, err)
	for _, o := range []compat.Options{
		{Type: "file", DataDir: dir, IDs: rule},
		{Type: "file", DataDir: dir, FileDir: filepath.Join(dir, "files"), LockDir: filepath.Join(dir, "locks"), IDs: rule},
		{Type: "memory", IDs: rule},
	} {
		s, err := backend.Open(o)
		require.NoError(t, err)
		require.NoError(t, s.Put(t.Context(), "some.id", pyvalue.None{}))
		require.ErrorIs(t, s.Put(t.Context(), "UPPER", pyvalue.None{}), stores.ErrInvalidID)
	}
	require.FileExists(t, filepath.Join(dir, "container_file", "s", "so", "some.id.cache"))
	require.DirExists(t, filepath.Join(dir, "container_file_lock"))
	require.FileExists(t, filepath.Join(dir, "files", "s", "so", "some.id.cache"))
	require.DirExists(t, filepath.Join(dir, "locks"))
}
