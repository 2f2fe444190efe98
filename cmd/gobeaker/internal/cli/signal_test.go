package cli_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
)

// TestServeStopsOnSignal runs the command as a process does: from its first
// line to SIGTERM.
func TestServeStopsOnSignal(t *testing.T) {
	t.Chdir(t.TempDir()) // no gobeaker.toml here
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			out, in := io.Pipe()
			code := make(chan int, 1)
			environment := map[string]string{"GOBEAKER_LISTEN": "192.0.2.1:1", "GOBEAKER_ACCESS_LOG": "false"}
			go func() {
				code <- cli.Main([]string{"serve", "--listen", "127.0.0.1:0"}, cli.Environment{
					Stdout: in, Stderr: io.Discard, Getenv: func(k string) string { return environment[k] },
				})
				in.Close()
			}()
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			url := regexp.MustCompile(`http://\S+`).FindString(line)
			resp, err := http.Get(url)
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, 200, resp.StatusCode)
			http.DefaultClient.CloseIdleConnections()

			self, err := os.FindProcess(os.Getpid())
			require.NoError(t, err)
			require.NoError(t, self.Signal(signal))
			require.Zero(t, <-code)
		})
	}
}
