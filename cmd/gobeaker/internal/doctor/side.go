package doctor

import (
	"cmp"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

func (s *Side) options() *compat.Options { return &s.Effective.Options }

// extra is an option of the back end.
func (s *Side) extra(name string) string { return s.Effective.Options.Extra[name] }

// isSet reports whether somebody set the option.
func (s *Side) isSet(name string) bool { return s.origin(name).Kind != iniconf.FromDefault }

func (s *Side) origin(name string) iniconf.Origin { return s.Effective.Origins[name] }

// at says where an option is set; if nobody did, it names the side.
func (s *Side) at(names ...string) string {
	for _, name := range names {
		if !s.isSet(name) {
			continue
		}
		if o := s.origin(name); o.Kind != iniconf.FromFramework || o.File != "" {
			return o.String()
		}
		return s.Name + " " + s.origin(name).String() // where nothing is written
	}
	return s.Name
}

// kind is the type as it takes effect (Beaker: session.py, Session.__init__).
func (s *Side) kind() string {
	switch o := s.options(); {
	case o.Type != "":
		return o.Type
	case o.DataDir != "":
		return "file"
	}
	return "memory"
}

func (s *Side) cookieOnly() bool { return s.kind() == "cookie" }

// onServer: sessions are kept somewhere beside the cookie.
func (s *Side) onServer() bool { return !s.cookieOnly() }

func (s *Side) onDisk() bool { return s.kind() == "file" || s.kind() == "dbm" }

// peer is the Beaker as told, else the one that was asked; auto if neither.
func (s *Side) peer() compat.Peer {
	if s.Peer.IsAuto() && s.Python != nil {
		return s.Python.Peer
	}
	return s.Peer
}

// taken are the options as the Beaker of this side takes them: what it does not know yet
// has no effect. Go goes by all of them.
func (s *Side) taken() *compat.Options {
	o := *s.options()
	if s.Go {
		return &o
	}
	if info, _ := iniconf.LookupOption("crypto_type"); s.before(info.Since) {
		o.CryptoType = ""
	}
	if info, _ := iniconf.LookupOption("data_serializer"); s.before(info.Since) {
		o.DataSerializer = "pickle"
	}
	return &o
}

// withoutAES: the Python that was asked cannot encrypt (python-without-aes).
func (s *Side) withoutAES() bool {
	return s.Python != nil && s.Python.Beaker != "" && s.Python.Takes == "" && s.options().EncryptKey != ""
}

// encrypts reports whether sessions are encrypted, as far as that is known. In a store
// the oldest Beakers do not (encrypt-key-ignored).
func (s *Side) encrypts() bool {
	p := s.peer()
	return s.options().EncryptKey != "" && !s.withoutAES() && (s.cookieOnly() || p.IsAuto() || p.Era().ServerAES)
}

// before reports whether the peer is known to be older than a release.
func (s *Side) before(r compat.Release) bool {
	p := s.peer()
	return !p.IsAuto() && p.Release().Compare(r) < 0
}

// directory is where the records of a file or dbm store are.
func (s *Side) directory() string {
	o := s.options()
	switch dir := cmp.Or(o.FileDir, s.extra("file_dir")); {
	case s.kind() == "file" && dir != "":
		return dir
	case s.kind() == "dbm" && s.extra("dbm_dir") != "":
		return s.extra("dbm_dir")
	case o.DataDir == "":
		return ""
	}
	return filepath.Join(o.DataDir, "container_"+s.kind())
}

// address is the URL of the server: with what is secret in it.
func (s *Side) address() string {
	return cmp.Or(s.options().URL, s.extra("sa.url"), s.extra("urls"))
}

// Paths are the directories and files of which it matters whether two sides mean the
// same: of records, of locks, of SQLite.
func (s *Side) Paths() []string {
	var out []string
	if s.onDisk() && s.directory() != "" {
		out = append(out, s.directory(), locksOf(s))
	}
	if path := sqlitePath(s.address()); path != "" {
		out = append(out, path)
	}
	return out
}

// sqlitePath is the file of an SQLite URL: of sqlite:////srv/s.db it is /srv/s.db.
func sqlitePath(address string) string {
	scheme, path, _ := strings.Cut(address, ":///")
	if scheme, _, _ = strings.Cut(scheme, "+"); scheme != "sqlite" {
		return ""
	}
	path, _, _ = strings.Cut(path, "?")
	return path
}

// same names a path so that two names of one directory or file are equal.
func (s *Side) same(path string) string { return cmp.Or(s.Identities[path], filepath.Clean(path)) }

// place is where the sessions are, to be compared: without user, password and the order
// of parameters. It is not for people.
func (s *Side) place() string {
	switch kind := s.kind(); kind {
	case "cookie", "memory":
		return kind
	case "file", "dbm":
		return kind + " " + s.same(s.directory())
	case "ext:memcached":
		return kind + " " + strings.Join(sortedServers(s.address()), ";")
	default:
		table := ""
		if kind == "ext:database" || kind == "ext:sqla" {
			table = " " + s.extra("schema_name") + "." + cmp.Or(s.extra("table_name"), "beaker_cache")
		}
		if path := sqlitePath(s.address()); path != "" {
			return kind + " sqlite " + s.same(path) + table
		}
		return kind + " " + withoutUser(s.address()) + table
	}
}

// loopbacks are names of this machine, which lead to one server as a rule.
var loopbacks = regexp.MustCompile(`\blocalhost\b|\b127\.0\.0\.1\b|\[::1\]`)

// loosePlace is the place where all names of this machine are one.
func (s *Side) loosePlace() string { return loopbacks.ReplaceAllString(s.place(), "localhost") }

// withoutUser leaves of a URL, or of several behind commas, which server and which
// database it is.
func withoutUser(address string) string {
	var out []string
	for _, one := range strings.Split(address, ",") {
		out = append(out, serverOf(strings.TrimSpace(one)))
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// defaultPorts are those of clients that are given none.
var defaultPorts = map[string]string{"redis": "6379", "rediss": "6379", "postgresql": "5432", "mysql": "3306", "mongodb": "27017"}

func serverOf(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	scheme, _, _ = strings.Cut(scheme, "+") // postgresql+psycopg2
	if scheme == "postgres" {
		scheme = "postgresql"
	}
	rest, query, _ := strings.Cut(rest, "?")
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = rest[i+1:]
	}
	host, path, _ := strings.Cut(rest, "/")
	if port := defaultPorts[scheme]; port != "" && host != "" && hostOf(host) == host {
		host += ":" + port
	}
	if strings.HasPrefix(scheme, "redis") || scheme == "unix" {
		values, _ := url.ParseQuery(query)
		db := values.Get("db")
		if scheme == "unix" {
			return scheme + "://" + host + "/" + path + " " + cmp.Or(db, "0")
		}
		path = cmp.Or(db, path, "0")
	}
	return scheme + "://" + host + "/" + strings.TrimSuffix(path, "/")
}

func sortedServers(address string) []string {
	list := servers(address)
	slices.Sort(list)
	return slices.Compact(list)
}

// servers are memcached's, as Beaker separates them.
func servers(address string) []string {
	var out []string
	for _, s := range strings.Split(address, ";") {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// key is a key with what it is called.
type key struct {
	name string // the option
	text string
	old  bool
}

// keys are all that are set.
func (s *Side) keys() []key {
	o := s.options()
	var out []key
	for _, k := range []struct {
		name, text string
		old        []string
	}{
		{"secret", o.Secret, o.OldSecrets}, {"validate_key", o.ValidateKey, o.OldValidateKeys}, {"encrypt_key", o.EncryptKey, o.OldEncryptKeys},
	} {
		if k.text != "" {
			out = append(out, key{k.name, k.text, false})
		}
		for _, old := range k.old {
			out = append(out, key{"old_" + k.name + "s", old, true})
		}
	}
	return out
}

// HasStore reports whether there is a store that can be looked at: not the browsers, nor
// the memory of another process.
func (s *Side) HasStore() bool {
	_, known := types[s.kind()]
	return known && s.kind() != "cookie" && s.kind() != "memory"
}

// SameStore reports whether two sides would see the same in their stores, so that
// one look is enough.
func (s *Side) SameStore(other *Side) bool {
	a, b := s.options(), other.options()
	return s.place() == other.place() && s.address() == other.address() && slices.Equal(s.keys(), other.keys()) &&
		a.Timeout == b.Timeout && a.EncryptNonceBits == b.EncryptNonceBits && a.CryptoType == b.CryptoType &&
		a.AcceptPlaintext == b.AcceptPlaintext && a.IDs.String() == b.IDs.String() && locksOf(s) == locksOf(other)
}
