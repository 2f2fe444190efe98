package telemetry

import (
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// shown are the metrics of others that are in [Metrics.Numbers].
var shown = map[string]string{
	"go_goroutines":                 "Goroutines.",
	"process_resident_memory_bytes": "Memory of the process.",
	"process_open_fds":              "Open files and connections.",
	"process_start_time_seconds":    "When the process began, in seconds since 1970.",
}

// Number is a metric at the moment.
type Number struct {
	Name, Help string
	Labels     string // `form="pickle"`, "" for none
	Value      float64
}

// Numbers returns what the inspector shows: all metrics that are not zero, histograms as
// their mean.
func (m *Metrics) Numbers() []Number {
	families, err := m.registry.Gather()
	if err != nil {
		m.log.Error("metrics could not be gathered", "error", err)
	}
	var out []Number
	for _, f := range families {
		help, other := shown[f.GetName()]
		if !other {
			if help = f.GetHelp(); !strings.HasPrefix(f.GetName(), namespace) {
				continue
			}
		}
		for _, one := range f.GetMetric() {
			n := Number{Name: f.GetName(), Help: help, Labels: labelText(one.GetLabel())}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				n.Value = one.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				n.Value = one.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				count := one.GetHistogram().GetSampleCount()
				if count == 0 {
					continue
				}
				n.Name, n.Help = n.Name+" (mean)", "Mean. "+help
				n.Value = one.GetHistogram().GetSampleSum() / float64(count)
			default:
				continue
			}
			if n.Value != 0 || f.GetType() == dto.MetricType_GAUGE {
				out = append(out, n)
			}
		}
	}
	return out
}

func labelText(labels []*dto.LabelPair) string {
	var b strings.Builder
	for _, l := range labels {
		if l.GetValue() == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l.GetName() + "=" + strconv.Quote(l.GetValue()))
	}
	return b.String()
}
