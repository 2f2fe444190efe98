package middleware

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/gobeaker/gobeaker/compat"
)

// current is a value that is replaced while it is in use: whoever took it keeps it, and
// who replaced it learns when the last of them has given it back. Safe for concurrent
// use; take and give do not block.
type current[T any] struct{ now atomic.Pointer[turn[T]] }

// turn is the time of one value.
type turn[T any] struct {
	value T
	users atomic.Int64
	over  atomic.Bool   // it has been replaced
	idle  chan struct{} // closed when it is over and has no users
	once  sync.Once
}

// swap makes v the value and returns the turn of the one before, nil at first.
func (c *current[T]) swap(v T) *turn[T] {
	old := c.now.Swap(&turn[T]{value: v, idle: make(chan struct{})})
	if old == nil {
		return nil
	}
	old.over.Store(true)
	if old.users.Load() == 0 {
		old.end()
	}
	return old
}

// take returns the turn that it is, to be given back.
func (c *current[T]) take() *turn[T] {
	for {
		t := c.now.Load()
		t.users.Add(1)
		// Only now is t sure to wait for us: if it was replaced before, it may have ended.
		if c.now.Load() == t {
			return t
		}
		t.give()
	}
}

func (t *turn[T]) give() {
	if t.users.Add(-1) == 0 && t.over.Load() {
		t.end()
	}
}

func (t *turn[T]) end() { t.once.Do(func() { close(t.idle) }) }

// Swap has the sessions of all further requests opened by m. Requests under way keep
// the manager that they began with; idle is closed when the last of them has ended,
// handlers that stream or that hijacked their connection included, so that the store of
// old may be closed then. A change of the secret or of the cookie's name ends sessions
// as it would after a restart: see OldSecrets in [compat.Options].
//
// Swap may be called at any time, from any goroutine.
func (s *Sessions) Swap(m *compat.Manager) (old *compat.Manager, idle <-chan struct{}) {
	t := s.manager.swap(m)
	return t.value, t.idle
}

// Switch is a handler that can be exchanged while it serves: a gateway for one with other
// routes, for example. Make one with [NewSwitch].
type Switch struct{ handler current[http.Handler] }

// NewSwitch returns a Switch that serves with h.
func NewSwitch(h http.Handler) *Switch {
	s := &Switch{}
	s.handler.swap(h)
	return s
}

// ServeHTTP serves with the handler of the moment.
func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := s.handler.take()
	defer t.give()
	t.value.ServeHTTP(w, r)
}

// Swap has all further requests served by h. Those under way go on where they are; idle
// is closed when the last of them has ended. Swap may be called at any time, from any
// goroutine.
func (s *Switch) Swap(h http.Handler) (idle <-chan struct{}) { return s.handler.swap(h).idle }
