package filestore

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// TestForbidden: files that belong to somebody else are the store's trouble.
// Beaker takes such a record for an empty one.
func TestForbidden(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
	require.NoError(t, os.Chmod(s.recordPath(testID), 0))
	openUp(t, s)
	asNobody(t)

	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.ErrorIs(t, err, os.ErrPermission)
	require.NotErrorIs(t, err, stores.ErrNotExist)
	requireDiscreet(t, s, err)
	require.ErrorContains(t, err, "in "+s.fileDir+": permission denied; run the service as the same user or group")
	require.ErrorContains(t, err, "umask")
	err = s.Put(t.Context(), testID, pyvalue.Str("new"))
	require.ErrorIs(t, err, stores.ErrUnavailable)
	requireDiscreet(t, s, err)
}

// TestForbiddenDirectory: which directory it is, and what to do, is said.
func TestForbiddenDirectory(t *testing.T) {
	for _, forbidden := range []string{"container_file", "container_file_lock"} {
		t.Run(forbidden, func(t *testing.T) {
			s := open(t, Options{})
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
			dir := filepath.Join(s.dataDir(), forbidden)
			openUp(t, s)
			require.NoError(t, os.Chmod(dir, 0))
			t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o700)) })
			asNobody(t)
			want := "in " + dir + ": permission denied; run the service as the same user"
			_, err := s.Get(t.Context(), testID)
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, stores.ErrUnavailable)
			requireDiscreet(t, s, err)
			if forbidden == "container_file" {
				for _, err := range s.List(t.Context(), "") {
					require.ErrorContains(t, err, want)
				}
			}
			err = s.Ping(t.Context())
			require.ErrorIs(t, err, stores.ErrUnavailable)
			require.ErrorContains(t, err, "in "+dir+": ")
			require.ErrorContains(t, err, "umask")
		})
	}
}

// openUp lets everybody into the directories of s, and those above them in the
// test's own.
func openUp(t *testing.T, s *Store) {
	t.Helper()
	for _, dir := range []string{filepath.Dir(s.dataDir()), s.dataDir(), s.fileDir, s.lockDir} {
		require.NoError(t, os.Chmod(dir, 0o777))
	}
}

// asNobody takes root's right to every file from this thread; others never had it.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	runtime.LockOSThread()
	require.NoError(t, syscall.Setfsuid(65534))
	t.Cleanup(func() {
		require.NoError(t, syscall.Setfsuid(0))
		runtime.UnlockOSThread()
	})
}
