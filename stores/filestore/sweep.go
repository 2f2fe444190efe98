package filestore

import (
	"context"
	"time"

	"github.com/gobeaker/gobeaker/stores/internal/locksweep"
)

// DefaultGrace is the [SweepOptions.Grace] of who sets none.
const DefaultGrace = time.Hour

// SweepOptions are the options of a [Sweep].
type SweepOptions struct {
	// Grace is the age up to which lock files and temporary files are left alone. 0
	// means [DefaultGrace], negative none.
	Grace time.Duration
	// KeepLocks leaves all lock files where they are.
	KeepLocks bool
	// Directories removes the empty directories below the store's two. A live Beaker
	// may stumble over that: it makes the directory of a record when a request begins
	// (container.py, FileNamespaceManager) and writes there at its end, and up to
	// 1.9.0 it makes that of a lock only once for each id.
	Directories bool
	// DryRun removes nothing and counts what would be.
	DryRun bool
	// Workers is how many directories are looked at at a time; 0 means 2.
	Workers int
	// Wait, if set, is called before each file that is removed. Its error ends the
	// sweep.
	Wait func(ctx context.Context) error
	// Hold is how long it is watched, after a lock file was unlinked, whether a process
	// comes that had begun to open it. 0 means a tenth of a second.
	Hold time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// SweepResult is what a sweep did.
type SweepResult struct {
	Locks       int64 // lock files removed
	LocksBusy   int64 // left: somebody has it open
	LocksRecent int64 // left: within the grace
	// LocksLate: somebody was about to open the lock file when it was removed, and was
	// kept apart from those who came later.
	LocksLate int64
	// LocksKept are those without a record that were left because it cannot be told
	// here whether somebody uses them: not Linux, NFS, files of another user.
	LocksKept   int64
	Temps       int64 // temporary files of crashed writers removed
	TempsRecent int64 // left: within the grace
	Directories int64 // empty directories removed
	Failed      int64 // files and directories that could not be looked at or removed
}

func (o SweepOptions) settle() SweepOptions {
	switch {
	case o.Grace == 0:
		o.Grace = DefaultGrace
	case o.Grace < 0:
		o.Grace = 0
	}
	if o.Workers <= 0 {
		o.Workers = 2
	}
	if o.Hold == 0 {
		o.Hold = locksweep.DefaultHold
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
