package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

// kind is what a failure means for what is to be done next.
type kind uint8

const (
	broken  kind = iota // the database says no, for a reason that has no name here
	unsent              // the statement did not reach the database
	noDial              // there is no connection to be had
	lost                // the connection broke: what was sent may have been done
	again               // somebody else was there first, or a deadlock: do it all again
	busy                // somebody holds a lock
	slow                // no answer in time
	exists              // there is a row of that namespace already
	noTable             // there is no table
	missing             // there is no database or schema
	denied              // no permission
	full                // no room
	tooLong             // more than the column or the connection takes
)

// noAnswer is the text of a failure by the store's own time limit.
const noAnswer = "no answer in time"

// failure is what went wrong with a statement. Its text never holds what the
// statement held: databases quote that in their messages.
type failure struct {
	kind  kind
	text  string
	cause error // of the system or of the context; nil if the database itself spoke
	// uncertain: it was a write, and it may have been done.
	uncertain bool
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.text
	}
	if f.text == "" {
		return f.cause.Error()
	}
	return f.text + ": " + f.cause.Error()
}

// reasons are the sentinels for which callers look.
var reasons = map[kind]error{
	busy: stores.ErrTimeout, slow: stores.ErrTimeout, noTable: stores.ErrMissing, missing: stores.ErrMissing,
	denied: stores.ErrAccess, full: stores.ErrFull, tooLong: stores.ErrTooLarge,
}

// Unwrap says what the failure means.
func (f *failure) Unwrap() []error {
	var errs []error
	if f.cause != nil {
		errs = append(errs, f.cause)
	}
	if f.uncertain {
		errs = append(errs, stores.ErrUncertain)
	}
	if reason := reasons[f.kind]; reason != nil {
		errs = append(errs, reason)
	}
	ended := errors.Is(f.cause, context.Canceled) || errors.Is(f.cause, context.DeadlineExceeded)
	if f.kind != tooLong && !ended {
		errs = append(errs, stores.ErrUnavailable)
	}
	return errs
}

// diagnose finds out what an error of database/sql or of a driver means. mine is the
// context that ends by the store's own time limit, ctx the caller's.
func (d *dialect) diagnose(ctx, mine context.Context, err error) *failure {
	if f := d.examine(err); f != nil {
		return f
	}
	if errors.Is(err, driver.ErrBadConn) {
		return &failure{kind: unsent, text: "the connection is gone"}
	}
	if ended := fault.Ended(ctx); ended != nil {
		return &failure{kind: lost, cause: ended}
	}
	if mine.Err() != nil || isTimeout(err) {
		return &failure{kind: slow, text: noAnswer}
	}
	return &failure{kind: lost, text: "the connection broke", cause: innermost(err)}
}

// undialled is diagnose for the making of a connection.
func (d *dialect) undialled(ctx, mine context.Context, err error) *failure {
	f := d.diagnose(ctx, mine, err)
	switch {
	case f.kind == lost && fault.Ended(ctx) == nil, f.kind == unsent:
		f.kind, f.text = noDial, "cannot connect"
	case f.kind == slow && f.text == noAnswer:
		f.text = "no connection in time"
	}
	return f
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// innermost is the part of a driver's error that is safe to show: that of the system.
func innermost(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &op):
		return op
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return nil
}

// failed says what failed, and wraps the sentinel on which callers decide.
func failed(op, id string, err error) error { return fault.Wrap("sqlstore", op, id, err) }

// ownError is an error of the caller's function, on its way through.
type ownError struct{ error }
