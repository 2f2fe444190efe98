package livetest

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

	"github.com/stretchr/testify/require"
)

// process is a child that reads commands from its standard input and answers
// on its standard output, one line of JSON each. It ends when its input is
// closed.
type process struct {
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *lockedBuffer
}

// Starting and answering takes milliseconds; a child that takes this long
// hangs, and is killed so that the test ends.
const hangs = 2 * time.Minute

func startProcess(t *testing.T, env []string, exe string, args ...string) *process {
	t.Helper()
	p := &process{stderr: &lockedBuffer{}}
	cmd := exec.Command(exe, args...)
	// No __pycache__ in the folder of the scripts.
	cmd.Env = append(os.Environ(), append(env, "PYTHONDONTWRITEBYTECODE=1")...)
	cmd.Stderr = p.stderr
	var err error
	p.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReader(out)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = p.in.Close()
		kill := time.AfterFunc(hangs, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait() // its status says nothing: it was told to stop
	})
	return p
}

// answer reads the next line and decodes it into v.
func (p *process) answer(t *testing.T, v any) {
	t.Helper()
	line, err := p.out.ReadBytes('\n')
	require.NoError(t, err, "the process has ended: %s", p.stderr)
	require.NoError(t, json.Unmarshal(line, v), "%s", line)
}

// ask sends a command and decodes its answer into v.
func (p *process) ask(t *testing.T, command string, v any) {
	t.Helper()
	_, err := io.WriteString(p.in, command+"\n")
	require.NoError(t, err, "the process has ended: %s", p.stderr)
	p.answer(t, v)
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
