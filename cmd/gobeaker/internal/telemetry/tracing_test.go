package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// receiver is an OpenTelemetry collector that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	raw   []byte // all that came
	spans []*otlp.Span
	about map[string]string // the resource
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	c := &receiver{about: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var all collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &all)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, "no traces", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(c.raw, body...)
		for _, rs := range all.GetResourceSpans() {
			for _, a := range rs.GetResource().GetAttributes() {
				c.about[a.GetKey()] = a.GetValue().GetStringValue()
			}
			for _, ss := range rs.GetScopeSpans() {
				c.spans = append(c.spans, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// tracer returns one that sends everything, or as much as ratio says, to the receiver.
func (c *receiver) tracer(t *testing.T, ratio float64) *Tracer {
	t.Helper()
	tracer, err := StartTracing(t.Context(), Tracing{Endpoint: c.URL, Ratio: ratio, Version: "v1"}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = tracer.Stop(context.Background()) })
	return tracer
}

// got returns the spans that were sent, by name.
func (c *receiver) got(t *testing.T, from *Tracer) map[string]*otlp.Span {
	t.Helper()
	require.NoError(t, from.provider.ForceFlush(t.Context()))
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := map[string]*otlp.Span{}
	for _, s := range c.spans {
		spans[s.GetKind().String()+" "+s.GetName()] = s
	}
	require.Len(t, spans, len(c.spans), "two spans have the same name")
	return spans
}

func attributesOf(s *otlp.Span) map[string]any {
	out := map[string]any{}
	for _, a := range s.GetAttributes() {
		switch {
		case a.GetValue().GetIntValue() != 0:
			out[a.GetKey()] = a.GetValue().GetIntValue()
		default:
			out[a.GetKey()] = a.GetValue().GetStringValue()
		}
	}
	return out
}

const (
	clientTrace = "0af7651916cd43dd8448eb211c80319c"
	clientSpan  = "b7ad6b7169203331"
)

// chain is a gateway before an upstream that notes what it is told of the trace.
type chain struct {
	*httptest.Server
	upstream *url.URL
	header   atomic.Pointer[http.Header]
	ended    chan struct{} // gets one for each request that has ended
}

func newChain(t *testing.T, m *Metrics, o LogOptions, log *slog.Logger, answer http.HandlerFunc) *chain {
	t.Helper()
	c := &chain{ended: make(chan struct{}, 100)}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		c.header.Store(&h)
		answer(w, r)
	}))
	t.Cleanup(up.Close)
	var err error
	c.upstream, err = url.Parse(up.URL)
	require.NoError(t, err)
	g, err := gateway.New(gateway.Options{
		Routes:  []gateway.Route{{Name: "shop", Prefix: "/", Upstreams: []string{up.URL}}},
		Trusted: o.Trusted, Observe: m.Attempt, Transport: m.Transport, Log: log,
	})
	require.NoError(t, err)
	t.Cleanup(g.Close)
	m.Serving(Serving{Routes: []string{"shop"}, Upstreams: g.Upstreams})
	store := m.Store("memory", memstore.New())
	h := m.Wrap("gateway", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = store.Get(r.Context(), sessionID)
		g.ServeHTTP(w, r)
	}), log, o)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { c.ended <- struct{}{} }()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// told is a header that the upstream last got.
func (c *chain) told(name string) string { return c.header.Load().Get(name) }

// ask sends a request with these headers and returns its status.
func (c *chain) ask(t *testing.T, path string, header ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", c.URL+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

func TestTraceOfATrustedProxy(t *testing.T) {
	c := newReceiver(t)
	tracer := c.tracer(t, 0)
	m := NewMetrics(Options{Tracer: tracer})
	var log lines
	ch := newChain(t, m, LogOptions{Access: true, Trusted: trusting(t, "loopback")}, NewLogger(&log, "json", slog.LevelInfo),
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) })
	ch.ask(t, "/a?q=1", "Traceparent", "00-"+clientTrace+"-"+clientSpan+"-01", "Tracestate", "vendor=x", "Baggage", "a=b")
	ch.Close() // the request has ended here, too
	spans := c.got(t, tracer)
	server, client, read := spans["SPAN_KIND_SERVER GET shop"], spans["SPAN_KIND_CLIENT GET"], spans["SPAN_KIND_CLIENT session get"]
	require.Len(t, spans, 3)
	for _, s := range spans {
		require.Equal(t, clientTrace, hexOf(s.GetTraceId()))
	}
	require.Equal(t, clientSpan, hexOf(server.GetParentSpanId()))
	require.Equal(t, server.GetSpanId(), client.GetParentSpanId())
	require.Equal(t, server.GetSpanId(), read.GetParentSpanId())
	require.Equal(t, "00-"+clientTrace+"-"+hexOf(client.GetSpanId())+"-01", ch.told("Traceparent"))
	require.Equal(t, "vendor=x", ch.told("Tracestate"))
	require.Equal(t, "a=b", ch.told("Baggage"))

	here, err := url.Parse(ch.URL)
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"http.request.method": "GET", "http.response.status_code": int64(404), "url.path": "/a", "url.scheme": "http",
		"server.address": "127.0.0.1", "server.port": port(t, here), "network.protocol.version": "1.1",
		"gobeaker.route": "shop", "gobeaker.request_id": log.last(t)["request_id"],
	}, attributesOf(server))
	require.Zero(t, server.GetStatus().GetCode(), "404 is no fault of a server")
	require.Equal(t, map[string]any{
		"http.request.method": "GET", "http.response.status_code": int64(404), "url.path": "/a", "url.scheme": "http",
		"server.address": "127.0.0.1", "server.port": port(t, ch.upstream), "error.type": "404",
	}, attributesOf(client))
	require.Equal(t, otlp.Status_STATUS_CODE_ERROR, client.GetStatus().GetCode())
	require.Equal(t, map[string]any{
		"gobeaker.store": "memory", "gobeaker.operation": "get", "gobeaker.outcome": "not_found",
	}, attributesOf(read))
	require.Zero(t, read.GetStatus().GetCode())
	require.Equal(t, clientTrace, log.last(t)["trace_id"])
	require.Equal(t, "gobeaker", c.about["service.name"])
	require.Equal(t, "v1", c.about["service.version"])
	require.Contains(t, scrapeOpenMetrics(t, m), `# {trace_id="`+clientTrace+`"}`)
}

func scrapeOpenMetrics(t *testing.T, m *Metrics) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, r)
	return rec.Body.String()
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

func port(t *testing.T, u *url.URL) int64 {
	t.Helper()
	_, n := hostPort(u.Host)
	require.NotZero(t, n)
	return int64(n)
}

// TestTraceOfAnybody: what a client says of a trace neither samples it nor keeps it from
// being sampled; it is only linked to.
func TestTraceOfAnybody(t *testing.T) {
	for name, c := range map[string]struct {
		ratio   float64
		flags   string
		sampled bool
	}{
		"asks to be sampled":     {0, "01", false},
		"asks not to be sampled": {1, "00", true},
	} {
		t.Run(name, func(t *testing.T) {
			rc := newReceiver(t)
			tracer := rc.tracer(t, c.ratio)
			ch := newChain(t, NewMetrics(Options{Tracer: tracer}), LogOptions{}, slog.New(slog.DiscardHandler),
				func(http.ResponseWriter, *http.Request) {})
			ch.ask(t, "/", "Traceparent", "00-"+clientTrace+"-"+clientSpan+"-"+c.flags, "Tracestate", "vendor=x")
			ch.Close()
			spans := rc.got(t, tracer)
			told := strings.Split(ch.told("Traceparent"), "-")
			require.Len(t, told, 4)
			require.NotEqual(t, clientTrace, told[1])
			require.Empty(t, ch.told("Tracestate"), "it is that of another trace")
			if !c.sampled {
				require.Empty(t, spans)
				require.Equal(t, "00", told[3])
				return
			}
			server := spans["SPAN_KIND_SERVER GET shop"]
			require.Equal(t, "01", told[3])
			require.Empty(t, server.GetParentSpanId())
			require.Len(t, server.GetLinks(), 1)
			require.Equal(t, clientTrace, hexOf(server.GetLinks()[0].GetTraceId()))
		})
	}
}

// TestNoTracing: without an endpoint a trace passes as it is.
func TestNoTracing(t *testing.T) {
	tracer, err := StartTracing(t.Context(), Tracing{}, nil)
	require.NoError(t, err)
	require.Nil(t, tracer)
	require.NoError(t, tracer.Stop(t.Context()))
	m := NewMetrics(Options{Tracer: tracer})
	require.Equal(t, http.DefaultTransport, m.Transport(http.DefaultTransport))
	ch := newChain(t, m, LogOptions{}, slog.New(slog.DiscardHandler), func(http.ResponseWriter, *http.Request) {})
	traceparent := "00-" + clientTrace + "-" + clientSpan + "-01"
	ch.ask(t, "/", "Traceparent", traceparent, "Tracestate", "vendor=x")
	require.Equal(t, traceparent, ch.told("Traceparent"))
	require.Equal(t, "vendor=x", ch.told("Tracestate"))
}

func TestSpansOfFailures(t *testing.T) {
	rc := newReceiver(t)
	tracer := rc.tracer(t, 1)
	m := NewMetrics(Options{Tracer: tracer})
	ch := newChain(t, m, LogOptions{}, slog.New(slog.DiscardHandler), func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})
	require.Equal(t, http.StatusBadGateway, ch.ask(t, "/"))
	ch.Close()
	spans := rc.got(t, tracer)
	server, client := spans["SPAN_KIND_SERVER GET shop"], spans["SPAN_KIND_CLIENT GET"]
	require.Equal(t, "502", attributesOf(server)["error.type"])
	require.Equal(t, "broken", attributesOf(client)["error.type"])
	require.Equal(t, otlp.Status_STATUS_CODE_ERROR, server.GetStatus().GetCode())
	require.Equal(t, otlp.Status_STATUS_CODE_ERROR, client.GetStatus().GetCode())

	// What is no part of a request is not traced.
	before := len(spans)
	req, err := http.NewRequestWithContext(t.Context(), "GET", ch.upstream.String(), nil)
	require.NoError(t, err)
	_, err = m.Transport(http.DefaultTransport).RoundTrip(req)
	require.Error(t, err)
	_, _ = m.Store("memory", memstore.New()).Get(t.Context(), sessionID)
	require.Len(t, rc.got(t, tracer), before)
	require.Empty(t, ch.told("Traceparent"))
}

// TestUpgradeThroughAll: a WebSocket passes the whole chain with its trace.
func TestUpgradeThroughAll(t *testing.T) {
	rc := newReceiver(t)
	tracer := rc.tracer(t, 1)
	m := NewMetrics(Options{Tracer: tracer})
	ch := newChain(t, m, LogOptions{}, slog.New(slog.DiscardHandler), func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(conn, line)
	})
	req, err := http.NewRequestWithContext(t.Context(), "GET", ch.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.Len(t, resp.Header["X-Request-Id"], 1)
	conn := resp.Body.(io.ReadWriteCloser)
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	all, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "hello\n", string(all))
	conn.Close()
	<-ch.ended // a connection that was taken over is not waited for by Close
	require.Equal(t, 1.0, value(t, m, `gobeaker_http_requests_total{code="1xx", listener="gateway", method="GET", route="shop"}`))
	spans := rc.got(t, tracer)
	require.EqualValues(t, 101, attributesOf(spans["SPAN_KIND_CLIENT GET"])["http.response.status_code"])
	require.Contains(t, ch.told("Traceparent"), hexOf(spans["SPAN_KIND_CLIENT GET"].GetSpanId()))
}

// TestCollectorHangs: a collector that takes requests and never answers delays nobody.
func TestCollectorHangs(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 100)
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer hangs.Close()
	defer close(release)
	tracer, err := StartTracing(t.Context(), Tracing{Endpoint: hangs.URL, Ratio: 1}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	m := NewMetrics(Options{Tracer: tracer})
	h := m.Wrap("gateway", http.NotFoundHandler(), slog.New(slog.DiscardHandler), LogOptions{})
	flushing, stop := context.WithCancel(t.Context())
	flushed := make(chan error, 1)
	send := func(n int) {
		for range n {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}
	}
	send(1)
	go func() { flushed <- tracer.provider.ForceFlush(flushing) }()
	<-asked
	send(3000) // more than are kept; none of these waits for the collector
	stop()
	require.ErrorIs(t, <-flushed, context.Canceled)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, tracer.Stop(ended), context.Canceled)
}

type failing struct {
	sdktrace.SpanExporter
	err error
}

func (f *failing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return f.err }

func TestLostSpansAreLoggedNowAndThen(t *testing.T) {
	var log lines
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := &failing{err: errors.New("no route to host " + strings.Repeat("x", 10_000))}
	e := &patientExporter{SpanExporter: f, log: NewLogger(&log, "json", slog.LevelInfo), now: func() time.Time { return now }}
	send := func() { require.NoError(t, e.ExportSpans(t.Context(), make([]sdktrace.ReadOnlySpan, 2))) }
	count := func() int { return strings.Count(log.String(), "\n") }
	for range 100 {
		send()
	}
	require.Equal(t, 1, count())
	require.Less(t, len(log.String()), 1000)
	now = now.Add(complainEvery)
	send()
	require.Equal(t, 2, count())
	require.Equal(t, 200.0, log.last(t)["spans"])
	f.err = nil
	send()
	send()
	require.Equal(t, 3, count())
	require.Equal(t, "traces are sent again", log.last(t)["msg"])
	f.err = errors.New("again")
	send()
	require.Equal(t, 3, count(), "one that comes and goes fills no log")
}

func TestTracingIsRefused(t *testing.T) {
	for name, c := range map[string]Tracing{
		"no URL":       {Endpoint: "127.0.0.1:4318"},
		"no host":      {Endpoint: "http:///v1/traces"},
		"gRPC":         {Endpoint: "grpc://127.0.0.1:4317"},
		"user":         {Endpoint: "http://me:9a1c-secret@127.0.0.1:4318"},
		"query":        {Endpoint: "http://127.0.0.1:4318/?key=9a1c-secret"},
		"below 0":      {Endpoint: "http://127.0.0.1:4318", Ratio: -.1},
		"above 1":      {Endpoint: "http://127.0.0.1:4318", Ratio: 1.1},
		"not a number": {Endpoint: "http://127.0.0.1:4318", Ratio: math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := StartTracing(t.Context(), c, slog.New(slog.DiscardHandler))
			require.ErrorIs(t, err, ErrTracing)
			require.NotContains(t, err.Error(), "9a1c")
		})
	}
}
