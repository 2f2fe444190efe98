package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// copier copies records.
type copier struct {
	o        *Options
	into     target
	own      target          // for what the destination has already
	inserter stores.Inserter // nil if the destination has none
	updater  stores.Updater
	problem  func(Problem)
}

func newCopier(o *Options, problem func(Problem)) *copier {
	c := &copier{o: o, into: newTarget(o.From.Manager, o.To.Manager), own: newTarget(o.To.Manager, o.To.Manager), problem: problem}
	c.inserter, _ = stores.As[stores.Inserter](o.To.Store)
	c.updater, _ = stores.As[stores.Updater](o.To.Store)
	return c
}

// item is a record on its way.
type item struct {
	id       string
	value    pyvalue.Value // for the destination
	source   pyvalue.Value // as it was found; only if it is to be removed there
	session  *pyvalue.Dict
	accessed time.Time
}

// fail counts a record that is not copied. It returns err if that is due to a store.
func (c *copier) fail(b *batch, id string, reason Reason, err error) error {
	if fatal(err) {
		return err
	}
	b.counts.Failed++
	c.problem(Problem{ID: id, Reason: reason, Err: err})
	return nil
}

// migrate copies a batch.
func (c *copier) migrate(ctx context.Context, b *batch) error {
	b.counts.Listed += int64(len(b.infos))
	var items []item
	for _, info := range b.infos {
		if !c.o.Since.IsZero() && !info.Modified.IsZero() && info.Modified.Before(c.o.Since) {
			b.counts.Unchanged++
			continue
		}
		var err error
		if c.o.inPlace() {
			err = c.convert(ctx, b, info.ID)
		} else {
			var it item
			var ok bool
			if it, ok, err = c.read(ctx, b, info); ok {
				items = append(items, it)
			}
		}
		if err != nil {
			return err
		}
	}
	return c.write(ctx, b, items)
}

// read reads and converts a record. Not ok: there is nothing to be written.
func (c *copier) read(ctx context.Context, b *batch, info stores.Info) (it item, ok bool, err error) {
	id := info.ID
	v, err := stores.Look(ctx, c.o.From.Store, id) // what is written meanwhile is brought by the next pass
	switch {
	case errors.Is(err, stores.ErrNotExist):
		c.absent(ctx, b, id)
		return item{}, false, nil
	case err != nil:
		return item{}, false, c.fail(b, id, Unreadable, err)
	}
	if c.o.Raw {
		return item{id: id, value: v, source: v}, true, nil
	}
	e, err := c.o.From.Manager.Examine(v)
	switch {
	case err != nil:
		return item{}, false, c.fail(b, id, reasonOf(err), err)
	case e.State == compat.Dead:
		b.counts.Empty++
		return item{}, false, c.logOut(ctx, b, info)
	case e.State == compat.Expired && !c.o.All:
		b.counts.Expired++
		return item{}, false, nil
	}
	changed, err := c.into.adapt(&e)
	if err != nil {
		return item{}, false, c.fail(b, id, Inexpressive, err)
	}
	if err := c.o.fit(e.Values); err != nil {
		return item{}, false, c.fail(b, id, Unfit, err)
	}
	it = item{id: id, session: e.Values, accessed: e.Accessed}
	if c.o.Move {
		it.source = v
	}
	if it.value, err = c.into.value(v, e, changed); err != nil {
		return item{}, false, c.fail(b, id, Inexpressive, err)
	}
	return it, true, nil
}

// dater is a store that tells when a record was written, whatever is in it.
type dater interface {
	Modified(ctx context.Context, id string) (time.Time, error)
}

// absent counts a record that was listed and has no session. It may be there all the same:
// Beaker makes an empty database for each id that it is asked for (container.py,
// DBMNamespaceManager.do_open).
func (c *copier) absent(ctx context.Context, b *batch, id string) {
	if d, ok := stores.As[dater](c.o.From.Store); ok {
		if _, err := d.Modified(ctx, id); err == nil {
			b.counts.Empty++
			return
		}
	}
	b.counts.Gone++
}

// write writes the records that the destination does not have, and decides about the
// others one by one.
func (c *copier) write(ctx context.Context, b *batch, items []item) error {
	if len(items) == 0 {
		return nil
	}
	if c.o.DryRun {
		return c.each(items, func(it *item) error { return c.foresee(ctx, b, it) })
	}
	if c.inserter == nil {
		return c.each(items, func(it *item) error { return c.merge(ctx, b, it) })
	}
	records := make([]stores.Record, len(items))
	for i := range items {
		records[i] = stores.Record{ID: items[i].id, Value: items[i].value}
	}
	errs := c.inserter.Insert(ctx, records)
	for i := range items {
		var err error
		switch it := &items[i]; {
		case errs[i] == nil:
			err = c.written(ctx, b, it, insert)
		case errors.Is(errs[i], stores.ErrExist):
			err = c.merge(ctx, b, it)
		default:
			err = c.fail(b, it.id, Refused, errs[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) each(items []item, do func(*item) error) error {
	for i := range items {
		if err := do(&items[i]); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what becomes of a record.
type outcome uint8

const (
	insert  outcome = iota
	replace         // an older one
	reform          // is there, the same or a later one, in a form that is not the destination's
	same            // is there already
	later           // there is a later one, or a logout
)

// verdict is that on a record that the destination may have.
type verdict struct {
	outcome
	write pyvalue.Value // nil: what is there stays
}

// judge compares a record with what the destination has, nil for none. Of two that were accessed
// at the same time the source has the right one. What the destination's Python would not
// read there, for a pass was made with other settings, is no reason to stay away.
func (c *copier) judge(it *item, there pyvalue.Value) (verdict, error) {
	switch {
	case there == nil:
		return verdict{insert, it.value}, nil
	case it.session == nil && equal(there, it.value):
		return verdict{outcome: same}, nil
	case it.session == nil:
		return verdict{outcome: later}, nil
	}
	e, err := c.o.To.Manager.Examine(there)
	switch {
	case err != nil:
		return verdict{outcome: later}, err
	case e.State == compat.Dead:
		return verdict{outcome: later}, nil
	}
	changed, err := c.own.adapt(&e)
	if err != nil {
		return verdict{outcome: later}, err
	}
	right := c.o.Raw || !changed && c.own.asIs(e.Form)
	switch {
	case e.Accessed.After(it.accessed) && right:
		return verdict{outcome: later}, nil
	case e.Accessed.After(it.accessed):
		return c.reform(there, e, changed)
	case !e.Accessed.Equal(it.accessed) || !c.into.alike(it.session, e):
		return verdict{replace, it.value}, nil
	case right:
		return verdict{outcome: same}, nil
	}
	return verdict{reform, it.value}, nil
}

// reform has a session of the destination converted where it is.
func (c *copier) reform(there pyvalue.Value, e compat.Examined, changed bool) (verdict, error) {
	if err := c.o.fit(e.Values); err != nil {
		return verdict{outcome: later}, err
	}
	v, err := c.own.value(there, e, changed)
	if err != nil {
		return verdict{outcome: later}, err
	}
	return verdict{reform, v}, nil
}

func (b *batch) count(o outcome) {
	switch o {
	case insert:
		b.counts.Copied++
	case replace:
		b.counts.Replaced++
	case reform:
		b.counts.Reformed++
	case same:
		b.counts.Done++
	case later:
		b.counts.Later++
	}
}

// merge writes a record unless the destination has a later one.
func (c *copier) merge(ctx context.Context, b *batch, it *item) error {
	var o verdict
	var bad error
	err := c.updater.Update(ctx, it.id, func(there pyvalue.Value) (pyvalue.Value, error) {
		if o, bad = c.judge(it, there); bad != nil {
			return nil, nil
		}
		return o.write, nil
	})
	switch {
	case bad != nil:
		return c.fail(b, it.id, Conflict, bad)
	case errors.Is(err, stores.ErrCorrupt):
		return c.fail(b, it.id, Conflict, err)
	case err != nil:
		return c.fail(b, it.id, Refused, err)
	}
	return c.written(ctx, b, it, o.outcome)
}

// written does what is due after a record was written, or needed not be.
func (c *copier) written(ctx context.Context, b *batch, it *item, o outcome) error {
	if c.o.Online && (o == insert || o == replace) {
		gone, err := c.takeBack(ctx, it)
		if err != nil {
			return c.fail(b, it.id, Refused, err)
		}
		if gone {
			b.counts.Gone++
			return nil
		}
	}
	b.count(o)
	return c.remove(ctx, b, it)
}

// takeBack removes a record that was just written if the source does not have it any more.
func (c *copier) takeBack(ctx context.Context, it *item) (gone bool, err error) {
	if _, err := c.o.From.Store.Get(ctx, it.id); !errors.Is(err, stores.ErrNotExist) {
		if fatal(err) {
			return false, err
		}
		return false, nil
	}
	return true, c.updater.Update(ctx, it.id, func(there pyvalue.Value) (pyvalue.Value, error) {
		if there != nil && equal(there, it.value) {
			return nil, stores.ErrRemove
		}
		return nil, nil
	})
}

// foresee says what merge would do.
func (c *copier) foresee(ctx context.Context, b *batch, it *item) error {
	there, err := c.o.To.Store.Get(ctx, it.id)
	if err != nil && !errors.Is(err, stores.ErrNotExist) && !errors.Is(err, stores.ErrMissing) { // its table is still to be made
		return c.fail(b, it.id, Conflict, err)
	}
	o, err := c.judge(it, there)
	if err != nil {
		return c.fail(b, it.id, Conflict, err)
	}
	b.count(o.outcome)
	return nil
}

// errDifferent: the destination has something else than was written.
var errDifferent = errors.New("what was read back is not what was written; the record stays where it was")

// remove removes a record from the source that is at the destination, if that was asked for.
// One that was written since stays for the next pass.
func (c *copier) remove(ctx context.Context, b *batch, it *item) error {
	if !c.o.Move || c.o.DryRun {
		return nil
	}
	there, err := c.o.To.Store.Get(ctx, it.id)
	if err != nil {
		return c.fail(b, it.id, Different, err)
	}
	result, err := c.judge(it, there)
	switch {
	case err != nil:
		return c.fail(b, it.id, Different, err)
	case result.outcome == replace, result.outcome == reform:
		return c.fail(b, it.id, Different, errDifferent)
	case result.outcome == later && it.session == nil: // which of them is later, nobody has looked
		return nil
	}
	removed := false
	take := func(now pyvalue.Value) (pyvalue.Value, error) {
		if removed = now != nil && equal(now, it.source); removed {
			return nil, stores.ErrRemove
		}
		return nil, nil
	}
	if u, ok := stores.As[stores.Updater](c.o.From.Store); ok {
		err = u.Update(ctx, it.id, take)
	} else {
		removed, err = true, c.o.From.Store.Delete(ctx, it.id)
	}
	if err != nil {
		return c.fail(b, it.id, Refused, fmt.Errorf("it was copied, and not removed from the source: %w", err))
	}
	if removed {
		b.counts.Removed++
	}
	return nil
}

// logOut removes a session from the destination that was logged out at the source since
// it was copied, unless it was used since then.
func (c *copier) logOut(ctx context.Context, b *batch, info stores.Info) error {
	if c.o.KeepLoggedOut {
		return nil
	}
	ended := false
	end := func(there pyvalue.Value) (pyvalue.Value, error) {
		if ended = c.outlived(there, info); ended {
			return nil, stores.ErrRemove
		}
		return nil, nil
	}
	var err error
	if c.o.DryRun {
		var there pyvalue.Value
		if there, err = c.o.To.Store.Get(ctx, info.ID); err == nil {
			_, _ = end(there)
		}
	} else {
		err = c.updater.Update(ctx, info.ID, end)
	}
	if err != nil && !errors.Is(err, stores.ErrNotExist) && !errors.Is(err, stores.ErrCorrupt) {
		return c.fail(b, info.ID, Refused, err)
	}
	if ended {
		b.counts.LoggedOut++
	}
	return nil
}

// outlived reports whether there is a session at the destination that was logged out at
// the source since it was last used.
func (c *copier) outlived(there pyvalue.Value, info stores.Info) bool {
	if there == nil {
		return false
	}
	e, err := c.o.To.Manager.Examine(there)
	return err == nil && e.State != compat.Dead && (info.Modified.IsZero() || !e.Accessed.After(info.Modified))
}
