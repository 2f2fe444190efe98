package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// state is what one configuration comes to: all that a reload replaces. A request is
// answered by one state from its beginning to its end.
type state struct {
	config   Config
	sessions *iniconf.Effective
	log      *slog.Logger
	gateway  *middleware.Gateway
	page     *pageStore // nil: no route leads to the page
	store    string     // where the page's store comes from: new, reopened, kept; "" if there is none
	handler  http.Handler
}

// pageStore is the store of the session page, which several states may share.
type pageStore struct {
	stores.Store // nil: sessions in their cookies
	options      compat.Options
	users        int // states; guarded by Server.mu
}

// resolve checks a configuration. With an error the state has at least the files that
// are known.
func (s *Server) resolve(c Config) (*state, error) {
	e, err := c.effective(s.env.Getenv)
	n := &state{config: c, sessions: e}
	if invalid := c.validate(); invalid != nil {
		return n, invalid
	}
	if err != nil {
		return n, err
	}
	n.log = newLogger(c.Log, s.env.Stderr)
	return n, nil
}

func newLogger(c Log, w io.Writer) *slog.Logger {
	level, _ := c.level() // validated
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// build makes the handler of a state that was resolved. It takes over the store of
// before, the present state (nil at first), if it is what n needs, and unless it is to be
// reopened.
func (s *Server) build(ctx context.Context, n, before *state, reopen bool) (err error) {
	defer func() {
		if err == nil || before == nil { // a reload that fails is tried more than once
			n.warn(before)
		}
		if err != nil {
			s.release(n)
		}
	}()
	routes, err := s.routes(ctx, n, before, reopen)
	if err != nil {
		return err
	}
	o := middleware.GatewayOptions{
		Routes:          routes,
		Log:             n.log,
		DialTimeout:     time.Duration(n.config.Server.DialTimeout),
		ResponseTimeout: time.Duration(n.config.Server.ResponseTimeout),
	}
	n.gateway, err = middleware.NewGateway(o)
	if err != nil {
		return fmt.Errorf("server: %s[[route]]: %w: %w", n.config.atRoute(o), ErrConfig, err)
	}
	n.handler = n.gateway
	if n.config.Log.Access {
		n.handler = accessLog(n.gateway, n.log, s.env.Now)
	}
	return nil
}

// warn logs the warnings that the state before, which may be nil, did not have.
func (n *state) warn(before *state) {
	for _, w := range n.sessions.Warnings {
		if before == nil || !slices.Contains(texts(before.sessions.Warnings), w.String()) {
			n.log.Warn("ini file", "warning", w.String())
		}
	}
	if n.editsOthers() && (before == nil || !before.editsOthers()) {
		n.log.Warn("the session page is editable: whoever reaches it can set and delete any key of their own session, those that applications trust included; remove editable from [session] unless this is a test")
	}
}

func texts(warnings []iniconf.Warning) (out []string) {
	for _, w := range warnings {
		out = append(out, w.String())
	}
	return out
}

// atRoute says where the first route stands that the gateway refuses.
func (c *Config) atRoute(o middleware.GatewayOptions) string {
	all := o.Routes
	for i := range all {
		o.Routes = all[:i+1]
		if _, err := middleware.NewGateway(o); err != nil {
			return c.at("route", strconv.Itoa(i))
		}
	}
	return ""
}

// at returns "file:line: " of a key of the file, or "" if it is not in one or its value
// comes from elsewhere.
func (c *Config) at(key ...string) string {
	if c.outside[strings.Join(key, "-")] {
		return ""
	}
	line := c.meta.Line(key...)
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", c.file(), line)
}

// routes turns the configured routes into the gateway's. The page is made only
// if a route leads to it.
func (s *Server) routes(ctx context.Context, n, before *state, reopen bool) ([]middleware.Route, error) {
	configured := n.config.Routes
	if len(configured) == 0 {
		configured = []Route{{Prefix: "/", Upstream: BuiltinSession}}
	}
	var builtin http.Handler
	var out []middleware.Route
	for _, r := range configured {
		route := middleware.Route{Prefix: r.Prefix, Upstream: r.Upstream, StripPrefix: r.StripPrefix}
		if r.Upstream == BuiltinSession {
			if builtin == nil {
				h, err := s.sessionPage(ctx, n, before, reopen)
				if err != nil {
					return nil, err
				}
				builtin = h
			}
			route = middleware.Route{Prefix: r.Prefix, Handler: builtin, StripPrefix: true}
		}
		out = append(out, route)
	}
	return out, nil
}

// sessionPage makes the built-in page over the configured sessions.
func (s *Server) sessionPage(ctx context.Context, n, before *state, reopen bool) (http.Handler, error) {
	o := n.sessions.Options
	if n.config.Session == nil {
		o.HTTPOnly = true // nothing of Python's to agree with
	}
	if o.Secret == "" && (n.config.Session == nil || n.config.meta == nil) {
		if s.secret == "" {
			s.secret = newSecret()
			if o.DataDir != "" {
				n.log.Warn("the sessions are signed with a new secret that ends with this process; set GOBEAKER_SECRET or secret_file to that of the Python applications")
			}
		}
		o.Secret = s.secret
	}
	if err := s.openStore(ctx, n, before, o, reopen); err != nil {
		return nil, err
	}
	manager, err := compat.New(o, n.page.Store, compat.Environment{Now: s.env.Now, Logger: n.log})
	if err != nil {
		return nil, fmt.Errorf("server: %s[session]: %w: %w", n.config.at("session"), ErrConfig, err)
	}
	_, alone := n.page.Store.(*memstore.Store)
	page, err := newPage(!alone, n.editable(), n.log)
	if err != nil {
		return nil, err
	}
	return middleware.NewSessions(manager, middleware.SessionsOptions{Logger: n.log}).Wrap(page), nil
}

func (n *state) editable() bool { return n.config.Session == nil || n.config.Session.Editable }

// editsOthers reports whether the page changes sessions that are not its own.
func (n *state) editsOthers() bool {
	return n.page != nil && n.config.Session != nil && n.config.Session.Editable
}

// openStore gives n the store of before if that is the same, else a new one that is there.
func (s *Server) openStore(ctx context.Context, n, before *state, o compat.Options, reopen bool) error {
	n.store = "new"
	if before != nil && before.page != nil && backend.Same(o, before.page.options) {
		n.store = "reopened"
		if _, memory := before.page.Store.(*memstore.Store); memory || !reopen {
			n.store = "kept"
			n.page = before.page
			n.page.users++
			return nil
		}
	}
	store, err := backend.Open(o)
	if err != nil {
		return fmt.Errorf("server: %s[session]: %w: %w", n.config.at("session"), ErrConfig, err)
	}
	n.page = &pageStore{Store: store, options: o, users: 1}
	if store == nil { // sessions in their cookies
		n.store = ""
	}
	if p, ok := stores.As[stores.Pinger](store); ok {
		if err := p.Ping(ctx); err != nil {
			return fmt.Errorf("server: session store: %w", err)
		}
	}
	return nil
}

// release gives back what a state holds when nobody uses it any more.
func (s *Server) release(n *state) {
	if n.gateway != nil {
		n.gateway.Close()
	}
	if n.page == nil {
		return
	}
	if n.page.users--; n.page.users == 0 {
		if c, ok := stores.As[io.Closer](n.page.Store); ok {
			_ = c.Close()
		}
	}
}
