package memcachedstore

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

const testID = "1e4c684fb206494191440c2cc28cbc22"

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// started is the addresses of servers.
func started(all ...*servers.Server) (addrs []string) {
	for _, s := range all {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// threeServers starts three.
func threeServers(t testing.TB) []*servers.Server {
	t.Helper()
	return []*servers.Server{servers.Memcached(t), servers.Memcached(t), servers.Memcached(t)}
}

func id(n int) string { return fmt.Sprintf("%032x", n) }

func counter(n int64) *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("n", pyvalue.NewInt(n))
	return d
}

func increment(old pyvalue.Value) (pyvalue.Value, error) { return counter(count(old) + 1), nil }

// count is what counter or increment wrote; -1 if it is something else.
func count(v pyvalue.Value) int64 {
	if v == nil {
		return 0
	}
	d, ok := v.(*pyvalue.Dict)
	if !ok {
		return -1
	}
	n, _ := d.GetStr("n")
	i, ok := n.(*pyvalue.Int)
	if !ok {
		return -1
	}
	out, _ := i.Int64()
	return out
}

// Each call has servers of its own: a key prefix would not be Beaker's.
func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		servers int
		options Options
	}{
		"one server":                {1, Options{}},
		"three, python-memcached":   {3, Options{}},
		"three, pylibmc and ketama": {3, Options{Client: Pylibmc, Behaviors: map[string]string{"ketama": "True"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) stores.Store {
					o := c.options
					o.MaxItem = 8 << 20
					for range c.servers {
						o.Servers = append(o.Servers, servers.Memcached(t, "-I", "8m").Addr())
					}
					return open(t, o)
				},
				Corrupt: corrupt,
			})
		})
	}
}

func corrupt(t *testing.T, s stores.Store, id string) {
	t.Helper()
	put(t, s.(*Store), &memcache.Item{Key: beakerfmt.MemcachedKey(id, 3), Value: []byte("\x80\x02}q\x00X\x07\x00\x00\x00ses"), Flags: 1})
}

// put writes an item as some other client does.
func put(t testing.TB, s *Store, item *memcache.Item) {
	t.Helper()
	require.NoError(t, memcache.NewFromSelector(s.selector).Set(item))
}

// TestReadsEveryForm reads what the client libraries write, from the real server.
func TestReadsEveryForm(t *testing.T) {
	s := open(t, Options{Servers: started(servers.Memcached(t))})
	dict := "(dp0\nVn\np1\nI7\ns."
	for name, c := range map[string]struct {
		flags uint32
		value string
		want  pyvalue.Value // nil: corrupt
	}{
		"a dict, as every python-memcached": {1, dict, counter(7)},
		"a packed dict":                     {9, packed(t, dict), counter(7)},
		"text of Python 2":                  {0, "gAJ9", pyvalue.Py2Str("gAJ9")},
		"packed text of Python 2":           {8, packed(t, "gAJ9"), pyvalue.Py2Str("gAJ9")},
		"text of Python 3":                  {16, "gAJ9", pyvalue.Str("gAJ9")},
		"packed text of Python 3":           {24, packed(t, "gAJ9"), pyvalue.Str("gAJ9")},
		"flags of somebody else":            {64, "gAJ9", nil},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, s, &memcache.Item{Key: testID + "_session", Value: []byte(c.value), Flags: c.flags})
			v, err := s.Get(t.Context(), testID)
			if c.want == nil {
				require.ErrorIs(t, err, stores.ErrCorrupt)
				return
			}
			require.NoError(t, err)
			require.True(t, pyvalue.Same(c.want, v), "%v", v)
			require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) { return old, nil }))
			item, err := memcache.NewFromSelector(s.selector).Get(testID + "_session")
			require.NoError(t, err)
			require.Equal(t, beakerfmt.MemcachedPickle, item.Flags)
			require.Equal(t, "\x80\x02", string(item.Value[:2]))
			require.NotContains(t, string(item.Value), "U\x04gAJ9", "session text is unicode")
		})
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

// TestOthersAreFaster: what another client writes between reading and writing is not
// lost, whether the record is to be made, changed or removed.
func TestOthersAreFaster(t *testing.T) {
	s := open(t, Options{Servers: started(servers.Memcached(t))})
	for name, c := range map[string]struct {
		before bool // there is a record
		then   func(t *testing.T)
		f      func(old pyvalue.Value) (pyvalue.Value, error)
		want   int64 // 0: none
	}{
		"made twice":            {false, func(t *testing.T) { require.NoError(t, s.Put(t.Context(), testID, counter(10))) }, increment, 11},
		"changed twice":         {true, func(t *testing.T) { require.NoError(t, s.Put(t.Context(), testID, counter(10))) }, increment, 11},
		"removed, then changed": {true, func(t *testing.T) { require.NoError(t, s.Delete(t.Context(), testID)) }, increment, 1},
		"changed, then removed": {true, func(t *testing.T) { require.NoError(t, s.Put(t.Context(), testID, counter(10))) },
			func(pyvalue.Value) (pyvalue.Value, error) { return nil, stores.ErrRemove }, 0},
		"changed, then kept": {true, func(t *testing.T) { require.NoError(t, s.Put(t.Context(), testID, counter(10))) },
			func(old pyvalue.Value) (pyvalue.Value, error) {
				if count(old) == 10 {
					return nil, nil
				}
				return nil, stores.ErrRemove
			}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, s.Delete(t.Context(), testID))
			if c.before {
				require.NoError(t, s.Put(t.Context(), testID, counter(1)))
			}
			calls := 0
			require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) {
				if calls++; calls == 1 {
					c.then(t)
				}
				return c.f(old)
			}))
			require.Equal(t, 2, calls)
			v, err := s.Get(t.Context(), testID)
			if c.want == 0 {
				require.ErrorIs(t, err, stores.ErrNotExist)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, count(v))
		})
	}
}

// TestAlwaysConflict: an Update that never has its turn ends with its context.
func TestAlwaysConflict(t *testing.T) {
	s := open(t, Options{Servers: started(servers.Memcached(t))})
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := s.Update(ctx, testID, func(pyvalue.Value) (pyvalue.Value, error) {
		if calls++; calls == 5 {
			cancel()
		}
		return counter(1), s.Put(t.Context(), testID, counter(2))
	})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, stores.ErrUnavailable)
}

// TestOwnErrors: an error of the caller's function is returned as it is, whatever it
// wraps.
func TestOwnErrors(t *testing.T) {
	s := open(t, Options{Servers: started(servers.Memcached(t))})
	for _, mine := range []error{memcache.ErrNotStored, stores.ErrNotExist, errConflict} {
		calls := 0
		err := s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { calls++; return nil, mine })
		require.Equal(t, mine, err)
		require.Equal(t, 1, calls)
	}
}

// TestUnixSocket is where many installations have their memcached.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	relay(t, path, servers.Memcached(t).Addr())
	for spec, client := range map[string]Client{"unix:" + path: PythonMemcached, path: Pylibmc} {
		s := open(t, Options{Servers: []string{spec}, Client: client})
		require.NoError(t, s.Put(t.Context(), testID, counter(3)))
		requireCount(t, s, 3)
	}
}

// relay makes a socket through which a server is reached.
func relay(t *testing.T, path, addr string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", addr)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
	}()
}

func TestKeyTooLong(t *testing.T) {
	s := open(t, Options{Servers: []string{"127.0.0.1"}, IDs: anyID(t)})
	_, err := s.Get(t.Context(), strings.Repeat("l ", 75))
	require.ErrorIs(t, err, stores.ErrInvalidID)
}
