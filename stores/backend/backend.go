// Package backend opens the store that Beaker's options ask for. It is the one
// place that knows all of them.
package backend

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/dbmstore"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memcachedstore"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/mongostore"
	"github.com/gobeaker/gobeaker/stores/redisstore"
	"github.com/gobeaker/gobeaker/stores/sqlstore"
)

// ErrUnsupported: there is no store for what the options ask for.
var ErrUnsupported = errors.New("session type has no store")

// Open returns the store of o.Type; if that is empty, Beaker's default: files if
// there is a directory for them, else memory. For "cookie", sessions that live in
// the cookie alone, it is nil, as compat.New wants it. It does not touch the disk
// or the network: see [stores.Pinger]. A store with connections has a Close
// ([io.Closer]).
//
// Of o.Extra it reads what Beaker's namespace managers do: memcache_module, protocol
// and behavior.* (ext:memcached), urls and redis-py's options (ext:rediscluster),
// table_name, schema_name and sa.* (ext:database, ext:sqla), dbm_dir (dbm). Beaker
// passes over these, which are ours: fsync (file, dbm), dbm_format (dumb, gnu or
// sqlite3: of new records), create_table (false: a missing table is an error), read_only
// (true: a file of SQLite is left as it is, for who only looks),
// master_name, sentinels, sentinel_username and sentinel_password (ext:redis).
func Open(o compat.Options) (stores.Store, error) {
	kind := o.Type
	if kind == "" {
		kind = defaultType(o)
	}
	var (
		s   stores.Store
		err error
	)
	switch kind {
	case "file":
		s, err = openFiles(o)
	case "memory":
		s = &memstore.Store{IDs: o.IDs}
	case "cookie":
		return nil, nil
	case "dbm":
		s, err = openDBM(o)
	case "ext:memcached":
		s, err = openMemcached(o)
	case "ext:redis", "ext:rediscluster":
		s, err = openRedis(o, kind == "ext:rediscluster")
	case "ext:database", "ext:sqla":
		s, err = openSQL(o, kind == "ext:sqla")
	case "ext:mongodb":
		s, err = openMongo(o)
	case "ext:google":
		err = fmt.Errorf("%w: the Datastore of Google App Engine's old Python runtime is only reachable from there; have the Python application keep its sessions in another back end, such as ext:database", ErrUnsupported)
	default:
		err = fmt.Errorf("%w: it must be file, memory, cookie, dbm, ext:memcached, ext:redis, ext:rediscluster, ext:database, ext:sqla or ext:mongodb", ErrUnsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("backend: open: type = %s: %w", kind, err)
	}
	return s, nil
}

// defaultType is the type of who names none (session.py, Session.__init__).
func defaultType(o compat.Options) string {
	if o.DataDir != "" {
		return "file"
	}
	return "memory"
}

func openFiles(o compat.Options) (stores.Store, error) {
	sync, err := truth(o, "fsync", false)
	if err != nil {
		return nil, err
	}
	return filestore.New(filestore.Options{
		DataDir: o.DataDir, FileDir: o.FileDir, LockDir: o.LockDir, IDs: o.IDs, Fsync: sync,
	})
}

func openDBM(o compat.Options) (stores.Store, error) {
	sync, err := truth(o, "fsync", false)
	if err != nil {
		return nil, err
	}
	format := dbmstore.Dumb // what every Python reads
	if name := o.Extra["dbm_format"]; name != "" {
		if format, err = dbmstore.ParseFormat(name); err != nil {
			return nil, err
		}
	}
	return dbmstore.New(dbmstore.Options{
		DataDir: o.DataDir, DBMDir: o.Extra["dbm_dir"], LockDir: o.LockDir, Format: format, IDs: o.IDs, Fsync: sync,
	})
}

func openMemcached(o compat.Options) (stores.Store, error) {
	if o.URL == "" {
		return nil, errors.New("url is required") // Beaker's words
	}
	if o.Extra["protocol"] == "binary" || o.Extra["username"] != "" {
		return nil, fmt.Errorf("%w: memcached's binary protocol, and with it a username, is not spoken here; use the text protocol on both sides", ErrUnsupported)
	}
	client, err := memcachedClient(o)
	if err != nil {
		return nil, err
	}
	behaviors := map[string]string{}
	for name, v := range o.Extra {
		if b, ok := strings.CutPrefix(name, "behavior."); ok {
			behaviors[b] = v
		}
	}
	return memcachedstore.New(memcachedstore.Options{
		Servers: strings.Split(o.URL, ";"), Client: client, Behaviors: behaviors, Python: o.Peer.Python, IDs: o.IDs,
	})
}

// memcachedClient is the client library of the peer: as the peer says, or
// memcache_module. Auto takes what is installed, which cannot be seen from here.
func memcachedClient(o compat.Options) (memcachedstore.Client, error) {
	name := o.Peer.Memcached
	if name == "" {
		switch module := o.Extra["memcache_module"]; module {
		case "pylibmc":
			name = "pylibmc"
		case "", "auto", "memcache":
			name = "python-memcached"
		case "cmemcache", "bmemcached":
			return 0, fmt.Errorf("%w: which servers %s chooses is not known; use memcache or pylibmc as memcache_module", ErrUnsupported, module)
		default:
			return 0, fmt.Errorf("memcache_module = %s: Beaker knows memcache, pylibmc, cmemcache, bmemcached and auto", module)
		}
	}
	switch {
	case name == "pylibmc":
		return memcachedstore.Pylibmc, nil
	case name == "python-memcached-1.59", o.Peer.Python == 2: // no later one runs on Python 2
		return memcachedstore.PythonMemcachedOld, nil
	}
	return memcachedstore.PythonMemcached, nil
}

// ttlMargin is how much longer than its session a Redis key lives (Beaker:
// Session.__init__).
const ttlMargin = 2 * time.Minute

// ttlSince is the first Beaker that has Redis keys expire.
var ttlSince = compat.Release{Major: 1, Minor: 10}

func openRedis(o compat.Options, cluster bool) (stores.Store, error) {
	r := redisstore.Options{URL: o.URL, IDs: o.IDs}
	if cluster {
		r.URL, r.URLs, r.Extra = "", list(o.Extra["urls"]), o.Extra
		if len(r.URLs) == 0 {
			return nil, errors.New("urls is required")
		}
	} else if o.URL == "" {
		return nil, errors.New("url is required")
	}
	if o.Timeout != compat.NoTimeout && (o.Peer.IsAuto() || o.Peer.Release().Compare(ttlSince) >= 0) {
		r.TTL = o.Timeout + ttlMargin
	}
	if name := o.Extra["master_name"]; name != "" {
		r.MasterName, r.Sentinels = name, list(o.Extra["sentinels"])
		r.SentinelUsername, r.SentinelPassword = o.Extra["sentinel_username"], o.Extra["sentinel_password"]
	}
	return redisstore.New(r)
}

// list takes apart what stands between commas.
func list(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func openSQL(o compat.Options, sqla bool) (stores.Store, error) {
	create, err := truth(o, "create_table", !sqla) // the table of ext:sqla is made by the application
	if err != nil {
		return nil, err
	}
	readOnly, err := truth(o, "read_only", false)
	if err != nil {
		return nil, err
	}
	engine := map[string]string{}
	for name, v := range o.Extra {
		if strings.HasPrefix(name, "sa.") {
			engine[name] = v
		}
	}
	return sqlstore.New(sqlstore.Options{
		URL: o.URL, Options: engine, Table: o.Extra["table_name"], Schema: o.Extra["schema_name"],
		Sqla: sqla, Create: create, ReadOnly: readOnly, IDs: o.IDs,
	})
}

func openMongo(o compat.Options) (stores.Store, error) {
	if o.URL == "" {
		return nil, errors.New("url is required")
	}
	return mongostore.New(mongostore.Options{URL: o.URL, IDs: o.IDs})
}

// truth reads an option that is a word as Beaker does (converters.py, asbool).
func truth(o compat.Options, name string, otherwise bool) (bool, error) {
	word := strings.TrimSpace(o.Extra[name])
	switch strings.ToLower(word) {
	case "":
		return otherwise, nil
	case "true", "yes", "on", "y", "t", "1":
		return true, nil
	case "false", "no", "off", "n", "f", "0":
		return false, nil
	}
	return false, fmt.Errorf("%s: %q is not true or false", name, word)
}
