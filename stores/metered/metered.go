// Package metered tells of every operation on a store: which, how it ended, how
// long it took. It is where metrics come from; it never tells of which session.
package metered

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// Op is an operation of a store.
type Op string

// The operations.
const (
	Get    Op = "get"
	Put    Op = "put"
	Delete Op = "delete"
	Update Op = "update"
	Lock   Op = "lock" // until it is had; how long it is held is not told
	Insert Op = "insert"
	List   Op = "list" // from the first record to the last, the caller's time included
	Ping   Op = "ping"
)

// Outcome is how an operation ended, a word for a metric's label.
type Outcome string

// The outcomes.
const (
	OK          Outcome = "ok"
	NotFound    Outcome = "not_found"
	Exists      Outcome = "exists"
	Corrupt     Outcome = "corrupt"
	TooLarge    Outcome = "too_large"
	InvalidID   Outcome = "invalid_id"
	Canceled    Outcome = "canceled" // the caller's context ended
	Access      Outcome = "access"
	Full        Outcome = "full"
	Missing     Outcome = "missing"
	Timeout     Outcome = "timeout"
	Uncertain   Outcome = "uncertain"
	Unavailable Outcome = "unavailable" // for another reason, or none that is known
	Failed      Outcome = "failed"      // what was to be written is to blame, or the caller's own function
)

// outcomes are in the order of what says most.
var outcomes = []struct {
	err     error
	outcome Outcome
}{
	{stores.ErrInvalidID, InvalidID}, {stores.ErrNotExist, NotFound}, {stores.ErrExist, Exists},
	{stores.ErrTooLarge, TooLarge}, {stores.ErrCorrupt, Corrupt},
	{stores.ErrUncertain, Uncertain}, {stores.ErrAccess, Access}, {stores.ErrFull, Full}, {stores.ErrMissing, Missing}, {stores.ErrTimeout, Timeout},
	{context.Canceled, Canceled}, {context.DeadlineExceeded, Canceled},
	{stores.ErrUnavailable, Unavailable},
}

// OutcomeOf returns the outcome of an operation that returned err.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OK
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.outcome
		}
	}
	return Failed
}

// Event is an operation that has ended.
type Event struct {
	Op      Op
	Outcome Outcome
	Took    time.Duration
	// Calls is how often an Update called its function: more than once if others
	// wrote meanwhile.
	Calls int
	// Records is how many an Insert was given or a List yielded.
	Records int
}

// Options are what New needs beside the store.
type Options struct {
	// Record is called after each operation, in its goroutine. It must be safe for
	// concurrent use, and quick. Nil means that nobody is told.
	Record func(Event)
	// Begin is called before each operation, for a trace of it: the context that it
	// returns is that of the operation, and the function, if there is one, is called
	// after it. A context that Lock returns does not come of it. Nil means that
	// nobody is told.
	Begin func(context.Context, Op) (context.Context, func(Event))
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store tells of what is done to the store inside. It has the capabilities of
// that one: ask [stores.As].
type Store struct {
	inner stores.Store
	o     Options
}

var _ interface {
	stores.Wrapper
	stores.Updater
	stores.Locker
	stores.Lister
	stores.Pinger
	stores.Looker
	stores.Inserter
	stores.Clock
	stores.Versioner
	io.Closer
} = (*Store)(nil)

// New returns a store around inner that calls o.Record for each operation.
func New(inner stores.Store, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Record == nil {
		o.Record = func(Event) {}
	}
	if o.Begin == nil {
		o.Begin = func(ctx context.Context, _ Op) (context.Context, func(Event)) { return ctx, nil }
	}
	return &Store{inner, o}
}

// Unwrap implements [stores.Wrapper].
func (s *Store) Unwrap() stores.Store { return s.inner }

// Get implements [stores.Store].
func (s *Store) Get(ctx context.Context, id string) (v pyvalue.Value, err error) {
	ctx, b := s.begin(ctx, Get)
	v, err = s.inner.Get(ctx, id)
	b.tell(Event{}, err)
	return v, err
}

// Look implements [stores.Looker]. It is told of as the Get that it is of another store.
func (s *Store) Look(ctx context.Context, id string) (v pyvalue.Value, err error) {
	ctx, b := s.begin(ctx, Get)
	v, err = stores.Look(ctx, s.inner, id)
	b.tell(Event{}, err)
	return v, err
}

// Put implements [stores.Store].
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	ctx, b := s.begin(ctx, Put)
	err := s.inner.Put(ctx, id, v)
	b.tell(Event{}, err)
	return err
}

// Delete implements [stores.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	ctx, b := s.begin(ctx, Delete)
	err := s.inner.Delete(ctx, id)
	b.tell(Event{}, err)
	return err
}

// Update implements [stores.Updater].
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	ctx, b := s.begin(ctx, Update)
	calls := 0
	u, err := inside[stores.Updater](s)
	if err == nil {
		err = u.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) {
			calls++
			return f(old)
		})
	}
	b.tell(Event{Calls: calls}, err)
	return err
}

// Lock implements [stores.Locker].
func (s *Store) Lock(ctx context.Context, id string) (held context.Context, unlock func() error, err error) {
	// What is done under the lock is no part of waiting for it.
	_, b := s.begin(ctx, Lock)
	l, err := inside[stores.Locker](s)
	if err == nil {
		held, unlock, err = l.Lock(ctx, id)
	}
	b.tell(Event{}, err)
	return held, unlock, err
}

// Insert implements [stores.Inserter]. The outcome is that of the first record that
// failed for another reason than that it was there.
func (s *Store) Insert(ctx context.Context, records []stores.Record) []error {
	ctx, b := s.begin(ctx, Insert)
	in, err := inside[stores.Inserter](s)
	var errs []error
	if err == nil {
		errs = in.Insert(ctx, records)
	} else {
		for range records {
			errs = append(errs, err)
		}
	}
	for _, e := range errs {
		if err == nil && !errors.Is(e, stores.ErrExist) {
			err = e
		}
	}
	b.tell(Event{Records: len(records)}, err)
	return errs
}

// List implements [stores.Lister]. The outcome is that of the error that ended it;
// errors about single records do not count.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		ctx, b := s.begin(ctx, List)
		n := 0
		l, last := inside[stores.Lister](s)
		if last != nil {
			yield(stores.Info{}, last)
		} else {
			for info, err := range l.List(ctx, from) {
				last = nil
				if info.ID == "" {
					last = err
				} else {
					n++
				}
				if !yield(info, err) {
					break
				}
			}
		}
		b.tell(Event{Records: n}, last)
	}
}

// Ping implements [stores.Pinger].
func (s *Store) Ping(ctx context.Context) error {
	ctx, b := s.begin(ctx, Ping)
	p, err := inside[stores.Pinger](s)
	if err == nil {
		err = p.Ping(ctx)
	}
	b.tell(Event{}, err)
	return err
}

// Now implements [stores.Clock]. Nobody is told of it: it is no operation on sessions.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	c, err := inside[stores.Clock](s)
	if err != nil {
		return time.Time{}, err
	}
	return c.Now(ctx)
}

// Version implements [stores.Versioner]. Nobody is told of it: it costs less than that
// would, and whoever gets an error here gets it from Get, too.
func (s *Store) Version(ctx context.Context, id string) (stores.Version, error) {
	v, err := inside[stores.Versioner](s)
	if err != nil {
		return stores.Version{}, err
	}
	return v.Version(ctx, id)
}

// Close closes the store inside, if that can be closed.
func (s *Store) Close() error {
	if c, ok := s.inner.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// operation is one that has begun.
type operation struct {
	store *Store
	op    Op
	begun time.Time
	ended func(Event) // nil: nobody waits for it
}

func (s *Store) begin(ctx context.Context, op Op) (context.Context, operation) {
	o := operation{store: s, op: op, begun: s.o.Now()}
	ctx, o.ended = s.o.Begin(ctx, op)
	return ctx, o
}

func (o operation) tell(e Event, err error) {
	e.Op, e.Outcome, e.Took = o.op, OutcomeOf(err), o.store.o.Now().Sub(o.begun)
	o.store.o.Record(e)
	if o.ended != nil {
		o.ended(e)
	}
}

// inside returns a capability of the store inside. That it has none is an error of
// who did not ask stores.As.
func inside[Capability any](s *Store) (Capability, error) {
	c, ok := stores.As[Capability](s.inner)
	if !ok {
		return c, errors.ErrUnsupported
	}
	return c, nil
}
