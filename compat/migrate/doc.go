// Package migrate copies sessions from one store to another: from any back end, form
// and keys to any other.
//
// A pass lists the source, reads and decodes each record, encodes it as the Python at
// the destination reads it, and writes it there in batches. It may be made again at
// any time, after an interruption or as a second pass for what changed since: a
// session that is at the destination already is replaced only if the one at the source
// was accessed later. The source is not changed unless [Options.Move] is set, and then
// a record is removed only after it was read back from the destination.
//
// What is not copied is told to [Options.Problem], one by one: what cannot be read,
// and what the form of the destination cannot hold. Sessions that have expired are
// passed over, and so is what a logout leaves; a session at the destination that was
// logged out at the source since it was copied is removed.
//
// JSON holds less than pickle. It is a problem if a value is of a type that JSON does
// not have, or if two keys of a dict would become one. It is none that tuples become
// lists, keys that are no text become text, and the str of Python 2 becomes unicode.
//
// While Go uses both stores by way of package tiered, set [Options.Online], and as
// soon as Python uses the destination too, [Options.KeepLoggedOut].
//
// [Form], [Newer] and [Dead] are what package tiered needs for a migration under way.
package migrate
