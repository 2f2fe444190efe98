package livestores

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

// kinds are in the order in which a test goes through them.
var kinds = []Kind{
	{Name: "file", Type: "file", place: inDirectory},
	dbm("dumb"), dbm("sqlite3"), dbm("gnu"),
	{
		Name: "memcached/python-memcached", Type: "ext:memcached", needs: [][]string{{"python-memcached"}},
		place: memcached("memcache"),
	},
	{
		Name: "memcached/pylibmc", Type: "ext:memcached", Rare: true, needs: [][]string{{"pylibmc"}},
		until: compat.Release{Major: 1, Minor: 14}, place: memcached("pylibmc"),
	},
	{
		Name: "redis", Type: "ext:redis", needs: [][]string{{"redis"}},
		since: compat.Release{Major: 1, Minor: 9}, place: redis,
	},
	{
		Name: "rediscluster", Type: "ext:rediscluster", needs: [][]string{{"redis"}},
		since: compat.Release{Major: 1, Minor: 13}, has: redisPyHasClusters, place: redisCluster,
	},
	{
		Name: "mongodb", Type: "ext:mongodb", needs: [][]string{{"pymongo"}},
		since: compat.Release{Major: 1, Minor: 9}, place: mongo,
	},
	database("postgresql"), database("mariadb"), database("sqlite"),
	sqla("postgresql"), sqla("mariadb"), sqla("sqlite"),
}

func inDirectory(t testing.TB, _ *Set, _ peers.Venv) Place {
	return Place{both: options{"data_dir": t.TempDir()}}
}

// dbm keeps new records in the given form, on both sides.
func dbm(form string) Kind {
	return Kind{
		Name: "dbm/" + form, Type: "dbm", Rare: form == "gnu",
		has: func(v peers.Venv) bool { return hasDBM(v, form) },
		place: func(t testing.TB, _ *Set, v peers.Venv) Place {
			return Place{
				both:   options{"data_dir": t.TempDir()},
				python: options{"dbmmodule": dbmModule(v, form)},
				gopher: options{"dbm_format": form},
			}
		},
	}
}

// dbmModule is the name of a module of Python 3's dbm in this Python.
func dbmModule(v peers.Venv, form string) string {
	if v.Python2() {
		return map[string]string{"dumb": "dumbdbm", "gnu": "gdbm"}[form]
	}
	return "dbm." + form
}

// hasDBM reports whether a Python has a form: gnu depends on how it was built.
func hasDBM(v peers.Venv, form string) bool {
	switch form {
	case "sqlite3":
		return !v.Python2() && minor(v.Python) >= 13
	case "gnu":
		return exec.Command(v.Exe, "-c", "import "+dbmModule(v, form)).Run() == nil
	}
	return true
}

// redisPyHasClusters from 4.1 on.
func redisPyHasClusters(v peers.Venv) bool {
	version := v.Packages["redis"]
	return major(version) > 4 || major(version) == 4 && minor(version) >= 1
}

func major(version string) int { n, _, _ := strings.Cut(version, "."); return number(n) }

func minor(version string) int {
	_, rest, _ := strings.Cut(version, ".")
	return major(rest)
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// memcached is three servers.
func memcached(module string) func(testing.TB, *Set, peers.Venv) Place {
	return func(t testing.TB, s *Set, _ peers.Venv) Place {
		all := s.start(t, "memcached").addresses
		return Place{
			Servers: all,
			both:    options{"url": strings.Join(all, ";"), "memcache_module": module},
		}
	}
}

func redis(t testing.TB, s *Set, _ peers.Venv) Place {
	r := s.start(t, "redis")
	return Place{Servers: r.addresses, both: options{"url": r.url}}
}

func redisCluster(t testing.TB, s *Set, _ peers.Venv) Place {
	r := s.start(t, "rediscluster")
	return Place{Servers: r.addresses, both: options{"urls": r.url}}
}

func mongo(t testing.TB, s *Set, _ peers.Venv) Place {
	r := s.start(t, "mongodb")
	return Place{Servers: r.addresses, both: options{"url": r.url}}
}

// drivers are SQLAlchemy's names for a database with each distribution that it can
// be reached by.
var drivers = map[string]map[string]string{
	"postgresql": {"psycopg2": "postgresql+psycopg2", "psycopg2-binary": "postgresql+psycopg2", "pg8000": "postgresql+pg8000"},
	"mariadb":    {"pymysql": "mysql+pymysql", "mysqlclient": "mysql"},
	"sqlite":     {"sqlalchemy": "sqlite"},
}

func database(name string) Kind {
	return Kind{
		Name: "database/" + name, Type: "ext:database", needs: [][]string{{"sqlalchemy"}, driversOf(name)},
		place: func(t testing.TB, s *Set, v peers.Venv) Place {
			url, servers := s.databaseURL(t, name, v)
			return Place{Servers: servers, both: options{"url": url, "table_name": s.table()}}
		},
	}
}

// sqla is made from objects: scripts/beakeroptions.py makes them of these names.
func sqla(name string) Kind {
	k := database(name)
	k.Name, k.Type = "sqla/"+name, "ext:sqla"
	k.place = func(t testing.TB, s *Set, v peers.Venv) Place {
		url, servers := s.databaseURL(t, name, v)
		table := s.table()
		return Place{
			Servers: servers,
			// Without a directory for its locks Beaker fails (ext/sqla.py, __init__).
			python: options{"bind": url, "table": table, "data_dir": t.TempDir()},
			gopher: options{"sa.url": url, "table_name": table},
		}
	}
	return k
}

// table is a name that no other place of the set has.
func (s *Set) table() string { return fmt.Sprintf("beaker_cache_%d", s.tables.Add(1)) }

func driversOf(database string) (all []string) {
	for distribution := range drivers[database] {
		all = append(all, distribution)
	}
	return all
}

// databaseURL is SQLAlchemy's, with the driver that this Python has.
func (s *Set) databaseURL(t testing.TB, name string, v peers.Venv) (url string, servers []string) {
	t.Helper()
	var scheme string
	for distribution, of := range drivers[name] {
		if v.Packages[distribution] != "" && of > scheme {
			scheme = of
		}
	}
	if name == "sqlite" {
		return scheme + ":///" + filepath.Join(t.TempDir(), "beaker.db"), nil
	}
	r := s.start(t, name)
	return scheme + r.url, r.addresses
}

// starters start the servers.
var starters = map[string]func(t testing.TB) *running{
	"memcached": func(t testing.TB) *running {
		r := &running{}
		for range 3 {
			r.addresses = append(r.addresses, servers.Memcached(t).Addr())
		}
		return r
	},
	"redis": func(t testing.TB) *running {
		addr := servers.Redis(t).Addr()
		return &running{[]string{addr}, "redis://" + addr + "/0"}
	},
	"rediscluster": func(t testing.TB) *running {
		r, urls := &running{}, []string{}
		for _, node := range servers.RedisCluster(t, 3) {
			r.addresses = append(r.addresses, node.Addr())
			urls = append(urls, "redis://"+node.Addr())
		}
		r.url = strings.Join(urls, ",")
		return r
	},
	"mongodb": func(t testing.TB) *running {
		addr := servers.Mongo(t).Addr()
		return &running{[]string{addr}, "mongodb://" + addr + "/" + servers.Database}
	},
	"postgresql": func(t testing.TB) *running { return sqlServer(servers.Postgres(t)) },
	"mariadb":    func(t testing.TB) *running { return sqlServer(servers.MariaDB(t)) },
}

// sqlServer's url lacks its scheme.
func sqlServer(s *servers.Server) *running {
	return &running{
		[]string{s.Addr()},
		fmt.Sprintf("://%s:%s@%s/%s", servers.User, servers.QuotedPassword, s.Addr(), servers.Database),
	}
}
