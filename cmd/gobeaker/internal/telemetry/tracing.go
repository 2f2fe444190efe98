package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// ErrTracing is wrapped by errors about a Tracing that is not one.
var ErrTracing = errors.New("bad tracing configuration")

// Tracing is where traces go.
type Tracing struct {
	// Endpoint is the URL of an OpenTelemetry collector that takes OTLP over HTTP,
	// "http://127.0.0.1:4318"; without a path it is asked at /v1/traces. "": no traces.
	Endpoint string
	// Ratio of new traces that are sampled, 0 to 1. Whether a trace that a trusted proxy
	// began is sampled is said by that.
	Ratio float64
	// Service is what this server is called; "": what OTEL_SERVICE_NAME says, or
	// "gobeaker".
	Service string
	// Version of this build.
	Version string
	// Now is the clock of what is logged about a collector that does not answer; nil:
	// time.Now.
	Now func() time.Time
}

// Tracer sends traces of W3C Trace Context. A nil Tracer sends none. It is safe for
// concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	context  propagation.TraceContext
}

// StartTracing returns nil if there is no endpoint. It connects to nothing yet: spans are
// sent in the background, and if the collector does not take them they are dropped, which
// is logged now and then. Headers and certificates for the collector come of the
// variables that OpenTelemetry has for them (OTEL_EXPORTER_OTLP_HEADERS …), further
// attributes of OTEL_RESOURCE_ATTRIBUTES.
func StartTracing(ctx context.Context, t Tracing, log *slog.Logger) (*Tracer, error) {
	u, err := t.endpoint()
	if u == nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("telemetry: tracing: %w", err)
	}
	if t.Now == nil {
		t.Now = time.Now
	}
	return newTracer(ctx, t, sdktrace.WithBatcher(&patientExporter{SpanExporter: exporter, log: log, now: t.Now}))
}

// Check reports what is wrong with the settings, and asks nobody.
func (t Tracing) Check() error {
	_, err := t.endpoint()
	return err
}

// endpoint is where the traces go; nil without an error: nowhere.
func (t Tracing) endpoint() (*url.URL, error) {
	if t.Endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(t.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("telemetry: tracing endpoint: %w: give the URL of a collector that takes OTLP over HTTP, as in http://127.0.0.1:4318", ErrTracing)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("telemetry: tracing endpoint: %w: no user, query or fragment; headers are set by OTEL_EXPORTER_OTLP_HEADERS", ErrTracing)
	case !(t.Ratio >= 0 && t.Ratio <= 1):
		return nil, fmt.Errorf("telemetry: tracing ratio %v: %w: give a number from 0 to 1", t.Ratio, ErrTracing)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return u, nil
}

// newTracer returns a tracer whose spans go where the option says.
func newTracer(ctx context.Context, t Tracing, to sdktrace.TracerProviderOption) (*Tracer, error) {
	about := []resource.Option{
		resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("gobeaker")),
		resource.WithFromEnv(),
	}
	if t.Service != "" {
		about = append(about, resource.WithAttributes(semconv.ServiceName(t.Service)))
	}
	if t.Version != "" {
		about = append(about, resource.WithAttributes(semconv.ServiceVersion(t.Version)))
	}
	r, err := resource.New(ctx, about...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: tracing: %w", err)
	}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = 1024
	p := sdktrace.NewTracerProvider(to, sdktrace.WithResource(r), sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(t.Ratio))))
	return &Tracer{provider: p, tracer: p.Tracer("github.com/gobeaker/gobeaker")}, nil
}

// Stop sends what is left, as long as ctx allows.
func (t *Tracer) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("telemetry: tracing: stop: %w", err)
	}
	return nil
}

// request begins the span of a request. The trace of a trusted proxy goes on; of anybody
// else's there is only a link, because who could decide whether a trace is sampled could
// fill the collector, or hide (W3C Trace Context, 6 and 8).
func (t *Tracer) request(ctx context.Context, r *http.Request, o forwarded.Origin) (context.Context, trace.Span) {
	begun := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	remote := t.context.Extract(context.Background(), propagation.HeaderCarrier(r.Header))
	if sc := trace.SpanContextFromContext(remote); sc.IsValid() {
		if o.Trusted {
			ctx = trace.ContextWithRemoteSpanContext(ctx, sc)
		} else {
			begun = append(begun, trace.WithLinks(trace.Link{SpanContext: sc}))
		}
	}
	ctx, span := t.tracer.Start(ctx, methodName(r.Method), begun...)
	if span.IsRecording() {
		host, port := hostPort(o.Host)
		attributes := []attribute.KeyValue{
			methodAttribute(r.Method), semconv.URLPath(r.URL.Path), semconv.URLScheme(o.Scheme),
			semconv.ServerAddress(host), semconv.NetworkProtocolVersion(strings.TrimPrefix(r.Proto, "HTTP/")),
		}
		if port != 0 {
			attributes = append(attributes, semconv.ServerPort(port))
		}
		span.SetAttributes(attributes...)
	}
	return ctx, span
}

// end ends the span of an exchange.
func (x *exchange) end(r *http.Request, canceled bool) {
	defer x.span.End()
	if !x.span.IsRecording() {
		return
	}
	if x.note.Route != "" {
		x.span.SetName(methodName(r.Method) + " " + x.note.Route)
		x.span.SetAttributes(attribute.String("gobeaker.route", x.note.Route))
	}
	x.span.SetAttributes(semconv.HTTPResponseStatusCode(x.w.status), attribute.String("gobeaker.request_id", x.ctx.id))
	switch {
	case canceled: // nobody's fault here
		x.span.SetAttributes(semconv.ErrorTypeKey.String("canceled"))
	case x.fault != nil:
		x.span.SetAttributes(semconv.ErrorTypeKey.String("aborted"))
		x.span.SetStatus(codes.Error, "")
	case x.w.status >= 500:
		x.span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(x.w.status)))
		x.span.SetStatus(codes.Error, "")
	}
}

// Transport traces the questions to an upstream and tells it of the trace: it is
// gateway.Options.Transport. Without a tracer it returns rt, and a trace that is not ours
// passes as it is.
func (m *Metrics) Transport(rt http.RoundTripper) http.RoundTripper {
	if m.tracer == nil {
		return rt
	}
	return &transport{m.tracer, rt}
}

type transport struct {
	*Tracer
	inner http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. The span ends with the head of the answer.
// What belongs to no request, as checks of health do, is not traced.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsValid() {
		return t.inner.RoundTrip(r)
	}
	ctx, span := t.tracer.Start(r.Context(), methodName(r.Method), trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	r = r.WithContext(ctx)
	r.Header = maps.Clone(r.Header)
	r.Header.Del("Tracestate") // of a trace that may not be this one
	t.context.Inject(ctx, propagation.HeaderCarrier(r.Header))
	if span.IsRecording() {
		host, port := hostPort(r.URL.Host)
		span.SetAttributes(methodAttribute(r.Method), semconv.ServerAddress(host), semconv.URLScheme(r.URL.Scheme), semconv.URLPath(r.URL.Path))
		if port != 0 {
			span.SetAttributes(semconv.ServerPort(port))
		}
	}
	resp, err := t.inner.RoundTrip(r)
	switch {
	case err != nil:
		span.SetAttributes(semconv.ErrorTypeKey.String(reason(err)))
		span.SetStatus(codes.Error, "")
	default:
		span.SetAttributes(semconv.HTTPResponseStatusCode(resp.StatusCode))
		if resp.StatusCode >= 400 {
			span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(resp.StatusCode)))
			span.SetStatus(codes.Error, "")
		}
	}
	return resp, err
}

// CloseIdleConnections is what http.Client.CloseIdleConnections asks for.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.inner.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// methodName is a method as the name of a span, and methodAttribute as an attribute, by
// the semantic conventions of OpenTelemetry for HTTP.
func methodName(m string) string {
	if m = method(m); m == "other" {
		return "HTTP"
	}
	return m
}

func methodAttribute(m string) attribute.KeyValue {
	if m = method(m); m == "other" {
		return semconv.HTTPRequestMethodOther
	}
	return semconv.HTTPRequestMethodKey.String(m)
}

// hostPort splits what is before a path; the port is 0 if there is none.
func hostPort(s string) (string, int) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return strings.Trim(s, "[]"), 0
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, int(n)
}

func spanContext(s trace.Span) trace.SpanContext {
	if s == nil {
		return trace.SpanContext{}
	}
	return s.SpanContext()
}

// complainEvery is how often a collector that does not work is in the log.
const complainEvery = 5 * time.Minute

// patientExporter logs now and then that spans were lost, in place of OpenTelemetry's
// global handler of errors, which would for each batch.
type patientExporter struct {
	sdktrace.SpanExporter
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	last  time.Time // of a complaint
	lost  int       // spans since then
	owing bool      // to say that all is well again
}

// ExportSpans implements [sdktrace.SpanExporter]. It is called in a goroutine of its own.
func (e *patientExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		if e.owing {
			e.log.Info("traces are sent again")
			e.owing = false
		}
		return nil
	}
	e.lost += len(spans)
	if now := e.now(); e.last.IsZero() || now.Sub(e.last) >= complainEvery {
		e.log.Warn("traces are not sent; requests go on", "spans", e.lost, "error", cut(err.Error(), 300))
		e.last, e.lost, e.owing = now, 0, true
	}
	return nil
}
