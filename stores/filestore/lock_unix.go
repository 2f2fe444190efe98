//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/stores/internal/idlock"
)

// How locks are taken.
//
// Between processes the lock is Beaker's: flock(2) on the lock file, shared to
// read and exclusive to write (synchronization.py, FileSynchronizer). Within
// the process an id has one turnstile in front of it (idlock), where waiting is
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

// errVanishing: directories or lock files vanish faster than they are made.
var errVanishing = errors.New("directories or lock files keep vanishing")

// errAbsent: there is no record, and no lock file that somebody could hold.
var errAbsent = errors.New("no record")

// lockKind is a kind of flock and the flags with which Beaker opens the lock
// file for it.
type lockKind struct{ how, flags int }

var (
	shared    = lockKind{syscall.LOCK_SH, syscall.O_RDONLY}
	exclusive = lockKind{syscall.LOCK_EX, syscall.O_WRONLY}
)

// absentees says what to do about an id that has neither a record nor a lock
// file.
type absentees uint8

const (
	makeLock absentees = iota // make the lock file
	sparse                    // leave no lock file behind: errAbsent
)

// grip is a lock that an operation has: of its own, or by way of its context.
type grip struct {
	locks *idlock.Locks
	id    string
	kind  lockKind
	fd    int
	held  *idlock.Held // carried by the context; then fd is not used
}

// release gives the lock back. Closing the file releases the flock.
func (g grip) release() error {
	if g.held != nil {
		if g.kind == exclusive {
			g.held.End()
		}
		return g.held.Leave()
	}
	err := closeFile(g.fd)
	if g.kind == exclusive {
		g.locks.Release(g.id)
	}
	return err
}

// acquire takes the lock of id, or uses the one that ctx carries.
func (s *Store) acquire(ctx context.Context, id string, kind lockKind, absent absentees) (grip, error) {
	g := grip{locks: &s.locks, id: id, kind: kind}
	if g.held = s.locks.Enter(ctx, id); g.held != nil {
		if kind != exclusive {
			return g, nil
		}
		if err := g.held.Begin(ctx); err != nil {
			return g, errors.Join(err, g.held.Leave())
		}
		return g, nil
	}
	if err := s.locks.Acquire(ctx, id); err != nil {
		return g, err
	}
	fd, err := s.lockFile(ctx, id, kind, absent)
	if err != nil {
		if !errors.As(err, new(abandonedError)) {
			s.locks.Release(id)
		}
		return g, under(s.lockDir, err)
	}
	g.fd = fd
	if kind != exclusive {
		s.locks.Release(id)
	}
	return g, nil
}

// lockFile opens and locks the lock file of id. The caller has the id's turn.
//
// A sweep may have unlinked the file between open and lock, and others then
// lock a new one: what is locked must be what the path names.
func (s *Store) lockFile(ctx context.Context, id string, kind lockKind, absent absentees) (int, error) {
	path := s.lockPath(id)
	for range maxAttempts {
		fd, err := s.openLock(path, id, kind, absent)
		if err == syscall.ENOENT {
			continue
		}
		if err != nil {
			return -1, err
		}
		if err := s.flock(ctx, id, fd, kind.how); err != nil {
			return -1, err
		}
		same, err := names(path, fd)
		if same {
			return fd, nil
		}
		_ = closeFile(fd)
		if err != nil {
			return -1, err
		}
	}
	return -1, errVanishing
}

// openLock opens the lock file of id, and makes it and its directories if they
// are missing. ENOENT means that they have vanished again.
//
// A lock file is always made before the record. So if there is none, and no
// record either, then nobody is writing the record, be it in place (Beaker up
// to 1.9.0) or by rename, or nobody has yet begun to: at that moment the id has
// no record. A sparse operation takes that for its answer, and ids that clients
// make up leave no lock files behind, as they do with Beaker.
func (s *Store) openLock(path, id string, kind lockKind, absent absentees) (int, error) {
	fd, err := openFile(path, kind.flags, 0)
	if err != syscall.ENOENT {
		return fd, err
	}
	if absent == sparse {
		there, err := exists(s.recordPath(id))
		if err == nil && !there {
			err = errAbsent
		}
		if err != nil {
			return -1, under(s.fileDir, err)
		}
	}
	fd, err = openFile(path, kind.flags|syscall.O_CREAT, 0o777)
	if err != syscall.ENOENT {
		return fd, err
	}
	if err := mkdirAll(filepath.Dir(path)); err != nil {
		return -1, err
	}
	return openFile(path, kind.flags|syscall.O_CREAT, 0o777)
}

// names reports whether path still names the open file fd.
func names(path string, fd int) (bool, error) {
	var byPath, byFD syscall.Stat_t
	if err := fstat(fd, &byFD); err != nil {
		return false, err
	}
	if err := stat(path, &byPath); err != nil {
		if err == syscall.ENOENT {
			err = nil
		}
		return false, err
	}
	return byPath.Dev == byFD.Dev && byPath.Ino == byFD.Ino, nil
}

// abandonedError is the error of a wait that the context ended. The id's turn
// and the file still belong to the goroutine that waits in the kernel.
type abandonedError struct{ error }

func (e abandonedError) Unwrap() error { return e.error }

// flock locks the open file. After an error it is closed, or will be.
func (s *Store) flock(ctx context.Context, id string, fd, how int) error {
	err := flock(fd, how|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		err = s.flockWait(ctx, id, fd, how)
	}
	if err != nil && !errors.As(err, new(abandonedError)) {
		_ = closeFile(fd)
	}
	return err
}

func (s *Store) flockWait(ctx context.Context, id string, fd, how int) error {
	if s.waiting != nil {
		s.waiting()
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case s.blocked <- struct{}{}:
			return s.flockBlocked(ctx, id, fd, how)
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
			if err := flock(fd, how|syscall.LOCK_NB); err != syscall.EWOULDBLOCK {
				return err
			}
		}
	}
}

// flockBlocked waits in the kernel. The caller has taken a place in s.blocked.
func (s *Store) flockBlocked(ctx context.Context, id string, fd, how int) error {
	done := make(chan error, 1)
	go func() {
		err := flock(fd, how)
		<-s.blocked
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	go func() {
		<-done
		_ = closeFile(fd)
		s.locks.Release(id)
	}()
	return abandonedError{ctx.Err()}
}
