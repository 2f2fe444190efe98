package servers

import (
	"strconv"
	"testing"
)

// Memcached starts memcached, with further arguments.
func Memcached(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, &Server{
		name: program(t, "memcached", "memcached"),
		args: func(s *Server) []string {
			all := []string{"-l", Host, "-p", strconv.Itoa(s.Port), "-U", "0"}
			return append(append(all, asRoot("-u", "root")...), args...)
		},
		ready: answers("version\r\n", ""), // what it answers depends on passwords
	})
}

// Redis starts a Redis, with further arguments. It keeps its data in a
// file only if they ask for that.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, &Server{
		name: program(t, "redis-server", "redis-server"),
		args: func(s *Server) []string {
			return append([]string{"--bind", Host, "--port", strconv.Itoa(s.Port), "--dir", s.Dir, "--save", ""}, args...)
		},
		ready: answers("PING\r\n", ""), // what it answers depends on passwords
	})
}
