package compat

import (
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// NoTimeout is the [Options.Timeout] of sessions that never expire by disuse
// (Beaker's timeout=None).
const NoTimeout time.Duration = -1

// Options are Beaker's session options after coercion, under Beaker's names,
// and those that gobeaker adds. Start from [Defaults]; the zero Options is not
// valid.
type Options struct {
	// Type is the back end: "file", "memory", "dbm", "ext:memcached" …, or "cookie"
	// for sessions that live in their cookie alone. Empty: "file" if DataDir is set,
	// else "memory".
	Type string
	// Key is the name of the cookie.
	Key string
	// Secret signs the cookie of server-side sessions. Empty: the cookie is the
	// bare id. OldSecrets are accepted for reading; what they signed is signed anew
	// with Secret at the next access. Beaker knows one secret and one of each key, so
	// the order in which they are changed matters: see "Changing keys" in the package's
	// documentation.
	Secret     string
	OldSecrets []string
	// ValidateKey signs cookie-only sessions and salts encryption;
	// OldValidateKeys are accepted for reading. A cookie with an older signature is
	// sent again with the new one.
	ValidateKey     string
	OldValidateKeys []string
	// EncryptKey encrypts the payload, with ValidateKey; OldEncryptKeys are accepted
	// for reading. Both should be random: a password could be found by trying.
	EncryptKey       string
	OldEncryptKeys   []string
	EncryptNonceBits int // a multiple of 8
	// CryptoType names the AES library of the Python side: "nss", "pycrypto" or
	// "cryptography". With "default" or "auto" every mode is read, and new sessions
	// are written for the Peer's library.
	CryptoType string
	// AcceptPlaintext reads sessions that are not encrypted although there is an
	// EncryptKey, as Beaker stores them where it has no AES library. They are encrypted
	// when they are next written.
	AcceptPlaintext bool

	// DataDir is the root of the file and dbm back ends; FileDir and LockDir
	// replace the directories "container_<type>" and "container_<type>_lock" in it.
	DataDir, FileDir, LockDir string
	// URL, and Extra for what Beaker passes on to its namespace manager
	// (table_name, memcache_module, sa.* …), as text under Beaker's names.
	URL   string
	Extra map[string]string

	CookieExpires CookieExpires
	CookieDomain  string
	CookiePath    string
	Secure        bool
	HTTPOnly      bool
	SameSite      string // verbatim; empty: no attribute

	// Timeout expires a session that was not used for longer; NoTimeout never
	// does. Beaker counts whole seconds.
	Timeout time.Duration
	// Auto saves the session whenever it was accessed.
	Auto bool
	// SaveAccessedTime writes the time of the last access of a session that was
	// only read. Timeout needs it.
	SaveAccessedTime bool
	// InvalidateCorrupt makes a new session of one that cannot be read,
	// instead of reporting an error.
	InvalidateCorrupt bool
	// UseCookies false: no cookie is read or sent, and sessions are had by GetByID.
	// Cookie-only sessions do not heed it, as with Beaker: they have nothing else.
	UseCookies bool
	// DataSerializer is "pickle" or "json".
	DataSerializer string

	// Peer is the Python side that must be able to read what we write.
	Peer Peer
	// Write says how a save treats keys that others changed meanwhile.
	Write WriteMode
	// DeleteRecords removes the records of deleted, invalidated, regenerated and
	// timed-out sessions, where Beaker leaves them in the store and valid. Of
	// cookie-only sessions it means that an Invalidate without Save takes effect, where
	// Beaker sends the old session again.
	DeleteRecords bool
	// TouchInterval: a session that was only read is rewritten for its access
	// time only if the stored time is older than this. 0 is Beaker's
	// behaviour; negative means a tenth of Timeout, at most a minute. A session may
	// so time out by up to this much early. A cookie-only session is so only sent
	// again when that is due, whatever SaveAccessedTime says (Beaker renews it as it
	// reads it); there negative is at most a tenth of CookieExpires, too.
	TouchInterval time.Duration
	// CacheTime keeps what a Peek has decoded for that long, so that many requests of one
	// user cost one decode; 0: not at all. What a Python application changes is seen at
	// once where the store tells ([stores.Versioner]: files), else after CacheTime at the
	// latest; what this Manager writes is seen at once. CacheSessions is how many
	// sessions are kept; together they take no more memory than that many of 8 KiB.
	CacheTime     time.Duration
	CacheSessions int
	// AdoptUnknownIDs takes an id that the store does not know for a new session's
	// id, as Beaker does; it allows session fixation.
	AdoptUnknownIDs bool
	// IDs says which session ids are acceptable.
	IDs beakerfmt.IDRule
	// LenientCookies reads a Cookie header as browsers mean it, where Python
	// would drop the whole header because of some other cookie in it.
	LenientCookies bool
}

// CookieExpires is Beaker's cookie_expires.
type CookieExpires struct {
	Mode  CookieExpiresMode
	After time.Duration // ExpiresAfter
	At    time.Time     // ExpiresAt; Beaker prints it as it stands
}

// CookieExpiresMode tells the kinds of cookie_expires apart.
type CookieExpiresMode uint8

// The kinds of cookie_expires.
const (
	ExpiresWithBrowser CookieExpiresMode = iota // True: a session cookie
	ExpiresNever                                // False: January 2038
	ExpiresAfter                                // seconds or a timedelta
	ExpiresAt                                   // a datetime
)

// WriteMode says what a save does with keys that others changed meanwhile.
type WriteMode uint8

// The write modes.
const (
	WriteMerge   WriteMode = iota // only the keys that this request changed or deleted are written
	WriteReplace                  // the whole dict is written, as Beaker does
)

// Defaults returns the options of a Beaker middleware that is given none,
// with gobeaker's choices where Beaker has no such option.
func Defaults() Options {
	return Options{
		Key:               "beaker.session.id",
		EncryptNonceBits:  128,
		CryptoType:        "default",
		CookiePath:        "/",
		SameSite:          "Lax",
		Timeout:           NoTimeout,
		SaveAccessedTime:  true,
		InvalidateCorrupt: true,
		UseCookies:        true,
		DataSerializer:    "pickle",
		Write:             WriteMerge,
		DeleteRecords:     true,
		TouchInterval:     -1,
		CacheSessions:     10_000,
	}
}
