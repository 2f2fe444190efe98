// Package stores says what a store of Beaker sessions is. The back ends are in
// the packages below it; stores/storetest is the suite that each of them passes.
package stores

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// What a caller of a Store decides on. They come wrapped: use errors.Is.
var (
	// ErrNotExist: there is no record of that id, or it has no 'session' key.
	ErrNotExist = errors.New("no such session record")
	// ErrCorrupt: there is a record and it cannot be read. It is still there.
	ErrCorrupt = errors.New("session record is corrupt")
	// ErrTooLarge: a record is beyond the store's limits. One that was found so is
	// ErrCorrupt as well, for it cannot be read.
	ErrTooLarge = errors.New("session record is too large")
	// ErrUnavailable: the store itself cannot be reached or does not work now.
	// Nobody is logged out by it: answer 503, not 401.
	ErrUnavailable = errors.New("session store is unavailable")
	// ErrInvalidID: no path or key is formed from such an id.
	ErrInvalidID = errors.New("session id is not acceptable")
	// ErrRemove is what the function of an Update returns to have the record removed.
	// The Update itself does not return it.
	ErrRemove = errors.New("remove the session record")
)

// Why a store is unavailable, as far as it tells. Each comes with ErrUnavailable.
var (
	// ErrAccess: the store does not let us: a wrong password, a missing permission, a
	// read-only directory or replica.
	ErrAccess = errors.New("session store refuses access")
	// ErrFull: there is no room for what was to be written.
	ErrFull = errors.New("session store is full")
	// ErrMissing: what holds the records is not there: the table, the database, the
	// directory.
	ErrMissing = errors.New("session store lacks its table or directory")
	// ErrTimeout: the store did not answer in the time that its options give it. That
	// the caller's context ended is context.DeadlineExceeded or Canceled instead.
	ErrTimeout = errors.New("session store does not answer in time")
	// ErrUncertain: a write was under way when the store was lost. It may have been
	// done. No store repeats such a write by itself.
	ErrUncertain = errors.New("a write to the session store may or may not have been done")
)

// Store keeps session records. What it gets and puts is what Python has in
// namespace['session']: up to Beaker 1.11 the dict itself, from 1.12 on a text
// of base64; the store's own framing (a pickled container, memcached's flags, a
// column) is its own affair.
//
// A Store is safe for concurrent use. Values that it returns belong to the
// caller; values that it is given are not kept after the call.
type Store interface {
	// Get returns the session value of id, or an error that wraps
	// ErrNotExist, ErrCorrupt, ErrUnavailable or ErrInvalidID.
	Get(ctx context.Context, id string) (pyvalue.Value, error)
	// Put writes the session value of id in place of the one that is there.
	// After an error the old record is whole, or the new one is.
	Put(ctx context.Context, id string, v pyvalue.Value) error
	// Delete removes the record of id. That there is none is not an error.
	Delete(ctx context.Context, id string) error
}

// Updater is a Store that can change a record under the lock, transaction or
// compare-and-set by which it excludes other writers, Python among them.
type Updater interface {
	// Update calls f with the current session value of id, or nil if there is
	// none, and writes what f returns; if f returns nil without an error it
	// writes nothing. If f returns [ErrRemove], the record is removed, and Update returns
	// nil; that there was none is not an error. If f returns another error, Update
	// writes nothing and returns that error. A store that works by compare-and-set may call f again with a
	// newer value. A corrupt record is ErrCorrupt without a call of f. f must not
	// use the store for the same id, and should not use it at all: the store may hold one
	// of its connections for it, and many who wait for a second one wait for each other.
	Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error
}

// Locker is a Store whose records can be locked as Beaker's session.lock()
// does. While a lock is held, Get, Put and Update of the same id by others
// wait. With the context that Lock returns they do not wait: it carries the lock.
type Locker interface {
	// Lock waits, at most until ctx ends, for the exclusive lock of id.
	// Operations that are given the returned context run under that lock.
	// Lock with a context that carries the lock of id already returns at once; the
	// lock lasts until every unlock was called. Of calls of one unlock only the
	// first counts.
	Lock(ctx context.Context, id string) (held context.Context, unlock func() error, err error)
}

// Info is what a Lister tells of a record.
type Info struct {
	ID       string
	Modified time.Time // zero if the store does not know
	Size     int64     // bytes of the record as stored; 0 if the store does not know
	// Cursor is where another List goes on after this record. "" if the store cannot
	// begin anywhere but at the beginning. It may hold a session id: keep it as secret.
	Cursor string
}

// Lister is a Store that can enumerate its records.
type Lister interface {
	// List yields every record, in the store's own order. Records that come and go
	// meanwhile may be missing or already gone. An error ends the iteration,
	// except one about a single record, which is yielded with its id and passed over.
	// From is "", or an [Info.Cursor]: then at least the records after that one are
	// yielded, perhaps a few before it again. It holds a bounded part of
	// the list in memory.
	List(ctx context.Context, from string) iter.Seq2[Info, error]
}

// Pinger is a Store that can be asked whether it works.
type Pinger interface {
	// Ping returns nil, or an error that wraps ErrUnavailable.
	Ping(ctx context.Context) error
}

// Clock is a Store whose server has a clock of its own.
type Clock interface {
	// Now returns the time by that clock at the moment when it returns. Of several
	// servers it is the clock that differs most from this process's. Some tell whole
	// seconds only: then it may be off by half a second. A store that turns out to have
	// no such clock, as a file of SQLite, returns errors.ErrUnsupported.
	Now(ctx context.Context) (time.Time, error)
}

// Inserter is a Store that can write many records at once where there are none yet.
type Inserter interface {
	// Insert writes each record of which the store has no session, as one batch. It
	// returns one error for each: nil for what was written, one that wraps ErrExist
	// for what was there and is left as it was, and what Put would return. Records
	// must not name one id twice.
	Insert(ctx context.Context, records []Record) []error
}

// ErrExist: there is a record of that id already.
var ErrExist = errors.New("there is such a session record already")

// Record is a session record.
type Record struct {
	ID    string
	Value pyvalue.Value
}

// Looker is a Store in which a record can be read without a lock.
type Looker interface {
	// Look is Get for those who will not write what they read: what has been written is
	// seen, and what is being written at that moment need not be waited for. Nobody is
	// kept waiting.
	Look(ctx context.Context, id string) (pyvalue.Value, error)
}

// Look is s.Look if s is a Looker, and s.Get if not.
func Look(ctx context.Context, s Store, id string) (pyvalue.Value, error) {
	if l, ok := s.(Looker); ok {
		return l.Look(ctx, id)
	}
	return s.Get(ctx, id)
}

// Version tells records apart: one that has been written since has another. The zero
// Version tells nothing: the record was written too recently for that.
type Version [5]uint64

// Versioner is a Store that tells cheaply whether a record is still the one that was
// read: much cheaper than to read it again.
type Versioner interface {
	// Version returns the version of the record of id. Whoever asks before a Get, and
	// later gets the same version, not the zero one, knows that the record is the one
	// that the Get returned, whoever else writes, Python among them. It waits for
	// nobody. The errors are those of Get, but nothing says that the record can be read.
	Version(ctx context.Context, id string) (Version, error)
}

// Wrapper is a Store around another one. It has all the methods of the optional
// capabilities, and really has those of the store inside: see [As].
type Wrapper interface {
	Store
	Unwrap() Store
}

// As returns s as one of the optional capabilities ([Updater], [Locker], [Lister],
// [Pinger], [Looker], [Inserter], [Clock], [Versioner]), if it is one. A Wrapper is one
// if what it wraps is.
func As[Capability any](s Store) (Capability, bool) {
	c, ok := s.(Capability)
	for inner := s; ok; {
		w, wraps := inner.(Wrapper)
		if !wraps {
			break
		}
		inner = w.Unwrap()
		_, ok = inner.(Capability)
	}
	if !ok {
		var none Capability
		return none, false
	}
	return c, true
}
