// Package records looks at the records of a store for people: which state a session is
// in, and in which form it stands.
package records

import (
	"context"
	"errors"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// The states of a record.
const (
	Live       = "live"
	Expired    = "expired"    // past the timeout
	Empty      = "empty"      // no session in it, as a logout leaves; or gone meanwhile
	Encrypted  = "encrypted"  // no key that is known opens it
	Unreadable = "unreadable" // corrupt, too large, or a file that may not be read
)

// States are all the states, as people are told of them.
func States() []string { return []string{Live, Expired, Empty, Encrypted, Unreadable} }

// Record is a record as it was found.
type Record struct {
	stores.Info
	compat.Examined
	Value pyvalue.Value // as stored; nil if there is none, or if it cannot be read
	Is    string        // the state
	Err   error         // why it cannot be read
}

// Hash is the name of the session where its id must not stand.
func (r *Record) Hash() string { return beakerfmt.HashID(r.ID) }

// Kind names its form in a word or two, "" if that is not known.
func (r *Record) Kind() string {
	if r.Err != nil || r.Value == nil || r.State == compat.Dead {
		return ""
	}
	return inspect.Kind(r.Form)
}

// Look reads a record without waiting for its lock. The error is one of the store: one
// that is about this record alone is in the Record.
func Look(ctx context.Context, s stores.Store, m *compat.Manager, info stores.Info) (Record, error) {
	r := Record{Info: info, Is: Empty}
	v, err := stores.Look(ctx, s, info.ID)
	switch {
	case errors.Is(err, stores.ErrNotExist): // it has gone, or has no session in it
		return r, nil
	case err != nil && !IsOfRecord(err):
		return r, err
	case err != nil:
		r.Is, r.Err = Unreadable, err
		return r, nil
	}
	r.Value = v
	if r.Examined, r.Err = m.Examine(v); r.Err != nil {
		r.Is = Unreadable
		if errors.Is(r.Err, beakerfmt.ErrEncrypted) || errors.Is(r.Err, beakerfmt.ErrDecrypt) {
			r.Is = Encrypted
		}
		return r, nil
	}
	if r.State != compat.Dead {
		r.Is = r.State.String()
	}
	return r, nil
}

// IsOfRecord reports whether an error is about one record alone: a file that we may not
// read is.
func IsOfRecord(err error) bool {
	return errors.Is(err, stores.ErrCorrupt) || errors.Is(err, stores.ErrAccess) || errors.Is(err, stores.ErrInvalidID)
}
