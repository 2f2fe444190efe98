package cli_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// codeBlock is a fenced block of a page.
type codeBlock struct {
	language, text string
	line           int
}

// codeBlocks returns the fenced blocks of a page of Markdown, those in lists without their
// indent.
func codeBlocks(t *testing.T, path string) (out []codeBlock) {
	t.Helper()
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	var open *codeBlock
	indent := ""
	for i, line := range strings.Split(string(page), "\n") {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open, indent = &codeBlock{language: language, line: i + 1}, line[:strings.Index(line, "`")]
		case fence:
			out, open = append(out, *open), nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	require.Nil(t, open)
	return out
}

// Everything that docs/reload.md tells to do is done, and the log says what it says there.
func TestReloadPage(t *testing.T) {
	page, err := filepath.Abs("../../../../docs/reload.md")
	require.NoError(t, err)
	blocks := codeBlocks(t, page)
	t.Chdir(t.TempDir())
	t.Setenv("GOBEAKER_LISTEN", "127.0.0.1:0")
	lines := make(chan string, 1000)
	var server *exec.Cmd
	done := 0
	for _, b := range blocks {
		at := fmt.Sprintf("docs/reload.md:%d", b.line)
		switch {
		case b.language == "sh" && strings.TrimSpace(b.text) == "gobeaker serve":
			server = exec.Command("gobeaker", "serve")
			stdout, err := server.StdoutPipe()
			require.NoError(t, err)
			stderr, err := server.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, server.Start())
			defer server.Wait()
			defer server.Process.Kill()
			go func() {
				for s := bufio.NewScanner(stderr); s.Scan(); {
					lines <- s.Text()
				}
				close(lines)
			}()
			_, err = bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err, at)
			t.Setenv("PID", fmt.Sprint(server.Process.Pid))
		case b.language == "sh":
			out, err := exec.Command("sh", "-euc", b.text).CombinedOutput()
			require.NoError(t, err, "%s: %s", at, out)
			require.Empty(t, string(out), at)
		case b.language == "text":
			late := time.After(30 * time.Second)
			seen, wanted := []string(nil), strings.TrimSpace(b.text)
			for !hasAll(seen, strings.Split(wanted, "\n")) {
				select {
				case line, more := <-lines:
					require.True(t, more, "%s: the server ended: %q", at, seen)
					seen = append(seen, line)
				case <-late:
					require.FailNow(t, "waited in vain for a line of the log", "%s: %s\n%q", at, wanted, seen)
				}
			}
		default:
			continue
		}
		done++
	}
	require.Greater(t, done, 15)
	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	for range lines { // until the end of the server
	}
}

// hasAll reports whether the last line has all of the texts.
func hasAll(lines, texts []string) bool {
	for _, text := range texts {
		if len(lines) == 0 || !strings.Contains(lines[len(lines)-1], text) {
			return false
		}
	}
	return true
}
