package compat

import (
	"context"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// PersistIf is Persist on a condition. Before anything is written, holds is shown the
// session as it is stored at that moment, by whomever, under the lock, transaction or
// compare-and-set that keeps other writers, Python among them, away until ours is
// written. If holds returns an error, nothing is written and PersistIf returns that
// error, wrapped. A session that somebody else has ended is shown as an empty View whose
// IsNew is true; if holds lets that pass, it stays ended, as with Persist.
//
// Holds is called as often as the store has to try. It must not use the session or the
// store. It is not called if nothing is to be written, for a session that is not stored
// yet, and for cookie-only sessions, of which nobody else has the present one. A store
// without [stores.Updater] cannot keep the promise: ErrUnsupported.
func (s *Session) PersistIf(ctx context.Context, holds func(*View) error) error {
	if h, ok := s.m.home.(*inStore); ok && h.updater == nil {
		return ErrUnsupported
	}
	s.mu.Lock()
	s.condition = holds
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.condition = nil
		s.mu.Unlock()
	}()
	return s.Persist(ctx)
}

// permitted shows the condition of PersistIf what is stored, if there is a condition.
func (s *Session) permitted(stored pyvalue.Value) error {
	if s.condition == nil {
		return nil
	}
	none := &View{values: &pyvalue.Dict{}, isNew: true}
	if stored == nil {
		return s.condition(none)
	}
	values, _, err := s.m.decode(stored)
	if err != nil || isDeleted(values) {
		return s.condition(none)
	}
	return s.condition(&View{values: values})
}

// deleteIf is writeDeleted under the condition.
func (h *inStore) deleteIf(ctx context.Context, s *Session) error {
	return h.updater.Update(ctx, s.stored, func(old pyvalue.Value) (pyvalue.Value, error) {
		if err := s.permitted(old); err != nil {
			return nil, err
		}
		if h.m.opts.DeleteRecords {
			return nil, stores.ErrRemove
		}
		return h.m.codec.EncodeValue(s.values, s.form(s.base.form))
	})
}
