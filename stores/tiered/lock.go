package tiered

import (
	"context"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/stores"
)

// locking is a tier that can lock.
type locking struct{ *tier }

// locking returns nil if the store that leads has no locks.
func (t *tier) locking() *locking {
	_, newLocks := stores.As[stores.Locker](t.new.Store)
	if len(t.lockers()) == 0 || t.o.Read == ReadNewFirst && !newLocks {
		return nil
	}
	return &locking{t}
}

// lockers are the stores to lock, in the order in which everybody locks them.
func (t *tier) lockers() []stores.Locker {
	sides := []*side{&t.new, &t.old}
	switch {
	case t.o.Read == ReadOld:
		sides = sides[1:]
	case t.o.Write == WriteNewOnly:
		sides = sides[:1]
	}
	var all []stores.Locker
	for _, s := range sides {
		if l, ok := stores.As[stores.Locker](s.Store); ok {
			all = append(all, l)
		}
	}
	return all
}

// Lock implements [stores.Locker].
func (l *locking) Lock(ctx context.Context, id string) (held context.Context, unlock func() error, err error) {
	return l.tier.lockAll(ctx, id)
}

// lockAll takes the locks that there are, perhaps none.
func (t *tier) lockAll(ctx context.Context, id string) (held context.Context, unlock func() error, err error) {
	var unlocks []func() error
	unlock = func() error {
		var all error
		for i := len(unlocks) - 1; i >= 0; i-- {
			all = errors.Join(all, unlocks[i]())
		}
		return all
	}
	held = ctx
	for _, l := range t.lockers() {
		next, u, err := l.Lock(held, id)
		if err != nil {
			return nil, nil, errors.Join(err, unlock())
		}
		held, unlocks = next, append(unlocks, u)
	}
	return held, unlock, nil
}

// turn takes the locks that there are, and then waits for those in this process who write
// the same two records: where there are no locks they would only get in each other's
// way, and those who share a lock too.
func (t *tier) turn(ctx context.Context, id string) (held context.Context, end func() error, err error) {
	held, unlock, err := t.lockAll(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if err := t.turns.Acquire(ctx, id); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("tiered: %w", err), unlock())
	}
	return held, func() error {
		t.turns.Release(id)
		return unlock()
	}, nil
}
