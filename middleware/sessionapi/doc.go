// Package sessionapi lets services in other languages read and change the sessions of
// their visitors, over HTTP: [New] returns the handler, to be mounted at the root of a
// listener of its own, a Unix socket or a loopback address. What it takes and answers is
// described by the document at /openapi.json; docs/session-api.md shows it at work.
//
// A service passes on the Cookie header of its visitor, which names the session, and
// hands the Set-Cookie lines of the answer back to him. No id of a session stands in a
// URL, a body or a log.
//
// # What a request sees
//
// Every operation that changes a session is applied to the session as it is when it is
// written, under the store's lock or compare-and-set, the one that keeps Python away,
// too. Keys that a request does not name keep what others write into them at the same
// time; where the result depends on what was there (a merge into a dict, the list of
// flash messages), the operation is done again on what others have made of it. With
// If-Match nothing is written unless the session is the one of that ETag.
//
// An ETag tells of the content of a session, not of the time of its last access: Python
// writes that at every request, and a compare-and-set that failed for it would be of no
// use. So that time is a header, Session-Accessed, and not part of the representation
// (RFC 9110, section 8.8.1). Nor does the order of a dict count, which Python 2 makes
// anew, or whether an ASCII text is Python 2's str. The tag is an HMAC of the content under the session's id.
// So it is the same in every process and after a restart, and who has the tag alone
// learns neither the id nor anything of the content.
//
// Of a cookie-only session the browser has the only copy. If-Match compares with the one
// that came with the request, and nothing can keep two requests from changing it at
// once: the Set-Cookie that arrives last is the one that stays.
package sessionapi
