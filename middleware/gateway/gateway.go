package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/middleware/internal/match"
)

// Gateway is an [http.Handler] that passes requests on: the old application and the new
// service behind one address, so that they share cookies. It streams in both directions
// and passes WebSocket connections through. Make one with [New].
//
// A Gateway is safe for concurrent use.
type Gateway struct {
	opts       Options
	table      *table
	routes     []*route
	secret     map[string]bool // headers that no client may send, in canonical form
	transports transports
	buffers    bufferPool
	exchanges  sync.Pool
	errorLog   *log.Logger
	strangers  atomic.Uint64

	stop    context.CancelFunc
	watches sync.WaitGroup
}

// route is a compiled Route.
type route struct {
	conf    Route
	name    string
	prefix  string // without a slash at its end
	targets []*target
	turn    atomic.Uint32 // whose it is
	seed    uint64        // of the lots that it draws
}

// New checks the options and returns the Gateway. Health checks begin at once; else it
// connects to nothing: an upstream that is down is a 502 per request until it comes up.
// Errors about a route are a [*RouteError]. Close the Gateway when it is used no more.
func New(o Options) (*Gateway, error) {
	g, err := newGateway(o)
	if err != nil {
		return nil, err
	}
	g.takeOver(o.Before)
	g.opts.Before = nil // whose own one would be kept for ever, too
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	for _, r := range g.routes {
		if r.conf.Health == nil {
			continue
		}
		for _, t := range r.targets {
			g.watches.Go(func() { g.watch(ctx, r, t) })
		}
	}
	return g, nil
}

// takeOver takes what another Gateway knows of the upstreams of routes of the same name.
func (g *Gateway) takeOver(before *Gateway) {
	if before == nil {
		return
	}
	known := map[[2]string]*target{}
	for _, r := range before.routes {
		for _, t := range r.targets {
			known[[2]string{r.name, t.name}] = t
		}
	}
	for _, r := range g.routes {
		for _, t := range r.targets {
			if b := known[[2]string{r.name, t.name}]; b != nil {
				t.ill.Store(r.conf.Health != nil && b.ill.Load()) // else nobody would find it well again
				t.skipTill.Store(b.skipTill.Load())
			}
		}
	}
}

// Check returns the error that [New] would, and begins no health checks.
func Check(o Options) error {
	_, err := newGateway(o)
	return err
}

// newGateway is New without the health checks.
func newGateway(o Options) (*Gateway, error) {
	g := &Gateway{opts: o, buffers: newBufferPool(), secret: map[string]bool{}}
	if g.opts.NotFound == nil {
		g.opts.NotFound = http.HandlerFunc(nothingHere)
	}
	if g.opts.Log == nil {
		g.opts.Log = slog.New(slog.DiscardHandler)
	}
	if g.opts.Now == nil {
		g.opts.Now = time.Now
	}
	if g.opts.After == nil {
		g.opts.After = time.After
	}
	g.errorLog = slog.NewLogLogger(g.opts.Log.Handler(), slog.LevelDebug)
	g.exchanges.New = g.newExchange
	for _, name := range o.IdentityHeaders {
		if !match.PlainName(name) {
			return nil, fmt.Errorf("gateway: identity header %q: %w: a name is of letters, digits and hyphens", name, ErrConfig)
		}
		g.secret[http.CanonicalHeaderKey(name)] = true
	}
	groups, err := g.compile()
	if err != nil {
		return nil, err
	}
	g.table = newTable(groups)
	return g, nil
}

// believable returns the header of a request without what no client has the right to send.
func (g *Gateway) believable(in http.Header) http.Header {
	out := make(http.Header, len(in))
	for name, values := range in {
		if !g.forged(name) {
			out[name] = values
		}
	}
	return out
}

// compile makes the routes and returns them in groups.
func (g *Gateway) compile() ([]*group, error) {
	var groups []*group
	byKey := map[string]*group{}
	named := map[string]bool{}
	index := map[*route]int{}
	for i := range g.opts.Routes {
		conf := g.opts.Routes[i]
		fail := func(name string, err error) error { return &RouteError{Index: i, Name: name, Err: err} }
		m, err := match.Compile(match.Rule{Hosts: conf.Hosts, Prefix: conf.Prefix, Methods: conf.Methods, Headers: conf.Headers})
		if err != nil {
			return nil, fail(cmp.Or(conf.Name, conf.Prefix), err)
		}
		r := &route{conf: conf, name: cmp.Or(conf.Name, m.String()), prefix: m.Prefix()}
		if conf.Name != "" && named[r.name] {
			return nil, fail(r.name, errors.New("there are two routes of this name"))
		}
		for n := 2; named[r.name]; n++ {
			r.name = fmt.Sprintf("%s #%d", &m, n)
		}
		named[r.name] = true
		r.seed = number(r.name)
		if err := g.compileRoute(r); err != nil {
			return nil, fail(r.name, err)
		}
		key := m.Key()
		gr := byKey[key]
		if gr == nil {
			for _, o := range groups {
				if m.Clashes(&o.match) {
					return nil, fail(r.name, fmt.Errorf("there are two routes of this match: %s has it, too, for one of the hosts or methods", o.routes[0].name))
				}
			}
			gr = &group{match: m, gateway: g, sticky: conf.Sticky}
			byKey[key] = gr
			groups = append(groups, gr)
		}
		gr.routes = append(gr.routes, r)
		gr.policy = append(gr.policy, conf.Identity)
		g.routes = append(g.routes, r)
		index[r] = i
	}
	for _, gr := range groups {
		if r, err := checkShares(gr.routes); err != nil {
			return nil, &RouteError{Index: index[r], Name: r.name, Err: err}
		}
		if len(gr.match.Methods()) > 0 || slices.ContainsFunc(gr.policy, func(p *identity.Policy) bool { return p != nil && p.LooksAt("method") }) {
			for _, name := range match.Overrides {
				g.secret[name] = true
			}
		}
		if err := gr.mount(); err != nil {
			return nil, &RouteError{Index: index[gr.routes[0]], Name: gr.routes[0].name, Err: err}
		}
	}
	return groups, nil
}

func (g *Gateway) compileRoute(r *route) error {
	conf := &r.conf
	switch {
	case conf.Handler != nil && len(conf.Upstreams) > 0:
		return errors.New("give an upstream or a handler, not both")
	case conf.Handler == nil && len(conf.Upstreams) == 0:
		return errors.New("it has no upstream: give http://host:port or unix:/path/to.sock")
	case conf.Handler != nil && conf.Health != nil:
		return errors.New("a handler in this process has no health to check")
	case conf.Retries < 0 || conf.ResponseTimeout < 0:
		return errors.New("retries and times are not negative")
	case conf.Sticky != "" && conf.Weight == nil:
		return errors.New("sticky is for routes that share by weight")
	}
	if err := conf.Health.check(); err != nil {
		return err
	}
	for _, name := range conf.HideCookies {
		if name == "" || strings.ContainsAny(name, "=;, \t") {
			return fmt.Errorf("hide cookies: %q is not the name of a cookie", name)
		}
	}
	if conf.Identity != nil {
		for _, name := range conf.Identity.Names() {
			g.secret[http.CanonicalHeaderKey(name)] = true
		}
	}
	secure := false
	for i, s := range conf.Upstreams {
		u, socket, err := parseUpstream(s)
		if err != nil {
			return err
		}
		for _, before := range conf.Upstreams[:i] {
			if before == s {
				return errors.New("one of its upstreams is there twice")
			}
		}
		t := &target{name: s, url: u, websocket: u.Scheme != schemeH2C}
		secure = secure || u.Scheme == schemeHTTPS
		base, err := g.transports.get(u.Scheme, socket, conf, &g.opts)
		if err != nil {
			return err
		}
		if u.Scheme == schemeH2C {
			u.Scheme = "http"
		}
		if t.bare, t.transport = base, base; g.opts.Transport != nil {
			t.transport = g.opts.Transport(base)
		}
		r.targets = append(r.targets, t)
	}
	if !secure && !conf.TLS.isZero() {
		return errors.New("tls is for https upstreams, and it has none")
	}
	return nil
}

// mount gives the group its sessions if it needs them: to check who comes, or to know
// visitors by.
func (gr *group) mount() error {
	gr.handler = gr
	needed := len(gr.routes) > 1
	for _, p := range gr.policy {
		needed = needed || p != nil
	}
	if !needed {
		return nil
	}
	if gr.gateway.opts.Sessions == nil {
		return errors.New("it needs sessions, for its identity or its weight, and there are none")
	}
	gr.handler = gr.gateway.opts.Sessions.Wrap(gr)
	return nil
}

// Close ends the health checks and closes the idle connections to the upstreams. Requests
// that are under way go on.
func (g *Gateway) Close() {
	g.stop()
	g.watches.Wait()
	for _, t := range g.transports.made {
		t.CloseIdleConnections()
	}
}

// Routes are the names of all routes, as attempts and notes have them.
func (g *Gateway) Routes() []string {
	var names []string
	for _, r := range g.routes {
		names = append(names, r.name)
	}
	return names
}

// Upstreams tells how the upstreams of all routes are.
func (g *Gateway) Upstreams() []UpstreamState {
	var states []UpstreamState
	now := g.opts.Now()
	for _, r := range g.routes {
		for _, t := range r.targets {
			states = append(states, UpstreamState{Route: r.name, Upstream: t.name,
				Healthy: !t.ill.Load() && !t.skipped(now), InFlight: t.inFlight.Load()})
		}
	}
	return states
}

// ServeHTTP passes the request on to the most specific route that takes it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		refuse(w, r, http.StatusMethodNotAllowed, "method", "This is not a forward proxy.")
		return
	case r.Method == http.MethodTrace:
		// It would show a page what only applications are told.
		refuse(w, r, http.StatusMethodNotAllowed, "method", "TRACE is not passed on.")
		return
	case strings.ToUpper(r.Method) != r.Method:
		refuse(w, r, http.StatusBadRequest, "method", "Methods are written in capitals.")
		return
	}
	host, err := forwarded.ReadHost(r.Host)
	if err != nil && r.Host != "" { // HTTP/1.0 has none
		refuse(w, r, http.StatusBadRequest, "host", "The host of this address is none.")
		return
	}
	u := r.URL
	if u.Path == "" && u.Opaque == "" && u.Host != "" { // http://host, which is http://host/
		u = &url.URL{Path: "/"}
	}
	path, err := forwarded.ReadPath(u)
	if err != nil {
		refuseAmbiguous(w, r)
		return
	}
	q := match.Question{Host: host.Name, Method: r.Method, Header: r.Header}
	gr, found := g.table.Find(&q, path.Plain)
	if !found {
		if allowed := g.table.Allowed(&q, path.Plain); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			refuse(w, r, http.StatusMethodNotAllowed, "method", "This address does not take this method.")
			return
		}
		noteReason(r, "no route")
		g.opts.NotFound.ServeHTTP(w, r)
		return
	}
	if g.table.ambiguous(&q, path, gr) {
		refuseAmbiguous(w, r)
		return
	}
	gr.handler.ServeHTTP(w, r)
}

func refuseAmbiguous(w http.ResponseWriter, r *http.Request) {
	refuse(w, r, http.StatusBadRequest, "path", "The path of this address can be read in more than one way.")
}

// ServeHTTP is the part that comes after the sessions.
func (gr *group) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := gr.gateway
	origin := g.opts.Trusted.Origin(r)
	note, _ := r.Context().Value(noteKey{}).(*Note)
	rt, err := gr.choose(r, &origin)
	if rt == nil {
		rt = gr.routes[0]
	}
	if note != nil {
		note.Route = rt.name
	}
	if err != nil {
		unavailable(w, r, g.opts.Log, rt, "the session by which the visitor stays cannot be read", err)
		return
	}
	if rt.conf.StripPrefix && !readableBelow(r.URL, rt.prefix) {
		refuseAmbiguous(w, r)
		return
	}
	var told http.Header
	if rt.conf.Identity != nil {
		if note != nil {
			note.Policy = rt.conf.Identity.Name()
		}
		var ok bool
		if told, ok = gr.admit(w, r, rt, &origin); !ok {
			return
		}
	}
	if rt.conf.Handler != nil {
		rt.conf.Handler.ServeHTTP(w, g.inward(r, rt, told))
		return
	}
	g.pass(w, r, rt, &origin, told, note)
}

// admit asks the policy of a route, and answers for it if it says no.
func (gr *group) admit(w http.ResponseWriter, r *http.Request, rt *route, o *forwarded.Origin) (told http.Header, ok bool) {
	log, policy := gr.gateway.opts.Log, rt.conf.Identity
	q := identity.Request{Method: r.Method, Scheme: o.Scheme, PageHost: o.Host, URI: r.RequestURI, Page: identity.IsPage(r.Method, r.Header)}
	if !strings.HasPrefix(q.URI, "/") {
		q.URI = r.URL.RequestURI()
	}
	if o.Client.IsValid() {
		q.Client = o.Client.String()
	}
	if policy.LooksAt("host") {
		host, _ := forwarded.ReadHost(r.Host) // by which the route was found
		q.Host = host.String()
	}
	if policy.LooksAt("header") {
		q.Header = gr.gateway.believable(r.Header)
	}
	v, err := middleware.Peek(r)
	d := policy.Decide(&q, v, err)
	switch d.Status {
	case http.StatusOK:
		if d.Reason != "" {
			log.WarnContext(r.Context(), "identity", "route", rt.name, "reason", d.Reason)
		}
		if !rt.conf.NoTouch {
			if err := middleware.Touch(r); err != nil {
				log.WarnContext(r.Context(), "session could not be touched", "route", rt.name, "error", err)
			}
		}
		return d.Header, true
	case http.StatusFound:
		w.Header().Set("Location", d.Location)
		refuse(w, r, d.Status, d.Reason, "Please log in first.")
	case http.StatusUnauthorized:
		// Browsers know no such scheme, and so ask for no password (RFC 9110, 11.6.1).
		w.Header().Set("WWW-Authenticate", "Session")
		noteReason(r, d.Reason)
		answerLogin(w, r, policy.LoginPage(&q))
	case http.StatusForbidden:
		refuse(w, r, d.Status, d.Reason, "You may not see this.")
	default:
		unavailable(w, r, log, rt, d.Reason, d.Err)
		return nil, false
	}
	log.DebugContext(r.Context(), "not admitted", "route", rt.name, "status", d.Status, "reason", d.Reason)
	return nil, false
}

// unavailable answers for sessions that cannot be read: nobody is logged out by it.
func unavailable(w http.ResponseWriter, r *http.Request, log *slog.Logger, rt *route, reason string, err error) {
	level := slog.LevelError
	if context.Cause(r.Context()) == context.Canceled { // the client left
		level = slog.LevelDebug
	}
	log.Log(r.Context(), level, "session unavailable", "route", rt.name, "reason", reason, "error", err)
	w.Header().Set("Retry-After", "5")
	refuse(w, r, http.StatusServiceUnavailable, "session unavailable", "The sessions are not to be had at the moment. You are still logged in; try again soon.")
}

// inward returns the request as a handler in this process gets it.
func (g *Gateway) inward(r *http.Request, rt *route, told http.Header) *http.Request {
	in := *r
	in.Trailer = nil // nobody has checked them
	in.Header = make(http.Header, len(r.Header)+len(told))
	for name, values := range r.Header {
		if !match.PlainName(name) || g.secret[http.CanonicalHeaderKey(name)] {
			continue
		}
		in.Header[name] = values
	}
	setCookies(in.Header, r.Header["Cookie"], rt.conf.HideCookies)
	for name, values := range told {
		in.Header[name] = values
	}
	if rt.conf.StripPrefix {
		u := *r.URL
		in.URL = &u
		stripPrefix(in.URL, rt.prefix)
	}
	return &in
}

// Note is what a request turned out to be, for the logs of those around the gateway.
type Note struct {
	Route, Upstream string
	// Policy is the name of the policy that was asked.
	Policy string
	// Reason says in a few words why the gateway itself answered; nothing of the request or
	// of the session is in it.
	Reason string
}

type noteKey struct{}

// WithNote returns a context in which the gateway notes what it does with the request.
// The note may be read when ServeHTTP has returned.
func WithNote(ctx context.Context) (context.Context, *Note) {
	n := &Note{}
	return context.WithValue(ctx, noteKey{}, n), n
}

func noteReason(r *http.Request, reason string) {
	if n, ok := r.Context().Value(noteKey{}).(*Note); ok {
		n.Reason = reason
	}
}

// bufferPool lends the buffers in which bodies are copied.
type bufferPool struct{ pool *sync.Pool }

func newBufferPool() bufferPool {
	return bufferPool{&sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}
}

func (p bufferPool) Get() []byte  { return *p.pool.Get().(*[]byte) }
func (p bufferPool) Put(b []byte) { p.pool.Put(&b) }
