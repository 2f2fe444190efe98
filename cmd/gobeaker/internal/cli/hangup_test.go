package cli_test

import (
	"bufio"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
)

// SIGHUP has everything read again, and does not end the server.
func TestServeReloadsOnHangup(t *testing.T) {
	t.Chdir(t.TempDir())
	const toml = "[session]\ntype = \"memory\"\n"
	require.NoError(t, os.WriteFile("gobeaker.toml", []byte(toml), 0o600))
	out, stdout := io.Pipe()
	logged, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- cli.Main([]string{"serve", "--listen", "127.0.0.1:0"}, cli.Environment{
			Stdout: stdout, Stderr: stderr, Getenv: func(string) string { return "" },
		})
		stdout.Close()
		stderr.Close()
	}()
	lines := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(logged); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	until := func(text string) string {
		for line := range lines {
			if strings.Contains(line, text) {
				return line
			}
		}
		require.FailNow(t, "the log ended without "+text)
		return ""
	}
	_, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(syscall.SIGHUP))
	require.Contains(t, until("configuration reloaded"), `nothing in it has changed" store=kept`)

	// The file is the one of the beginning, whatever else there is.
	require.NoError(t, os.Rename("gobeaker.toml", "moved.toml"))
	until("not reloaded")
	require.NoError(t, self.Signal(syscall.SIGHUP))
	until("not reloaded")
	require.NoError(t, os.WriteFile("gobeaker.toml", []byte(toml+"timeout = 60\n"), 0o600))
	until("session.timeout")

	require.NoError(t, self.Signal(syscall.SIGTERM))
	until("stopping")
	for range lines { // so that nothing waits for us
	}
	require.Zero(t, <-code)
}
