// Package imports checks the direction of the imports between the packages of
// this module: each knows only what lies below it.
package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/gobeaker/gobeaker"

// rule says what the packages that a pattern matches may import. The first
// rule that matches a package is its rule.
type rule struct {
	packages string   // a path.Match pattern below the module; "x/..." takes all below x
	module   []string // packages of this module, in the same patterns; a package may always import below itself
	others   bool     // packages of other modules
	never    []string // packages of the standard library that it must not import, in the same patterns
}

// What touches the world. A package without it gets a clock and a source of
// randomness from its caller.
var world = append([]string{"crypto/rand", "math/rand/..."}, systems...)

// What reaches for files and sockets.
var systems = []string{"net", "net/http/...", "os/...", "syscall"}

var rules = []rule{
	{packages: "beakerfmt/pyvalue", never: world},
	{packages: "beakerfmt/taggedjson", module: []string{"beakerfmt/pyvalue", "beakerfmt/pyjson"}, never: world},
	{packages: "beakerfmt/*", module: []string{"beakerfmt/pyvalue"}, never: world},
	{packages: "beakerfmt/internal/*", never: world},
	{packages: "beakerfmt", module: []string{"beakerfmt/*"}, others: true, never: world},
	{packages: "stores", module: []string{"beakerfmt/..."}, never: world},
	{packages: "stores/backend", module: []string{"compat", "stores/*", "stores", "beakerfmt/..."}},
	{packages: "stores/...", module: []string{"stores", "stores/internal/...", "beakerfmt/..."}, others: true},
	{packages: "compat", module: []string{"stores", "beakerfmt/..."}, never: systems},
	{packages: "compat/internal/*", others: true, never: world},
	{packages: "compat/upkeep", module: []string{"compat", "stores", "stores/filestore", "beakerfmt/..."}, others: true, never: []string{"net", "net/http/..."}},
	{packages: "compat/migrate", module: []string{"compat", "stores", "beakerfmt/..."}, others: true, never: []string{"net", "net/http/..."}},
	{packages: "iniconf", module: []string{"compat", "beakerfmt/..."}, never: []string{"net", "net/http/...", "syscall"}},
	{packages: "iniconf/internal/*", never: []string{"net", "net/http/..."}},
	{packages: "iniconf/tomlconf", module: []string{"iniconf", "iniconf/internal/*", "compat"}, others: true, never: []string{"net", "net/http/...", "syscall"}},
	{packages: "iniconf/watch", module: []string{"iniconf", "compat"}, others: true, never: []string{"net", "net/http/..."}},
	{packages: "middleware/forwarded"},
	{packages: "middleware/identity/internal/sessionvalue", module: []string{"compat", "beakerfmt/..."}, never: world},
	{packages: "middleware/identity", module: []string{"middleware/forwarded", "compat", "beakerfmt/..."}, others: true},
	{packages: "middleware/internal/match", module: []string{"middleware/forwarded"}},
	{packages: "middleware/gateway", module: []string{"middleware", "middleware/internal/match", "middleware/forwarded", "middleware/identity", "compat", "beakerfmt", "beakerfmt/pyvalue"}, others: true},
	{packages: "middleware/forwardauth", module: []string{"middleware", "middleware/internal/match", "middleware/forwarded", "middleware/identity", "compat", "beakerfmt/..."}, others: true},
	{packages: "middleware/sessionapi", module: []string{"middleware", "middleware/forwarded", "compat", "stores", "beakerfmt/..."}, others: true},
	{packages: "middleware", module: []string{"middleware/forwarded", "compat", "stores", "beakerfmt/..."}, others: true, never: []string{"os/...", "syscall"}},
	{packages: "cmd/gobeaker/internal/settings", module: []string{"iniconf", "iniconf/tomlconf"}, never: []string{"net/http/...", "os/...", "syscall"}},
	{packages: "cmd/gobeaker/internal/webpage", never: systems[:1]},
	{packages: "cmd/gobeaker/internal/records", module: []string{"cmd/gobeaker/internal/inspect", "compat", "stores", "beakerfmt/..."}, never: systems},
	{packages: "cmd/gobeaker/internal/telemetry", module: []string{"middleware/forwarded", "middleware/gateway", "compat", "stores", "stores/metered"}, others: true},
	{
		packages: "cmd/gobeaker/internal/inspector", others: true, never: []string{"os/...", "syscall"},
		module: []string{
			"cmd/gobeaker/internal/inspect", "cmd/gobeaker/internal/records", "cmd/gobeaker/internal/survey", "cmd/gobeaker/internal/tree", "cmd/gobeaker/internal/webpage",
			"middleware/forwarded", "compat", "stores", "stores/backend", "beakerfmt/...",
		},
	},
	{packages: "cmd/gobeaker/internal/sessionpage", module: []string{"cmd/gobeaker/internal/tree", "cmd/gobeaker/internal/webpage", "middleware", "compat", "stores", "beakerfmt/..."}, never: []string{"net", "os/...", "syscall"}},
	{packages: "cmd/...", module: []string{"..."}, others: true},
	{packages: "scripts/...", module: []string{"..."}, others: true},
	{packages: "compat/livetest"},
	{packages: "compat/bounce"},
	{packages: "middleware/livetest"},
	{packages: "middleware/sessionapi/livetest"},
	{packages: "middleware/forwardauth/livetest"},
	{packages: "docs/examples/*", module: []string{"iniconf", "middleware", "stores/backend", "compat", "stores"}},
	{packages: "testdata/..."},
}

func TestImportsPointDownwards(t *testing.T) {
	packages := list(t)
	require.Greater(t, len(packages), 3, "go list found hardly any package")
	for _, p := range packages {
		if p.Module == nil || p.Module.Path != module {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.packages, name) })
		if i < 0 {
			t.Errorf("%s: there is no rule for this package; say in scripts/imports what it may import", name)
			continue
		}
		for _, problem := range rules[i].check(name, p.Imports, packages) {
			t.Error(problem)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"beakerfmt", "beakerfmt", true},
		{"beakerfmt", "beakerfmt/pickle", false},
		{"beakerfmt/*", "beakerfmt/pickle", true},
		{"beakerfmt/*", "beakerfmt", false},
		{"beakerfmt/*", "beakerfmt/pickle/x", false},
		{"beakerfmt/...", "beakerfmt", true},
		{"beakerfmt/...", "beakerfmt/pickle/x", true},
		{"beakerfmt/...", "beakerfmtx", false},
		{"...", "anything/at/all", true},
	} {
		require.Equal(t, c.want, matches(c.pattern, c.name), "%s %s", c.pattern, c.name)
	}
}

func TestRuleFindsWhatIsWrong(t *testing.T) {
	packages := map[string]listed{
		"os":                  {Standard: true},
		"strings":             {Standard: true},
		"example.org/x":       {},
		module + "/compat":    {},
		module + "/stores":    {},
		module + "/stores/in": {},
	}
	r := rule{packages: "stores", module: []string{"beakerfmt/..."}, never: world}
	problems := r.check("stores", []string{"os", "strings", "example.org/x", module + "/compat", module + "/stores/in"}, packages)
	require.Len(t, problems, 3, "%v", problems)
}

// check returns what is wrong with the imports of a package.
func (r rule) check(name string, imports []string, packages map[string]listed) []string {
	var problems []string
	for _, imp := range imports {
		inner, ours := strings.CutPrefix(imp, module+"/")
		switch {
		case ours && !strings.HasPrefix(inner, name+"/") && !matchesAny(r.module, inner):
			problems = append(problems, name+" must not import "+inner)
		case !ours && packages[imp].Standard && matchesAny(r.never, imp):
			problems = append(problems, name+" must not import the standard library's "+imp)
		case !ours && !packages[imp].Standard && !r.others:
			problems = append(problems, name+" must not import another module's "+imp)
		}
	}
	return problems
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == above || strings.HasPrefix(name, above+"/")
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

// readAll reads what go list will, file by file: go test repeats its last answer only while
// what a test has read itself is the same.
func readAll(t *testing.T, root string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		_, err = os.ReadFile(path)
		return err
	}))
}

func list(t *testing.T) map[string]listed {
	t.Helper()
	readAll(t, "../..")
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Module", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go list: %s", stderr.String())
	packages := map[string]listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages[p.ImportPath] = p
	}
}
