package compat_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// unlocked is a store that changes records by compare-and-set alone, as Redis.
type unlocked struct {
	stores.Store
	stores.Updater
}

// A condition is asked about what is stored when it is written, not when it was loaded,
// and nothing is written if it does not hold.
func TestPersistIf(t *testing.T) {
	ctx, errNot := context.Background(), errors.New("test: it does not hold")
	for name, wrap := range map[string]func(*memstore.Store) stores.Store{
		"locks":   func(s *memstore.Store) stores.Store { return s },
		"updates": func(s *memstore.Store) stores.Store { return unlocked{s, s} },
	} {
		for _, deleteRecords := range []bool{true, false} {
			for verb, do := range map[string]func(*compat.Session){
				"save":       func(s *compat.Session) { _ = s.Set("mine", 1); s.Save() },
				"delete":     (*compat.Session).Delete,
				"regenerate": func(s *compat.Session) { _ = s.RegenerateID() },
			} {
				t.Run(name+" "+verb, func(t *testing.T) {
					options := compat.Defaults()
					options.DeleteRecords = deleteRecords
					store := memstore.New()
					m, err := compat.New(options, wrap(store), compat.Environment{})
					require.NoError(t, err)
					first, err := m.Open("").Session(ctx)
					require.NoError(t, err)
					require.NoError(t, first.Set("n", 1))
					first.Save()
					require.NoError(t, first.PersistIf(ctx, func(*compat.View) error { return errNot }), "it was not stored before")
					cookie := options.Key + "=" + first.ID()

					object := m.Open(cookie)
					s, err := object.Session(ctx)
					require.NoError(t, err)
					do(s)
					require.NoError(t, first.Set("n", 2)) // by somebody else
					require.NoError(t, first.Persist(ctx))
					is := func(want int) func(*compat.View) error {
						return func(v *compat.View) error {
							if n, ok := compat.Get[int](v, "n"); !ok || n != want {
								return errNot
							}
							return nil
						}
					}
					require.ErrorIs(t, s.PersistIf(ctx, is(1)), errNot)
					stored, err := m.Open(cookie).Peek(ctx)
					require.NoError(t, err)
					n, _ := compat.Get[int](stored, "n")
					require.Equal(t, 2, n, "nothing was written")
					_, mine := stored.Get("mine")
					require.False(t, mine)

					require.NoError(t, s.PersistIf(ctx, is(2)))
					if deleteRecords && verb != "save" {
						_, err = store.Get(ctx, first.ID())
						require.ErrorIs(t, err, stores.ErrNotExist)
					}
					if verb == "regenerate" {
						moved, err := m.Open(options.Key + "=" + s.ID()).Peek(ctx)
						require.NoError(t, err)
						require.NoError(t, is(2)(moved))
					}

					// Of a session that has gone the condition is told so.
					other, err := m.Open(cookie).Session(ctx)
					require.NoError(t, err)
					if other.IsNew() {
						return
					}
					require.NoError(t, other.Set("late", 1))
					other.Save()
					require.NoError(t, store.Delete(ctx, other.ID()))
					require.ErrorIs(t, other.PersistIf(ctx, func(v *compat.View) error {
						require.True(t, v.IsNew())
						return errNot
					}), errNot)
					_, err = store.Get(ctx, other.ID())
					require.ErrorIs(t, err, stores.ErrNotExist)
				})
			}
		}
	}
}

func TestPersistIfNeedsUpdate(t *testing.T) {
	m, err := compat.New(compat.Defaults(), struct{ stores.Store }{memstore.New()}, compat.Environment{})
	require.NoError(t, err)
	s, err := m.Open("").Session(context.Background())
	require.NoError(t, err)
	require.NoError(t, s.Set("a", pyvalue.None{}))
	s.Save()
	require.ErrorIs(t, s.PersistIf(context.Background(), func(*compat.View) error { return nil }), compat.ErrUnsupported)
}

// meddled is a store without locks in which somebody writes at the worst moment: before
// the Put of another id than the one that is there.
type meddled struct {
	unlocked
	meddle func(id string)
}

func (m meddled) Put(ctx context.Context, id string, v pyvalue.Value) error {
	m.meddle(id)
	return m.unlocked.Put(ctx, id, v)
}

// What others write while a session moves to its new id is not lost, with a condition
// also where the old record stays.
func TestPersistIfWhileItMoves(t *testing.T) {
	ctx := context.Background()
	for _, deleteRecords := range []bool{true, false} {
		options := compat.Defaults()
		options.DeleteRecords = deleteRecords
		inner := memstore.New()
		plain, err := compat.New(options, inner, compat.Environment{})
		require.NoError(t, err)
		first, err := plain.Open("").Session(ctx)
		require.NoError(t, err)
		require.NoError(t, first.Set("n", 1))
		first.Save()
		require.NoError(t, first.Persist(ctx))

		once := sync.OnceFunc(func() {
			require.NoError(t, first.Set("n", 2))
			require.NoError(t, first.Persist(ctx))
		})
		m, err := compat.New(options, meddled{unlocked{inner, inner}, func(id string) {
			if id != first.ID() {
				once()
			}
		}}, compat.Environment{})
		require.NoError(t, err)
		s, err := m.Open(options.Key + "=" + first.ID()).Session(ctx)
		require.NoError(t, err)
		require.NoError(t, s.RegenerateID())
		var shown []int
		require.NoError(t, s.PersistIf(ctx, func(v *compat.View) error {
			n, _ := compat.Get[int](v, "n")
			shown = append(shown, n)
			return nil
		}))
		require.Equal(t, []int{1, 2}, shown, "delete_records %v", deleteRecords)
		moved, err := plain.GetByID(ctx, s.ID())
		require.NoError(t, err)
		n, _ := compat.Get[int](moved, "n")
		require.Equal(t, 2, n)
	}
}
