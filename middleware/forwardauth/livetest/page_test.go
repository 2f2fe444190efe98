package livetest

import (
	"bufio"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

const docs = "../../../docs"

// block is a fenced block of a page.
type block struct{ language, text string }

func blocks(t *testing.T, page string) (all []block) {
	t.Helper()
	open := false
	for line := range strings.Lines(page) {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && !open:
			all = append(all, block{language: language})
			open = true
		case fence:
			open = false
		case open:
			all[len(all)-1].text += line
		}
	}
	require.False(t, open)
	return all
}

// What docs/forward-auth.md shows of the example configurations is in them, and its
// commands show with each proxy what it says, with a gobeaker that is configured as it says.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts gobeaker")
	}
	text, err := os.ReadFile(filepath.Join(docs, "forward-auth.md"))
	require.NoError(t, err)
	page := blocks(t, string(text))
	files, err := filepath.Glob(filepath.Join(docs, "examples", "forward-auth", "*"))
	require.NoError(t, err)
	var examples strings.Builder
	for _, name := range files {
		example, err := os.ReadFile(name)
		require.NoError(t, err)
		examples.Write(example)
		require.Contains(t, string(text), "(examples/forward-auth/"+filepath.Base(name)+")")
	}
	for _, b := range page {
		if b.language != "sh" && b.language != "text" {
			require.Contains(t, examples.String(), b.text)
		}
	}

	if _, err := exec.LookPath("curl"); err != nil {
		peers.Missing(t, errors.New("curl is not installed"))
	}
	w := newWorld(t)
	address := startGobeaker(t, w)
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			at := p.start(t, w)
			_, port, err := net.SplitHostPort(at)
			require.NoError(t, err)
			t.Setenv("COOKIE", w.login(t, "finn"))
			commands := 0
			for i, b := range page {
				if b.language != "sh" {
					continue
				}
				require.Equal(t, "text", page[i+1].language)
				script := strings.NewReplacer(
					"127.0.0.1:9180", address,
					"curl ", "curl --resolve "+appHost+":"+port+":127.0.0.1 ",
					"http://"+appHost, "http://"+appHost+":"+port,
				).Replace(b.text)
				out, err := exec.Command("sh", "-euc", script).CombinedOutput()
				require.NoError(t, err, "%s\n%s", script, out)
				shown := strings.NewReplacer("\r", "", "%3A"+port, "", ":"+port, "").Replace(string(out))
				require.Equal(t, page[i+1].text, shown, "%s", b.text)
				commands++
			}
			require.GreaterOrEqual(t, commands, 6)
		})
	}
}

// startGobeaker has `gobeaker serve` take the place of this process's endpoints, with the
// example's configuration. It returns its address.
func startGobeaker(t *testing.T, w *world) string {
	t.Helper()
	dir := t.TempDir()
	exe := filepath.Join(dir, "gobeaker")
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", exe, "github.com/gobeaker/gobeaker/cmd/gobeaker").CombinedOutput()
	require.NoError(t, err, "%s", out)
	config := w.example(t, "gobeaker.toml", 0) +
		"\n[session]\ntype = \"file\"\nkey = \"" + cookieName + "\"\nsecret = \"" + secret + "\"\ndata_dir = \"" + w.dataDir + "\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gobeaker.toml"), []byte(config), 0o600))
	cmd := exec.Command(exe, "serve")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "GOBEAKER_LISTEN=127.0.0.1:0", "GOBEAKER_FORWARD_AUTH_LISTEN=127.0.0.1:0", "GOBEAKER_LOG_LEVEL=warn")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if _, place, ok := strings.Cut(lines.Text(), "forward-auth at "); ok {
			u, err := url.Parse(place)
			require.NoError(t, err)
			w.address = u.Host
			return u.Host
		}
	}
	require.FailNow(t, "gobeaker does not say where forward-auth is")
	return ""
}
