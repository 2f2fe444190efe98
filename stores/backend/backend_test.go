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
	"github.com/gobeaker/gobeaker/stores/dbmstore"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memcachedstore"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/redisstore"
	"github.com/gobeaker/gobeaker/stores/sqlstore"
)

func TestOpen(t *testing.T) {
	type m = map[string]string
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
		"unknown":                {func(o *compat.Options) { o.Type = "flie" }, nil, "must be file, memory"},
		"google":                 {func(o *compat.Options) { o.Type = "ext:google" }, nil, "Google App Engine"},

		"dbm":                 {func(o *compat.Options) { o.Type, o.DataDir = "dbm", dir }, &dbmstore.Store{}, ""},
		"dbm, a format":       {func(o *compat.Options) { o.Type, o.DataDir, o.Extra = "dbm", dir, m{"dbm_format": "gnu"} }, &dbmstore.Store{}, ""},
		"dbm, no such format": {func(o *compat.Options) { o.Type, o.DataDir, o.Extra = "dbm", dir, m{"dbm_format": "x"} }, nil, `no format "x"`},
		"memcached":           {func(o *compat.Options) { o.Type, o.URL = "ext:memcached", "127.0.0.1:1;127.0.0.1:2" }, &memcachedstore.Store{}, ""},
		"memcached, no url":   {func(o *compat.Options) { o.Type = "ext:memcached" }, nil, "url is required"},
		"memcached, binary":   {func(o *compat.Options) { o.Type, o.URL, o.Extra = "ext:memcached", "h", m{"protocol": "binary"} }, nil, "text protocol"},
		"memcached, another client": {func(o *compat.Options) {
			o.Type, o.URL, o.Extra = "ext:memcached", "h", m{"memcache_module": "bmemcached"}
		}, nil, "bmemcached"},
		"memcached, no such client": {func(o *compat.Options) { o.Type, o.URL, o.Extra = "ext:memcached", "h", m{"memcache_module": "x"} }, nil, "memcache_module = x"},
		"redis":                     {func(o *compat.Options) { o.Type, o.URL = "ext:redis", "redis://127.0.0.1:1/2" }, &redisstore.Store{}, ""},
		"redis, no url":             {func(o *compat.Options) { o.Type = "ext:redis" }, nil, "url is required"},
		"rediscluster": {func(o *compat.Options) {
			o.Type, o.Extra = "ext:rediscluster", m{"urls": "redis://127.0.0.1:1, redis://127.0.0.1:2"}
		}, &redisstore.Store{}, ""},
		"rediscluster, no urls": {func(o *compat.Options) { o.Type, o.URL = "ext:rediscluster", "redis://127.0.0.1:1" }, nil, "urls is required"},
		"database":              {func(o *compat.Options) { o.Type, o.URL = "ext:database", "sqlite:///"+filepath.Join(dir, "s.db") }, &sqlstore.Store{}, ""},
		"database, sa.url": {func(o *compat.Options) {
			o.Type, o.Extra = "ext:database", m{"sa.url": "postgresql+psycopg2://u@127.0.0.1/d"}
		}, &sqlstore.Store{}, ""},
		"database, no url":            {func(o *compat.Options) { o.Type = "ext:database" }, nil, "url"},
		"database, read only":         {func(o *compat.Options) { o.Type, o.URL, o.Extra = "ext:database", "sqlite://", m{"read_only": "true"} }, &sqlstore.Store{}, ""},
		"database, read_only no word": {func(o *compat.Options) { o.Type, o.URL, o.Extra = "ext:database", "sqlite://", m{"read_only": "x"} }, nil, `read_only: "x"`},
		"database, create is no word": {func(o *compat.Options) { o.Type, o.URL, o.Extra = "ext:database", "sqlite://", m{"create_table": "x"} }, nil, `create_table: "x"`},
		"sqla":                        {func(o *compat.Options) { o.Type, o.URL = "ext:sqla", "mysql://u@127.0.0.1/d" }, &sqlstore.Store{}, ""},
		"mongodb, no url":             {func(o *compat.Options) { o.Type = "ext:mongodb" }, nil, "url is required"},
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
	_, err := backend.Open(compat.Options{Type: "ext:google"})
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
