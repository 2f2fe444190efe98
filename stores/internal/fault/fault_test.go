package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/stores"
)

const id = "1e4c684fb206494191440c2cc28cbc22"

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		name      string
		err       error
		is, isNot []error
	}{
		{"a sentinel", stores.ErrNotExist, []error{stores.ErrNotExist}, []error{stores.ErrUnavailable}},
		{"the caller's context", fmt.Errorf("read: %w", context.DeadlineExceeded), []error{context.DeadlineExceeded}, []error{stores.ErrUnavailable, stores.ErrTimeout}},
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, []error{stores.ErrUnavailable, syscall.ECONNREFUSED}, []error{stores.ErrTimeout}},
		{"a slow server", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, []error{stores.ErrUnavailable, stores.ErrTimeout}, nil},
		{"a full disk", &fs.PathError{Op: "write", Err: syscall.ENOSPC}, []error{stores.ErrUnavailable, stores.ErrFull}, nil},
		{"a read-only directory", syscall.EROFS, []error{stores.ErrUnavailable, stores.ErrAccess}, nil},
		{"no permission", syscall.EACCES, []error{stores.ErrUnavailable, stores.ErrAccess}, nil},
		{"told already", fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrAccess), []error{stores.ErrUnavailable, stores.ErrAccess}, nil},
		{"due to the value", Permanent(errors.New("cannot be pickled")), nil, []error{stores.ErrUnavailable}},
		{"an id", stores.ErrInvalidID, []error{stores.ErrInvalidID}, []error{stores.ErrUnavailable}},
		{"anything", errors.New("anything"), []error{stores.ErrUnavailable}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Wrap("somestore", "get", id, c.err)
			require.ErrorIs(t, err, c.err)
			require.NotContains(t, err.Error(), id)
			for _, want := range c.is {
				require.ErrorIs(t, err, want)
			}
			for _, not := range c.isNot {
				require.NotErrorIs(t, err, not)
			}
		})
	}
	require.NoError(t, Wrap("somestore", "get", id, nil))
}

// pastDeadline is a context whose deadline has passed, and that has not noticed it yet.
type pastDeadline struct{ context.Context }

func (pastDeadline) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

func TestEnded(t *testing.T) {
	require.NoError(t, Ended(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	require.NoError(t, Ended(ctx))
	cancel()
	require.Equal(t, context.Canceled, Ended(ctx))
	require.Equal(t, context.DeadlineExceeded, Ended(pastDeadline{t.Context()}))
}
