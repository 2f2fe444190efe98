package compat

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// View is a read-only look at a session. What it returns must not be changed: other
// requests may be looking at the same values. It is safe for concurrent use.
type View struct {
	values *pyvalue.Dict
	isNew  bool
}

func (m *Manager) peek(ctx context.Context, c claim) (*View, error) {
	none := &View{values: &pyvalue.Dict{}, isNew: true}
	r, err := m.home.peek(ctx, c)
	switch {
	case errors.Is(err, stores.ErrCorrupt) && m.opts.InvalidateCorrupt:
		return none, nil
	case err != nil:
		return nil, err
	}
	if r.state != present {
		return none, nil
	}
	return &View{values: r.values}, nil
}

// view looks at a loaded session as it is now.
func (s *Session) view() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember()
	return &View{values: s.values.Clone(), isNew: s.isNew}
}

// Get returns the value under a key.
func (v *View) Get(key string) (pyvalue.Value, bool) { return v.values.GetStr(key) }

// All iterates over keys and values in order, Beaker's own keys included.
func (v *View) All() iter.Seq2[pyvalue.Value, pyvalue.Value] { return v.values.All() }

// Dict returns a copy of the session's dict; the values in it are shared.
func (v *View) Dict() *pyvalue.Dict { return v.values.Clone() }

// IsNew reports whether there is no stored session behind this view.
func (v *View) IsNew() bool { return v.isNew }

// Created returns when the session was made.
func (v *View) Created() (time.Time, bool) { return timeOf(v.values, keyCreated) }

// LastAccessed returns the time of the last stored access.
func (v *View) LastAccessed() (time.Time, bool) { return timeOf(v.values, keyAccessed) }
