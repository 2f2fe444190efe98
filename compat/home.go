package compat

import (
	"context"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// claim is what a request's cookie says.
type claim struct {
	there   bool   // the request has a cookie of the name, which is not empty
	refused bool   // no key of ours has signed it; nothing else is known then
	text    string // what was signed: an id, or the payload of a cookie-only session
	key     int    // the index of the key that signed it
}

// home is where the sessions of a Manager live: in a store, under the id that the
// cookie carries (inStore, Beaker's Session), or in the cookie itself (inCookie,
// Beaker's CookieSession). All that the verbs do in memory is the same for both.
// Its methods are called with the session's lock held.
type home interface {
	// claim is what a Cookie header says, checked as far as that goes without I/O.
	claim(header string) claim
	// id is the id of the session that a claim is about, "" for none, and is found without
	// I/O: look is only called where that has none.
	id(c claim, look func() (*View, error)) string
	// find looks up the session of a claim, and changes nothing. A session that is there
	// and cannot be read is stores.ErrCorrupt.
	find(ctx context.Context, c claim) (record, error)
	// peek is find for who only looks: others may be shown the same values. It tells of it.
	peek(ctx context.Context, c claim) (record, error)
	// again looks up a session that was found or written before.
	again(ctx context.Context, s *Session) (record, error)
	// seed puts in what only sessions of this home keep among their values.
	seed(values *pyvalue.Dict, id string)
	// due has the cookie sent, because of a verb that changes what it says.
	due(s *Session)
	// write writes what is due of a session that was used.
	write(ctx context.Context, s *Session) error
	// touch counts a look at the session of a claim as a use of it. It returns what is to
	// make a cookie of that, or nil.
	touch(ctx context.Context, c claim, v *View) (*Session, error)
	// cookie is the cookie that the response needs, not yet signed, if it needs one.
	cookie(s *Session) (c beakerfmt.SetCookie, needed bool)
	// size is what Session.CookieSize returns.
	size(s *Session) (size, limit int, err error)
}
