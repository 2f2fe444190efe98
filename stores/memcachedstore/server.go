package memcachedstore

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const defaultPort = "11211"

// server is one memcached, with the connections to it that are idle. It is the
// address that gomemcache knows it by.
type server struct {
	name             string // as configured
	network, address string
	host, port       string // what ketama makes its points of
	weight           int

	deadUntil, failedAt atomic.Int64 // Unix nanoseconds; 0: never
	lastErr             atomic.Pointer[error]

	mu     sync.Mutex
	idle   []*lane
	closed bool
}

// Network implements [net.Addr].
func (srv *server) Network() string { return srv.network }

// String implements [net.Addr].
func (srv *server) String() string { return srv.address }

// PickServer makes a server the selector of the client of one connection to it.
func (srv *server) PickServer(string) (net.Addr, error) { return srv, nil }

// Each completes it.
func (srv *server) Each(f func(net.Addr) error) error { return f(srv) }

// python-memcached: memcache.py, _Host.__init__.
var pythonServer = []*regexp.Regexp{
	regexp.MustCompile(`^inet6:\[(?P<host>[^\[\]]+)\](?::(?P<port>[0-9]+))?$`),
	regexp.MustCompile(`^inet:(?P<host>[^:]+)(?::(?P<port>[0-9]+))?$`),
	regexp.MustCompile(`^(?P<host>[^:]+)(?::(?P<port>[0-9]+))?$`),
}

func parsePythonServer(spec string) (*server, error) {
	if path, ok := strings.CutPrefix(spec, "unix:"); ok && path != "" {
		return &server{name: spec, network: "unix", address: path, weight: 1}, nil
	}
	for i, re := range pythonServer {
		m := re.FindStringSubmatch(spec)
		if m == nil {
			continue
		}
		network := "tcp4" // as Python's AF_INET
		if i == 0 {
			network = "tcp6"
		}
		return newServer(spec, network, m[1], m[2], 1)
	}
	return nil, fmt.Errorf("server %s is not host:port, unix:/path or inet6:[host]:port", shown(spec))
}

// shown is a server for an error, unless it is the url of something else: there may be
// a password in that.
func shown(spec string) string {
	if strings.ContainsAny(spec, "@") || strings.Contains(spec, "://") {
		return "(a url)"
	}
	return strconv.Quote(spec)
}

// pylibmc: client.py, translate_server_spec.
var (
	pylibmcBracket = regexp.MustCompile(`^\[([^\[\]]+)\](?::([0-9]+))?(?::([0-9]+))?$`)
	pylibmcPlain   = regexp.MustCompile(`^([^:\[\]/]+)(?::([0-9]+))?(?::([0-9]+))?$`)
)

func parsePylibmcServer(spec string) (*server, error) {
	if strings.HasPrefix(spec, "/") {
		return &server{name: spec, network: "unix", address: spec, host: spec, port: "0", weight: 1}, nil
	}
	m := pylibmcBracket.FindStringSubmatch(spec)
	if m == nil {
		m = pylibmcPlain.FindStringSubmatch(spec)
	}
	if m == nil {
		return nil, fmt.Errorf("server %s is not host:port or a path", shown(spec))
	}
	weight := 1
	if m[3] != "" {
		n, err := strconv.Atoi(m[3])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("server %q has no proper weight", spec)
		}
		weight = n
	}
	return newServer(spec, "tcp", m[1], m[2], weight)
}

func newServer(spec, network, host, port string, weight int) (*server, error) {
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("server %q has no proper port", spec)
	}
	return &server{name: spec, network: network, address: net.JoinHostPort(host, port), host: host, port: port, weight: weight}, nil
}

// dead reports whether the server is to be passed over. A clock that was set back does
// not make that longer.
func (srv *server) dead(now time.Time) bool {
	return srv.deadUntil.Load() > now.UnixNano() && srv.failedAt.Load() <= now.UnixNano()
}

// resting reports whether it failed so recently that trying it is of no use.
func (srv *server) resting(now time.Time) bool {
	at := srv.failedAt.Load()
	return at != 0 && now.UnixNano() < at+int64(restAfterFailure) && now.UnixNano() >= at
}

// markDead has it passed over for a time, and drops the connections to it.
func (srv *server) markDead(now time.Time, retry time.Duration, why error) {
	srv.lastErr.Store(&why)
	srv.failedAt.Store(now.UnixNano())
	srv.deadUntil.Store(now.Add(retry).UnixNano())
	srv.dropIdle()
}

// markAlive ends that: it has answered.
func (srv *server) markAlive() {
	if srv.deadUntil.Load() != 0 {
		srv.deadUntil.Store(0)
		srv.failedAt.Store(0)
	}
}

func (srv *server) whyDead() error {
	if why := srv.lastErr.Load(); why != nil {
		return *why
	}
	return errNoServer
}

// take returns a connection for one request.
func (srv *server) take(t timeouts) *lane {
	for {
		srv.mu.Lock()
		n := len(srv.idle)
		if n == 0 {
			srv.mu.Unlock()
			return newLane(srv, t)
		}
		l := srv.idle[n-1]
		srv.idle = srv.idle[:n-1]
		srv.mu.Unlock()
		if l.usable() {
			return l
		}
		l.discard()
	}
}

// give returns a connection that can be used again.
func (srv *server) give(l *lane) {
	l.ctx = nil
	srv.mu.Lock()
	keep := !srv.closed && len(srv.idle) < l.maxIdle
	if keep {
		srv.idle = append(srv.idle, l)
	}
	srv.mu.Unlock()
	if !keep {
		l.discard()
	}
}

func (srv *server) dropIdle() {
	srv.mu.Lock()
	idle := srv.idle
	srv.idle = nil
	srv.mu.Unlock()
	for _, l := range idle {
		l.discard()
	}
}

func (srv *server) close() {
	srv.mu.Lock()
	srv.closed = true
	srv.mu.Unlock()
	srv.dropIdle()
}

func (srv *server) isClosed() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.closed
}
