package compat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// write writes what is due, then removes what that makes obsolete.
func (h *inStore) write(ctx context.Context, s *Session) error {
	err := h.writeWhatIsDue(ctx, s)
	if errors.Is(err, errEnded) {
		s.ended, s.cookie.send = true, s.cookie.frozen != nil
		err = nil
	}
	if err != nil {
		return err
	}
	return h.removeObsolete(ctx, s)
}

func (h *inStore) writeWhatIsDue(ctx context.Context, s *Session) error {
	moved := s.stored != "" && s.id != s.stored
	switch {
	case s.ended:
		return nil
	case s.deleted:
		return h.writeDeleted(ctx, s)
	case s.m.opts.Auto || s.dirty:
		err := h.writeAll(ctx, s, moved)
		if errors.As(err, new(encodeError)) && !s.dirty && !moved && s.isAsLoaded() {
			return h.writeAccessTime(ctx, s)
		}
		return err
	case moved:
		// Beaker leaves it to save_accessed_time, and without it loses the session.
		err := h.move(ctx, s)
		s.tellSave(err)
		return err
	case s.isNew || !s.m.opts.SaveAccessedTime:
		return nil
	}
	return h.writeAccessTime(ctx, s)
}

// encodeError: the values cannot be written in their form.
type encodeError struct{ error }

func (e encodeError) Unwrap() error { return e.error }

// errEnded: the record from which the session was loaded has gone.
var errEnded = errors.New("the session was ended by another request")

// writeDeleted removes the record, or leaves in it what Beaker leaves.
func (h *inStore) writeDeleted(ctx context.Context, s *Session) error {
	if s.stored == "" {
		return nil
	}
	if s.condition != nil {
		return h.deleteIf(ctx, s)
	}
	if s.m.opts.DeleteRecords {
		return h.store.Delete(ctx, s.stored)
	}
	return h.put(ctx, s, s.stored, s.values)
}

// writeAll writes the values as the handler left them.
func (h *inStore) writeAll(ctx context.Context, s *Session, moved bool) error {
	if s.saved && !moved {
		// Beaker saves once more. Here only if there is something new.
		if same, err := s.isWritten(); err != nil || same {
			return err
		}
	}
	s.values.SetStr(keyAccessed, pyvalue.Float(s.m.clock()))
	s.merged, s.retries = false, 0
	var err error
	switch {
	case moved:
		err = h.move(ctx, s)
	case s.stored == "" || h.updater == nil:
		err = h.put(ctx, s, s.id, s.values)
	default:
		err = h.update(ctx, s)
	}
	s.tellSave(err)
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
// together, or a later save would take what others wrote for removed. Nobody else's
// save falls between the look at the old record and its end: its lock is held, or,
// in a store without locks, it only ends if it is as it was looked at.
func (h *inStore) move(ctx context.Context, s *Session) error {
	if h.m.locker == nil && h.updater != nil {
		return h.moveByUpdate(ctx, s)
	}
	return h.moveUnderLock(ctx, s)
}

func (h *inStore) moveUnderLock(ctx context.Context, s *Session) (err error) {
	if h.m.locker != nil {
		held, unlock, lockErr := h.m.locker.Lock(ctx, s.stored)
		if lockErr != nil {
			return lockErr
		}
		defer func() { err = errors.Join(err, unlock()) }()
		ctx = held
	}
	ours, written := s.values, s.values
	old, err := h.store.Get(ctx, s.stored)
	switch {
	case err == nil, errors.Is(err, stores.ErrNotExist):
		if ours, written, err = s.moving(old); err != nil {
			return err
		}
	case !isReplaceable(err) || s.condition != nil:
		return err
	}
	if err := h.put(ctx, s, s.id, written); err != nil {
		return err
	}
	s.values = ours
	return h.removeObsolete(ctx, s)
}

// maxMoves is how often a move starts again because others write the old record.
const maxMoves = 100

// errChanged: the old record is not as it was looked at.
var errChanged = fmt.Errorf("%w: others write the session all the time", stores.ErrUnavailable)

// moveByUpdate writes the new record first, and ends the old one only if that is as it
// was looked at; otherwise it looks again. Within the Update it does not use the store,
// which may hold a connection for it: many who each wait for a second one
// would wait for each other.
func (h *inStore) moveByUpdate(ctx context.Context, s *Session) error {
	err := errChanged
	for n := 0; n < maxMoves && errors.Is(err, errChanged); n++ {
		err = h.moveOnce(ctx, s)
		if errors.Is(err, errEnded) && n > 0 { // ended after we had copied it
			err = errors.Join(err, h.store.Delete(ctx, s.id))
		}
	}
	return err
}

func (h *inStore) moveOnce(ctx context.Context, s *Session) error {
	from := s.stored
	old, err := h.store.Get(ctx, from)
	switch {
	case isReplaceable(err) && s.condition == nil:
		if err := h.put(ctx, s, s.id, s.values); err != nil {
			return err
		}
		return h.removeObsolete(ctx, s)
	case err != nil && !errors.Is(err, stores.ErrNotExist):
		return err
	}
	var looked []byte // moving may use old for what it makes
	if old != nil {
		if looked, err = dump(old); err != nil {
			return err
		}
	}
	ours, written, err := s.moving(old)
	if err != nil {
		return err
	}
	form := s.form(s.base.form)
	wrote, err := h.m.codec.EncodeValue(written, form)
	if err != nil {
		return encodeError{err}
	}
	if err := h.store.Put(ctx, s.id, wrote); err != nil {
		return err
	}
	if s.m.opts.DeleteRecords || s.condition != nil {
		if err := h.removeSame(ctx, from, looked); err != nil {
			return err
		}
	}
	s.obsolete = slices.DeleteFunc(s.obsolete, func(o obsoleteRec) bool { return o.id == from })
	s.values = ours
	return s.written(s.id, written, form, wrote)
}

// removeSame removes a record that is as it was looked at, by its dump, or as there
// was none; errChanged if it is not. Without DeleteRecords it stays.
func (h *inStore) removeSame(ctx context.Context, id string, looked []byte) error {
	return h.updater.Update(ctx, id, func(now pyvalue.Value) (pyvalue.Value, error) {
		if now == nil && looked == nil {
			return nil, nil
		}
		if now == nil {
			return nil, errChanged
		}
		found, err := dump(now)
		switch {
		case err != nil:
			return nil, err
		case looked == nil || !bytes.Equal(found, looked):
			return nil, errChanged
		case !h.m.opts.DeleteRecords:
			return nil, nil
		}
		return nil, stores.ErrRemove
	})
}

// moving returns the values with which a session goes on under its new id, and those
// that are written under it.
func (s *Session) moving(old pyvalue.Value) (ours, written *pyvalue.Dict, err error) {
	if s.m.opts.Auto || s.dirty {
		ours, err = s.mergeInto(old)
		return ours, ours, err
	}
	again, err := copied(old) // what is not saved must not get into what is written
	if err != nil {
		return nil, nil, err
	}
	if ours, err = s.mergeInto(old); err != nil {
		return nil, nil, err
	}
	written, err = s.unchanged(again)
	return ours, written, err
}

// copied returns a value that shares nothing with v. Text cannot be changed anyway.
func copied(v pyvalue.Value) (pyvalue.Value, error) {
	if _, ok := v.(*pyvalue.Dict); !ok {
		return v, nil
	}
	data, err := dump(v)
	if err != nil {
		return nil, err
	}
	return pickle.Decode(data, pickle.OwnLimits())
}

// put writes values as the whole record of id.
func (h *inStore) put(ctx context.Context, s *Session, id string, values *pyvalue.Dict) error {
	form := s.form(s.base.form)
	v, err := h.m.codec.EncodeValue(values, form)
	if err != nil {
		return encodeError{err}
	}
	if err := h.store.Put(ctx, id, v); err != nil {
		return err
	}
	return s.written(id, values, form, v)
}

// written makes what was just written the ground for further changes.
func (s *Session) written(id string, values *pyvalue.Dict, form beakerfmt.Form, v pyvalue.Value) error {
	s.stored, s.base = id, base{form: form, exposed: true}
	if form.Text != beakerfmt.TextNone {
		s.base.text = v
		return nil
	}
	return s.base.remember(values)
}

// update writes our changes into the record as it is now, under its lock.
func (h *inStore) update(ctx context.Context, s *Session) error {
	var (
		values *pyvalue.Dict
		form   beakerfmt.Form
		wrote  pyvalue.Value
	)
	s.retries = -1
	err := h.updater.Update(ctx, s.id, func(old pyvalue.Value) (pyvalue.Value, error) {
		s.retries++
		var err error
		if values, err = s.mergeInto(old); err != nil {
			return nil, err
		}
		form = s.form(s.base.form)
		if wrote, err = h.m.codec.EncodeValue(values, form); err != nil {
			return nil, encodeError{err}
		}
		return wrote, nil
	})
	if isReplaceable(err) && s.condition == nil {
		return h.put(ctx, s, s.id, s.values) // broken since we read it: ours is what is left
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

// writeAccessTime rewrites the record, as it is now, with the time of this
// access, unless the stored time is recent enough. A record that has gone
// meanwhile stays gone.
func (h *inStore) writeAccessTime(ctx context.Context, s *Session) error {
	if !s.touchDue() {
		return nil
	}
	_, err := h.retime(ctx, s.stored, func(values *pyvalue.Dict) Outcome {
		if !h.m.dueIn(values) {
			return OutcomeCurrent
		}
		s.stamp(values)
		return OutcomeOK
	})
	return err
}

// removeObsolete removes the records that this session has left behind.
func (h *inStore) removeObsolete(ctx context.Context, s *Session) error {
	for len(s.obsolete) > 0 {
		o := s.obsolete[0]
		if o.id != s.stored {
			if err := h.remove(ctx, o); err != nil {
				return err
			}
		}
		s.obsolete = s.obsolete[1:]
	}
	return nil
}

// remove deletes a record; one that had timed out is looked at again first,
// under its lock, because somebody may have used it since.
func (h *inStore) remove(ctx context.Context, o obsoleteRec) error {
	if !o.ifExpired {
		return h.store.Delete(ctx, o.id)
	}
	if h.updater == nil {
		r, err := h.fetch(ctx, o.id)
		if errors.Is(err, stores.ErrCorrupt) {
			return nil
		}
		if err != nil || r.state != expired {
			return err
		}
		return h.store.Delete(ctx, o.id)
	}
	err := h.updater.Update(ctx, o.id, func(old pyvalue.Value) (pyvalue.Value, error) {
		if old == nil {
			return nil, nil
		}
		if e, err := h.m.Examine(old); err != nil || e.State != Expired {
			return nil, nil
		}
		return nil, stores.ErrRemove
	})
	if errors.Is(err, stores.ErrCorrupt) {
		return nil
	}
	return err
}
