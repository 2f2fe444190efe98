package livetest

import (
	"context"
	"slices"

	"github.com/gobeaker/gobeaker/compat"
)

// verbRules keep a request away from what compat does otherwise on purpose,
// and from nothing else.
type verbRules struct {
	options verbOptions
	era     compat.Era
	object  *compat.SessionObject
	cookie  bool   // the request came with one
	ran     []verb // so far
	past    *verbPast
}

// verbPast is what the rules know of the whole sequence.
type verbPast struct {
	cleared, deleted bool
	moved            bool // a domain or path was set
}

// choose replaces a choice of cookie that is not comparable. What Beaker leaves
// of a deleted session is a session for it when it comes again; compat takes it for
// none, and makes a new one.
func (p *verbPast) choose(c cookieChoice) cookieChoice {
	if p.deleted && c == first {
		return jar
	}
	return c
}

// admit returns the verb, or a harmless one in place of one that is not comparable
// at this point.
func (r *verbRules) admit(ctx context.Context, v verb) (verb, error) {
	s, err := r.object.Session(ctx)
	if err != nil {
		return v, err
	}
	excluded, afterDelete := r.excluded, r.excludedAfterDelete
	if r.options.Type == "cookie" {
		excluded, afterDelete = r.excludedInCookie, r.excludedAfterDeleteInCookie
	}
	if excluded(s, v.Name) || r.did("delete") && afterDelete(v.Name) {
		v = verb{Name: "get", Key: "a"}
	}
	r.note(v)
	return v, nil
}

func (r *verbRules) note(v verb) {
	r.ran = append(r.ran, v)
	r.past.cleared = r.past.cleared || v.Name == "clear"
	r.past.deleted = r.past.deleted || v.Name == "delete"
	r.past.moved = r.past.moved || v.Name == "set domain" || v.Name == "set path"
}

func (r *verbRules) did(names ...string) bool {
	return slices.ContainsFunc(r.ran, func(v verb) bool { return slices.Contains(names, v.Name) })
}

// excluded reports whether the sides differ on purpose if this verb comes now.
func (r *verbRules) excluded(s *compat.Session, name string) bool {
	// Beaker makes the text of the cookie at each of these verbs, compat once, at
	// the end, from what the session is then.
	made := r.did("regenerate_id", "set domain", "set path")
	// So it does for a new session; nothing is in the store for it.
	unsaved := func() bool { return s.IsNew() && !r.cookie } // asking is an access

	switch name {
	case "set samesite":
		return !r.era.ServerSameSite || made || unsaved() || s.WasInvalidated()
	case "set secure", "set httponly":
		return made || unsaved() || s.WasInvalidated()
	case "domain", "path", "set domain", "set path":
		// Up to 1.10 they are not part of the session, and to set one forgets what else
		// belongs into the cookie.
		return !r.era.ConfigKeys
	case "load":
		// Beaker looks for the new id of a session that was not saved under it
		// yet, and finds nothing. To compat a new session is as it is, and one
		// that has moved is still under its old id.
		return made || s.IsNew()
	case "revert":
		// Beaker has nothing to go back to if nothing was loaded, and drops even
		// its own keys. It goes back to what was loaded, compat to what was
		// written last. The list that was loaded is in its copy, too, and changed
		// with it.
		return made || unsaved() && !s.WasInvalidated() || r.did("persist", "append")
	case "clear":
		// Without an access time (forgiveTimes) Beaker's session never times out,
		// or, up to 1.11, cannot be loaded.
		return made || r.options.Timeout != nil
	case "len", "created", "last_accessed":
		return r.past.cleared // forgiveTimes
	case "delete":
		// Beaker stores the remains of a session that never was in the store, or
		// not yet under its new id, and then leaves the old record alone.
		return s.IsNew() || r.did("regenerate_id")
	}
	return false
}

// excludedAfterDelete: to compat a delete is the end; to Beaker it is a session
// whose cookie has expired, that can be moved, emptied and sent again.
func (r *verbRules) excludedAfterDelete(name string) bool {
	switch name {
	case "invalidate", "regenerate_id", "revert", "load", "delete", "set domain", "set path":
		return true
	}
	return false
}

// excludedInCookie is excluded for cookie-only sessions.
func (r *verbRules) excludedInCookie(s *compat.Session, name string) bool {
	switch name {
	case "was_invalidated", "last_accessed", "load", "regenerate_id":
		// Beaker's class inherits them and they do not work there.
		return true
	case "len":
		// Beaker puts in _expires, and the times only with the cookie.
		return true
	case "is_new":
		// To Beaker a session that came with a cookie is never new.
		return s.WasInvalidated()
	case "created":
		return s.IsNew() || r.past.cleared
	case "id":
		// Beaker's session has none if it was cleared; and of one that timed out it
		// sends another than it tells.
		return r.past.cleared || s.WasInvalidated()
	case "domain", "path", "set domain":
		// Up to 1.10 Beaker keeps them beside the session, so that they count before a
		// save, too.
		return !r.era.ConfigKeys
	case "set secure", "set httponly", "set samesite":
		// Beaker makes the text as it reads the session, and here not once more.
		return !r.options.SaveAccessedTime || name == "set samesite" && !r.era.CookieSameSite
	case "revert":
		// As with other sessions; and from one that timed out Beaker goes back to
		// nothing at all, which has no id.
		return s.IsNew() || r.did("persist", "append")
	case "clear":
		// Beaker goes back to the configured domain and path, and leaves the cookie
		// that is there.
		return r.options.Timeout != nil || r.past.moved
	case "invalidate":
		return r.past.moved // as clear does
	case "delete":
		// Beaker expires a cookie of the configured path, not the one that is there;
		// and fails with a KeyError if the session was cleared.
		return r.past.moved || r.did("clear")
	case "persist":
		// Beaker's goes back to what was loaded, for good.
		return !s.Dirty() && !r.options.Auto
	}
	return false
}

// excludedAfterDeleteInCookie: what Beaker sends then, in a cookie that has expired,
// is a session all the same.
func (r *verbRules) excludedAfterDeleteInCookie(name string) bool {
	switch name {
	case "set", "set list", "append", "remove", "clear", "persist", "set secure", "set httponly", "set samesite", "id", "created":
		return true
	}
	return r.excludedAfterDelete(name)
}

// end returns what has to come at the end of the request.
func (r *verbRules) end() []verb {
	start := len(r.ran)
	// A session that was cleared and no more is for compat a deleted one.
	if r.did("clear") && !r.did("delete") {
		r.note(verb{"set", "a", 1})
	}
	// Without a save Beaker stores what was changed in place all the same, in its
	// copy of what was loaded; and it loses a session that has a new id, unless
	// it writes access times.
	if r.did("append") || r.did("regenerate_id") && !r.options.SaveAccessedTime {
		r.note(verb{Name: "save"})
	}
	return r.ran[start:]
}
