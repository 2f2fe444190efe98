package memcachedstore

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// TestHostileValues: no room is made for what a server merely announces, and what it
// gives for another key is not taken.
func TestHostileValues(t *testing.T) {
	const key = testID + "_session"
	value := "VALUE " + key + " 16 1 1\r\nx\r\n"
	for name, reply := range map[string]string{
		"a second value":         value + "VALUE " + key + " 16 4000000000 1\r\n",
		"a second small value":   value + value + "END\r\n",
		"another key":            "VALUE " + testID + "x_session 16 1 1\r\nx\r\nEND\r\n",
		"a long key":             "VALUE " + strings.Repeat("k", 600) + " 16 4000000000 1\r\n",
		"a tab in the key":       "VALUE a\tb 0 4000000000 1\r\n",
		"a negative size":        "VALUE " + key + " 16 -3 1\r\n",
		"a size with a sign":     "VALUE " + key + " 16 +4000000000 1\r\n",
		"a size that overflows":  "VALUE " + key + " 16 99999999999999999999 1\r\n",
		"a line without its end": "VALUE " + key + " 16 1 1\nx\r\nEND\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := pretender(t, func(string) string { return reply })
			s := open(t, Options{Servers: []string{addr}, Timeout: time.Second})
			_, err := s.Get(t.Context(), testID)
			require.Error(t, err)
			require.NotErrorIs(t, err, stores.ErrTimeout, "it waited for the value")
			require.NotErrorIs(t, err, stores.ErrNotExist)
			require.NotContains(t, err.Error(), testID)
		})
	}
	addr, _ := pretender(t, func(string) string { return value + "END\r\n" })
	s := open(t, Options{Servers: []string{addr}})
	for range 3 {
		v, err := s.Get(t.Context(), testID)
		require.NoError(t, err)
		require.Equal(t, pyvalue.Str("x"), v)
	}
}

// almostEnded is a context whose deadline has passed, and that is about to notice it.
type almostEnded struct{ context.Context }

func (almostEnded) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

// TestDeadlineIsNotTheServers: that the caller's deadline is noticed first by the
// connection does not make the server a dead one, which others would stand in for.
func TestDeadlineIsNotTheServers(t *testing.T) {
	s := open(t, Options{Servers: []string{"127.0.0.1:1", "127.0.0.1:2"}})
	l := newLane(s.selector.servers[0], s.timeouts)
	l.ctx, l.dialErr = almostEnded{t.Context()}, os.ErrDeadlineExceeded
	what, err := l.judge(errors.New("dial"))
	require.Equal(t, given, what)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, stores.ErrTimeout)
}

// TestClockSetBack: a server that failed is not passed over until the clock is again
// where it was.
func TestClockSetBack(t *testing.T) {
	var c clock
	s := open(t, Options{Servers: []string{"127.0.0.1:1", "127.0.0.1:2"}, Now: c.now})
	srv := s.selector.servers[0]
	s.selector.markDead(srv, errLost)
	require.True(t, srv.dead(c.now()))
	c.ahead.Add(-int64(time.Hour))
	require.False(t, srv.dead(c.now()))
}

// TestUrlOfSomethingElse: a password in it is not told.
func TestUrlOfSomethingElse(t *testing.T) {
	for _, client := range []Client{PythonMemcached, Pylibmc} {
		for _, spec := range []string{"redis://:sekrit@127.0.0.1:6379/0", "user:sekrit@host:11211", "memcached://sekrit"} {
			_, err := New(Options{Servers: []string{spec}, Client: client})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "sekrit")
		}
		_, err := New(Options{Servers: []string{"a:b:c:d"}, Client: client})
		require.ErrorContains(t, err, "a:b:c:d")
	}
}
