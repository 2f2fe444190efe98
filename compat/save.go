package compat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// Persist writes the session now (Beaker: SessionObject.persist): all of it
// after Save or Delete or with Auto, else its access time only, and nothing if
// it was not used. Middleware calls it before the response begins; a handler may
// call it earlier to see the error.
//
// The changes of others to keys that this request did not touch stay, unless
// the options say WriteReplace. A session that somebody else has ended meanwhile
// (its record has gone) stays ended: nothing is written, and no cookie is sent.
// With DeleteRecords off nobody removes records, so there it is written again.
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
	s.pending = false
	return nil
}

func (s *Session) write(ctx context.Context) error {
	err := s.writeWhatIsDue(ctx)
	if errors.Is(err, errEnded) {
		s.ended, s.cookie.send = true, s.cookie.frozen != nil
		return nil
	}
	return err
}

func (s *Session) writeWhatIsDue(ctx context.Context) error {
	moved := s.stored != "" && s.id != s.stored
	switch {
	case s.ended:
		return nil
	case s.deleted:
		return s.writeDeleted(ctx)
	case s.m.opts.Auto || s.dirty:
		return s.writeAll(ctx, moved)
	case moved:
		// Beaker leaves it to save_accessed_time, and without it loses the session.
		return s.move(ctx)
	case s.isNew || !s.m.opts.SaveAccessedTime:
		return nil
	}
	return s.writeAccessTime(ctx)
}

// errEnded: the record from which the session was loaded has gone.
var errEnded = errors.New("the session was ended by another request")

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
func (s *Session) writeAll(ctx context.Context, moved bool) error {
	if s.saved && !moved {
		// Beaker saves once more. Here only if there is something new.
		v, err := new(beakerfmt.Codec).EncodeValue(s.values, s.base.form)
		if err != nil || s.base.stillIn(v) {
			return err
		}
	}
	s.values.SetStr(keyAccessed, pyvalue.Float(s.m.clock()))
	var err error
	switch {
	case moved:
		err = s.move(ctx)
	case s.stored == "" || s.m.updater == nil:
		err = s.put(ctx, s.id, s.values)
	default:
		err = s.update(ctx)
	}
	if err != nil {
		return err
	}
	s.saved = true
	if s.isNew {
		s.cookie.send = true
	}
	return nil
}

// move writes the session under its new id: with our changes if it was saved,
// else as the record is now. Either way the session goes on from the two
// together, or a later save would take what others wrote for removed. The lock of
// the old record is held until that has gone, so that nobody else's save falls
// in between.
func (s *Session) move(ctx context.Context) (err error) {
	if s.m.locker != nil {
		held, unlock, lockErr := s.m.locker.Lock(ctx, s.stored)
		if lockErr != nil {
			return lockErr
		}
		defer func() { err = errors.Join(err, unlock()) }()
		ctx = held
	}
	ours, written := s.values, s.values
	old, err := s.m.store.Get(ctx, s.stored)
	switch {
	case err == nil, errors.Is(err, stores.ErrNotExist):
		if ours, err = s.mergeInto(old); err != nil {
			return err
		}
		written = ours
		if !s.m.opts.Auto && !s.dirty {
			if written, err = s.unchanged(old); err != nil {
				return err
			}
		}
	case !isReplaceable(err):
		return err
	}
	if err := s.put(ctx, s.id, written); err != nil {
		return err
	}
	s.values = ours
	return s.removeObsolete(ctx)
}

// unchanged chooses the record as it is now, or else as it was loaded, with the
// time of this access: a session that was only read keeps its unsaved changes to
// itself (Beaker: Session.save, accessed_only).
func (s *Session) unchanged(old pyvalue.Value) (*pyvalue.Dict, error) {
	current, err := s.current(old)
	switch {
	case err == nil && current == nil && s.base.untouched():
		current = s.values
	case err == nil && current == nil:
		current, err = s.base.values()
	}
	if err != nil {
		return nil, err
	}
	return s.stamp(current), nil
}

// put writes values as the whole record of id.
func (s *Session) put(ctx context.Context, id string, values *pyvalue.Dict) error {
	form := s.form(s.base.form)
	v, err := new(beakerfmt.Codec).EncodeValue(values, form)
	if err != nil {
		return err
	}
	if err := s.m.store.Put(ctx, id, v); err != nil {
		return err
	}
	return s.written(id, values, form, v)
}

// written makes what was just written the ground for further changes.
func (s *Session) written(id string, values *pyvalue.Dict, form beakerfmt.Form, v pyvalue.Value) error {
	s.stored, s.base = id, base{form: form}
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
	f, _ := s.m.opts.Peer.Form(&s.m.opts)
	return f
}

// update writes our changes into the record as it is now, under its lock.
func (s *Session) update(ctx context.Context) error {
	var (
		values *pyvalue.Dict
		form   beakerfmt.Form
		wrote  pyvalue.Value
	)
	err := s.m.updater.Update(ctx, s.id, func(old pyvalue.Value) (pyvalue.Value, error) {
		var err error
		if values, err = s.mergeInto(old); err != nil {
			return nil, err
		}
		form = s.form(s.base.form)
		wrote, err = new(beakerfmt.Codec).EncodeValue(values, form)
		return wrote, err
	})
	if isReplaceable(err) {
		return s.put(ctx, s.id, s.values) // broken since we read it: ours is what is left
	}
	if err != nil {
		return err
	}
	s.values = values
	return s.written(s.id, values, form, wrote)
}

// isReplaceable reports whether a record is lost anyway. One that is merely
// beyond our limits is not.
func isReplaceable(err error) bool {
	return errors.Is(err, stores.ErrCorrupt) && !errors.Is(err, stores.ErrTooLarge)
}

// current decodes the record as it is now; nil means that there is none that
// could be read. It is errEnded if the session was ended meanwhile.
func (s *Session) current(old pyvalue.Value) (*pyvalue.Dict, error) {
	if old == nil {
		if s.m.opts.DeleteRecords {
			return nil, errEnded
		}
		return nil, nil
	}
	d, b, err := s.m.decode(old)
	switch {
	case errors.Is(err, beakerfmt.ErrEncrypted):
		return nil, err // somebody has a key that we have not: not ours to replace
	case errors.Is(err, beakerfmt.ErrNoSession), err == nil && isDeleted(d):
		if s.m.opts.DeleteRecords {
			return nil, errEnded
		}
		return &pyvalue.Dict{}, nil
	case err != nil:
		return nil, nil
	}
	s.base.form = b.form
	return d, nil
}

// mergeInto applies to the record as it is now the keys that this request
// changed or removed. If nobody else wrote meanwhile, or the options say so,
// our values are the result.
func (s *Session) mergeInto(old pyvalue.Value) (*pyvalue.Dict, error) {
	if old != nil && s.base.stillIn(old) {
		return s.values, nil
	}
	current, err := s.current(old)
	if err != nil {
		return nil, err
	}
	if current == nil || s.m.opts.Write == WriteReplace {
		return s.values, nil
	}
	if s.base.untouched() {
		return s.stamp(current), nil
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

// stamp puts the time of this access into values, unless somebody else's later
// one is there already.
func (s *Session) stamp(values *pyvalue.Dict) *pyvalue.Dict {
	if !s.isRecent(values) {
		values.SetStr(keyAccessed, pyvalue.Float(s.m.clock()))
	}
	if _, ok := seconds(values, keyCreated); !ok {
		values.SetStr(keyCreated, pyvalue.Float(s.m.clock()))
	}
	return values
}

// isRecent reports whether the access time in values is not before now. One
// that is ahead of any difference between clocks is not believed.
func (s *Session) isRecent(values *pyvalue.Dict) bool {
	at, ok := seconds(values, keyAccessed)
	now := s.m.clock()
	return ok && at >= now && at <= now+clockSkew.Seconds()
}

// clockSkew is how far the clock of a peer may be ahead of ours.
const clockSkew = time.Minute

func sameDump(a, b pyvalue.Value) bool {
	x, err1 := dump(a)
	y, err2 := dump(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// writeAccessTime rewrites the record, as it is now, with the time of this
// access, unless the stored time is recent enough. A record that has gone
// meanwhile stays gone.
func (s *Session) writeAccessTime(ctx context.Context) error {
	if age := s.m.now().Sub(s.last); s.m.touch > 0 && age <= s.m.touch && age >= -clockSkew {
		return nil
	}
	touch := func(old pyvalue.Value) (pyvalue.Value, error) {
		if old == nil {
			return nil, nil
		}
		values, b, err := s.m.decode(old)
		if err != nil || isDeleted(values) || s.isRecent(values) {
			return nil, nil // deleted, or not ours to judge while only reading
		}
		return new(beakerfmt.Codec).EncodeValue(s.stamp(values), s.form(b.form))
	}
	if s.m.updater != nil {
		return s.m.updater.Update(ctx, s.stored, touch)
	}
	old, err := s.m.store.Get(ctx, s.stored)
	if errors.Is(err, stores.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := touch(old)
	if v == nil || err != nil {
		return err
	}
	return s.m.store.Put(ctx, s.stored, v)
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
