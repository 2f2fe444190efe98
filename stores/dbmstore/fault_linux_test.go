package dbmstore

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// mount puts a small file system into a directory of the test.
func mount(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	require.NoError(t, os.Mkdir(dir, 0o777))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("a file system can only be mounted by root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill leaves no room on the file system of dir. It returns how to make room again.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

// TestFullDisk: the old record is whole, nothing is left behind, and the store works
// again as soon as there is room.
func TestFullDisk(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) {
			s := open(t, Options{DataDir: mount(t), Format: f})
			old, fresh := pyvalue.Str(strings.Repeat("old", 100)), pyvalue.Str(strings.Repeat("new", 20000))
			require.NoError(t, s.Put(t.Context(), testID, old))
			for range 3 {
				free := fill(t, s.dataDir())
				for _, err := range []error{
					s.Put(t.Context(), testID, fresh),
					s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { return fresh, nil }),
				} {
					require.ErrorIs(t, err, stores.ErrFull)
					require.ErrorIs(t, err, stores.ErrUnavailable)
					requireDiscreet(t, s, err)
				}
				v, err := s.Get(t.Context(), testID)
				require.NoError(t, err)
				require.Equal(t, old, v)
				free()
				v, err = s.Get(t.Context(), testID)
				require.NoError(t, err)
				require.Equal(t, old, v)
			}
			require.NoError(t, s.Put(t.Context(), testID, fresh))
			v, err := s.Get(t.Context(), testID)
			require.NoError(t, err)
			require.Equal(t, fresh, v)
			_, err = os.Stat(s.base(testID) + tempSuffix)
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

// TestReadOnly: on a read-only file system whatever has its lock file can be read.
func TestReadOnly(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) {
			dir := mount(t)
			s := open(t, Options{DataDir: dir, Format: f})
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
			require.NoError(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
			v, err := s.Get(t.Context(), testID)
			require.NoError(t, err)
			require.Equal(t, pyvalue.Str("old"), v)
			for _, err := range []error{
				s.Put(t.Context(), testID, pyvalue.Str("new")), s.Delete(t.Context(), testID), s.Update(t.Context(), testID, increment),
			} {
				require.ErrorIs(t, err, stores.ErrAccess)
				require.ErrorIs(t, err, stores.ErrUnavailable)
				requireDiscreet(t, s, err)
			}
			require.ErrorIs(t, s.Ping(t.Context()), stores.ErrAccess)
			require.NoError(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""))
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
		})
	}
}

// TestForbidden: a directory or a file of somebody else is the store's trouble.
func TestForbidden(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) {
			s := open(t, Options{Format: f})
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
			require.NoError(t, os.Chmod(filepath.Dir(s.dataDir()), 0o755))
			require.NoError(t, os.Chmod(s.locks.Path(testID), 0o777))
			asNobody(t)
			v, err := s.Get(t.Context(), testID)
			require.NoError(t, err, "what may be read is read")
			require.Equal(t, pyvalue.Str("old"), v)
			for _, err := range []error{s.Put(t.Context(), testID, pyvalue.Str("new")), s.Delete(t.Context(), testID)} {
				require.ErrorIs(t, err, stores.ErrAccess)
				requireDiscreet(t, s, err)
			}
			require.ErrorContains(t, s.Ping(t.Context()), "umask")
		})
	}
}

// asNobody takes root's right to every file from this thread; others never had it.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	runtime.LockOSThread()
	require.NoError(t, syscall.Setfsuid(65534))
	t.Cleanup(func() {
		require.NoError(t, syscall.Setfsuid(0))
		runtime.UnlockOSThread()
	})
}

// TestNoLeaks: neither goroutines nor files stay open.
func TestNoLeaks(t *testing.T) {
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(all)
	}
	for _, f := range formats {
		s := open(t, Options{Format: f})
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
		goroutines, before := runtime.NumGoroutine(), files()
		for range 20 {
			require.NoError(t, s.Update(t.Context(), testID, increment))
			_, err := s.Get(t.Context(), testID)
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 && files() <= before },
			hangs, tick, "%v leaves goroutines or files", f)
	}
}
