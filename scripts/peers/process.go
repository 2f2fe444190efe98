package peers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Process is a child that answers commands: each is a line on its standard
// input, each answer a line of JSON on its standard output. It ends when its input
// is closed, which is done when the test ends. It is not safe for concurrent use.
type Process struct {
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *lockedBuffer
	kill   func() error
}

// Starting and answering takes milliseconds; a child that takes this long
// hangs, and is killed so that the test ends.
const hangs = 2 * time.Minute

// Start starts a program with env ("NAME=value") added to the environment. That
// it cannot be started, or later does not answer, ends the test.
func Start(t testing.TB, env []string, exe string, args ...string) *Process {
	t.Helper()
	p := &Process{stderr: &lockedBuffer{}}
	cmd := exec.Command(exe, args...)
	// No __pycache__ in the folder of the scripts.
	cmd.Env = append(os.Environ(), append(env, "PYTHONDONTWRITEBYTECODE=1")...)
	cmd.Stderr = p.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.kill = cmd.Process.Kill
	t.Cleanup(func() {
		_ = p.in.Close()
		defer p.killIfItHangs()()
		_ = cmd.Wait() // its status says nothing: it was told to stop
	})
	return p
}

// killIfItHangs kills the child, unless what it returns is called in time.
func (p *Process) killIfItHangs() (stop func()) {
	timer := time.AfterFunc(hangs, func() { _ = p.kill() })
	return func() { timer.Stop() }
}

// Answer reads the next line and decodes it into v.
func (p *Process) Answer(t testing.TB, v any) {
	t.Helper()
	defer p.killIfItHangs()()
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the process has ended: %v: %s", err, p.stderr)
	}
	if err := json.Unmarshal(line, v); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
}

// Ask sends a command and decodes its answer into v.
func (p *Process) Ask(t testing.TB, command string, v any) {
	t.Helper()
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		t.Fatalf("the process has ended: %v: %s", err, p.stderr)
	}
	p.Answer(t, v)
}

// lockedBuffer is a buffer that may be read while a child writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
