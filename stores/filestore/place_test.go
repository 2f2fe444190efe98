//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// A data_dir that was there and has gone is an outage, and is not made anew. One that was
// not there yet, or whose sessions somebody removed, is one without sessions.
func TestDataDirGone(t *testing.T) {
	const id = "0123456789abcdef"
	dataDir := filepath.Join(t.TempDir(), "data")
	s, err := filestore.New(filestore.Options{DataDir: dataDir})
	require.NoError(t, err)
	_, err = s.Get(t.Context(), id)
	require.ErrorIs(t, err, stores.ErrNotExist, "not there yet")
	require.NoError(t, s.Put(t.Context(), id, pyvalue.Str("x")))
	require.NoError(t, s.Ping(t.Context()))

	away := dataDir + "-away"
	require.NoError(t, os.Rename(dataDir, away))
	gone := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, stores.ErrUnavailable)
		require.ErrorIs(t, err, stores.ErrMissing)
		require.NotErrorIs(t, err, stores.ErrNotExist)
	}
	_, err = s.Get(t.Context(), id)
	gone(err)
	_, err = s.Look(t.Context(), id)
	gone(err)
	_, err = s.Version(t.Context(), id)
	gone(err)
	gone(s.Put(t.Context(), id, pyvalue.Str("y")))
	gone(s.Delete(t.Context(), id))
	gone(s.Ping(t.Context()))
	_, _, err = s.Lock(t.Context(), id)
	gone(err)
	require.NoDirExists(t, dataDir)

	require.NoError(t, os.Rename(away, dataDir))
	v, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("x"), v)

	require.NoError(t, os.RemoveAll(filepath.Join(dataDir, "container_file")))
	_, err = s.Get(t.Context(), id)
	require.ErrorIs(t, err, stores.ErrNotExist, "somebody removed all sessions")
	require.NoError(t, s.Put(t.Context(), id, pyvalue.Str("z")))
}

// A file system that was unmounted leaves an empty directory.
func TestDataDirUnmounted(t *testing.T) {
	other, err := os.MkdirTemp("/dev/shm", "gobeaker-test")
	if err != nil {
		t.Skipf("there is no second file system to be had: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	here, err := os.MkdirTemp("/var/tmp", "gobeaker-test")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(here) })
	if device(t, other) == device(t, here) || device(t, here) != device(t, "/") {
		t.Skip("/dev/shm is no file system of its own, or /var/tmp is")
	}
	// A symlink that is moved stands for the mount.
	link := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Symlink(other, link))
	s, err := filestore.New(filestore.Options{DataDir: link})
	require.NoError(t, err)
	const id = "0123456789abcdef"
	require.NoError(t, s.Put(t.Context(), id, pyvalue.Str("x")))
	_, err = s.Get(t.Context(), "unknown0123456789")
	require.ErrorIs(t, err, stores.ErrNotExist)

	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink(here, link))
	_, err = s.Get(t.Context(), id)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.ErrorIs(t, s.Ping(t.Context()), stores.ErrMissing)
	require.NoDirExists(t, filepath.Join(here, "container_file"))
}

func device(t *testing.T, path string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(path, &st))
	return uint64(st.Dev)
}
