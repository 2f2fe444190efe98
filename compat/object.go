package compat

import (
	"context"
	"fmt"
	"sync"
)

// SessionObject is the session of one request before anybody has asked for it
// (Beaker: SessionObject). It is safe for concurrent use.
type SessionObject struct {
	m      *Manager
	header string

	mu      sync.Mutex
	read    bool // the claim has been made of the header
	claim   claim
	session *Session
	looked  *View
	peeked  bool     // somebody wanted to see it
	touched *Session // what Touch has left for SetCookie, or nil
}

// claimed returns what the request's cookie says, and looks at it once.
func (o *SessionObject) claimed() claim {
	if !o.read {
		o.read, o.claim = true, o.m.home.claim(o.header)
		if o.claim.refused {
			o.m.warnOfSignature()
			o.m.tell(Event{Kind: KindRefusal, Outcome: OutcomeRefused})
		}
	}
	return o.claim
}

// ID returns the id of the session that the request's cookie names, if its signature is
// good, and asks nobody whether there is such a session. Of a cookie-only session it is
// the one that is in it. It is what keeps a visitor with one of several servers; and it
// is a secret of the user.
func (o *SessionObject) ID() (id string, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id = o.m.home.id(o.claimed(), func() (*View, error) { return o.look(context.Background()) })
	return id, id != ""
}

// Refused reports whether the request has a cookie of the session's name that no key of
// ours has signed. It asks nobody.
func (o *SessionObject) Refused() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.claimed().refused
}

// InCookie reports whether sessions live in their cookies alone.
func (o *SessionObject) InCookie() bool {
	_, is := o.m.home.(inCookie)
	return is
}

// Session returns the session, and loads it at the first call. The errors are
// those of the store (stores.ErrUnavailable …) and, with InvalidateCorrupt off,
// stores.ErrCorrupt, as which also count an encrypted session that no key opens
// (beakerfmt.ErrDecrypt) and a cookie-only session with a bad signature
// (beakerfmt.ErrBadSignature). A session that was had but never used is as good as
// untouched.
func (o *SessionObject) Session(ctx context.Context) (*Session, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session != nil {
		return o.session, nil
	}
	c := o.claimed()
	s := &Session{m: o.m, cookies: o.m.opts.UseCookies, claim: c}
	r, err := o.m.home.find(ctx, c)
	o.m.tellLoad(c, r, err)
	if err := s.start(ctx, r, err); err != nil {
		return nil, err
	}
	o.session = s
	return s, nil
}

// Peek returns a read-only look at the session. It counts as no access: the
// record is not rewritten, no cookie is sent, nothing is invalidated. A session
// that is absent or timed out is an empty View whose IsNew is true. What has been
// written is seen; for what is being written it waits only where the store must
// ([stores.Look]). The errors are those of Session.
func (o *SessionObject) Peek(ctx context.Context) (*View, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session != nil {
		return o.session.view(), nil
	}
	v, err := o.look(ctx)
	if err != nil {
		return nil, fmt.Errorf("compat: peek: %w", err)
	}
	o.peeked = true
	return v, nil
}

// look looks at a session that was not asked for.
func (o *SessionObject) look(ctx context.Context) (*View, error) {
	if o.looked == nil {
		v, err := o.m.peek(ctx, o.claimed())
		if err != nil {
			return nil, err
		}
		o.looked = v
	}
	return o.looked, nil
}

// Accessed reports whether the session was used, which is what makes
// Persist and SetCookie do anything (Beaker: SessionObject.accessed).
func (o *SessionObject) Accessed() bool {
	s := o.current()
	return s != nil && s.accessed()
}

// Consulted reports whether the session was asked for or looked at, so that
// the response depends on the request's cookie.
func (o *SessionObject) Consulted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.session != nil || o.peeked
}

// Persist writes what the request leaves to be written: the whole session
// after Save or with Auto, else its access time (Beaker:
// SessionObject.persist). It may be called again.
func (o *SessionObject) Persist(ctx context.Context) error {
	if s := o.current(); s != nil {
		return s.Persist(ctx)
	}
	return nil
}

// Pending reports whether Save, Delete or the like was called after the last
// Persist, so that something is lost if there is no other one.
func (o *SessionObject) Pending() bool {
	s := o.current()
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used && s.pending
}

// SetCookie returns the text of the Set-Cookie header that the response needs,
// and whether it needs one. Call it after Persist. The text begins with a space,
// as Beaker's does.
func (o *SessionObject) SetCookie() (string, bool) {
	if s := o.current(); s != nil && s.accessed() {
		return s.setCookie()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.touched != nil {
		return o.touched.setCookie()
	}
	return "", false
}

// Close ends the request: a lock that it still holds is released, and no other
// is given to it. It writes nothing.
func (o *SessionObject) Close() error {
	if s := o.current(); s != nil {
		return s.close()
	}
	return nil
}

func (o *SessionObject) current() *Session {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.session
}
