package compat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// Session is a loaded session (Beaker: Session). Its methods are safe for
// concurrent use by the goroutines of one request. Values that it hands out
// are its own: a list that is changed in place is changed in the session, and
// whoever does that from several goroutines has to see to it himself.
type Session struct {
	m       *Manager
	cookies bool  // read from a cookie and answered with one
	claim   claim // that the request came with

	mu          sync.Mutex
	used        bool // any verb but Save: Beaker's "accessed"
	dirty       bool // Save was called
	saved       bool // all of it was written in this request
	deleted     bool
	ended       bool // the record was removed by somebody else
	closed      bool // the request is over
	pending     bool // something was to be written after the last Persist
	invalidated bool
	isNew       bool
	merged      bool // the last write was merged into what others had changed
	retries     int  // of the last write

	id       string
	values   *pyvalue.Dict
	stored   string // the id under which base was found, or ""
	base     base
	stale    bool          // its cookie is to be made anew with the present keys
	came     *place        // of the cookie that brought a cookie-only session, or nil
	last     time.Time     // the access before this one; zero if there was none
	obsolete []obsoleteRec // records that go away once ours is written

	cookie cookieState
	held   context.Context // carries the lock of Lock
	unlock func() error

	condition func(*View) error // of PersistIf, while it runs
}

// obsoleteRec is a record to be removed. ifExpired: only if it is still past
// its timeout then.
type obsoleteRec struct {
	id        string
	ifExpired bool
}

// start makes the session of what was found (Beaker: Session.__init__).
func (s *Session) start(ctx context.Context, r record, err error) error {
	if s.came == nil {
		s.came = r.came
	}
	switch {
	case errors.Is(err, stores.ErrCorrupt) && s.m.opts.InvalidateCorrupt:
		s.m.warnOfLoss(ctx, err)
		return s.invalidate()
	case err != nil:
		return fmt.Errorf("compat: load: %w", err)
	}
	switch {
	case r.state == expired:
		s.discard(r.id, true)
		return s.invalidate()
	case r.id == "", r.state == absent && !s.m.opts.AdoptUnknownIDs:
		return s.renew()
	case r.state == present:
		s.adopt(r)
	default:
		s.id, s.isNew = r.id, true
		s.fresh()
		s.cookie.send = true
	}
	s.cookie.ready = s.cookie.ready || r.stale // the old signature is replaced
	return nil
}

// adopt takes over a session that was found.
func (s *Session) adopt(r record) {
	s.id, s.stored, s.values, s.base, s.stale = r.id, r.id, r.values, r.base, r.stale
	s.last, _ = timeOf(r.values, keyAccessed)
	s.cookie.send = true
}

// renew makes an empty session with a new id. Its cookie goes out once it is
// saved (Beaker: Session._create_id).
func (s *Session) renew() error {
	id, err := s.m.newID()
	if err != nil {
		return err
	}
	s.id, s.isNew = id, true
	s.stored, s.base, s.last = "", base{}, time.Time{}
	s.saved, s.stale = false, false
	s.fresh()
	s.cookie = cookieState{ready: true, attrs: s.cookie.attrs}
	return nil
}

// invalidate makes a new session whose cookie goes out in any case (Beaker:
// Session.invalidate: the load of the new id raises the flag).
func (s *Session) invalidate() error {
	if err := s.renew(); err != nil {
		return err
	}
	s.invalidated, s.deleted = true, false
	s.cookie.send = true
	return nil
}

// fresh gives the session the values of a new one.
func (s *Session) fresh() { s.values = s.newValues() }

// newValues are the values of a new session, in the place of the one that came.
func (s *Session) newValues() *pyvalue.Dict {
	values := s.m.newValues(s.id)
	s.stay(values)
	return values
}

// stay makes values say that their cookie is where the one that came is. In the
// configured place it would stand beside the old session, not replace it.
func (s *Session) stay(values *pyvalue.Dict) {
	if s.came == nil {
		return
	}
	now := s.m.placeOf(values)
	if now.domain != s.came.domain {
		values.SetStr(keyDomain, pyvalue.Str(s.came.domain))
	}
	if now.path != s.came.path {
		values.SetStr(keyPath, pyvalue.Str(s.came.path))
	}
}

// newValues are the values of a new session.
func (m *Manager) newValues(id string) *pyvalue.Dict {
	values := &pyvalue.Dict{}
	now := pyvalue.Float(m.clock())
	values.SetStr(keyAccessed, now)
	values.SetStr(keyCreated, now)
	m.configure(values)
	m.home.seed(values, id)
	return values
}

// configure puts in what Beaker from 1.11 on keeps in every session (Beaker:
// _ConfigurableSession.clear).
func (m *Manager) configure(values *pyvalue.Dict) {
	if !m.era.ConfigKeys {
		return
	}
	var domain pyvalue.Value = pyvalue.None{}
	if m.opts.CookieDomain != "" {
		domain = pyvalue.Str(m.opts.CookieDomain)
	}
	values.SetStr(keyDomain, domain)
	values.SetStr(keyPath, pyvalue.Str(m.opts.CookiePath))
}

// discard notes a record for removal, if records are to be removed at all.
func (s *Session) discard(id string, ifExpired bool) {
	if id != "" && s.m.opts.DeleteRecords {
		s.obsolete = append(s.obsolete, obsoleteRec{id, ifExpired})
	}
}

// enter locks the session for a verb that counts as an access.
func (s *Session) enter() (leave func()) {
	s.mu.Lock()
	s.used = true
	return s.mu.Unlock
}

func (s *Session) accessed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// ID returns the session's id. It is a secret of the user.
func (s *Session) ID() string {
	defer s.enter()()
	return s.id
}

// IsNew reports whether the session was made by this request.
func (s *Session) IsNew() bool {
	defer s.enter()()
	return s.isNew
}

// WasInvalidated reports whether the session that the request came with was
// given up: by Invalidate, by its timeout, or because it could not be read.
func (s *Session) WasInvalidated() bool {
	defer s.enter()()
	return s.invalidated
}

// Created returns when the session was made. A session that a Python peer has
// cleared does not know.
func (s *Session) Created() (time.Time, bool) {
	defer s.enter()()
	return timeOf(s.values, keyCreated)
}

// LastAccessed returns the time of the access before this one; a new session
// has none.
func (s *Session) LastAccessed() (time.Time, bool) {
	defer s.enter()()
	return s.last, !s.last.IsZero()
}

// Get returns the value under a key. Beaker's own keys ("_creation_time" …)
// are there too, as in Beaker.
func (s *Session) Get(key string) (pyvalue.Value, bool) {
	defer s.enter()()
	v, ok := s.values.GetStr(key)
	if ok && canChange(v) {
		s.remember()
	}
	return v, ok
}

// All iterates over a snapshot of keys and values in order, Beaker's own keys
// included. Keys are nearly always text; Python allows others.
func (s *Session) All() iter.Seq2[pyvalue.Value, pyvalue.Value] {
	defer s.enter()()
	s.remember()
	return s.values.Clone().All()
}

// Len returns the number of keys, Beaker's own included.
func (s *Session) Len() int {
	defer s.enter()()
	return s.values.Len()
}

// Set gives a key a value: a pyvalue.Value, or anything that pyvalue.FromGo
// converts. It is written by Save. The error is FromGo's. Unless the peer is known
// to be a Python 3, a time.Time becomes a naive datetime in UTC, which every Python
// reads; pyvalue.NewDatetime makes an aware one.
func (s *Session) Set(key string, value any) error {
	convert := pyvalue.FromGoNaive
	if s.m.opts.Peer.Python == 3 {
		convert = pyvalue.FromGo
	}
	v, err := convert(value)
	if err != nil {
		return fmt.Errorf("compat: set %q: %w", key, err)
	}
	if !pyvalue.ValidText(key) {
		return fmt.Errorf("compat: set: the key is not UTF-8: %w", pyvalue.ErrNotConvertible)
	}
	defer s.enter()()
	s.changing()
	s.values.SetStr(key, v)
	return nil
}

// Remove removes a key and reports whether it was there (Python: del session[key]).
func (s *Session) Remove(key string) bool {
	defer s.enter()()
	s.changing()
	return s.values.DeleteStr(key)
}

// Pop removes a key and returns its value.
func (s *Session) Pop(key string) (pyvalue.Value, bool) {
	defer s.enter()()
	s.changing()
	v, ok := s.values.GetStr(key)
	s.values.DeleteStr(key)
	return v, ok
}

// Clear removes every key, also Beaker's own. The cookie of a cookie-only session
// keeps its domain and path, so that it is replaced.
func (s *Session) Clear() {
	defer s.enter()()
	s.clear()
}

func (s *Session) clear() {
	s.changing()
	s.values = &pyvalue.Dict{}
	s.m.configure(s.values)
	s.stay(s.values)
}

// Expire drops a stored "_expires", which Beaker up to 1.13 may have left in
// a session (Beaker: CookieSession.expire).
func (s *Session) Expire() { s.Remove(keyExpires) }

// Revert takes back every change since the session was loaded or last
// persisted (Beaker: Session.revert).
func (s *Session) Revert() error {
	defer s.enter()()
	if s.stored == "" {
		s.fresh()
		return nil
	}
	if s.base.untouched() {
		return nil
	}
	v, err := s.base.values(s.m.codec)
	if err != nil {
		return fmt.Errorf("compat: revert: %w", err)
	}
	s.values = v
	return nil
}

// CookieSize returns how long the payload of a cookie-only session would be if it
// were saved now, in bytes, and how long it may be; both are 0 for a session in a
// store. A session that is too long is a [*beakerfmt.CookieTooLongError] of
// Persist. The error is about values that cannot be stored.
func (s *Session) CookieSize() (size, limit int, err error) {
	defer s.enter()()
	if size, limit, err = s.m.home.size(s); err != nil {
		err = fmt.Errorf("compat: cookie size: %w", err)
	}
	return size, limit, err
}

// Save marks the session to be written by Persist. A session that was not
// otherwise used is not written all the same, as in Beaker.
func (s *Session) Save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty, s.pending = true, true
}

// Dirty reports whether Save or Delete was called.
func (s *Session) Dirty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirty
}

// Persist writes the session now (Beaker: SessionObject.persist): all of it
// after Save or Delete or with Auto, else its access time only, and nothing if
// it was not used. Middleware calls it before the response begins; a handler may
// call it earlier to see the error.
//
// The changes of others to keys that this request did not touch stay, unless
// the options say WriteReplace. A session that somebody else has ended meanwhile
// (its record has gone) stays ended: nothing is written, and no cookie is sent.
// With DeleteRecords off nobody removes records, so there it is written again.
//
// Of a cookie-only session it makes the cookie, from this request alone. If the
// session is too long for one, the error is a [*beakerfmt.CookieTooLongError], and
// a handler may make it shorter and call Persist again.
func (s *Session) Persist(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		return nil
	}
	ctx = s.lockedContext(ctx)
	if err := s.m.home.write(ctx, s); err != nil {
		return fmt.Errorf("compat: persist: %w", err)
	}
	s.pending = false
	return nil
}

// Delete empties the session and sends an expired cookie (Beaker:
// SessionObject.delete). With DeleteRecords its record goes away, and what is
// put into the session afterwards is not written: nobody could find it. Of a
// cookie-only session the cookie that came expires, whatever domain and path were
// set since.
func (s *Session) Delete() {
	defer s.enter()()
	attrs := s.cookieAttributes(s.values)
	if s.came != nil {
		attrs.Domain, attrs.Path = s.came.domain, s.came.path
	}
	s.cookie.freeze(attrs, s.id, s.m.now())
	s.clear()
	s.deleted, s.dirty, s.pending = true, true, true
}

// Invalidate gives this session up for a new, empty one with an id of its own,
// whose cookie is sent at once (Beaker: Session.invalidate). The error is that
// of the source of randomness.
func (s *Session) Invalidate() error {
	defer s.enter()()
	s.pending = true
	s.discard(s.stored, false)
	return s.invalidate()
}

// RegenerateID moves the session to a new id and keeps its data, as is good
// practice after a login (Beaker: Session.regenerate_id).
func (s *Session) RegenerateID() error {
	defer s.enter()()
	id, err := s.m.newID()
	if err != nil {
		return err
	}
	s.pending = true
	s.discard(s.stored, false)
	s.id = id
	s.m.home.due(s)
	return nil
}

// Reload reads the session again and forgets unsaved changes (Beaker:
// Session.load). A session that has gone meanwhile becomes a new one. One that
// was marked by Save stays marked.
func (s *Session) Reload(ctx context.Context) error {
	defer s.enter()()
	if s.stored == "" {
		return nil
	}
	id, regenerated := s.id, s.id != s.stored
	s.deleted, s.ended = false, false
	s.cookie = cookieState{ready: regenerated, attrs: s.cookie.attrs}
	r, err := s.m.home.again(s.lockedContext(ctx), s)
	s.m.tellLoad(claim{}, r, err)
	if err := s.start(ctx, r, err); err != nil {
		return err
	}
	if regenerated && s.stored != "" {
		s.id = id
	}
	return nil
}

// remember is called before anything can change. What cannot be pickled again
// (it was read, so it can) would be found by Persist.
func (s *Session) remember() {
	if s.stored != "" {
		_ = s.base.remember(s.values)
	}
}

// changing is called before a verb changes the values.
func (s *Session) changing() {
	s.remember()
	s.pending = s.pending || s.m.opts.Auto || s.dirty
}

// canChange reports whether a value, or something in it, can be changed in place.
func canChange(v pyvalue.Value) bool {
	switch v.(type) {
	case *pyvalue.List, *pyvalue.Dict, *pyvalue.Set, *pyvalue.ByteArray, *pyvalue.Object, *pyvalue.Tuple, *pyvalue.FrozenSet:
		return true
	}
	return false
}
