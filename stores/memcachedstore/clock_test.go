package memcachedstore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

func TestClock(t *testing.T) {
	s := open(t, Options{Servers: started(threeServers(t)...)})
	now, err := s.Now(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), now, time.Minute)
}

// TestClocksApart: of several servers the one that differs most counts.
func TestClocksApart(t *testing.T) {
	at := time.Now()
	var addrs []string
	for _, by := range []time.Duration{-time.Hour, 0, 24 * time.Hour} {
		addr, _ := pretender(t, func(string) string {
			return fmt.Sprintf("STAT pid 1\r\nSTAT time %d\r\nEND\r\n", at.Add(by).Unix())
		})
		addrs = append(addrs, addr)
	}
	now, err := open(t, Options{Servers: addrs}).Now(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, at.Add(24*time.Hour), now, time.Minute)
}

// TestNoClock: what does not tell the time is an error, and never waited for long.
func TestNoClock(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		is     error
	}{
		"no time":      {"STAT pid 1\r\nEND\r\n", errNoTime},
		"an odd time":  {"STAT time now\r\n", errNonsense},
		"refused":      {"CLIENT_ERROR unauthenticated\r\n", stores.ErrAccess},
		"endless":      {strings.Repeat("STAT a b\r\n", mostStats+1), errNoTime},
		"nothing":      {"", errLost},
		"without ends": {strings.Repeat("x", 1<<20), stores.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := pretender(t, func(string) string { return c.answer })
			s := open(t, Options{Servers: []string{addr}, Timeout: 200 * time.Millisecond})
			_, err := s.Now(t.Context())
			require.ErrorIs(t, err, c.is)
			require.ErrorIs(t, err, stores.ErrUnavailable)
		})
	}
	server := servers.Memcached(t)
	server.Stop()
	s := open(t, Options{Servers: started(server)})
	_, err := s.Now(t.Context())
	require.ErrorIs(t, err, stores.ErrUnavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Now(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
