// Package compat is Beaker's behaviour: its options, its lazily loaded session
// with its verbs, and the rules by which a session is loaded, expires, is saved
// and gets its cookie. It knows nothing of HTTP but the text of two headers, and
// nothing of stores but their contract.
//
// A [Manager] is made once from [Options] and a store, or without one for sessions
// that live in their cookie alone (Type "cookie"). For each request, [Manager.Open]
// gives a [SessionObject], which does nothing until the session is asked for;
// [SessionObject.Session] loads it. At the start of the response
// [SessionObject.Persist] writes what has to be written and
// [SessionObject.SetCookie] tells which Set-Cookie header goes out.
//
// The names are those of Beaker (session.py: SessionObject, Session, CookieSession),
// so Beaker's documentation applies; where gobeaker chooses otherwise, an option
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
//   - A cookie-only session that has timed out, was invalidated or cannot be read is
//     new, as one in a store is, and tells the id that is then sent. It keeps what
//     was not saved when it is persisted halfway, RegenerateID gives it a new _id,
//     and Delete expires the cookie that is there, whatever its domain and path, which
//     Clear and Invalidate keep. Beaker would send another one beside it.
//
// # Only looking
//
// A gateway looks at the session of every request and changes none. [SessionObject.Peek]
// is for that: no record is written, no cookie sent. [SessionObject.Touch] has it count
// as a use, which Python's timeout needs, and writes at most once per TouchInterval,
// whatever the number of images on a page. [SessionObject.ID] and [SessionObject.Refused]
// look at the cookie alone. With CacheTime, what one request has decoded the next ones
// see too. It is off by default, because for that long a logout may go unnoticed
// that another process does in a store that does not tell ([stores.Versioner]). What
// is new, over or broken is read every time, and a session is only over once
// its record says so. [Environment].Observe is told what happens to sessions.
//
// # Cookie-only sessions
//
// The browser has the only copy. So there is nothing to lock, nothing to be had by an
// id, and nothing to merge: of two requests at once, the answer that comes last
// replaces all that the other one saved, and so does one that only renews the cookie. Nor can a session be taken back: a copy of
// an old cookie is good until its timeout, a deleted one as well. What may be in
// one is limited, see [Session.CookieSize].
//
// Releases before 1.8.1 do some things otherwise. gobeaker does what the later ones
// do: an invalidate does not expire the cookie (up to 1.6.4), a bad signature is an
// error or a new session, not no session at all, and an "_expires" in the session
// does not count (up to 1.13).
//
// # What encryption does not do
//
// With an EncryptKey Beaker encrypts with AES, under a key that it derives with the
// ValidateKey and a nonce. gobeaker reads and writes that format, so it shares its
// weaknesses:
//
//   - Only cryptography's mode (GCM) finds out that data was changed. The others
//     (CTR, CBC, ECB) protect a session in a store from being read, not from being
//     changed by those who can write there. The cookie of a cookie-only session is
//     signed as a whole, in every mode.
//   - PBKDF2 is run for one iteration. A password would be found by trying, so the
//     keys have to be long and random.
//   - ECB, which Beaker up to 1.6.3 uses with PyCrypto, shows which blocks are
//     equal. It is written only for such a peer, and where it was found under peer
//     auto: nothing else could be read there.
//
// # Changing keys
//
// The first of a kind of keys writes, all are read. A cookie is signed, and a
// cookie-only session encrypted, with the first ones at the next access, also one
// that only reads; a record at its next write, that of its access time included. A
// record that no key opens is never replaced: with InvalidateCorrupt its user gets a
// new session, and the record stays.
//
// Beaker knows one key, so what Go writes with another is lost to Python. Change keys
// in three steps:
//
//  1. Go gets the next key as an old one: Secret is the present one, OldSecrets has
//     the next one. Nothing changes yet, but every process of Go can read both.
//  2. At one time, Go first, the two change places in Go and Python gets the next
//     key. From here on Python itself forgets all who come with the present one, as it
//     would without Go; those who come to Go first are moved, and Python knows them.
//  3. Once no session can be left that was written with the former key (after Timeout
//     or the life of the cookies), it goes away in Go.
//
// So nobody is logged out whom Python alone would not log out. Between the two parts
// of step 2, who comes from Go to Python is logged out there a little before the rest.
// Hence Go first: the other way about, Go would write the sessions that Python has
// just begun with the next key back with the present one, and Python would lose those.
// And hence at one time: a Go that writes with a key that Python does not have logs
// out, visit by visit, whoever uses both.
package compat
