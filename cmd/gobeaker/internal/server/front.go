package server

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// front is what takes connections: one listener and, because an http.Server cannot be
// given other timeouts while it serves, one http.Server after the other.
type front struct {
	listener net.Listener
	handler  http.Handler
	faults   *log.Logger     // of net/http
	base     context.Context // of all requests
	failed   chan error      // why no connection can be taken any more
	served   sync.WaitGroup

	mu     sync.Mutex
	now    *turn   // takes connections
	turns  []*turn // that one, and those before it that still have connections
	closed bool    // nothing is served any more
}

// turn is the time of one http.Server, for which it is the listener.
type turn struct {
	server *http.Server
	front  *front
	taken  chan accepted
	over   chan struct{} // closed when it gets no more connections
	once   sync.Once
	conns  int  // open ones; guarded by front.mu
	ended  bool // there will be no more; guarded by front.mu
}

// accepted is what a listener returned.
type accepted struct {
	conn net.Conn
	err  error
}

// serve takes further connections with the timeouts of l. Those that are there stay with
// the server that they have.
func (f *front) serve(l Limits) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	t := &turn{front: f, taken: make(chan accepted), over: make(chan struct{})}
	t.server = &http.Server{
		Handler:           f.handler,
		ReadHeaderTimeout: time.Duration(l.ReadHeaderTimeout),
		IdleTimeout:       time.Duration(l.IdleTimeout),
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          f.faults,
		BaseContext:       func(net.Listener) context.Context { return f.base },
		ConnState:         t.count,
	}
	before := f.now
	f.now, f.turns = t, append(f.turns, t)
	if before == nil {
		f.served.Go(f.accept)
	} else {
		before.Close()
	}
	f.served.Go(func() {
		err := t.server.Serve(t)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.now == t && !f.closed {
			select {
			case f.failed <- err:
			default: // once is enough
			}
		}
		t.ended = true
		f.forget(t)
	})
}

// accept hands all connections, and what went wrong with one, to the turn of the moment.
func (f *front) accept() {
	for {
		conn, err := f.listener.Accept()
		if f.give(accepted{conn, err}) {
			continue
		}
		if err == nil {
			conn.Close()
		}
		return
	}
}

// give reports false if no turn takes connections any more.
func (f *front) give(a accepted) bool {
	for {
		t := f.present()
		select {
		case <-t.over:
		default:
			select {
			case t.taken <- a:
				return true
			case <-t.over:
			}
		}
		if f.present() == t {
			return false
		}
	}
}

func (f *front) present() *turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// forget drops a turn that has nothing more to do. The caller has f.mu.
func (f *front) forget(t *turn) {
	if t.ended && t.conns == 0 {
		f.turns = slices.DeleteFunc(f.turns, func(o *turn) bool { return o == t })
	}
}

// stop has no further server begun and returns those that there are. They are shut down
// without f.mu, which they need to say that their connections are closed.
func (f *front) stop() []*turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return slices.Clone(f.turns)
}

// shutdown takes no more connections and waits for the requests under way.
func (f *front) shutdown(ctx context.Context) error {
	turns := f.stop()
	f.listener.Close()
	results := make(chan error, len(turns))
	for _, t := range turns {
		go func() { results <- t.server.Shutdown(ctx) }()
	}
	var all []error
	for range turns {
		all = append(all, <-results)
	}
	return errors.Join(all...)
}

// close ends the requests under way.
func (f *front) close() {
	for _, t := range f.stop() {
		t.server.Close()
	}
}

// count follows how many connections the server has; those that were taken over by a
// handler are not its own any more.
func (t *turn) count(_ net.Conn, s http.ConnState) {
	t.front.mu.Lock()
	defer t.front.mu.Unlock()
	switch s {
	case http.StateNew:
		t.conns++
	case http.StateClosed, http.StateHijacked:
		t.conns--
		t.front.forget(t)
	}
}

// Accept returns net.ErrClosed when the turn is over.
func (t *turn) Accept() (net.Conn, error) {
	select {
	case a := <-t.taken:
		return a.conn, a.err
	case <-t.over:
		return nil, net.ErrClosed
	}
}

// Close ends the turn and leaves the listener to the next one.
func (t *turn) Close() error {
	t.once.Do(func() { close(t.over) })
	return nil
}

// Addr returns the address of the listener.
func (t *turn) Addr() net.Addr { return t.front.listener.Addr() }
