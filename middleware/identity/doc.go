// Package identity decides by the session of a request who may come in, and what an
// application behind is told of them: headers, and a signed assertion (JWT).
//
// # Decisions
//
// [Policy.Decide] answers in this order:
//
//	the session could not be read     503  nobody is logged out by an outage; also a
//	                                       record that is corrupt, if invalidate_corrupt
//	                                       is off (a wrong key makes all of them so)
//	no session, or a value of Require 401  or 302 to the login page, if a browser asks
//	is not there or not true               for a page
//	none of the groups                403  401 if nothing is required and the session
//	                                       says nothing of groups
//	Allow is false or fails           403  401 if there is no session
//	a required value that its header  403  nobody comes in without the name that the
//	cannot hold                            application expects
//	else                              200
//
// # Paths
//
// A path leads to a value in the session: "user_id"; "user.email" for a key of a dict;
// "groups.0" for an item of a list or tuple; "user.name" for an attribute of an object
// whose pickled state is a dict (or the pair of dicts that __slots__ give). A backslash
// stands before a dot or a backslash that belongs to a key. A key of a dict is the text
// (str, Python 2's str, bytes), else the int of these digits. Beaker's _id, which is
// secret, cannot be reached.
//
// # What is true
//
// As in Python: None, False, zeros (of int, float, complex, Decimal and timedelta), empty
// text and empty containers are false. What the class of another object would say is not
// in the session: it is true if it has a true state or argument, or an item. So a plain
// object with nothing in it is false, unlike in Python, for an empty subclass of dict
// looks the same.
//
// # Values as text
//
// A header, and the sub claim, tell values so:
//
//	str                      the text
//	Python 2's str, bytes,   the text, if it is UTF-8, else it is not told: to guess an
//	bytearray                encoding could make two users one. With "base64": the bytes
//	int, Python 2's long     decimal digits, of any size
//	bool                     true, false
//	float                    as Python's repr: 1.5, 1e+16
//	Decimal, UUID            as Python's str
//	datetime, date, time     as Python's isoformat: 2023-11-14T22:13:20+01:00; without a
//	                         time zone no offset
//	timedelta                seconds as Python's total_seconds: 86405.0
//	list, tuple, deque       the members in order, joined
//	set, frozenset           the members in the order of their texts, joined
//	None, empty text,        no header, or Default
//	no members
//	dict, other objects,     not told; a dict is with "json"
//	complex, classes
//
// A member that is None or empty is passed over. A value that cannot be told is left out
// with its header, without the Default, and [Decision.Reason] says so.
//
// What text may be in a header depends on [Header.Encode]:
//
//	""         printable ASCII, no space at either end, for receivers trim it
//	"utf-8"    UTF-8 without control characters, no white space at either end
//	"percent"  everything but A-Z a-z 0-9 - . _ ~ as %XX of its UTF-8
//	"base64"   the UTF-8, or the bytes, in standard base64 with padding
//	"json"     JSON in ASCII, see below
//
// Members are encoded before they are joined. With "" and "utf-8" a member that contains
// a character of Join cannot be told: else the group "a,admin" would be two; so it is with
// one text of which the header has a Join, or which is the group of the policy. Name and
// value together have at most 8190 bytes, which is what gunicorn takes.
//
// # Values as JSON
//
// With "json", and in claims of an [Assertion]:
//
//	None, bool, str          null, true and false, text
//	Python 2's str, bytes    text, if it is UTF-8
//	int, Python 2's long     a number; beyond 2^53-1, which readers round, digits in text
//	float                    a number; not inf and nan
//	list, tuple, deque       an array
//	set, frozenset           an array in the order of the JSON of the members
//	dict, OrderedDict,       an object, if all keys are text and no two are the same
//	defaultdict, Counter
//	Decimal, UUID, datetime, text as above; timedelta is a number
//	date, time, timedelta
//
// Anything else, at any depth, cannot be told, and so the whole is left out.
//
// # Expressions
//
// [Options.Allow] is an expression of github.com/expr-lang/expr over
//
//	session   the session as a map; session.key is nil if there is no such key
//	request   method, scheme, host, path (decoded), query, client, header("name")
//	now       the time; now.Unix() to compare with Beaker's _accessed_time
//
// Values are Go's: str, and Python 2's str and bytes if they are UTF-8, are strings; int
// is int, beyond 64 bits its digits in a string; bool and float are themselves; lists,
// tuples, deques and sets are arrays; dicts, and objects with a dict for their state, are
// maps by text (an int key by its digits); datetime and date are times (UTC if they name
// no zone), timedelta is a duration; Decimal, UUID and time are strings; None is nil; and
// anything else is nothing that an expression can use, but not nil.
//
// The result must be a bool: 1 is not true here, and an error (the key of what is no map,
// a comparison of a number with nil) is a refusal. Expressions have no effects and end
// soon: at most 200 nodes, no variables, no ranges, no predicate within a predicate,
// patterns of "matches" in quotes, and of the functions of expr those in this list: all,
// any, one, none, count, filter, find, findIndex, len, lower, upper, trim, trimPrefix,
// trimSuffix, hasPrefix, hasSuffix, indexOf, int, float, string, type, abs, min, max,
// keys, values, get, first, last, duration. A session is shown to them up to 4096 values
// and 64 KiB of text, of those keys that the expression names; beyond that they refuse.
//
// request.path is the decoded path. One that applications may read in several ways ("//",
// "/../", ";", a backslash, NUL, an encoded slash, encoded twice) is refused where an
// expression asks for it. An application that takes no notice of case wants
// lower(request.path). request.host is in lower case, with its port if it names one.
// request.header sees nothing that only proxies and policies tell (X-Forwarded-…,
// X-Real-IP, Remote-User where a policy sets it): request.client, scheme and host have it.
package identity
