package cli

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPing(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ready":
			http.Error(w, "ready\nand more", http.StatusOK)
		case "/long":
			http.Error(w, strings.Repeat("x", 1000), http.StatusOK)
		default:
			http.Error(w, "store: \x1b[31mtimeout", http.StatusServiceUnavailable)
		}
	})
	s := httptest.NewServer(answer)
	defer s.Close()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	u := &httptest.Server{Listener: l, Config: &http.Server{Handler: answer}}
	u.Start()
	defer u.Close()

	for name, c := range map[string]struct {
		url, stdout, stderr string
		code                int
	}{
		"ready":      {s.URL + "/ready", "ready\n", "", exitOK},
		"not ready":  {s.URL + "/other", `store: \x1b[31mtimeout` + "\n", "gobeaker: ping: the answer is 503 Service Unavailable\n", exitNo},
		"long":       {s.URL + "/long", strings.Repeat("x", 200) + "\n", "", exitOK},
		"socket":     {"unix:" + socket, "ready\n", "", exitOK},
		"no URL":     {"ready", "", "gobeaker: ping: give a URL, as http://127.0.0.1:9901/ready or unix:/run/gobeaker/admin.sock\n", exitUsage},
		"not a URL":  {"http://[", "", "gobeaker: ping: give a URL, as http://127.0.0.1:9901/ready or unix:/run/gobeaker/admin.sock\n", exitUsage},
		"no server":  {"unix:" + socket + "2", "", "", exitNo},
		"other type": {"ftp://127.0.0.1/", "", "", exitNo},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := Main([]string{"ping", c.url}, Environment{Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }})
			require.Equal(t, c.code, code, stderr.String())
			require.Equal(t, c.stdout, stdout.String())
			if c.stderr != "" {
				require.Equal(t, c.stderr, stderr.String())
			}
		})
	}
}
