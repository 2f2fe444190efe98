//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filelock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// The id, and the path that Beaker gives its lock.
const (
	testID   = "1e4c684fb206494191440c2cc28cbc22"
	testLock = "e/ea/ea3d89fda618c8da2f207c9eb5b22c34bc514db8.lock"
)

func absent(string) (bool, error) { return false, nil }

// pair returns locks, and others of the same directory as another process has them.
func pair(t *testing.T) (l, others *Locks) {
	dir := filepath.Join(t.TempDir(), "container_lock")
	return New(dir, absent), New(dir, absent)
}

func take(t *testing.T, l *Locks, kind Kind) (release func()) {
	t.Helper()
	g, err := l.Acquire(t.Context(), testID, kind, MakeLock)
	require.NoError(t, err)
	release = sync.OnceFunc(func() { assert.NoError(t, g.Release()) })
	t.Cleanup(release)
	return release
}

// watchWaits makes a channel on which l tells that it found a lock taken.
func watchWaits(l *Locks) <-chan struct{} {
	waits := make(chan struct{}, 100)
	l.Waiting = func() { waits <- struct{}{} }
	return waits
}

func attempt(ctx context.Context, l *Locks) error {
	g, err := l.Acquire(ctx, testID, Exclusive, MakeLock)
	if err != nil {
		return err
	}
	return g.Release()
}

func TestPathAndSparseness(t *testing.T) {
	l, _ := pair(t)
	require.Equal(t, filepath.Join(l.dir, testLock), l.Path(testID))
	for _, kind := range []Kind{Shared, Exclusive} {
		_, err := l.Acquire(t.Context(), testID, kind, Sparse)
		require.ErrorIs(t, err, ErrAbsent)
		require.NoDirExists(t, l.dir)
	}
	l.record = func(string) (bool, error) { return true, nil }
	g, err := l.Acquire(t.Context(), testID, Shared, Sparse)
	require.NoError(t, err)
	require.NoError(t, g.Release())
	require.FileExists(t, l.Path(testID))

	require.NoError(t, os.RemoveAll(l.dir))
	trouble := errors.New("trouble")
	l.record = func(string) (bool, error) { return false, trouble }
	_, err = l.Acquire(t.Context(), testID, Shared, Sparse)
	require.ErrorIs(t, err, trouble)
}

func TestReadersRunSideBySide(t *testing.T) {
	l, others := pair(t)
	take(t, others, Shared)
	take(t, l, Shared)
	take(t, l, Shared)
}

func TestWriterExcludes(t *testing.T) {
	for _, kind := range []Kind{Shared, Exclusive} {
		l, others := pair(t)
		waits := watchWaits(l)
		release := take(t, others, Exclusive)
		done := make(chan error)
		go func() {
			g, err := l.Acquire(t.Context(), testID, kind, MakeLock)
			done <- errors.Join(err, g.Release())
		}()
		<-waits
		release()
		require.NoError(t, <-done)
	}
}

// TestSweptLockFile: a lock file that was replaced while somebody waited for it
// is worth nothing; the new one is.
func TestSweptLockFile(t *testing.T) {
	l, others := pair(t)
	waits := watchWaits(l)
	release := take(t, others, Exclusive)
	done := make(chan error)
	go func() { done <- attempt(t.Context(), l) }()
	<-waits
	require.NoError(t, os.Remove(l.Path(testID)))
	another := New(l.dir, absent)
	releaseNew := take(t, another, Exclusive)
	release()
	<-waits
	select {
	case err := <-done:
		t.Fatal("the lock of an unlinked file was taken for the lock", err)
	default:
	}
	require.NoError(t, os.RemoveAll(l.dir))
	releaseNew()
	require.NoError(t, <-done)
	require.FileExists(t, l.Path(testID))
}

func TestLockIsCarried(t *testing.T) {
	l, others := pair(t)
	held, unlock, err := l.Lock(t.Context(), testID)
	require.NoError(t, err)
	again, unlockAgain, err := l.Lock(held, testID)
	require.NoError(t, err)
	require.NoError(t, attempt(again, l))
	require.NoError(t, unlock())

	ctx, cancel := context.WithCancel(t.Context())
	waits := watchWaits(others)
	done := make(chan error)
	go func() { done <- attempt(ctx, others) }()
	<-waits
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.NoError(t, unlockAgain())
	require.NoError(t, attempt(t.Context(), others))
}

func TestErrorsNameTheDirectory(t *testing.T) {
	l, _ := pair(t)
	require.NoError(t, os.WriteFile(l.dir, nil, 0o600))
	err := attempt(t.Context(), l)
	require.ErrorIs(t, err, syscall.ENOTDIR)
	require.EqualError(t, err, "in "+l.dir+": not a directory")

	require.NoError(t, os.Remove(l.dir))
	require.NoError(t, os.Symlink("nowhere", l.dir))
	require.ErrorIs(t, attempt(t.Context(), l), sysfile.ErrVanishing)
}

// TestAbandonedWaits: those whose context ends while another process has the
// lock leave at most one thread behind, and it holds up nobody.
func TestAbandonedWaits(t *testing.T) {
	l, others := pair(t)
	waits := watchWaits(l)
	release := take(t, others, Exclusive)
	done := make(chan error)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- attempt(ctx, l) }()
		select { // the first one waits in the kernel, most others behind it
		case <-waits:
		default:
		}
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.LessOrEqual(t, len(l.blocked), 1)
	}
	go func() { done <- attempt(t.Context(), l) }()
	release()
	require.NoError(t, <-done)
	require.Empty(t, l.blocked)
}

func TestAbandonedInKernel(t *testing.T) {
	l, others := pair(t)
	release := take(t, others, Exclusive)
	fd, err := sysfile.Open(l.Path(testID), syscall.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, l.turns.Acquire(t.Context(), testID))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.blocked <- struct{}{}
	err = l.flockBlocked(ctx, testID, fd, syscall.LOCK_EX)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorAs(t, err, new(abandonedError))
	release()
	require.NoError(t, attempt(t.Context(), l), "the lock is given back once it is granted")
}

// TestManyBlocked: beyond maxBlocked threads, waiters poll.
func TestManyBlocked(t *testing.T) {
	l, others := pair(t)
	waits := watchWaits(l)
	for range maxBlocked {
		l.blocked <- struct{}{}
	}
	release := take(t, others, Exclusive)
	done := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- attempt(ctx, l) }()
	<-waits
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	go func() { done <- attempt(t.Context(), l) }()
	<-waits
	release()
	require.NoError(t, <-done)
}
