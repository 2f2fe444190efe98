package memcachedstore

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseServers(t *testing.T) {
	for _, c := range []struct {
		spec          string
		client        Client
		network, addr string // "": refused
		weight        int
	}{
		{"10.0.0.1:11212", PythonMemcached, "tcp4", "10.0.0.1:11212", 1},
		{" cache.example ", PythonMemcached, "tcp4", "cache.example:11211", 1},
		{"inet:cache.example:1", PythonMemcached, "tcp4", "cache.example:1", 1},
		{"inet6:[::1]:1234", PythonMemcached, "tcp6", "[::1]:1234", 1},
		{"inet6:[::1]", PythonMemcachedOld, "tcp6", "[::1]:11211", 1},
		{"unix:/run/memcached.sock", PythonMemcached, "unix", "/run/memcached.sock", 1},
		{"", PythonMemcached, "", "", 0},
		{"unix:", PythonMemcached, "", "", 0},
		{"::1", PythonMemcached, "", "", 0},
		{"a:b", PythonMemcached, "", "", 0},
		{"a:99999", PythonMemcached, "", "", 0},
		{"a:1:2", PythonMemcached, "", "", 0},
		{"10.0.0.1", Pylibmc, "tcp", "10.0.0.1:11211", 1},
		{"10.0.0.1:1234:3", Pylibmc, "tcp", "10.0.0.1:1234", 3},
		{"[::1]:1234:3", Pylibmc, "tcp", "[::1]:1234", 3},
		{"[::1]", Pylibmc, "tcp", "[::1]:11211", 1},
		{"/run/memcached.sock", Pylibmc, "unix", "/run/memcached.sock", 1},
		{"udp:10.0.0.1", Pylibmc, "", "", 0},
		{"10.0.0.1:1:0", Pylibmc, "", "", 0},
		{"10.0.0.1:1:99999999999999999999", Pylibmc, "", "", 0},
	} {
		t.Run(c.spec, func(t *testing.T) {
			s, err := NewSelector(Options{Servers: []string{c.spec}, Client: c.client})
			if c.network == "" {
				require.ErrorContains(t, err, "memcachedstore: options: ")
				return
			}
			require.NoError(t, err)
			srv := s.servers[0]
			require.Equal(t, []any{c.network, c.addr, c.weight}, []any{srv.Network(), srv.String(), srv.weight})
		})
	}
}

func TestOptions(t *testing.T) {
	one := []string{"127.0.0.1"}
	for name, o := range map[string]Options{
		"no servers":              {},
		"a negative limit":        {Servers: one, MaxItem: -1},
		"a negative timeout":      {Servers: one, Timeout: -1},
		"no such Python":          {Servers: one, Python: 4},
		"no such client":          {Servers: one, Client: 9},
		"behaviors of another":    {Servers: one, Behaviors: map[string]string{"ketama": "True"}},
		"no such hash":            {Servers: one, Client: Pylibmc, Behaviors: map[string]string{"hash": "jenkins"}},
		"no such distribution":    {Servers: one, Client: Pylibmc, Behaviors: map[string]string{"distribution": "random"}},
		"what moves keys":         {Servers: one, Client: Pylibmc, Behaviors: map[string]string{"auto_eject": "1"}},
		"another hash of servers": {Servers: one, Client: Pylibmc, Behaviors: map[string]string{"ketama_hash": "md5"}},
		"contradictions":          {Servers: one, Client: Pylibmc, Behaviors: map[string]string{"ketama_weighted": "1", "hash": "crc"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(o)
			require.ErrorContains(t, err, "memcachedstore: options: ")
		})
	}
	_, err := New(Options{Servers: one, Client: Pylibmc, Behaviors: map[string]string{"tcp_nodelay": "True", "auto_eject": "False"}})
	require.NoError(t, err)
}

// The numbers are those of python-memcached 1.53 and 1.62.
func TestPythonHash(t *testing.T) {
	require.EqualValues(t, 25920, pythonHash("00000000000000000000000000000001_session", PythonMemcached))
	zero := "zero60593_session"
	require.Zero(t, pythonHash(zero, PythonMemcached))
	require.EqualValues(t, 1, pythonHash(zero, PythonMemcachedOld))
}

func three(t *testing.T, now func() time.Time) *Selector {
	t.Helper()
	s, err := NewSelector(Options{Servers: []string{"a:1", "b:1", "c:1"}, Now: now})
	require.NoError(t, err)
	return s
}

func picked(t *testing.T, s *Selector, key string) string {
	t.Helper()
	addr, err := s.PickServer(key)
	require.NoError(t, err)
	return addr.String()
}

// TestDeadServers follows the rehash of "…1_session": 25920 is a, then hash("259200"),
// 17122, is b, hash("171221"), 15923, is c.
func TestDeadServers(t *testing.T) {
	const key = "00000000000000000000000000000001_session"
	now := time.Unix(1700000000, 0)
	s := three(t, func() time.Time { return now })
	why := errors.New("refused")
	require.Equal(t, "a:1", picked(t, s, key))
	s.markDead(s.servers[0], why)
	require.Equal(t, "b:1", picked(t, s, key))
	now = now.Add(10 * time.Second)
	s.markDead(s.servers[1], why)
	require.Equal(t, "c:1", picked(t, s, key))
	s.markDead(s.servers[2], why)

	// a has been left alone for long enough to be tried where there is no other.
	require.Equal(t, "a:1", picked(t, s, key))
	s.markDead(s.servers[0], why)
	_, err := s.PickServer(key)
	require.ErrorIs(t, err, why)
	now = now.Add(restAfterFailure)
	require.Equal(t, "a:1", picked(t, s, key))

	now = now.Add(deadRetry - restAfterFailure - 1)
	require.True(t, s.servers[2].dead(now))
	now = now.Add(1) // memcache.py: dead while deaduntil > now
	require.Equal(t, "a:1", picked(t, s, key))
	require.False(t, s.servers[0].dead(now))
	s.markDead(s.servers[0], why)
	s.servers[0].markAlive()
	require.Equal(t, "a:1", picked(t, s, key))
}

func TestPylibmcHasNoOtherServer(t *testing.T) {
	now := time.Unix(1700000000, 0)
	s, err := NewSelector(Options{Servers: []string{"a:1", "b:1"}, Client: Pylibmc, Now: func() time.Time { return now }})
	require.NoError(t, err)
	addr := picked(t, s, "x_session")
	why := errors.New("refused")
	for _, srv := range s.servers {
		if srv.String() == addr {
			s.markDead(srv, why)
		}
	}
	_, err = s.PickServer("x_session")
	require.ErrorIs(t, err, why)
	now = now.Add(restAfterFailure)
	require.Equal(t, addr, picked(t, s, "x_session"))
}

func TestEach(t *testing.T) {
	var seen []string
	s := three(t, nil)
	require.NoError(t, s.Each(func(a net.Addr) error { seen = append(seen, a.String()); return nil }))
	require.Equal(t, []string{"a:1", "b:1", "c:1"}, seen)
	stop := errors.New("stop")
	require.ErrorIs(t, s.Each(func(net.Addr) error { return stop }), stop)
}
