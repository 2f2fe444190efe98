//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// TestLook: it finds what Get finds, and takes the lock only for a file that may be
// being written.
func TestLook(t *testing.T) {
	s, err := New(Options{DataDir: t.TempDir()})
	require.NoError(t, err)
	path, lock := s.recordPath(testID), filepath.Join(s.lockDir, beakerfmt.LockPath(testID))
	put := func(v pyvalue.Value, ago time.Duration) {
		require.NoError(t, s.Put(t.Context(), testID, v))
		require.NoError(t, os.Remove(lock))
		at := time.Now().Add(-ago)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	looked := func() pyvalue.Value {
		t.Helper()
		v, err := s.Look(t.Context(), testID)
		require.NoError(t, err)
		return v
	}
	_, err = s.Look(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrNotExist)
	_, err = s.Look(t.Context(), "../x")
	require.ErrorIs(t, err, stores.ErrInvalidID)

	put(pyvalue.Str("gAJ9cQEu"), time.Hour)
	require.Equal(t, pyvalue.Str("gAJ9cQEu"), looked())
	require.NoFileExists(t, lock, "nobody writes: there was no need for the lock")
	for _, ago := range []time.Duration{0, -time.Hour} { // just now, and by another clock
		put(pyvalue.Str("gAJ9cQEu"), ago)
		require.Equal(t, pyvalue.Str("gAJ9cQEu"), looked())
		require.FileExists(t, lock, "it may be being written")
	}
	for name, data := range map[string]string{"cut off": "\x80\x02}q\x01U", "empty": "", "no container": "\x80\x02K\x01."} {
		require.NoError(t, os.WriteFile(path, []byte(data), 0o644))
		require.NoError(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
		_, want := s.Get(t.Context(), testID)
		_, got := s.Look(t.Context(), testID)
		require.Equal(t, want, got, name)
	}
	big := pyvalue.Str(make([]byte, 3*firstBuffer))
	put(big, time.Hour)
	require.Equal(t, big, looked())
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o755))
	_, err = s.Look(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrCorrupt)
}

// TestLookAndLocks: while another process has the lock, a record that was written a while
// ago is shown at once, and one that was written just now, or is being written, when the
// lock is free.
func TestLookAndLocks(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
	settle(t, s, testID)
	waits := watchWaits(s)
	holder := startPeer(t, child(t, "hold", s.dataDir(), testID))
	require.Equal(t, "locked", holder.answer())
	v, err := s.Look(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("old"), v)
	require.Empty(t, waits, "nobody was waited for")

	type result struct {
		v   pyvalue.Value
		err error
	}
	whole, done := readFile(t, s, testData), make(chan result)
	for name, half := range map[string]string{"begun": "", "half": whole[:len(whole)/2], "whole": whole} {
		require.NoError(t, os.WriteFile(s.recordPath(testID), []byte(half), 0o644), name) // in place
		other := open(t, Options{DataDir: s.dataDir()})
		waits := watchWaits(other)
		go func() { v, err := other.Look(t.Context(), testID); done <- result{v, err} }()
		<-waits
	}
	require.NoError(t, os.WriteFile(s.recordPath(testID), []byte(strings.Replace(whole, "old", "new", 1)), 0o644))
	require.NoError(t, holder.cmd.Process.Kill())
	for range 3 {
		require.Equal(t, result{pyvalue.Str("new"), nil}, <-done)
	}
}

// TestPipe: where a pipe has taken the place of a record nobody is waited for.
func TestPipe(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("v")))
	require.NoError(t, os.Remove(s.recordPath(testID)))
	require.NoError(t, syscall.Mkfifo(s.recordPath(testID), 0o666))
	read := func() {
		_, err := s.Get(t.Context(), testID)
		require.ErrorIs(t, err, stores.ErrCorrupt)
		_, err = s.Look(t.Context(), testID)
		require.ErrorIs(t, err, stores.ErrCorrupt)
	}
	read()
	writer, err := os.OpenFile(s.recordPath(testID), os.O_RDWR, 0)
	require.NoError(t, err)
	defer writer.Close()
	read()
}
