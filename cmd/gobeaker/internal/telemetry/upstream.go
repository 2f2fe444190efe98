package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gobeaker/gobeaker/middleware/gateway"
)

type upstreamMetrics struct {
	attempts *prometheus.CounterVec
	retries  *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

func (m *Metrics) newUpstreamMetrics() upstreamMetrics {
	return upstreamMetrics{
		attempts: m.counter("upstream_attempts_total",
			"Questions to an upstream, by the class of its answer (2xx …) or by why there was none.",
			"route", "upstream", "outcome"),
		retries: m.counter("upstream_retries_total",
			"Questions to an upstream because another one had not answered.", "route", "upstream"),
		took: m.histogram("upstream_response_seconds",
			"Time until the head of the upstream's answer.", requestBuckets, "route", "upstream"),
	}
}

func (u upstreamMetrics) forget(l prometheus.Labels) {
	u.attempts.DeletePartialMatch(l)
	u.retries.DeletePartialMatch(l)
	u.took.DeletePartialMatch(l)
}

// Attempt counts a question to an upstream: it is gateway.Options.Observe.
func (m *Metrics) Attempt(a gateway.Attempt) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	route, upstream := a.Route, a.Upstream
	if !m.serving.upstreams[upstreamKey{route, upstream}] {
		route, upstream = label(m.serving.routes, route), removed
	}
	m.upstream.attempts.WithLabelValues(route, upstream, outcomeOf(a)).Inc()
	if a.Retry {
		m.upstream.retries.WithLabelValues(route, upstream).Inc()
	}
	if a.Err == nil {
		m.upstream.took.WithLabelValues(route, upstream).Observe(a.Took.Seconds())
	}
}

// outcomeOf is the class of the answer, or in a word why there is none.
func outcomeOf(a gateway.Attempt) string {
	if a.Err == nil {
		return class(a.Status)
	}
	return reason(a.Err)
}

// reason says in a word why there is no answer.
func reason(err error) string {
	var (
		op        *net.OpError
		timeout   interface{ Timeout() bool }
		authority x509.UnknownAuthorityError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &op) && op.Op == "dial":
		return "connect"
	case errors.As(err, &authority), errors.As(err, &verify), errors.As(err, &record), errors.As(err, &alert):
		return "tls"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "broken"
}

// classes are the values of the label code.
var classes = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

func class(status int) string {
	if c := status / 100; c > 0 && c < len(classes) {
		return classes[c]
	}
	return classes[0]
}

// Authorized counts an answer of forward-auth: it is forwardauth.Options.Observe. Its
// policy is "" if none has a name.
func (m *Metrics) Authorized(endpoint, policy string, status int) {
	switch endpoint {
	case "/auth", "/forward-auth", "/ext-authz", "/userinfo":
	default:
		endpoint = "other"
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	m.auth.WithLabelValues(endpoint, label(m.serving.policies, policy), strconv.Itoa(status)).Inc()
}
