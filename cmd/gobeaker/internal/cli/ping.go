package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newPing(env Environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "ping URL",
		Short: "Ask a running server whether it is ready",
		Long: `Ping asks a URL once and prints the first line of the answer: the /ready or /ping
of the admin address, for containers without curl. unix:/path/to.sock asks /ready
at a Unix socket. The exit code is 0 if the answer is 200 to 299, else 1.`,
		Example: `  gobeaker ping http://127.0.0.1:9901/ready
  gobeaker ping unix:/run/gobeaker/admin.sock`,
		Args: cobra.ExactArgs(1),
	}
	timeout := c.Flags().Duration("timeout", 3*time.Second, "how long to wait at most")
	c.RunE = func(_ *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(context.Background(), *timeout)
		defer cancel()
		status, line, err := ping(ctx, args[0])
		if err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout, printable(line))
		if status < 200 || status > 299 {
			return fail(exitNo, fmt.Errorf("ping: the answer is %d %s", status, http.StatusText(status)))
		}
		return nil
	}
	return c
}

// ping returns the status and the first line of the answer, or an exitError.
func ping(ctx context.Context, url string) (status int, line string, err error) {
	transport := &http.Transport{} // no proxy of the environment
	defer transport.CloseIdleConnections()
	if socket, unix := strings.CutPrefix(url, "unix:"); unix {
		url = "http://localhost/ready"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil || request.URL.Host == "" {
		return 0, "", usage("ping: give a URL, as http://127.0.0.1:9901/ready or unix:/run/gobeaker/admin.sock")
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", fail(exitNo, fmt.Errorf("ping: %w", err))
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 200))
	if err != nil {
		return 0, "", fail(exitNo, fmt.Errorf("ping: %w", err))
	}
	line, _, _ = strings.Cut(string(body), "\n")
	return answer.StatusCode, line, nil
}
