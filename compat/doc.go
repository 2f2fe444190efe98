// Package compat is Beaker's behaviour: its options, its lazily loaded
// session with its verbs, and the rules by which a session is loaded, expires,
// is saved and gets its cookie. It knows nothing of HTTP but the text of two
// headers, and nothing of stores but their contract.
//
// A [Manager] is made once from [Options] and a store. For each request,
// [Manager.Open] gives a [SessionObject], which does nothing until the session
// is asked for; [SessionObject.Session] loads it. At the start of the response
// [SessionObject.Persist] writes what has to be written and
// [SessionObject.SetCookie] tells which Set-Cookie header goes out.
//
// The names are those of Beaker (session.py: SessionObject, Session), so
// Beaker's documentation applies; where gobeaker chooses otherwise, an option
// gives Beaker's behaviour. A live test lets both do the same random verbs and
// compares cookies, results and records. What is left without an option is small:
//
//   - The text of the cookie is made once, at the end, from what the session is
//     then; Beaker makes it at some verbs and not at others, so that secure or
//     httponly set on a new session come too late.
//   - After a delete, the session is over. In Beaker it can be filled and stored
//     again, under an id whose cookie has expired.
//   - A value that was changed in place and not saved is not stored. Beaker's
//     copy of what was loaded is shallow, so it may be.
//   - Revert goes back to what was last written, and for a new session to an
//     empty one.
//   - An id that a cookie was sent for always has its session stored, also
//     after RegenerateID without Save and without save_accessed_time.
package compat
