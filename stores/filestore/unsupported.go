//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
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

// Sweep is a sweep of a file store, which this system cannot have.
type Sweep struct{}

// NewSweep returns a Sweep that does nothing.
func (s *Store) NewSweep(SweepOptions) *Sweep { return &Sweep{} }

// Visit returns an error that wraps [errors.ErrUnsupported].
func (*Sweep) Visit(context.Context, string, func(old pyvalue.Value) error) error {
	return fmt.Errorf("filestore: sweep: %w", errors.ErrUnsupported)
}

// Litter does nothing.
func (*Sweep) Litter(context.Context) error { return nil }

// Close does nothing.
func (*Sweep) Close() SweepResult { return SweepResult{} }
