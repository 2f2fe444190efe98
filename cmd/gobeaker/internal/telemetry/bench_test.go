package telemetry

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) Write(p []byte) (int, error) { return len(p), nil }
func (s sink) WriteHeader(int)             {}

// variants are what a request is wrapped in.
func variants(t testing.TB, next http.Handler) map[string]http.Handler {
	traced := func(ratio float64) *Metrics {
		tracer, err := newTracer(t.Context(), Tracing{Ratio: ratio}, sdktrace.WithSpanProcessor(dropped{}))
		require.NoError(t, err)
		return NewMetrics(Options{Tracer: tracer})
	}
	quiet := slog.New(slog.DiscardHandler)
	return map[string]http.Handler{
		"bare":       next,
		"counted":    NewMetrics(Options{}).Wrap("gateway", next, quiet, LogOptions{}),
		"logged":     NewMetrics(Options{}).Wrap("gateway", next, NewLogger(io.Discard, "json", slog.LevelInfo), LogOptions{Access: true}),
		"unsampled":  traced(0).Wrap("gateway", next, quiet, LogOptions{}),
		"all traced": traced(1).Wrap("gateway", next, quiet, LogOptions{}),
	}
}

// dropped takes spans and does nothing with them.
type dropped struct{ sdktrace.SpanProcessor }

func (dropped) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropped) OnEnd(sdktrace.ReadOnlySpan)                     {}

// forgetfulPools: allocations cannot be counted.
var forgetfulPools bool

func TestAllocations(t *testing.T) {
	if forgetfulPools {
		t.Skip("the race detector is on")
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) })
	all := variants(t, next)
	measure := func(h http.Handler) float64 {
		w, r := sink{http.Header{}}, httptest.NewRequest("GET", "/", nil)
		return testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) })
	}
	require.LessOrEqual(t, measure(all["counted"]), 8.0)
	require.LessOrEqual(t, measure(all["logged"]), 14.0)
}

// BenchmarkWrap is what telemetry costs a handler that does nothing.
func BenchmarkWrap(b *testing.B) {
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) })
	all := variants(b, next)
	for _, name := range []string{"bare", "counted", "logged", "unsampled", "all traced"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w, r := sink{http.Header{}}, httptest.NewRequest("GET", "/", nil)
			for b.Loop() {
				all[name].ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkProxy is what it costs a request that goes through a bare ReverseProxy.
func BenchmarkProxy(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer up.Close()
	u, err := url.Parse(up.URL)
	require.NoError(b, err)
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	all := variants(b, proxy)
	for _, name := range []string{"bare", "counted", "logged", "unsampled", "all traced"} {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(all[name])
			defer s.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					resp, err := client.Get(s.URL)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			})
		})
	}
}
