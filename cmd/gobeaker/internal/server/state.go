package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/telemetry"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
	"github.com/gobeaker/gobeaker/stores"
)

// state is what one configuration comes to: all that a reload replaces. A request is
// answered by one state from its beginning to its end.
type state struct {
	config    settings.Config
	effective *iniconf.Effective // the options of the sessions
	material  material
	exposed   []exposedFile // that are open to others
	files     []string      // all that the configuration was read from
	log       *slog.Logger
	trusted   forwarded.Trusted

	store    *openStore // nil: nothing looks into sessions
	came     string     // where it comes from: new, reopened, kept; "" if there is none
	counted  stores.Store
	manager  *compat.Manager
	sessions *middleware.Sessions
	refused  *middleware.Refusals // nil: no limit
	hasPage  bool                 // a route leads to the session page

	policies    []string // their names
	gateway     *gateway.Gateway
	forwardAuth http.Handler            // nil: nobody asks
	handlers    map[string]http.Handler // by place
}

// resolve checks a configuration. With an error the state has at least the files that
// are known.
func (s *Server) resolve(c settings.Config) (*state, error) {
	e, err := c.Effective(s.env.Getenv)
	n := &state{config: c, effective: e, files: slices.Clone(e.Files)}
	if err := errors.Join(c.Validate(), err); err != nil {
		return n, err
	}
	if n.material, err = readMaterial(&n.config, s.env.Getenv, &n.files); err != nil {
		return n, err
	}
	n.exposed = findExposed(&n.config)
	if n.trusted, err = n.parseTrusted(c.TrustedProxies, "trusted_proxies"); err != nil {
		return n, err
	}
	n.log = telemetry.NewLogger(s.env.Stderr, c.Log.Format, c.Log.SlogLevel())
	return n, nil
}

// build makes the handlers of a state that was resolved. It takes over the store of
// before, the present state (nil at first), if it is what n needs, and unless it is to be
// reopened.
func (s *Server) build(ctx context.Context, n, before *state, reopen bool) (err error) {
	defer func() {
		if err == nil || before == nil { // a reload that fails is tried more than once
			s.warn(n, before)
		}
		if err != nil {
			s.release(n)
		}
	}()
	if err := errors.Join(s.needsConfigured(&n.config), s.checkReach(n)); err != nil {
		return err
	}
	if s.needsSessions(n) {
		if err := s.openSessions(ctx, n, before, reopen); err != nil {
			return err
		}
	}
	p, err := newPolicies(&n.config, n.material, s.env.Now)
	if err != nil {
		return err
	}
	if s.hasForwardAuth(&n.config) {
		if n.forwardAuth, err = s.newForwardAuth(n, p); err != nil {
			return err
		}
	}
	if err := s.newGateway(n, before, p); err != nil {
		return err
	}
	n.policies = p.labels
	return s.handle(n)
}

// needsConfigured refuses to decide by sessions that nobody has.
func (s *Server) needsConfigured(c *settings.Config) error {
	if c.Session != nil {
		return nil
	}
	const why = "there is no [session], and so no sessions of an application"
	for i := range c.Routes {
		if c.Routes[i].HasPolicy() {
			key := []string{"route", strconv.Itoa(i)}
			return fmt.Errorf("server: %s%s has a policy: %w: %s", c.At(key...), c.Name(key...), settings.ErrConfig, why)
		}
	}
	switch {
	case s.hasForwardAuth(c):
		return fmt.Errorf("server: %s[forward_auth]: %w: %s", c.At("forward_auth"), settings.ErrConfig, why)
	case s.has(apiPlace, c.API.Listen):
		return fmt.Errorf("server: %s[api]: %w: %s", c.At("api"), settings.ErrConfig, why)
	}
	return nil
}

func (s *Server) newGateway(n, before *state, p *policies) error {
	routes, err := s.routes(n, p)
	if err != nil {
		return err
	}
	o := gateway.Options{
		Routes:          routes,
		Sessions:        n.sessions,
		Trusted:         n.trusted,
		IdentityHeaders: p.names,
		Log:             n.log,
		Observe:         s.metrics.Attempt,
		Transport:       s.metrics.Transport,
		Now:             s.env.Now,
		DialTimeout:     time.Duration(n.config.Server.DialTimeout),
		ResponseTimeout: time.Duration(n.config.Server.ResponseTimeout),
	}
	if before != nil {
		o.Before = before.gateway
	}
	if s.checking {
		err = gateway.Check(o)
	} else {
		n.gateway, err = gateway.New(o)
	}
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*gateway.RouteError](err); ok {
		key := []string{"route", strconv.Itoa(wrong.Index)}
		return fmt.Errorf("server: %s%s: %w: %w", n.config.At(key...), n.config.Name(key...), settings.ErrConfig, wrong.Err)
	}
	return fmt.Errorf("server: %s[[route]]: %w: %w", n.config.At("route"), settings.ErrConfig, err)
}

// handle puts the handlers of all places together.
func (s *Server) handle(n *state) error {
	n.handlers = map[string]http.Handler{}
	if s.has(mainPlace, s.addresses(&n.config)[mainPlace]) {
		n.handlers[mainPlace] = n.gateway
	}
	if s.has(forwardPlace, n.config.ForwardAuth.Listen) {
		n.handlers[forwardPlace] = n.forwardAuth
	}
	if s.has(apiPlace, n.config.API.Listen) {
		api, err := sessionapi.New(sessionapi.Options{
			Sessions: n.sessions, Tokens: n.material.apiTokens, Open: n.config.API.Open, Hosts: n.config.API.Hosts,
			MaxBody: int64(n.config.API.MaxBody), Answers: s.answers, Log: n.log,
		})
		if err != nil {
			return fmt.Errorf("server: %s[api]: %w: %w", n.config.At("api"), settings.ErrConfig, err)
		}
		n.handlers[apiPlace] = api
	}
	if s.has(adminPlace, n.config.Admin.Listen) {
		admin, err := s.admin(n)
		if err != nil {
			return err
		}
		n.handlers[adminPlace] = admin
	}
	for name := range s.places {
		if n.handlers[name] == nil { // its listener stays until a restart
			n.handlers[name] = http.NotFoundHandler()
		}
	}
	for name, h := range n.handlers {
		n.handlers[name] = s.metrics.Wrap(name, h, n.log, telemetry.LogOptions{
			// Probes and scrapes would drown the others; the inspector logs what is done with it.
			Access: n.config.Log.Access && name != adminPlace, NoTrace: name == adminPlace,
			UserAgent: n.config.Log.Agent, Trusted: n.trusted,
		})
	}
	return nil
}

// tell has the metrics know what is served.
func (s *Server) tell(n *state) {
	s.metrics.Serving(telemetry.Serving{
		Routes:    n.gateway.Routes(),
		Policies:  n.policies,
		Upstreams: n.gateway.Upstreams,
		Certificates: func() map[string]*x509.Certificate {
			if n.material.cert == nil {
				return nil
			}
			return map[string]*x509.Certificate{mainPlace: n.material.cert.Leaf}
		},
	})
}

// warn logs the warnings that the state before, which may be nil, did not have.
func (s *Server) warn(n, before *state) {
	for _, w := range n.effective.Warnings {
		if before == nil || !slices.Contains(texts(before.effective.Warnings), w.String()) {
			n.log.Warn("ini file", "warning", w.String())
		}
	}
	for _, f := range n.exposed {
		if before == nil || !slices.Contains(before.exposed, f) {
			n.log.Warn("other users of this machine can read or change a secret: chmod g-w,o= for its file", "option", f.option, "file", f.path, "mode", f.mode.String())
		}
	}
	if before == nil && n.config.File() == "" && len(n.config.Routes) == 0 && n.config.Session == nil {
		n.log.Info("there is no gobeaker.toml in this folder, and --config names no other one: this is only the session page; \"gobeaker help serve\" shows a file to begin with")
	}
	if n.editsOthers() && (before == nil || !before.editsOthers()) {
		n.log.Warn("the session page is editable: whoever reaches it can set and delete any key of their own session, those that applications trust included; remove editable from [session] unless this is a test")
	}
	if n.beginsUnknown() && (before == nil || !before.beginsUnknown()) {
		n.log.Warn(`sessions that begin here are written as Beaker 1.12 and later write them; if the Python applications have an older one, they take them for corrupt: say peer in [session], as in "beaker-1.11/python2"`)
	}
	if s.isOpen(n) && (before == nil || !s.isOpen(before)) {
		n.log.Warn("the inspector asks for no token: every user of this machine can see and end sessions by it; give [admin] token_files, or listen at unix:/path")
	}
}

// isOpen reports whether the inspector is for every user of the machine.
func (s *Server) isOpen(n *state) bool {
	a := n.config.Admin
	return a.Inspector && s.has(adminPlace, a.Listen) && len(n.material.users) == 0 && !strings.HasPrefix(s.addressOf(adminPlace, &n.config), "unix:")
}

func texts(warnings []iniconf.Warning) (out []string) {
	for _, w := range warnings {
		out = append(out, w.String())
	}
	return out
}

// release gives back what a state holds when nobody uses it any more.
func (s *Server) release(n *state) {
	if n.gateway != nil {
		n.gateway.Close()
	}
	if n.store == nil {
		return
	}
	if n.store.users--; n.store.users == 0 {
		if c, ok := stores.As[io.Closer](n.store.Store); ok {
			_ = c.Close()
		}
	}
}
