package compat

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// Persist writes the session now (Beaker: SessionObject.persist): all of it
// after Save or Delete or with Auto, else its access time only, and nothing if
// it was not used. Middleware calls it before the response begins; a handler may
// call it earlier to see the error. The changes of others to keys that this
// request did not touch stay, unless the options say WriteReplace.
func (s *Session) Persist(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		return nil
	}
	ctx = s.lockedContext(ctx)
	if err := s.write(ctx); err != nil {
		return fmt.Errorf("compat: persist: %w", err)
	}
	if err := s.removeObsolete(ctx); err != nil {
		return fmt.Errorf("compat: persist: %w", err)
	}
	return nil
}

func (s *Session) write(ctx context.Context) error {
	o := &s.m.opts
	switch {
	case s.deleted:
		return s.writeDeleted(ctx)
	case o.Auto || s.dirty:
		if err := s.writeAll(ctx); err != nil {
			return err
		}
		s.dirty = false
		if s.isNew {
			s.cookie.send = true
		}
		return nil
	case s.isNew || !o.SaveAccessedTime:
		return nil
	case s.id != s.stored:
		return s.writeUnchanged(ctx)
	}
	return s.writeAccessTime(ctx)
}

// writeDeleted removes the record, or leaves in it what Beaker leaves.
func (s *Session) writeDeleted(ctx context.Context) error {
	if s.stored == "" {
		return nil
	}
	if s.m.opts.DeleteRecords {
		return s.m.store.Delete(ctx, s.stored)
	}
	return s.put(ctx, s.stored, s.values)
}

// writeAll writes the values as the handler left them.
func (s *Session) writeAll(ctx context.Context) error {
	s.values.SetStr(keyAccessed, pyvalue.Float(s.m.clock()))
	switch {
	case s.stored == "":
		return s.put(ctx, s.id, s.values)
	case s.id != s.stored:
		values, err := s.mergedFrom(ctx, s.stored)
		if err != nil {
			return err
		}
		return s.put(ctx, s.id, values)
	case s.m.opts.Write == WriteReplace || s.m.updater == nil:
		return s.put(ctx, s.id, s.values)
	}
	return s.merge(ctx)
}

// writeUnchanged writes the record as it is now, or else as it was loaded,
// with the time of this access, under the session's id. That is how a session
// that was only read moves to a new id (Beaker: Session.save, accessed_only).
func (s *Session) writeUnchanged(ctx context.Context) error {
	values, err := s.unchanged(ctx)
	if err != nil {
		return err
	}
	return s.put(ctx, s.id, s.stamp(values))
}

func (s *Session) unchanged(ctx context.Context) (*pyvalue.Dict, error) {
	old, err := s.m.store.Get(ctx, s.stored)
	if err == nil {
		if d, b, err := s.m.decode(old); err == nil {
			s.base.form = b.form
			return d, nil
		}
	} else if !errors.Is(err, stores.ErrNotExist) && !errors.Is(err, stores.ErrCorrupt) {
		return nil, err
	}
	if s.base.text == nil && s.base.dump == nil {
		return s.values, nil
	}
	return s.base.values()
}

// put writes values as the whole record of id and goes on from there.
func (s *Session) put(ctx context.Context, id string, values *pyvalue.Dict) error {
	v, err := beakerfmt.EncodeValue(values, s.form(s.base.form))
	if err != nil {
		return err
	}
	if err := s.m.store.Put(ctx, id, v); err != nil {
		return err
	}
	return s.written(id, values, v)
}

// written makes what was just written the ground for further changes.
func (s *Session) written(id string, values *pyvalue.Dict, v pyvalue.Value) error {
	form := s.form(s.base.form)
	s.stored, s.values, s.base = id, values, base{form: form}
	if form.Text != beakerfmt.TextNone {
		s.base.text = v
		return nil
	}
	return s.base.remember(values)
}

// form decides in which form to write a record that was found in form found:
// as the configured peer reads it, or as it was.
func (s *Session) form(found beakerfmt.Form) beakerfmt.Form {
	if s.m.opts.Peer.IsAuto() && s.stored != "" {
		return found
	}
	return s.m.opts.Peer.form(s.m.serializer)
}

// merge writes our changes into the record as it is now, under its lock.
func (s *Session) merge(ctx context.Context) error {
	var (
		values *pyvalue.Dict
		wrote  pyvalue.Value
	)
	err := s.m.updater.Update(ctx, s.id, func(old pyvalue.Value) (pyvalue.Value, error) {
		var err error
		if values, err = s.mergeInto(old); err != nil {
			return nil, err
		}
		wrote, err = beakerfmt.EncodeValue(values, s.form(s.base.form))
		return wrote, err
	})
	if errors.Is(err, stores.ErrCorrupt) {
		return s.put(ctx, s.id, s.values) // broken since we read it: ours is what is left
	}
	if err != nil {
		return err
	}
	return s.written(s.id, values, wrote)
}

// mergedFrom is mergeInto for a record that is about to move to another id.
func (s *Session) mergedFrom(ctx context.Context, id string) (*pyvalue.Dict, error) {
	if s.m.opts.Write == WriteReplace {
		return s.values, nil
	}
	old, err := s.m.store.Get(ctx, id)
	switch {
	case errors.Is(err, stores.ErrNotExist), errors.Is(err, stores.ErrCorrupt):
		return s.values, nil
	case err != nil:
		return nil, err
	}
	return s.mergeInto(old)
}

// mergeInto applies to the record as it is now the keys that this request
// changed or removed. If nobody else wrote meanwhile, our values are the result.
func (s *Session) mergeInto(old pyvalue.Value) (*pyvalue.Dict, error) {
	if old != nil && s.base.stillIn(old) {
		return s.values, nil
	}
	current := &pyvalue.Dict{}
	if old != nil {
		d, b, err := s.m.decode(old)
		switch {
		case errors.Is(err, beakerfmt.ErrNoSession):
		case errors.Is(err, beakerfmt.ErrEncrypted):
			return nil, err // somebody has a key that we have not: not ours to replace
		case err != nil:
			return s.values, nil // not a session any more: ours replaces it
		default:
			current, s.base.form = d, b.form
		}
	}
	if s.base.text == nil && s.base.dump == nil {
		return s.stamp(current), nil // we changed nothing
	}
	before, err := s.base.values()
	if err != nil {
		return nil, err
	}
	for k, v := range s.values.All() {
		if b, ok := before.Get(k); ok && sameDump(b, v) {
			continue
		}
		current.Set(k, v)
	}
	for k := range before.All() {
		if _, ok := s.values.Get(k); !ok {
			current.Delete(k)
		}
	}
	return s.stamp(current), nil
}

// stamp puts the time of this access into values, unless a later one is there.
func (s *Session) stamp(values *pyvalue.Dict) *pyvalue.Dict {
	now := s.m.clock()
	if at, ok := seconds(values, keyAccessed); !ok || at < now {
		values.SetStr(keyAccessed, pyvalue.Float(now))
	}
	if _, ok := seconds(values, keyCreated); !ok {
		values.SetStr(keyCreated, pyvalue.Float(now))
	}
	return values
}

func sameDump(a, b pyvalue.Value) bool {
	x, err1 := dump(a)
	y, err2 := dump(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// writeAccessTime rewrites the record, as it is now, with the time of this
// access, unless the stored time is recent enough. A record that has gone
// meanwhile stays gone.
func (s *Session) writeAccessTime(ctx context.Context) error {
	now := s.m.clock()
	if s.m.touch > 0 && !s.last.IsZero() && s.m.now().Sub(s.last) <= s.m.touch {
		return nil
	}
	if s.m.updater == nil {
		return s.writeUnchanged(ctx)
	}
	return s.m.updater.Update(ctx, s.id, func(old pyvalue.Value) (pyvalue.Value, error) {
		if old == nil {
			return nil, nil
		}
		values, b, err := s.m.decode(old)
		if err != nil {
			return nil, nil // deleted, or not ours to judge while only reading
		}
		if at, ok := seconds(values, keyAccessed); ok && at >= now {
			return nil, nil
		}
		values.SetStr(keyAccessed, pyvalue.Float(now))
		form := b.form
		if !s.m.opts.Peer.IsAuto() {
			form = s.form(b.form)
		}
		return beakerfmt.EncodeValue(values, form)
	})
}

// removeObsolete removes the records that this session has left behind.
func (s *Session) removeObsolete(ctx context.Context) error {
	for len(s.obsolete) > 0 {
		o := s.obsolete[0]
		if o.id != s.stored {
			if err := s.m.remove(ctx, o); err != nil {
				return err
			}
		}
		s.obsolete = s.obsolete[1:]
	}
	return nil
}

// remove deletes a record; one that had timed out is looked at again first,
// under its lock, because somebody may have used it since.
func (m *Manager) remove(ctx context.Context, o obsoleteRec) (err error) {
	if !o.ifExpired {
		return m.store.Delete(ctx, o.id)
	}
	if m.locker != nil {
		held, unlock, lockErr := m.locker.Lock(ctx, o.id)
		if lockErr != nil {
			return lockErr
		}
		defer func() { err = errors.Join(err, unlock()) }()
		ctx = held
	}
	r, err := m.fetch(ctx, o.id)
	if errors.Is(err, stores.ErrCorrupt) {
		return nil
	}
	if err != nil || r.state != expired {
		return err
	}
	return m.store.Delete(ctx, o.id)
}
