// Package telemetry is what a running server tells of itself: metrics, traces, the access
// log, and how its log looks. It outlives reloads, and it never tells whose session it
// was: no id of a session, cookie, credential or query is in anything that it makes.
package telemetry

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options configure [NewMetrics].
type Options struct {
	Version, Commit string
	Tracer          *Tracer          // nil: no traces
	Now             func() time.Time // nil: time.Now
	Random          io.Reader        // of request ids; nil: crypto/rand
	Log             *slog.Logger     // of faults of a scrape; nil: nobody is told
}

// Metrics are the metrics of a server. They are safe for concurrent use.
type Metrics struct {
	tracer   *Tracer
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger
	registry *prometheus.Registry
	families []family // ours, in the order of their subjects
	requests requestMetrics
	upstream upstreamMetrics
	store    storeMetrics
	session  sessionMetrics
	auth     *prometheus.CounterVec
	limited  prometheus.Counter
	reloads  reloadMetrics

	mu      sync.RWMutex // held for reading while a name becomes a label
	serving served
}

// NewMetrics returns metrics that say which build it is. They have a registry of their own.
func NewMetrics(o Options) *Metrics {
	m := &Metrics{tracer: o.Tracer, now: o.Now, random: o.Random, log: o.Log, registry: prometheus.NewRegistry()}
	if m.now == nil {
		m.now = time.Now
	}
	if m.random == nil {
		m.random = rand.Reader
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	build := m.gauge("build_info", "Always 1; the labels say which build runs.", "version", "commit", "goversion")
	build.WithLabelValues(o.Version, o.Commit, runtime.Version()).Set(1)
	m.requests = m.newRequestMetrics()
	m.upstream = m.newUpstreamMetrics()
	m.store = m.newStoreMetrics()
	m.session = m.newSessionMetrics()
	m.auth = m.counter("forward_auth_answers_total",
		"Answers to proxies that asked who may come in.", "endpoint", "policy", "code")
	m.limited = m.counter("signature_refusals_limited_total",
		"Requests that were answered 429 because their address had sent too many cookies with a bad signature.").WithLabelValues()
	m.reloads = m.newReloadMetrics()
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.newStates(),
	)
	return m
}

// Handler answers /metrics, in the text format or in OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelError),
		// A part that cannot be had must not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	})
}

// family describes the metrics of one name.
type family struct {
	Name, Type, Help string
	Labels           []string
}

const namespace = "gobeaker_"

func (m *Metrics) describe(kind, name, help string, labels []string) {
	m.families = append(m.families, family{namespace + name, kind, help, labels})
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.describe("counter", name, help, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	m.describe("gauge", name, help, labels)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: namespace + name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.describe("histogram", name, help, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// asked describes a gauge whose values are asked for at each scrape.
func (m *Metrics) asked(name, help string, labels ...string) *prometheus.Desc {
	m.describe("gauge", name, help, labels)
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

// Limited counts a request that was refused because its address had sent too many bad
// signatures.
func (m *Metrics) Limited() { m.limited.Inc() }

type reloadMetrics struct {
	total *prometheus.CounterVec
	good  prometheus.Gauge
	last  prometheus.Gauge
}

func (m *Metrics) newReloadMetrics() reloadMetrics {
	r := reloadMetrics{
		total: m.counter("config_reloads_total", "Times that the configuration was read again.", "outcome"),
		good: m.gauge("config_last_reload_successful",
			"1 if the configuration that is in the files is the one that runs, 0 if the last reload failed.").WithLabelValues(),
		last: m.gauge("config_last_reload_success_timestamp_seconds",
			"When the configuration that runs was taken up.").WithLabelValues(),
	}
	r.total.WithLabelValues("success")
	r.total.WithLabelValues("failure")
	r.good.Set(1)
	r.last.Set(seconds(m.now()))
	return r
}

// Reloaded counts a reload.
func (m *Metrics) Reloaded(err error) {
	if err != nil {
		m.reloads.total.WithLabelValues("failure").Inc()
		m.reloads.good.Set(0)
		return
	}
	m.reloads.total.WithLabelValues("success").Inc()
	m.reloads.good.Set(1)
	m.reloads.last.Set(seconds(m.now()))
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
