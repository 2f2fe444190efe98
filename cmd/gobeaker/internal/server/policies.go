package server

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/middleware/forwardauth"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/middleware/identity"
)

// policies are the compiled policies of a configuration.
type policies struct {
	config *settings.Config
	now    func() time.Time
	signer *identity.Signer // nil: no assertions
	named  map[string]*identity.Policy
	names  []string // of all headers that any of them sets
	labels []string // of the policies themselves
}

func newPolicies(c *settings.Config, m material, now func() time.Time) (*policies, error) {
	p := &policies{config: c, now: now, named: map[string]*identity.Policy{}}
	if len(m.signing) > 0 {
		signer, err := identity.NewSigner(c.Assertion.Issuer, m.signing...)
		if err != nil {
			return nil, fmt.Errorf("server: %s[assertion]: %w: %w", c.At("assertion"), settings.ErrConfig, err)
		}
		p.signer = signer
	}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(c.Policies)) {
		policy := c.Policies[name]
		compiled, err := p.compile(name, &policy, "", "policy", name)
		all = append(all, err)
		p.named[name] = compiled
	}
	return p, errors.Join(all...)
}

// compile makes a policy; at is where it stands. An audience replaces that of its
// assertion.
func (p *policies) compile(name string, s *settings.Policy, audience string, at ...string) (*identity.Policy, error) {
	o := identity.Options{
		Name: name, Require: s.Require, Groups: s.Groups, AnyGroup: s.AnyGroup, Allow: s.Allow,
		Login: s.Login, LoginHosts: s.LoginHosts, Now: p.now,
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		h := s.Headers[name]
		o.Headers = append(o.Headers, identity.Header{Name: name, Path: h.Path, Join: h.Join, Encode: h.Encode, Default: h.Default})
	}
	if a := s.PolicyAssertion; a != nil {
		o.Assertion = &identity.Assertion{
			Signer: p.signer, Header: a.Header, Audience: a.Audience, Lifetime: time.Duration(a.Lifetime),
			Subject: a.Subject, Claims: a.Claims,
		}
		if audience != "" {
			o.Assertion.Audience = audience
		}
	}
	policy, err := identity.New(o)
	if err != nil {
		where := p.config.Name(at...)
		if at[0] == "policy" {
			where = "[" + where + "]"
		}
		return nil, fmt.Errorf("server: %s%s: %w: %w", p.config.At(at...), where, settings.ErrConfig, bare(err, identity.ErrConfig))
	}
	p.labels = append(p.labels, name)
	for _, name := range policy.Names() {
		if !slices.Contains(p.names, name) {
			p.names = append(p.names, name)
		}
	}
	return policy, nil
}

// of returns the policy of a route or a rule: a named one, one of its own, or nil.
func (p *policies) of(name string, inline *settings.Policy, audience string, at ...string) (*identity.Policy, error) {
	switch {
	case name != "" && audience == "":
		return p.named[name], nil
	case name != "":
		named := p.config.Policies[name]
		return p.compile(name, &named, audience, at...)
	case inline.Empty():
		return nil, nil
	}
	return p.compile(strings.ReplaceAll(p.config.Name(at...), `"`, ""), inline, audience, at...)
}

// bare is the cause of an error that says already what package and which of its kinds it is
// of, beside the place that is known here.
func bare(err, kind error) error {
	if framed, ok := err.(interface{ Unwrap() []error }); ok {
		for _, cause := range framed.Unwrap() {
			if cause != kind {
				return cause
			}
		}
	}
	return err
}

// routes turns the configured routes into the gateway's.
func (s *Server) routes(n *state, p *policies) ([]gateway.Route, error) {
	configured := n.config.Routes
	if len(configured) == 0 && !s.answersOthers(&n.config) {
		configured = []settings.Route{{Prefix: "/", Upstream: settings.BuiltinSession}}
	}
	handlers := map[string]http.Handler{}
	var out []gateway.Route
	for i := range configured {
		r := &configured[i]
		route := gateway.Route{
			Name: r.Name, Hosts: r.Hosts, Prefix: r.Prefix, Methods: r.Methods, Headers: r.MatchHeaders,
			Weight: r.Weight, Sticky: r.Sticky, Upstreams: r.Upstreams, Retries: r.Retries,
			ResponseTimeout: time.Duration(r.ResponseTimeout), StripPrefix: r.StripPrefix,
			HideCookies: slices.Clone(r.HideCookies), NoTouch: r.Touch != nil && !*r.Touch,
		}
		if route.Prefix == "" {
			route.Prefix = "/"
		}
		if i < len(n.material.upstream) {
			route.TLS = n.material.upstream[i]
		}
		if h := r.Health; h != nil {
			route.Health = &gateway.Health{Path: h.Path, Interval: time.Duration(h.Interval), Timeout: time.Duration(h.Timeout), Host: h.Host}
		}
		if r.HideSession {
			route.HideCookies = append(route.HideCookies, n.effective.Options.Key)
		}
		var err error
		if route.Identity, err = p.of(r.PolicyName, &r.Policy, r.Audience, "route", strconv.Itoa(i)); err != nil {
			return nil, err
		}
		switch {
		case strings.HasPrefix(r.Upstream, "builtin:"):
			if handlers[r.Upstream] == nil {
				if handlers[r.Upstream], err = s.builtin(n, p, r.Upstream); err != nil {
					return nil, err
				}
			}
			route.Handler = handlers[r.Upstream]
			if r.Upstream != settings.BuiltinForwardAuth { // which has paths of its own
				route.StripPrefix = true
			}
		case r.Upstream != "":
			route.Upstreams = []string{r.Upstream}
		}
		out = append(out, route)
	}
	return out, nil
}

// builtin makes the handler of an upstream of ours.
func (s *Server) builtin(n *state, p *policies, upstream string) (http.Handler, error) {
	switch upstream {
	case settings.BuiltinForwardAuth:
		return n.forwardAuth, nil
	case settings.BuiltinJWKS:
		return p.signer.JWKS(), nil
	}
	n.hasPage = true
	return n.page()
}

// hasForwardAuth reports whether proxies may ask.
func (s *Server) hasForwardAuth(c *settings.Config) bool {
	return s.has(forwardPlace, c.ForwardAuth.Listen) ||
		slices.ContainsFunc(c.Routes, func(r settings.Route) bool { return r.Upstream == settings.BuiltinForwardAuth })
}

// newForwardAuth makes the endpoints for proxies that ask.
func (s *Server) newForwardAuth(n *state, p *policies) (http.Handler, error) {
	f := n.config.ForwardAuth
	trusted := n.trusted
	switch {
	case len(f.TrustedProxies) > 0:
		var err error
		if trusted, err = n.parseTrusted(f.TrustedProxies, "forward_auth", "trusted_proxies"); err != nil {
			return nil, err
		}
	case len(n.config.TrustedProxies) == 0:
		trusted, _ = forwarded.Parse([]string{"loopback", "unix"})
	}
	o := forwardauth.Options{
		Sessions: n.sessions, Policies: p.named, Default: p.named[f.Policy], UserInfo: p.named[f.UserInfo],
		Trusted: trusted, NoTouch: !f.Touch, Log: n.log, Observe: s.metrics.Authorized, Now: s.env.Now,
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		policy, err := p.of(r.PolicyName, &r.Policy, "", "forward_auth", "rule", strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		prefix := r.Prefix
		if prefix == "" {
			prefix = "/"
		}
		o.Rules = append(o.Rules, forwardauth.Rule{Hosts: r.Hosts, Prefix: prefix, Methods: r.Methods, Policy: policy})
	}
	h, err := forwardauth.New(o)
	if err != nil {
		return nil, fmt.Errorf("server: %s[forward_auth]: %w: %w", n.config.At("forward_auth"), settings.ErrConfig, bare(err, forwardauth.ErrConfig))
	}
	return h, nil
}

// parseTrusted reads a list of proxies that a setting has.
func (n *state) parseTrusted(list []string, key ...string) (forwarded.Trusted, error) {
	t, err := forwarded.Parse(list)
	if err != nil {
		return t, fmt.Errorf("server: %s%s: %w: %w", n.config.At(key...), strings.Join(key, "."), settings.ErrConfig, err)
	}
	return t, nil
}
