package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// gobeaker runs the command line and returns what it prints.
func gobeaker(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Main(args, cli.Environment{
		Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" },
	})
	require.Zero(t, code, "%q: %s", args, stderr.String())
	return stdout.String()
}

// python runs a script and returns the last line that it prints.
func python(t *testing.T, exe, script string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-B", script}, args...)...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}

// What `verify --rewrite` writes is for each Python that wrote an original the
// same session again, encrypted ones included.
func TestRewrittenForPython(t *testing.T) {
	pythons := peers.Pythons(t)
	fixtures, out, forms := testdata(t), t.TempDir(), filepath.Join(t.TempDir(), "forms.jsonl")
	results := gobeaker(t, "", "verify", "--json", "--rewrite", out, fixtures)
	require.NoError(t, os.WriteFile(forms, []byte(results), 0o600))
	written := onlyRewritten(t, fixtures, out)
	scripts := peers.Script(t, "")
	for _, p := range pythons {
		t.Run(p.Name(), func(t *testing.T) {
			sum := python(t, p.Exe, filepath.Join(scripts, "fixtures", "reread.py"), written, out)
			require.Regexp(t, `^\d+ same, 0 different$`, sum)
			sealed := python(t, p.Exe, filepath.Join("testdata", "python", "reread_encrypted.py"), scripts, written, out, forms)
			require.Regexp(t, `^[1-9]\d* same, 0 different$`, sealed)
			t.Logf("in clear %s; encrypted %s", sum, sealed)
		})
	}
}

// onlyRewritten makes a fixture directory of those fixtures that are in out: a
// cookie that was filled to its limit may not fit again.
func onlyRewritten(t *testing.T, fixtures, out string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"cookie", "file", "dbm", "memcached", "redis", "mongodb", "database", "sqla"} {
		require.NoError(t, os.Symlink(filepath.Join(fixtures, name), filepath.Join(dir, name)))
	}
	manifest, err := os.Open(filepath.Join(fixtures, "manifest.jsonl"))
	require.NoError(t, err)
	defer manifest.Close()
	var kept bytes.Buffer
	left := 0
	lines := bufio.NewScanner(manifest)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var f struct {
			Kind      string
			Artefacts []string
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &f))
		if f.Kind != "positive" {
			continue
		}
		rewritten := false
		for _, a := range f.Artefacts {
			_, err := os.Stat(filepath.Join(out, filepath.FromSlash(a)))
			rewritten = rewritten || err == nil
		}
		if !rewritten {
			left++
			continue
		}
		kept.Write(append(lines.Bytes(), '\n'))
	}
	require.NoError(t, lines.Err())
	require.Less(t, left, 20, "too many were not rewritten")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.jsonl"), kept.Bytes(), 0o600))
	return dir
}
