package memcachedstore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// How long python-memcached passes over a server after a failure, and how many
// servers it tries for one request (memcache.py, _DEAD_RETRY, Client._SERVER_RETRIES).
const (
	deadRetry     = 30 * time.Second
	serverRetries = 10
)

// restAfterFailure is how long a server is left alone after a failure if there is no
// other one for the key. The client libraries take longer.
const restAfterFailure = time.Second

var errNoServer = errors.New("no server to ask")

// Selector chooses the server of a key as the client library of the Python side
// does. It is for gomemcache's clients: [Store] has one, and tells it which
// servers fail.
type Selector struct {
	servers []*server
	pick    func(key string) (*server, error)
	now     func() time.Time
	retry   time.Duration
	rehash  bool // another server stands in for a dead one
}

var (
	_ memcache.ServerSelector = (*Selector)(nil)
	_ memcache.ServerSelector = (*server)(nil)
)

// NewSelector returns the selector that o's Servers, Client, Behaviors and Now ask
// for, or an error that says which of them is wrong.
func NewSelector(o Options) (*Selector, error) {
	s := &Selector{now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.parse(o); err != nil {
		return nil, fmt.Errorf("memcachedstore: options: %w", err)
	}
	switch o.Client {
	case PythonMemcached, PythonMemcachedOld:
		if len(o.Behaviors) > 0 {
			return nil, errors.New("memcachedstore: options: only pylibmc has behaviors")
		}
		s.pick, s.retry, s.rehash = s.pickPython(o.Client), deadRetry, true
	case Pylibmc:
		choose, err := pylibmcChoice(s.servers, o.Behaviors)
		if err != nil {
			return nil, fmt.Errorf("memcachedstore: options: %w", err)
		}
		s.pick, s.retry = s.pickPylibmc(choose), restAfterFailure
	default:
		return nil, fmt.Errorf("memcachedstore: options: no client %d", o.Client)
	}
	return s, nil
}

func (s *Selector) parse(o Options) error {
	parse := parsePythonServer
	if o.Client == Pylibmc {
		parse = parsePylibmcServer
	}
	for _, spec := range o.Servers {
		srv, err := parse(strings.TrimSpace(spec))
		if err != nil {
			return err
		}
		s.servers = append(s.servers, srv)
	}
	if len(s.servers) == 0 {
		return errors.New("url is required")
	}
	return nil
}

// PickServer implements [memcache.ServerSelector]. It does not connect.
func (s *Selector) PickServer(key string) (net.Addr, error) {
	srv, err := s.pick(key)
	if err != nil {
		return nil, err
	}
	return srv, nil
}

// Each implements [memcache.ServerSelector].
func (s *Selector) Each(f func(net.Addr) error) error {
	for _, srv := range s.servers {
		if err := f(srv); err != nil {
			return err
		}
	}
	return nil
}

// pickPython: memcache.py, Client._get_server. Where that gives up, a server that
// has been left alone for a while is tried: a single one that was restarted is not
// to be missed for half a minute.
func (s *Selector) pickPython(client Client) func(key string) (*server, error) {
	return func(key string) (*server, error) {
		now, h := s.now(), pythonHash(key, client)
		first := s.servers[int(h)%len(s.servers)]
		srv := first
		for i := range serverRetries {
			if !srv.dead(now) {
				return srv, nil
			}
			h = pythonHash(strconv.Itoa(int(h))+strconv.Itoa(i), client)
			srv = s.servers[int(h)%len(s.servers)]
		}
		if first.resting(now) {
			return nil, fmt.Errorf("%w: %w", errNoServer, first.whyDead())
		}
		return first, nil
	}
}

// pythonHash: memcache.py, cmemcache_hash. Up to 1.59 it is never zero.
func pythonHash(key string, client Client) uint32 {
	h := crc32.ChecksumIEEE([]byte(key)) >> 16 & 0x7fff
	if h == 0 && client == PythonMemcachedOld {
		return 1
	}
	return h
}

func (s *Selector) pickPylibmc(choose func(key string) *server) func(key string) (*server, error) {
	return func(key string) (*server, error) {
		srv := choose(key)
		if now := s.now(); srv.dead(now) && srv.resting(now) {
			return nil, fmt.Errorf("%w: %w", errNoServer, srv.whyDead())
		}
		return srv, nil
	}
}

// markDead has a server passed over after a failure.
func (s *Selector) markDead(srv *server, why error) { srv.markDead(s.now(), s.retry, why) }
