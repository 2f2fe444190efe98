package memcachedstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// operations are everything that can be done to a record; reads and writes.
func operations(s *Store) (reads, writes map[string]func(context.Context) error) {
	reads = map[string]func(context.Context) error{
		"get":  func(ctx context.Context) error { _, err := s.Get(ctx, testID); return err },
		"ping": s.Ping,
		"list": func(ctx context.Context) (err error) {
			for _, err = range s.List(ctx, "") {
			}
			return err
		},
	}
	writes = map[string]func(context.Context) error{
		"put":    func(ctx context.Context) error { return s.Put(ctx, testID, counter(1)) },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, testID) },
		"insert": func(ctx context.Context) error {
			return s.Insert(ctx, []stores.Record{{ID: testID, Value: counter(1)}})[0]
		},
	}
	return reads, writes
}

// requireNoMoreGoroutines waits for goroutines to end.
func requireNoMoreGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), before)
		}
	}
}

// requireDown: the store is unavailable, and says nothing of the session.
func requireDown(t *testing.T, err error, name string) {
	t.Helper()
	require.ErrorIs(t, err, stores.ErrUnavailable, name)
	require.NotErrorIs(t, err, stores.ErrNotExist, name)
	require.NotErrorIs(t, err, context.DeadlineExceeded, name)
	require.NotContains(t, err.Error(), testID)
}

func TestRefusedAndBack(t *testing.T) {
	for _, client := range []Client{PythonMemcached, Pylibmc} {
		server := servers.Memcached(t)
		before := runtime.NumGoroutine()
		server.Stop()
		var c clock
		s := open(t, Options{Servers: started(server), Client: client, Now: c.now})
		reads, writes := operations(s)
		for _, ops := range []map[string]func(context.Context) error{reads, writes} {
			for name, op := range ops {
				for range 2 { // the second time the store knows it already
					err := op(t.Context())
					requireDown(t, err, name)
					require.NotErrorIs(t, err, stores.ErrUncertain, name)
				}
			}
		}
		requireDown(t, s.Update(t.Context(), testID, increment), "update")
		server.Start(t)
		c.ahead.Add(int64(restAfterFailure))
		require.NoError(t, s.Update(t.Context(), testID, increment))
		require.NoError(t, s.Ping(t.Context()))
		requireNoMoreGoroutines(t, before)
	}
}

// TestRestartedServer: connections that were idle are found to be closed before
// something is written to them.
func TestRestartedServer(t *testing.T) {
	server := servers.Memcached(t)
	s := open(t, Options{Servers: started(server)})
	for range 5 {
		require.NoError(t, s.Put(t.Context(), testID, counter(1)))
		server.Kill()
		server.Start(t)
		require.NoError(t, s.Update(t.Context(), testID, increment))
		v, err := s.Get(t.Context(), testID)
		require.NoError(t, err)
		require.EqualValues(t, 1, count(v), "memcached has lost the first one")
	}
}

// hung is a server that has the record of testID and is paused.
func hung(t *testing.T, o Options) (*servers.Server, *Store) {
	t.Helper()
	server := servers.Memcached(t)
	o.Servers = started(server)
	s := open(t, o)
	require.NoError(t, s.Put(t.Context(), testID, counter(1)))
	require.NoError(t, server.Pause())
	for alive := true; alive; { // it is not paused at once
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		alive = s.Ping(ctx) == nil
		cancel()
	}
	return server, s
}

func TestHungServer(t *testing.T) {
	var c clock
	server, s := hung(t, Options{Timeout: 50 * time.Millisecond, Now: c.now})
	reads, writes := operations(s)
	for name, op := range reads {
		c.pass()
		err := op(t.Context())
		requireDown(t, err, name)
		require.ErrorIs(t, err, stores.ErrTimeout, name)
		require.NotErrorIs(t, err, stores.ErrUncertain, name)
	}
	for name, op := range writes {
		c.pass()
		err := op(t.Context())
		requireDown(t, err, name)
		require.ErrorIs(t, err, stores.ErrTimeout, name)
		require.ErrorIs(t, err, stores.ErrUncertain, name)
		requireDown(t, op(t.Context()), name) // at once: it is left alone now
	}
	require.NoError(t, server.Resume())
	c.pass()
	require.NoError(t, s.Put(t.Context(), testID, counter(5)))
}

// TestContextEnds: the caller's context ends a request that waits, at once, and what
// it leaves does not disturb the next.
func TestContextEnds(t *testing.T) {
	server, s := hung(t, Options{Timeout: time.Hour})
	before := runtime.NumGoroutine()
	reads, writes := operations(s)
	for name, op := range reads {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := op(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.NotErrorIs(t, err, stores.ErrUnavailable, name)
	}
	for name, op := range writes {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- op(ctx) }()
		cancel()
		err := <-done
		require.ErrorIs(t, err, context.Canceled, name)
		require.NotErrorIs(t, err, stores.ErrUnavailable, name)
	}
	require.NoError(t, server.Resume())
	require.NoError(t, s.Put(t.Context(), testID, counter(5)))
	requireNoMoreGoroutines(t, before)
}

// TestServerDiesUnderLoad kills one of three servers and starts it again while
// goroutines work. The sessions of the others have every increment that was reported
// done; nobody ever sees something torn; and in the end all works.
func TestServerDiesUnderLoad(t *testing.T) {
	all := threeServers(t)
	before := runtime.NumGoroutine()
	var c clock
	s := open(t, Options{Servers: started(all...), Now: c.now})
	const workers, ids = 6, 30
	var done, unsure [ids]atomic.Int64
	var stop atomic.Bool
	steps := make(chan struct{})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := w; !stop.Load(); n++ {
				k := n % ids
				switch err := s.Update(context.Background(), id(k), increment); {
				case err == nil:
					done[k].Add(1)
				case errors.Is(err, stores.ErrUncertain):
					unsure[k].Add(1)
				default:
					assert.ErrorIs(t, err, stores.ErrUnavailable)
				}
				v, err := s.Get(context.Background(), id(k))
				if err == nil {
					assert.Positive(t, count(v))
				} else if !errors.Is(err, stores.ErrNotExist) {
					assert.ErrorIs(t, err, stores.ErrUnavailable)
				}
				steps <- struct{}{}
			}
		})
	}
	pass := func(n int) {
		for range n {
			<-steps
		}
	}
	homes := map[int]string{}
	for k := range ids {
		homes[k] = picked(t, s.selector, beakerfmt.MemcachedKey(id(k), 3))
	}
	pass(500)
	all[1].Kill()
	pass(500)
	all[1].Start(t)
	c.pass()
	pass(500)
	stop.Store(true)
	go func() { wg.Wait(); close(steps) }()
	for range steps {
	}
	for k := range ids {
		v, err := s.Get(t.Context(), id(k))
		require.NoError(t, err)
		if homes[k] == all[1].Addr() {
			require.Positive(t, count(v))
			continue
		}
		require.GreaterOrEqual(t, count(v), done[k].Load())
		require.LessOrEqual(t, count(v), done[k].Load()+unsure[k].Load())
	}
	require.NoError(t, s.Close())
	requireNoMoreGoroutines(t, before)
}

func TestAccess(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	require.NoError(t, os.WriteFile(users, []byte("beaker:secret\n"), 0o600))
	server := servers.Memcached(t, "-Y", users)
	reads, writes := operations(open(t, Options{Servers: started(server)}))
	for _, ops := range []map[string]func(context.Context) error{reads, writes} {
		for name, op := range ops {
			err := op(t.Context())
			requireDown(t, err, name)
			require.ErrorIs(t, err, stores.ErrAccess, name)
			require.NotErrorIs(t, err, stores.ErrUncertain, name)
		}
	}
}

// TestFull: with -M memcached refuses what it has no room for. The old record stays.
func TestFull(t *testing.T) {
	server := servers.Memcached(t, "-M", "-m", "2")
	s := open(t, Options{Servers: started(server)})
	require.NoError(t, s.Put(t.Context(), testID, counter(1)))
	large := pyvalue.Str(strings.Repeat("x", 100_000))
	full := func() error {
		for n := range 1000 {
			if err := s.Put(t.Context(), id(n), large); err != nil {
				return err
			}
		}
		return nil
	}()
	require.ErrorIs(t, full, stores.ErrFull)
	requireDown(t, full, "put")
	require.NotErrorIs(t, full, stores.ErrUncertain)
	require.ErrorIs(t, s.Put(t.Context(), testID, large), stores.ErrFull)
	require.ErrorIs(t, s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { return large, nil }), stores.ErrFull)
	require.ErrorIs(t, s.Insert(t.Context(), []stores.Record{{ID: id(2000), Value: large}})[0], stores.ErrFull)
	requireCount(t, s, 1)
}

func requireCount(t *testing.T, s *Store, want int64) {
	t.Helper()
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, want, count(v))
}

// TestTooLarge: what memcached would not take is not sent. If its limit is less than
// what was configured, it refuses, and the old record stays as well.
func TestTooLarge(t *testing.T) {
	server := servers.Memcached(t)
	for name, o := range map[string]Options{
		"the default": {}, "more than the server has": {MaxItem: 8 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			o.Servers = started(server)
			s := open(t, o)
			require.NoError(t, s.Delete(t.Context(), testID))
			fits := pyvalue.Str(strings.Repeat("x", DefaultMaxItem-itemOverhead-len(testID+"_session")-10))
			require.NoError(t, s.Put(t.Context(), testID, fits))
			require.NoError(t, s.Put(t.Context(), testID, counter(1)))
			large := fits + "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
			for what, err := range map[string]error{
				"put":    s.Put(t.Context(), testID, large),
				"update": s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { return large, nil }),
				"insert": s.Insert(t.Context(), []stores.Record{{ID: id(1), Value: large}})[0],
			} {
				require.ErrorIs(t, err, stores.ErrTooLarge, what)
				require.ErrorContains(t, err, "item limit (-I)", what)
				require.NotErrorIs(t, err, stores.ErrUnavailable, what)
				require.NotErrorIs(t, err, stores.ErrCorrupt, what)
			}
			requireCount(t, s, 1)
		})
	}
}

func TestTooLargeToRead(t *testing.T) {
	server := servers.Memcached(t)
	s := open(t, Options{Servers: started(server), MaxBytes: 1000})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("x", 2000))))
	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrTooLarge)
	require.ErrorIs(t, err, stores.ErrCorrupt)
	require.NotErrorIs(t, err, stores.ErrUnavailable)
	require.NoError(t, s.Put(t.Context(), testID, counter(1)))
	requireCount(t, s, 1)
}

// pretender answers each line that begins a request by a function; "" closes the
// connection. It counts the connections.
func pretender(t *testing.T, answer func(line string) string) (addr string, connections *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	connections = new(atomic.Int64)
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			wg.Go(func() { pretend(conn, answer) })
		}
	})
	return l.Addr().String(), connections
}

func pretend(conn net.Conn, answer func(line string) string) {
	defer func() { _ = conn.Close() }()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		reply := answer(lines.Text())
		if reply == "" {
			return
		}
		fmt.Fprint(conn, reply)
	}
}

// TestLostConnections: a read is made again, a few times; a write that was sent is not.
func TestLostConnections(t *testing.T) {
	addr, connections := pretender(t, func(string) string { return "" })
	s := open(t, Options{Servers: []string{addr}})
	_, err := s.Get(t.Context(), testID)
	requireDown(t, err, "get")
	require.NotErrorIs(t, err, stores.ErrUncertain)
	require.EqualValues(t, 1+maxBroken, connections.Load())
	_, writes := operations(s)
	for name, op := range writes {
		connections.Store(0)
		err := op(t.Context())
		requireDown(t, err, name)
		require.ErrorIs(t, err, stores.ErrUncertain, name)
		require.EqualValues(t, 1, connections.Load(), name)
	}
}

// TestNonsense: what answers otherwise than memcached is unavailable, and what it says
// is not repeated.
func TestNonsense(t *testing.T) {
	for name, reply := range map[string]string{
		"http": "HTTP/1.1 400 Bad Request\r\n\r\n", "the key": "VALUE " + testID + "_session x y\r\n",
		"an error": "SERVER_ERROR " + testID + "\r\n", "a length that is none": "VALUE k 1 99999999999999\r\n",
		"an end": "END\r\n", "an endless line": strings.Repeat(testID, 200) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := pretender(t, func(string) string { return reply })
			s := open(t, Options{Servers: []string{addr}, Timeout: 100 * time.Millisecond})
			reads, writes := operations(s)
			for _, ops := range []map[string]func(context.Context) error{reads, writes} {
				for name, op := range ops {
					if err := op(t.Context()); err != nil {
						require.NotContains(t, err.Error(), testID, name)
					}
				}
			}
			require.Error(t, s.Put(t.Context(), testID, counter(1)))
		})
	}
}

// TestInsertGoesOn: an Insert uses the server that stands in for one that is down.
func TestInsertGoesOn(t *testing.T) {
	all := threeServers(t)
	s := open(t, Options{Servers: started(all...)})
	all[2].Stop()
	var records []stores.Record
	for n := range 1200 {
		records = append(records, stores.Record{ID: id(n), Value: counter(int64(n + 1))})
	}
	for n, err := range s.Insert(t.Context(), records) {
		require.NoError(t, err, n)
	}
	for n := range records {
		v, err := s.Get(t.Context(), id(n))
		require.NoError(t, err)
		require.EqualValues(t, n+1, count(v))
	}
	for _, err := range s.Insert(t.Context(), records) {
		require.ErrorIs(t, err, stores.ErrExist)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, Options{Servers: started(servers.Memcached(t))})
	require.NoError(t, s.Put(t.Context(), testID, counter(1)))
	require.NoError(t, s.Close())
	reads, writes := operations(s)
	for _, ops := range []map[string]func(context.Context) error{reads, writes} {
		for name, op := range ops {
			requireDown(t, op(t.Context()), name)
		}
	}
}
