package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// browser is a Chromium, and a Python with Playwright to drive it.
type browser struct{ python, chromium string }

// findBrowser has scripts/browser set up what is missing.
func findBrowser(t *testing.T) browser {
	t.Helper()
	prepare := exec.Command(peers.Script(t, "browser"), "--prepare")
	prepare.Stderr = os.Stderr
	out, err := prepare.Output()
	require.NoError(t, err)
	paths := strings.Fields(string(out))
	if len(paths) != 2 {
		t.Skip("there is no browser here: see scripts/browser")
	}
	return browser{python: paths[0], chromium: paths[1]}
}

// told is what a script with flows says: its flows; or what it wants to be done, so that
// the flow can go on; or what became of the flow.
type told struct {
	Flows     []string
	Do, Value string
	Problem   string
}

// run runs each flow of a script of testdata as a test, with what act does at its
// request.
func (b browser) run(t *testing.T, script string, settings map[string]any, act func(t *testing.T, what, value string)) {
	t.Helper()
	settings["chromium"], settings["screenshots"] = b.chromium, os.Getenv("GOBEAKER_SCREENSHOTS")
	text, err := json.Marshal(settings)
	require.NoError(t, err)
	// A home of its own: the browser is to find and to leave nothing. Its name is short, as
	// there will be a socket below it.
	home, err := os.MkdirTemp("", "e2e-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	env := []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_CACHE_HOME=" + home, "TMPDIR=" + home, "PYTHONPATH=" + filepath.Dir(peers.Script(t, "browser"))}
	process := peers.Start(t, env, b.python, filepath.Join("testdata", script), string(text))
	var hello told
	process.Answer(t, &hello)
	require.NotEmpty(t, hello.Flows)
	for _, flow := range hello.Flows {
		t.Run(flow, func(t *testing.T) {
			var a told
			for process.Ask(t, flow, &a); a.Do != ""; {
				act(t, a.Do, a.Value)
				a = told{}
				process.Ask(t, "done", &a)
			}
			require.Empty(t, a.Problem)
		})
	}
}

// choose returns the environment of that name; where it is not there the test ends as it
// does for other peers.
func choose(t *testing.T, among []peers.Venv, name string) peers.Venv {
	t.Helper()
	i := slices.IndexFunc(among, func(v peers.Venv) bool { return v.Name == name })
	if i < 0 {
		peers.Missing(t, fmt.Errorf("%s is not here: run scripts/setup-peers", name))
	}
	return among[i]
}
