//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/filelock"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// TestFailedWrites: when a write fails the old record is whole, nothing is left
// behind, and the store works again as soon as the cause is gone.
func TestFailedWrites(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, temp string)
		want    error
	}{
		"full disk": {func(t *testing.T, temp string) {
			if _, err := os.Stat("/dev/full"); err != nil {
				t.Skip("no /dev/full on this system")
			}
			require.NoError(t, os.Symlink("/dev/full", temp))
		}, syscall.ENOSPC},
		"the temporary file is a directory": {func(t *testing.T, temp string) {
			require.NoError(t, os.Mkdir(temp, 0o777))
		}, syscall.EISDIR},
		"the temporary file cannot be followed": {func(t *testing.T, temp string) {
			require.NoError(t, os.Symlink(temp, temp))
		}, syscall.ELOOP},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
			before := readFile(t, s, testData)
			temp := s.recordPath(testID) + tempSuffix
			for op, write := range map[string]func() error{
				"put": func() error { return s.Put(t.Context(), testID, pyvalue.Str("new")) },
				"update": func() error {
					return s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { return pyvalue.Str("new"), nil })
				},
			} {
				test.prepare(t, temp)
				err := write()
				require.ErrorIs(t, err, stores.ErrUnavailable, op)
				require.ErrorIs(t, err, test.want, op)
				requireDiscreet(t, s, err)
				require.Equal(t, before, readFile(t, s, testData))
				require.NoError(t, os.RemoveAll(temp))
			}
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
		})
	}
}

func TestFailedRename(t *testing.T) {
	s := open(t, Options{})
	target := s.recordPath(testID)
	require.NoError(t, os.MkdirAll(filepath.Join(target, "not empty"), 0o777))
	err := s.Put(t.Context(), testID, pyvalue.Str("new"))
	require.ErrorIs(t, err, stores.ErrUnavailable)
	requireDiscreet(t, s, err)
	require.NoFileExists(t, target+tempSuffix)
	require.DirExists(t, target)
	require.ErrorIs(t, s.Delete(t.Context(), testID), stores.ErrUnavailable)
}

// TestUnwritableValue: what cannot be pickled is the caller's trouble and not the
// store's.
func TestUnwritableValue(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
	bad := pyvalue.NewList(nil)
	err := s.Put(t.Context(), testID, bad)
	require.Error(t, err)
	require.NotErrorIs(t, err, stores.ErrUnavailable)
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("old"), v)
}

// TestBlockedPaths: what stands in the way of the directories is the store's
// trouble, and nobody is logged out by it.
func TestBlockedPaths(t *testing.T) {
	for _, path := range []string{
		"container_file", "container_file/1", "container_file/1/1e",
		"container_file_lock", "container_file_lock/e", "container_file_lock/e/ea",
	} {
		t.Run(path, func(t *testing.T) {
			s := open(t, Options{Fsync: true})
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
			at := filepath.Join(s.dataDir(), path)
			require.NoError(t, os.RemoveAll(at))
			require.NoError(t, os.WriteFile(at, nil, 0o666))
			_, _, lockErr := s.Lock(t.Context(), "other")
			_, getErr := s.Get(t.Context(), testID)
			for _, err := range []error{
				getErr, s.Put(t.Context(), testID, pyvalue.Str("new")),
				s.Update(t.Context(), testID, increment("n")), s.Delete(t.Context(), testID),
			} {
				require.ErrorIs(t, err, stores.ErrUnavailable)
				require.NotErrorIs(t, err, stores.ErrNotExist)
				require.ErrorIs(t, err, syscall.ENOTDIR)
				root, _, _ := strings.Cut(path, "/")
				require.ErrorContains(t, err, "in "+filepath.Join(s.dataDir(), root)+": not a directory")
				require.NotContains(t, err.Error(), "umask")
				requireDiscreet(t, s, err)
			}
			if path == "container_file_lock" {
				require.ErrorIs(t, lockErr, stores.ErrUnavailable)
			}
			require.NoError(t, os.Remove(at))
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
		})
	}
}

// TestDanglingLockDirectory: a directory that can neither be used nor made does
// not keep an operation busy for ever.
func TestDanglingLockDirectory(t *testing.T) {
	for _, dangling := range []string{"container_file", "container_file_lock"} {
		s := open(t, Options{})
		require.NoError(t, os.Symlink("nowhere", filepath.Join(s.dataDir(), dangling)))
		err := s.Put(t.Context(), testID, pyvalue.Str("x"))
		require.ErrorIs(t, err, sysfile.ErrVanishing)
		require.ErrorContains(t, err, filepath.Join(s.dataDir(), dangling)+": ")
		requireDiscreet(t, s, err)
	}
}

// TestVanishingDirectories removes every level of the directories below the data_dir
// again and again while the store is used. TestDataDirGone has the data_dir itself.
func TestVanishingDirectories(t *testing.T) {
	s := open(t, Options{})
	stop := make(chan struct{})
	var users, remover sync.WaitGroup
	remover.Go(func() {
		levels := []string{
			"container_file", "container_file_lock", "container_file/1", "container_file/1/1e",
			"container_file_lock/e", "container_file_lock/e/ea", testLock, testData,
		}
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				os.RemoveAll(filepath.Join(s.dataDir(), levels[n%len(levels)])) // may fail: others make what it removes
			}
		}
	})
	for range 4 {
		users.Go(func() {
			for range 100 {
				assert.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
				assert.NoError(t, s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { return pyvalue.Str("y"), nil }))
				if _, err := s.Get(t.Context(), testID); !errors.Is(err, stores.ErrNotExist) {
					assert.NoError(t, err)
				}
				assert.NoError(t, s.Delete(t.Context(), testID))
			}
		})
	}
	users.Wait()
	close(stop)
	remover.Wait()
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
	require.NoFileExists(t, s.recordPath(testID)+tempSuffix)
}

// foreignLock locks the lock file as another process would. It returns how to
// give the lock back.
func foreignLock(t *testing.T, s *Store, kind filelock.Kind) (unlock func()) {
	t.Helper()
	others := filelock.New(s.lockDir, s.recordExists)
	g, err := others.Acquire(t.Context(), testID, kind, filelock.MakeLock)
	require.NoError(t, err)
	unlock = sync.OnceFunc(func() { assert.NoError(t, g.Release()) })
	t.Cleanup(unlock)
	return unlock
}

// watchWaits makes a channel on which s tells that it found a lock taken.
func watchWaits(s *Store) <-chan struct{} {
	waits := make(chan struct{}, 100)
	s.locks.Waiting = func() { waits <- struct{}{} }
	return waits
}

func TestForeignLocks(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	waits := watchWaits(s)
	unlock := foreignLock(t, s, filelock.Shared)
	_, err := s.Get(t.Context(), testID)
	require.NoError(t, err, "readers do not exclude each other")
	done := make(chan error)
	go func() { done <- s.Update(t.Context(), testID, increment("n")) }()
	<-waits
	unlock()
	require.NoError(t, <-done)

	unlock = foreignLock(t, s, filelock.Exclusive)
	go func() { _, err := s.Get(t.Context(), testID); done <- err }()
	<-waits
	unlock()
	require.NoError(t, <-done)
}

// TestSweptLockFile: a lock file that was replaced while somebody waited for it
// is worth nothing; the new one is.
func TestSweptLockFile(t *testing.T) {
	s := open(t, Options{})
	waits := watchWaits(s)
	unlock := foreignLock(t, s, filelock.Exclusive)
	done := make(chan error)
	var updated atomic.Bool
	go func() {
		done <- s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) {
			updated.Store(true)
			return pyvalue.NewDict(), nil
		})
	}()
	<-waits
	require.NoError(t, os.Remove(s.locks.Path(testID)))
	unlockNew := foreignLock(t, s, filelock.Exclusive)
	unlock()
	<-waits
	require.False(t, updated.Load())
	require.NoError(t, os.RemoveAll(s.lockDir))
	unlockNew()
	require.NoError(t, <-done)
	require.FileExists(t, s.locks.Path(testID))
}
