package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// operations is everything that can be asked of a store.
func operations(s *Store) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, sessionID); return err },
		"put":    func(ctx context.Context) error { return s.Put(ctx, sessionID, pyvalue.Str("v")) },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, sessionID) },
		"update": func(ctx context.Context) error { return s.Update(ctx, sessionID, counting) },
		"insert": func(ctx context.Context) error {
			return s.Insert(ctx, []stores.Record{{ID: sessionID, Value: pyvalue.Str("v")}})[0]
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

// requireAll: every operation fails with these sentinels, and tells no secret.
func requireAll(t *testing.T, s *Store, want ...error) {
	t.Helper()
	for name, op := range operations(s) {
		err := op(t.Context())
		require.Error(t, err, name)
		for _, w := range want {
			require.ErrorIs(t, err, w, name)
		}
		requireDiscreet(t, err)
	}
}

func requireDiscreet(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{sessionID, servers.Password, servers.QuotedPassword, "sekrit"} {
		require.NotContains(t, err.Error(), secret)
	}
}

// noLeak fails the test if there are more goroutines at its end, when the stores are
// closed, than there are now.
func noLeak(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("goroutines are left behind: %s", stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

func TestRefused(t *testing.T) {
	for _, name := range []string{"postgresql", "mysql"} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			s := open(t, Options{URL: fmt.Sprintf("%s://u:sekrit@127.0.0.1:%d/d", name, servers.FreePort(t)), Create: true})
			requireAll(t, s, stores.ErrUnavailable)
			require.NotErrorIs(t, s.Put(t.Context(), sessionID, pyvalue.Str("v")), stores.ErrUncertain)
			require.NotErrorIs(t, s.Ping(t.Context()), stores.ErrTimeout)
		})
	}
}

// testNotLetIn: each way in which a server that answers refuses has its sentinel.
func testNotLetIn(t *testing.T, b *base) {
	if b.server == nil {
		t.Skip("there is no server")
	}
	noLeak(t)
	wrong := strings.Replace(b.url, servers.QuotedPassword, "sekrit", 1)
	requireAll(t, open(t, Options{URL: wrong, Create: true}), stores.ErrUnavailable, stores.ErrAccess)
	requireAll(t, open(t, Options{URL: b.url + "none", Create: true}), stores.ErrUnavailable, stores.ErrMissing)
	requireAll(t, open(t, Options{URL: b.url, Table: "missing"}), stores.ErrUnavailable, stores.ErrMissing)
	requireAll(t, open(t, Options{URL: b.url, Schema: "no such", Create: true}), stores.ErrUnavailable, stores.ErrMissing)

	owner := open(t, Options{URL: b.url, Create: true, Table: "guarded"})
	require.NoError(t, owner.Put(t.Context(), sessionID, pyvalue.Str("v")))
	if b.name == "mariadb" {
		owner = open(t, Options{URL: strings.Replace(b.url, credentials, "root@", 1)})
	}
	for _, text := range map[string][]string{
		"postgres": {"CREATE USER guest PASSWORD 'sekrit'", "GRANT SELECT ON guarded TO guest", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"},
		"mariadb":  {"CREATE USER guest IDENTIFIED BY 'sekrit'", "GRANT SELECT ON beaker.guarded TO guest"},
	}[b.name] {
		_, err := owner.db.Exec(text)
		require.NoError(t, err)
	}
	url := strings.Replace(b.url, credentials, "guest:sekrit@", 1)
	guest := open(t, Options{URL: url, Table: "guarded"})
	require.NoError(t, guest.Ping(t.Context()))
	_, err := guest.Get(t.Context(), sessionID)
	require.NoError(t, err)
	for _, name := range []string{"put", "delete", "update"} {
		err := operations(guest)[name](t.Context())
		require.ErrorIs(t, err, stores.ErrAccess, name)
		require.NotErrorIs(t, err, stores.ErrUncertain, name)
		requireDiscreet(t, err)
	}
	requireAll(t, open(t, Options{URL: url, Table: "own", Create: true}), stores.ErrAccess)
}

// testPaused: a server that hangs is ErrTimeout in the store's own time, and all is well
// when it goes on.
func testPaused(t *testing.T, b *base) {
	if b.server == nil {
		t.Skip("there is no server")
	}
	noLeak(t)
	o := b.options()
	o.Timeout, o.DialTimeout = 300*time.Millisecond, 300*time.Millisecond
	s := open(t, o)
	require.NoError(t, s.Put(t.Context(), sessionID, pyvalue.Str("v")))
	resume := pause(t, b, s)
	requireAll(t, s, stores.ErrUnavailable, stores.ErrTimeout)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := s.Get(ctx, sessionID)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, stores.ErrUnavailable)
	resume()
	eventually(t, func() error { return s.Ping(t.Context()) })
	eventually(t, func() error { return s.Update(t.Context(), sessionID, removing) })
}

// pause makes a server hang, on the connection that the store has too: PostgreSQL has
// a process for each.
func pause(t *testing.T, b *base, s *Store) (resume func()) {
	t.Helper()
	pid := b.server.PID()
	if b.name == "postgres" {
		s.db.SetMaxOpenConns(1)
		require.NoError(t, s.db.QueryRow("SELECT pg_backend_pid()").Scan(&pid))
		require.NoError(t, b.server.Pause())
	}
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	for s.Ping(t.Context()) == nil { // the signal takes a moment
		runtime.Gosched()
	}
	resume = sync.OnceFunc(func() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
		_ = b.server.Resume()
	})
	t.Cleanup(resume)
	return resume
}

func removing(pyvalue.Value) (pyvalue.Value, error) { return nil, stores.ErrRemove }

// eventually waits for an operation to succeed, unavailable as it may be until then.
func eventually(t *testing.T, op func() error) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		err := op()
		if err == nil {
			return
		}
		require.ErrorIs(t, err, stores.ErrUnavailable)
		require.True(t, time.Now().Before(end), "%v", err)
	}
}

// counting adds one to an int.
func counting(old pyvalue.Value) (pyvalue.Value, error) {
	n := int64(0)
	if i, ok := old.(*pyvalue.Int); ok {
		n, _ = i.Int64()
	}
	return pyvalue.NewInt(n + 1), nil
}

// worker changes and reads a record of its own, all the time.
type worker struct {
	id                string
	known, possible   int64 // how many updates were acknowledged, and how many may have been done
	done, failedSoFar *atomic.Int64
}

func (w *worker) step(t *testing.T, s *Store) bool {
	ctx := context.Background()
	switch err := s.Update(ctx, w.id, counting); {
	case err == nil:
		w.known++
		w.done.Add(1)
	case errors.Is(err, stores.ErrUncertain):
		w.possible++
		w.failedSoFar.Add(1)
	default:
		w.failedSoFar.Add(1)
		if !assert.ErrorIs(t, err, stores.ErrUnavailable) {
			return false
		}
	}
	err := w.look(t, s)
	return err == nil || assert.ErrorIs(t, err, stores.ErrUnavailable)
}

// look compares what is there with what the worker knows.
func (w *worker) look(t *testing.T, s *Store) error {
	v, err := s.Get(context.Background(), w.id)
	if errors.Is(err, stores.ErrNotExist) && w.known == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	n, _ := v.(*pyvalue.Int).Int64()
	assert.GreaterOrEqual(t, n, w.known, "an acknowledged update is lost")
	assert.LessOrEqual(t, n, w.known+w.possible)
	return nil
}

// testRestart kills a server under load, and starts it again: what was acknowledged is
// there, and the store goes on by itself.
func testRestart(t *testing.T, b *base) {
	if b.server == nil {
		t.Skip("there is no server")
	}
	noLeak(t)
	o := b.options()
	if b.name == "postgres" { // the tests' server is one that may forget
		o.URL += "?options=-csynchronous_commit%3Don"
	}
	s := open(t, o)
	require.NoError(t, s.Ping(t.Context()))
	durable := func() {
		if b.name == "mariadb" {
			eventually(t, func() error { return s.Ping(t.Context()) })
			_, err := s.db.Exec("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
			require.NoError(t, err)
		}
	}
	var done, failures atomic.Int64
	var end atomic.Bool
	var wg sync.WaitGroup
	workers := make([]*worker, 6)
	durable()
	for n := range workers {
		w := &worker{id: fmt.Sprintf("load-%d", n), done: &done, failedSoFar: &failures}
		workers[n] = w
		wg.Go(func() {
			for !end.Load() && w.step(t, s) {
			}
		})
	}
	more := func(counter *atomic.Int64, n int64) {
		until := counter.Load() + n
		require.Eventually(t, func() bool { return counter.Load() >= until || t.Failed() }, time.Minute, 5*time.Millisecond)
	}
	for range 2 {
		more(&done, 100)
		b.server.Kill()
		more(&failures, 12)
		b.server.Start(t)
		durable()
		more(&done, 100)
	}
	end.Store(true)
	wg.Wait()
	for _, w := range workers {
		eventually(t, func() error { return w.look(t, s) })
	}
	t.Logf("%d updates, %d failed", done.Load(), failures.Load())
}

// testManyMakers: several stores find no table at the same time, and put the same
// session first.
func testManyMakers(t *testing.T, b *base) {
	for round := range 4 {
		var wg sync.WaitGroup
		o := Options{URL: b.url, Create: true, Table: fmt.Sprintf("race%d", round), Sqla: round%2 == 1, Timeout: 20 * time.Second}
		for n := range 6 {
			s := open(t, o)
			wg.Go(func() {
				if n%3 == 0 {
					assert.NoError(t, s.Put(t.Context(), "other", pyvalue.Str("v")))
				}
				assert.NoError(t, s.Update(t.Context(), sessionID, counting))
			})
		}
		wg.Wait()
		v, err := open(t, o).Get(t.Context(), sessionID)
		require.NoError(t, err)
		require.Equal(t, pyvalue.NewInt(6), v, "an update is lost")
	}
}

// TestClosed: a closed store is unavailable.
func TestClosed(t *testing.T) {
	s := open(t, Options{URL: "sqlite://", Create: true})
	require.NoError(t, s.Close())
	requireAll(t, s, stores.ErrUnavailable)
}

// testPanic: an update that panics leaves nothing locked.
func testPanic(t *testing.T, b *base) {
	o := b.options()
	o.Options = map[string]string{"sa.pool_size": "1", "sa.max_overflow": "0"}
	s := open(t, o)
	require.NoError(t, s.Put(t.Context(), sessionID, pyvalue.Str("v")))
	for range 3 {
		require.Panics(t, func() {
			_ = s.Update(t.Context(), sessionID, func(pyvalue.Value) (pyvalue.Value, error) { panic("mine") })
		})
	}
	require.NoError(t, s.Update(t.Context(), sessionID, counting))
}

func TestMain(m *testing.M) {
	// libpq's environment is read; the tests' is none.
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGSSLMODE", "PGOPTIONS"} {
		_ = os.Unsetenv(name)
	}
	os.Exit(m.Run())
}
