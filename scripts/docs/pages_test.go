// Package docs runs the pages of the documentation. It has only tests: each command in a
// ```console block of a page is typed into a shell, and must print what the page shows.
//
//	go test ./scripts/docs -run 'TestPages/rotate-keys' -update    (writes the outputs anew)
//
// # What a page may have
//
// A fenced block whose first line is "# file: NAME" (or "; file:", "// file:") is written to
// that file, without the line, when the reader has come so far. In a block of console, what
// follows "$ " is a command, lines that begin with "> " go on with it, and the rest is what it
// prints. There a line "..." stands for any lines, and "…" within a line for any text.
//
// The shell is one bash for the whole page, in a folder of its own. A command that ends in
// "&" goes on while the others run; its output is waited for. Commands that only look (grep,
// tail, curl of /metrics …) are repeated until they show what they should. Ports of 127.0.0.1
// are replaced by free ones, and the other way round in what is printed.
package docs

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

var update = flag.Bool("update", false, "write what the commands print into the pages")

const root = "../.."

// page is a page that this package runs.
type page struct {
	name     string
	pythons  map[string]string // folders that the page calls Python environments, and which they are
	examples []string          // files of docs/examples that are there from the beginning
	redis    bool              // a Redis is at 127.0.0.1:6379
	asRoot   bool              // it uses folders of the system
	marked   bool              // it runs only the blocks behind runs
	tools    []string          // programs that must be installed
	quick    bool              // it is run with -short, too
}

// runs marks a block of a page of which not all is run.
const runs = "<!-- run by scripts/docs -->\n"

var pages = []page{
	{name: "migrate-pylons.md", pythons: map[string]string{"env": "py2.7-pylons1.0"}, examples: []string{"pylons/shop.py", "pylons/production.ini", "orders/main.go"}, tools: []string{"node", "go"}},
	{name: "share-turbogears.md", pythons: map[string]string{"env": "py3.13-turbogears2.5"}, examples: []string{"orders/main.go", "turbogears/shop.py", "turbogears/production.ini"}, tools: []string{"go"}},
	{name: "nginx.md", pythons: map[string]string{"env": "py3.13-beaker1.13.0"}, examples: []string{"shop/shop.py", "shop/production.ini"}, tools: []string{"nginx", "openssl"}, asRoot: true},
	{name: "file-to-redis.md", pythons: map[string]string{"env": "py3.8-stores-beaker1.11.0"}, examples: []string{"shop/shop.py", "shop/production.ini"}, redis: true},
	{name: "upgrade-beaker.md", pythons: map[string]string{"env-1.11": "py3.8-beaker1.11.0", "env-1.13": "py3.8-beaker1.13.0", "env-1.14": "py3.8-beaker1.14.1"}, examples: []string{"shop/shop.py", "shop/production.ini"}},
	{name: "rotate-keys.md", pythons: map[string]string{"env": "py3.13-beaker1.13.0"}, examples: []string{"shop/shop.py", "shop/production.ini"}, tools: []string{"openssl"}, quick: true},
	{name: "operate.md", pythons: map[string]string{"env": "py3.13-stores-beaker1.13.0"}, examples: []string{"shop/shop.py", "shop/production.ini"}, tools: []string{"redis-server", "redis-cli"}},
	{name: "reload.md", quick: true},
	{name: "../README.md", marked: true},
	{name: "security.md", pythons: map[string]string{"env": "py3.13-beaker1.13.0"}, examples: []string{"shop/shop.py", "shop/production.ini"}, tools: []string{"node"}, quick: true},
}

// elsewhere are the pages with a test of their own, and the package that has it.
var elsewhere = map[string]string{
	"doctor.md":        "cmd/gobeaker/internal/doctor",
	"forward-auth.md":  "middleware/forwardauth/livetest",
	"gobeaker.toml.md": "cmd/gobeaker/internal/settings",
	"metrics.md":       "cmd/gobeaker/internal/telemetry",
	"session-api.md":   "middleware/sessionapi",
	"README.md":        "scripts/docs", // TestIndex
}

// Every page is run by some test, this one or its own.
func TestEveryPage(t *testing.T) {
	run := map[string]bool{}
	for _, p := range pages {
		if !p.marked {
			run[p.name] = true
		}
	}
	for name, dir := range elsewhere {
		tests, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(tests, func(path string) bool {
			source, err := os.ReadFile(path)
			require.NoError(t, err)
			return strings.Contains(string(source), name)
		}), "no test in %s is about %s", dir, name)
		run[name] = true
	}
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	require.Len(t, found, len(run), "a page that no test runs, or a test without its page")
	for _, path := range found {
		require.True(t, run[filepath.Base(path)], "no test runs %s", path)
	}
}

var link = regexp.MustCompile(`\]\(([^)#: ]+)(#[^)]*)?\)`)

// The index names every page, and links lead somewhere.
func TestIndex(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	require.NoError(t, err)
	for _, path := range found {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, l := range link.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(path), l[1]))
			require.NoError(t, err, "%s links to it", path)
		}
		if name := filepath.Base(path); name != "README.md" {
			require.Contains(t, string(index), "]("+name+")", "docs/README.md does not name it")
		}
	}
}

// The Go code that pages show is in the examples, which are compiled.
func TestGoCode(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(root, "docs", "examples", "*", "*.go"))
	require.NoError(t, err)
	var examples strings.Builder
	for _, path := range found {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		examples.Write(source)
	}
	for _, p := range pages {
		text, err := os.ReadFile(filepath.Join(root, "docs", p.name))
		require.NoError(t, err)
		for _, b := range parse(t, string(text)) {
			if b.language == "go" && !p.marked {
				require.True(t, strings.Contains(examples.String(), b.text), "docs/%s:%d: that is not in the examples", p.name, b.line)
			}
		}
	}
}

// The pages do what they say.
func TestPages(t *testing.T) {
	exe := ""
	for _, p := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(p.name), ".md"), func(t *testing.T) {
			if testing.Short() && !p.quick {
				t.Skip("it takes seconds")
			}
			s := sandbox(t, p)
			if exe == "" {
				exe = build(t)
			}
			require.NoError(t, os.Symlink(exe, filepath.Join(s.dir, "bin", "gobeaker")))
			t.Parallel()
			path := filepath.Join(root, "docs", p.name)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			shown := s.play(t, p, string(text))
			if *update && shown != string(text) {
				require.NoError(t, os.WriteFile(path, []byte(shown), 0o644))
			}
		})
	}
}

// build builds the gobeaker that the pages call.
func build(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gobeaker-docs-")
	require.NoError(t, err)
	built = append(built, dir)
	exe := filepath.Join(dir, "gobeaker")
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", exe, "github.com/gobeaker/gobeaker/cmd/gobeaker").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return exe
}

// built are folders that go when all pages are done.
var built []string

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	for _, dir := range built {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// sandbox makes the folder in which a page is run, with the environments of Python, the
// examples and the servers that it wants.
func sandbox(t *testing.T, p page) *shell {
	t.Helper()
	for _, tool := range append([]string{"bash", "curl"}, p.tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			peers.Missing(t, fmt.Errorf("for the commands of the page: %w", err))
		}
	}
	if p.asRoot && os.Geteuid() != 0 {
		t.Skip("it uses folders of the system, which are root's")
	}
	s := &shell{dir: t.TempDir(), ports: map[string]string{}}
	for _, dir := range []string{"bin", "home", "work"} {
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, dir), 0o755))
	}
	require.NoError(t, os.Symlink(repository(t, "testdata"), filepath.Join(s.dir, "work", "testdata")))
	for name, venv := range p.pythons {
		environment(t, filepath.Join(s.dir, "work", name), venv)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", p.name))
	require.NoError(t, err)
	for _, name := range p.examples {
		require.Contains(t, string(text), "(examples/"+name+")", "the page does not tell where this file is")
		source, err := os.ReadFile(filepath.Join(root, "docs", "examples", name))
		require.NoError(t, err)
		s.choosePorts(t, string(source))
		s.write(t, filepath.Base(name), string(source))
	}
	if p.redis {
		s.ports["6379"] = fmt.Sprint(servers.Redis(t).Port)
	}
	return s
}

// environment puts the Python environment of scripts/setup-peers where a page has it, with
// the paster that pip would have put into its bin.
func environment(t *testing.T, dir, venv string) {
	t.Helper()
	all, err := peers.Load()
	for _, v := range all {
		if v.Name != venv {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
		for name, code := range map[string]string{
			"python": "",
			"paster": "-c 'import sys; sys.argv[0] = \"paster\"; from paste.script.command import run; run()' ",
		} {
			script := fmt.Sprintf("#!/bin/sh\nexec %s %s\"$@\"\n", v.Exe, code)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", name), []byte(script), 0o755))
		}
		return
	}
	peers.Missing(t, fmt.Errorf("no %s: %w", venv, err))
}

// repository is the path of a file of the repository.
func repository(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, name))
	require.NoError(t, err)
	return path
}
