package telemetry

import (
	"crypto/x509"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gobeaker/gobeaker/middleware/gateway"
)

// Serving is what is served at the moment. Only names in it become labels.
type Serving struct {
	Routes   []string // names, those with a handler of ours included
	Policies []string // that forward-auth answers for
	// Upstreams tells how the upstreams of these routes are; nil: there are none.
	Upstreams func() []gateway.UpstreamState
	// Certificates are those that clients see, by what they are for ("gateway"); nil:
	// there are none.
	Certificates func() map[string]*x509.Certificate
}

// served are the names that are served.
type served struct {
	routes, policies map[string]bool
	upstreams        map[upstreamKey]bool
	states           func() []gateway.UpstreamState
	certificates     func() map[string]*x509.Certificate
}

type upstreamKey struct{ route, upstream string }

// removed stands for names that are not served: those that a reload removed while
// requests to them were under way.
const removed = "(removed)"

// Serving is told at the start and after each reload. The series of what is no longer
// served disappear.
func (m *Metrics) Serving(s Serving) {
	n := served{
		routes: set(s.Routes), policies: set(s.Policies), upstreams: map[upstreamKey]bool{},
		states: s.Upstreams, certificates: s.Certificates,
	}
	if s.Upstreams != nil {
		for _, u := range s.Upstreams() {
			n.upstreams[upstreamKey{u.Route, u.Upstream}] = true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for route := range m.serving.routes {
		if !n.routes[route] {
			m.requests.forget(prometheus.Labels{"route": route})
			m.upstream.forget(prometheus.Labels{"route": route})
		}
	}
	for u := range m.serving.upstreams {
		if !n.upstreams[u] {
			m.upstream.forget(prometheus.Labels{"route": u.route, "upstream": u.upstream})
		}
	}
	for policy := range m.serving.policies {
		if !n.policies[policy] {
			m.auth.DeletePartialMatch(prometheus.Labels{"policy": policy})
		}
	}
	m.serving = n
}

func set(names []string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, n := range names {
		s[n] = true
	}
	return s
}

// label returns a name that may be a label: "" (none), or one that is served.
func label(names map[string]bool, name string) string {
	if name == "" || names[name] {
		return name
	}
	return removed
}

// states asks for what is counted elsewhere.
type states struct {
	m                          *Metrics
	healthy, inFlight, expires *prometheus.Desc
}

func (m *Metrics) newStates() *states {
	return &states{
		m:        m,
		healthy:  m.asked("upstream_healthy", "1 if the upstream is asked, 0 if it is left out.", "route", "upstream"),
		inFlight: m.asked("upstream_requests_in_flight", "Requests that the upstream is answering.", "route", "upstream"),
		expires: m.asked("tls_certificate_not_after_timestamp_seconds",
			"When the certificate that clients see ends.", "listener"),
	}
}

// Describe implements [prometheus.Collector].
func (s *states) Describe(ch chan<- *prometheus.Desc) {
	ch <- s.healthy
	ch <- s.inFlight
	ch <- s.expires
}

// Collect implements [prometheus.Collector]. An upstream that a route has twice is one.
func (s *states) Collect(ch chan<- prometheus.Metric) {
	s.m.mu.RLock()
	now := s.m.serving
	s.m.mu.RUnlock()
	if now.states != nil {
		all := map[upstreamKey]gateway.UpstreamState{}
		for _, u := range now.states() {
			k := upstreamKey{u.Route, u.Upstream}
			if other, twice := all[k]; twice {
				u.Healthy, u.InFlight = u.Healthy && other.Healthy, u.InFlight+other.InFlight
			}
			all[k] = u
		}
		for k, u := range all {
			healthy := 0.0
			if u.Healthy {
				healthy = 1
			}
			ch <- prometheus.MustNewConstMetric(s.healthy, prometheus.GaugeValue, healthy, k.route, k.upstream)
			ch <- prometheus.MustNewConstMetric(s.inFlight, prometheus.GaugeValue, float64(u.InFlight), k.route, k.upstream)
		}
	}
	if now.certificates != nil {
		for listener, c := range now.certificates() {
			ch <- prometheus.MustNewConstMetric(s.expires, prometheus.GaugeValue, seconds(c.NotAfter), listener)
		}
	}
}
