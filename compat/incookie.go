package compat

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// inCookie is the home of sessions that live in their cookie alone (Beaker:
// CookieSession). To write one is to make the text of its cookie anew; what other
// requests of the same browser write meanwhile is not there to be merged.
type inCookie struct {
	m     *Manager
	cache *sessionCache // nil if sessions are not cached
}

// keyID is where a cookie-only session keeps its id.
const keyID = "_id"

func (h inCookie) claim(header string) claim {
	coded, ok := h.m.walk.Find(header, h.m.opts.Key)
	if !ok || strings.Trim(coded, `"`) == "" {
		return claim{}
	}
	payload, key, err := h.m.signer.Verify(coded)
	return claim{there: true, refused: err != nil, text: payload, key: key}
}

func (h inCookie) id(c claim, look func() (*View, error)) string {
	if !c.there || c.refused {
		return ""
	}
	v, err := look()
	if err != nil {
		return ""
	}
	stored, _ := v.Get(keyID)
	id, _ := pyvalue.Text(stored)
	return id
}

func (h inCookie) find(ctx context.Context, c claim) (record, error) {
	switch {
	case c.refused:
		return record{}, fmt.Errorf("session cookie: %w: %w", stores.ErrCorrupt, beakerfmt.ErrBadSignature)
	case !c.there:
		return record{state: absent}, nil
	}
	values, form, err := h.m.codec.DecodePayload(c.text, c.key)
	r, err := h.found(values, base{form: form, text: pyvalue.Str(c.text)}, c.key > 0, err)
	if values != nil {
		h.m.warnOfMode(ctx, form)
	}
	if err == nil && r.state == present {
		at := h.m.placeOf(values)
		r.came = &at
	}
	return r, err
}

func (h inCookie) peek(ctx context.Context, c claim) (record, error) {
	if h.cache == nil || c.refused || !c.there {
		r, err := h.find(ctx, c)
		h.m.tellLoad(c, r, err)
		return r, err
	}
	return h.cached(ctx, c)
}

func (h inCookie) again(_ context.Context, s *Session) (record, error) {
	values, b, err := h.m.decode(s.base.text)
	return h.found(values, b, s.stale, err)
}

// found judges what was decoded (Beaker: CookieSession.__init__).
func (h inCookie) found(values *pyvalue.Dict, b base, oldKey bool, err error) (record, error) {
	if errors.Is(err, beakerfmt.ErrNoSession) {
		return record{state: expired}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("session cookie: %w: %w", stores.ErrCorrupt, err)
	}
	state, err := h.m.judge(values)
	if err != nil || state != present {
		return record{state: state}, err
	}
	r := record{values: values, base: b, stale: oldKey || h.isStale(b.form)}
	v, _ := values.GetStr(keyID)
	if r.id, _ = pyvalue.Text(v); r.id == "" {
		r.id, err = h.m.newID()
	}
	return r, err
}

// isStale reports whether a session was encrypted with an older key, or not at
// all although it should be. The validate key is the one that signed it.
func (h inCookie) isStale(f beakerfmt.Form) bool {
	return f.EncryptKey > 0 || f.AES == beakerfmt.AESNone && h.m.opts.EncryptKey != ""
}

func (h inCookie) seed(values *pyvalue.Dict, id string) { values.SetStr(keyID, pyvalue.Str(id)) }

// due: the cookie says what was saved, and nothing else (Beaker:
// CookieSession._set_domain).
func (h inCookie) due(*Session) {}

// write makes the cookie of this response (Beaker: CookieSession.save and delete).
func (h inCookie) write(ctx context.Context, s *Session) error {
	switch {
	case s.deleted:
		return h.expire(s)
	case s.dirty:
		err := h.save(s)
		s.tellSave(err)
		return err
	case h.m.opts.Auto:
		err := h.save(s)
		s.tellSave(err)
		if err != nil && s.isAsLoaded() {
			_ = h.keep(ctx, s, s.values, err)
			return nil
		}
		return err
	}
	values, form, err := h.unsaved(ctx, s)
	if values == nil || err != nil {
		return err
	}
	_, err = h.encode(s, values, form)
	if s.invalidated {
		return err
	}
	if err != nil {
		err = h.keep(ctx, s, values, err)
	}
	h.m.tellTouch(form, err)
	return nil
}

// keep makes the cookie of a session that was only read in the form in which it
// came, because the present one cannot hold it. If it cannot be written so either, or
// has become too long (Python may have packed it a little better), what the browser
// has stays good: who only reads is not to blame.
func (h inCookie) keep(ctx context.Context, s *Session, values *pyvalue.Dict, err error) error {
	h.m.warnOfForm(ctx, err)
	_, err = h.encode(s, values, s.base.form)
	return err
}

// expire makes the cookie that takes the present one away. Its value is a new
// session, empty and with an id of its own.
func (h inCookie) expire(s *Session) error {
	id, err := h.m.newID()
	if err != nil {
		return err
	}
	payload, err := h.m.codec.AppendPayload(nil, h.m.newValues(id), h.m.form)
	if err != nil {
		return err
	}
	c := *s.cookie.frozen
	c.Value = string(payload)
	s.cookie.made = &c
	return nil
}

// save makes the cookie of the values as the handler left them.
func (h inCookie) save(s *Session) error {
	if _, ok := s.values.GetStr(keyID); !ok { // it was cleared
		id, err := h.m.newID()
		if err != nil {
			return err
		}
		s.id = id
	}
	h.seed(s.values, s.id)
	form := s.form(s.base.form)
	payload, err := h.encode(s, s.values, form)
	if err != nil {
		return err
	}
	s.stored, s.base = s.id, base{form: form, text: payload, exposed: true}
	return nil
}

// unsaved returns what is sent of a session that nobody saved, nil for nothing:
// what the browser has, to renew it, or an empty session in place of one that was
// given up. Beaker renews at every access, whatever save_accessed_time says, because
// it re-creates the cookie as it reads it; and it forgets an invalidate.
func (h inCookie) unsaved(ctx context.Context, s *Session) (values *pyvalue.Dict, form beakerfmt.Form, err error) {
	switch {
	case s.invalidated && !h.m.opts.DeleteRecords:
		r, err := h.find(ctx, s.claim)
		if err == nil && r.state == absent {
			return nil, form, nil
		}
		if err == nil && r.state == present {
			h.seed(r.values, r.id)
			return r.values, h.m.formFor(r.base.form), nil
		}
		return s.newValues(), h.m.form, nil
	case s.invalidated:
		return s.newValues(), h.m.form, nil
	case s.stored == "":
		return nil, form, nil
	case s.id == s.stored && !s.stale && !s.touchDue():
		return nil, form, nil
	}
	if values, err = s.asLoaded(); err != nil {
		return nil, form, err
	}
	h.seed(values, s.id)
	return values, s.form(s.base.form), nil
}

// encode makes the cookie of these values and notes it, and returns its payload
// (Beaker: CookieSession._create_cookie).
func (h inCookie) encode(s *Session, values *pyvalue.Dict, form beakerfmt.Form) (pyvalue.Str, error) {
	h.prepare(values)
	payload, err := h.m.codec.AppendPayload(nil, values, form)
	if err != nil {
		return "", err
	}
	c := s.cookieAttributes(values)
	c.Value = string(payload)
	c.Expires = h.m.opts.CookieExpires.format(h.m.now())
	s.cookie.made = &c
	return pyvalue.Str(c.Value), nil
}

// prepare gives values the times that every cookie-only session has. The
// "_expires" that Beaker up to 1.13 may have left there would keep the cookie from
// living on with each response.
func (h inCookie) prepare(values *pyvalue.Dict) {
	now := pyvalue.Float(h.m.clock())
	if _, ok := values.GetStr(keyCreated); !ok {
		values.SetStr(keyCreated, now)
	}
	values.SetStr(keyAccessed, now)
	values.DeleteStr(keyExpires)
}

func (h inCookie) cookie(s *Session) (beakerfmt.SetCookie, bool) {
	if s.cookie.made == nil {
		return beakerfmt.SetCookie{}, false
	}
	return *s.cookie.made, true
}

func (h inCookie) size(s *Session) (size, limit int, err error) {
	values := s.values.Clone()
	h.prepare(values)
	h.seed(values, s.id)
	size, err = h.m.codec.PayloadLen(values, s.form(s.base.form))
	return size, beakerfmt.MaxCookiePayload, err
}
