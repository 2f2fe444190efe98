package doctor

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

const (
	strongSecret   = "b7f0c3a95d21e8846fa0719c3e5d2b68"
	strongValidate = "4c19e07ad8b35f621d9e84c07b3a5f16"
	strongEncrypt  = "e93d5b07c2f14a689b7e30d5c86f1a24"
)

// patient is a subject under examination: an ini and a gobeaker.toml that share sessions.
type patient struct {
	*testing.T
	Subject
}

func (f *patient) py() *Side  { return &f.Sides[0] }
func (f *patient) gob() *Side { return &f.Sides[1] }

// set sets an option on both sides.
func (f *patient) set(name string, value any) {
	f.on(f.py(), name, value)
	f.on(f.gob(), name, value)
}

// on sets an option on one side.
func (f *patient) on(s *Side, name string, value any) {
	f.Helper()
	kind := iniconf.FromIni
	if s.Go {
		kind = iniconf.FromTOML
	}
	file, _, _ := strings.Cut(s.Name, "#")
	from := iniconf.Origin{Kind: kind, Written: "beaker.session." + name, Position: iniconf.Position{File: file, Line: 1 + len(s.Effective.Origins)}}
	require.NoError(f, s.Effective.Set(name, value, from))
}

func (f *patient) peer(name string) {
	p, err := compat.ParsePeer(name)
	require.NoError(f, err)
	for i := range f.Sides {
		f.Sides[i].Peer = p
	}
}

// alone leaves the Python side.
// alias makes two paths one.
func (f *patient) alias(a, b string) {
	for i := range f.Sides {
		if f.Sides[i].Identities == nil {
			f.Sides[i].Identities = map[string]string{}
		}
		f.Sides[i].Identities[a], f.Sides[i].Identities[b] = a, a
	}
}

// clear is an application whose Python was asked and cannot encrypt.
func (f *patient) clear() { f.py().Python.Takes = "" }

// ofIni: the ini has another file behind it, with no ending that says what it is.
func (f *patient) ofIni() {
	dir := f.TempDir()
	require.NoError(f, os.WriteFile(dir+"/base", []byte("[app:main]\nuse = egg:Shop\n"), 0o600))
	c, err := iniconf.Load(dir+"/base", iniconf.LoadOptions{})
	require.NoError(f, err)
	f.py().Effective.Config = c
	f.py().Tree.Files = []facts.Place{{Role: "secret", Path: c.Path(), Mode: 0o644, Reachable: true}}
}

func (f *patient) alone() { f.Sides = f.Sides[:1] }

// twice makes both sides Python's.
func (f *patient) twice() {
	f.Sides[1].Name, f.Sides[1].Go = "/etc/other.ini#main", false
}

func (f *patient) warn(w iniconf.Warning) {
	w.Position = iniconf.Position{File: "/etc/app.ini", Line: 77, Column: 1}
	f.py().Effective.Warnings = append(f.py().Effective.Warnings, w)
}

// guessed: TurboGears' sessions are taken for JSON.
func (f *patient) guessed() {
	f.set("data_serializer", "json")
	f.py().Effective.Origins["data_serializer"] = iniconf.Origin{Kind: iniconf.FromFramework, Because: "as quickstart does"}
}

func (f *patient) cookieOnly() {
	f.set("type", "cookie")
	f.set("validate_key", strongValidate)
	f.set("data_serializer", "json")
	f.set("encrypt_key", strongEncrypt)
	f.py().Sample, f.py().Tree = nil, nil
}

func (f *patient) encrypted() {
	f.set("validate_key", strongValidate)
	f.set("encrypt_key", strongEncrypt)
	f.py().Sample.Forms, f.py().Sample.Whole = nil, nil
}

func (f *patient) memcached(url string) {
	f.set("type", "ext:memcached")
	f.set("url", url)
	f.peer("beaker-1.13/python3/pycrypto/python-memcached")
	f.py().Python.Memcached = []facts.Module{{Name: "python-memcached", Version: "1.62", Usable: true}}
	f.py().Tree.Dirs = nil
}

// healthy is a subject in which nothing is found.
func healthy(t *testing.T) *patient {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := &patient{T: t, Subject: Subject{Now: now, Sides: []Side{
		{Name: "/etc/app.ini#main", Effective: iniconf.NewEffective()},
		{Name: "/etc/gobeaker.toml", Effective: iniconf.NewEffective(), Go: true},
	}}}
	f.set("secret", strongSecret)
	f.set("data_dir", "/srv/app/sessions")
	f.set("secure", true)
	f.set("httponly", true)
	f.set("timeout", int64(3600))
	f.peer("beaker-1.13/python3/pycrypto")
	f.py().Sample = &facts.Sample{
		Where: "file in /srv/app/sessions/container_file", Listed: 40, Complete: true, Looked: 40,
		States: facts.Tally{"live": {Sessions: 40}}, Forms: facts.Tally{"text pickle": {Sessions: 40}},
		Beakers: facts.Tally{"1.12 or later": {Sessions: 40}}, Pythons: facts.Tally{"Python 3.8 to 3.13": {Sessions: 40}},
		Whole: []facts.FormCount{{Form: beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2}, Count: facts.Count{Sessions: 40}}},
	}
	f.py().Python = &facts.Probe{
		Exe: "/srv/app/env/bin/python", Python: "3.11.2", Beaker: "1.13.0", Takes: "pycrypto", Peer: f.py().Peer,
		Packages: []facts.Module{{Name: "redis", Version: "5.0"}}, Trip: &facts.Trip{ToGo: facts.Leg{OK: true}, ToPython: facts.Leg{OK: true}},
	}
	f.py().Clocks = &facts.Clocks{Clocks: []facts.Clock{{Name: "store", Against: "this process", Skew: time.Second}}}
	f.py().Tree = &facts.Tree{
		Dirs:    []facts.Place{{Role: "data_dir", Path: "/srv/app/sessions", Mode: fs.ModeDir | 0o700, Reachable: true}},
		Files:   []facts.Place{{Role: "ini", Path: "/etc/app.ini", Mode: 0o640, Reachable: true}},
		System:  []facts.FileSys{{Path: "/srv/app/sessions", Free: 50, Size: 100, FreeInodes: 50, Inodes: 100, Kind: "ext4"}},
		Records: 40, MixedOwners: []int{1000},
	}
	return f
}

// sick has a case for every check: what it finds, and as what.
type sick struct {
	code   string
	worst  Severity
	change func(f *patient)
}

func one(n int64) facts.Count { return facts.Count{Sessions: n, Examples: []string{"0a1b2c3d4e5f"}} }

var sicknesses = []sick{
	{"configuration-refused", Error, func(f *patient) {
		f.py().Refused = &iniconf.Error{Position: iniconf.Position{File: "/etc/app.ini", Line: 3, Column: 1}, Kind: iniconf.KindOption, Msg: "Session timeout must be an integer."}
	}},
	{"configuration-refused", Error, func(f *patient) { f.py().Refused = errors.New("tomlconf: no") }},
	{"dialect-contradicted", Error, func(f *patient) { f.py().ReadOtherwise = []string{"secret"} }},
	{"options-refused", Error, func(f *patient) { f.set("data_serializer", "yaml") }},
	{"options-refused", Error, func(f *patient) { f.cookieOnly(); f.set("cookie_domain", "example.com;x") }},
	{"sessions-disabled", Warning, func(f *patient) { f.py().Effective.Disabled = true }},

	{"secret-missing", Error, func(f *patient) { f.set("secret", "") }},
	{"key-known", Error, func(f *patient) { f.set("secret", "some-secret") }},
	{"key-known", Error, func(f *patient) { f.set("secret", "${app_instance_secret}") }},
	{"key-known", Error, func(f *patient) { f.set("secret", "{{cookiesecret}}") }},
	{"key-known", Error, func(f *patient) { f.set("secret", "<your key goes in here>") }},
	{"key-known", Error, func(f *patient) { f.on(f.gob(), "old_secrets", []string{"CHANGE_ME!"}) }},
	{"key-is-word", Error, func(f *patient) { f.cookieOnly(); f.set("validate_key", "True") }},
	{"key-is-word", Error, func(f *patient) { f.encrypted(); f.set("encrypt_key", "none") }},
	{"key-weak", Error, func(f *patient) { f.set("secret", "tr0ub4dor") }},
	{"key-weak", Error, func(f *patient) { f.set("secret", "correct horse battery") }},
	{"key-weak", Error, func(f *patient) { f.set("secret", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") }},
	{"key-weak", Error, func(f *patient) { f.set("secret", "k4Xk4Xk4Xk4Xk4Xk4Xk4Xk4Xk4Xk4X") }},
	{"key-weak", Error, func(f *patient) { f.set("secret", "abcdefghijklmnopqrstuvwxyz-012345678") }},
	{"key-weak", Warning, func(f *patient) { f.set("secret", "b7f0c3a95d21e884") }},
	{"key-weak", Warning, func(f *patient) { f.set("secret", "my-company-production-secret-key-2024") }},
	{"key-weak", Error, func(f *patient) { f.set("secret", "2026-11-22T14:20:51Z-production") }},
	{"key-reused", Warning, func(f *patient) { f.encrypted(); f.set("validate_key", strongEncrypt) }},
	{"key-reused", Info, func(f *patient) { f.set("validate_key", strongSecret) }},
	{"key-not-ascii", Warning, func(f *patient) { f.set("secret", strongSecret+"é") }},
	{"key-not-ascii", Error, func(f *patient) { f.encrypted(); f.set("encrypt_key", strongEncrypt+"é") }},
	{"validate-key-missing", Error, func(f *patient) { f.set("encrypt_key", strongEncrypt) }},
	{"validate-key-missing", Error, func(f *patient) { f.set("type", "cookie") }},
	{"old-keys", Info, func(f *patient) { f.on(f.gob(), "old_secrets", []string{strongValidate}) }},
	{"config-readable", Warning, func(f *patient) { f.py().Tree.Files[0].Mode = 0o644 }},
	{"config-readable", Warning, func(f *patient) {
		f.py().Tree.Files = append(f.py().Tree.Files, facts.Place{Role: "secret", Path: "/etc/key", Mode: 0o644, Reachable: true})
	}},
	{"config-readable", Warning, func(f *patient) {
		f.set("type", "ext:database")
		f.set("url", "postgresql://u:"+strongValidate+"@h/d")
		f.py().Tree.Files[0].Mode = 0o644
	}},
	{"config-readable", Warning, func(f *patient) {
		f.set("type", "ext:database")
		f.set("url", "mysql://h/d?passwd="+strongValidate)
		f.py().Tree.Files[0].Mode = 0o644
	}},
	{"config-writable", Error, func(f *patient) { f.py().Tree.Files[0].Mode = 0o662 }},

	{"config-writable", Error, func(f *patient) { f.py().Tree.Files[0].Replaceable = true }},

	{"cookie-not-secure", Warning, func(f *patient) { f.set("secure", false) }},
	{"cookie-not-httponly", Warning, func(f *patient) { f.set("httponly", false) }},
	{"samesite-none-insecure", Error, func(f *patient) { f.set("samesite", "none"); f.set("secure", false) }},
	{"samesite-none", Info, func(f *patient) { f.set("samesite", "None") }},
	{"samesite-missing", Info, func(f *patient) { f.set("samesite", "") }},
	{"samesite-missing", Info, func(f *patient) { f.peer("beaker-1.9") }},
	{"samesite-unknown", Warning, func(f *patient) { f.set("samesite", "relaxed") }},
	{"cookie-domain-refused", Error, func(f *patient) { f.set("cookie_domain", ".com") }},
	{"cookie-domain-refused", Error, func(f *patient) { f.set("cookie_domain", ".co.uk") }},
	{"cookie-domain-refused", Warning, func(f *patient) { f.set("cookie_domain", "10.0.0.1") }},
	{"cookie-domain-refused", Warning, func(f *patient) { f.set("cookie_domain", "intranet") }},
	{"cookie-domain-wide", Warning, func(f *patient) { f.set("cookie_domain", ".example.com") }},
	{"cookie-path", Info, func(f *patient) { f.set("cookie_path", "/shop") }},
	{"cookie-path", Warning, func(f *patient) { f.set("cookie_path", "shop") }},
	{"cookie-name-refused", Error, func(f *patient) { f.set("key", "my session") }},
	{"use-cookies-off", Warning, func(f *patient) { f.set("use_cookies", false) }},

	{"timeout-unset", Warning, func(f *patient) { f.set("timeout", false) }},
	{"timeout-long", Info, func(f *patient) { f.set("timeout", int64(90*86400)) }},
	{"timeout-zero", Error, func(f *patient) { f.set("timeout", int64(0)) }},
	{"timeout-without-access-time", Error, func(f *patient) { f.set("save_accessed_time", false) }},
	{"cookie-never-expires", Info, func(f *patient) { f.set("cookie_expires", false) }},
	{"cookie-never-expires", Warning, func(f *patient) { f.set("cookie_expires", false); f.set("timeout", false) }},
	{"cookie-expires-passed", Error, func(f *patient) { f.set("cookie_expires", f.Now.Add(-time.Hour)) }},
	{"cookie-expires-early", Warning, func(f *patient) { f.set("cookie_expires", int64(300)) }},
	{"cookie-expires-early", Info, func(f *patient) { f.set("cookie_expires", int64(7200)) }},
	{"cookie-expires-early", Info, func(f *patient) { f.cookieOnly(); f.set("cookie_expires", int64(300)) }},
	{"auto-save", Info, func(f *patient) { f.set("auto", true) }},

	{"crypto-library-unknown", Warning, func(f *patient) { f.encrypted(); f.peer("beaker-1.13"); f.py().Python = nil }},
	{"crypto-ecb", Error, func(f *patient) { f.encrypted(); f.peer("beaker-1.6.3/pycrypto") }},
	{"crypto-unauthenticated", Info, func(f *patient) { f.encrypted() }},
	{"nonce-short", Warning, func(f *patient) { f.encrypted(); f.set("encrypt_nonce_bits", int64(48)) }},
	{"nonce-short", Info, func(f *patient) { f.encrypted(); f.set("encrypt_nonce_bits", int64(96)) }},
	{"nonce-short", Warning, func(f *patient) { f.encrypted(); f.peer("beaker-1.7.0") }},
	{"encrypt-key-ignored", Error, func(f *patient) { f.encrypted(); f.peer("beaker-1.5") }},
	{"cookie-in-clear", Info, func(f *patient) { f.cookieOnly(); f.set("encrypt_key", "") }},
	{"pickle-in-cookie", Warning, func(f *patient) { f.cookieOnly(); f.set("data_serializer", "pickle") }},
	{"pickle-in-cookie", Error, func(f *patient) {
		f.cookieOnly()
		f.set("data_serializer", "pickle")
		f.set("validate_key", "validate")
	}},
	{"json-ignored", Warning, func(f *patient) { f.set("data_serializer", "json"); f.peer("beaker-1.11") }},
	{"peer-refuses-options", Error, func(f *patient) { f.cookieOnly(); f.peer("beaker-1.7.0") }},

	{"type-memory", Error, func(f *patient) { f.set("data_dir", "") }},
	{"type-unsupported", Error, func(f *patient) { f.set("type", "ext:google") }},
	{"type-unsupported", Error, func(f *patient) { f.memcached("h:1"); f.set("memcache_module", "bmemcached") }},
	{"type-unsupported", Error, func(f *patient) { f.memcached("h:1"); f.set("protocol", "binary") }},
	{"type-too-new", Error, func(f *patient) { f.set("type", "ext:redis"); f.set("url", "redis://h"); f.peer("beaker-1.8") }},
	{"place-missing", Error, func(f *patient) { f.set("type", "ext:redis") }},
	{"place-missing", Error, func(f *patient) { f.set("type", "dbm"); f.set("data_dir", ""); f.set("dbm_dir", "/srv/dbm") }},
	{"crypto-ecb", Error, func(f *patient) {
		f.encrypted()
		f.peer("beaker-1.6.3/pycrypto")
		f.set("crypto_type", "cryptography")
	}},
	{"place-missing", Error, func(f *patient) { f.set("type", "file"); f.set("data_dir", "") }},
	{"dir-relative", Warning, func(f *patient) { f.set("data_dir", "data") }},
	{"dir-temporary", Warning, func(f *patient) { f.set("data_dir", "/tmp/app") }},
	{"dir-shared-with-cache", Info, func(f *patient) {
		f.warn(iniconf.Warning{Key: "beaker.cache.data_dir", Option: "data_dir", Code: iniconf.CodeCacheInSessions})
	}},
	{"dbm-module", Warning, func(f *patient) { f.set("type", "dbm") }},
	{"store-open", Warning, func(f *patient) { f.memcached("10.0.0.1:11211") }},
	{"store-open", Info, func(f *patient) { f.memcached("127.0.0.1:11211;localhost:11212") }},
	{"store-open", Warning, func(f *patient) { f.set("type", "ext:redis"); f.set("url", "redis://cache.example.com/0") }},
	{"redis-no-ttl", Info, func(f *patient) { f.set("type", "ext:redis"); f.set("url", "redis://:pw@h"); f.peer("beaker-1.9") }},
	{"database-broken", Error, func(f *patient) {
		f.set("type", "ext:database")
		f.set("url", "sqlite:////srv/s.db")
		f.peer("beaker-1.12.0")
	}},
	{"own-class", Error, func(f *patient) { f.set("namespace_class", "shop.sessions:Manager") }},

	{"memcached-client-unknown", Warning, func(f *patient) { f.memcached("a:1;b:1"); f.peer("beaker-1.13"); f.py().Python = nil }},
	{"memcached-servers", Warning, func(f *patient) { f.memcached("a:1;a:1") }},
	{"memcached-servers", Warning, func(f *patient) { f.memcached("a:1; b:1") }},
	{"memcached-servers", Warning, func(f *patient) { f.memcached("a:1;;b:1") }},
	{"memcached-servers", Warning, func(f *patient) { f.memcached("a:1,b:1") }},
	{"memcached-names", Info, func(f *patient) { f.memcached("a:1;b:1") }},
	{"memcached-zero", Info, func(f *patient) { f.memcached("10.0.0.1:1;10.0.0.2:1"); f.peer("beaker-1.11/python2/python-memcached") }},

	{"option-unknown", Warning, func(f *patient) {
		f.warn(iniconf.Warning{Key: "session.tiemout", Option: "tiemout", Code: iniconf.CodeUnknownOption, Msg: "no such option; did you mean timeout?"})
	}},
	{"option-unread", Warning, func(f *patient) {
		f.warn(iniconf.Warning{Key: "beaker.session.key", Option: "key", Code: iniconf.CodeUnread, Msg: "TurboGears 2.5 does not read this: write session.key"})
	}},
	{"option-too-new", Warning, func(f *patient) { f.on(f.py(), "samesite", "Lax"); f.peer("beaker-1.9") }},
	{"option-too-new", Warning, func(f *patient) {
		f.warn(iniconf.Warning{Key: "session.samesite", Option: "samesite", Code: iniconf.CodeTooNew, Msg: "Beaker 1.9.1 does not know this option"})
	}},
	{"prefix-deprecated", Info, func(f *patient) {
		f.warn(iniconf.Warning{Key: "session_key", Option: "key", Code: iniconf.CodeDeprecatedPrefix, Msg: "the prefix session_ is deprecated in Beaker"})
	}},
	{"python-reads-true", Warning, func(f *patient) { f.on(f.py(), "invalidate_corrupt", false) }},
	{"text-none", Warning, func(f *patient) { f.set("cookie_domain", "None") }},
	{"text-none", Warning, func(f *patient) { f.set("lock_dir", "null") }},
	{"option-surprise", Warning, func(f *patient) {
		f.warn(iniconf.Warning{Key: "session.timeout", Option: "timeout", Code: iniconf.CodeTwice, Msg: "also set as beaker.session.timeout"})
	}},

	{"peer-unknown", Warning, func(f *patient) { f.peer("auto"); f.py().Python = nil }},
	{"peer-unknown", Warning, func(f *patient) { f.peer("auto"); f.gob().Python = f.py().Python }},
	{"peer-unknown", Info, func(f *patient) { f.cookieOnly(); f.set("encrypt_key", ""); f.peer("auto"); f.py().Python = nil }},
	{"adopt-unknown-ids", Warning, func(f *patient) { f.on(f.gob(), "adopt_unknown_ids", true) }},
	{"accept-plaintext", Warning, func(f *patient) { f.encrypted(); f.on(f.gob(), "accept_plaintext", true) }},
	{"write-replace", Info, func(f *patient) { f.on(f.gob(), "write", "replace") }},
	{"delete-records-off", Info, func(f *patient) { f.on(f.gob(), "delete_records", false) }},
	{"lenient-cookies", Info, func(f *patient) { f.on(f.gob(), "lenient_cookies", true) }},

	{"sides-separate", Info, func(f *patient) { f.twice(); f.on(f.gob(), "key", "other"); f.on(f.gob(), "data_dir", "/srv/other") }},
	{"key-shared", Warning, func(f *patient) { f.twice(); f.on(f.gob(), "key", "other"); f.on(f.gob(), "data_dir", "/srv/other") }},
	{"sides-cookie-name", Error, func(f *patient) { f.on(f.gob(), "key", "other") }},
	{"sides-cookie-scope", Warning, func(f *patient) { f.on(f.gob(), "cookie_path", "/shop") }},
	{"sides-cookie-flags", Warning, func(f *patient) { f.on(f.gob(), "httponly", false) }},
	{"sides-secret", Error, func(f *patient) { f.on(f.gob(), "secret", strongValidate) }},
	{"sides-secret", Error, func(f *patient) { f.on(f.gob(), "secret", "") }},
	{"sides-secret", Warning, func(f *patient) {
		f.on(f.gob(), "secret", strongValidate)
		f.on(f.gob(), "old_secrets", []string{strongSecret})
	}},
	{"sides-validate-key", Error, func(f *patient) { f.cookieOnly(); f.on(f.gob(), "validate_key", strongSecret) }},
	{"sides-encrypt-key", Error, func(f *patient) { f.encrypted(); f.on(f.gob(), "encrypt_key", strongSecret) }},
	{"sides-place", Error, func(f *patient) { f.on(f.gob(), "data_dir", "/srv/other") }},
	{"sides-place", Error, func(f *patient) { f.on(f.gob(), "type", "ext:redis"); f.on(f.gob(), "url", "redis://u:pw@h/1") }},
	{"sides-lock-dir", Warning, func(f *patient) { f.on(f.gob(), "lock_dir", "/srv/locks") }},
	{"sides-form", Error, func(f *patient) { f.py().Peer = must(compat.ParsePeer("beaker-1.11")); f.gob().Peer = compat.Peer{} }},
	{"sides-form", Error, func(f *patient) { f.twice(); f.py().Peer = must(compat.ParsePeer("beaker-1.11")) }},
	{"sides-serializer", Error, func(f *patient) { f.peer("auto"); f.py().Python = nil; f.on(f.gob(), "data_serializer", "json") }},
	{"sides-nonce", Error, func(f *patient) {
		f.encrypted()
		f.peer("auto")
		f.py().Python = nil
		f.on(f.gob(), "encrypt_nonce_bits", int64(48))
	}},
	{"sides-crypto-type", Warning, func(f *patient) {
		f.encrypted()
		f.peer("auto")
		f.py().Python = nil
		f.on(f.gob(), "crypto_type", "cryptography")
	}},
	{"sides-timeout", Warning, func(f *patient) { f.on(f.gob(), "timeout", int64(60)) }},
	{"sides-memcached", Error, func(f *patient) { f.memcached("a:1;b:1"); f.on(f.gob(), "url", "b:1;a:1") }},
	{"sides-memcached", Error, func(f *patient) { f.memcached("a:1;b:1"); f.gob().Peer.Memcached = "pylibmc" }},
	{"sides-memcached", Error, func(f *patient) { f.memcached("a:1;b:1"); f.gob().Peer.Memcached = oldMemcached }},
	{"sides-memcached", Error, func(f *patient) {
		f.memcached("a:1;b:1")
		f.peer("beaker-1.13/pylibmc")
		f.on(f.gob(), "behavior.ketama", "1")
	}},
	{"sides-python", Error, func(f *patient) { f.twice(); f.gob().Peer.Python = 2 }},
	{"sides-python", Warning, func(f *patient) { f.cookieOnly(); f.twice(); f.gob().Peer.Python = 2 }},

	{"python-unusable", Error, func(f *patient) {
		f.py().Python = &facts.Probe{Exe: "/x", Problem: &facts.Problem{Kind: facts.Missing, Text: "no such file"}}
	}},
	{"python-without-beaker", Error, func(f *patient) { f.py().Python = &facts.Probe{Exe: "/x", Python: "3.11.2"} }},
	{"python-without-aes", Error, func(f *patient) { f.encrypted(); f.py().Python.Takes = "" }},
	{"python-without-aes", Error, func(f *patient) {
		f.encrypted()
		f.py().Python.Takes, f.py().Python.TakesNot = "", "No module named Crypto"
	}},
	{"python-without-client", Error, func(f *patient) { f.memcached("10.0.0.1:1"); f.py().Python.Memcached = nil }},
	{"python-without-client", Error, func(f *patient) { f.set("type", "ext:database"); f.set("url", "sqlite:////srv/s.db") }},
	{"round-trip-failed", Error, func(f *patient) {
		f.py().Python.Trip.ToPython = facts.Leg{Why: "AttributeError: 'dict' object has no attribute 'encode'", Form: "dict"}
	}},
	{"round-trip-failed", Error, func(f *patient) { f.py().Python.Trip.ToGo = facts.Leg{Why: "cannot be decrypted"} }},
	{"round-trip-failed", Warning, func(f *patient) { f.py().Python.Trip = &facts.Trip{Problem: &facts.Problem{Text: "no space left"}} }},
	{"peer-contradicted", Error, func(f *patient) { f.py().Python.Peer = must(compat.ParsePeer("beaker-1.11/python3/pycrypto")) }},
	{"peer-contradicted", Warning, func(f *patient) { f.py().Python.Peer = must(compat.ParsePeer("beaker-1.12/python2/pycrypto")) }},
	{"peer-contradicted", Error, func(f *patient) { f.encrypted(); f.py().Python.Peer.Crypto = "nss" }},
	{"peer-contradicted", Error, func(f *patient) { f.memcached("a:1;b:1"); f.py().Python.Peer.Memcached = "pylibmc" }},
	{"clock-skew", Warning, func(f *patient) { f.py().Clocks.Clocks[0].Skew = 10 * time.Second }},
	{"clock-skew", Error, func(f *patient) { f.py().Clocks.Clocks[0].Skew = -10 * time.Minute }},

	{"store-unreachable", Error, func(f *patient) {
		f.py().Sample = &facts.Sample{Where: "ext:redis at h", Problem: &facts.Problem{Kind: facts.Unreachable, Text: "connection refused"}}
	}},
	{"store-unreachable", Warning, func(f *patient) {
		f.py().Sample.Problem = &facts.Problem{Kind: facts.TimedOut, Text: "it took too long"}
	}},
	{"store-unreachable", Error, func(f *patient) {
		f.py().Sample = &facts.Sample{Where: "ext:redis at h", Problem: &facts.Problem{Kind: facts.TimedOut, Text: "it took too long"}}
	}},
	{"store-unreachable", Error, func(f *patient) {
		f.py().Sample = &facts.Sample{Where: "ext:memcached at h", Problem: &facts.Problem{Kind: facts.NotAllowed, Text: "say --crawl"}}
		f.py().Clocks.Clocks[0].Problem = &facts.Problem{Kind: facts.Unreachable, Text: "connection refused"}
	}},
	{"store-not-listed", Info, func(f *patient) {
		f.py().Sample = &facts.Sample{Where: "ext:memcached at h", Problem: &facts.Problem{Kind: facts.NotAllowed, Text: "say --crawl"}}
	}},
	{"store-empty", Warning, func(f *patient) { f.py().Sample = &facts.Sample{Where: "file in /srv", Complete: true} }},
	{"store-empty", Warning, func(f *patient) {
		f.py().Sample = &facts.Sample{Where: "file in /srv", Problem: &facts.Problem{Kind: facts.Missing, Text: "no such directory"}}
	}},
	{"stored-unreadable", Error, func(f *patient) {
		f.py().Sample.States["unreadable"] = one(2)
		f.py().Sample.Reasons = facts.Tally{"it is cut short": one(2)}
	}},
	{"stored-locked", Info, func(f *patient) { f.py().Sample.States["locked"] = one(2) }},
	{"stored-wrong-key", Error, func(f *patient) { f.encrypted(); f.py().Sample.States["encrypted"] = one(2) }},
	{"stored-peer-cannot-read", Warning, func(f *patient) { f.guessed(); f.py().Sample.Whole[0].Count = one(3) }},
	{"serializer-guessed", Info, func(f *patient) { f.guessed() }},
	{"serializer-guessed", Info, func(f *patient) { f.guessed(); f.py().Sample = nil }},
	{"serializer-guessed", Warning, func(f *patient) {
		f.guessed()
		f.py().Sample.Serializers = facts.Tally{"pickle": one(3), "json": one(1)}
	}},
	{"stored-older-key", Info, func(f *patient) { f.py().Sample.OlderKey = one(1) }},
	{"stored-plaintext", Error, func(f *patient) { f.py().Sample.Plaintext = one(1) }},
	{"stored-without-aes", Error, func(f *patient) { f.py().Sample.ClearNonce = one(1) }},
	{"stored-ecb", Error, func(f *patient) { f.py().Sample.AES = facts.Tally{"ecb": one(1)} }},
	{"stored-nonce-short", Warning, func(f *patient) { f.py().Sample.NonceBits = facts.Tally{"48": one(1)} }},
	{"stored-mixed-forms", Warning, func(f *patient) { f.py().Sample.Forms["dict"] = one(3) }},
	{"stored-peer-cannot-read", Error, func(f *patient) { f.py().Sample.Whole = append(f.py().Sample.Whole, facts.FormCount{Count: one(3)}) }},
	{"stored-other-writer", Warning, func(f *patient) { f.py().Sample.Beakers["up to 1.10"] = one(3) }},
	{"stored-other-writer", Warning, func(f *patient) { f.py().Sample.Pythons["Python 2"] = one(3) }},
	{"stored-python-mixed", Warning, func(f *patient) { f.py().Sample.Pythons["Python 2"] = one(3) }},
	{"stored-not-python3", Warning, func(f *patient) { f.py().Sample.NotPython3 = one(1) }},
	{"stored-not-python2", Error, func(f *patient) {
		f.peer("beaker-1.13/python2")
		f.py().Sample.Containers = facts.Tally{"2": one(1), "4": one(3)}
	}},
	{"stored-suspicious", Error, func(f *patient) {
		f.py().Sample.Classes = []facts.Class{{Name: "os.system", Count: one(1), Suspicious: true}}
	}},
	{"stored-classes", Info, func(f *patient) {
		f.py().Sample.Classes = []facts.Class{{Name: "shop.models.Cart", Count: one(1)}, {Name: "decimal.Decimal", Known: true, Count: one(1)}}
		f.py().Sample.PickleClass = one(1)
	}},
	{"stored-not-json", Info, func(f *patient) {
		f.py().Sample.Losses = []facts.Loss{{Key: "seen", Type: "datetime.datetime", Count: one(4)}}
	}},
	{"stored-not-json", Warning, func(f *patient) {
		f.set("data_serializer", "json")
		f.py().Sample.Losses = []facts.Loss{{Key: "pair", Type: "tuple", Becomes: "a list", Count: one(4)}, {Key: "seen", Type: "datetime.datetime", Count: one(1)}}
	}},
	{"stored-expired", Info, func(f *patient) { f.py().Sample.States["expired"] = one(2) }},
	{"stored-expired", Warning, func(f *patient) { f.py().Sample.States["expired"] = one(30) }},
	{"stored-no-access-time", Warning, func(f *patient) { f.py().Sample.NoAccessed = one(1) }},
	{"stored-future", Warning, func(f *patient) { f.py().Sample.Future, f.py().Sample.FutureBy = one(1), time.Hour }},
	{"stored-too-large", Info, func(f *patient) { f.py().Sample.Oversized, f.py().Sample.Cookie = one(1), 9000 }},

	{"dir-world-writable", Error, func(f *patient) { f.py().Tree.Dirs[0].Mode = fs.ModeDir | 0o777 }},
	{"dir-world-writable", Error, func(f *patient) { f.py().Tree.OpenDirs = 3 }},
	{"dir-world-readable", Warning, func(f *patient) { f.py().Tree.Dirs[0].Mode = fs.ModeDir | 0o755 }},
	{"dir-unreadable", Error, func(f *patient) { f.py().Tree.Unreadable = 1 }},
	{"dir-unreadable", Error, func(f *patient) { f.py().Sample.States["forbidden"] = one(2) }},
	{"dir-owners", Warning, func(f *patient) { f.py().Tree.MixedOwners = []int{0, 1000} }},
	{"dir-symlinks", Warning, func(f *patient) { f.py().Tree.Symlinks = 1 }},
	{"locks-stale", Info, func(f *patient) { f.py().Tree.StaleLocks = 10 }},
	{"locks-stale", Warning, func(f *patient) { f.py().Tree.StaleLocks = 1_000_000 }},
	{"temp-files", Info, func(f *patient) { f.py().Tree.Temps = 1 }},
	{"store-growth", Info, func(f *patient) { f.py().Tree.Old = 1 }},
	{"store-growth", Warning, func(f *patient) { f.py().Tree.Records, f.py().Tree.Old = 5000, 4000 }},
	{"store-growth", Warning, func(f *patient) { f.set("timeout", false); f.py().Tree.Records = 50_000 }},
	{"disk-full", Warning, func(f *patient) { f.py().Tree.System[0].FreeInodes = 5 }},
	{"disk-full", Error, func(f *patient) { f.py().Tree.System[0].Free = 1 }},
	{"file-system", Warning, func(f *patient) { f.py().Tree.System[0].Network, f.py().Tree.System[0].Kind = true, "nfs" }},
	{"file-system", Info, func(f *patient) { f.py().Tree.System[0].Kind = "tmpfs" }},
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestChecks lets every check find what it is for, and nothing in a healthy subject.
func TestChecks(t *testing.T) {
	require.Empty(t, Run(healthy(t).Subject, Checks()))
	seen := map[string]bool{}
	for _, test := range sicknesses {
		seen[test.code] = true
		t.Run(test.code, func(t *testing.T) {
			f := healthy(t)
			test.change(f)
			checks, err := Select([]string{test.code}, nil)
			require.NoError(t, err)
			found := Run(f.Subject, checks)
			require.NotEmpty(t, found)
			require.Equal(t, test.worst, found[0].Severity, "%+v", found[0])
			require.NotEmpty(t, found[0].Sides)
			require.Equal(t, test.code, found[0].Code)
			if test.code != "dir-world-writable" { // the count says enough
				require.NotEmpty(t, found[0].Where)
			}
			for _, all := range Run(f.Subject, Checks()) {
				require.NotContains(t, all.Detail, "%!", "a format that does not fit")
				require.NotContains(t, all.Detail, "..")
			}

			checks, err = Select(nil, []string{test.code})
			require.NoError(t, err)
			require.Len(t, checks, len(Checks())-1)
			for _, other := range Run(f.Subject, checks) {
				require.NotEqual(t, test.code, other.Code)
			}
		})
	}
	for _, c := range Checks() {
		require.True(t, seen[c.Code], "no test for %s", c.Code)
	}
}

// TestDetails: what a finding says of the case at hand.
func TestDetails(t *testing.T) {
	for _, test := range []struct {
		code   string
		worst  Severity
		says   string
		remedy string
		change func(f *patient)
	}{
		{"sides-place", Info, "lead to one server", "", func(f *patient) {
			f.set("type", "ext:redis")
			f.on(f.py(), "url", "redis://localhost:6379/1")
			f.on(f.gob(), "url", "redis://127.0.0.1/1")
		}},
		{"sides-place", Warning, "pylibmc", "", func(f *patient) {
			f.memcached("localhost:1;localhost:2")
			f.on(f.gob(), "url", "[::1]:1;[::1]:2")
		}},
		{"sides-memcached", Error, "a server that is not in the other", "same list", func(f *patient) {
			f.memcached("a:1;b:1")
			f.on(f.gob(), "url", "a:1;b:1;c:1")
		}},
		{"sides-serializer", Error, "", "Set the same data_serializer", func(f *patient) { f.twice(); f.on(f.gob(), "data_serializer", "json") }},
		{"sides-serializer", Warning, "a guess", "", func(f *patient) { f.guessed(); f.on(f.gob(), "data_serializer", "pickle") }},
		{"sides-form", Error, "(peer = auto) writes, /etc/app.ini#main does not read", `Set peer = "beaker-1.11/python2"`, func(f *patient) {
			f.peer("beaker-1.11/python2")
			f.gob().Peer = compat.Peer{}
		}},
		{"type-unsupported", Error, `is "file" meant`, "", func(f *patient) { f.set("type", "flie") }},
		{"type-unsupported", Error, `is "ext:redis" meant`, "", func(f *patient) { f.set("type", "redis") }},
		{"type-unsupported", Error, `type = "ext:google".`, "", func(f *patient) { f.set("type", "ext:google") }},
		{"locks-stale", Info, "10 of 30 lock files", "", func(f *patient) { f.py().Tree.StaleLocks, f.py().Tree.Locks = 10, 30 }},
		{"peer-unknown", Warning, "looks like beaker-1.13/python3", "--python", func(f *patient) { f.peer("auto"); f.alone(); f.py().Python = nil }},
		{"peer-unknown", Warning, "looks like beaker-1.11/python2", "", func(f *patient) {
			f.peer("auto")
			f.alone()
			f.py().Python = nil
			f.py().Sample.Beakers, f.py().Sample.Pythons = facts.Tally{"1.11": one(3)}, facts.Tally{"Python 2": one(3)}
		}},
		{"peer-unknown", Warning, "The Python that was asked says", `Say it: peer = "beaker-1.13/python3/pycrypto".`, func(f *patient) {
			f.peer("auto")
			f.gob().Python = f.py().Python
		}},
		{"stored-peer-cannot-read", Error, "/etc/app.ini#main: ", "", func(f *patient) { f.py().Sample.Whole = append(f.py().Sample.Whole, facts.FormCount{Count: one(3)}) }},
		{"round-trip-failed", Error, "gobeaker does not read what this Beaker writes: no. This Beaker", "", func(f *patient) {
			f.py().Python.Trip = &facts.Trip{ToGo: facts.Leg{Why: "no"}, ToPython: facts.Leg{Why: "nor this"}}
		}},
	} {
		t.Run(test.code, func(t *testing.T) {
			f := healthy(t)
			test.change(f)
			checks, err := Select([]string{test.code}, nil)
			require.NoError(t, err)
			found := Run(f.Subject, checks)
			require.Len(t, found, 1)
			require.Equal(t, test.worst, found[0].Severity)
			require.Contains(t, found[0].Detail, test.says)
			require.Contains(t, found[0].Remedy, test.remedy)
		})
	}
}

// TestCatalogue: codes are unique and in kebab-case, and each check explains itself.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks() {
		require.Regexp(t, regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`), c.Code)
		require.False(t, seen[c.Code], c.Code)
		seen[c.Code] = true
		require.NotEmpty(t, c.Title, c.Code)
		require.False(t, strings.HasSuffix(c.Title, "."), c.Title)
		require.Greater(t, len(c.Explanation), 20, c.Code)
		require.Greater(t, len(c.Remedy), 10, c.Code)
		require.True(t, strings.HasSuffix(c.Explanation, "."), c.Code)
		require.True(t, strings.HasSuffix(c.Remedy, ".") || strings.HasSuffix(c.Remedy, ")."), c.Code)
		require.True(t, (c.side == nil) != (c.pair == nil), c.Code)
	}
	_, err := Select(nil, []string{"no-such-check"})
	require.EqualError(t, err, `doctor: there is no check "no-such-check"`)
}

// TestMerged: what is the same on two sides is told once.
func TestMerged(t *testing.T) {
	f := healthy(t)
	f.set("secure", false)
	checks, err := Select([]string{"cookie-not-secure"}, nil)
	require.NoError(t, err)
	found := Run(f.Subject, checks)
	require.Len(t, found, 1)
	require.Equal(t, []string{"/etc/app.ini#main", "/etc/gobeaker.toml"}, found[0].Sides)
	require.Equal(t, []string{"/etc/app.ini:6", "/etc/gobeaker.toml:6"}, found[0].Where)
	require.Equal(t, Warning, Worst(found))
	require.Equal(t, Info, Worst(nil))
}

func TestRanges(t *testing.T) {
	for _, test := range []struct {
		words        string
		minor, patch int
		want         bool
	}{
		{"1.11", 11, 0, true}, {"1.11", 12, 1, false}, {"1.8 to 1.10", 9, 1, true}, {"1.8 to 1.10", 10, 1, true}, {"1.8 to 1.10", 11, 0, false},
		{"up to 1.10", 6, 4, true}, {"up to 1.10", 10, 1, true}, {"up to 1.6.3", 6, 4, false}, {"1.12 or later", 13, 0, true}, {"1.12 or later", 11, 0, false},
		{"1.6.4 or later", 6, 3, false}, {"1.6.4 to 1.7", 6, 5, true}, {"any", 13, 0, true},
	} {
		require.Equal(t, test.want, inRange(test.words, test.minor, test.patch), "%s with 1.%d.%d", test.words, test.minor, test.patch)
	}
}

// TestNothingSecret: whatever is found, no key and no password is in the outcome.
func TestNothingSecret(t *testing.T) {
	for _, test := range sicknesses {
		f := healthy(t)
		f.set("url", "postgresql://user:"+strongEncrypt+"pw@h/d") // unused by files
		test.change(f)
		findings := Run(f.Subject, Checks())
		out := NewOutcome(f.Subject, findings, 1)
		data, err := json.Marshal(out)
		require.NoError(t, err)
		requireNoKeys(t, f.Subject, out.Text(false)+out.Text(true)+string(data))
	}
}

// requireNoKeys looks for the keys and passwords of all sides in a text.
func requireNoKeys(t *testing.T, s Subject, text string) {
	t.Helper()
	for i := range s.Sides {
		side := &s.Sides[i]
		for _, k := range side.keys() {
			if len(k.text) >= 6 && !isConstant(k.text) && bare(k.text) != "validate" {
				require.NotContains(t, text, k.text, side.Name+" "+k.name)
			}
		}
		_, rest, _ := strings.Cut(side.address(), "://")
		if at := strings.LastIndex(rest, "@"); at > 0 {
			_, password, _ := strings.Cut(rest[:at], ":")
			if len(password) > 3 {
				require.NotContains(t, text, password)
			}
		}
	}
}
