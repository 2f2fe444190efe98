package tiered

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/idlock"
)

// tries bounds how often something is begun again because other processes were faster.
const tries = 1000

// side is one of the two stores.
type side struct {
	name string
	stores.Store
	updater stores.Updater
	form    func(pyvalue.Value) (pyvalue.Value, error)
}

// tier is what all tiered stores can do.
type tier struct {
	new, old  side
	o         Options
	following following
	turns     idlock.Locks // of those in this process who write both records
}

// New returns a store over the two, which must be [stores.Updater]s. It is one
// itself, a [stores.Pinger] and an [io.Closer]; a [stores.Lister] if both are, with
// ReadOld if the old one is; and a [stores.Locker] if the store that leads is, with
// ReadNewest if one of them is.
func New(newStore, oldStore stores.Store, o Options) (stores.Store, error) {
	if err := o.check(newStore, oldStore); err != nil {
		return nil, fmt.Errorf("tiered: options: %w", err)
	}
	t := &tier{new: side{name: "new store", Store: newStore, form: o.ToNew}, old: side{name: "old store", Store: oldStore, form: o.ToOld}, o: o}
	for _, s := range []*side{&t.new, &t.old} {
		var ok bool
		if s.updater, ok = stores.As[stores.Updater](s.Store); !ok {
			return nil, fmt.Errorf("tiered: options: the %s cannot change records under a lock", s.name)
		}
		if s.form == nil {
			s.form = func(v pyvalue.Value) (pyvalue.Value, error) { return v, nil }
		}
	}
	return t.capable(), nil
}

// capable returns the store with the methods that it can stand for.
func (t *tier) capable() stores.Store {
	lists, locks := t.lister(), t.locking()
	switch {
	case lists != nil && locks != nil:
		return struct {
			*tier
			*listing
			*locking
		}{t, lists, locks}
	case lists != nil:
		return struct {
			*tier
			*listing
		}{t, lists}
	case locks != nil:
		return struct {
			*tier
			*locking
		}{t, locks}
	}
	return t
}

func (t *tier) report(err error) {
	if err != nil && t.o.Report != nil {
		t.o.Report(fmt.Errorf("tiered: %w", err))
	}
}

// wrap says which of the stores it was.
func (s *side) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tiered: %s: %w", s.name, err)
}

// find is Get with nil for a record that is not there.
func (s *side) find(ctx context.Context, id string) (pyvalue.Value, error) {
	v, err := s.Get(ctx, id)
	if errors.Is(err, stores.ErrNotExist) {
		return nil, nil
	}
	return v, s.wrap(err)
}

// put writes a value in the form of that store.
func (s *side) put(ctx context.Context, id string, v pyvalue.Value) error {
	if v != nil {
		var err error
		if v, err = s.form(v); err != nil {
			return s.wrap(err)
		}
	}
	return s.wrap(s.Put(ctx, id, v))
}

// replace writes v, or removes the record if v is nil, as long as it is still old.
// Not done: it is not.
func (s *side) replace(ctx context.Context, id string, old, v pyvalue.Value) (done bool, err error) {
	err = s.updater.Update(ctx, id, func(now pyvalue.Value) (pyvalue.Value, error) {
		switch done = same(now, old); {
		case !done:
			return nil, nil
		case v == nil:
			return nil, stores.ErrRemove
		}
		return v, nil
	})
	return done, s.wrap(err)
}

// drop removes a record as long as it is still v.
func (s *side) drop(ctx context.Context, id string, v pyvalue.Value) error {
	if v == nil {
		return nil
	}
	_, err := s.replace(ctx, id, v, nil)
	return err
}

// same compares values as they are stored.
func same(a, b pyvalue.Value) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if x, ok := a.(pyvalue.Str); ok {
		y, ok := b.(pyvalue.Str)
		return ok && x == y
	}
	x, err1 := pickle.Append(nil, a, pickle.DefaultProtocol)
	y, err2 := pickle.Append(nil, b, pickle.DefaultProtocol)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// asNew returns a value of the old store as the new one would have it. One that
// cannot be so is still a session.
func (t *tier) asNew(v pyvalue.Value) pyvalue.Value {
	converted, err := t.new.form(v)
	if err != nil {
		t.report(t.new.wrap(err))
		return v
	}
	return converted
}

// Get implements [stores.Store]. With ReadNewest it makes the two records equal.
func (t *tier) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	switch t.o.Read {
	case ReadOld:
		v, err := t.old.Get(ctx, id)
		return v, t.old.wrap(err)
	case ReadNewest:
		return t.getNewest(ctx, id)
	}
	v, err := t.new.Get(ctx, id)
	if !errors.Is(err, stores.ErrNotExist) {
		return v, t.new.wrap(err)
	}
	if v, err = t.old.Get(ctx, id); err != nil {
		return nil, t.old.wrap(err)
	}
	return t.asNew(v), nil
}

// Put implements [stores.Store].
func (t *tier) Put(ctx context.Context, id string, v pyvalue.Value) error {
	switch t.o.Read {
	case ReadOld:
		if err := t.old.put(ctx, id, v); err != nil {
			return err
		}
		t.follow(ctx, id, &t.old, &t.new)
		return nil
	case ReadNewest:
		return t.putBoth(ctx, id, v)
	}
	if err := t.new.put(ctx, id, v); err != nil {
		return err
	}
	return t.written(ctx, id)
}

// written does what is due after a record of the new store, which leads, was written.
func (t *tier) written(ctx context.Context, id string) error {
	switch {
	case t.o.Move:
		return t.old.wrap(t.old.Delete(ctx, id))
	case t.o.Write == WriteBoth:
		t.follow(ctx, id, &t.new, &t.old)
	}
	return nil
}

// putBoth writes both records. Who puts at the same time puts both before or after.
func (t *tier) putBoth(ctx context.Context, id string, v pyvalue.Value) (err error) {
	ctx, unlock, err := t.turn(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := t.new.put(ctx, id, v); err != nil {
		return err
	}
	return t.old.put(ctx, id, v)
}

// Delete implements [stores.Store]: both records are removed, the old one first, so
// that it is not taken for one that is still to be copied.
func (t *tier) Delete(ctx context.Context, id string) (err error) {
	ctx, unlock, err := t.lockAll(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for range tries {
		err := errors.Join(t.old.wrap(t.old.Delete(ctx, id)), t.new.wrap(t.new.Delete(ctx, id)))
		if err != nil || t.o.Write == WriteNewOnly {
			return err
		}
		// Somebody may have copied a record just before it went.
		if left, err := t.either(ctx, id); !left {
			return err
		}
	}
	return nil
}

func (t *tier) either(ctx context.Context, id string) (bool, error) {
	for _, s := range []*side{&t.old, &t.new} {
		if v, err := s.find(ctx, id); v != nil || err != nil {
			return v != nil, err
		}
	}
	return false, nil
}

// Ping implements [stores.Pinger]. With ReadOld the new store does not matter.
func (t *tier) Ping(ctx context.Context) error {
	sides := []*side{&t.old, &t.new}
	if t.o.Read == ReadOld {
		sides = sides[:1]
	}
	var all error
	for _, s := range sides {
		if p, ok := stores.As[stores.Pinger](s.Store); ok {
			all = errors.Join(all, s.wrap(p.Ping(ctx)))
		}
	}
	if all == nil {
		return ctx.Err()
	}
	return all
}

// Close closes both stores, as far as they have something to close.
func (t *tier) Close() error {
	var all error
	for _, s := range []*side{&t.new, &t.old} {
		if c, ok := stores.As[io.Closer](s.Store); ok {
			all = errors.Join(all, s.wrap(c.Close()))
		}
	}
	return all
}
