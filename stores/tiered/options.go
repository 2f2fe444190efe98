package tiered

import (
	"errors"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// Read says which record counts.
type Read uint8

// The ways to read.
const (
	ReadNewest   Read = iota // of both, the one that is newer
	ReadOld                  // the old store's
	ReadNewFirst             // the new store's; if it has none, the old one's
)

// Write says where records are written.
type Write uint8

// The ways to write.
const (
	WriteBoth    Write = iota // to both stores
	WriteNewOnly              // to the new one; needs ReadNewFirst
)

// Options say how the two stores work together. Which belong together, see the
// package's documentation; package migrate has the functions.
type Options struct {
	Read  Read
	Write Write
	// Move removes the old record of a session that was written to the new store.
	// It needs WriteNewOnly.
	Move bool
	// ToNew and ToOld return a session value in the form that is kept in the new and
	// the old store. They are given values of either form, and return one that is as it
	// should be as it is. nil: all values are kept as they come.
	ToNew, ToOld func(pyvalue.Value) (pyvalue.Value, error)
	// Newer reports whether a is certainly newer than b. ReadNewest needs it.
	Newer func(a, b pyvalue.Value) bool
	// Dead reports whether v is what a logout leaves. nil: nothing is.
	Dead func(v pyvalue.Value) bool
	// Report is told what went wrong and was no error to the caller: a copy that was
	// not made. nil: nobody is told.
	Report func(error)
}

func (o *Options) check(newStore, oldStore stores.Store) error {
	switch {
	case newStore == nil || oldStore == nil:
		return errors.New("a store is missing")
	case newStore == oldStore:
		return errors.New("the two stores are the same")
	case o.Read > ReadNewFirst || o.Write > WriteNewOnly:
		return errors.New("no such way to read or to write")
	case o.Write == WriteNewOnly && o.Read != ReadNewFirst:
		return errors.New("WriteNewOnly needs ReadNewFirst: who reads the old store would not see what is written")
	case o.Move && o.Write != WriteNewOnly:
		return errors.New("Move needs WriteNewOnly")
	case o.Read == ReadNewest && o.Newer == nil:
		return errors.New("ReadNewest needs Newer")
	}
	return nil
}
