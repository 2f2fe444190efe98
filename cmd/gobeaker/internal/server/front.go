package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// front is what takes connections: one listener and, because an http.Server cannot be
// given other timeouts while it serves, one http.Server after the other.
type front struct {
	listener    net.Listener
	handler     http.Handler
	faults      *log.Logger     // of net/http
	base        context.Context // of all requests
	failed      chan<- error    // why no connection can be taken any more
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	served      sync.WaitGroup
	accepting   sync.WaitGroup // accept
	handed      sync.WaitGroup // connections that a turn has got, and its server not yet

	after func(time.Duration) <-chan time.Time
	// draining: clients are told to go.
	draining atomic.Bool
	linger   time.Duration // what idle connections get to hear of that

	mu     sync.Mutex
	now    *turn             // takes connections
	turns  []*turn           // that one, and those before it that still have connections
	closed bool              // nothing is served any more
	fresh  map[net.Conn]bool // connections whose first request has not begun
	calm   chan struct{}     // closed when there are none; nil: nobody waits for that
	empty  chan struct{}     // closed when there are no connections; nil: nobody waits for that
}

// newcomer is a connection in the context of its requests.
type newcomer struct {
	net.Conn
	begun atomic.Bool // its first request has
}

type newcomerKey struct{}

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

// manner is how an http.Server treats its clients.
type manner struct {
	readHeader, read, write, idle time.Duration
	stall                         time.Duration // without any progress; 0: no limit
	headerBytes                   int
	tls, h2c                      bool
}

// accepted is what a listener returned.
type accepted struct {
	conn net.Conn
	err  error
}

// serve treats further connections in this manner. Those that are there stay with
// the server that they have.
func (f *front) serve(m manner) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	t := &turn{front: f, taken: make(chan accepted), over: make(chan struct{})}
	t.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.answer(w, r, m) }),
		ReadHeaderTimeout: m.readHeader,
		ReadTimeout:       m.read,
		WriteTimeout:      m.write,
		IdleTimeout:       m.idle,
		MaxHeaderBytes:    m.headerBytes,
		ErrorLog:          f.faults,
		BaseContext:       func(net.Listener) context.Context { return f.base },
		ConnState:         t.count,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, newcomerKey{}, &newcomer{Conn: c})
		},
		Protocols: new(http.Protocols),
	}
	t.server.Protocols.SetHTTP1(true)
	t.server.Protocols.SetHTTP2(m.tls)
	t.server.Protocols.SetUnencryptedHTTP2(m.h2c)
	serve := t.server.Serve
	if m.tls {
		t.server.TLSConfig = &tls.Config{GetCertificate: f.certificate, MinVersion: tls.VersionTLS12}
		serve = func(l net.Listener) error { return t.server.ServeTLS(l, "", "") }
	}
	before := f.now
	f.now, f.turns = t, append(f.turns, t)
	if before == nil {
		f.accepting.Go(f.accept)
	} else {
		before.Close()
	}
	f.served.Go(func() {
		err := serve(t)
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

// answer has a request answered. While the server drains, the client is told to come back
// by another connection (RFC 9112, section 9.6; HTTP/2 gets a GOAWAY for it).
func (f *front) answer(w http.ResponseWriter, r *http.Request, m manner) {
	if c := r.Context().Value(newcomerKey{}).(*newcomer); !c.begun.Swap(true) {
		f.mu.Lock()
		f.known(c.Conn)
		f.mu.Unlock()
	}
	if f.draining.Load() && r.Header.Get("Upgrade") == "" {
		w.Header().Set("Connection", "close")
	}
	if m.stall == 0 {
		f.handler.ServeHTTP(w, r)
		return
	}
	m.patient(w, r, f.handler)
}

// known drops a connection from those that are fresh. The caller has f.mu.
func (f *front) known(c net.Conn) {
	delete(f.fresh, c)
	if len(f.fresh) == 0 && f.calm != nil {
		close(f.calm)
		f.calm = nil
	}
}

// freshTime is how long a stop waits for the first request of a connection, as net/http
// itself does.
const freshTime = 5 * time.Second

// settle waits until the first request of each connection has begun. A server that is told
// to stop drops a request that it has just read.
func (f *front) settle(ctx context.Context) {
	f.mu.Lock()
	if len(f.fresh) == 0 {
		f.mu.Unlock()
		return
	}
	calm := make(chan struct{})
	f.calm = calm
	f.mu.Unlock()
	select {
	case <-calm:
	case <-ctx.Done():
	case <-f.after(freshTime):
	}
}

// part waits for idle connections: a client may have sent its next request already when it
// is told to go, and would have to guess whether that was done. It hears it with the answer.
func (f *front) part(ctx context.Context) {
	f.draining.Store(true)
	f.mu.Lock()
	if f.linger == 0 || f.open() == 0 {
		f.mu.Unlock()
		return
	}
	empty := make(chan struct{})
	f.empty = empty
	f.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	case <-f.after(f.linger):
	}
}

// open is how many connections there are. The caller has f.mu.
func (f *front) open() (n int) {
	for _, t := range f.turns {
		n += t.conns
	}
	return n
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

// give reports false if no turn takes connections any more. That a listener was closed to
// stop is nothing that a turn has to know.
func (f *front) give(a accepted) bool {
	for {
		t := f.present()
		if a.err != nil && f.stopped() {
			return false
		}
		select {
		case <-t.over:
		default:
			if a.err == nil {
				f.handed.Add(1)
			}
			select {
			case t.taken <- a:
				return true
			case <-t.over:
				if a.err == nil {
					f.handed.Done()
				}
			}
		}
		if f.present() == t {
			return false
		}
	}
}

func (f *front) stopped() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
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

// shutdown takes no more connections and waits for the requests under way. Those that were
// accepted are answered: a server that is told to stop closes what it does not know yet.
func (f *front) shutdown(ctx context.Context) error {
	turns := f.stop()
	f.listener.Close()
	f.accepting.Wait()
	f.handed.Wait()
	f.part(ctx)
	for _, t := range turns {
		t.server.SetKeepAlivesEnabled(false) // closes those that are idle
	}
	f.settle(ctx)
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

// finish waits for answers to requests that were just told to end.
func (f *front) finish(ctx context.Context) {
	for _, t := range f.stop() {
		_ = t.server.Shutdown(ctx)
	}
}

// close ends the requests under way.
func (f *front) close() {
	for _, t := range f.stop() {
		t.server.Close()
	}
}

// count follows how many connections the server has; those that were taken over by a
// handler are not its own any more.
func (t *turn) count(c net.Conn, s http.ConnState) {
	f := t.front
	f.mu.Lock()
	defer f.mu.Unlock()
	switch s {
	case http.StateNew:
		if f.fresh == nil {
			f.fresh = map[net.Conn]bool{}
		}
		f.fresh[c] = true
		f.handed.Done()
		t.conns++
	case http.StateClosed, http.StateHijacked:
		f.known(c)
		t.conns--
		f.forget(t)
		if f.empty != nil && f.open() == 0 {
			close(f.empty)
			f.empty = nil
		}
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
