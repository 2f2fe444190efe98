package e2e

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// hangs bounds what takes milliseconds on a machine that has nothing else to do.
const hangs = 2 * time.Minute

func TestEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs, and starts Pythons, nginx and a browser")
	}
	programs := build(t)
	t.Run("attacks", func(t *testing.T) { testAttacks(t, programs) })
	t.Run("browser", func(t *testing.T) {
		b := findBrowser(t)
		t.Run("gateway", func(t *testing.T) { testGateway(t, programs, b) })
		t.Run("nginx", func(t *testing.T) { testNginx(t, programs, b) })
	})
}

// build returns the directory of the programs.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const module = "github.com/gobeaker/gobeaker/"
	args := []string{"build", "-ldflags=-s -w", "-o", dir + "/"}
	for _, name := range []string{"cmd/gobeaker", "scripts/demoservice", "scripts/orderservice"} {
		args = append(args, module+name)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// program is a server in a process of its own.
type program struct {
	name  string
	lines *bufio.Scanner // of its standard output
	log   *syncBuffer    // its standard error
}

// start starts a program in dir, which ends with the test. A test that fails shows its log.
func start(t *testing.T, dir, exe string, args ...string) *program {
	t.Helper()
	p := &program{name: filepath.Base(exe), log: &syncBuffer{}}
	cmd := exec.Command(exe, args...)
	cmd.Dir, cmd.Stderr = dir, p.log
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p.lines = bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(hangs, func() { _ = cmd.Process.Kill() })
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		if !timer.Stop() {
			t.Errorf("%s did not end when it was told to", p.name)
		}
		if t.Failed() {
			lines := strings.SplitAfter(p.log.String(), "\n")
			t.Logf("%s:\n%s", p.name, strings.Join(lines[max(0, len(lines)-50):], ""))
		}
	})
	return p
}

// line returns the next line of the program's output.
func (p *program) line(t *testing.T) string {
	t.Helper()
	got := make(chan bool, 1)
	go func() { got <- p.lines.Scan() }()
	select {
	case there := <-got:
		require.True(t, there, "%s has ended: %s", p.name, p.log)
		return p.lines.Text()
	case <-time.After(hangs):
		require.FailNow(t, "it says nothing", "%s: %s", p.name, p.log)
		return ""
	}
}

// hello is the first line of the programs of this house.
type hello struct {
	Port int
}

func (p *program) hello(t *testing.T) (h hello) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(p.line(t)), &h))
	return h
}

// places reads where gobeaker listens: the lines "gobeaker: admin at http://127.0.0.1:1/"
// of so many places beside the main one, which is the first and called "gateway".
func (p *program) places(t *testing.T, more int) map[string]string {
	t.Helper()
	places := map[string]string{}
	_, rest, ok := strings.Cut(p.line(t), "serving ")
	require.True(t, ok)
	places["gateway"], _, _ = strings.Cut(rest, " ")
	for range more {
		name, at, ok := strings.Cut(strings.TrimPrefix(p.line(t), "gobeaker: "), " at ")
		require.True(t, ok)
		places[name] = at
	}
	return places
}

// write writes a file for a program that may be reading it.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}

// writeKey writes a key that assertions are signed with.
func writeKey(t *testing.T, dir, name string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, dir, name, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// lookUp finds a program of the system.
func lookUp(t *testing.T, name, debianPackage string) string {
	t.Helper()
	exe, err := exec.LookPath(name)
	if err != nil {
		peers.Missing(t, errors.New(name+" is not installed (Debian: "+debianPackage+")"))
	}
	return exe
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
