package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// exchange is one request on its way to an upstream and back. Exchanges are used again:
// what a bare proxy does not allocate, they do not either.
type exchange struct {
	proxy   httputil.ReverseProxy
	gateway *Gateway
	passage
}

// passage is the part of an exchange that is about its request.
type passage struct {
	route  *route
	origin forwarded.Origin
	told   http.Header // who the visitor is
	writer http.ResponseWriter
	note   *Note

	body   *body // nil: none
	target *target
	// path and rawPath are those of the request to the upstream, without its base path.
	path, rawPath string
	// outer is what stood in the response's header before.
	outer []field
}

type field struct {
	name   string
	values []string
}

// flushInterval is how late the browser may get what the application has flushed of a body
// whose length is known, so that head and body of ordinary answers are one write. Streams,
// whose length is not, are passed on at once.
const flushInterval = 10 * time.Millisecond

func (g *Gateway) newExchange() any {
	e := &exchange{gateway: g}
	e.proxy = httputil.ReverseProxy{
		Rewrite:        e.rewrite,
		Transport:      e,
		ModifyResponse: e.arrived,
		ErrorHandler:   e.failed,
		FlushInterval:  flushInterval,
		BufferPool:     g.buffers,
		ErrorLog:       g.errorLog,
	}
	return e
}

// pass passes a request on.
func (g *Gateway) pass(w http.ResponseWriter, r *http.Request, rt *route, o *forwarded.Origin, told http.Header, note *Note) {
	e := g.exchanges.Get().(*exchange)
	e.passage = passage{route: rt, origin: *o, told: told, writer: w, note: note, outer: e.outer[:0]}
	for name, values := range w.Header() {
		e.outer = append(e.outer, field{name, values})
	}
	defer func() { // also if the proxy breaks the connection off by a panic
		if e.target != nil {
			e.target.inFlight.Add(-1)
		}
		clear(e.outer)
		e.passage = passage{outer: e.outer}
		g.exchanges.Put(e)
	}()
	e.proxy.ServeHTTP(w, r)
}

// rewrite makes the request to the upstream, but for what depends on which one it is.
func (e *exchange) rewrite(p *httputil.ProxyRequest) {
	out, h := p.Out, p.Out.Header
	for name := range h {
		if e.gateway.forged(name) {
			delete(h, name)
		}
	}
	if u := h.Get("Upgrade"); u != "" && !strings.EqualFold(u, "websocket") {
		// Another protocol (h2c) would carry requests that no route has seen.
		h.Del("Upgrade")
		h.Del("Connection")
	}
	// Connection cannot name away the cookies of whom this is said, nor the request's id.
	setCookies(h, p.In.Header["Cookie"], e.route.conf.HideCookies)
	if id := p.In.Header["X-Request-Id"]; len(id) > 0 {
		h["X-Request-Id"] = id
	}
	mounted := ""
	if e.route.conf.StripPrefix && e.route.prefix != "" {
		mounted = (&url.URL{Path: e.route.prefix}).EscapedPath()
		stripPrefix(out.URL, e.route.prefix)
	}
	e.origin.Set(h, p.In, mounted)
	for name, values := range e.told {
		h[name] = values
	}
	out.Host = p.In.Host // applications make links and cookies of it
	// The proxy drops parameters that Go cannot parse (a;b=c); Python can.
	out.URL.RawQuery = p.In.URL.RawQuery
	if out.URL.Path == "" {
		out.URL.Path = "/"
	}
	e.path, e.rawPath = out.URL.Path, out.URL.RawPath
	if out.Body != nil {
		e.body = &body{ReadCloser: out.Body}
		out.Body = e.body
		out.Trailer = e.gateway.announced(p.In.Trailer)
		e.body.told, e.body.announced = p.In.Trailer, out.Trailer
	}
}

// RoundTrip asks upstreams, one after the other if need be and as far as it is safe.
func (e *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	g, rt := e.gateway, e.route
	start := rt.turn.Add(1) - 1
	place := 0
	for attempt := 0; ; attempt++ {
		now := g.opts.Now()
		t, at := rt.pick(start, place, now)
		if t == nil {
			return nil, errDown
		}
		place = at + 1
		if attempt > 0 { // the one before may still be looked at
			again := *req
			u := *req.URL
			again.URL = &u
			req = &again
		}
		e.aim(req, t)
		e.target = t
		t.inFlight.Add(1)
		if e.note != nil {
			e.note.Upstream = t.name
		}
		resp, err := t.transport.RoundTrip(req)
		if g.opts.Observe != nil {
			a := Attempt{Route: rt.name, Upstream: t.name, Took: g.opts.Now().Sub(now), Retry: attempt > 0, Err: err}
			if err == nil {
				a.Status = resp.StatusCode
			}
			g.opts.Observe(a)
		}
		if err == nil {
			if t.skipTill.Load() != 0 {
				t.skipTill.Store(0)
			}
			return resp, nil
		}
		if req.Context().Err() != nil {
			return nil, err
		}
		if notConnected(err) {
			t.skipTill.Store(now.Add(skipFor).UnixNano())
		}
		if attempt >= rt.conf.Retries || !e.repeatable(req, err) {
			return nil, err
		}
		if next, _ := rt.pick(start, place, now); next == nil {
			return nil, err
		}
		g.opts.Log.DebugContext(req.Context(), "upstream failed, the next one is asked", "route", rt.name, "upstream", t.name, "error", err)
		e.target = nil
		t.inFlight.Add(-1)
	}
}

// aim points the request at an upstream.
func (e *exchange) aim(req *http.Request, t *target) {
	u := req.URL
	u.Scheme, u.Host, u.Path, u.RawPath = t.url.Scheme, t.url.Host, e.path, e.rawPath
	if base := t.url.Path; base != "" && base != "/" {
		// Joined as text: JoinPath would clean the rest, which is not ours.
		u.RawPath = strings.TrimRight(t.url.EscapedPath(), "/") + u.EscapedPath()
		u.Path = strings.TrimRight(base, "/") + u.Path
	}
	if !t.websocket && req.Header.Get("Upgrade") != "" {
		req.Header.Del("Upgrade")
		req.Header.Del("Connection")
	}
}

// repeatable reports whether another upstream may be asked after this error: if nothing of
// the request has been sent, or if it is safe to send it again.
func (e *exchange) repeatable(req *http.Request, err error) bool {
	if notConnected(err) {
		return e.body == nil || !e.body.touched.Load()
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return e.body == nil && !timedOut(err)
	}
	return false
}

// arrived puts back what informational responses took out of the header: the proxy clears
// it after each (golang/go issue 81207).
func (e *exchange) arrived(*http.Response) error {
	h := e.writer.Header()
	for _, f := range e.outer {
		if _, ok := h[f.name]; !ok {
			h[f.name] = f.values
		}
	}
	return nil
}

// failed answers for an upstream that gave no response. The page does not say where the
// upstream is; the log does.
func (e *exchange) failed(w http.ResponseWriter, r *http.Request, err error) {
	log := e.gateway.opts.Log
	_ = e.arrived(nil)
	if broken := e.body.broken(); broken != nil {
		status, text := http.StatusBadRequest, "The body of this request is not as it was announced."
		var tooLong *http.MaxBytesError
		if errors.As(broken, &tooLong) {
			status, text = http.StatusRequestEntityTooLarge, "The body of this request is too long."
		}
		log.DebugContext(r.Context(), "the body of a request broke off", "route", e.route.name, "error", broken)
		refuse(w, r, status, "request body", text)
		return
	}
	// The server's own context ends with a cause; that of a client that left has none.
	switch cause := context.Cause(r.Context()); {
	case cause == context.Canceled: // there is nobody to answer
		log.DebugContext(r.Context(), "client left before the upstream answered", "route", e.route.name)
		noteReason(r, "client left")
		w.WriteHeader(http.StatusBadGateway)
		return
	case cause != nil && !errors.Is(cause, context.DeadlineExceeded):
		log.WarnContext(r.Context(), "broken off before the upstream answered", "route", e.route.name, "cause", cause)
		w.Header().Set("Retry-After", "5")
		refuse(w, r, http.StatusServiceUnavailable, "server stops", "This server is being stopped. Try again in a moment.")
		return
	}
	status, reason, text := http.StatusBadGateway, "upstream failed", "The application behind this address does not answer. Try again in a moment."
	switch {
	case errors.Is(err, errDown):
		status, reason = http.StatusServiceUnavailable, "upstreams down"
		w.Header().Set("Retry-After", "5")
	case timedOut(err):
		status, reason, text = http.StatusGatewayTimeout, "upstream too slow", "The application behind this address took too long to answer. Try again in a moment."
	}
	upstream := ""
	if e.target != nil {
		upstream = e.target.name
	}
	log.ErrorContext(r.Context(), "upstream failed", "route", e.route.name, "upstream", upstream, "status", status, "error", err)
	refuse(w, r, status, reason, text)
}

// body is the body of a request: it knows whether any of it was read, what went wrong with
// it, and the trailers that came after it.
type body struct {
	io.ReadCloser
	touched   atomic.Bool
	failure   atomic.Pointer[error]
	told      http.Header // what net/http fills at the end
	announced http.Header // what the upstream gets of it
}

// Read reads, and passes the trailers on at the end: the transport sends them after it has
// seen the end.
func (b *body) Read(p []byte) (int, error) {
	if !b.touched.Load() {
		b.touched.Store(true)
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == io.EOF:
		for name := range b.announced {
			b.announced[name] = b.told[name]
		}
	case err != nil:
		b.failure.Store(&err)
	}
	return n, err
}

// Close does nothing: a body that was not touched may go to another upstream. The proxy
// itself ends it.
func (b *body) Close() error { return nil }

// broken returns why the client's body could not be read.
func (b *body) broken() error {
	if b == nil {
		return nil
	}
	if err := b.failure.Load(); err != nil {
		return *err
	}
	return nil
}
