package sqlstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// rawRow puts a row into the table as some Python left it.
func rawRow(t *testing.T, s *Store, namespace string, container pyvalue.Value) {
	t.Helper()
	data, err := pickle.Append(nil, container, 2)
	require.NoError(t, err)
	const then = "2001-02-03 04:05:06.000000"
	_, err = s.db.Exec(s.rebind("INSERT INTO "+tableOf(s)+" (namespace, accessed, created, data) VALUES (?, ?, ?, ?)"), namespace, then, then, data)
	require.NoError(t, err)
}

func containerOf(t *testing.T, s *Store, namespace string) *pyvalue.Dict {
	t.Helper()
	var data []byte
	require.NoError(t, s.db.QueryRow(s.rebind("SELECT data FROM "+tableOf(s)+" WHERE namespace = ?"), namespace).Scan(&data))
	d, err := beakerfmt.DecodeContainer(data, pickle.Limits{})
	require.NoError(t, err)
	return d
}

func dictOf(key string, v pyvalue.Value) *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr(key, v)
	return d
}

func nothing(pyvalue.Value) (pyvalue.Value, error) { return nil, nil }

// testCacheRow: a row of Beaker's caches is no session, and loses nothing to one.
func testCacheRow(t *testing.T, b *base) {
	s, ctx := b.roomy(t, Options{}), t.Context()
	rawRow(t, s, "cache", dictOf("cached", pyvalue.NewInt(1)))
	rawRow(t, s, "emptied", pyvalue.NewDict()) // what delete() of Beaker 1.3 leaves
	rawRow(t, s, "nodict", pyvalue.Str("x"))
	for _, id := range []string{"cache", "emptied", "nodict"} {
		_, err := s.Get(ctx, id)
		require.ErrorIs(t, err, stores.ErrNotExist)
		require.NoError(t, s.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) {
			require.Nil(t, old)
			return nil, stores.ErrRemove
		}))
	}
	n := 0
	for _, err := range s.List(ctx, "") {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 3, n, "who finds no session removes no row")

	for _, err := range s.Insert(ctx, []stores.Record{{ID: "cache", Value: pyvalue.Str("a")}, {ID: "emptied", Value: pyvalue.Str("b")}}) {
		require.NoError(t, err)
	}
	require.NoError(t, s.Put(ctx, "cache", pyvalue.Str("c")))
	d := containerOf(t, s, "cache")
	require.Equal(t, 2, d.Len())
	cached, _ := d.GetStr("cached")
	require.Equal(t, pyvalue.NewInt(1), cached)
	require.ErrorIs(t, s.Insert(ctx, []stores.Record{{ID: "cache", Value: pyvalue.Str("d")}})[0], stores.ErrExist)
}

// testTimes: created stays, accessed is the time of the last write, both in local time.
func testTimes(t *testing.T, b *base) {
	newYork, err := time.LoadLocation(zone)
	require.NoError(t, err)
	now := time.Unix(1700000000, 250e6)
	s := b.roomy(t, Options{Location: newYork, Now: func() time.Time { return now }})
	require.NoError(t, s.Put(t.Context(), sessionID, pyvalue.Str("v")))
	now = now.Add(time.Hour)
	require.NoError(t, s.Update(t.Context(), sessionID, counting))
	text := rowsOf(t, s, "SELECT "+s.accessed+", "+strings.ReplaceAll(s.accessed, "accessed", "created")+" FROM "+tableOf(s))
	if b.name == "mariadb" {
		require.Equal(t, "2023-11-14 18:13:20|2023-11-14 17:13:20|\n", text)
	} else {
		require.Equal(t, "2023-11-14 18:13:20.250000|2023-11-14 17:13:20.250000|\n", text)
	}
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.WithinDuration(t, now, info.Modified, time.Second)
		require.Positive(t, info.Size)
	}
}

// testListPages: more rows than a page, among them such as are no sessions.
func testListPages(t *testing.T, b *base) {
	s := b.roomy(t, Options{})
	var records []stores.Record
	for n := range 2*listPage + 7 {
		records = append(records, stores.Record{ID: fmt.Sprintf("%06x", n*7919), Value: pyvalue.NewInt(int64(n))})
	}
	for _, err := range s.Insert(t.Context(), records) {
		require.NoError(t, err)
	}
	rawRow(t, s, "a module.a function", dictOf("k", pyvalue.NewInt(1)))
	rawRow(t, s, "", dictOf("k", pyvalue.NewInt(1)))
	count, last := 0, ""
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.Greater(t, info.ID, last)
		last = info.ID
		count++
	}
	require.Equal(t, len(records), count)

	for n := range records { // most are there now
		records[n].ID = fmt.Sprintf("%06x", (n+50)*7919)
	}
	inserted := 0
	for _, err := range s.Insert(t.Context(), records) {
		if err == nil {
			inserted++
		} else {
			require.ErrorIs(t, err, stores.ErrExist)
		}
	}
	require.Equal(t, 50, inserted)
	v, err := s.Get(t.Context(), records[len(records)-1].ID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.NewInt(int64(len(records)-1)), v)
}

// testTooLarge: what is beyond the store's limits is neither written nor read.
func testTooLarge(t *testing.T, b *base) {
	s, ctx := b.roomy(t, Options{MaxBytes: 1000}), t.Context()
	big := pyvalue.Str(strings.Repeat("x", 2000))
	require.NoError(t, s.Put(ctx, sessionID, pyvalue.Str("v")))
	err := s.Put(ctx, sessionID, big)
	require.ErrorIs(t, err, stores.ErrTooLarge)
	require.NotErrorIs(t, err, stores.ErrUnavailable)
	data, err := beakerfmt.AppendContainer(nil, dictOf("session", big), 2)
	require.NoError(t, err)
	overwrite(t, s, sessionID, data)
	_, err = s.Get(ctx, sessionID)
	require.ErrorIs(t, err, stores.ErrTooLarge)
	require.ErrorIs(t, err, stores.ErrCorrupt)
	require.ErrorIs(t, s.Update(ctx, sessionID, nothing), stores.ErrCorrupt)
	require.NoError(t, s.Put(ctx, sessionID, pyvalue.Str("w")))
	v, err := s.Get(ctx, sessionID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("w"), v)
}

// testBeakersTableOnMySQL: what Beaker's own table cannot hold is an error, and harms no
// other record.
func testBeakersTableOnMySQL(t *testing.T, b *base) {
	if b.name != "mariadb" {
		t.Skip("it is about MySQL and MariaDB")
	}
	_, err := open(t, b.options()).db.Exec("SET GLOBAL sql_mode = ''") // what does not fit is cut off
	require.NoError(t, err)
	s, ctx := open(t, b.options()), t.Context()
	require.NoError(t, s.Put(ctx, "abc", pyvalue.Str("v")))

	big := pyvalue.Str(strings.Repeat("x", 70000))
	for _, err := range []error{s.Put(ctx, "abc", big), s.Put(ctx, "new", big), s.Insert(ctx, []stores.Record{{ID: "newer", Value: big}})[0]} {
		require.ErrorIs(t, err, stores.ErrTooLarge)
		require.NotErrorIs(t, err, stores.ErrUnavailable)
	}
	_, err = s.Get(ctx, "ABC")
	require.ErrorIs(t, err, stores.ErrNotExist, "the collation calls them the same, we do not")
	for _, err := range []error{
		s.Put(ctx, "ABC", pyvalue.Str("w")), s.Update(ctx, "ABC", counting), s.Insert(ctx, []stores.Record{{ID: "ABC", Value: pyvalue.Str("w")}})[0],
	} {
		require.ErrorIs(t, err, stores.ErrInvalidID)
		require.NotContains(t, strings.ToLower(err.Error()), "abc")
	}
	require.NoError(t, s.Delete(ctx, "ABC"))
	v, err := s.Get(ctx, "abc")
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("v"), v)
}

// testMyISAM: a table without transactions loses no update.
func testMyISAM(t *testing.T, b *base) {
	if b.name != "mariadb" {
		t.Skip("it is about MySQL and MariaDB")
	}
	s := open(t, b.options())
	require.NoError(t, s.Ping(t.Context()))
	_, err := s.db.Exec("ALTER TABLE " + tableOf(s) + " ENGINE = MyISAM")
	require.NoError(t, err)
	done := make(chan error)
	for range 6 {
		go func() {
			for range 20 {
				if err := s.Update(t.Context(), sessionID, counting); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 6 {
		require.NoError(t, <-done)
	}
	v, err := s.Get(t.Context(), sessionID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.NewInt(120), v)
}

// testNames: whatever the table and the schema are called, they are quoted.
func testNames(t *testing.T, b *base) {
	o := b.options()
	o.Schema = map[string]string{"sqlite": "main", "postgres": "public", "mariadb": "beaker"}[b.name]
	for _, o.Table = range []string{"Sessions", "a b", `quo"te`, "back`tick", "x'; DROP TABLE beaker_cache; --", "{table}", "what?", "grün", "select"} {
		s := open(t, o)
		require.NoError(t, s.Put(t.Context(), sessionID, pyvalue.Str("v")), o.Table)
		_, err := s.Get(t.Context(), sessionID)
		require.NoError(t, err, o.Table)
		require.NoError(t, s.Delete(t.Context(), sessionID))
	}
}
