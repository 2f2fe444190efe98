//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// childRole names the environment variable by which the test binary, started
// again by a test, knows what to do.
const childRole = "GOBEAKER_FILESTORE_CHILD"

// How many processes hammer how many sessions, and how often each.
const (
	processes = 4
	sessions  = 10
	hits      = 30
)

func TestMain(m *testing.M) {
	role := os.Getenv(childRole)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := beChild(role, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func beChild(role, dir, arg string) error {
	s, err := New(Options{DataDir: dir})
	if err != nil {
		return err
	}
	switch role {
	case "hammer":
		return hammer(s, arg)
	case "hold":
		return hold(s, arg)
	}
	return errors.New("no such role")
}

func sessionID(n int) string { return fmt.Sprintf("%032x", n) }

func hammer(s *Store, key string) error {
	for range hits {
		for n := range sessions {
			if err := s.Update(context.Background(), sessionID(n), increment(key)); err != nil {
				return err
			}
			if _, err := s.Get(context.Background(), sessionID(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// hold locks a session and tells so; then it waits to be killed.
func hold(s *Store, id string) error {
	if _, _, err := s.Lock(context.Background(), id); err != nil {
		return err
	}
	fmt.Println("locked")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func child(t *testing.T, role string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestProcesses(t *testing.T) {
	s := open(t, Options{})
	var all []*exec.Cmd
	want := map[string]int64{}
	for n := range processes {
		key := fmt.Sprintf("process %d", n)
		want[key] = hits
		cmd := child(t, "hammer", s.dataDir(), key)
		require.NoError(t, cmd.Start())
		all = append(all, cmd)
	}
	for _, cmd := range all {
		require.NoError(t, cmd.Wait())
	}
	for n := range sessions {
		require.Equal(t, want, counters(t, s, sessionID(n)))
	}
}

// TestKilledHolder: the lock of a process that is killed is free.
func TestKilledHolder(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	waits := watchWaits(s)
	holder := startPeer(t, child(t, "hold", s.dataDir(), testID))
	require.Equal(t, "locked", holder.answer())
	done := make(chan error)
	go func() { done <- s.Update(t.Context(), testID, increment("n")) }()
	<-waits
	require.NoError(t, holder.cmd.Process.Kill())
	require.NoError(t, <-done)
	require.Equal(t, map[string]int64{"n": 1}, counters(t, s, testID))
}

// peer is a process that answers a line with a line.
type peer struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

func startPeer(t *testing.T, cmd *exec.Cmd) *peer {
	t.Helper()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() // the error of one that was killed is no news
	})
	return &peer{t, cmd, in, bufio.NewScanner(out)}
}

func (p *peer) answer() string {
	p.t.Helper()
	require.True(p.t, p.out.Scan(), "the process has ended")
	return p.out.Text()
}

func (p *peer) ask(words ...string) string {
	p.t.Helper()
	_, err := fmt.Fprintln(p.in, strings.Join(words, "\t"))
	require.NoError(p.t, err)
	return p.answer()
}

// pythonPeer locks and writes files as Beaker does, in the standard library's
// words, under Python 2 and 3. It gets a command and its arguments on a line.
const pythonPeer = `
import binascii, errno, fcntl, os, sys

held = {}

def lock(path, how):
    flags, op = {'ex': (os.O_WRONLY, fcntl.LOCK_EX), 'sh': (os.O_RDONLY, fcntl.LOCK_SH)}[how]
    fd = os.open(path, os.O_CREAT | flags)
    try:
        fcntl.flock(fd, op | fcntl.LOCK_NB)
    except (IOError, OSError) as e:
        os.close(fd)
        if e.errno != errno.EWOULDBLOCK:
            raise
        return 'taken'
    held[path] = fd
    return 'locked'

def unlock(path):
    fd = held.pop(path)
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)
    return 'unlocked'

def write(path, data):
    with open(path, 'wb') as f:
        f.write(binascii.unhexlify(data))
    return 'written'

commands = {'lock': lock, 'unlock': unlock, 'write': write}
for line in iter(sys.stdin.readline, ''):
    words = line.rstrip('\n').split('\t')
    print(commands[words[0]](*words[1:]))
    sys.stdout.flush()
`

func pythons(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"python3", "python2"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-c", "import fcntl").Run() == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		if os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1" {
			t.Fatal("no Python in PATH, and GOBEAKER_REQUIRE_PEERS is 1")
		}
		t.Skip("no Python in PATH")
	}
	return found
}

// TestPython: flock here and flock in Python are one lock.
func TestPython(t *testing.T) {
	for _, exe := range pythons(t) {
		t.Run(exe[strings.LastIndexByte(exe, '/')+1:], func(t *testing.T) {
			s := open(t, Options{})
			python := startPeer(t, exec.Command(exe, "-c", pythonPeer))
			t.Run("python writes", func(t *testing.T) { testPythonWrites(t, s, python) })
			t.Run("python reads", func(t *testing.T) { testPythonReads(t, s, python) })
			t.Run("go locks", func(t *testing.T) { testGoLocks(t, s, python) })
		})
	}
}

// testPythonWrites: while Python is writing a record in place, as Beaker up to
// 1.9.0 does, nobody here sees the half of it.
func testPythonWrites(t *testing.T, s *Store, python *peer) {
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("old")))
	waits := watchWaits(s)
	record := hex.EncodeToString([]byte(strings.Replace(readFile(t, s, testData), "old", "new", 1)))
	require.Equal(t, "locked", python.ask("lock", s.locks.Path(testID), "ex"))
	require.Equal(t, "written", python.ask("write", s.recordPath(testID), record[:len(record)/4*2]))
	type result struct {
		v   pyvalue.Value
		err error
	}
	done := make(chan result)
	go func() { v, err := s.Get(t.Context(), testID); done <- result{v, err} }()
	<-waits
	require.Equal(t, "written", python.ask("write", s.recordPath(testID), record))
	require.Equal(t, "unlocked", python.ask("unlock", s.locks.Path(testID)))
	require.Equal(t, result{pyvalue.Str("new"), nil}, <-done)
}

func testPythonReads(t *testing.T, s *Store, python *peer) {
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	waits := watchWaits(s)
	require.Equal(t, "locked", python.ask("lock", s.locks.Path(testID), "sh"))
	_, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- s.Update(t.Context(), testID, increment("n")) }()
	<-waits
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- s.Put(ctx, testID, pyvalue.NewDict()) }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Equal(t, "unlocked", python.ask("unlock", s.locks.Path(testID)))
	require.NoError(t, <-done)
}

func testGoLocks(t *testing.T, s *Store, python *peer) {
	held, unlock, err := s.Lock(t.Context(), testID)
	require.NoError(t, err)
	for range 2 {
		require.Equal(t, "taken", python.ask("lock", s.locks.Path(testID), "ex"))
		require.Equal(t, "taken", python.ask("lock", s.locks.Path(testID), "sh"))
		require.NoError(t, s.Update(held, testID, increment("n")))
	}
	require.NoError(t, unlock())
	require.Equal(t, "locked", python.ask("lock", s.locks.Path(testID), "ex"))
	require.Equal(t, "unlocked", python.ask("unlock", s.locks.Path(testID)))
	require.NoError(t, s.Delete(t.Context(), testID))
	_, err = s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrNotExist)
}
