//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package dbmstore

import (
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/stores"
)

// Store is the dbm store, which this system cannot have: see [New].
type Store struct{ stores.Store }

// New returns an error that wraps [errors.ErrUnsupported]: Beaker's locks need
// flock(2), which this system does not have.
func New(o Options) (*Store, error) {
	if _, err := o.settle(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("dbmstore: new: no flock(2) or no SQLite on this system: %w", errors.ErrUnsupported)
}
