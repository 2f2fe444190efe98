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
// gives Beaker's behaviour.
package compat
