package metered_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/metered"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

const id = "1e4c684fb206494191440c2cc28cbc22"

func TestConformance(t *testing.T) {
	var dir string
	storetest.Run(t, storetest.Harness{
		New: func(t *testing.T) stores.Store {
			dir = t.TempDir()
			inner, err := filestore.New(filestore.Options{DataDir: dir})
			require.NoError(t, err)
			return metered.New(inner, metered.Options{Record: func(metered.Event) {}})
		},
		Settle: func(t *testing.T, _ stores.Store, id string) {
			at := time.Now().Add(-time.Hour)
			require.NoError(t, os.Chtimes(filepath.Join(dir, "container_file", beakerfmt.DataPath(id)), at, at))
		},
	})
}

// meter is a store whose clock moves by a second each time it is looked at.
func meter(inner stores.Store) (*metered.Store, func() metered.Event) {
	var (
		mu   sync.Mutex
		now  time.Time
		last metered.Event
	)
	s := metered.New(inner, metered.Options{
		Record: func(e metered.Event) { last = e },
		Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Second)
			return now
		},
	})
	return s, func() metered.Event { return last }
}

func TestEvents(t *testing.T) {
	ctx := t.Context()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	s, last := meter(memstore.New())
	for _, c := range []struct {
		name string
		do   func()
		want metered.Event
	}{
		{"absent", func() { _, _ = s.Get(ctx, id) }, metered.Event{Op: metered.Get, Outcome: metered.NotFound}},
		{"put", func() { _ = s.Put(ctx, id, pyvalue.Str("x")) }, metered.Event{Op: metered.Put, Outcome: metered.OK}},
		{"there", func() { _, _ = s.Get(ctx, id) }, metered.Event{Op: metered.Get, Outcome: metered.OK}},
		{"no id", func() { _ = s.Delete(ctx, "a/b") }, metered.Event{Op: metered.Delete, Outcome: metered.InvalidID}},
		{"ended", func() { _ = s.Delete(canceled, id) }, metered.Event{Op: metered.Delete, Outcome: metered.Canceled}},
		{"update", func() {
			_ = s.Update(ctx, id, func(v pyvalue.Value) (pyvalue.Value, error) { return v, nil })
		}, metered.Event{Op: metered.Update, Outcome: metered.OK, Calls: 1}},
		{"update fails", func() {
			_ = s.Update(ctx, id, func(pyvalue.Value) (pyvalue.Value, error) { return nil, errors.New("mine") })
		}, metered.Event{Op: metered.Update, Outcome: metered.Failed, Calls: 1}},
		{"list", func() {
			for range s.List(ctx, "") {
			}
		}, metered.Event{Op: metered.List, Outcome: metered.OK, Records: 1}},
		{"lock", func() { _, unlock, _ := s.Lock(ctx, id); _ = unlock() }, metered.Event{Op: metered.Lock, Outcome: metered.OK}},
		{"ping", func() { _ = s.Ping(ctx) }, metered.Event{Op: metered.Ping, Outcome: metered.OK}},
	} {
		c.do()
		c.want.Took = time.Second
		require.Equal(t, c.want, last(), c.name)
	}
}

// TestLook: a look is told of as the Get that it would be without, and is one of the
// store inside: it waits for no lock.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	inner, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	s, last := meter(inner)
	_, ok := stores.As[stores.Looker](s)
	require.True(t, ok)
	look := func(ctx context.Context, id string) (pyvalue.Value, metered.Event) {
		v, _ := stores.Look(ctx, s, id)
		return v, last()
	}
	event := func(o metered.Outcome) metered.Event {
		return metered.Event{Op: metered.Get, Outcome: o, Took: time.Second}
	}
	_, e := look(t.Context(), id)
	require.Equal(t, event(metered.NotFound), e)
	_, e = look(t.Context(), "a/b")
	require.Equal(t, event(metered.InvalidID), e)

	require.NoError(t, s.Put(t.Context(), id, pyvalue.Str("x")))
	record := filepath.Join(dir, "container_file", beakerfmt.DataPath(id))
	long := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(record, long, long))
	others, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	_, unlock, err := others.Lock(t.Context(), id)
	require.NoError(t, err)
	v, e := look(t.Context(), id)
	require.Equal(t, pyvalue.Str("x"), v)
	require.Equal(t, event(metered.OK), e)
	require.NoError(t, unlock())

	require.NoError(t, os.WriteFile(record, []byte("no record"), 0o600))
	_, e = look(t.Context(), id)
	require.Equal(t, event(metered.Corrupt), e)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, e = look(ended, id)
	require.Equal(t, event(metered.Canceled), e)

	s, last = meter(bare{memstore.New()})
	_, e = look(t.Context(), id)
	require.Equal(t, event(metered.NotFound), e, "a store that has no Look")
	_, ok = stores.As[stores.Looker](s)
	require.False(t, ok)
}

func TestOutcomes(t *testing.T) {
	for want, err := range map[metered.Outcome]error{
		metered.OK:          nil,
		metered.Corrupt:     stores.ErrCorrupt,
		metered.TooLarge:    fmt.Errorf("%w: %w", stores.ErrCorrupt, stores.ErrTooLarge),
		metered.Exists:      stores.ErrExist,
		metered.Unavailable: stores.ErrUnavailable,
		metered.Access:      fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrAccess),
		metered.Full:        fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrFull),
		metered.Missing:     fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrMissing),
		metered.Timeout:     fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrTimeout),
		metered.Uncertain:   fmt.Errorf("%w: %w: %w", stores.ErrUnavailable, stores.ErrUncertain, stores.ErrTimeout),
		metered.Canceled:    context.DeadlineExceeded,
		metered.Failed:      errors.New("anything"),
	} {
		require.Equal(t, want, metered.OutcomeOf(err))
	}
}

// bare has no capability.
type bare struct{ stores.Store }

// TestCapabilities: a store around another is no more than that one.
func TestCapabilities(t *testing.T) {
	s, last := meter(bare{memstore.New()})
	_, ok := stores.As[stores.Updater](s)
	require.False(t, ok)
	require.ErrorIs(t, s.Update(t.Context(), id, nil), errors.ErrUnsupported)
	require.Equal(t, metered.Failed, last().Outcome)
	for _, err := range s.List(t.Context(), "") {
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	for _, err := range s.Insert(t.Context(), make([]stores.Record, 2)) {
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}

	twice, _ := meter(func() stores.Store { s, _ := meter(memstore.New()); return s }())
	_, ok = stores.As[stores.Updater](twice)
	require.True(t, ok)
	_, ok = stores.As[stores.Inserter](twice)
	require.False(t, ok, "what the innermost is not, no wrapper is")
}

// clocked has a clock.
type clocked struct{ *memstore.Store }

func (clocked) Now(context.Context) (time.Time, error) { return time.Unix(7, 0), nil }

func TestClock(t *testing.T) {
	s, _ := meter(memstore.New())
	_, ok := stores.As[stores.Clock](s)
	require.False(t, ok)
	_, err := s.Now(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	s, _ = meter(clocked{memstore.New()})
	c, ok := stores.As[stores.Clock](s)
	require.True(t, ok)
	now, err := c.Now(t.Context())
	require.NoError(t, err)
	require.Equal(t, time.Unix(7, 0), now)
}

func TestNobodyIsTold(t *testing.T) {
	_, err := metered.New(memstore.New(), metered.Options{}).Get(t.Context(), id)
	require.ErrorIs(t, err, stores.ErrNotExist)
}

// told is the key of a context that Begin made.
type told struct{}

// seen notes whether an operation had the context that Begin made.
type seen struct {
	*memstore.Store
	contexts []any
}

func (s *seen) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	s.contexts = append(s.contexts, ctx.Value(told{}))
	return s.Store.Get(ctx, id)
}

func TestBegin(t *testing.T) {
	inner := &seen{Store: memstore.New()}
	var ended []metered.Event
	s := metered.New(inner, metered.Options{Begin: func(ctx context.Context, op metered.Op) (context.Context, func(metered.Event)) {
		if op == metered.Put {
			return ctx, nil
		}
		return context.WithValue(ctx, told{}, op), func(e metered.Event) { e.Took = 0; ended = append(ended, e) }
	}})
	require.NoError(t, s.Put(t.Context(), id, pyvalue.Str("x")))
	held, unlock, err := s.Lock(t.Context(), id)
	require.NoError(t, err)
	require.Nil(t, held.Value(told{}), "the wait for a lock ends before what is done under it")
	_, err = s.Get(held, id)
	require.NoError(t, err)
	require.NoError(t, unlock())
	require.Equal(t, []any{metered.Get}, inner.contexts)
	require.Equal(t, []metered.Event{{Op: metered.Lock, Outcome: metered.OK}, {Op: metered.Get, Outcome: metered.OK}}, ended)
}
