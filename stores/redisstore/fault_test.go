package redisstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// operations are all that can be done to a record, and to the store.
func operations(s *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, testID); return err },
		"put":    func(ctx context.Context) error { return s.Put(ctx, testID, pyvalue.Str("x")) },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, testID) },
		"update": func(ctx context.Context) error { return s.Update(ctx, testID, increment("n")) },
		"insert": func(ctx context.Context) error {
			return s.Insert(ctx, []stores.Record{{ID: testID, Value: pyvalue.Str("x")}})[0]
		},
		"ping": s.Ping,
		"list": func(ctx context.Context) error {
			for _, err := range s.List(ctx, "") {
				return err
			}
			return nil
		},
	}
}

func isWrite(op string) bool { return op == "put" || op == "delete" || op == "insert" }

// requireDiscreet: an error holds nothing that is secret.
func requireDiscreet(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{testID, "beaker_cache", "sekrit", "pass word", "pass%20word"} {
		require.NotContains(t, err.Error(), secret)
	}
}

// leaked fails the test if there are more goroutines at its end than there are now.
func leaked(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("goroutines are left behind: %s", stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

func TestRefusedConnection(t *testing.T) {
	leaked(t)
	url := fmt.Sprintf("redis://u:sekrit@127.0.0.1:%d/0", servers.FreePort(t))
	s := open(t, Options{URL: url})
	for name, op := range operations(s) {
		err := op(t.Context())
		require.ErrorIs(t, err, stores.ErrUnavailable, name)
		require.NotErrorIs(t, err, stores.ErrUncertain, "%s: nothing was sent", name)
		require.NotErrorIs(t, err, stores.ErrTimeout, name)
		requireDiscreet(t, err)
	}
	require.NoError(t, s.Close())
	for name, op := range operations(s) {
		require.ErrorIs(t, op(t.Context()), stores.ErrUnavailable, name)
	}
}

func TestPausedServer(t *testing.T) {
	server := servers.Redis(t)
	leaked(t)
	s := open(t, Options{URL: urlOf(server, 0) + "?socket_timeout=0.3"})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
	require.NoError(t, server.Pause())
	for name, op := range operations(s) {
		err := op(t.Context())
		require.ErrorIs(t, err, stores.ErrUnavailable, name)
		require.ErrorIs(t, err, stores.ErrTimeout, name)
		require.Equal(t, isWrite(name), errors.Is(err, stores.ErrUncertain), name)
		requireDiscreet(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err = op(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.NotErrorIs(t, err, stores.ErrUnavailable, name)
	}
	require.NoError(t, server.Resume())
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("new"), v)
}

// TestAccess: who is not let in, or not everywhere.
func TestAccess(t *testing.T) {
	server := servers.Redis(t, "--requirepass", servers.Password)
	admin := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: servers.Password})
	t.Cleanup(func() { _ = admin.Close() })
	ctx := t.Context()
	for _, rule := range [][]any{
		{"reader", "on", ">sekrit", "~beaker_cache:*", "+get", "+exists", "+scan", "+strlen", "+watch", "+multi", "+exec", "+unwatch"},
		{"elsewhere", "on", ">sekrit", "~other:*", "+@all"},
		{"beaker", "on", ">sekrit", "~beaker_cache:*", "+get", "+set", "+setex", "+exists", "+del", "+watch", "+multi", "+exec", "+unwatch"},
		{"nobody", "on", "nopass", "~*", "+@all"},
		{"gone", "off", ">sekrit", "~*", "+@all"},
	} {
		require.NoError(t, admin.Do(ctx, append([]any{"acl", "setuser"}, rule...)...).Err())
	}
	at := func(who string) string { return fmt.Sprintf("redis://%s@%s", who, server.Addr()) }

	for name, who := range map[string]string{
		"none": "", "wrong": ":sekrit", "unknown": "nosuch:sekrit", "off": "gone:sekrit", "in the query": "?",
	} {
		url := at(who)
		if who == "?" {
			url = fmt.Sprintf("redis://%s?username=beaker&password=sekrit2", server.Addr())
		}
		s := open(t, Options{URL: url})
		for op, do := range operations(s) {
			err := do(ctx)
			require.ErrorIs(t, err, stores.ErrAccess, "%s: %s", name, op)
			require.ErrorIs(t, err, stores.ErrUnavailable, op)
			require.NotErrorIs(t, err, stores.ErrUncertain, op)
			requireDiscreet(t, err)
		}
	}
	for name, who := range map[string]string{"default": ":" + servers.QuotedPassword, "user": "beaker:sekrit", "no password": "nobody"} {
		s := open(t, Options{URL: at(who), TTL: time.Minute})
		for op, do := range operations(s) {
			if op != "list" || name != "user" {
				require.NotErrorIs(t, do(ctx), stores.ErrUnavailable, "%s: %s", name, op)
			}
		}
	}
	require.NoError(t, admin.Set(ctx, beakerfmt.RedisKey(testID), "N.", 0).Err())
	for op, do := range operations(open(t, Options{URL: at("reader:sekrit")})) {
		if err := do(ctx); isWrite(op) || op == "update" {
			require.ErrorIs(t, err, stores.ErrAccess, op)
			requireDiscreet(t, err)
		} else {
			require.NoError(t, err, op)
		}
	}
	for op, do := range operations(open(t, Options{URL: at("elsewhere:sekrit")})) {
		if op != "list" {
			require.ErrorIs(t, do(ctx), stores.ErrAccess, op)
		}
	}
	require.ErrorIs(t, open(t, Options{URL: at(":"+servers.QuotedPassword) + "/99"}).Ping(ctx), stores.ErrMissing)
}

// TestFull: maxmemory without eviction. What is there stays, and can be removed.
func TestFull(t *testing.T) {
	server := servers.Redis(t, "--maxmemory-policy", "noeviction")
	s, raw, ctx := open(t, Options{URL: urlOf(server, 0)}), bare(t, server), t.Context()
	filler := pyvalue.Str(strings.Repeat("x", 100_000))
	for n := range 20 {
		require.NoError(t, s.Put(ctx, fmt.Sprint(n), filler))
	}
	require.NoError(t, raw.ConfigSet(ctx, "maxmemory", "1mb").Err())
	for _, name := range []string{"put", "insert"} {
		err := operations(s)[name](ctx)
		require.ErrorIs(t, err, stores.ErrFull, name)
		require.ErrorIs(t, err, stores.ErrUnavailable, name)
		require.NotErrorIs(t, err, stores.ErrUncertain, name)
		requireDiscreet(t, err)
	}
	require.ErrorIs(t, s.Update(ctx, "0", func(pyvalue.Value) (pyvalue.Value, error) { return pyvalue.Str("new"), nil }), stores.ErrFull)
	v, err := s.Get(ctx, "0")
	require.NoError(t, err)
	require.Equal(t, filler, v)
	require.NoError(t, s.Update(ctx, "0", func(pyvalue.Value) (pyvalue.Value, error) { return nil, stores.ErrRemove }))
	require.NoError(t, s.Delete(ctx, "1"))
	for n := range 2 {
		_, err = s.Get(ctx, fmt.Sprint(n))
		require.ErrorIs(t, err, stores.ErrNotExist)
	}
	calls := 0
	require.NoError(t, s.Update(ctx, "2", func(pyvalue.Value) (pyvalue.Value, error) {
		if calls++; calls == 1 { // somebody makes room, writes, and takes the room again
			require.NoError(t, raw.ConfigSet(ctx, "maxmemory", "0").Err())
			require.NoError(t, raw.Set(ctx, beakerfmt.RedisKey("2"), "N.", 0).Err())
			require.NoError(t, raw.ConfigSet(ctx, "maxmemory", "1mb").Err())
		}
		return nil, stores.ErrRemove
	}))
	require.Equal(t, 2, calls)
	require.NoError(t, raw.ConfigSet(ctx, "maxmemory", "0").Err())
	require.NoError(t, s.Put(ctx, testID, pyvalue.Str("new")))
}

// TestReplica: a replica can be read, and says why it cannot be written.
func TestReplica(t *testing.T) {
	master := servers.Redis(t)
	require.NoError(t, open(t, Options{URL: urlOf(master, 0)}).Put(t.Context(), testID, pyvalue.NewDict()))
	s := open(t, Options{URL: urlOf(servers.RedisReplica(t, master), 0)})
	for name, op := range operations(s) {
		if err := op(t.Context()); isWrite(name) || name == "update" {
			require.ErrorIs(t, err, stores.ErrAccess, name)
			require.NotErrorIs(t, err, stores.ErrUncertain, name)
		} else {
			require.NoError(t, err, name)
		}
	}
}

// TestCrashUnderLoad kills a server and starts it again, while many use it. With its
// file it loses nothing that it acknowledged.
func TestCrashUnderLoad(t *testing.T) {
	server := servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	leaked(t)
	s := open(t, Options{URL: urlOf(server, 0)})
	load := startLoad(t, s)
	for range 3 {
		load.more(t, 200)
		server.Kill()
		load.failures(t, 20)
		server.Start(t)
		load.more(t, 200)
	}
	load.stop(t, s)
}

// load is a few goroutines that change and read records of their own, each all the
// time.
type load struct {
	done, failed atomic.Int64
	end          atomic.Bool
	wg           sync.WaitGroup
	counts       [8]counts
}

// counts are what one goroutine knows of its record.
type counts struct{ acknowledged, uncertain int64 }

func loadID(n int) string { return fmt.Sprintf("load-%d", n) }

func startLoad(t *testing.T, s *Store) *load {
	l := &load{}
	for n := range l.counts {
		l.wg.Go(func() {
			c := &l.counts[n]
			for !l.end.Load() {
				if !l.step(t, s, n, c) {
					return
				}
			}
		})
	}
	return l
}

// step is one update and one look at what is there.
func (l *load) step(t *testing.T, s *Store, n int, c *counts) bool {
	ctx, id := context.Background(), loadID(n)
	switch err := s.Update(ctx, id, increment("n")); {
	case err == nil:
		c.acknowledged++
		l.done.Add(1)
	case errors.Is(err, stores.ErrUncertain):
		c.uncertain++
		l.failed.Add(1)
	default:
		l.failed.Add(1)
		if !assert.ErrorIs(t, err, stores.ErrUnavailable) {
			return false
		}
	}
	v, err := s.Get(ctx, id)
	if errors.Is(err, stores.ErrUnavailable) || errors.Is(err, stores.ErrNotExist) && c.acknowledged == 0 {
		return true
	}
	return assert.NoError(t, err) && c.holds(t, v)
}

// holds: what is there is what was acknowledged, and perhaps what may have been done.
func (c counts) holds(t *testing.T, v pyvalue.Value) bool {
	got := number(v, "n")
	return assert.GreaterOrEqual(t, got, c.acknowledged) && assert.LessOrEqual(t, got, c.acknowledged+c.uncertain)
}

func (l *load) more(t *testing.T, n int64) { l.wait(t, &l.done, n) }

func (l *load) failures(t *testing.T, n int64) { l.wait(t, &l.failed, n) }

func (l *load) wait(t *testing.T, counter *atomic.Int64, n int64) {
	t.Helper()
	until := counter.Load() + n
	require.Eventually(t, func() bool { return counter.Load() >= until || t.Failed() }, time.Minute, 5*time.Millisecond)
	require.False(t, t.Failed())
}

func (l *load) stop(t *testing.T, s *Store) {
	t.Helper()
	l.end.Store(true)
	l.wg.Wait()
	for n, c := range l.counts {
		var v pyvalue.Value
		require.Eventually(t, func() (ok bool) { // a cluster takes a while to agree that all is well
			var err error
			v, err = s.Get(t.Context(), loadID(n))
			return err == nil || !assert.ErrorIs(t, err, stores.ErrUnavailable)
		}, time.Minute, 5*time.Millisecond)
		c.holds(t, v)
	}
	t.Logf("%d updates, %d failed", l.done.Load(), l.failed.Load())
}

// TestSentinel: the master dies, a replica takes its place, nobody is told.
func TestSentinel(t *testing.T) {
	master := servers.Redis(t)
	replica := servers.RedisReplica(t, master)
	sentinel := servers.RedisSentinel(t, "themaster", master, 1)
	leaked(t)
	s := open(t, Options{URL: "redis://nowhere/0", MasterName: "themaster", Sentinels: []string{sentinel.Addr()}})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	require.NoError(t, s.Update(t.Context(), testID, increment("n")))
	raw := bare(t, replica)
	require.Eventually(t, func() bool { return raw.Exists(t.Context(), beakerfmt.RedisKey(testID)).Val() == 1 }, time.Minute, 5*time.Millisecond)
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.EqualValues(t, 1, number(v, "n"))

	master.Kill()
	require.Eventually(t, func() bool {
		err := s.Update(t.Context(), testID, increment("after"))
		if err != nil {
			assert.ErrorIs(t, err, stores.ErrUnavailable)
		}
		return err == nil
	}, time.Minute, 5*time.Millisecond)
	v, err = s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.EqualValues(t, 1, number(v, "after"))
	require.NoError(t, s.Ping(t.Context()))

	lost := open(t, Options{URL: "redis://nowhere", MasterName: "nosuch", Sentinels: []string{sentinel.Addr()}})
	for name, op := range operations(lost) {
		err := op(t.Context())
		require.ErrorIs(t, err, stores.ErrUnavailable, name)
		require.NotErrorIs(t, err, stores.ErrUncertain, name)
	}
}

// TestClusterNodeDies: one of three masters is gone; the other slots work on, and
// everything when it is back.
func TestClusterNodeDies(t *testing.T) {
	nodes := servers.RedisCluster(t, 3, "--appendonly", "yes", "--appendfsync", "always", "--cluster-require-full-coverage", "no")
	leaked(t)
	s := open(t, Options{URLs: []string{"redis://" + nodes[0].Addr(), "redis://" + nodes[1].Addr()}})
	load := startLoad(t, s)
	load.more(t, 200)
	nodes[1].Kill()
	load.failures(t, 5)
	nodes[1].Start(t)
	load.more(t, 200)
	load.stop(t, s)
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, time.Minute, 5*time.Millisecond)

	nodes[2].Kill()
	require.ErrorIs(t, s.Ping(t.Context()), stores.ErrUnavailable)
	for _, node := range nodes {
		node.Kill()
	}
	for name, op := range operations(s) {
		err := op(t.Context())
		require.ErrorIs(t, err, stores.ErrUnavailable, name)
		requireDiscreet(t, err)
	}
}

// faulty is a server that takes a command and then does something else than answer.
func faulty(t *testing.T, answer func(command string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn, answer)
		}
	}()
	return "redis://" + listener.Addr().String()
}

// serve reads commands, which are arrays of texts, and sends what answer returns. "" ends the connection.
func serve(conn net.Conn, answer func(command string) string) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		var n int
		if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
			return
		}
		words := make([]string, n)
		for i := range words {
			var size int
			if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
				return
			}
			word := make([]byte, size+2)
			if _, err := io.ReadFull(r, word); err != nil {
				return
			}
			words[i] = string(word[:size])
		}
		text := answer(strings.ToLower(words[0]))
		if text == "" {
			return
		}
		_, _ = io.WriteString(conn, text)
	}
}

// TestNeverTwice: a write that may have been done is not sent again, a read is.
func TestNeverTwice(t *testing.T) {
	for _, cluster := range []bool{false, true} {
		var mu sync.Mutex
		sent := map[string]int{}
		var addr string
		url := faulty(t, func(command string) string {
			mu.Lock()
			defer mu.Unlock()
			sent[command]++
			switch command {
			case "hello":
				return "-ERR unknown command 'HELLO'\r\n"
			case "watch", "unwatch":
				return "+OK\r\n"
			case "cluster":
				host, port, _ := net.SplitHostPort(addr)
				return fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%s\r\n", len(host), host, port)
			case "get":
				if sent["watch"] > 0 {
					return "$-1\r\n"
				}
			}
			return ""
		})
		addr = strings.TrimPrefix(url, "redis://")
		o := Options{URL: url}
		if cluster {
			o = Options{URLs: []string{url}}
		}
		s := open(t, o)
		for _, name := range []string{"get", "put", "delete", "insert", "update"} {
			err := operations(s)[name](t.Context())
			require.ErrorIs(t, err, stores.ErrUnavailable, name)
			require.Equal(t, name != "get", errors.Is(err, stores.ErrUncertain), "%s: %v", name, err)
			requireDiscreet(t, err)
		}
		mu.Lock()
		require.Equal(t, 2, sent["set"], "put and insert, once each: %v", sent)
		require.Equal(t, 1, sent["del"])
		require.Equal(t, 1, sent["multi"])
		require.Equal(t, maxTries+1, sent["get"], "as often as allowed, and once by the update")
		mu.Unlock()
	}
}

// TestBabble: whatever a server answers is an error, with nothing of the answer in
// it.
func TestBabble(t *testing.T) {
	for _, answer := range []string{
		"sekrit\r\n", "+sekrit\r\n", "*2\r\n+sekrit\r\n+b\r\n", "$5\r\nsek", "-ERR unknown command 'GET', with args beginning with: 'sekrit'\r\n",
		"-sekrit\r\n", "-MISCONF Errors writing to the AOF file: No space left on device\r\n", "-LOADING sekrit\r\n", "\r\n", "$99999999999999999999\r\n",
		"-ERR max number of clients reached\r\n", "-MOVED 1 sekrit:1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
	} {
		url := faulty(t, func(string) string { return answer })
		s := open(t, Options{URL: url, Timeout: 300 * time.Millisecond})
		for name, op := range operations(s) {
			err := op(t.Context())
			if !strings.HasPrefix(answer, "+") { // which may be a good answer
				require.Error(t, err, "%s: %q", name, answer)
			}
			if err != nil {
				requireDiscreet(t, err)
				require.Equal(t, strings.Contains(answer, "No space"), errors.Is(err, stores.ErrFull))
			}
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/a b.sock"
	if len(path) > 100 {
		path = os.TempDir() + fmt.Sprintf("/gobeaker %d.sock", os.Getpid())
	}
	servers.Redis(t, "--unixsocket", path, "--requirepass", "sekrit")
	s := open(t, Options{URL: "unix://:sekrit@" + strings.ReplaceAll(path, " ", "%20") + "?db=2"})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
	s = open(t, Options{URL: "unix://" + path + "?password=sekrit&db=2"})
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("x"), v)
	s = open(t, Options{URL: "unix:///nowhere.sock"})
	require.ErrorIs(t, s.Ping(t.Context()), stores.ErrUnavailable)
}
