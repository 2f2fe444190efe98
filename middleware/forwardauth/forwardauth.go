// Package forwardauth answers proxies that ask who may come in: nginx's auth_request,
// forward_auth of Traefik and caddy, Envoy's ext_authz over HTTP.
//
// The proxy asks before it passes a request on. What it asks about stands in headers of
// its question, in the path for Envoy; the visitor's cookies come with it. The answer is
// 200 with the headers that tell the application who the visitor is, or 401, 403, or a
// redirect to the login page. A store that is down is 503, never 401. docs/forward-auth.md
// has configurations for each proxy.
//
// Proxies copy the headers that they are told to copy, and not all of them remove what
// the client sent under the same names. So a 200 has every header that the policy may
// set, empty where there is no value; for Envoy, which has a word for it, those are
// named in X-Envoy-Auth-Headers-To-Remove.
package forwardauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/middleware/internal/match"
)

// ErrConfig is wrapped by every error of [New].
var ErrConfig = errors.New("bad forward-auth configuration")

// Options configure [New].
type Options struct {
	// Sessions reads the session of a question. What [New] returns is wrapped by it.
	Sessions *middleware.Sessions
	// Rules say which policy a request is asked about; the most specific one counts, as
	// with the gateway's routes: exact host before wildcard before any host, then the
	// longest prefix, then the rule that names methods.
	Rules []Rule
	// Policies may be asked for by name, as in /auth?policy=staff; what the proxy asks for
	// so goes before the rules.
	Policies map[string]*identity.Policy
	// Default is the policy where no rule is; nil: 403.
	Default *identity.Policy
	// UserInfo is the policy whose headers /userinfo tells; nil: Default, and if that is
	// nil, too, there is no /userinfo.
	UserInfo *identity.Policy
	// Trusted are the proxies that may ask. What anybody else sends about the original
	// request is not believed: 403.
	Trusted forwarded.Trusted
	// NoTouch: a request that is asked about does not count as a use of the session.
	NoTouch bool
	// Log is told of questions that are refused or cannot be answered; nil: nobody is.
	Log *slog.Logger
	// Observe is told of each answer: the endpoint ("/auth"), the name of the policy that
	// was asked ("" if it has none, or none was asked), the status. Nil: nobody is.
	Observe func(endpoint, policy string, status int)
	// Now is the clock of the limits on log lines; nil: time.Now.
	Now func() time.Time
}

// Rule says whom the policy is for.
type Rule struct {
	// Hosts are the names that it is for, without port, in any case: "app.example.org",
	// or "*.example.org" for every name below. None: all.
	Hosts []string
	// Prefix is matched on segment boundaries: "/app" takes "/app" and "/app/x", not
	// "/apple". "/" or "" takes everything.
	Prefix string
	// Methods that it is for; none: all. GET takes HEAD as well.
	Methods []string
	Policy  *identity.Policy
}

// The endpoints.
const (
	pathAuth        = "/auth"
	pathForwardAuth = "/forward-auth"
	pathExtAuthz    = "/ext-authz"
	pathUserInfo    = "/userinfo"
)

// New returns the endpoints /auth, /forward-auth, /ext-authz/… and /userinfo as one
// handler, which is safe for concurrent use. It does no I/O; errors wrap [ErrConfig].
func New(o Options) (http.Handler, error) {
	if o.Sessions == nil {
		return nil, fmt.Errorf("forwardauth: %w: no sessions", ErrConfig)
	}
	h := &handler{trusted: o.Trusted, noTouch: o.NoTouch, log: o.Log, observe: o.Observe, now: o.Now, named: map[string]*target{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.observe == nil {
		h.observe = func(string, string, int) {}
	}
	if h.now == nil {
		h.now = time.Now
	}
	for name, p := range o.Policies {
		if name == "" || p == nil {
			return nil, fmt.Errorf("forwardauth: policy %q: %w: it has no name, or there is none of that name", name, ErrConfig)
		}
		h.named[name] = newTarget(p)
	}
	var err error
	if h.rules, h.methods, err = compile(o.Rules); err != nil {
		return nil, fmt.Errorf("forwardauth: %w: %w", ErrConfig, err)
	}
	if o.Default != nil {
		h.fallback = newTarget(o.Default)
	}
	if h.userInfo = h.fallback; o.UserInfo != nil {
		h.userInfo = newTarget(o.UserInfo)
	}
	for _, p := range o.policies() {
		h.names = append(h.names, p.Names()...)
	}
	h.strangers, _ = lru.New[netip.Addr, struct{}](knownStrangers) // an error only for a size below 1
	h.refusals = rate.NewLimiter(rate.Every(linesEvery), linesBurst)
	h.failures = rate.NewLimiter(rate.Every(linesEvery), linesBurst)
	return o.Sessions.Wrap(h), nil
}

// policies are all that there are, some more than once.
func (o *Options) policies() (all []*identity.Policy) {
	for _, p := range o.Policies {
		all = append(all, p)
	}
	for i := range o.Rules {
		all = append(all, o.Rules[i].Policy)
	}
	return slices.DeleteFunc(append(all, o.Default, o.UserInfo), func(p *identity.Policy) bool { return p == nil })
}

// Log lines that whoever likes can cause: at first linesBurst of a kind, then one each
// linesEvery. Of the peers that may not ask, one line each, for so many of them.
const (
	linesEvery     = 5 * time.Second
	linesBurst     = 10
	knownStrangers = 1024
)

type handler struct {
	rules              *match.Table[*target]
	methods            bool // some rule names methods
	named              map[string]*target
	fallback, userInfo *target  // nil: none
	names              []string // of the headers that some policy may set
	trusted            forwarded.Trusted
	noTouch            bool
	log                *slog.Logger
	observe            func(endpoint, policy string, status int)
	now                func() time.Time

	strangers          *lru.Cache[netip.Addr, struct{}]
	refusals, failures *rate.Limiter
}

// target is a policy and what is asked of it again and again.
type target struct {
	policy *identity.Policy
	name   string
	names  []string // of all headers that it may set
}

func newTarget(p *identity.Policy) *target {
	return &target{policy: p, name: p.Name(), names: p.Names()}
}

// ServeHTTP answers a question. Of the path only what stands there counts: a mux would
// clean, and so change, what Envoy asks about.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case path == pathAuth:
		h.ask(w, r, pathAuth, readAuth)
	case path == pathForwardAuth:
		h.ask(w, r, pathForwardAuth, readForwardAuth)
	case strings.HasPrefix(path, pathExtAuthz+"/"):
		h.ask(w, r, pathExtAuthz, readExtAuthz)
	case path == pathUserInfo && h.userInfo != nil:
		h.tellUserInfo(w, r)
	default:
		answer(w, http.StatusNotFound)
	}
}

// ask answers a question of a proxy.
func (h *handler) ask(w http.ResponseWriter, r *http.Request, endpoint string, read func(*http.Request) (question, error)) {
	peer, trusted := h.trusted.Peer(r)
	if !trusted {
		h.refuseStranger(r.Context(), endpoint, peer)
		h.finish(w, endpoint, nil, http.StatusForbidden)
		return
	}
	q, err := read(r)
	var t *target
	if err == nil {
		t, err = h.choose(&q)
	}
	if err == nil && t != nil {
		err = h.checkOverride(&q, t, r.Header)
	}
	switch {
	case errors.Is(err, errUnknownPolicy): // never the default: it may be laxer
		h.warn(r.Context(), h.failures, "forward-auth: the proxy asks for a policy that there is not", endpoint, err)
		h.finish(w, endpoint, nil, http.StatusInternalServerError)
		return
	case err != nil:
		h.warn(r.Context(), h.refusals, "forward-auth: the question cannot be believed", endpoint, err)
		h.finish(w, endpoint, nil, http.StatusBadRequest)
		return
	case t == nil: // no rule, no default: nobody
		h.finish(w, endpoint, nil, http.StatusForbidden)
		return
	}
	q.Client = clientText(h.trusted.Origin(r).Client)
	q.Page = identity.IsPage(q.Method, r.Header)
	q.Header = h.believable(t, r.Header)

	view, err := middleware.Peek(r)
	d := t.policy.Decide(&q.Request, view, err)
	h.note(r.Context(), endpoint, t, &d)
	if d.Status == http.StatusOK && !h.noTouch {
		if err := middleware.Touch(r); err != nil {
			h.warn(r.Context(), h.failures, "forward-auth: the use of a session could not be written down", endpoint, err)
		}
	}
	h.tell(w, endpoint, t, &d)
}

// believable returns what an expression may see of a header: nothing that a policy tells,
// and nothing that proxies tell, as not all of them remove what the client sent.
func (h *handler) believable(t *target, in http.Header) http.Header {
	if !t.policy.LooksAt("header") {
		return nil
	}
	out := make(http.Header, len(in))
	for name, values := range in {
		if !forwarded.Told(name) {
			out[name] = values
		}
	}
	identity.Delete(out, h.names)
	return out
}

// checkOverride refuses a question by whose header some applications would take another
// method, if the answer depends on the method: proxies pass such a header on.
func (h *handler) checkOverride(q *question, t *target, header http.Header) error {
	if t.policy.LooksAt("method") || h.methods && q.policy == "" {
		for _, name := range match.Overrides {
			if len(header[name]) > 0 {
				return fmt.Errorf("%s is there, and the policy depends on the method", name)
			}
		}
	}
	return nil
}

// tell answers with what the policy decided.
func (h *handler) tell(w http.ResponseWriter, endpoint string, t *target, d *identity.Decision) {
	status := d.Status
	switch status {
	case http.StatusOK:
		tellHeaders(w.Header(), endpoint, t.names, d.Header)
	case http.StatusFound:
		w.Header().Set("Location", d.Location)
		if endpoint == pathAuth {
			// nginx takes a redirect for an error; of a 401 it can be told where to go.
			status = http.StatusUnauthorized
		}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable:
	default:
		status = http.StatusInternalServerError
	}
	h.finish(w, endpoint, t, status)
}

// tellHeaders sets the headers of a 200: those that have a value, and those that have
// none, so that what the client sent under their names goes.
func tellHeaders(out http.Header, endpoint string, names []string, told http.Header) {
	var none []string
	for _, name := range names {
		switch values := told[name]; {
		case len(values) > 0:
			out[name] = values
		case endpoint == pathExtAuthz:
			none = append(none, name)
		default:
			out[name] = []string{""}
		}
	}
	if len(none) > 0 {
		out.Set("X-Envoy-Auth-Headers-To-Remove", strings.Join(none, ", "))
	}
}

// finish sends an answer and tells the observer.
func (h *handler) finish(w http.ResponseWriter, endpoint string, t *target, status int) {
	name := ""
	if t != nil {
		name = t.name
	}
	h.observe(endpoint, name, status)
	answer(w, status)
}

// challenge is the WWW-Authenticate of a 401, which RFC 9110, 15.5.2 demands. Browsers
// ask for a password only at the schemes that they know, and this is none of them.
const challenge = "Session"

// answer sends a status, and for people a line of text if the proxy passes that on.
func answer(w http.ResponseWriter, status int) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	switch status {
	case http.StatusOK:
		w.WriteHeader(status)
		return
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", challenge)
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%d %s\n", status, http.StatusText(status))
}

// note logs what an administrator wants to know of a decision.
func (h *handler) note(ctx context.Context, endpoint string, t *target, d *identity.Decision) {
	level, limit := slog.LevelDebug, (*rate.Limiter)(nil)
	switch {
	case d.Status == http.StatusServiceUnavailable:
		level, limit = slog.LevelError, h.failures
	case d.Status == http.StatusOK && d.Reason == "":
		return
	case d.Status == http.StatusOK: // a value that no header can hold
		level, limit = slog.LevelWarn, h.failures
	}
	if !h.log.Enabled(ctx, level) || limit != nil && !limit.AllowN(h.now(), 1) {
		return
	}
	attrs := []slog.Attr{slog.String("endpoint", endpoint), slog.String("policy", t.name), slog.Int("status", d.Status), slog.String("reason", d.Reason)}
	if d.Err != nil {
		attrs = append(attrs, slog.Any("error", d.Err))
	}
	h.log.LogAttrs(ctx, level, "forward-auth: decided", attrs...)
}

func (h *handler) warn(ctx context.Context, limit *rate.Limiter, text, endpoint string, err error) {
	if limit.AllowN(h.now(), 1) {
		h.log.LogAttrs(ctx, slog.LevelWarn, text, slog.String("endpoint", endpoint), slog.Any("error", err))
	}
}

// refuseStranger logs once who asks without being a trusted proxy: often it is one that
// was forgotten in the configuration.
func (h *handler) refuseStranger(ctx context.Context, endpoint string, peer netip.Addr) {
	if known, _ := h.strangers.ContainsOrAdd(peer, struct{}{}); known || !h.refusals.AllowN(h.now(), 1) {
		return
	}
	h.log.LogAttrs(ctx, slog.LevelWarn, "forward-auth: asked by somebody who is not a trusted proxy",
		slog.String("endpoint", endpoint), slog.String("peer", clientText(peer)))
}

// clientText is an address as text, "" if there is none, as on a Unix socket.
func clientText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
