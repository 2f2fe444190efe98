package cli_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// What `verify --rewrite` writes is for each Python that wrote an original the
// same session again.
func TestRewrittenForPython(t *testing.T) {
	pythons := peers.Pythons(t)
	fixtures, out := testdata(t), t.TempDir()
	var stdout, stderr bytes.Buffer
	code := cli.Main([]string{"verify", "--rewrite", out, fixtures}, cli.Environment{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" },
	})
	require.Zero(t, code, stderr.String())
	script := peers.Script(t, "fixtures/reread.py")
	for _, python := range pythons {
		t.Run(python.Name(), func(t *testing.T) {
			output, err := exec.CommandContext(t.Context(), python.Exe, script, fixtures, out).CombinedOutput()
			require.NoError(t, err, "%s", output)
			lines := strings.Split(strings.TrimSpace(string(output)), "\n")
			require.Regexp(t, `^\d+ same, 0 different$`, lines[len(lines)-1])
			t.Log(lines[len(lines)-1])
		})
	}
}
