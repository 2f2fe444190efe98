//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filelock

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores/internal/idlock"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// How locks are taken.
//
// Between processes the lock is Beaker's: flock(2) on the lock file. Within the
// process an id has one turnstile in front of it (idlock), where waiting is
// fair and ends with the context; whoever is through it asks the kernel. A
// reader gives up its turn as soon as it has the shared flock, so readers run
// side by side; a writer keeps it.
//
// flock(2) itself cannot be waited for with a context. It is tried without
// waiting first, which is all there is to most operations. If somebody else has
// it, a goroutine waits in the blocking call, so that the lock comes when it is
// free, in the kernel's order with Python's waiters: a poller would lose
// against them again and again. When the context ends first, that goroutine
// stays until the kernel grants the lock, gives it back and only then lets the
// next one through the turnstile: there is never more than one thread in
// flock(2) for one id, however often a request for it is tried again, and
// never more than maxBlocked for all ids together. Beyond that number waiters
// poll.
const (
	maxBlocked   = 64
	pollInterval = 5 * time.Millisecond
)

// maxAttempts bounds how often an operation starts again because directories or
// lock files vanished under it.
const maxAttempts = 1024

// ErrAbsent: there is no record, and no lock file that somebody could hold.
var ErrAbsent = errors.New("no record")

// Kind is a kind of flock and the flags with which Beaker opens the lock file for
// it.
type Kind struct{ how, flags int }

// The kinds of locks.
var (
	Shared    = Kind{syscall.LOCK_SH, syscall.O_RDONLY}
	Exclusive = Kind{syscall.LOCK_EX, syscall.O_WRONLY}
)

// Absentees says what to do about an id that has neither a record nor a lock
// file.
type Absentees uint8

// What to do about such an id.
const (
	MakeLock Absentees = iota // make the lock file
	Sparse                    // leave no lock file behind: ErrAbsent
)

// Locks are the locks of the sessions of one store.
type Locks struct {
	// Waiting, if set, is called when a lock is found taken by another process. It is
	// for tests; set it before the Locks are used.
	Waiting func()

	dir     string
	record  func(id string) (bool, error)
	turns   idlock.Locks
	blocked chan struct{} // one element for each goroutine in a blocking flock
}

// New returns the locks of which the files are in dir, at the paths that Beaker
// gives them. It does not touch the disk. Record reports whether there is a record
// of an id.
func New(dir string, record func(id string) (bool, error)) *Locks {
	return &Locks{dir: dir, record: record, blocked: make(chan struct{}, maxBlocked)}
}

// Path is the path of the lock file of id. The directory is clean already, and
// what is below it is short and clean by construction: filepath.Join would only
// cost time.
func (l *Locks) Path(id string) string { return l.dir + "/" + beakerfmt.LockPath(id) }

// Grip is a lock that an operation has: of its own, or by way of its context.
type Grip struct {
	locks *Locks
	id    string
	kind  Kind
	fd    int
	held  *idlock.Held // carried by the context; then fd is not used
}

// Release gives the lock back. Closing the file releases the flock.
func (g Grip) Release() error {
	if g.held != nil {
		if g.kind == Exclusive {
			g.held.End()
		}
		return g.held.Leave()
	}
	err := sysfile.Close(g.fd)
	if g.kind == Exclusive {
		g.locks.turns.Release(g.id)
	}
	return err
}

// Lock takes the exclusive lock of id, as [stores.Locker] says. The ids are the
// caller's to check.
func (l *Locks) Lock(ctx context.Context, id string) (held context.Context, unlock func() error, err error) {
	if unlock := l.turns.Again(ctx, id); unlock != nil {
		return ctx, unlock, nil
	}
	g, err := l.Acquire(ctx, id, Exclusive, MakeLock)
	if err != nil {
		return nil, nil, err
	}
	held, unlock = l.turns.Carry(ctx, id, g.Release)
	return held, unlock, nil
}

// Acquire takes the lock of id, or uses the one that ctx carries. An error of the
// system says in which directory it came up.
func (l *Locks) Acquire(ctx context.Context, id string, kind Kind, absent Absentees) (Grip, error) {
	g := Grip{locks: l, id: id, kind: kind}
	if g.held = l.turns.Enter(ctx, id); g.held != nil {
		if kind != Exclusive {
			return g, nil
		}
		if err := g.held.Begin(ctx); err != nil {
			return g, errors.Join(err, g.held.Leave())
		}
		return g, nil
	}
	if err := l.turns.Acquire(ctx, id); err != nil {
		return g, err
	}
	fd, err := l.lockFile(ctx, id, kind, absent)
	if err != nil {
		if !errors.As(err, new(abandonedError)) {
			l.turns.Release(id)
		}
		return g, sysfile.In(l.dir, err)
	}
	g.fd = fd
	if kind != Exclusive {
		l.turns.Release(id)
	}
	return g, nil
}

// lockFile opens and locks the lock file of id. The caller has the id's turn.
//
// A sweep may have unlinked the file between open and lock, and others then
// lock a new one: what is locked must be what the path names.
func (l *Locks) lockFile(ctx context.Context, id string, kind Kind, absent Absentees) (int, error) {
	path := l.Path(id)
	for range maxAttempts {
		fd, err := l.openLock(path, id, kind, absent)
		if err == syscall.ENOENT {
			continue
		}
		if err != nil {
			return -1, err
		}
		if err := l.flock(ctx, id, fd, kind.how); err != nil {
			return -1, err
		}
		same, err := sysfile.Names(path, fd)
		if same {
			return fd, nil
		}
		_ = sysfile.Close(fd)
		if err != nil {
			return -1, err
		}
	}
	return -1, sysfile.ErrVanishing
}

// openLock opens the lock file of id, and makes it and its directories if they
// are missing. ENOENT means that they have vanished again.
//
// A lock file is always made before the record is written. So if there is none, and no
// record either, then nobody is writing the record, be it in place (Beaker up
// to 1.9.0) or by rename, or nobody has yet begun to: at that moment the id has
// no record. A sparse operation takes that for its answer, and ids that clients
// make up leave no lock files behind, as they do with Beaker.
func (l *Locks) openLock(path, id string, kind Kind, absent Absentees) (int, error) {
	fd, err := sysfile.Open(path, kind.flags, 0)
	if err != syscall.ENOENT {
		return fd, err
	}
	if absent == Sparse {
		there, err := l.record(id)
		if err == nil && !there {
			err = ErrAbsent
		}
		if err != nil {
			return -1, err
		}
	}
	fd, err = sysfile.Create(path, kind.flags, 0o777)
	if err != syscall.ENOENT {
		return fd, err
	}
	if err := sysfile.MkdirAll(filepath.Dir(path)); err != nil {
		return -1, err
	}
	return sysfile.Create(path, kind.flags, 0o777)
}

// abandonedError is the error of a wait that the context ended. The id's turn
// and the file still belong to the goroutine that waits in the kernel.
type abandonedError struct{ error }

func (e abandonedError) Unwrap() error { return e.error }

// flock locks the open file. After an error it is closed, or will be.
func (l *Locks) flock(ctx context.Context, id string, fd, how int) error {
	err := sysfile.Flock(fd, how|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		err = l.flockWait(ctx, id, fd, how)
	}
	if err != nil && !errors.As(err, new(abandonedError)) {
		_ = sysfile.Close(fd)
	}
	return err
}

func (l *Locks) flockWait(ctx context.Context, id string, fd, how int) error {
	if l.Waiting != nil {
		l.Waiting()
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case l.blocked <- struct{}{}:
			return l.flockBlocked(ctx, id, fd, how)
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
			if err := sysfile.Flock(fd, how|syscall.LOCK_NB); err != syscall.EWOULDBLOCK {
				return err
			}
		}
	}
}

// flockBlocked waits in the kernel. The caller has taken a place in l.blocked.
func (l *Locks) flockBlocked(ctx context.Context, id string, fd, how int) error {
	done := make(chan error, 1)
	go func() {
		err := sysfile.Flock(fd, how)
		<-l.blocked
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	go func() {
		<-done
		_ = sysfile.Close(fd)
		l.turns.Release(id)
	}()
	return abandonedError{ctx.Err()}
}
