package filestore

import (
	"os"
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
	require.NoError(t, os.Chmod(s.dataDir(), 0o755))
	asNobody(t)

	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.ErrorIs(t, err, os.ErrPermission)
	require.NotErrorIs(t, err, stores.ErrNotExist)
	requireDiscreet(t, s, err)
	err = s.Put(t.Context(), testID, pyvalue.Str("new"))
	require.ErrorIs(t, err, stores.ErrUnavailable)
	requireDiscreet(t, s, err)
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
