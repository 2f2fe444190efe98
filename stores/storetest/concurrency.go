package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// How many goroutines take part, and how often each does its work.
const (
	crowd  = 8
	rounds = 25
)

// together runs f in a crowd of goroutines and waits for them.
func together(f func(n int)) {
	var wg sync.WaitGroup
	for n := range crowd {
		wg.Go(func() { f(n) })
	}
	wg.Wait()
}

func updater(t *testing.T, s stores.Store) stores.Updater {
	u, ok := stores.As[stores.Updater](s)
	if !ok {
		t.Skip("the store is no stores.Updater")
	}
	return u
}

func locker(t *testing.T, s stores.Store) stores.Locker {
	l, ok := stores.As[stores.Locker](s)
	if !ok {
		t.Skip("the store is no stores.Locker")
	}
	return l
}

// lock locks id and sees to it that it is unlocked when the test ends.
func lock(t *testing.T, l stores.Locker, ctx context.Context, id string) (held context.Context, unlock func() error) {
	t.Helper()
	held, unlock, err := l.Lock(ctx, id)
	require.NoError(t, err)
	t.Cleanup(func() { unlock() })
	return held, unlock
}

// testWholeRecords: whoever reads while others write sees one of the records
// that were written.
func testWholeRecords(t *testing.T, s stores.Store) {
	text := func(n int) pyvalue.Value { return pyvalue.Str(strings.Repeat(string(rune('a'+n)), 1000*(n+1))) }
	require.NoError(t, s.Put(t.Context(), id(1), text(0)))
	together(func(n int) {
		for range rounds {
			if n%2 == 0 {
				assert.NoError(t, s.Put(t.Context(), id(1), text(n)))
				continue
			}
			v, err := s.Get(t.Context(), id(1))
			if !assert.NoError(t, err) {
				return
			}
			got, _ := v.(pyvalue.Str)
			assert.Contains(t, []int{1000, 3000, 5000, 7000}, len(got))
			assert.Equal(t, len(got), strings.Count(string(got), string(got[0])))
		}
	})
}

func testUpdate(t *testing.T, s stores.Store) {
	u, ctx := updater(t, s), t.Context()
	nothing := func(old pyvalue.Value) (pyvalue.Value, error) {
		assert.Nil(t, old, "there is no record")
		return nil, nil
	}
	require.NoError(t, u.Update(ctx, id(1), nothing))
	_, err := s.Get(ctx, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist, "nothing was to be written")

	require.NoError(t, u.Update(ctx, id(1), func(old pyvalue.Value) (pyvalue.Value, error) {
		assert.Nil(t, old)
		return dict(1), nil
	}))
	require.NoError(t, u.Update(ctx, id(1), func(old pyvalue.Value) (pyvalue.Value, error) {
		d := old.(*pyvalue.Dict)
		d.SetStr("n", pyvalue.NewInt(2))
		return d, nil
	}))
	requireSame(t, dict(2), get(t, ctx, s, id(1)))

	mine := errors.New("mine")
	require.ErrorIs(t, u.Update(ctx, id(1), func(pyvalue.Value) (pyvalue.Value, error) { return dict(3), mine }), mine)
	requireSame(t, dict(2), get(t, ctx, s, id(1)))

	require.NoError(t, s.Delete(ctx, id(1)))
	require.NoError(t, u.Update(ctx, id(1), nothing))
}

func testUpdateRemoves(t *testing.T, s stores.Store) {
	u, ctx := updater(t, s), t.Context()
	remove := func(pyvalue.Value) (pyvalue.Value, error) { return nil, stores.ErrRemove }
	require.NoError(t, u.Update(ctx, id(1), remove), "removing what is not there is no error")
	require.NoError(t, s.Put(ctx, id(1), dict(1)))
	require.NoError(t, s.Put(ctx, id(2), dict(2)))
	require.NoError(t, u.Update(ctx, id(1), remove))
	_, err := s.Get(ctx, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
	requireSame(t, dict(2), get(t, ctx, s, id(2)))
	require.NoError(t, u.Update(ctx, id(1), increment))
	requireSame(t, dict(1), get(t, ctx, s, id(1)))
}

func testUpdateByMany(t *testing.T, s stores.Store) {
	u := updater(t, s)
	together(func(int) {
		for range rounds {
			assert.NoError(t, u.Update(t.Context(), id(1), increment))
		}
	})
	require.EqualValues(t, crowd*rounds, number(t, get(t, t.Context(), s, id(1))))
}

func increment(old pyvalue.Value) (pyvalue.Value, error) {
	d, _ := old.(*pyvalue.Dict)
	if d == nil {
		return dict(1), nil
	}
	v, _ := d.GetStr("n")
	n, _ := v.(*pyvalue.Int).Int64()
	d.SetStr("n", pyvalue.NewInt(n+1))
	return d, nil
}

// testUpdateIndependent updates one id while an update of another is under way.
func testUpdateIndependent(t *testing.T, s stores.Store) {
	u, ctx := updater(t, s), t.Context()
	require.NoError(t, u.Update(ctx, id(1), func(pyvalue.Value) (pyvalue.Value, error) {
		if err := u.Update(ctx, id(2), increment); err != nil {
			return nil, err
		}
		return dict(1), s.Put(ctx, id(3), dict(1))
	}))
	for n := 1; n <= 3; n++ {
		requireSame(t, dict(1), get(t, ctx, s, id(n)))
	}
}

func testLockExcludes(t *testing.T, s stores.Store) {
	l := locker(t, s)
	require.NoError(t, s.Put(t.Context(), id(1), dict(0)))
	var inside atomic.Int32
	together(func(int) {
		for range rounds {
			held, unlock, err := l.Lock(t.Context(), id(1))
			if !assert.NoError(t, err) {
				return
			}
			assert.EqualValues(t, 1, inside.Add(1), "two have the lock")
			v, err := s.Get(held, id(1))
			if assert.NoError(t, err) {
				next, _ := increment(v)
				assert.NoError(t, s.Put(held, id(1), next))
			}
			inside.Add(-1)
			assert.NoError(t, unlock())
		}
	})
	require.EqualValues(t, crowd*rounds, number(t, get(t, t.Context(), s, id(1))))
}

func testLockMakesOthersWait(t *testing.T, s stores.Store) {
	l := locker(t, s)
	held, unlock := lock(t, l, t.Context(), id(1))
	done := make(chan error)
	go func() { done <- s.Put(t.Context(), id(1), dict(2)) }()
	for range rounds {
		require.NoError(t, s.Put(held, id(1), dict(1)))
		requireSame(t, dict(1), get(t, held, s, id(1)))
	}
	require.NoError(t, unlock())
	require.NoError(t, <-done)
	requireSame(t, dict(2), get(t, t.Context(), s, id(1)))
}

// testLockContext: everything can be done under a lock, and the lock ends with
// unlock, whatever becomes of the context.
func testLockContext(t *testing.T, s stores.Store) {
	l := locker(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	held, unlock := lock(t, l, ctx, id(1))
	require.NoError(t, s.Put(held, id(1), dict(1)))
	requireSame(t, dict(1), get(t, held, s, id(1)))
	if u, ok := stores.As[stores.Updater](s); ok {
		require.NoError(t, u.Update(held, id(1), increment))
		requireSame(t, dict(2), get(t, held, s, id(1)))
	}
	require.NoError(t, s.Delete(held, id(1)))
	_, err := s.Get(held, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.NoError(t, s.Put(held, id(1), dict(3)))

	cancel()
	require.ErrorIs(t, s.Put(held, id(1), dict(4)), context.Canceled)
	require.NoError(t, unlock(), "an ended context does not keep the lock")
	require.NoError(t, unlock(), "only the first call counts")
	requireSame(t, dict(3), get(t, t.Context(), s, id(1)))

	held, unlock = lock(t, l, t.Context(), id(1))
	require.NoError(t, unlock())
	require.NoError(t, s.Put(held, id(1), dict(5)), "a lock given back leaves a context like any other")
	_, again := lock(t, l, held, id(1))
	require.NoError(t, unlock(), "the old unlock does not open the new lock")
	requireLocked(t, s, held, id(1))
	require.NoError(t, again())
}

// testLockTwice locks with a context that carries the lock.
func testLockTwice(t *testing.T, s stores.Store) {
	l := locker(t, s)
	held, unlock := lock(t, l, t.Context(), id(1))
	inner, innerUnlock := lock(t, l, held, id(1))
	require.NoError(t, s.Put(inner, id(1), dict(1)))
	require.NoError(t, innerUnlock())
	require.NoError(t, innerUnlock())
	requireLocked(t, s, t.Context(), id(1))
	require.NoError(t, s.Put(held, id(1), dict(2)))
	require.NoError(t, unlock())
	requireSame(t, dict(2), get(t, t.Context(), s, id(1)))
}

// requireLocked: whoever has not the lock from ctx waits.
func requireLocked(t *testing.T, s stores.Store, ctx context.Context, id string) {
	t.Helper()
	for name, op := range operations(s, id) {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- op(ctx) }()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled, name)
	}
}

func testLockIndependent(t *testing.T, s stores.Store) {
	l := locker(t, s)
	one, unlockOne := lock(t, l, t.Context(), id(1))
	require.NoError(t, s.Put(t.Context(), id(2), dict(2)))
	both, unlockTwo := lock(t, l, one, id(2))
	require.NoError(t, s.Put(both, id(1), dict(1)))
	require.NoError(t, s.Put(both, id(2), dict(2)))
	requireLocked(t, s, one, id(2))
	require.NoError(t, unlockOne())
	requireSame(t, dict(1), get(t, t.Context(), s, id(1)))
	require.NoError(t, unlockTwo())
	requireSame(t, dict(2), get(t, t.Context(), s, id(2)))
}

// testLockShared: those who share a lock by their context lose no updates to
// each other.
func testLockShared(t *testing.T, s stores.Store) {
	l, u := locker(t, s), updater(t, s)
	held, unlock := lock(t, l, t.Context(), id(1))
	together(func(int) {
		for range rounds {
			assert.NoError(t, u.Update(held, id(1), increment))
		}
	})
	require.EqualValues(t, crowd*rounds, number(t, get(t, held, s, id(1))))
	require.NoError(t, unlock())
}

// testWaitingEnds: who waits for a lock when the context ends gets its error,
// and leaves nothing behind.
func testWaitingEnds(t *testing.T, s stores.Store) {
	l := locker(t, s)
	require.NoError(t, s.Put(t.Context(), id(1), dict(1)))
	_, unlock := lock(t, l, t.Context(), id(1))
	requireLocked(t, s, t.Context(), id(1))
	require.NoError(t, unlock())
	for range 2 {
		_, unlock := lock(t, l, t.Context(), id(1))
		require.NoError(t, unlock())
	}
	requireSame(t, dict(1), get(t, t.Context(), s, id(1)))
}
