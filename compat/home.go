package compat

import (
	"context"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// home is where the sessions of a Manager live: in a store, under the id that the
// cookie carries (inStore, Beaker's Session), or in the cookie itself (inCookie,
// Beaker's CookieSession). All that the verbs do in memory is the same for both.
// Its methods are called with the session's lock held.
type home interface {
	// find looks up the session that a Cookie header presents, and changes nothing.
	// A session that is there and cannot be read is stores.ErrCorrupt.
	find(ctx context.Context, header string) (record, error)
	// again looks up a session that was found or written before.
	again(ctx context.Context, s *Session) (record, error)
	// seed puts in what only sessions of this home keep among their values.
	seed(values *pyvalue.Dict, id string)
	// due has the cookie sent, because of a verb that changes what it says.
	due(s *Session)
	// write writes what is due of a session that was used.
	write(ctx context.Context, s *Session) error
	// cookie is the cookie that the response needs, not yet signed, if it needs one.
	cookie(s *Session) (c beakerfmt.SetCookie, needed bool)
	// size is what Session.CookieSize returns.
	size(s *Session) (size, limit int, err error)
}
