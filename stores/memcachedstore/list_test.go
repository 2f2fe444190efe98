package memcachedstore

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// listed returns the sizes of what List yields, by id, and its error.
func listed(t testing.TB, s *Store) (sizes map[string]int64, err error) {
	t.Helper()
	sizes = map[string]int64{}
	for info, e := range s.List(t.Context(), "") {
		if e != nil {
			require.NoError(t, err, "one error at most")
			require.NotContains(t, e.Error(), testID)
			err = e
			continue
		}
		require.NotContains(t, sizes, info.ID, "listed twice")
		sizes[info.ID] = info.Size
		require.Empty(t, info.Cursor)
	}
	return sizes, err
}

// TestListsSessionsOnly: not what else is in memcached, and each where it belongs.
func TestListsSessionsOnly(t *testing.T) {
	all := threeServers(t)
	s := open(t, Options{Servers: started(all...), IDs: anyID(t)})
	for _, id := range []string{testID, "a b", strings.Repeat("l", 242), strings.Repeat("l", 243)} {
		require.NoError(t, s.Put(t.Context(), id, counter(1)))
	}
	require.NoError(t, s.Update(t.Context(), id(1), increment))
	require.NoError(t, s.Update(t.Context(), id(1), func(pyvalue.Value) (pyvalue.Value, error) { return nil, stores.ErrRemove }))
	for _, key := range []string{"x_cache", "session", "a/b_session", "a%b_session", "_session", "x\xff_session"} {
		put(t, s, &memcache.Item{Key: key, Value: []byte("x")})
	}
	for _, server := range all { // of which two are copies that nobody finds
		require.NoError(t, memcache.New(server.Addr()).Set(&memcache.Item{Key: testID + "_session", Value: []byte("x")}))
	}
	sizes, err := listed(t, s)
	require.NoError(t, err)
	require.Len(t, sizes, 3)
	for _, id := range []string{testID, "a b", strings.Repeat("l", 242)} {
		require.Positive(t, sizes[id])
	}

	all[0].Stop()
	_, err = listed(t, s)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.ErrorContains(t, err, all[0].Addr())
}

// TestListWhileWorking: whoever works on what is listed is not in the way of the list.
func TestListWhileWorking(t *testing.T) {
	s := open(t, Options{Servers: started(servers.Memcached(t))})
	var records []stores.Record
	for n := range 20_000 {
		records = append(records, stores.Record{ID: id(n), Value: counter(1)})
	}
	for _, err := range s.Insert(t.Context(), records) {
		require.NoError(t, err)
	}
	seen := 0
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		seen++
		require.NoError(t, s.Update(t.Context(), info.ID, func(old pyvalue.Value) (pyvalue.Value, error) {
			require.NotNil(t, old)
			return nil, stores.ErrRemove
		}))
	}
	require.Equal(t, len(records), seen)
	sizes, err := listed(t, s)
	require.NoError(t, err)
	require.Empty(t, sizes)
}

// TestListByClasses is how a memcached before 1.6.7 lists.
func TestListByClasses(t *testing.T) {
	server := servers.Memcached(t)
	s := open(t, Options{Servers: started(server)})
	require.NoError(t, s.Put(t.Context(), testID, counter(1)))
	var got []string
	require.NoError(t, s.dumpOnce(t.Context(), s.selector.servers[0], "all", func(info stores.Info) bool {
		got = append(got, info.ID)
		return true
	}))
	require.Equal(t, []string{testID}, got)
	err := s.dumpOnce(t.Context(), s.selector.servers[0], "nonsense", nil)
	require.ErrorIs(t, err, errNonsense)
}

func TestListRefused(t *testing.T) {
	server := servers.Memcached(t, "-o", "no_lru_crawler")
	_, err := listed(t, open(t, Options{Servers: started(server)}))
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.ErrorIs(t, err, errNoDump)
}

// The dialogues of servers that are older, or busy with somebody else's list.
func TestListDialogues(t *testing.T) {
	dump := "key=" + testID + "_session exp=-1 la=1795342764 cas=1 fetch=no cls=1 size=75\nEND\r\n"
	for name, c := range map[string]struct {
		answers []string // the last one again and again
		err     error    // nil: the session is listed
	}{
		"by hash":            {[]string{dump}, nil},
		"no hash":            {[]string{"BADCLASS invalid class id\r\n", dump}, nil},
		"busy":               {[]string{"BUSY currently processing crawler request\r\n", "BUSY\r\n", dump}, nil},
		"no hash, then busy": {[]string{"BADCLASS invalid class id\r\n", "BUSY\r\n", dump}, nil},
		"too old":            {[]string{"ERROR\r\n"}, errNoDump},
		"cut off":            {[]string{strings.TrimSuffix(dump, "END\r\n") + "key=", ""}, errNonsense},
		"not a key":          {[]string{"key=%zz exp=-1\n"}, errNonsense},
		"not a list":         {[]string{"VALUE\r\n"}, errNonsense},
		"an endless line":    {[]string{strings.Repeat("x", 10_000)}, errNonsense},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			addr, _ := pretender(t, func(string) string { return c.answers[min(int(n.Add(1)), len(c.answers))-1] })
			s := open(t, Options{Servers: []string{addr}, Timeout: time.Second})
			sizes, err := listed(t, s)
			if c.err == nil {
				require.NoError(t, err)
				require.Equal(t, map[string]int64{testID: 75}, sizes)
				return
			}
			require.ErrorIs(t, err, stores.ErrUnavailable)
			if name != "cut off" { // where the connection stands: no answer in time
				require.ErrorIs(t, err, c.err)
			}
		})
	}
}

// TestListWaits: for the end of somebody else's list, but no longer than its context.
func TestListWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	addr, _ := pretender(t, func(string) string {
		if asked++; asked == 3 {
			cancel()
		}
		return "BUSY\r\n"
	})
	for _, err := range open(t, Options{Servers: []string{addr}}).List(ctx, "") {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Equal(t, 3, asked)
}
