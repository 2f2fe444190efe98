package tiered

import (
	"context"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// verdict says which of two records counts.
type verdict uint8

const (
	equal   verdict = iota
	newWins         // the new store's
	oldWins         // the old store's
	ended           // there is what a logout left
)

// compare judges the two records; nil stands for none. What a logout left tells no
// time: it counts as newer than any session.
func (t *tier) compare(n, o pyvalue.Value) verdict {
	switch {
	case n != nil && t.dead(n), o != nil && t.dead(o):
		return ended
	case n == nil && o == nil:
		return equal
	case o == nil:
		return newWins
	case n == nil:
		return oldWins
	case t.o.Newer(o, n):
		return oldWins
	case t.o.Newer(n, o):
		return newWins
	}
	return equal
}

func (t *tier) dead(v pyvalue.Value) bool { return t.o.Dead != nil && t.o.Dead(v) }

// pick returns the record that counts, as the new store would have it.
func (t *tier) pick(n, o pyvalue.Value) pyvalue.Value {
	verdict := t.compare(n, o)
	if verdict == oldWins || verdict == ended && (n == nil || !t.dead(n)) {
		return t.asNew(o)
	}
	return n
}

// getNewest reads both records and makes them equal if they are not.
func (t *tier) getNewest(ctx context.Context, id string) (pyvalue.Value, error) {
	n, nErr := t.new.find(ctx, id)
	if nErr != nil && !errors.Is(nErr, stores.ErrCorrupt) {
		return nil, nErr
	}
	o, oErr := t.old.find(ctx, id)
	if oErr != nil && !errors.Is(oErr, stores.ErrCorrupt) {
		return nil, oErr
	}
	none := fmt.Errorf("tiered: get %s: %w", beakerfmt.HashID(id), stores.ErrNotExist)
	if nErr != nil || oErr != nil { // what can be read is all there is
		if v := t.pick(n, o); v != nil {
			return v, nil
		}
		return nil, errors.Join(nErr, oErr)
	}
	switch verdict := t.compare(n, o); verdict {
	case ended:
		t.report(t.bury(ctx, id, n, o))
		return nil, none
	case newWins, oldWins:
		v := t.pick(n, o)
		t.report(t.equalize(ctx, id, n, o, verdict))
		return v, nil
	}
	if n == nil {
		return nil, none
	}
	return n, nil
}

// bury removes both records, if they are still as they were seen. A session goes
// before what the logout left, which is a logout still if nothing comes of the rest.
// Without either, who logs in again is not taken for who had logged out.
func (t *tier) bury(ctx context.Context, id string, n, o pyvalue.Value) error {
	if n != nil && !t.dead(n) {
		return errors.Join(t.new.drop(ctx, id, n), t.old.drop(ctx, id, o))
	}
	return errors.Join(t.old.drop(ctx, id, o), t.new.drop(ctx, id, n))
}

// equalize copies the record that counts to the other store, if both are still as they
// were seen.
func (t *tier) equalize(ctx context.Context, id string, n, o pyvalue.Value, v verdict) (err error) {
	from, to, seen, there := &t.new, &t.old, n, o
	if v == oldWins {
		from, to, seen, there = &t.old, &t.new, o, n
	}
	copied, err := to.form(seen)
	if err != nil {
		return to.wrap(err)
	}
	ctx, unlock, err := t.turn(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if now, err := from.find(ctx, id); err != nil || !same(now, seen) {
		return err
	}
	_, err = t.copyTo(ctx, id, from, to, there, copied)
	return err
}

// copyTo writes a copy of what from has, in place of what is there. Where there are no locks somebody
// may have deleted both records just before: then the copy goes again.
func (t *tier) copyTo(ctx context.Context, id string, from, to *side, there, copied pyvalue.Value) (done bool, err error) {
	if done, err = to.replace(ctx, id, there, copied); err != nil || !done || there != nil {
		return done, err
	}
	still, err := from.find(ctx, id)
	if err == nil && still == nil {
		err = to.drop(ctx, id, copied)
	}
	return done, err
}

// updateBoth writes both records, the new store's first, under all locks that there are.
// Without locks the old store may get another record meanwhile: if that one is newer
// than what was just written, the change is made again, to that one.
func (t *tier) updateBoth(ctx context.Context, id string, c *change) (err error) {
	ctx, unlock, err := t.turn(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for range tries {
		var o, toNew, toOld pyvalue.Value
		err := t.new.updater.Update(ctx, id, func(n pyvalue.Value) (_ pyvalue.Value, err error) {
			toNew, toOld = nil, nil
			if o, err = t.old.find(ctx, id); err != nil {
				return nil, err
			}
			v := c.call(t.pick(n, o))
			switch {
			case c.removed:
				if err := t.old.wrap(t.old.Delete(ctx, id)); err != nil {
					return nil, err
				}
				return nil, stores.ErrRemove
			case v == nil:
				return nil, c.err
			}
			toNew, toOld, err = t.forms(v)
			return toNew, err
		})
		if err != nil || toOld == nil {
			return c.outcome(&t.new, err)
		}
		if again, err := t.carry(ctx, id, o, toOld, toNew != nil); !again {
			return err
		}
	}
	return t.old.wrap(errors.New("a record changes too fast"))
}

// carry writes the old store's record after the new one's, over the one that was
// there. Again: it has got a newer one. Leads: the new store was written.
func (t *tier) carry(ctx context.Context, id string, there, toOld pyvalue.Value, leads bool) (again bool, err error) {
	if !leads {
		done, err := t.old.replace(ctx, id, there, toOld)
		return !done && err == nil, err
	}
	for range tries {
		done, err := t.copyTo(ctx, id, &t.new, &t.old, there, toOld)
		if err != nil || done {
			return false, err
		}
		if there, err = t.old.find(ctx, id); err != nil {
			return false, err
		}
		n, err := t.new.find(ctx, id)
		if n == nil || err != nil {
			return false, err
		}
		switch t.compare(n, there) {
		case oldWins:
			return true, nil
		case ended: // the next Get sees to it
			return false, nil
		}
		if toOld, err = t.old.form(n); err != nil {
			t.report(t.old.wrap(err))
			return false, nil
		}
	}
	return false, t.old.wrap(errors.New("a record changes too fast"))
}

// forms returns a value in the forms of the two stores; nil for one that cannot hold
// it. It is an error if neither can.
func (t *tier) forms(v pyvalue.Value) (toNew, toOld pyvalue.Value, err error) {
	toNew, nErr := t.new.form(v)
	toOld, oErr := t.old.form(v)
	nErr, oErr = t.new.wrap(nErr), t.old.wrap(oErr)
	if nErr != nil && oErr != nil {
		return nil, nil, errors.Join(nErr, oErr)
	}
	for _, err := range []error{nErr, oErr} {
		t.report(err)
	}
	if nErr != nil {
		toNew = nil
	}
	if oErr != nil {
		toOld = nil
	}
	return toNew, toOld, nil
}
