package telemetry

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/gateway"
)

type requestMetrics struct {
	total, in, out, aborted *prometheus.CounterVec
	took                    *prometheus.HistogramVec
	inFlight                *prometheus.GaugeVec
	panics                  *prometheus.CounterVec
}

func (m *Metrics) newRequestMetrics() requestMetrics {
	return requestMetrics{
		total: m.counter("http_requests_total",
			"Requests that were answered, by the class of the status (2xx …). canceled: the client left before there was an answer. route is empty where no route took it, and on other listeners than the gateway's.",
			"listener", "route", "method", "code"),
		took: m.histogram("http_request_duration_seconds",
			"Time from the head of a request to the end of its answer; upgraded connections are left out.",
			requestBuckets, "listener", "route"),
		inFlight: m.gauge("http_requests_in_flight", "Requests that are being answered, upgraded connections included.", "listener"),
		in:       m.counter("http_request_body_bytes_total", "Bytes of request bodies that were read.", "listener", "route"),
		out:      m.counter("http_response_body_bytes_total", "Bytes of response bodies that were written; not those of upgraded connections.", "listener", "route"),
		aborted:  m.counter("http_responses_aborted_total", "Responses that broke off after their head.", "listener", "route"),
		panics:   m.counter("http_panics_total", "Requests that ended in a fault of the program; the log has it.", "listener"),
	}
}

func (r requestMetrics) forget(l prometheus.Labels) {
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{r.total, r.took, r.in, r.out, r.aborted} {
		v.DeletePartialMatch(l)
	}
}

// LogOptions say what the access log has.
type LogOptions struct {
	Access    bool // a line for each request
	UserAgent bool // with the User-Agent
	NoTrace   bool // of scrapes and questions of health nobody wants traces
	// Trusted are the proxies whose word counts: their X-Request-Id and their traces are
	// taken over, and the client is who they say.
	Trusted forwarded.Trusted
}

// wrapped answers for one listener.
type wrapped struct {
	*Metrics
	LogOptions
	listener string
	next     http.Handler
	log      *slog.Logger
	inFlight prometheus.Gauge
	panics   prometheus.Counter
}

// Wrap counts the requests of a listener ("gateway", "admin", "api", "forward-auth"),
// gives each an id (X-Request-Id, on the request and on the response), has it traced if
// traces are on, and logs a line when it is done: never a cookie, a header or a query, in
// which ids and tokens may be.
//
// A panic is logged once, with its stack, and answered with 500, or, where the answer has
// begun, by breaking it off. http.ErrAbortHandler passes on.
func (m *Metrics) Wrap(listener string, next http.Handler, log *slog.Logger, o LogOptions) http.Handler {
	return &wrapped{
		Metrics: m, LogOptions: o, listener: listener, next: next, log: log,
		inFlight: m.requests.inFlight.WithLabelValues(listener),
		panics:   m.requests.panics.WithLabelValues(listener),
	}
}

// exchange is a request and its answer: one allocation.
type exchange struct {
	w      writer
	ctx    requestContext
	body   body
	note   *gateway.Note
	origin forwarded.Origin
	begun  time.Time
	span   trace.Span // nil: not traced
	fault  any        // what the handler panicked with
	stack  []byte     // where; nil for http.ErrAbortHandler
}

// ServeHTTP implements [http.Handler].
func (h *wrapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{begun: h.now(), origin: h.Trusted.Origin(r)}
	if x.origin.Trusted {
		x.ctx.id = givenID(r.Header)
	}
	if x.ctx.id == "" {
		x.ctx.id = newID(h.random)
	}
	x.w = writer{ResponseWriter: w, id: []string{x.ctx.id}, status: http.StatusOK}
	r.Header[requestIDHeader] = x.w.id
	w.Header()[requestIDHeader] = x.w.id
	ctx := r.Context()
	if h.tracer != nil && !h.NoTrace {
		ctx, x.span = h.tracer.request(ctx, r, x.origin)
	}
	x.ctx.Context, x.note = gateway.WithNote(ctx)
	outer := r
	r = r.WithContext(&x.ctx)
	if r.Body != nil && r.Body != http.NoBody {
		x.body.ReadCloser = r.Body
		r.Body = &x.body
	}
	h.inFlight.Inc()
	defer h.done(x, outer)
	defer func() {
		if x.fault = recover(); x.fault != nil && x.fault != http.ErrAbortHandler {
			x.stack = debug.Stack()
		}
	}()
	h.next.ServeHTTP(&x.w, r)
}

// done ends an exchange: it answers for a handler that could not, counts and logs.
func (h *wrapped) done(x *exchange, r *http.Request) {
	h.inFlight.Dec()
	if x.stack != nil {
		h.panics.Inc()
		h.log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.String("fault", faultText(x.fault)), slog.String("stack", string(x.stack)), slog.String("request_id", x.ctx.id))
		if !x.w.wrote {
			clear(x.w.Header()) // what it had set is of an answer that is not given
			x.w.Header().Set("Cache-Control", "no-store")
			http.Error(&x.w, "500 Internal Server Error", http.StatusInternalServerError)
			x.fault = nil
		}
	}
	if x.fault != nil && !x.w.wrote {
		x.w.status = 0 // the client gets nothing
	}
	// A client that leaves when it has its answer has not canceled anything.
	canceled := r.Context().Err() != nil && (!x.w.wrote || x.w.status >= 500)
	took := h.now().Sub(x.begun)
	h.count(x, r, canceled, took)
	if x.span != nil {
		x.end(r, canceled)
	}
	if h.Access {
		h.line(x, r, canceled, took)
	}
	if x.fault != nil {
		panic(http.ErrAbortHandler) // net/http breaks the answer off, and logs nothing
	}
}

// faultText is what may be logged of a panic's value: a text that the program did not
// make may have anything in it.
func faultText(fault any) string {
	if err, ok := fault.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", fault)
}

func (h *wrapped) count(x *exchange, r *http.Request, canceled bool, took time.Duration) {
	code := class(x.w.status)
	if canceled {
		code = "canceled"
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	route := label(h.serving.routes, x.note.Route)
	m := &h.requests
	m.total.WithLabelValues(h.listener, route, method(r.Method), code).Inc()
	if x.w.status != http.StatusSwitchingProtocols {
		d := m.took.WithLabelValues(h.listener, route)
		if sc := spanContext(x.span); sc.IsSampled() {
			d.(prometheus.ExemplarObserver).ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": sc.TraceID().String()})
		} else {
			d.Observe(took.Seconds())
		}
	}
	if n := x.body.bytes.Load(); n > 0 {
		m.in.WithLabelValues(h.listener, route).Add(float64(n))
	}
	m.out.WithLabelValues(h.listener, route).Add(float64(x.w.bytes))
	if x.fault != nil && !x.w.hijacked {
		m.aborted.WithLabelValues(h.listener, route).Inc()
	}
}

// method returns a method as a label: whatever clients invent is "other".
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return m
	}
	return "other"
}

// line is the access log.
func (h *wrapped) line(x *exchange, r *http.Request, canceled bool, took time.Duration) {
	ctx := r.Context() // that of outside: the id is in the line already
	if !h.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var all [16]slog.Attr
	attrs := append(all[:0],
		slog.String("method", r.Method), slog.String("host", r.Host), slog.String("path", r.URL.Path),
		slog.Int("status", x.w.status), slog.Int64("bytes", x.w.bytes), slog.Duration("took", took),
		slog.String("client", address(x.origin.Client)), slog.String("protocol", r.Proto),
		slog.String("listener", h.listener))
	if x.note.Route != "" {
		attrs = append(attrs, slog.String("route", x.note.Route))
	}
	if x.note.Upstream != "" {
		attrs = append(attrs, slog.String("upstream", x.note.Upstream))
	}
	if x.note.Policy != "" {
		attrs = append(attrs, slog.String("policy", x.note.Policy))
	}
	if x.note.Reason != "" {
		attrs = append(attrs, slog.String("reason", x.note.Reason))
	}
	if h.UserAgent {
		attrs = append(attrs, slog.String("user_agent", cut(r.UserAgent(), 256)))
	}
	if canceled {
		attrs = append(attrs, slog.Bool("canceled", true))
	}
	if x.fault != nil {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	attrs = append(attrs, slog.String("request_id", x.ctx.id))
	if sc := spanContext(x.span); sc.IsValid() {
		attrs = append(attrs, slog.String("trace_id", sc.TraceID().String()))
	}
	h.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}

// address is "" for who came by a Unix socket.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func cut(s string, max int) string {
	if len(s) > max {
		return s[:max] + "…"
	}
	return s
}
