package migrate

import (
	"context"
	"errors"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// examine asks the Managers in turn, and says which one could read it. The error is that of
// the first.
func examine(v pyvalue.Value, by ...*compat.Manager) (e compat.Examined, m *compat.Manager, err error) {
	for i, m := range by {
		e, problem := m.Examine(v)
		if problem == nil {
			return e, m, nil
		}
		if i == 0 {
			err = problem
		}
	}
	return compat.Examined{}, nil, err
}

// convert converts a record where it is, under its lock. One that has been converted
// already can be read by the destination's Manager alone.
func (c *copier) convert(ctx context.Context, b *batch, id string) error {
	var count *int64
	var bad *Problem
	change := func(old pyvalue.Value) (pyvalue.Value, error) {
		count, bad = nil, nil
		if old == nil {
			return nil, nil
		}
		e, by, err := examine(old, c.o.From.Manager, c.o.To.Manager)
		if err != nil {
			bad = &Problem{ID: id, Reason: reasonOf(err), Err: err}
			return nil, nil
		}
		switch {
		case e.State == compat.Dead:
			count = &b.counts.Empty
			return nil, nil
		case e.State == compat.Expired && !c.o.All:
			count = &b.counts.Expired
			return nil, nil
		}
		into := newTarget(by, c.o.To.Manager)
		changed, err := into.adapt(&e)
		if err != nil {
			bad = &Problem{ID: id, Reason: Inexpressive, Err: err}
			return nil, nil
		}
		if count = &b.counts.Done; !changed && into.asIs(e.Form) {
			return nil, nil
		}
		if err := c.o.fit(e.Values); err != nil {
			bad = &Problem{ID: id, Reason: Unfit, Err: err}
			return nil, nil
		}
		v, err := into.value(old, e, changed)
		if err != nil {
			bad = &Problem{ID: id, Reason: Inexpressive, Err: err}
			return nil, nil
		}
		if count = &b.counts.Replaced; c.o.DryRun {
			return nil, nil
		}
		return v, nil
	}
	var err error
	if c.o.DryRun {
		var v pyvalue.Value
		if v, err = c.o.From.Store.Get(ctx, id); err == nil || errors.Is(err, stores.ErrNotExist) {
			_, err = change(v)
		}
	} else {
		err = c.updater.Update(ctx, id, change)
	}
	switch {
	case err != nil:
		return c.fail(b, id, Unreadable, err)
	case bad != nil:
		return c.fail(b, id, bad.Reason, bad.Err)
	case count == nil:
		c.absent(ctx, b, id)
		return nil
	}
	*count++
	return nil
}
