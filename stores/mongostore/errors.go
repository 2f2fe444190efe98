package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

// Codes of errors (src/mongo/base/error_codes.yml of MongoDB).
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeMaxTimeExpired       = 50
	codeNotWritablePrimary   = 10107
	codeBSONTooLarge         = 10334
	codeNotPrimaryNoOK       = 13435
	codeNotPrimaryOrRecovery = 13436
	codeOutOfDiskSpace       = 14031
)

// sentFlag tells whether a write was sent.
type sentFlag struct{ atomic.Bool }

type sentKey struct{}

// watch returns a context for one write, and the flag that tells of it.
func watch(ctx context.Context) (context.Context, *sentFlag) {
	f := &sentFlag{}
	return context.WithValue(ctx, sentKey{}, f), f
}

// sentMonitor sets the flag just before a command is sent.
func sentMonitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(ctx context.Context, e *event.CommandStartedEvent) {
		f, _ := ctx.Value(sentKey{}).(*sentFlag)
		if f != nil && (e.CommandName == "insert" || e.CommandName == "update" || e.CommandName == "delete") {
			f.Store(true)
		}
	}}
}

// judge says of the error of a write whether it may have been done: it was sent, and
// the answer did not come or is that it does not last.
func (f *sentFlag) judge(err error) error {
	if err == nil {
		return nil
	}
	return driverError{err, f.Load() && !refused(err)}
}

// driverError is an error of the driver, of which the words are not to be told: there
// may be a key or a value in them.
type driverError struct {
	error
	uncertain bool
}

func (e driverError) Unwrap() error { return e.error }

// reading is judge for what does not write.
func reading(err error) error {
	if err == nil {
		return nil
	}
	return driverError{err, false}
}

// refused reports whether err is the server's answer that it did not write.
func refused(err error) bool {
	var answer mongo.ServerError
	if !errors.As(err, &answer) || answer.HasErrorLabel("NetworkError") || answer.HasErrorLabel("RetryableWriteError") || mongo.IsTimeout(err) {
		return false
	}
	var write mongo.WriteException
	return !errors.As(err, &write) || write.WriteConcernError == nil
}

// judgeWrite makes a server's answer about one document an error of the store. What the
// server says of it may hold the key.
func judgeWrite(e mongo.WriteError) error { return saidError{e.Code} }

// saidError is an error that a server answered.
type saidError struct{ code int }

func (e saidError) Error() string { return fmt.Sprintf("MongoDB: error %d", e.code) }

// Unwrap returns what the code means.
func (e saidError) Unwrap() error {
	switch e.code {
	case codeUnauthorized, codeAuthenticationFailed, codeNotWritablePrimary, codeNotPrimaryNoOK, codeNotPrimaryOrRecovery:
		return stores.ErrAccess
	case codeOutOfDiskSpace:
		return stores.ErrFull
	case codeMaxTimeExpired:
		return stores.ErrTimeout
	case codeBSONTooLarge:
		return stores.ErrTooLarge
	}
	return nil
}

// failed says what failed, and wraps the sentinel on which callers decide.
func (s *Store) failed(ctx context.Context, op, id string, err error) error {
	return fault.Wrap("mongostore", op, id, explain(ctx, err))
}

// explain puts an error of the driver in other words. That the caller's context ended
// is told from a timeout of the store's own.
func explain(ctx context.Context, err error) error {
	var driver driverError
	if !errors.As(err, &driver) {
		return err
	}
	cause := fault.Ended(ctx)
	if cause == nil {
		cause = explainDriver(driver.error)
	}
	if driver.uncertain {
		return fmt.Errorf("%w: %w: %w", stores.ErrUnavailable, stores.ErrUncertain, cause)
	}
	return cause
}

func explainDriver(err error) error {
	var answer mongo.ServerError
	var op *net.OpError
	switch {
	case mongo.IsTimeout(err) && !errors.As(err, &answer) && strings.Contains(err.Error(), syscall.ECONNREFUSED.Error()):
		// The driver goes on trying until its time is up, and has the reason as text only.
		return fmt.Errorf("MongoDB: %w", syscall.ECONNREFUSED)
	case mongo.IsTimeout(err):
		return fmt.Errorf("%w: MongoDB", stores.ErrTimeout)
	case errors.As(err, &answer) && len(answer.ErrorCodes()) > 0 && answer.ErrorCodes()[0] != 0:
		return saidError{answer.ErrorCodes()[0]}
	case errors.As(err, &op):
		return op
	}
	return errors.New("MongoDB cannot be reached")
}

// pause waits before another attempt, at random, so that nobody starves.
func pause(ctx context.Context, conflicts int) error {
	longest := time.Millisecond << min(conflicts, 6)
	t := time.NewTimer(rand.N(longest))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
