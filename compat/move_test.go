package compat_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// busyStore has no locks. Its Update holds what others need (as the only connection of
// a pool), and before it, others may do something.
type busyStore struct {
	*watchedStore
	t      *testing.T
	busy   bool
	before func()
}

func (s *busyStore) Lock() {}

func (s *busyStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	require.False(s.t, s.busy, "the store is used within Update")
	return s.watchedStore.Get(ctx, id)
}

func (s *busyStore) Put(ctx context.Context, id string, v pyvalue.Value) error {
	require.False(s.t, s.busy, "the store is used within Update")
	return s.watchedStore.Put(ctx, id, v)
}

func (s *busyStore) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.watchedStore.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) {
		s.busy = true
		defer func() { s.busy = false }()
		return f(old)
	})
}

// TestMoveWithoutLocks: a session moves without using the store within its Update, and
// looks again if others write, or end, the old record meanwhile.
func TestMoveWithoutLocks(t *testing.T) {
	for _, c := range []struct {
		name  string
		other func(s *site, x *compat.Session)
		ended bool
	}{
		{"nobody else", nil, false},
		{"another request writes", func(s *site, x *compat.Session) { require.NoError(s.t, x.Set("other", 2)); x.Save() }, false},
		{"another request ends it", func(_ *site, x *compat.Session) { x.Delete() }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			store := &busyStore{watchedStore: s.store, t: t}
			s.openOver(store)
			s.login()
			old, header := s.id(), s.header()
			if c.other != nil {
				store.before = func() {
					o := s.manager.Open(header)
					x, err := o.Session(ctx())
					require.NoError(t, err)
					c.other(s, x)
					require.NoError(t, o.Persist(ctx()))
				}
			}
			var moved string
			s.request(func(x *compat.Session) {
				require.NoError(t, x.RegenerateID())
				require.NoError(t, x.Set("mine", 1))
				x.Save()
				moved = x.ID()
			})
			require.False(t, s.stored(old))
			require.Equal(t, !c.ended, s.stored(moved))
			if c.ended {
				return
			}
			keys := []string{"k", "mine"}
			if c.other != nil {
				keys = append(keys, "other")
			}
			for _, key := range keys {
				_, ok := s.record(moved).GetStr(key)
				require.True(t, ok, key)
			}
		})
	}
}

var _ stores.Updater = (*busyStore)(nil)

// What was not saved is not written by a move either, whoever wrote meanwhile.
func TestMoveKeepsUnsavedToItself(t *testing.T) {
	for _, peer := range []compat.Peer{{}, {Major: 1, Minor: 11}} {
		for _, without := range []bool{false, true} {
			lockless = without
			defer func() { lockless = false }()
			s := newSite(t, func(o *compat.Options) { o.Peer = peer })
			s.login()
			o := s.manager.Open(s.header())
			x, err := o.Session(ctx())
			require.NoError(t, err)
			require.NoError(t, x.Set("unsaved", 1))
			s.request(func(y *compat.Session) { require.NoError(t, y.Set("other", 2)); y.Save() })
			require.NoError(t, x.RegenerateID())
			require.NoError(t, o.Persist(ctx()))
			_, ok := s.record(x.ID()).GetStr("unsaved")
			require.False(t, ok)
			_, ok = s.record(x.ID()).GetStr("other")
			require.True(t, ok)
		}
	}
}
