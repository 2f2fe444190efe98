package compat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat/internal/cache"
	"github.com/gobeaker/gobeaker/stores"
)

// touchWait limits the time that a Touch takes, above all the time that it waits for a
// lock that a slow request holds.
const touchWait = time.Second

// touchPause is how long a session whose lock was not to be had is left alone.
const touchPause = 5 * time.Second

// Touch counts the request as a use of its session, so that it does not time out
// while its user only reads. If the stored access time is older than TouchInterval, the
// present time is written, and nothing else, into the record as it is then, under its
// lock. A session that is new, timed out, or has gone stays so. Of requests of one
// session in this process at most one writes at a time, and the others do not wait for
// it. Without SaveAccessedTime there is nothing to write.
//
// It takes at most a second, and goes on for that long if ctx ends: an image that a
// browser does not want any more was asked for all the same. The error is for the log;
// what was not written is left to the next request.
//
// Of a cookie-only session SetCookie then tells the renewed cookie, whatever
// SaveAccessedTime says, and so it does for any session whose cookie is signed with an
// older key. A cookie-only session that another request changes at the same moment may
// be as it was before, if this answer comes after that one: see the package's
// documentation.
//
// If the session was asked for with Session, Persist does all this.
func (o *SessionObject) Touch(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session != nil {
		o.session.use()
		return nil
	}
	if o.touched != nil {
		return nil
	}
	v, err := o.look(ctx)
	o.peeked = o.peeked || err == nil
	if err == nil && !v.isNew {
		o.touched, err = o.m.home.touch(ctx, o.claimed(), v)
	}
	if err != nil {
		return fmt.Errorf("compat: touch: %w", err)
	}
	return nil
}

// Touched reports whether the cookie that SetCookie tells, if it tells one, only says
// that the session was used. Who has another cookie for the browser sends that one.
func (o *SessionObject) Touched() bool {
	s := o.current()
	return s == nil || !s.accessed()
}

// use has a session that is there count as used.
func (s *Session) use() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = s.used || !s.isNew
}

func (h *inStore) touch(ctx context.Context, c claim, v *View) (*Session, error) {
	last, _ := v.LastAccessed()
	if h.m.opts.SaveAccessedTime && h.m.touchDue(last) && h.m.touches.begin(c.text, h.m.touchDue) {
		at, err := h.touchNow(ctx, c.text)
		if err != nil || at.IsZero() {
			return nil, err
		}
	}
	if c.key == 0 {
		return nil, nil
	}
	s := &Session{m: h.m, cookies: h.m.opts.UseCookies, claim: c, used: true}
	s.adopt(record{id: c.text, values: v.values, stale: true})
	s.cookie.ready = true // the old signature is replaced
	return s, nil
}

// touchNow writes the access time, if it is still due. It returns the one that is
// then in the record, or zero.
func (h *inStore) touchNow(ctx context.Context, id string) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchWait)
	defer cancel()
	var known time.Time
	defer func() { h.m.touches.end(id, known) }() // also after a panic of the store
	outcome, err := h.retime(ctx, id, func(values *pyvalue.Dict) Outcome {
		switch state, err := h.m.judge(values); {
		case err != nil:
			return OutcomeFailed
		case state != present:
			return OutcomeEnded
		case !h.m.dueIn(values):
			at, _ = timeOf(values, keyAccessed)
			return OutcomeCurrent
		}
		values.SetStr(keyAccessed, pyvalue.Float(h.m.clock()))
		at = h.m.now()
		return OutcomeOK
	})
	switch outcome {
	case OutcomeOK, OutcomeCurrent:
		known = at
	case OutcomeBusy:
		// Who holds the lock may go on for long: not each of the next requests waits again.
		at, known = time.Time{}, h.m.now().Add(min(touchPause, h.m.touch)-h.m.touch)
	default:
		at = time.Time{}
	}
	return at, err
}

// retime writes the record of id as it is now with what change makes of it, unless
// there is no session in it any more or the outcome of change is not OutcomeOK, and
// tells of it.
func (h *inStore) retime(ctx context.Context, id string, change func(*pyvalue.Dict) Outcome) (Outcome, error) {
	e := Event{Kind: KindTouch, Retries: -1}
	err := h.edit(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) {
		e.Retries++
		e.Outcome = OutcomeEnded
		if old == nil {
			return nil, nil
		}
		values, b, err := h.m.decode(old)
		switch {
		case errors.Is(err, beakerfmt.ErrNoSession), err == nil && isDeleted(values):
			return nil, nil
		case err != nil: // not ours to judge while only reading
			e.Outcome = OutcomeFailed
			return nil, nil
		}
		if e.Outcome = change(values); e.Outcome != OutcomeOK {
			return nil, nil
		}
		v := h.m.renewed(ctx, values, b.form)
		if v == nil {
			e.Outcome = OutcomeFailed
			return nil, nil
		}
		e.Form, e.HasForm = b.form, true
		return v, nil
	})
	if err != nil {
		if e.Outcome = failure(err); errors.Is(err, context.DeadlineExceeded) {
			e.Outcome = OutcomeBusy
		}
	}
	e.Retries, e.HasForm = max(e.Retries, 0), e.Outcome == OutcomeOK
	h.m.tell(e)
	return e.Outcome, err
}

// edit is Update also for a store that has none.
func (h *inStore) edit(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	if h.updater != nil {
		return h.updater.Update(ctx, id, f)
	}
	old, err := h.store.Get(ctx, id)
	if err != nil && !errors.Is(err, stores.ErrNotExist) {
		return err
	}
	v, err := f(old)
	if v == nil || err != nil {
		return err
	}
	return h.store.Put(ctx, id, v)
}

// dueIn is touchDue for a record that was just read.
func (m *Manager) dueIn(values *pyvalue.Dict) bool {
	last, _ := timeOf(values, keyAccessed)
	return m.touchDue(last) && !m.isRecent(values)
}

// touch decodes the cookie once more: what a View shows is not ours to change.
func (h inCookie) touch(ctx context.Context, c claim, v *View) (*Session, error) {
	if last, _ := v.LastAccessed(); !h.m.touchDue(last) && c.key == 0 {
		return nil, nil
	}
	r, err := h.find(ctx, c)
	if err != nil || r.state != present {
		return nil, err
	}
	s := &Session{m: h.m, cookies: true, claim: c, used: true, came: r.came}
	s.adopt(r)
	values, form, err := h.unsaved(ctx, s)
	if values == nil || err != nil {
		return nil, err
	}
	if _, err = h.encode(s, values, form); err != nil {
		err = h.keep(ctx, s, values, err)
	}
	h.m.tellTouch(form, err)
	return s, err
}

// tellTouch tells of a cookie that was renewed.
func (m *Manager) tellTouch(form beakerfmt.Form, err error) {
	e := Event{Kind: KindTouch, Outcome: OutcomeOK, Form: form, HasForm: true}
	if err != nil {
		e = Event{Kind: KindTouch, Outcome: failure(err)}
	}
	m.tell(e)
}

// touches remembers which sessions were touched lately, and which are being touched, so
// that a burst of requests of one user costs one write and no more than one of them
// waits for a lock. It is safe for concurrent use.
type touches struct {
	mu   sync.Mutex
	busy map[string]struct{}
	last *cache.Cache[time.Time] // when, by id
}

// touchMemory is how many sessions are remembered. Of one that is not, the record tells.
const touchMemory = 10_000

func newTouches() *touches {
	return &touches{busy: map[string]struct{}{}, last: cache.New[time.Time](touchMemory, touchMemory)}
}

// begin reports whether the session is to be touched: nobody does, and what is
// remembered of it is due. Then end has to follow.
func (t *touches) begin(id string, due func(last time.Time) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, busy := t.busy[id]; busy {
		return false
	}
	if last, ok := t.last.Get(id); ok && !due(last) {
		return false
	}
	t.busy[id] = struct{}{}
	return true
}

// end notes the access time that the record has now, or may be taken for having; zero if
// that is not known.
func (t *touches) end(id string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, id)
	if at.IsZero() {
		t.last.Forget(id)
		return
	}
	t.last.Put(t.last.Begin(id), at, 1)
}
