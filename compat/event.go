package compat

import (
	"context"
	"errors"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
)

// Event is something that happened to a session, for metrics: it tells what kind of
// session it was and how it went, never which one or what is in it.
type Event struct {
	Kind    EventKind
	Outcome Outcome
	// Form is that in which the session was found, or for KindSave written. HasForm is
	// false if it did not come to that.
	Form    beakerfmt.Form
	HasForm bool
	// OldKey: an older key has signed the cookie that named the session, or opened the
	// session (KindLoad). While there are such, the older keys are still needed.
	OldKey bool
	// Retries is how often a store that works by compare-and-set had the change made
	// again because others wrote meanwhile.
	Retries int
}

// EventKind is what happened, a word for a metric's label.
type EventKind string

// The kinds of events.
const (
	KindLoad    EventKind = "load"    // a session was read: Session, Peek, GetByID, Reload
	KindSave    EventKind = "save"    // all of it was written, or was to be
	KindTouch   EventKind = "touch"   // its access time was due to be written
	KindRefusal EventKind = "refusal" // a request's cookie has a signature that no key of ours makes
	KindCache   EventKind = "cache"   // a Peek where sessions are cached
)

// Outcome is how it went, a word for a metric's label.
type Outcome string

// The outcomes.
const (
	OutcomeLive          Outcome = "live"          // load
	OutcomeNone          Outcome = "none"          // load: the request names no session
	OutcomeUnknown       Outcome = "unknown"       // load: there is no record of that id
	OutcomeExpired       Outcome = "expired"       // load
	OutcomeDead          Outcome = "dead"          // load: a record without a session, as a delete leaves
	OutcomeCorrupt       Outcome = "corrupt"       // load
	OutcomeUndecryptable Outcome = "undecryptable" // load: no key opens it, or it is not encrypted and should be
	OutcomeRefused       Outcome = "refused"       // load, refusal

	OutcomeOK      Outcome = "ok"       // save, touch
	OutcomeMerged  Outcome = "merged"   // save: into what others had changed meanwhile
	OutcomeEnded   Outcome = "ended"    // save, touch: the session had gone, and stays so
	OutcomeCurrent Outcome = "current"  // touch: somebody else had just done it
	OutcomeBusy    Outcome = "busy"     // touch: somebody else holds the lock
	OutcomeTooLong Outcome = "too_long" // save, touch: no cookie holds it

	OutcomeHit  Outcome = "hit"  // cache: no record was decoded
	OutcomeSame Outcome = "same" // cache: the record was read again, and needed not be decoded
	OutcomeMiss Outcome = "miss" // cache
	// OutcomeEvicted is no Peek: a session was given up before its time, to make room.
	OutcomeEvicted Outcome = "evicted" // cache

	OutcomeUnavailable Outcome = "unavailable" // the store does not work
	OutcomeCanceled    Outcome = "canceled"    // the caller's context ended
	OutcomeFailed      Outcome = "failed"      // for another reason
)

// EventKinds returns all kinds of events.
func EventKinds() []EventKind {
	return []EventKind{KindLoad, KindSave, KindTouch, KindRefusal, KindCache}
}

// Outcomes returns the outcomes that events of a kind can have.
func Outcomes(k EventKind) []Outcome {
	failures := []Outcome{OutcomeUnavailable, OutcomeCanceled, OutcomeFailed}
	switch k {
	case KindLoad:
		return slices.Concat([]Outcome{OutcomeLive, OutcomeNone, OutcomeUnknown, OutcomeExpired, OutcomeDead,
			OutcomeCorrupt, OutcomeUndecryptable, OutcomeRefused}, failures)
	case KindSave:
		return slices.Concat([]Outcome{OutcomeOK, OutcomeMerged, OutcomeEnded, OutcomeTooLong}, failures)
	case KindTouch:
		return slices.Concat([]Outcome{OutcomeOK, OutcomeCurrent, OutcomeEnded, OutcomeBusy, OutcomeTooLong}, failures)
	case KindRefusal:
		return []Outcome{OutcomeRefused}
	case KindCache:
		return []Outcome{OutcomeHit, OutcomeSame, OutcomeMiss, OutcomeEvicted}
	}
	return nil
}

// failure is the outcome of a save or a touch that went wrong.
func failure(err error) Outcome {
	switch {
	case errors.Is(err, beakerfmt.ErrCookieTooLong):
		return OutcomeTooLong
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return OutcomeCanceled
	case errors.Is(err, stores.ErrUnavailable):
		return OutcomeUnavailable
	}
	return OutcomeFailed
}

// loadFailure is the outcome of a load that went wrong.
func loadFailure(err error) Outcome {
	switch {
	case errors.Is(err, beakerfmt.ErrEncrypted), errors.Is(err, beakerfmt.ErrDecrypt), errors.Is(err, beakerfmt.ErrPlaintext):
		return OutcomeUndecryptable
	case errors.Is(err, stores.ErrCorrupt):
		return OutcomeCorrupt
	}
	return failure(err)
}

// tellLoad tells of a session that was read because of a claim.
func (m *Manager) tellLoad(c claim, r record, err error) {
	if m.observe == nil {
		return
	}
	e := Event{Kind: KindLoad}
	switch {
	case c.refused:
		e.Outcome = OutcomeRefused
	case err != nil:
		e.Outcome = loadFailure(err)
	case r.state == present:
		e.Outcome, e.Form, e.HasForm = OutcomeLive, r.base.form, true
		e.OldKey = c.key > 0 || e.Form.EncryptKey > 0 || e.Form.ValidateKey > 0
	case r.state == expired:
		e.Outcome = OutcomeExpired
	case r.state == empty:
		e.Outcome = OutcomeDead
	case r.id == "":
		e.Outcome = OutcomeNone
	default:
		e.Outcome = OutcomeUnknown
	}
	m.observe(e)
}

func (m *Manager) tell(e Event) {
	if m.observe != nil {
		m.observe(e)
	}
}

// tellSave tells how the last write of the whole session went.
func (s *Session) tellSave(err error) {
	if s.m.observe == nil {
		return
	}
	e := Event{Kind: KindSave, Outcome: OutcomeOK, Retries: max(s.retries, 0)}
	switch {
	case s.condition != nil && err != nil && failure(err) == OutcomeFailed:
		return // the condition did not hold: nothing was to be written
	case errors.Is(err, errEnded):
		e.Outcome = OutcomeEnded
	case err != nil:
		e.Outcome = failure(err)
	default:
		e.Form, e.HasForm = s.base.form, true
		if s.merged {
			e.Outcome = OutcomeMerged
		}
	}
	s.m.observe(e)
}
