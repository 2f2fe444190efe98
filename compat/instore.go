package compat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// inStore is the home of server-side sessions (Beaker: Session).
type inStore struct {
	m       *Manager
	store   stores.Store
	source  stores.Store   // that of who only looks: store, without the cache around it
	updater stores.Updater // nil if the store has none
	cache   *sessionCache  // nil if sessions are not cached
	oldForm sync.Once
}

func newInStore(m *Manager, store stores.Store) *inStore {
	h := &inStore{m: m, store: store, source: store, cache: newSessionCache(m, store)}
	h.updater, _ = stores.As[stores.Updater](store)
	if h.cache != nil {
		f := forgetful{store, h.updater, h.cache}
		if h.store = f; h.updater != nil {
			h.updater = f
		}
	}
	return h
}

func (h *inStore) find(ctx context.Context, c claim) (record, error) {
	if c.text == "" {
		return record{state: absent}, nil
	}
	r, err := h.fetch(ctx, c.text)
	r.stale = c.key > 0
	return r, err
}

func (h *inStore) peek(ctx context.Context, c claim) (r record, err error) {
	switch {
	case c.text == "":
		r.state = absent
	case h.cache != nil:
		return h.cached(ctx, c)
	default:
		v, e := h.look(ctx, c.text)
		r, err = h.understand(ctx, c.text, v, e)
	}
	h.m.tellLoad(c, r, err)
	return r, err
}

func (h *inStore) again(ctx context.Context, s *Session) (record, error) {
	r, err := h.fetch(ctx, s.stored)
	r.stale = s.stale
	return r, err
}

// claim has the session id that a Cookie header carries, if it carries one that is
// acceptable (Beaker: Session.__init__, SignedCookie.value_decode). A bad signature
// means no session.
func (h *inStore) claim(header string) claim {
	if !h.m.opts.UseCookies || header == "" {
		return claim{}
	}
	coded, ok := h.m.walk.Find(header, h.m.opts.Key)
	if !ok || strings.Trim(coded, `"`) == "" {
		return claim{}
	}
	c := claim{there: true}
	if h.m.signer == nil {
		c.text = beakerfmt.Unquote(coded)
	} else {
		var err error
		c.text, c.key, err = h.m.signer.Verify(coded)
		c.refused = err != nil
	}
	if !h.m.opts.IDs.Valid(c.text) {
		c.text, c.key = "", 0
	}
	return c
}

func (h *inStore) id(c claim, _ func() (*View, error)) string { return c.text }

// get reads a record for those who will write it.
func (h *inStore) get(ctx context.Context, id string) (pyvalue.Value, error) {
	return h.read(ctx, id, h.store.Get)
}

// look reads a record for those who change nothing: it waits for no lock where the store
// can do without.
func (h *inStore) look(ctx context.Context, id string) (pyvalue.Value, error) {
	return h.read(ctx, id, func(ctx context.Context, id string) (pyvalue.Value, error) { return stores.Look(ctx, h.source, id) })
}

// read reads a record within the ReadTimeout.
func (h *inStore) read(ctx context.Context, id string, by func(context.Context, string) (pyvalue.Value, error)) (pyvalue.Value, error) {
	if h.m.patience == 0 {
		return by(ctx, id)
	}
	limited, cancel := context.WithTimeout(ctx, h.m.patience)
	defer cancel()
	v, err := by(limited, id)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w: %w", stores.ErrUnavailable, stores.ErrTimeout, err)
	}
	return v, err
}

// fetch reads and decodes the record of id (Beaker: Session.load).
func (h *inStore) fetch(ctx context.Context, id string) (record, error) {
	v, err := h.get(ctx, id)
	return h.understand(ctx, id, v, err)
}

// understand decodes and judges what a Get of id returned.
func (h *inStore) understand(ctx context.Context, id string, v pyvalue.Value, err error) (record, error) {
	none := func(why recordState) (record, error) { return record{state: why, id: id}, nil }
	if errors.Is(err, stores.ErrNotExist) {
		return none(absent)
	}
	if err != nil {
		return record{}, err
	}
	values, b, err := h.m.decode(v)
	if errors.Is(err, beakerfmt.ErrNoSession) || err == nil && isDeleted(values) {
		return none(empty)
	}
	if err != nil {
		return record{}, fmt.Errorf("session %s: %w: %w", beakerfmt.HashID(id), stores.ErrCorrupt, err)
	}
	state, err := h.m.judge(values)
	if err != nil {
		return record{}, fmt.Errorf("session %s: %w", beakerfmt.HashID(id), err)
	}
	if state != present {
		return none(state)
	}
	if b.text == nil && h.m.opts.Peer.IsAuto() {
		h.oldForm.Do(func() {
			h.m.log.WarnContext(ctx, "there are sessions of Beaker 1.11 or older here, and the peer is auto: sessions that are begun in Go are written in the form of 1.12 and later, which an older Beaker cannot read; set the peer, for example to beaker-1.11/python2")
		})
	}
	h.m.warnOfMode(ctx, b.form)
	return record{id: id, values: values, base: b}, nil
}

// seed: the id of a session in a store is not in it.
func (h *inStore) seed(*pyvalue.Dict, string) {}

// due has the cookie sent (Beaker: Session._update_cookie_out).
func (h *inStore) due(s *Session) {
	s.cookie.ready, s.cookie.send = true, true
	if d := textOf(s.values, keyDomain, h.m.opts.CookieDomain); d != "" {
		s.cookie.attrs.domain = d
	}
}

// cookie carries the id. Unless a delete froze it, it is made from what the
// session is now.
func (h *inStore) cookie(s *Session) (beakerfmt.SetCookie, bool) {
	if !s.cookies || !s.cookie.ready || !s.cookie.send {
		return beakerfmt.SetCookie{}, false
	}
	if s.cookie.frozen != nil {
		return *s.cookie.frozen, true
	}
	c := s.cookieAttributes(s.values)
	c.Value = s.id
	c.Expires = h.m.opts.CookieExpires.format(h.m.now())
	return c, true
}

// size: a store has no limit that could be told.
func (h *inStore) size(*Session) (size, limit int, err error) { return 0, 0, nil }
