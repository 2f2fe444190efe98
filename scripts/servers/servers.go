// Package servers starts real servers for tests and benchmarks: memcached, Redis,
// PostgreSQL, MariaDB and MongoDB's protocol, and the proxies nginx and caddy. Each
// listens on a free port of 127.0.0.1, keeps what it keeps in a directory of its own, and
// is stopped by its process id when the test ends. Where the program is not installed the
// test is skipped; with GOBEAKER_REQUIRE_PEERS=1 it fails.
package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// Host is the address on which every server listens.
const Host = "127.0.0.1"

// startTimeout bounds how long a server may take to answer.
const startTimeout = time.Minute

// Server is a running server. Its methods are not safe for concurrent use with each
// other.
type Server struct {
	Port int
	Dir  string // what it keeps lies here

	name  string
	args  func(s *Server) []string
	ready func(s *Server) error // nil error: it answers
	as    *syscall.Credential   // whom it runs as; nil: as the test
	env   []string              // what its environment has beside that of the test
	cmd   *exec.Cmd
	ended chan struct{}
	out   *output
}

// Addr is "127.0.0.1:port".
func (s *Server) Addr() string { return net.JoinHostPort(Host, strconv.Itoa(s.Port)) }

// PID is the process id of the server while it runs.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// launch starts a new server and waits until it answers.
func launch(t testing.TB, s *Server) *Server {
	t.Helper()
	if s.Port == 0 {
		s.Port = FreePort(t)
	}
	if s.Dir == "" {
		s.Dir = s.makeDir(t)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	s.Start(t)
	return s
}

// makeDir makes a directory that the server's user can reach, unlike t.TempDir.
func (s *Server) makeDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gobeaker-"+filepath.Base(s.name)+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if s.as != nil {
		if err := os.Chown(dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Start starts a server that was stopped, on the same port, with what it kept.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.out = &output{}
	s.cmd = exec.Command(s.name, s.args(s)...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Dir, s.out, s.out
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.SysProcAttr = attributes(s.as)
	if err := spawn(s.cmd); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
	for deadline := time.Now().Add(startTimeout); ; {
		err := s.ready(s)
		if err == nil {
			return
		}
		select {
		case <-s.ended:
			t.Fatalf("%s has ended: %s", s.name, s.out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v: %s", s.name, err, s.out)
		}
	}
}

// Stop ends the server as its administrator would, and waits for it.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends it as a crash would.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Pause makes it hang: connections stand, nothing is answered until Resume.
func (s *Server) Pause() error {
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return awaitStop(s.PID())
}

// Resume ends a Pause.
func (s *Server) Resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

func (s *Server) end(how syscall.Signal) {
	if s.ended == nil {
		return
	}
	_ = s.cmd.Process.Signal(how)
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-s.ended:
	case <-time.After(startTimeout):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// FreePort returns a TCP port of 127.0.0.1 that nobody has at this moment.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(Host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// program finds a program on the PATH, or where a package keeps it out of it.
func program(t testing.TB, name, debianPackage string, elsewhere ...string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range elsewhere {
		if found, _ := filepath.Glob(filepath.Join(pattern, name)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	peers.Missing(t, fmt.Errorf("%s is not installed (Debian: %s)", name, debianPackage))
	return ""
}

// run runs a helper program of a server to its end.
func run(t testing.TB, as *syscall.Credential, dir string, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = attributes(as)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// answers sends a line, if there is one, and waits for the beginning of an answer.
func answers(line, want string) func(*Server) error {
	return func(s *Server) error {
		conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write([]byte(line)); err != nil {
			return err
		}
		got := make([]byte, max(len(want), 1))
		if _, err := conn.Read(got); err != nil {
			return err
		}
		if !bytes.HasPrefix(got, []byte(want)) {
			return errors.New("it answers something else")
		}
		return nil
	}
}

// output is what a server printed.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
