// Package packaging checks what gobeaker is delivered in: the archives of scripts/build,
// the Dockerfile, the units of systemd, the example for Kubernetes, the workflows.
package packaging

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

func root(t *testing.T) string {
	t.Helper()
	abs, err := filepath.Abs("../..")
	require.NoError(t, err)
	return abs
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), path))
	require.NoError(t, err)
	return string(text)
}

// run runs a command in dir and returns its output.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// gobeaker builds the binary as it is released.
func gobeaker(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "gobeaker")
	run(t, root(t), "scripts/build", "--version", "v1.2.3", "--binary", exe)
	return exe
}

// tree copies the sources to another place, without their history.
func tree(t *testing.T) string {
	t.Helper()
	files := strings.Split(strings.TrimSuffix(run(t, root(t), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00"), "\x00")
	dir := filepath.Join(t.TempDir(), "elsewhere", "sources")
	for _, name := range files {
		if strings.HasPrefix(name, "testdata/") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root(t), name))
		if os.IsNotExist(err) { // deleted, and not committed yet
			continue
		}
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join(root(t), name))
		require.NoError(t, err)
		to := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, text, info.Mode()))
	}
	return dir
}

// What is built twice, in two directories, is the same, and what is in the archive works.
func TestBuildIsReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles and links gobeaker several times")
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	platform := runtime.GOOS + "/" + runtime.GOARCH
	var sums [2][32]byte
	var out string
	for i := range sums {
		out = t.TempDir()
		run(t, tree(t), "scripts/build", "--version", "v1.2.3", "--output", out, platform)
		archives, err := filepath.Glob(filepath.Join(out, "*.tar.gz"))
		require.NoError(t, err)
		require.Len(t, archives, 1)
		text, err := os.ReadFile(archives[0])
		require.NoError(t, err)
		sums[i] = sha256.Sum256(text)
	}
	require.Equal(t, sums[0], sums[1])

	run(t, out, "sha256sum", "--check", "--strict", "SHA256SUMS")
	name := "gobeaker_v1.2.3_" + strings.ReplaceAll(platform, "/", "_")
	run(t, out, "tar", "xzf", name+".tar.gz")
	dir := filepath.Join(out, name)
	for _, file := range []string{"LICENSE", "man/gobeaker.1", "man/gobeaker-serve.1", "completions/gobeaker.bash", "systemd/gobeaker.service"} {
		require.FileExists(t, filepath.Join(dir, file))
	}
	version := run(t, dir, "./gobeaker", "version")
	require.Contains(t, version, "gobeaker v1.2.3\n")
	binary, err := os.ReadFile(filepath.Join(dir, "gobeaker"))
	require.NoError(t, err)
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	require.False(t, bytes.Contains(binary, []byte(home+"/go/")), "a path of this machine")
	require.False(t, bytes.Contains(binary, []byte("elsewhere/sources")), "a path of the build")
	if ldd, err := exec.LookPath("ldd"); err == nil {
		out, _ := exec.Command(ldd, filepath.Join(dir, "gobeaker")).CombinedOutput()
		require.Contains(t, string(out), "not a dynamic executable")
	}
}

// Each page has its sections, and man finds nothing to complain about.
func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	run(t, root(t), "go", "run", "./cmd/gobeaker", "manual", dir)
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	require.NoError(t, err)
	require.Greater(t, len(pages), 12)
	man, _ := exec.LookPath("man")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, section := range []string{".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"} {
			require.Contains(t, string(text), section, page)
		}
		if man != "" {
			c := exec.Command(man, "--warnings", "-l", page)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			require.NoError(t, c.Run(), page)
			require.Empty(t, stderr.String(), page)
		}
	}
	if man == "" {
		t.Log("the pages were not looked at by man: it is not installed")
	}
}

// What bash completes, by bash itself.
func TestCompletion(t *testing.T) {
	exe := gobeaker(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		peers.Missing(t, err)
	}
	script := filepath.Join(t.TempDir(), "completion.bash")
	require.NoError(t, os.WriteFile(script, []byte(run(t, ".", exe, "completion", "bash")), 0o644))
	for line, want := range map[string]string{
		"gobeaker mig":                  "migrate",
		"gobeaker inspect --as c":       "cookie",
		"gobeaker ls --state ex":        "expired",
		"gobeaker convert --peer tur":   "turbogears-2.4 turbogears-2.5",
		"gobeaker serve --log-format j": "json",
	} {
		// Without the package bash-completion the script wants one function of it.
		out := run(t, filepath.Dir(exe), bash, "--norc", "-c", `
			PATH=.:$PATH
			_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; }
			__ltrim_colon_completions() { :; }
			source "$1"
			read -ra COMP_WORDS <<<"$2"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=$2; COMP_POINT=${#2}; COMP_TYPE=9
			__start_gobeaker 2>/dev/null # compopt wants a real completion
			printf '%s\n' "${COMPREPLY[@]}"`, "bash", script, line)
		var words []string
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			word, _, _ := strings.Cut(strings.TrimSpace(l), " ")
			words = append(words, word)
		}
		require.Equal(t, want, strings.Join(words, " "), line)
	}
}

// No Docker runs here; what can be said of the file without one is said.
func TestDockerfile(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	gomod := read(t, "go.mod")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(gomod)[1]
	require.Contains(t, dockerfile, "FROM golang:"+version+"-", "the Go that go.mod asks for")
	ignored := strings.Fields(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(read(t, ".dockerignore"), ""))
	for _, copied := range regexp.MustCompile(`(?m)^COPY ([^-].*) \S+$`).FindAllStringSubmatch(dockerfile, -1) {
		for _, source := range strings.Fields(copied[1]) {
			_, err := os.Stat(filepath.Join(root(t), source))
			require.NoError(t, err, "COPY %s", source)
			require.NotContains(t, ignored, "/"+source)
		}
	}
	// What the image runs are commands that there are.
	exe := gobeaker(t)
	require.Contains(t, dockerfile, `ENTRYPOINT ["/gobeaker"]`)
	require.Contains(t, dockerfile, `CMD ["serve"]`)
	require.Contains(t, dockerfile, "/gobeaker ping http://127.0.0.1:9901/ready")
	run(t, ".", exe, "serve", "--help")
	run(t, ".", exe, "ping", "--help")
	// A variable would go before the file that is mounted into the image.
	require.NotContains(t, dockerfile, "GOBEAKER_")
}

func TestSystemdUnits(t *testing.T) {
	dir := filepath.Join(root(t), "docs/examples/systemd")
	units, err := filepath.Glob(filepath.Join(dir, "gobeaker*"))
	require.NoError(t, err)
	require.Len(t, units, 3)
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: the units were not verified")
	}
	// It wants the program to be there.
	exe := gobeaker(t)
	work := t.TempDir()
	var names []string
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		require.NoError(t, err)
		name := filepath.Join(work, filepath.Base(unit))
		require.NoError(t, os.WriteFile(name, bytes.ReplaceAll(text, []byte("/usr/local/bin/gobeaker"), []byte(exe)), 0o644))
		names = append(names, name)
	}
	c := exec.Command(analyze, append([]string{"verify", "--man=no"}, names...)...)
	c.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+work+":")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "gobeaker", "it complains")
}

// The configuration in the example is one that gobeaker takes, and its parts agree.
func TestKubernetesExample(t *testing.T) {
	type object = map[string]any
	byKind := map[string]object{}
	d := yaml.NewDecoder(strings.NewReader(read(t, "docs/examples/kubernetes/sidecar.yaml")))
	for {
		var o object
		if err := d.Decode(&o); err != nil {
			require.ErrorContains(t, err, "EOF")
			break
		}
		byKind[o["kind"].(string)] = o
	}
	require.Len(t, byKind, 4)

	dir := t.TempDir()
	toml := byKind["ConfigMap"]["data"].(object)["gobeaker.toml"].(string)
	toml = strings.ReplaceAll(toml, "/etc/gobeaker/secrets", dir)
	for name, value := range byKind["Secret"]["stringData"].(object) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(value.(string)), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gobeaker.toml"), []byte(toml), 0o600))
	require.Contains(t, run(t, dir, gobeaker(t), "serve", "--check", "--config", "gobeaker.toml"), "2 routes")

	pod := byKind["Deployment"]["spec"].(object)["template"].(object)["spec"].(object)
	var sidecar object
	for _, c := range pod["containers"].([]any) {
		if c := c.(object); c["name"] == "gobeaker" {
			sidecar = c
		}
	}
	ports := map[string]int{}
	for _, p := range sidecar["ports"].([]any) {
		ports[p.(object)["name"].(string)] = p.(object)["containerPort"].(int)
	}
	require.Equal(t, map[string]int{"http": 8080, "admin": 9901}, ports)
	for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		require.Equal(t, "admin", sidecar[probe].(object)["httpGet"].(object)["port"], probe)
	}
}

// The workflows are YAML, and run scripts that are there.
func TestWorkflows(t *testing.T) {
	for file, script := range map[string]string{"test.yml": "scripts/test", "release.yml": "scripts/build"} {
		text := read(t, ".github/workflows/"+file)
		var w struct {
			Jobs map[string]struct {
				Steps []struct{ Run, Uses string }
			}
		}
		require.NoError(t, yaml.Unmarshal([]byte(text), &w), file)
		var runs, uses []string
		for _, job := range w.Jobs {
			for _, step := range job.Steps {
				runs, uses = append(runs, step.Run), append(uses, step.Uses)
			}
		}
		require.Contains(t, strings.Join(runs, "\n"), script, file)
		require.FileExists(t, filepath.Join(root(t), script))
		for _, action := range uses {
			require.Regexp(t, `^$|^[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})$`, action, "a pinned action")
		}
	}
}
