package compat

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

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
	case errors.Is(err, beakerfmt.ErrEncrypted), errors.Is(err, beakerfmt.ErrDecrypt), errors.Is(err, beakerfmt.ErrPlaintext):
		return nil, err // somebody has another key than we, or none: not ours to replace
	case errors.Is(err, pickle.ErrLimit), errors.Is(err, pyjson.ErrLimit):
		return nil, err // it is merely too large for us
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
	s.merged = false
	if err := s.permitted(old); err != nil {
		return nil, err
	}
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
		s.merged = s.m.tellApart(s.values, current)
		return s.stamp(current), nil
	}
	before, err := s.base.values(s.m.codec)
	if err != nil {
		return nil, err
	}
	s.merged = s.m.tellApart(before, current)
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
	if !s.m.isRecent(values) {
		values.SetStr(keyAccessed, pyvalue.Float(s.m.clock()))
	}
	if _, ok := seconds(values, keyCreated); !ok {
		values.SetStr(keyCreated, pyvalue.Float(s.m.clock()))
	}
	return values
}

// isRecent reports whether the access time in values is not before now. One
// that is ahead of any difference between clocks is not believed.
func (m *Manager) isRecent(values *pyvalue.Dict) bool {
	at, ok := seconds(values, keyAccessed)
	now := m.clock()
	return ok && at >= now && at <= now+clockSkew.Seconds()
}

// clockSkew is how far the clock of a peer may be ahead of ours.
const clockSkew = time.Minute

func sameDump(a, b pyvalue.Value) bool {
	x, err1 := dump(a)
	y, err2 := dump(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// unchanged chooses the record as it is now, or else as it was loaded, with the
// time of this access: a session that was only read keeps its unsaved changes to
// itself (Beaker: Session.save, accessed_only).
func (s *Session) unchanged(old pyvalue.Value) (*pyvalue.Dict, error) {
	current, err := s.current(old)
	if err == nil && current == nil {
		current, err = s.asLoaded()
	}
	if err != nil {
		return nil, err
	}
	return s.stamp(current), nil
}

// asLoaded returns the values without unsaved changes. There has to be a base.
func (s *Session) asLoaded() (*pyvalue.Dict, error) {
	if s.base.untouched() {
		return s.values, nil
	}
	return s.base.values(s.m.codec)
}

// isAsLoaded reports whether a session holds what was found, but for what is
// renewed at each access.
func (s *Session) isAsLoaded() bool {
	if s.stored == "" {
		return false
	}
	then, err := s.asLoaded()
	if err != nil {
		return false
	}
	own := []string{keyAccessed, keyCreated}
	if s.m.opts.cookieOnly() {
		own = append(own, keyExpires, keyID)
	}
	return sameBut(then, s.values, own...)
}

// sameBut reports whether two sessions differ in nothing but these keys.
func sameBut(a, b *pyvalue.Dict, keys ...string) bool {
	a, b = a.Clone(), b.Clone()
	for _, d := range []*pyvalue.Dict{a, b} {
		for _, key := range keys {
			d.DeleteStr(key)
		}
	}
	return sameDump(a, b)
}

// tellApart reports, if anybody wants to know, whether somebody has changed more in a
// session than the time of access.
func (m *Manager) tellApart(before, now *pyvalue.Dict) bool {
	return m.observe != nil && !sameBut(before, now, keyAccessed)
}

// isWritten reports whether what was last written is what would be written now.
// The text does not tell if it is encrypted: its nonce is another each time.
func (s *Session) isWritten() (bool, error) {
	form := s.base.form
	if form.AES == beakerfmt.AESNone {
		v, err := s.m.codec.EncodeValue(s.values, form)
		return err == nil && s.base.stillIn(v), err
	}
	form.AES, form.NonceBits = beakerfmt.AESNone, 0
	clear := new(beakerfmt.Codec)
	now, err := clear.EncodeValue(s.values, form)
	if err != nil {
		return false, err
	}
	before, err := s.base.values(s.m.codec)
	if err != nil {
		return false, err
	}
	then, err := clear.EncodeValue(before, form)
	return err == nil && now == then, err
}

// touchDue reports whether the time of this access is to be written although
// nothing else is: the stored time is not recent enough.
func (s *Session) touchDue() bool { return s.m.touchDue(s.last) }

func (m *Manager) touchDue(last time.Time) bool {
	age := m.now().Sub(last)
	return m.touch == 0 || age > m.touch || age < -clockSkew
}

// form decides in which form to write a session that was found in this one: as the
// configured peer reads it, or as it was.
func (s *Session) form(found beakerfmt.Form) beakerfmt.Form {
	if s.stored == "" {
		return s.m.form
	}
	return s.m.formFor(found)
}

// renewed encodes the values of a record that was only read. If the present form
// cannot hold them, they keep the form in which they were found; nil: they cannot be
// written in that one either, and the record is left as it is.
func (m *Manager) renewed(ctx context.Context, values *pyvalue.Dict, found beakerfmt.Form) pyvalue.Value {
	v, err := m.codec.EncodeValue(values, m.formFor(found))
	if err == nil {
		return v
	}
	m.warnOfForm(ctx, err)
	if v, err = m.codec.EncodeValue(values, found); err != nil {
		return nil
	}
	return v
}

// formFor is form for a session that was there. One that lies there in clear
// although there is a key does not stay so.
func (m *Manager) formFor(found beakerfmt.Form) beakerfmt.Form {
	if !m.opts.Peer.IsAuto() || m.opts.EncryptKey != "" && found.AES == beakerfmt.AESNone {
		return m.form
	}
	return found
}
