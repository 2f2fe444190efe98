package sqlstore

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

// base is one of the kinds of database, running.
type base struct {
	name   string
	url    string
	server *servers.Server // nil: SQLite
}

const credentials = servers.User + ":" + servers.QuotedPassword + "@"

func sqliteBase(t testing.TB) *base {
	return &base{name: "sqlite", url: "sqlite:///" + filepath.Join(t.TempDir(), "s.db")}
}

func postgresBase(t testing.TB) *base {
	s := servers.Postgres(t)
	return &base{name: "postgres", server: s, url: "postgresql+psycopg2://" + credentials + s.Addr() + "/" + servers.Database}
}

func mariadbBase(t testing.TB) *base {
	s := servers.MariaDB(t)
	return &base{name: "mariadb", server: s, url: "mysql+pymysql://" + credentials + s.Addr() + "/" + servers.Database}
}

// eachBase runs a test on each kind of database.
func eachBase(t *testing.T, f func(t *testing.T, b *base)) {
	for name, start := range map[string]func(testing.TB) *base{
		"sqlite": sqliteBase, "postgres": postgresBase, "mariadb": mariadbBase,
	} {
		t.Run(name, func(t *testing.T) { f(t, start(t)) })
	}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var tables atomic.Int32

// options are those of a store with a new table.
func (b *base) options() Options {
	return Options{URL: b.url, Create: true, Table: fmt.Sprintf("t%d", tables.Add(1))}
}

// roomy opens a store with a new table, of which MySQL's is such as tells upper from
// lower case and takes more than 64 KB: Beaker's does neither.
func (b *base) roomy(t testing.TB, o Options) *Store {
	t.Helper()
	of := b.options()
	o.URL, o.Create, o.Table = of.URL, of.Create, of.Table
	s := open(t, o)
	require.NoError(t, s.Ping(t.Context()))
	if b.name == "mariadb" {
		_, err := s.db.Exec("ALTER TABLE " + s.name(o.Table) +
			" MODIFY data LONGBLOB NOT NULL, MODIFY namespace VARCHAR(255) COLLATE utf8mb4_bin NOT NULL")
		require.NoError(t, err)
	}
	return s
}

// TestDatabases runs everything on each kind of database.
func TestDatabases(t *testing.T) {
	eachBase(t, func(t *testing.T, b *base) {
		for _, test := range []struct {
			name string
			run  func(t *testing.T, b *base)
		}{
			{"store", testStore},
			{"live", testLive},
			{"cache rows", testCacheRow},
			{"times", testTimes},
			{"clock", testClock},
			{"pages", testListPages},
			{"too large", testTooLarge},
			{"Beaker's table on MySQL", testBeakersTableOnMySQL},
			{"MyISAM", testMyISAM},
			{"names", testNames},
			{"many makers", testManyMakers},
			{"panic", testPanic},
			{"not let in", testNotLetIn},
			{"paused", testPaused},
			{"restart", testRestart},
		} {
			t.Run(test.name, func(t *testing.T) { test.run(t, b) })
		}
	})
}

func testStore(t *testing.T, b *base) {
	for name, sqla := range map[string]bool{"database": false, "sqla": true} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) stores.Store { return b.roomy(t, Options{Sqla: sqla}) },
				Corrupt: func(t *testing.T, s stores.Store, id string) {
					overwrite(t, s.(*Store), id, []byte("\x80\x02}q\x00"))
				},
			})
		})
	}
}

// TestMemory: a database in memory is one for the whole store.
func TestMemory(t *testing.T) {
	for _, url := range []string{"sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"} {
		storetest.Run(t, storetest.Harness{
			New: func(t *testing.T) stores.Store { return open(t, Options{URL: url, Create: true}) },
		})
	}
}

// overwrite puts data into a row as it is.
func overwrite(t testing.TB, s *Store, id string, data []byte) {
	t.Helper()
	text := "UPDATE " + tableOf(s) + " SET data = ? WHERE namespace = ?"
	_, err := s.db.Exec(s.rebind(text), data, id)
	require.NoError(t, err)
}

// tableOf is the quoted name of the store's table.
func tableOf(s *Store) string {
	_, rest, _ := strings.Cut(s.sql.remove, "FROM ")
	table, _, _ := strings.Cut(rest, " WHERE")
	return table
}
