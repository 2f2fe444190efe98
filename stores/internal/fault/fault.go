// Package fault turns what goes wrong in a back end into the errors of package
// stores.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
)

// decided are the errors that say what a caller needs to know; all others are the
// store's trouble.
var decided = []error{
	stores.ErrNotExist, stores.ErrCorrupt, stores.ErrTooLarge, stores.ErrUnavailable, stores.ErrExist,
	context.Canceled, context.DeadlineExceeded,
}

// Wrap says which operation of which store failed, of which session by its hash,
// and sees to it that the error wraps one of the sentinels of package stores: what
// is none of the others is ErrUnavailable, with the reason if err tells one. The
// result never contains id. Nil stays nil.
func Wrap(store, op, id string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, stores.ErrInvalidID):
		return fmt.Errorf("%s: %s: %w", store, op, err) // of such an id not even a hash is known to be harmless
	case id == "":
		return fmt.Errorf("%s: %s: %w", store, op, classify(err))
	}
	return fmt.Errorf("%s: %s %s: %w", store, op, beakerfmt.HashID(id), classify(err))
}

// Ended is ctx.Err(), or what it is about to be: a connection's deadline is that of the
// context and may be noticed first.
func Ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Permanent marks an error that is due to what is written, not to the store: it is
// not ErrUnavailable.
func Permanent(err error) error { return permanentError{err} }

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

func classify(err error) error {
	if errors.As(err, new(permanentError)) || slices.ContainsFunc(decided, func(d error) bool { return errors.Is(err, d) }) {
		return err
	}
	if reason := Reason(err); reason != nil {
		return fmt.Errorf("%w: %w: %w", stores.ErrUnavailable, reason, err)
	}
	return fmt.Errorf("%w: %w", stores.ErrUnavailable, err)
}

// Reason returns the sentinel of package stores that says why the system or the
// network refused: ErrAccess, ErrFull or ErrTimeout. Nil: it is none of these, or
// err says it itself.
func Reason(err error) error {
	for _, known := range []error{stores.ErrAccess, stores.ErrFull, stores.ErrMissing, stores.ErrTimeout} {
		if errors.Is(err, known) {
			return nil
		}
	}
	var timeout net.Error
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return stores.ErrAccess
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return stores.ErrFull
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return stores.ErrTimeout
	}
	return nil
}
