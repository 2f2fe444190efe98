package filestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// later is the clock of a sweep for which everything is two hours old.
func later() time.Time { return time.Now().Add(2 * time.Hour) }

func removeAll(pyvalue.Value) error { return stores.ErrRemove }

func TestVisit(t *testing.T) {
	s := open(t, Options{})
	trouble := errors.New("trouble")
	for name, test := range map[string]struct {
		options    SweepOptions
		visit      error // what the visitor returns
		want       error
		record     bool // is there afterwards
		lock       bool
		locksSwept int64
	}{
		"removed":             {SweepOptions{}, stores.ErrRemove, nil, false, false, 1},
		"without its lock":    {SweepOptions{KeepLocks: true}, stores.ErrRemove, nil, false, true, 0},
		"left":                {SweepOptions{}, nil, nil, true, true, 0},
		"the visitor's error": {SweepOptions{}, trouble, trouble, true, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("session")))
			w := s.NewSweep(test.options)
			err := w.Visit(t.Context(), testID, func(old pyvalue.Value) error {
				require.Equal(t, pyvalue.Str("session"), old)
				return test.visit
			})
			require.ErrorIs(t, err, test.want)
			require.Equal(t, test.locksSwept, w.Close().Locks)
			for path, want := range map[string]bool{s.recordPath(testID): test.record, s.locks.Path(testID): test.lock} {
				_, err := os.Stat(path)
				require.Equal(t, want, err == nil, path)
			}
		})
	}
}

// TestVisitOfWhatIsInUse: a lock that somebody has is waited for, and its file stays.
func TestVisitOfWhatIsInUse(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("session")))
	held, unlock, err := s.Lock(t.Context(), testID)
	require.NoError(t, err)
	w := s.NewSweep(SweepOptions{Now: later})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Visit(ended, testID, removeAll), context.Canceled)
	done := make(chan error)
	go func() { done <- w.Visit(t.Context(), testID, removeAll) }()
	require.NoError(t, s.Delete(held, testID))
	require.NoError(t, w.Litter(t.Context()))
	require.FileExists(t, s.locks.Path(testID))
	require.NoError(t, unlock())
	require.NoError(t, <-done)
	require.EqualValues(t, 1, w.Close().LocksBusy)
}

func TestVisitOfTheUnreadable(t *testing.T) {
	s := open(t, Options{})
	never := func(pyvalue.Value) error { t.Error("there is no value"); return nil }
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	corrupt(t, s, testID)
	w := s.NewSweep(SweepOptions{})
	defer w.Close()
	require.ErrorIs(t, w.Visit(t.Context(), testID, never), stores.ErrCorrupt)
	require.ErrorIs(t, w.Visit(t.Context(), "../x", never), stores.ErrInvalidID)
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("long", 4000))))
	require.NoError(t, w.Visit(t.Context(), testID, func(v pyvalue.Value) error {
		require.Len(t, string(v.(pyvalue.Str)), 16000)
		return nil
	}))
	plant(t, s, pickled(t, pyvalue.NewDict()))
	require.NoError(t, w.Visit(t.Context(), testID, func(v pyvalue.Value) error {
		require.Nil(t, v)
		return nil
	}))
}

// litter makes a store with one session, the lock file of another, and what a crash
// left.
func litter(t *testing.T) (s *Store, orphan, temp string) {
	t.Helper()
	s = open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	require.NoError(t, s.Put(t.Context(), "gone", pyvalue.NewDict()))
	require.NoError(t, s.Delete(t.Context(), "gone"))
	orphan, temp = s.locks.Path("gone"), s.recordPath(testID)+tempSuffix
	require.NoError(t, os.WriteFile(temp, []byte("half"), 0o666))
	return s, orphan, temp
}

func TestLitter(t *testing.T) {
	s, orphan, temp := litter(t)
	foreign := filepath.Join(filepath.Dir(orphan), "foreign.lock")
	full := filepath.Join(s.lockDir, "f", "ff", strings.Repeat("f", 40)+".lock")
	require.NoError(t, os.WriteFile(foreign, nil, 0o666))
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o777))
	require.NoError(t, os.WriteFile(full, []byte("not Beaker's"), 0o666))

	w := s.NewSweep(SweepOptions{})
	require.NoError(t, w.Litter(t.Context()))
	require.Equal(t, SweepResult{LocksRecent: 1, TempsRecent: 1}, w.Close())

	w = s.NewSweep(SweepOptions{Now: later, DryRun: true, Directories: true})
	require.NoError(t, w.Litter(t.Context()))
	r := w.Close()
	require.EqualValues(t, 2, r.Locks, "a dry run does not look into them")
	require.EqualValues(t, 1, r.Temps)
	require.FileExists(t, orphan)
	require.FileExists(t, temp)

	waits := 0
	w = s.NewSweep(SweepOptions{Now: later, Workers: 1, Wait: func(context.Context) error { waits++; return nil }})
	require.NoError(t, w.Litter(t.Context()))
	require.Equal(t, SweepResult{Locks: 1, Temps: 1}, w.Close())
	require.Equal(t, 3, waits)
	require.NoFileExists(t, orphan)
	require.NoFileExists(t, temp)
	for _, path := range []string{s.recordPath(testID), s.locks.Path(testID), foreign, full} {
		require.FileExists(t, path)
	}
	require.DirExists(t, filepath.Dir(s.recordPath("gone")))
}

func TestLitterKeepsLocks(t *testing.T) {
	s, orphan, _ := litter(t)
	w := s.NewSweep(SweepOptions{Now: later, KeepLocks: true})
	require.NoError(t, w.Litter(t.Context()))
	require.Equal(t, SweepResult{Temps: 1}, w.Close())
	require.FileExists(t, orphan)
	w = s.NewSweep(SweepOptions{Now: later})
	w.noLeases.Store(true) // as over NFS
	require.NoError(t, w.Litter(t.Context()))
	require.Equal(t, SweepResult{LocksKept: 1}, w.Close())
	require.FileExists(t, orphan)
}

func TestLitterEnds(t *testing.T) {
	s, _, _ := litter(t)
	full := errors.New("enough")
	w := s.NewSweep(SweepOptions{Now: later, Wait: func(context.Context) error { return full }})
	defer w.Close()
	require.ErrorIs(t, w.Litter(t.Context()), full)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Litter(ended), context.Canceled)
}

func TestEmptyDirectories(t *testing.T) {
	s, orphan, _ := litter(t)
	w := s.NewSweep(SweepOptions{Now: later, Directories: true})
	require.NoError(t, w.Litter(t.Context()))
	require.EqualValues(t, 4, w.Close().Directories, "two levels above the record and above the lock of the one that is gone")
	require.NoDirExists(t, filepath.Dir(orphan))
	require.NoDirExists(t, filepath.Dir(filepath.Dir(s.recordPath("gone"))))
	require.FileExists(t, s.recordPath(testID))
	require.NoError(t, s.Put(t.Context(), "gone", pyvalue.NewDict()), "they are made again")
}

func TestModified(t *testing.T) {
	s := open(t, Options{})
	_, err := s.Modified(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	at := time.Unix(1700000000, 5)
	require.NoError(t, os.Chtimes(s.recordPath(testID), at, at))
	got, err := s.Modified(t.Context(), testID)
	require.NoError(t, err)
	require.True(t, at.Equal(got))
	_, err = s.Modified(t.Context(), "../x")
	require.ErrorIs(t, err, stores.ErrInvalidID)
}

// TestReadOnly: a directory that cannot be written to is told as such.
func TestReadOnly(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("session")))
	mount(t, "tmpfs", s.dataDir(), "size=1m")
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("session")))
	require.NoError(t, syscall.Mount("", s.dataDir(), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for op, err := range map[string]error{
		"put": s.Put(t.Context(), testID, pyvalue.Str("new")), "delete": s.Delete(t.Context(), testID),
		"update": s.Update(t.Context(), testID, increment("n")), "ping": s.Ping(t.Context()),
	} {
		require.ErrorIs(t, err, stores.ErrUnavailable, op)
		require.ErrorIs(t, err, stores.ErrAccess, op)
		require.ErrorIs(t, err, syscall.EROFS, op)
	}
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("session"), v)
	w := s.NewSweep(SweepOptions{})
	require.ErrorIs(t, w.Visit(t.Context(), testID, removeAll), stores.ErrAccess)
	w.Close()
}

// TestFullDisk: what is there stays whole, what is too much is told as such, and all
// is well as soon as there is room.
func TestFullDisk(t *testing.T) {
	s := open(t, Options{})
	mount(t, "tmpfs", s.dataDir(), "size=256k")
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("session")))
	filler := pyvalue.Str(strings.Repeat("x", 10000))
	var err error
	for n := 0; err == nil && n < 100; n++ {
		err = s.Put(t.Context(), sessionID(n), filler)
	}
	require.ErrorIs(t, err, stores.ErrFull)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	err = s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("y", 100000)))
	require.ErrorIs(t, err, stores.ErrFull)
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("session"), v)
	require.NoError(t, s.Delete(t.Context(), sessionID(0)))
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
}

// mount puts an empty file system over a directory, where that can be done.
func mount(t *testing.T, kind, dir, options string) {
	t.Helper()
	if err := syscall.Mount(kind, dir, kind, 0, options); err != nil {
		t.Skipf("cannot mount a %s here: %v", kind, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
}
