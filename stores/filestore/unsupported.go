//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filestore

import (
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/stores"
)

// Store is the file store, which this system cannot have: see [New].
type Store struct{ stores.Store }

// New returns an error that wraps [errors.ErrUnsupported]: Beaker's locks need
// flock(2), which this system does not have.
func New(o Options) (*Store, error) {
	if _, err := o.settle(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("filestore: new: no flock(2) on this system: %w", errors.ErrUnsupported)
}
