package doctor

import (
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

// types are Beaker's back ends, and the first release that has each.
var types = map[string]compat.Release{
	"file": {}, "memory": {}, "cookie": {}, "dbm": {}, "ext:memcached": {}, "ext:database": {}, "ext:sqla": {},
	"ext:redis": {Major: 1, Minor: 9}, "ext:mongodb": {Major: 1, Minor: 9}, "ext:rediscluster": {Major: 1, Minor: 13},
}

func placeChecks() []Check {
	return []Check{
		{"type-memory", Error, "Sessions are in the memory of one process",
			"Nothing is shared: not between the processes of one application, nor with Go, and a restart logs everybody out.",
			"Set data_dir (files) or another type.", func(s *Side, r *report) {
				if s.kind() == "memory" {
					r.add(s.at("type"))
				}
			}, nil},
		{"type-unsupported", Error, "gobeaker has no such back end",
			"Go cannot get at these sessions. Python gets at them if that is a back end of Beaker's (such as ext:google) or of another package; otherwise it fails with a KeyError at the first session.",
			"Use one of file, dbm, cookie, ext:memcached (text protocol, memcache or pylibmc), ext:redis, ext:rediscluster, ext:database, ext:sqla, ext:mongodb. gobeaker migrate moves sessions between them.", checkType, nil},
		{"type-too-new", Error, "This Beaker does not have that back end yet",
			"It fails when the first session is opened.",
			"Upgrade Beaker, or use another type.", func(s *Side, r *report) {
				if since, known := types[s.kind()]; known && s.before(since) {
					r.add(s.at("type")).saying("type = %s came with Beaker %s, and the peer is %s.", s.kind(), since, s.peer())
				}
			}, nil},
		{"place-missing", Error, "It is not said where the sessions are",
			"The back end needs a directory or a URL; Beaker refuses to run without.",
			"Set data_dir for file and dbm, url (urls for ext:rediscluster) for the others.", func(s *Side, r *report) {
				switch kind := s.kind(); {
				case s.onDisk() && s.directory() == "", s.onDisk() && s.options().DataDir == "" && s.options().LockDir == "",
					strings.HasPrefix(kind, "ext:") && s.address() == "" && kind != "ext:sqla" && kind != "ext:google":
					r.add(s.at("type"))
				}
			}, nil},
		{"dir-relative", Warning, "A directory is relative",
			"It is looked up in the working directory of each process, which differs between a shell, a service and a web server: they silently do not share sessions.",
			"Write an absolute path, such as %(here)s/data.", func(s *Side, r *report) {
				o := s.options()
				for name, dir := range map[string]string{"data_dir": o.DataDir, "file_dir": o.FileDir, "lock_dir": o.LockDir} {
					if s.onDisk() && dir != "" && !filepath.IsAbs(dir) {
						r.add(s.at(name)).saying("It is %s.", name)
					}
				}
			}, nil},
		{"dir-temporary", Warning, "Sessions are in a directory for temporary files",
			"Such directories are emptied, at boot or by age, and services may each have their own (systemd's PrivateTmp). Every user may create files there: whoever makes the directory first can read the sessions, or have Python run code by a pickle that he puts there (CVE-2013-7489).",
			"Use a directory of the application's own, such as /var/lib/application/sessions, with mode 700.", func(s *Side, r *report) {
				if dir := filepath.Clean(s.directory()); s.onDisk() && slices.ContainsFunc([]string{"/tmp", "/var/tmp", "/dev/shm"}, func(t string) bool { return dir == t || strings.HasPrefix(dir, t+"/") }) {
					r.add(s.at("file_dir", "data_dir"))
				}
			}, nil},
		{"dir-shared-with-cache", Info, "Sessions and Beaker's cache are in one directory",
			"Both make container_file in it. Cleaning the one by hand removes the other, and to tools the files of the cache look like sessions that cannot be read.",
			"Give the cache a data_dir of its own, as Pylons does with cache_dir/cache and cache_dir/sessions.", warned(func(_ *Side, w iniconf.Warning) bool { return w.Code == iniconf.CodeCacheInSessions }), nil},
		{"dbm-module", Warning, "DBM files depend on what each Python was built with",
			"Python takes the first dbm module that it finds: gnu, ndbm, dumb, from 3.13 on sqlite3. An upgrade of Python, or another machine, finds records that it cannot open.",
			"Move to type = file, or name the module with dbmmodule in all applications (and dbm_format here). gobeaker migrate moves the sessions.", func(s *Side, r *report) {
				if s.kind() == "dbm" && s.extra("dbmmodule") == "" {
					r.add(s.at("type"))
				}
			}, nil},
		{"store-open", Warning, "The store takes writes from everybody who reaches it (CVE-2013-7489)",
			"Without a password, whoever can connect can read every session and put pickles into it, which Python runs as code when it reads them. memcached has no passwords at all in the protocol that is shared here.",
			"Let the server listen on 127.0.0.1 or a private network alone, with a firewall in front; give Redis a password and TLS (rediss://). data_serializer = json with Beaker from 1.12 on takes the worst out of the sessions themselves, not out of the record around them.", checkOpenStore, nil},
		{"redis-no-ttl", Info, "Redis keeps ended sessions",
			"Beaker before 1.10 sets no expiry on Redis keys, so they stay although timeout is set.",
			"Upgrade Beaker, or run gobeaker gc now and then.", func(s *Side, r *report) {
				if strings.HasPrefix(s.kind(), "ext:redis") && s.options().Timeout != compat.NoTimeout && s.before(compat.Release{Major: 1, Minor: 10}) {
					r.add(s.at("type", "timeout"))
				}
			}, nil},
		{"database-broken", Error, "Beaker 1.12.0 does not work with ext:database",
			"Its back end for SQL fails at every session; 1.12.1 repaired it.",
			"Use Beaker 1.12.1 or later.", func(s *Side, r *report) {
				if s.kind() == "ext:database" && s.peer().Release() == (compat.Release{Major: 1, Minor: 12}) {
					r.add(s.at("type"))
				}
			}, nil},
		{"own-class", Error, "The application has a back end or a session class of its own",
			"namespace_class and session_class name Python code, which gobeaker cannot run: what it reads and writes may be anything.",
			"Keep those sessions in Python, or move to one of Beaker's own classes.", func(s *Side, r *report) {
				for _, name := range []string{"namespace_class", "session_class"} {
					if s.extra(name) != "" {
						r.add(s.at(name)).saying("It is %s.", name)
					}
				}
			}, nil},
	}
}

func checkType(s *Side, r *report) {
	kind := s.kind()
	module := s.extra("memcache_module")
	switch _, known := types[kind]; {
	case !known:
		f := r.add(s.at("type")).saying("type = %q.", clip(kind))
		if near := nearestType(kind); near != "" {
			f.saying("type = %q: is %q meant?", clip(kind), near)
		}
	case kind != "ext:memcached":
	case s.extra("protocol") == "binary" || s.extra("username") != "":
		r.add(s.at("protocol", "username")).saying("It is memcached's binary protocol.")
	case module != "" && !slices.Contains([]string{"auto", "memcache", "pylibmc"}, module):
		r.add(s.at("memcache_module")).saying("Which server the client library %q takes is not known.", clip(module))
	}
}

// nearestType is the type that was probably meant: one within two letters, or one that
// lacks its ext: here.
func nearestType(kind string) string {
	kind = strings.ToLower(kind)
	best, least := "", 3
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if n := min(letters(kind, name), letters("ext:"+kind, name)); n < least {
			best, least = name, n
		}
	}
	return best
}

// letters counts how many letters have to be changed, added or removed (Levenshtein),
// or change places with their neighbour.
func letters(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// clip keeps a text from a file short.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

func checkOpenStore(s *Side, r *report) {
	var hosts []string
	switch s.kind() {
	case "ext:memcached":
		hosts = servers(s.address())
	case "ext:redis", "ext:rediscluster", "ext:mongodb":
		for _, address := range strings.Split(s.address(), ",") {
			u, err := url.Parse(strings.TrimSpace(address))
			if err != nil || u.User != nil || u.Query().Has("password") || u.Scheme == "unix" {
				continue
			}
			hosts = append(hosts, u.Host)
		}
		if s.extra("password") != "" {
			return
		}
	}
	if len(hosts) == 0 {
		return
	}
	f := r.add(s.at("url", "urls"))
	if !slices.ContainsFunc(hosts, func(h string) bool { return !isLocal(h) }) {
		f.as(Info).saying("It is on this machine: those who can reach it are the machine's own users and services.")
	}
}

func isLocal(server string) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		host = server
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || host == "" || strings.HasPrefix(server, "/") || strings.HasPrefix(server, "unix:") || ip != nil && ip.IsLoopback()
}
