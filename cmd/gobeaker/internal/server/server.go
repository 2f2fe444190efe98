// Package server assembles what "gobeaker serve" runs: the gateway, forward-auth, the
// session API, the page for operators and the built-in page, each at its address; the
// reload of the configuration and the shutdown. What it is told is package settings'.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/net/netutil"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspector"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/telemetry"
	"github.com/gobeaker/gobeaker/iniconf/watch"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
)

// Environment is what the server takes from outside.
type Environment struct {
	Stdout io.Writer               // gets the lines with the URLs
	Stderr io.Writer               // gets the log
	Getenv func(key string) string // for secrets
	Now    func() time.Time        // for the access log and sessions
	// Reload reads the configuration again when one of its files has changed. Nil: they
	// are not watched.
	Reload func() (settings.Config, error)
	// Hangup has everything read again, and the store opened anew, for each value:
	// SIGHUP. Nil: never.
	Hangup <-chan os.Signal
	// Settle is how long it must have been quiet after a change; 0: the default of
	// package watch.
	Settle time.Duration
	// Linger is how long connections that are idle stay open at the end, for the client to
	// hear with its next answer that it has to go elsewhere. 0: they do not.
	Linger time.Duration
	// After is the clock of the reload, of the drain and of the watchdog. Nil: time.After.
	After func(time.Duration) <-chan time.Time

	Version, Commit string
	// Sockets are those that systemd opened, by place: "gateway", "forward-auth", "api",
	// "admin".
	Sockets map[string]net.Listener
	// Handover passes the listeners to the next process; nil: it does not.
	Handover *Handover
	// Upgrade has it do so for each value: SIGUSR2. Nil: never.
	Upgrade <-chan os.Signal
	// Notify tells systemd (sd_notify); nil: nobody. Watchdog is its interval; 0: off.
	Notify   func(state string)
	Watchdog time.Duration
}

// Server is a configured server. Make one with New, then Run it once.
type Server struct {
	env       Environment
	places    map[string]*place
	now       atomic.Pointer[state]
	reading   chan struct{} // holds one value while the files are read for a reload
	tracer    *telemetry.Tracer
	metrics   *telemetry.Metrics
	guard     *inspector.Guard
	answers   *sessionapi.Answers
	readiness readiness
	draining  atomic.Bool
	// upgraded counts handlers that may own their connection: Shutdown does not
	// wait for those.
	upgraded sync.WaitGroup
	checking bool  // nothing is connected to
	memory   int64 // the limit of memory that the process began with

	mu      sync.Mutex        // one reload at a time; it guards what follows
	secret  string            // made for a server that was given none
	failure string            // of the last reload; "" if it went well
	owed    bool              // the store is still to be opened anew, as that reload was to do
	fixed   settings.Config   // the first configuration, for what does not change without a restart
	refused map[string]string // what a configuration asked for that needs one, by key
	files   *watch.Watcher
	drained sync.WaitGroup // states that were replaced and are still in use
	ended   chan struct{}  // closed when nothing is in use any more
}

// New checks the configuration and puts the server together. It opens no
// address yet; a session store that is configured must be there.
func New(ctx context.Context, c settings.Config, env Environment) (*Server, error) {
	s := newServer(c, env)
	first, err := s.resolve(c)
	if err != nil {
		return nil, err
	}
	s.now.Store(first)
	log := slog.New(presentLog{s})
	s.tracer, err = telemetry.StartTracing(ctx, tracing(&c, env), log)
	if err != nil {
		return nil, fmt.Errorf("server: %s[tracing]: %w: %w", c.At("tracing"), settings.ErrConfig, err)
	}
	s.metrics = telemetry.NewMetrics(telemetry.Options{
		Version: env.Version, Commit: env.Commit, Tracer: s.tracer, Now: env.Now, Log: log,
	})
	if err := s.build(ctx, first, nil, false); err != nil {
		return nil, errors.Join(err, s.tracer.Stop(ctx))
	}
	at := s.addresses(&c)
	s.places = map[string]*place{}
	for name, h := range first.handlers {
		s.places[name] = &place{name: name, address: at[name], serving: middleware.NewSwitch(h)}
	}
	s.tell(first)
	return s, nil
}

func newServer(c settings.Config, env Environment) *Server {
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.After == nil {
		env.After = time.After
	}
	env.Stderr = &lockedWriter{w: env.Stderr}
	return &Server{
		env: env, fixed: c, refused: map[string]string{}, guard: inspector.NewGuard(env.Now), answers: sessionapi.NewAnswers(env.Now),
		reading: make(chan struct{}, 1), ended: make(chan struct{}),
	}
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

// Run listens, prints one line with the URL of each address, and serves until ctx ends
// or another process takes over; meanwhile it follows its configuration. Then it takes no
// new requests and waits for those under way, at most for the drain timeout; upgraded
// connections are closed when the others are done.
func (s *Server) Run(ctx context.Context) error {
	first := s.now.Load()
	listeners, err := s.listenAll(ctx, &first.config)
	if err != nil {
		return errors.Join(err, s.tracer.Stop(ctx))
	}
	s.memory = debug.SetMemoryLimit(-1)
	s.setMemoryLimit(&first.config)
	collectLater()
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(errStopping)
	failed := make(chan error, 1)
	text := ""
	for _, name := range placeNames {
		p, l := s.places[name], listeners[name]
		if p == nil {
			continue
		}
		text += s.told(name, l.Addr(), first)
		if n := first.config.Limits.Connections; n > 0 && name == mainPlace {
			l = netutil.LimitListener(l, n)
		}
		p.front = &front{
			listener: l, handler: s.counting(p.serving), base: base, failed: failed,
			certificate: s.certificate, after: s.env.After, linger: s.env.Linger, faults: slog.NewLogLogger(presentLog{s}, slog.LevelDebug),
		}
		p.front.serve(mannerOf(&first.config, name))
	}
	io.WriteString(s.env.Stdout, text)
	following, unfollow := context.WithCancel(ctx)
	followed := s.follow(following)
	s.keepAlive(base)
	defer s.env.Handover.removePID()
	if err = s.env.Handover.ready(); err == nil {
		s.notifyReady()
		select {
		case err = <-failed:
		case <-ctx.Done():
		case <-s.env.Handover.taken():
		}
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
	return s.stop(cancel, stuck, ctx.Err() == nil)
}

// told is the line about a place.
func (s *Server) told(name string, at net.Addr, n *state) string {
	if name == mainPlace {
		return fmt.Sprintf("gobeaker: serving %s (%s)\n", urlOf(at, n.material.cert != nil), s.what(&n.config))
	}
	return fmt.Sprintf("gobeaker: %s at %s\n", name, urlOf(at, false))
}

// mannerOf is how clients of a place are treated.
func mannerOf(c *settings.Config, name string) manner {
	m := manner{
		readHeader: time.Duration(c.Server.ReadHeaderTimeout), idle: time.Duration(c.Server.IdleTimeout),
		headerBytes: int(c.Limits.HeaderBytes), stall: time.Duration(c.Server.StallTimeout),
	}
	if name == mainPlace {
		m.read, m.write = time.Duration(c.Server.ReadTimeout), time.Duration(c.Server.WriteTimeout)
		m.tls, m.h2c = c.Server.TLSCertificate != "", c.Server.H2C
		return m
	}
	if name != adminPlace { // where a profile may take longer than that
		m.read = time.Duration(cmp.Or(c.Server.ReadTimeout, settings.Duration(ownReadTimeout)))
	}
	return m
}

// ownReadTimeout is for the places of proxies and services: nobody uploads anything large
// there.
const ownReadTimeout = 30 * time.Second

// certificate is the one of the moment.
func (s *Server) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := s.now.Load().material.cert; cert != nil {
		return cert, nil
	}
	return nil, errors.New("server: there is no certificate any more")
}

// setMemoryLimit has the garbage collector keep to [limits] memory. Without it, what
// GOMEMLIMIT says counts.
func (s *Server) setMemoryLimit(c *settings.Config) {
	limit := int64(c.Limits.Memory)
	if limit == 0 {
		limit = s.memory
	}
	debug.SetMemoryLimit(limit)
}

// stop ends a running server gracefully. What a reload that is stuck may be using is left
// as it is. inherited: another process answers from now on.
func (s *Server) stop(cancel context.CancelCauseFunc, stuck, inherited bool) error {
	last := s.now.Load()
	timeout := time.Duration(last.config.Server.DrainTimeout)
	last.log.Info("stopping", "drain_timeout", timeout, "new_process", inherited)
	s.draining.Store(true)
	for name, p := range s.places {
		p.front.draining.Store(name != adminPlace || inherited)
	}
	if !inherited {
		s.notify(daemon.SdNotifyStopping)
		if d := time.Duration(last.config.Server.DrainDelay); d > 0 {
			<-s.env.After(d)
		}
	}
	drain, done := context.WithTimeout(context.Background(), timeout)
	defer done()
	s.env.Handover.stop() // none from now on
	err := s.shutdown(drain, inherited)
	cancel(errStopping) // upgraded connections and what was too slow
	if err != nil {
		last.log.Warn("requests were still under way when the drain timeout ended")
		last, done := context.WithTimeout(context.Background(), lastTime)
		var all sync.WaitGroup
		for _, p := range s.places {
			all.Go(func() { p.front.finish(last) })
		}
		all.Wait()
		done()
		for _, p := range s.places {
			p.front.close()
		}
	}
	for _, p := range s.places {
		p.front.served.Wait()
	}
	if err == nil {
		s.upgraded.Wait()
	}
	if !stuck {
		close(s.ended)
		s.drained.Wait()
		s.release(last)
	}
	flush, flushed := context.WithTimeout(context.Background(), flushTime)
	defer flushed()
	if stopped := s.tracer.Stop(flush); stopped != nil {
		last.log.Warn("the last traces could not be sent", "error", stopped)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("server: stop: %w", err)
	}
	return nil
}

// errStopping is why requests end that were under way for too long.
var errStopping = errors.New("server: it stops")

// lastTime is how long the answers of such requests are waited for.
const lastTime = time.Second

// flushTime is how long the end waits for the last traces to be sent.
const flushTime = 5 * time.Second

// shutdown takes no more requests and waits for those under way. The address of the
// operators closes last, so that /ready can say what goes on, unless another process
// answers there.
func (s *Server) shutdown(ctx context.Context, inherited bool) error {
	results := make(chan error, len(s.places))
	waiting := 0
	for name, p := range s.places {
		if name != adminPlace || inherited {
			waiting++
			go func() { results <- p.front.shutdown(ctx) }()
		}
	}
	var all []error
	for range waiting {
		all = append(all, <-results)
	}
	if p := s.places[adminPlace]; p != nil && !inherited {
		all = append(all, p.front.shutdown(ctx))
	}
	return errors.Join(all...)
}

// what says in a word what is served.
func (s *Server) what(c *settings.Config) string {
	from := ""
	if file := c.File(); file != "" && !c.Outside("route") {
		from = " of " + file
	}
	switch n := len(c.Routes); n {
	case 0:
		switch {
		case !s.answersOthers(c):
			return "the session page"
		case s.has(mainPlace, s.addresses(c)[mainPlace]):
			return "no routes"
		case !s.has(apiPlace, c.API.Listen):
			return "forward-auth"
		case !s.has(forwardPlace, c.ForwardAuth.Listen):
			return "the session API"
		}
		return "forward-auth and the session API"
	case 1:
		return "1 route" + from
	default:
		return strconv.Itoa(n) + " routes" + from
	}
}
