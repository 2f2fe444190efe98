package tiered

import (
	"context"
	"errors"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// change is the function that an Update is given, and what became of its last call.
type change struct {
	f       func(pyvalue.Value) (pyvalue.Value, error)
	err     error // what f returned
	wrote   pyvalue.Value
	removed bool
}

// call calls f and returns what it wants to have written.
func (c *change) call(old pyvalue.Value) pyvalue.Value {
	c.wrote, c.err = c.f(old)
	c.removed = errors.Is(c.err, stores.ErrRemove)
	if c.err != nil {
		c.wrote = nil
	}
	return c.wrote
}

// outcome is what Update returns: an error of f as it is.
func (c *change) outcome(s *side, err error) error {
	if c.err != nil && errors.Is(err, c.err) {
		return err
	}
	return s.wrap(err)
}

// Update implements [stores.Updater], under the lock of the store that leads; with
// ReadNewest, and if it writes both behind the new one, under all locks that there are.
func (t *tier) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) (err error) {
	c := &change{f: f}
	switch t.o.Read {
	case ReadOld:
		return t.updateOld(ctx, id, c)
	case ReadNewest:
		return t.updateBoth(ctx, id, c)
	}
	if t.o.Write == WriteBoth { // else a delete could come between the two records
		var unlock func() error
		if ctx, unlock, err = t.lockAll(ctx, id); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	for range tries {
		again, err := t.updateNew(ctx, id, c)
		if !again {
			return err
		}
	}
	return t.new.wrap(errors.New("a record comes and goes too fast"))
}

func (t *tier) updateOld(ctx context.Context, id string, c *change) error {
	err := t.old.updater.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) {
		if v := c.call(old); v != nil {
			return t.old.form(v)
		}
		return nil, c.err
	})
	switch {
	case err != nil:
		return c.outcome(&t.old, err)
	case c.removed:
		return t.new.wrap(t.new.Delete(ctx, id))
	case c.wrote != nil:
		t.follow(ctx, id, &t.old, &t.new)
	}
	return nil
}

// updateNew updates the record of the new store. If there is none it starts from the
// old one's. Again: that one went meanwhile, and nothing was done.
func (t *tier) updateNew(ctx context.Context, id string, c *change) (again bool, err error) {
	var copied bool
	var wrote pyvalue.Value
	err = t.new.updater.Update(ctx, id, func(now pyvalue.Value) (pyvalue.Value, error) {
		var err error
		if copied, wrote = false, nil; now == nil {
			old, err := t.old.find(ctx, id)
			if err != nil {
				return nil, err
			}
			if old != nil {
				now, copied = t.asNew(old), true
			}
		}
		v := c.call(now)
		switch {
		case c.removed: // before the new one: see Delete
			if err := t.old.wrap(t.old.Delete(ctx, id)); err != nil {
				return nil, err
			}
			return nil, stores.ErrRemove
		case v == nil:
			return nil, c.err
		}
		wrote, err = t.new.form(v)
		return wrote, err
	})
	if err != nil || wrote == nil {
		return false, c.outcome(&t.new, err)
	}
	if copied {
		// Where there are no locks, a delete can have come between.
		old, err := t.old.find(ctx, id)
		if err != nil {
			t.report(err)
		} else if old == nil {
			return true, t.new.drop(ctx, id, wrote)
		}
	}
	return false, t.written(ctx, id)
}
