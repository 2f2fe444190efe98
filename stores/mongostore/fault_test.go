package mongostore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// How long a condition is waited for, and how often it is looked at.
const (
	hangs = time.Minute
	tick  = 10 * time.Millisecond
)

// brief are timeouts for servers that do not answer.
func brief(url string) Options {
	return Options{URL: url, DialTimeout: 300 * time.Millisecond, Timeout: 300 * time.Millisecond}
}

func requireDiscreet(t *testing.T, err error) {
	t.Helper()
	require.NotContains(t, err.Error(), testID)
	require.NotContains(t, err.Error(), "secret")
}

// writes are all that write.
func writes(s *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"put":    func(ctx context.Context) error { return s.Put(ctx, testID, pyvalue.Str("secret")) },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, testID) },
		"insert": func(ctx context.Context) error {
			return s.Insert(ctx, []stores.Record{{ID: testID, Value: pyvalue.Str("secret")}})[0]
		},
	}
}

func TestRefused(t *testing.T) {
	s := open(t, brief(fmt.Sprintf("mongodb://%s:%d/beaker", servers.Host, servers.FreePort(t))))
	_, err := s.Get(t.Context(), testID)
	for op, err := range map[string]error{
		"get": err, "ping": s.Ping(t.Context()), "put": s.Put(t.Context(), testID, pyvalue.Str("secret")),
		"delete": s.Delete(t.Context(), testID), "insert": writes(s)["insert"](t.Context()),
	} {
		require.ErrorIs(t, err, stores.ErrUnavailable, op)
		require.NotErrorIs(t, err, stores.ErrUncertain, op)
		require.NotErrorIs(t, err, stores.ErrTimeout, op)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, op)
		requireDiscreet(t, err)
	}
	for _, err := range s.List(t.Context(), "") {
		require.ErrorIs(t, err, stores.ErrUnavailable)
	}
}

// TestSilent: a server that hangs costs as long as the options say, and a write to it is
// uncertain. That the caller gave up is something else.
func TestSilent(t *testing.T) {
	server := servers.Mongo(t)
	s := open(t, brief(newURL(server)))
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("secret")))
	require.NoError(t, server.Pause())
	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrTimeout)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	uncertain := 0
	for op, write := range writes(s) {
		err := write(t.Context())
		require.ErrorIs(t, err, stores.ErrTimeout, op)
		require.ErrorIs(t, err, stores.ErrUnavailable, op)
		requireDiscreet(t, err)
		if errors.Is(err, stores.ErrUncertain) { // others found no connection
			uncertain++
		}
	}
	t.Logf("%d of 3 writes were sent", uncertain)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(tick, cancel)
	_, err = s.Get(ctx, testID)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, stores.ErrTimeout)
	require.NoError(t, server.Resume())
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, hangs, tick, "no restart is needed")
}

// TestUncertain: a write of which the answer does not come may have been done.
func TestUncertain(t *testing.T) {
	server := servers.Mongo(t)
	for op := range writes(nil) {
		o := brief(newURL(server))
		o.MaxConnections = 1
		s := open(t, o)
		require.NoError(t, s.Ping(t.Context()))
		require.NoError(t, server.Pause())
		err := writes(s)[op](t.Context())
		require.NoError(t, server.Resume())
		require.ErrorIs(t, err, stores.ErrUncertain, op)
		require.ErrorIs(t, err, stores.ErrUnavailable, op)
	}
}

// TestRestart: the server is killed and started again while it is used. What was
// acknowledged is there, no record is torn, and the store goes on by itself.
func TestRestart(t *testing.T) {
	server := servers.Mongo(t)
	s := open(t, Options{URL: newURL(server), DialTimeout: time.Second, Timeout: 2 * time.Second})
	require.NoError(t, s.Ping(t.Context()))
	before := runtime.NumGoroutine()
	const users = 4
	var acknowledged, uncertain [users]int64
	var total atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for n := range users {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := s.Update(t.Context(), userID(n), increment)
				switch {
				case err == nil:
					acknowledged[n]++
					total.Add(1)
				case errors.Is(err, stores.ErrUncertain):
					uncertain[n]++
				default:
					assert.ErrorIs(t, err, stores.ErrUnavailable)
				}
			}
		})
	}
	reach := func(n int64) {
		goal := total.Load() + n
		require.Eventually(t, func() bool { return total.Load() >= goal }, hangs, tick)
	}
	reach(40)
	for range 2 {
		server.Kill()
		server.Start(t)
		reach(40)
	}
	cancel()
	wg.Wait()
	for n := range users {
		v, err := s.Get(t.Context(), userID(n))
		require.NoError(t, err)
		got := int64(len(v.(pyvalue.Str)))
		require.Equal(t, strings.Repeat("+", int(got)), string(v.(pyvalue.Str)))
		require.GreaterOrEqual(t, got, acknowledged[n])
		require.LessOrEqual(t, got, acknowledged[n]+uncertain[n])
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+4 }, hangs, tick, "goroutines are left")
}

func userID(n int) string { return fmt.Sprintf("%032x", n) }

func increment(old pyvalue.Value) (pyvalue.Value, error) {
	s, _ := old.(pyvalue.Str)
	return s + "+", nil
}

func TestNoLeaks(t *testing.T) {
	server := servers.Mongo(t)
	before := runtime.NumGoroutine()
	for range 3 {
		s, err := New(Options{URL: newURL(server)})
		require.NoError(t, err)
		require.NoError(t, s.Ping(t.Context()))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Put(t.Context(), testID, pyvalue.Str("x")), errClosed)
		require.ErrorIs(t, s.Ping(t.Context()), stores.ErrUnavailable)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, hangs, tick) // the condition has one of its own
}

// TestWrongPassword asks a server that takes no passwords at all.
func TestWrongPassword(t *testing.T) {
	server := servers.Mongo(t)
	s := open(t, Options{URL: strings.Replace(newURL(server), "://", "://user:secret@", 1)})
	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrAccess)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	requireDiscreet(t, err)
	err = s.Put(t.Context(), testID, pyvalue.Str("secret"))
	require.ErrorIs(t, err, stores.ErrAccess)
	require.NotErrorIs(t, err, stores.ErrUncertain)
	requireDiscreet(t, err)
}

// TestAnswers: what a server's codes mean.
func TestAnswers(t *testing.T) {
	s := &Store{}
	for code, want := range map[int]error{
		codeUnauthorized: stores.ErrAccess, codeAuthenticationFailed: stores.ErrAccess, codeNotWritablePrimary: stores.ErrAccess,
		codeOutOfDiskSpace: stores.ErrFull, codeMaxTimeExpired: stores.ErrTimeout, codeBSONTooLarge: stores.ErrTooLarge, 1: stores.ErrUnavailable,
	} {
		sent := &sentFlag{}
		sent.Store(true)
		err := s.failed(t.Context(), "put", testID, sent.judge(mongo.CommandError{Code: int32(code), Message: "secret " + testID}))
		require.ErrorIs(t, err, want)
		if code != codeMaxTimeExpired {
			require.NotErrorIs(t, err, stores.ErrUncertain, "%d: the server says that it did not write", code)
		}
		requireDiscreet(t, err)
		require.Contains(t, err.Error(), beakerfmt.HashID(testID))
	}
	sent := &sentFlag{}
	sent.Store(true)
	for _, doubtful := range []error{
		mongo.CommandError{Code: 91, Labels: []string{"RetryableWriteError"}},
		mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}},
		errors.New("the connection was closed"),
	} {
		err := s.failed(t.Context(), "put", testID, sent.judge(doubtful))
		require.ErrorIs(t, err, stores.ErrUncertain)
		require.ErrorIs(t, err, stores.ErrUnavailable)
	}
}
