package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gobeaker/gobeaker/compat"
)

type sessionMetrics struct {
	events, forms *prometheus.CounterVec
}

func (m *Metrics) newSessionMetrics() sessionMetrics {
	s := sessionMetrics{
		events: m.counter("session_events_total",
			"What happened to sessions, and how it went. load: one was read; save, touch: it, or its access time only, was written; refusal: a request's cookie has a bad signature; cache: a look at a session where decoded ones are kept.",
			"event", "outcome"),
		forms: m.counter("session_forms_total",
			"Sessions that were read (load) and written, by form. text is dict (the dict itself, Beaker up to 1.11) or the type of its text (Beaker from 1.12 on, encrypted sessions, and those in cookies). keys is former if one of the older keys signed its cookie or opened it: while that grows, the older ones are still needed.",
			"event", "text", "serializer", "encryption", "keys"),
	}
	for _, kind := range compat.EventKinds() {
		for _, outcome := range compat.Outcomes(kind) {
			s.events.WithLabelValues(string(kind), string(outcome))
		}
	}
	return s
}

// Session counts an event: it is compat.Environment.Observe. How often a change was made
// again is counted at the store.
func (m *Metrics) Session(e compat.Event) {
	m.session.events.WithLabelValues(string(e.Kind), string(e.Outcome)).Inc()
	if e.HasForm {
		keys := "present"
		if e.OldKey {
			keys = "former"
		}
		m.session.forms.WithLabelValues(string(e.Kind), e.Form.Text.String(), e.Form.Serializer.String(), e.Form.AES.String(), keys).Inc()
	}
}
