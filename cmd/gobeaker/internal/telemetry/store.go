package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/metered"
)

// Buckets in seconds. A store on the machine answers in tens of microseconds.
var (
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	storeBuckets   = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 1, 5}
)

type storeMetrics struct {
	operations *prometheus.CounterVec
	took       *prometheus.HistogramVec
	retries    *prometheus.CounterVec
}

func (m *Metrics) newStoreMetrics() storeMetrics {
	return storeMetrics{
		operations: m.counter("store_operations_total",
			"Operations on the session store, by how they ended. not_found and exists are no failures; access, full, missing, timeout, uncertain and unavailable mean that the store did not do it.",
			"store", "operation", "outcome"),
		took: m.histogram("store_operation_seconds", "Time of an operation on the session store.", storeBuckets, "store", "operation"),
		retries: m.counter("store_update_retries_total",
			"Times that a session was read again because others wrote it meanwhile.", "store"),
	}
}

// Store counts and traces the operations on a store under the name of its back end. A nil
// store (sessions in their cookies) stays nil.
func (m *Metrics) Store(kind string, s stores.Store) stores.Store {
	if s == nil {
		return nil
	}
	retries := m.store.retries.WithLabelValues(kind)
	for _, op := range []metered.Op{metered.Get, metered.Put, metered.Update, metered.Delete} {
		m.store.operations.WithLabelValues(kind, string(op), string(metered.OK))
		m.store.took.WithLabelValues(kind, string(op))
	}
	o := metered.Options{Now: m.now, Record: func(e metered.Event) {
		m.store.operations.WithLabelValues(kind, string(e.Op), string(e.Outcome)).Inc()
		m.store.took.WithLabelValues(kind, string(e.Op)).Observe(e.Took.Seconds())
		if e.Calls > 1 {
			retries.Add(float64(e.Calls - 1))
		}
	}}
	if m.tracer != nil {
		o.Begin = m.tracer.storeSpan(kind)
	}
	return metered.New(s, o)
}

// storeSpan makes a span of each operation. It never tells of which session.
func (t *Tracer) storeSpan(kind string) func(context.Context, metered.Op) (context.Context, func(metered.Event)) {
	return func(ctx context.Context, op metered.Op) (context.Context, func(metered.Event)) {
		if !trace.SpanFromContext(ctx).IsRecording() { // of a request that is not traced, or of none
			return ctx, nil
		}
		ctx, span := t.tracer.Start(ctx, "session "+string(op), trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("gobeaker.store", kind), attribute.String("gobeaker.operation", string(op))))
		return ctx, func(e metered.Event) {
			span.SetAttributes(attribute.String("gobeaker.outcome", string(e.Outcome)))
			switch e.Outcome {
			case metered.OK, metered.NotFound, metered.Exists, metered.Canceled:
			default:
				span.SetStatus(codes.Error, string(e.Outcome))
			}
			span.End()
		}
	}
}
