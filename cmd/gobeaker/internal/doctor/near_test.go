package doctor

import (
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
)

// near has what a check must not mistake for what it looks for.
var near = []struct {
	name, code string
	change     func(f *patient)
}{
	{"cookie-only needs no secret", "secret-missing", func(f *patient) { f.cookieOnly(); f.set("secret", "") }},
	{"an unused validate_key may be anything", "key-weak", func(f *patient) { f.set("validate_key", "short") }},
	{"a pass phrase of random letters", "key-weak", func(f *patient) { f.set("secret", "qzxkvwpfjhtnbdmrcglsqzpkvbxwtrnh") }},
	{"base64", "key-weak", func(f *patient) { f.set("secret", "m8Qv2hT0+Zr4yWc1/Ub6Lg==") }},
	{"words by lot", "key-weak", func(f *patient) { f.set("secret", "viola-gamma-tulip-orbit-cedar-motto-bison-radar") }},
	{"base64 with signs", "key-weak", func(f *patient) { f.set("secret", "aGVsbG8+d29ybGQ/Zm9v+YmFyCg/Qx==") }},
	{"an option that is not known yet", "stored-peer-cannot-read", func(f *patient) {
		f.encrypted()
		f.peer("beaker-1.8.1/pycrypto")
		f.set("crypto_type", "cryptography")
		f.py().Sample.Whole = []facts.FormCount{{Form: beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2, AES: beakerfmt.CTR, NonceBits: 128}, Count: one(3)}}
	}},
	{"an option that has no effect", "peer-refuses-options", func(f *patient) {
		f.encrypted()
		f.alone()
		f.peer("beaker-1.8.1/pycrypto")
		f.on(f.py(), "crypto_type", "cryptography")
	}},
	{"nothing is encrypted", "stored-peer-cannot-read", func(f *patient) { f.encrypted(); f.clear(); f.py().Sample.Whole = []facts.FormCount{{Count: one(3)}} }},
	{"nothing is encrypted", "crypto-unauthenticated", func(f *patient) { f.encrypted(); f.clear(); f.alone() }},
	{"nothing is encrypted in a store", "python-without-aes", func(f *patient) {
		f.encrypted()
		f.peer("beaker-1.3")
		f.py().Python.Peer = f.py().Peer
		f.clear()
	}},
	{"nothing is encrypted in a store", "nonce-short", func(f *patient) { f.encrypted(); f.peer("beaker-1.3/pycrypto") }},
	{"an ini of another name", "config-readable", func(f *patient) { f.ofIni() }},
	{"a uuid", "key-weak", func(f *patient) { f.set("secret", "0b9ac5f2-6f0e-4d0c-9a39-6a2c5d1f7e83") }},
	{"None is told as such", "key-known", func(f *patient) { f.set("secret", "True") }},
	{"exactly a month", "timeout-long", func(f *patient) { f.set("timeout", int64(30*86400)) }},
	{"ends in the future", "cookie-expires-passed", func(f *patient) { f.set("cookie_expires", f.Now.Add(time.Hour)) }},
	{"nonces of a known size", "nonce-short", func(f *patient) { f.encrypted() }},
	{"ECB is over", "crypto-ecb", func(f *patient) { f.encrypted(); f.peer("beaker-1.6.4/pycrypto") }},
	{"pycryptopp is CTR", "crypto-ecb", func(f *patient) { f.encrypted(); f.peer("beaker-1.6.3/pycryptopp") }},
	{"GCM", "crypto-unauthenticated", func(f *patient) { f.encrypted(); f.peer("beaker-1.14/cryptography") }},
	{"a password", "store-open", func(f *patient) { f.set("type", "ext:redis"); f.set("url", "redis://:pw@h/0") }},
	{"a unix socket", "store-open", func(f *patient) { f.set("type", "ext:redis"); f.set("url", "unix:///run/redis.sock") }},
	{"one server", "memcached-client-unknown", func(f *patient) { f.memcached("a:1"); f.peer("auto") }},
	{"a module", "memcached-client-unknown", func(f *patient) { f.memcached("a:1;b:1"); f.peer("auto"); f.set("memcache_module", "memcache") }},
	{"what is stored is JSON", "serializer-guessed", func(f *patient) { f.guessed(); f.py().Sample.Serializers = facts.Tally{"json": one(3)} }},
	{"no damage where we may not look", "stored-unreadable", func(f *patient) { f.py().Sample.States["forbidden"] = one(3) }},
	{"a directory by two names", "sides-place", func(f *patient) {
		f.on(f.gob(), "data_dir", "/data/sessions")
		f.alias("/srv/app/sessions/container_file", "/data/sessions/container_file")
	}},
	{"locks by two names", "sides-lock-dir", func(f *patient) {
		f.on(f.gob(), "data_dir", "/data/sessions")
		f.alias("/srv/app/sessions/container_file", "/data/sessions/container_file")
		f.alias("/srv/app/sessions/container_file_lock", "/data/sessions/container_file_lock")
	}},
	{"an SQLite file by two names", "sides-place", func(f *patient) {
		f.set("type", "ext:database")
		f.on(f.py(), "url", "sqlite:////srv/./s.db")
		f.on(f.gob(), "url", "sqlite:////srv/x/../s.db?timeout=5")
	}},
	{"a server more is sides-memcached's", "sides-place", func(f *patient) { f.memcached("a:1;b:1"); f.on(f.gob(), "url", "a:1;b:1;c:1") }},
	{"serializers are sides-serializer's", "sides-form", func(f *patient) { f.twice(); f.on(f.gob(), "data_serializer", "json") }},
	{"a dict has no serializer", "sides-serializer", func(f *patient) {
		f.peer("beaker-1.11")
		f.on(f.gob(), "data_serializer", "json")
	}},
	{"without an AES library nothing goes", "round-trip-failed", func(f *patient) {
		f.encrypted()
		f.py().Python.Takes, f.py().Python.Trip = "", &facts.Trip{ToGo: facts.Leg{Why: "no"}}
	}},
	{"the Python was asked", "peer-unknown", func(f *patient) { f.peer("auto"); f.alone() }},
	{"read as Beaker does", "python-reads-true", func(f *patient) { f.on(f.gob(), "invalidate_corrupt", false) }},
	{"a word of SameSite", "text-none", func(f *patient) { f.set("samesite", "None") }},
	{"in another place of the same store", "sides-place", func(f *patient) {
		f.on(f.py(), "type", "ext:database")
		f.on(f.py(), "url", "postgresql+psycopg2://a:b@h/d?x=1")
		f.on(f.gob(), "type", "ext:database")
		f.on(f.gob(), "url", "postgresql://c:d@h/d")
	}},
	{"the order is sides-memcached's", "sides-place", func(f *patient) { f.memcached("a:1;b:1"); f.on(f.gob(), "url", "b:1;a:1") }},
	{"Go reads all", "sides-form", func(f *patient) { f.gob().Peer = must(compat.ParsePeer("beaker-1.13/python2")) }},
	{"encrypted, 1.11 and 1.12 read each other", "sides-form", func(f *patient) {
		f.encrypted()
		f.twice()
		f.py().Peer = must(compat.ParsePeer("beaker-1.11/pycrypto"))
		f.gob().Peer = must(compat.ParsePeer("beaker-1.12/pycrypto"))
	}},
	{"keys of their own", "key-shared", func(f *patient) {
		f.twice()
		f.on(f.gob(), "secret", strongValidate)
		f.on(f.gob(), "data_dir", "/srv/other")
	}},
	{"the same store", "sides-separate", func(f *patient) { f.twice(); f.on(f.gob(), "key", "other") }},
	{"within what asking took", "clock-skew", func(f *patient) {
		f.py().Clocks.Clocks[0] = facts.Clock{Name: "store", Skew: 20 * time.Second, Within: 19 * time.Second}
	}},
	{"a library of the era", "peer-contradicted", func(f *patient) { f.py().Peer = must(compat.ParsePeer("beaker-1.13")) }},
	{"in a directory that is closed", "dir-world-readable", func(f *patient) {
		f.py().Tree.Dirs = append(f.py().Tree.Dirs, facts.Place{Role: "records", Mode: fs.ModeDir | 0o755})
	}},
	{"Python 3 reads them", "stored-not-python2", func(f *patient) { f.py().Sample.Containers = facts.Tally{"4": one(3)} }},
	{"nobody gets there", "config-readable", func(f *patient) { f.py().Tree.Files[0].Mode, f.py().Tree.Files[0].Reachable = 0o666, false }},
	{"nobody gets to it", "config-writable", func(f *patient) { f.py().Tree.Files[0].Mode, f.py().Tree.Files[0].Reachable = 0o666, false }},
	{"nothing secret in it", "config-readable", func(f *patient) {
		f.py().Tree.Files = []facts.Place{{Role: "ini", Path: "/etc/base.ini", Mode: 0o644, Reachable: true}}
	}},
	{"it is a cookie already", "stored-too-large", func(f *patient) {
		f.set("type", "cookie")
		f.py().Sample.Oversized = one(1)
	}},
}

func TestNearMisses(t *testing.T) {
	for _, test := range near {
		t.Run(test.code+": "+test.name, func(t *testing.T) {
			f := healthy(t)
			test.change(f)
			checks, err := Select([]string{test.code}, nil)
			require.NoError(t, err)
			require.Empty(t, Run(f.Subject, checks))
		})
	}
}
