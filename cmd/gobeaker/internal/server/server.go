// Package server assembles what "gobeaker serve" runs: the gateway of package
// middleware, the built-in page, the access log, the reload of the configuration and the
// shutdown, from a Config.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/iniconf/watch"
	"github.com/gobeaker/gobeaker/middleware"
)

// Environment is what the server takes from outside.
type Environment struct {
	Stdout io.Writer               // gets the line with the URL
	Stderr io.Writer               // gets the log
	Getenv func(key string) string // for secrets
	Now    func() time.Time        // for the access log and sessions
	// Reload reads the configuration again when one of its files has changed. Nil: they
	// are not watched.
	Reload func() (Config, error)
	// Hangup has everything read again, and the store opened anew, for each value:
	// SIGHUP. Nil: never.
	Hangup <-chan os.Signal
	// Settle is how long it must have been quiet after a change; 0: the default of
	// package watch.
	Settle time.Duration
	// After is the clock of the reload. Nil: time.After.
	After func(time.Duration) <-chan time.Time
}

// Server is a configured server. Make one with New, then Run it once.
type Server struct {
	env     Environment
	listen  string // the address of the first configuration, and so of all
	serving *middleware.Switch
	now     atomic.Pointer[state]
	reading chan struct{} // holds one value while the files are read for a reload
	// upgraded counts handlers that may own their connection: Shutdown does not
	// wait for those.
	upgraded sync.WaitGroup

	mu      sync.Mutex // one reload at a time; it guards what follows
	secret  string     // made for a server that was given none
	failure string     // of the last reload; "" if it went well
	owed    bool       // the store is still to be opened anew, as that reload was to do
	asked   string     // the address of the last configuration, for all that it is not taken
	files   *watch.Watcher
	front   *front
	drained sync.WaitGroup // states that were replaced and are still in use
	ended   chan struct{}  // closed when nothing is in use any more
}

// New checks the configuration and puts the server together. It opens no
// address yet; a session store that is configured must be there.
func New(ctx context.Context, c Config, env Environment) (*Server, error) {
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.After == nil {
		env.After = time.After
	}
	env.Stderr = &lockedWriter{w: env.Stderr}
	s := &Server{env: env, listen: c.Listen, asked: c.Listen, reading: make(chan struct{}, 1), ended: make(chan struct{})}
	first, err := s.resolve(c)
	if err != nil {
		return nil, err
	}
	if err := s.build(ctx, first, nil, false); err != nil {
		return nil, err
	}
	s.now.Store(first)
	s.serving = middleware.NewSwitch(first.handler)
	return s, nil
}

// lockedWriter lets the loggers of several states write to the same place.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// presentLog is the log of the present configuration, for those who stay longer than it.
type presentLog struct{ *Server }

func (l presentLog) handler() slog.Handler { return l.now.Load().log.Handler() }

func (l presentLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.handler().Enabled(ctx, level)
}

func (l presentLog) Handle(ctx context.Context, r slog.Record) error {
	return l.handler().Handle(ctx, r)
}

func (l presentLog) WithAttrs(attrs []slog.Attr) slog.Handler { return l.handler().WithAttrs(attrs) }

func (l presentLog) WithGroup(name string) slog.Handler { return l.handler().WithGroup(name) }

// Handler returns all that the server answers with.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			s.upgraded.Add(1)
			defer s.upgraded.Done()
		}
		s.serving.ServeHTTP(w, r)
	})
}

// Run listens, prints one line with the URL, and serves until ctx ends; meanwhile it
// follows its configuration. Then it takes no new requests and waits for those under
// way, at most for the drain timeout; upgraded connections are closed when the others
// are done.
func (s *Server) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("server: listen: %w%s; choose another address with --listen", err, listenHint(err))
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	first := s.now.Load().config
	s.front = &front{
		listener: listener, handler: s.Handler(), base: base, failed: make(chan error, 1),
		faults: slog.NewLogLogger(presentLog{s}, slog.LevelDebug),
	}
	s.front.serve(first.Server)
	fmt.Fprintf(s.env.Stdout, "gobeaker: serving %s (%s)\n", urlOf(listener.Addr()), first.what())
	following, unfollow := context.WithCancel(ctx)
	followed := s.follow(following)
	select {
	case err = <-s.front.failed:
	case <-ctx.Done():
	}
	unfollow()
	stuck := false
	select {
	case <-followed:
	case <-s.env.After(pingTime):
		stuck = true
		s.now.Load().log.Warn("a reload does not end: the server stops without it")
	}
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return s.stop(cancel, stuck)
}

// listenHint says what probably keeps the server from listening.
func listenHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": another program listens there"
	case errors.Is(err, fs.ErrPermission):
		return ": ports below 1024 are for root"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": no such address on this machine"
	}
	return ""
}

// stop ends a running server gracefully. What a reload that is stuck may be using is left
// as it is.
func (s *Server) stop(cancel context.CancelFunc, stuck bool) error {
	last := s.now.Load()
	timeout := time.Duration(last.config.Server.DrainTimeout)
	last.log.Info("stopping", "drain_timeout", timeout)
	drain, done := context.WithTimeout(context.Background(), timeout)
	defer done()
	err := s.front.shutdown(drain)
	cancel() // upgraded connections and what was too slow
	if err != nil {
		last.log.Warn("requests were still under way when the drain timeout ended")
		s.front.close()
	}
	s.front.served.Wait()
	if err == nil {
		s.upgraded.Wait()
	}
	if !stuck {
		close(s.ended)
		s.drained.Wait()
		s.release(last)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("server: stop: %w", err)
	}
	return nil
}

// what says in a word what is served.
func (c *Config) what() string {
	switch n := len(c.Routes); n {
	case 0:
		return "the session page"
	case 1:
		return "1 route of " + c.file()
	default:
		return strconv.Itoa(n) + " routes of " + c.file()
	}
}

// urlOf returns the address to open in a browser.
func urlOf(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}
