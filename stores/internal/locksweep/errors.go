package locksweep

import (
	"errors"
	"time"
)

// Why a lock file is not taken.
var (
	// ErrBusy: somebody has it open: holds the lock, waits for it or is about to.
	ErrBusy = errors.New("lock file is in use")
	// ErrGone: there is no such file any more.
	ErrGone = errors.New("lock file is gone")
	// ErrUnsupported: here it cannot be told whether somebody uses it.
	ErrUnsupported = errors.New("no lease on lock files: not Linux, a file system without leases, or files of another user without CAP_LEASE")
)

// DefaultHold is how long a lease outlasts the name of its file. A process is inside
// open(2), between the name and the file, for about a microsecond, or for as long as
// the scheduler lets it wait there.
const DefaultHold = 100 * time.Millisecond
