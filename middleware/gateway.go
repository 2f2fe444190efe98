package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrGateway is wrapped by every error of [NewGateway].
var ErrGateway = errors.New("bad gateway configuration")

// Route says who answers the requests under a path prefix.
type Route struct {
	// Prefix is matched on segment boundaries: "/app" takes "/app" and
	// "/app/x", not "/apple". "/" takes everything.
	Prefix string
	// Upstream is "http://host:port", with or without a base path, or
	// "unix:/path/to.sock".
	Upstream string
	// Handler answers in this process, in place of an Upstream.
	Handler http.Handler
	// StripPrefix takes Prefix off the path before the request is passed on and
	// tells the upstream by X-Forwarded-Prefix.
	StripPrefix bool
}

// GatewayOptions configure [NewGateway].
type GatewayOptions struct {
	// Routes in any order: the longest prefix wins.
	Routes []Route
	// NotFound answers what no route takes; nil: 404.
	NotFound http.Handler
	// Log is told of upstreams that fail; nil: nobody is.
	Log *slog.Logger
	// DialTimeout limits the time to connect to an upstream; 0: 10 seconds.
	DialTimeout time.Duration
	// ResponseTimeout limits the time from the end of the request to the head of
	// the response (it does not cut streams); 0: no limit.
	ResponseTimeout time.Duration
}

// Gateway is an [http.Handler] that passes requests on by path prefix: the old
// application and the new service behind one address, so that they share
// cookies. It leaves Cookie and Set-Cookie, bodies, query strings and the Host
// as they are, sets X-Forwarded-For, -Host, -Proto and -Prefix (and deletes what
// the client sent under such names, and headers whose name has an underscore),
// streams in both directions and passes WebSocket connections through.
//
// A Gateway is safe for concurrent use.
type Gateway struct {
	routes     []gatewayRoute // longest prefix first
	notFound   http.Handler
	buffers    bufferPool
	transports []*http.Transport
}

type gatewayRoute struct {
	prefix  string // without a trailing slash; "" takes everything
	handler http.Handler
}

// NewGateway checks the routes and returns the Gateway. It connects to nothing:
// an upstream that is down is a 502 per request until it comes up.
func NewGateway(o GatewayOptions) (*Gateway, error) {
	g := &Gateway{notFound: o.NotFound, buffers: newBufferPool()}
	if g.notFound == nil {
		g.notFound = http.HandlerFunc(gatewayNotFound)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	seen := map[string]bool{}
	for _, r := range o.Routes {
		compiled, err := g.compile(r, o)
		if err != nil {
			return nil, fmt.Errorf("middleware: gateway: route %q: %w: %w", r.Prefix, ErrGateway, err)
		}
		if seen[compiled.prefix] {
			return nil, fmt.Errorf("middleware: gateway: route %q: %w: there are two routes of this prefix", r.Prefix, ErrGateway)
		}
		seen[compiled.prefix] = true
		g.routes = append(g.routes, compiled)
	}
	slices.SortStableFunc(g.routes, func(a, b gatewayRoute) int { return len(b.prefix) - len(a.prefix) })
	return g, nil
}

// Close closes the idle connections to the upstreams. Requests that are under
// way go on.
func (g *Gateway) Close() {
	for _, t := range g.transports {
		t.CloseIdleConnections()
	}
}

// ServeHTTP passes the request on to the route of the longest prefix.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		gatewayPage(w, http.StatusMethodNotAllowed, "This is not a forward proxy.")
		return
	}
	if hasDotSegment(r.URL.Path) {
		// Whose prefix it is would depend on who resolves the dots.
		gatewayPage(w, http.StatusBadRequest, "The path of this address has . or .. in it.")
		return
	}
	for i := range g.routes {
		route := &g.routes[i]
		if underPrefix(r.URL.Path, route.prefix) {
			route.handler.ServeHTTP(w, r)
			return
		}
	}
	g.notFound.ServeHTTP(w, r)
}

func (g *Gateway) compile(r Route, o GatewayOptions) (gatewayRoute, error) {
	if !strings.HasPrefix(r.Prefix, "/") || strings.ContainsAny(r.Prefix, "?#%\x00") || hasDotSegment(r.Prefix) {
		return gatewayRoute{}, errors.New("a prefix is a plain path that begins with /")
	}
	c := gatewayRoute{prefix: strings.TrimRight(r.Prefix, "/")}
	if r.Handler != nil {
		if r.Upstream != "" {
			return c, errors.New("give an upstream or a handler, not both")
		}
		c.handler = r.Handler
		if r.StripPrefix {
			c.handler = stripHandler(c.prefix, r.Handler)
		}
		return c, nil
	}
	u, socket, err := parseUpstream(r.Upstream)
	if err != nil {
		return c, err
	}
	t := newTransport(socket, o)
	g.transports = append(g.transports, t)
	c.handler = &httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { rewrite(p, c.prefix, r.StripPrefix, u) },
		Transport:     t,
		FlushInterval: -1, // what the application flushes, the browser gets
		BufferPool:    g.buffers,
		ErrorLog:      slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			upstreamFailed(w, r, err, c.prefix, o.Log)
		},
	}
	return c, nil
}

// parseUpstream returns where to send requests, and the socket's path if it is
// a Unix socket.
func parseUpstream(s string) (u *url.URL, socket string, err error) {
	const unixForm = "unix:"
	if strings.HasPrefix(s, unixForm) {
		socket = strings.TrimPrefix(strings.TrimPrefix(s, unixForm), "//")
		if !strings.HasPrefix(socket, "/") {
			return nil, "", errors.New("unix: wants the absolute path of a socket, as in unix:/run/app.sock")
		}
		return &url.URL{Scheme: "http", Host: "localhost"}, socket, nil
	}
	u, err = url.Parse(s)
	switch {
	case s == "":
		return nil, "", errors.New("it has no upstream: give http://host:port or unix:/path/to.sock")
	case err != nil || u.Scheme != "http" || u.Host == "":
		return nil, "", errors.New("an upstream is http://host:port or unix:/path/to.sock")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, "", errors.New("an upstream has no user, query or fragment")
	}
	return u, "", nil
}

// idleUpstream is how long a connection waits for its next request. It must be
// less than what the upstream waits: a POST that meets a connection that was
// just closed cannot be sent again and would be a 502. gunicorn waits 2 seconds.
const idleUpstream = time.Second

// newTransport returns a transport that changes nothing on the way: no
// proxy of the environment, no compression of its own.
func newTransport(socket string, o GatewayOptions) *http.Transport {
	dialer := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}
	if dialer.Timeout == 0 {
		dialer.Timeout = 10 * time.Second
	}
	t := &http.Transport{
		DialContext:           dialer.DialContext,
		DisableCompression:    true,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       idleUpstream,
		ExpectContinueTimeout: time.Second,
		ResponseHeaderTimeout: o.ResponseTimeout,
	}
	if socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}

func rewrite(p *httputil.ProxyRequest, prefix string, strip bool, upstream *url.URL) {
	deleteSpoofed(p.Out.Header)
	if u := p.Out.Header.Get("Upgrade"); u != "" && !strings.EqualFold(u, "websocket") {
		// Another protocol (h2c) would carry requests that no route has seen.
		p.Out.Header.Del("Upgrade")
		p.Out.Header.Del("Connection")
	}
	p.SetXForwarded()
	p.Out.Host = p.In.Host // applications make links and cookies of it
	if strip && prefix != "" {
		stripPrefix(p.Out.URL, prefix)
		p.Out.Header.Set("X-Forwarded-Prefix", prefix)
	}
	if upstream.Path != "" && upstream.Path != "/" {
		// Joined as text: JoinPath would clean the rest, which is not ours.
		base := strings.TrimRight(upstream.EscapedPath(), "/")
		p.Out.URL.RawPath = base + p.Out.URL.EscapedPath()
		p.Out.URL.Path = strings.TrimRight(upstream.Path, "/") + p.Out.URL.Path
	}
	p.Out.URL.Scheme, p.Out.URL.Host = upstream.Scheme, upstream.Host
	// The proxy drops parameters that Go cannot parse (a;b=c); Python can.
	p.Out.URL.RawQuery = p.In.URL.RawQuery
}

// deleteSpoofed removes what a client says about the way it came and about
// where the application is mounted. Names with an underscore go altogether, as
// in nginx: WSGI folds X_Forwarded_For into X-Forwarded-For, and gunicorn takes
// SCRIPT_NAME from a proxy that it trusts.
func deleteSpoofed(h http.Header) {
	for name := range h {
		n := strings.ToLower(name)
		if strings.Contains(n, "_") || strings.HasPrefix(n, "x-forwarded") || slices.Contains(spoofed, n) {
			delete(h, name)
		}
	}
}

// spoofed are other headers by which proxies tell applications such things.
var spoofed = []string{
	"forwarded", "x-real-ip", "x-script-name", "x-scheme", "x-url-scheme", "x-original-url", "x-rewrite-url",
	"x-original-host", "x-host", "proxy",
}

// stripPrefix takes prefix off u's path, escaped and not.
func stripPrefix(u *url.URL, prefix string) {
	escaped := u.EscapedPath()
	u.Path = rootedRest(u.Path, prefix)
	u.RawPath = ""
	if p := (&url.URL{Path: prefix}).EscapedPath(); underPrefix(escaped, p) {
		u.RawPath = rootedRest(escaped, p)
	}
}

func rootedRest(path, prefix string) string {
	if rest := strings.TrimPrefix(path, prefix); rest != "" {
		return rest
	}
	return "/"
}

func stripHandler(prefix string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r2 := *r
		u := *r.URL
		r2.URL = &u
		stripPrefix(r2.URL, prefix)
		h.ServeHTTP(w, &r2)
	})
}

func underPrefix(path, prefix string) bool {
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/' || prefix == "")
}

func hasDotSegment(path string) bool {
	for rest := path; rest != ""; {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// upstreamFailed answers for an upstream that gave no response. The page does
// not say where the upstream is; the log does.
func upstreamFailed(w http.ResponseWriter, r *http.Request, err error, prefix string, log *slog.Logger) {
	if r.Context().Err() != nil { // the client left: there is nobody to answer
		log.Debug("client left before the upstream answered", "prefix", prefix+"/")
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	status, text := http.StatusBadGateway, "The application behind this address does not answer. Try again in a moment."
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		status, text = http.StatusGatewayTimeout, "The application behind this address took too long to answer. Try again in a moment."
	}
	log.Error("upstream failed", "prefix", prefix+"/", "status", status, "error", err)
	gatewayPage(w, status, text)
}

func gatewayNotFound(w http.ResponseWriter, _ *http.Request) {
	gatewayPage(w, http.StatusNotFound, "Nothing is served at this address.")
}

// gatewayPage answers with a page of fixed text.
func gatewayPage(w http.ResponseWriter, status int, text string) {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>%s</title></head>
<body><main><h1>%s</h1><p>%s</p></main></body></html>
`, title, title, text)
}

// bufferPool lends the buffers in which bodies are copied.
type bufferPool struct{ pool *sync.Pool }

func newBufferPool() bufferPool {
	return bufferPool{&sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}
}

func (p bufferPool) Get() []byte  { return *p.pool.Get().(*[]byte) }
func (p bufferPool) Put(b []byte) { p.pool.Put(&b) }
