// Package server assembles what "gobeaker serve" runs: the gateway of package
// middleware, the built-in page, the access log and the shutdown, from a Config.
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
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// Environment is what the server takes from outside.
type Environment struct {
	Stdout io.Writer               // gets the line with the URL
	Stderr io.Writer               // gets the log
	Getenv func(key string) string // for secrets
	Now    func() time.Time        // for the access log and sessions
}

// Server is a configured server. Make one with New, then Run it once.
type Server struct {
	config  Config
	env     Environment
	log     *slog.Logger
	gateway *middleware.Gateway
	store   stores.Store // of the session page; nil if there is none
	// upgraded counts handlers that may own their connection: Shutdown does not
	// wait for those.
	upgraded sync.WaitGroup
}

// New checks the configuration and puts the server together. It opens no
// address yet; a session store that is configured must be there.
func New(ctx context.Context, c Config, env Environment) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	s := &Server{config: c, env: env, log: newLogger(c.Log, env.Stderr)}
	routes, err := s.routes(ctx)
	if err != nil {
		return nil, err
	}
	s.gateway, err = middleware.NewGateway(middleware.GatewayOptions{
		Routes:          routes,
		Log:             s.log,
		DialTimeout:     time.Duration(c.Server.DialTimeout),
		ResponseTimeout: time.Duration(c.Server.ResponseTimeout),
	})
	if err != nil {
		return nil, fmt.Errorf("server: [[route]]: %w: %w", ErrConfig, err)
	}
	return s, nil
}

func newLogger(c Log, w io.Writer) *slog.Logger {
	level, _ := c.level() // validated
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// routes turns the configured routes into the gateway's. The page is made only
// if a route leads to it; a [session] is checked in any case.
func (s *Server) routes(ctx context.Context) ([]middleware.Route, error) {
	configured := s.config.Routes
	if len(configured) == 0 {
		configured = []Route{{Prefix: "/", Upstream: BuiltinSession}}
	}
	var builtin http.Handler
	var out []middleware.Route
	for _, r := range configured {
		route := middleware.Route{Prefix: r.Prefix, Upstream: r.Upstream, StripPrefix: r.StripPrefix}
		if r.Upstream == BuiltinSession {
			if builtin == nil {
				h, err := s.sessionPage(ctx)
				if err != nil {
					return nil, err
				}
				builtin = h
			}
			route = middleware.Route{Prefix: r.Prefix, Handler: builtin, StripPrefix: true}
		}
		out = append(out, route)
	}
	if builtin == nil && s.config.Session != nil {
		if _, err := s.config.options(s.env.Getenv, s.log); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sessionPage makes the built-in page over the configured sessions.
func (s *Server) sessionPage(ctx context.Context) (http.Handler, error) {
	o, err := s.config.options(s.env.Getenv, s.log)
	if err != nil {
		return nil, err
	}
	if s.config.Session == nil {
		o.HTTPOnly = true // nothing of Python's to agree with
	}
	if o.Secret == "" && (s.config.Session == nil || s.config.file == "") {
		o.Secret = newSecret()
		if o.DataDir != "" {
			s.log.Warn("the sessions are signed with a new secret that ends with this process; set GOBEAKER_SECRET or secret_file to that of the Python applications")
		}
	}
	store, err := backend.Open(o)
	if err != nil {
		return nil, fmt.Errorf("server: [session]: %w: %w", ErrConfig, err)
	}
	s.store = store
	if p, ok := stores.As[stores.Pinger](store); ok {
		if err := p.Ping(ctx); err != nil {
			return nil, fmt.Errorf("server: session store: %w", err)
		}
	}
	manager, err := compat.New(o, store, compat.Environment{Now: s.env.Now, Logger: s.log})
	if err != nil {
		return nil, fmt.Errorf("server: [session]: %w: %w", ErrConfig, err)
	}
	_, alone := store.(*memstore.Store)
	shared := !alone
	editable := s.config.Session == nil || s.config.Session.Editable
	if editable && s.config.Session != nil {
		s.log.Warn("the session page is editable: whoever reaches it can set and delete any key of their own session, those that applications trust included; remove editable from [session] unless this is a test")
	}
	page, err := newPage(shared, editable, s.log)
	if err != nil {
		return nil, err
	}
	return middleware.NewSessions(manager, middleware.SessionsOptions{Logger: s.log}).Wrap(page), nil
}

// Handler returns all that the server answers with.
func (s *Server) Handler() http.Handler {
	var h http.Handler = s.gateway
	if s.config.Log.Access {
		h = accessLog(h, s.log, s.env.Now)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			s.upgraded.Add(1)
			defer s.upgraded.Done()
		}
		h.ServeHTTP(w, r)
	})
}

// Run listens, prints one line with the URL, and serves until ctx ends. Then
// it takes no new requests and waits for those under way, at most for the
// drain timeout; upgraded connections are closed when the others are done.
func (s *Server) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("server: listen: %w%s; choose another address with --listen", err, listenHint(err))
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: time.Duration(s.config.Server.ReadHeaderTimeout),
		IdleTimeout:       time.Duration(s.config.Server.IdleTimeout),
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	fmt.Fprintf(s.env.Stdout, "gobeaker: serving %s (%s)\n", urlOf(listener.Addr()), s.what())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("server: %w", err)
	case <-ctx.Done():
	}
	return s.stop(server, cancel, served)
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

// stop ends a running server gracefully.
func (s *Server) stop(server *http.Server, cancel context.CancelFunc, served <-chan error) error {
	s.log.Info("stopping", "drain_timeout", time.Duration(s.config.Server.DrainTimeout))
	drain, done := context.WithTimeout(context.Background(), time.Duration(s.config.Server.DrainTimeout))
	defer done()
	err := server.Shutdown(drain)
	cancel() // upgraded connections and what was too slow
	if err != nil {
		s.log.Warn("requests were still under way when the drain timeout ended")
		server.Close()
	}
	<-served // http.ErrServerClosed
	if err == nil {
		s.upgraded.Wait()
	}
	s.gateway.Close()
	if c, ok := s.store.(io.Closer); ok {
		_ = c.Close()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("server: stop: %w", err)
	}
	return nil
}

// what says in a word what is served.
func (s *Server) what() string {
	switch n := len(s.config.Routes); n {
	case 0:
		return "the session page"
	case 1:
		return "1 route of " + s.config.file
	default:
		return strconv.Itoa(n) + " routes of " + s.config.file
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
