package iniconf

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// How many deployments are loaded with PasteDeploy 1.5.2 of Python 2.7 and with the
// newest of Python 3, and how many with each of the others. Each is one to six files:
// more than 20,000 for the one and for the other.
const (
	liveDeployments      = 9500
	liveOtherDeployments = 400
	liveBatch            = 50
)

// deployment is a generated set of files and how it is loaded.
type deployment struct {
	dir   string
	files map[string]string // main.ini is the one that is asked for
	app   string
	given map[string]string
}

func (d *deployment) write(t *testing.T) {
	t.Helper()
	require.NoError(t, os.RemoveAll(d.dir))
	made := map[string]bool{}
	for name, text := range d.files {
		file := filepath.Join(d.dir, name)
		if dir := filepath.Dir(file); !made[dir] {
			require.NoError(t, os.MkdirAll(dir, 0o700))
			made[dir] = true
		}
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
}

func (d *deployment) String() string {
	s := fmt.Sprintf("app %q, global_conf %q", d.app, d.given)
	for name, text := range d.files {
		s += "\n--- " + name + "\n" + text
	}
	return s
}

// pasteAnswer is what PasteDeploy made of a deployment.
type pasteAnswer struct {
	Error, Text         string
	Global, Local, Both [][2]string
	Tree                any
}

// TestLivePasteDeploy compares what an application is given with appconfig, and what it
// is made of with loadapp, for generated files, in every environment that has Paste.
func TestLivePasteDeploy(t *testing.T) {
	for _, venv := range peers.WithPackage(t, "paste") {
		main := venv.Python2() && venv.Name == "py2.7-pastedeploy1.5.2" || strings.HasPrefix(venv.PasteDeploy, "3.")
		n := map[bool]int{true: liveDeployments, false: liveOtherDeployments}[main]
		if testing.Short() {
			n = map[bool]int{true: 400, false: 100}[main]
		}
		t.Run(venv.Name, func(t *testing.T) {
			t.Parallel()
			newDeployTest(t, venv).run(n)
		})
	}
}

// deployTest compares with one environment.
type deployTest struct {
	*testing.T
	py      *python
	dialect Dialect
	release PasteDeploy
	kinds   map[string]int // of errors
	nodes   map[string]int // of trees, by what they are
	values  int
	files   int
	read    int
}

func newDeployTest(t *testing.T, v peers.Venv) *deployTest {
	py := startPython(t, v)
	d := &deployTest{T: t, py: py, dialect: py.dialect(), release: PasteDeploy21, kinds: map[string]int{}, nodes: map[string]int{}}
	if strings.HasPrefix(v.PasteDeploy, "1.") {
		d.release = PasteDeploy15
	}
	return d
}

func (d *deployTest) run(n int) {
	d.Helper()
	root := d.TempDir()
	for first := 0; first < n; first += liveBatch {
		var all []*deployment
		var batch [][]any
		for seed := first; seed < min(first+liveBatch, n); seed++ {
			g := &deployGenerator{iniGenerator: iniGenerator{Rand: rand.New(rand.NewPCG(uint64(seed), 2)), wild: (seed % 10) / 7}, dialect: d.dialect}
			x := g.deployment(filepath.Join(root, fmt.Sprint("d", seed%liveBatch)))
			x.write(d.T)
			d.files += len(x.files)
			all = append(all, x)
			batch = append(batch, []any{filepath.Join(x.dir, "main.ini"), x.app, x.given})
		}
		answers := d.send(batch)
		loaded := make([]*Config, len(all))
		errs := make([]error, len(all))
		for i, x := range all {
			loaded[i], errs[i] = Load(filepath.Join(x.dir, "main.ini"),
				LoadOptions{Dialect: d.dialect, App: x.app, Global: x.given, PasteDeploy: d.release})
		}
		for i, want := range answers() {
			d.compare(fmt.Sprintf("seed %d: %v\nPython: %s %s\n%v", first+i, errs[i], want.Error, want.Text, all[i]), want, loaded[i], errs[i])
		}
	}
	d.Logf("Python %s, PasteDeploy %s: %d files in %d deployments, %d of them read, errors %v, %d settings compared, parts %v: no difference",
		d.py.venv.Python, d.py.venv.PasteDeploy, d.files, n, d.read, d.kinds, d.values, d.nodes)
}

// send asks Python, which works while the caller does; the function that it returns
// waits for the answers.
func (d *deployTest) send(batch [][]any) func() []pasteAnswer {
	d.Helper()
	line, err := json.Marshal(map[string]any{"do": "paste", "batch": batch})
	require.NoError(d, err)
	_, err = d.py.in.Write(append(line, '\n'))
	require.NoError(d, err)
	return func() []pasteAnswer {
		reply, err := d.py.out.ReadBytes('\n')
		require.NoError(d, err)
		var a struct {
			Error, Text string
			Answers     []pasteAnswer
		}
		require.NoError(d, json.Unmarshal(reply, &a))
		require.Empty(d, a.Error, a.Text)
		require.Len(d, a.Answers, len(batch))
		return a.Answers
	}
}

func (d *deployTest) compare(context string, want pasteAnswer, c *Config, err error) {
	d.Helper()
	if want.Error != "" || err != nil {
		require.Error(d, err, context)
		require.NotEmpty(d, want.Error, context)
		d.sameKind(context, want.Error, err)
		return
	}
	d.read++
	d.values += len(want.Both)
	d.sameSettings(context, want.Global, c.root.global)
	d.sameSettings(context, want.Local, c.root.local)
	d.sameSettings(context, want.Both, c.root.merged())
	made, _ := want.Tree.(map[string]any) // else it is "composed"
	if wrong, failed := made["error"].(string); failed || treeError(c.root) != nil {
		require.True(d, failed, "%v\n%s", treeError(c.root), context)
		require.Error(d, treeError(c.root), "%v\n%s", want.Tree, context)
		d.sameKind(context, wrong, treeError(c.root))
		return
	}
	wanted, got := d.normal(want.Tree), d.tree(c.root)
	if fmt.Sprint(wanted) != fmt.Sprint(got) {
		require.Equal(d, wanted, got, context)
	}
}

// sameKind compares kinds of errors. In Python 2 the order of a dict decides which of
// several errors comes first.
func (d *deployTest) sameKind(context, class string, err error) {
	d.Helper()
	kind := err.(*Error).Kind
	d.kinds[kind.String()]++
	if d.dialect == Python2 {
		return
	}
	wanted := pythonKind(class)
	switch class {
	case "ValueError", "AssertionError", "TypeError": // a relative name from nowhere; urlmap and cascade; a message of 1.5.2
		wanted = KindLookup.String()
	case "RecursionError":
		if kind == KindLimit {
			return // settings that change at each turn
		}
	}
	require.Equal(d, wanted, kind.String(), context)
}

// sameSettings compares keys and values, and for Python 3 their order.
func (d *deployTest) sameSettings(context string, want [][2]string, got *table) {
	d.Helper()
	have := make([][2]string, 0, len(got.items))
	for _, s := range got.items {
		have = append(have, [2]string{onWire(d.dialect, s.Key), onWire(d.dialect, s.Value)})
	}
	if d.dialect == Python2 {
		for _, l := range [][][2]string{want, have} {
			slices.SortFunc(l, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
		}
	}
	require.Equal(d, want, have, context)
}

// treeError is the error that creating the application ends with.
func treeError(c *context) error {
	c = c.innermost()
	if compositeFactory(c.factory) == "" {
		return nil // what others do is not known
	}
	for _, m := range c.children {
		if m.err != nil {
			return m.err
		}
		if err := treeError(m.context); err != nil {
			return err
		}
	}
	return nil
}

// normal sorts the settings in Python 2's tree, whose dicts have no order.
func (d *deployTest) normal(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		for k, v := range tree {
			if l, ok := v.([]any); ok && d.dialect == Python2 && (k == "global" || k == "local") {
				slices.SortFunc(l, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
			tree[k] = d.normal(v)
		}
	case []any:
		for i, v := range tree {
			tree[i] = d.normal(v)
		}
	}
	return tree
}

// tree is what PasteDeploy would create, as reference.py tells it.
func (d *deployTest) tree(c *context) any {
	d.Helper()
	var made any
	switch c.kind {
	case kindFactory:
		return d.leaf(c)
	case kindFilteredWith:
		d.nodes["filter-with"]++
		if c.next.kind != kindFactory {
			return "composed"
		}
		made = d.tree(c.next)
	case kindPipeline, kindFilterApp:
		d.nodes[map[contextKind]string{kindPipeline: "pipeline", kindFilterApp: "filter-app"}[c.kind]]++
		made = d.tree(c.next)
	}
	for _, f := range slices.Backward(c.filters) {
		made = d.around(f, made)
	}
	return made
}

// around applies a filter, which may have one of its own.
func (d *deployTest) around(f *context, app any) any {
	if f.kind == kindFilteredWith {
		app = d.around(f.next, app)
		return d.around(f.filters[0], app)
	}
	d.nodes["filter"]++
	made := d.given(f)
	made["app"] = app
	return made
}

func (d *deployTest) given(c *context) map[string]any {
	made := map[string]any{"factory": onWire(d.dialect, c.factory)}
	for name, t := range map[string]*table{"global": c.global, "local": c.local} {
		l := []any{}
		for _, s := range t.items {
			l = append(l, []any{onWire(d.dialect, s.Key), onWire(d.dialect, s.Value)})
		}
		made[name] = l
	}
	return d.normal(made).(map[string]any)
}

func (d *deployTest) leaf(c *context) any {
	made := d.given(c)
	kind := compositeFactory(c.factory)
	if kind == "" {
		d.nodes["app"]++
		return made
	}
	d.nodes[kind]++
	apps := []any{}
	if kind == factoryURLMap {
		made["missing"] = nil
	}
	children := urlOrder(d.dialect, c.children)
	if kind == factoryCascade {
		slices.SortFunc(children, func(a, b mounted) int { return strings.Compare(a.Key, b.Key) })
	}
	for _, m := range children {
		if m.missing {
			made["missing"] = d.tree(m.context)
		} else {
			apps = append(apps, []any{onWire(d.dialect, m.domain), onWire(d.dialect, m.mount), d.tree(m.context)})
		}
	}
	made["apps"] = apps
	return made
}

// urlOrder sorts as paste.urlmap.URLMap.sort_apps: by host, those for any host last,
// then the longest path first.
func urlOrder(d Dialect, children []mounted) []mounted {
	host := func(m mounted) string {
		if m.domain != "" {
			return m.domain
		}
		return "\u00ff"
	}
	length := func(m mounted) int {
		if d == Python2 {
			return len(m.mount)
		}
		return len([]rune(m.mount))
	}
	out := slices.Clone(children)
	slices.SortStableFunc(out, func(a, b mounted) int {
		if n := strings.Compare(host(a), host(b)); n != 0 {
			return n
		}
		if n := length(b) - length(a); n != 0 {
			return n
		}
		return strings.Compare(a.mount, b.mount)
	})
	return out
}

// expected is a line of testdata/ini/expected-*.jsonl.
type expected struct {
	File, App string
	pasteAnswer
}

// readExpected returns what real PasteDeploy made of the files of testdata/ini, which
// is dir, and the same as text.
func readExpected(t *testing.T, dir string, d Dialect) (rows []expected, text string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, map[Dialect]string{Python2: "expected-2.jsonl", Python3: "expected-3.jsonl"}[d]))
	require.NoError(t, err)
	for line := range strings.Lines(strings.ReplaceAll(string(data), "HERE", dir)) {
		var row expected
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		rows = append(rows, row)
	}
	return rows, string(data)
}

func iniTestdata(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../testdata/ini")
	require.NoError(t, err)
	return dir
}

// TestExpected compares each application of the files of testdata/ini with what
// PasteDeploy made of it when scripts/ini/expect.py was run.
func TestExpected(t *testing.T) {
	dir := iniTestdata(t)
	for _, dialect := range []Dialect{Python2, Python3} {
		d := &deployTest{T: t, dialect: dialect, kinds: map[string]int{}, nodes: map[string]int{}}
		rows, _ := readExpected(t, dir, dialect)
		require.NotEmpty(t, rows)
		for _, row := range rows {
			c, err := Load(filepath.Join(dir, row.File), LoadOptions{App: row.App, Dialect: dialect})
			d.compare(fmt.Sprintf("%s#%s: %v\nPython: %s %s", row.File, row.App, err, row.Error, row.Text), row.pasteAnswer, c, err)
		}
		require.Positive(t, d.read)
		require.Positive(t, d.nodes[factoryURLMap])
	}
}

// TestLiveExpected checks that the committed answers are those of PasteDeploy.
func TestLiveExpected(t *testing.T) {
	dir := iniTestdata(t)
	for _, venv := range peers.WithPackage(t, "paste") {
		dialect := Python3
		switch {
		case venv.Python2() && venv.PasteDeploy == "1.5.2":
			dialect = Python2
		case !strings.HasPrefix(venv.PasteDeploy, "3."):
			continue
		}
		rows, text := readExpected(t, dir, dialect)
		arguments := []string{peers.Script(t, "ini/expect.py")}
		for _, row := range rows {
			if !slices.Contains(arguments, row.File) {
				arguments = append(arguments, row.File)
			}
		}
		cmd := exec.Command(venv.Exe, arguments...)
		cmd.Dir = dir
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, text, string(out), "run scripts/ini/expect.py again, or see what changed")
	}
}
