package locksweep

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

func lockFile(t *testing.T) (dir, name, path string) {
	t.Helper()
	dir, name = t.TempDir(), "x.lock"
	path = filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, nil, 0o777))
	return dir, name, path
}

func openDir(t *testing.T, dir string) int {
	t.Helper()
	fd, err := sysfile.Open(dir, os.O_RDONLY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, sysfile.Close(fd)) })
	return fd
}

func take(t *testing.T, path string) Lease {
	t.Helper()
	l, err := Take(unix.AT_FDCWD, path)
	if err != nil && !assert.NotErrorIs(t, err, ErrUnsupported) {
		t.SkipNow()
	}
	require.NoError(t, err)
	return l
}

// TestBusy: whoever has the file open keeps it from being taken, whether or not they
// have the lock by now.
func TestBusy(t *testing.T) {
	_, _, path := lockFile(t)
	for _, flags := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR} {
		f, err := os.OpenFile(path, flags, 0)
		require.NoError(t, err)
		_, err = Take(unix.AT_FDCWD, path)
		require.ErrorIs(t, err, ErrBusy)
		require.NoError(t, f.Close())
	}
	l := take(t, path)
	_, err := Take(unix.AT_FDCWD, path)
	require.ErrorIs(t, err, ErrBusy, "another Remover has it")
	_, err = l.Modified()
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	_, err = l.Modified()
	require.ErrorIs(t, err, ErrGone)
	l.Release()
	_, err = Take(unix.AT_FDCWD, path)
	require.ErrorIs(t, err, ErrGone)
	require.NoError(t, os.Symlink("elsewhere", path))
	_, err = Take(unix.AT_FDCWD, path)
	require.ErrorIs(t, err, syscall.ELOOP)
}

func TestAble(t *testing.T) {
	require.True(t, Able(DefaultHold))
	require.False(t, Able(1000*time.Hour))
}

func TestRemove(t *testing.T) {
	dir, name, path := lockFile(t)
	r := NewRemover(0)
	for range 10 {
		require.NoError(t, os.WriteFile(path, nil, 0o777))
		require.NoError(t, r.Remove(take(t, path), openDir(t, dir), name, dir))
		require.NoFileExists(t, path)
	}
	require.Error(t, r.Remove(Lease{-1}, openDir(t, dir), "another", dir))
	require.Zero(t, r.Close())
}

// lateRole in the environment makes the test binary a process that opens and locks
// the file that its descriptor 3 has looked up, until its standard input ends.
const lateRole = "GOBEAKER_LOCKSWEEP_LATE"

func TestMain(m *testing.M) {
	if os.Getenv(lateRole) == "" {
		os.Exit(m.Run())
	}
	fd, err := sysfile.Open("/proc/self/fd/3", os.O_WRONLY, 0)
	if err == nil {
		err = sysfile.Flock(fd, syscall.LOCK_EX)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

type lateProcess struct {
	locked <-chan struct{}
	leave  func() error
}

// startLate starts it as a process of its own: a signal to this one would have the
// kernel begin its open again.
func startLate(t *testing.T, lookup int) lateProcess {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	file := os.NewFile(uintptr(lookup), "lookup")
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), lateRole+"=1")
	cmd.Stderr, cmd.ExtraFiles = os.Stderr, []*os.File{file}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, file.Close())
	locked := make(chan struct{})
	go func() {
		defer close(locked)
		line, _ := bufio.NewReader(out).ReadString('\n')
		assert.Equal(t, "locked\n", line)
	}()
	leave := sync.OnceValue(func() error { return errors.Join(in.Close(), cmd.Wait()) })
	t.Cleanup(func() { _ = leave() })
	return lateProcess{locked, leave}
}

// TestLateOpener: who has looked up the name before it was unlinked and opens the
// file afterwards excludes those who come later, and they him. O_PATH is a way to be
// at that point for longer than a moment.
func TestLateOpener(t *testing.T) {
	dir, name, path := lockFile(t)
	lookup, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)

	l := take(t, path)
	gate := make(chan struct{})
	r := newRemover(time.Hour, func(time.Duration) { <-gate })
	require.NoError(t, r.Remove(l, openDir(t, dir), name, dir))
	late := startLate(t, lookup)
	for !leaseBroken(l.fd) { // until it waits in open
		runtime.Gosched()
	}
	// Somebody else has the new lock file by then.
	other, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o777)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX))
	close(gate)
	closed := make(chan int)
	go func() { closed <- r.Close() }()
	select {
	case <-late.locked:
		t.Fatal("two have the lock")
	default:
	}
	require.NoError(t, other.Close())
	<-late.locked

	again, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE, 0o777)
	require.NoError(t, err)
	defer again.Close()
	require.ErrorIs(t, syscall.Flock(int(again.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	select {
	case <-closed:
		t.Fatal("the bridge has ended before the late one")
	default:
	}
	require.NoError(t, late.leave())
	require.Equal(t, 1, <-closed)
	require.NoError(t, syscall.Flock(int(again.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}

// TestLateOpenerMakesDirectories: the directories may be gone as well.
func TestLateOpenerMakesDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "ab")
	require.NoError(t, os.MkdirAll(dir, 0o777))
	name := "x.lock"
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, nil, 0o777))
	lookup, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	l := take(t, path)
	gate := make(chan struct{})
	r := newRemover(time.Hour, func(time.Duration) { <-gate })
	require.NoError(t, r.Remove(l, openDir(t, dir), name, dir))
	require.NoError(t, os.Remove(dir))
	late := startLate(t, lookup)
	for !leaseBroken(l.fd) {
		runtime.Gosched()
	}
	close(gate)
	closed := make(chan int)
	go func() { closed <- r.Close() }()
	<-late.locked
	require.NoError(t, late.leave())
	require.Equal(t, 1, <-closed)
	require.FileExists(t, path)
}
