package iniconf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
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

// How many files each Python is given: one of each dialect gets most.
const (
	liveFiles     = 20_000
	liveFilesRest = 2_000
	liveFilesFew  = 300 // with -short
)

// TestLiveParser compares the parser and the interpolation with ConfigParser:
// sections and options in their order, raw and interpolated values, classes of
// errors and all lines that Python names.
func TestLiveParser(t *testing.T) {
	specimens := iniSpecimens(t)
	main := map[Dialect]bool{}
	pythons := peers.Pythons(t)
	for i := len(pythons) - 1; i >= 0; i-- {
		p := pythons[i]
		d := Python3
		switch {
		case p.Major == 2:
			d = Python2
		case p.Minor < 10:
			d = Python39
		}
		files := liveFilesRest
		switch {
		case testing.Short():
			files = liveFilesFew
		case !main[d]:
			files = liveFiles
		}
		main[d] = true
		t.Run(p.Name(), func(t *testing.T) {
			t.Parallel()
			compareParser(t, p, d, files, specimens)
		})
	}
}

// iniSpecimens are the project's ini files and a few lines more, to be mutated.
func iniSpecimens(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../testdata/ini/*.ini")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	specimens := []string{
		"[DEFAULT]\ndebug = false\n\n[app:main]\nuse = egg:Shop\nbeaker.session.key = shop\nbeaker.session.secret = s3cret;with#marks ; kept?\n\n[uwsgi]\npaste = config:%p\n",
		"[app:main]\npyramid.includes =\n    pyramid_debugtoolbar\n    # pyramid_tm\n\n    pyramid_beaker\ncache_dir = /tmp/%(ckan.site_id)s/\nckan.site_id = default\nempty =\nquoted = \"\"\n",
		"[loggers]\nkeys = root, shop\n[formatter_generic]\nformat = %(asctime)s %(levelname)-5.5s [%(name)s][%(threadName)s] %(message)s\n[formatter_exc]\nformat = 100% %%(asctime)s\n",
		"[app:a]\r\nx = 1\r\n\r\n[app:b] ; the other [one]\r\nx: 2\r\n   3\r\nurl = http://h:80/?a=b;c=d\r\n",
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		specimens = append(specimens, string(data))
	}
	return specimens
}

// parsed is what one line of scripts/ini/parse.py says, and what parse makes of
// the same text.
type parsed struct {
	Error    string
	Lines    []int
	Sections []string
	Values   [][4]any
}

func compareParser(t *testing.T, py peers.Python, d Dialect, files int, specimens []string) {
	cmd := exec.CommandContext(t.Context(), py.Exe, peers.Script(t, "ini/parse.py"))
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	texts := make(chan string, 64)
	dir := t.TempDir()
	go sendTexts(t.Context().Done(), in, texts, dir, files, specimens)

	var read, refused, values int
	answers := bufio.NewReaderSize(out, 1<<20)
	for text := range texts {
		line, err := answers.ReadBytes('\n')
		require.NoError(t, err)
		var want parsed
		require.NoError(t, json.Unmarshal(line, &want))
		for i := range want.Values {
			v := &want.Values[i]
			if v[3] == nil {
				v[3] = v[2]
			} else if e, ok := v[3].(map[string]any); ok {
				v[3] = "! " + parserKind(e["error"].(string))
			}
		}
		want.Error = parserKind(want.Error)
		if want.Error != "" {
			refused++
		} else {
			read++
		}
		values += len(want.Values)
		got, err := asParsed(text, d)
		if got.equal(want) {
			continue
		}
		require.Equal(t, want, got, "%v\n%q", err, text)
	}
	require.NoError(t, cmd.Wait())
	require.NotZero(t, read)
	require.NotZero(t, refused)
	t.Logf("Python %s: %d files read, %d refused, %d values compared: no difference", py.Name(), read, refused, values)
}

// sendTexts writes files requests to parse.py, every 20th as a real file, and
// tells what their texts are.
func sendTexts(done <-chan struct{}, in io.WriteCloser, texts chan<- string, dir string, files int, specimens []string) {
	defer close(texts)
	defer in.Close()
	to := json.NewEncoder(in)
	for seed := range files {
		g := textGenerator{rand.New(rand.NewPCG(uint64(seed), 5)), specimens}
		text := g.text(seed)
		request := map[string]string{"text": onWire(Python2, text)}
		if seed%20 == 0 {
			path := filepath.Join(dir, fmt.Sprint(seed, ".ini"))
			if os.WriteFile(path, []byte(text), 0o600) != nil {
				return
			}
			request = map[string]string{"file": path}
		}
		if to.Encode(request) != nil {
			return
		}
		select {
		case texts <- text:
		case <-done:
			return
		}
	}
}

// asParsed is what parse and interpolate make of a text.
func asParsed(text string, d Dialect) (parsed, error) {
	doc, err := parse("x.ini", text, d)
	if err != nil {
		e := err.(*Error)
		p := parsed{Error: e.Kind.String(), Lines: []int{e.Line}}
		switch {
		case e.Kind == KindParsing:
			p.Lines = e.Lines
		case e.Kind == KindEncoding, e.Kind == KindDuplicateSection && d == Python2:
			p.Lines = []int{} // Python names none
		}
		return p, err
	}
	p := parsed{Sections: []string{}, Values: [][4]any{}}
	for _, s := range everySection(doc) {
		if s != doc.defaults {
			p.Sections = append(p.Sections, onWire(d, s.name))
		}
		sc := scope{section: s.opts, defaults: doc.defaults.opts}
		for _, o := range s.opts.list() {
			v, e := interpolate(d, sc, o, &budget{bytes: 64 << 20, steps: 1 << 20})
			result := onWire(d, v.Value)
			if e != nil {
				result, err = "! "+e.(*Error).Kind.String(), e
			}
			p.Values = append(p.Values, [4]any{onWire(d, s.name), onWire(d, o.Key), onWire(d, o.Value), result})
		}
	}
	return p, err
}

func (p parsed) equal(q parsed) bool {
	return p.Error == q.Error && slices.Equal(p.Lines, q.Lines) && slices.Equal(p.Sections, q.Sections) && slices.Equal(p.Values, q.Values)
}

// parserKind is the kind that stands for a Python exception.
func parserKind(class string) string {
	switch class {
	case "TypeError", "ValueError", "AttributeError", "WholeSection":
		return KindInterpolationSyntax.String()
	}
	return class
}

// textGenerator writes ini files of four sorts.
type textGenerator struct {
	*rand.Rand
	specimens []string
}

func (g textGenerator) pick(from ...string) string { return from[g.IntN(len(from))] }

// few joins up to n of what make makes.
func (g textGenerator) few(n int, make func() string) string {
	var b strings.Builder
	for range g.IntN(n + 1) {
		b.WriteString(make())
	}
	return b.String()
}

func (g textGenerator) text(seed int) string {
	switch seed % 4 {
	case 0:
		return g.soup(seed)
	case 1:
		return g.mutated()
	case 2:
		return g.references()
	}
	return g.lines(seed)
}

// space is any character that one of the Pythons takes for white space, and some
// that none does.
func (g textGenerator) space() string {
	return g.pick(" ", " ", " ", "  ", "\t", "\t", "\r", "\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\u0085", "\u00a0", "\u1680",
		"\u180e", "\u2000", "\u200a", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff", "\x00", "\x85", "\xa0", "\x7f")
}

// soup is any string of the characters that mean something.
func (g textGenerator) soup(seed int) string {
	start := g.pick("[s]\n", "[s]\n", "[s]\na=", "[s]\na = %(", "[DEFAULT]\n", "")
	return start + g.few(60, func() string {
		if seed%8 == 0 && g.IntN(12) == 0 {
			return g.space()
		}
		return g.pick("[", "]", "=", ":", "#", ";", "%", "%", "%(", ")", ")s", "%%", " ", " ", "\n", "\n", "\n", "\n ", "\n\t", "\r\n", "a", "b", "s", "r", "d", "c",
			"a=", "b=", "[s]", "[b]", "[DEFAULT]\n", "rem", "REM ", `"`, "'", `""`, "\\", "-", ".", "5", "0", "*", "l", "é", "%(a)s", "%(b)s", "__name__")
	})
}

// mutated is a realistic file after a few accidents.
func (g textGenerator) mutated() string {
	lines := strings.SplitAfter(g.pick(g.specimens...), "\n")
	for range 1 + g.IntN(6) {
		i, j := g.IntN(len(lines)), g.IntN(len(lines))
		line := lines[i]
		at := g.IntN(len(line) + 1)
		switch g.IntN(12) {
		case 0:
			lines[i] = ""
		case 1:
			lines = slices.Insert(lines, j, line)
		case 2:
			lines[i], lines[j] = lines[j], lines[i]
		case 3:
			lines[i] = g.pick(" ", "\t", "    ", g.space()) + line
		case 4:
			lines[i] = strings.TrimLeft(line, " \t")
		case 5, 6:
			lines[i] = line[:at] + g.space() + line[at:]
		case 7, 8:
			lines[i] = line[:at] + g.pick("%", "=", ":", ";", " ;", "#", " #", "[", "]", "%(here)s", "%%", "\"", "\n", "\xff") + line[at:]
		case 9:
			if at > 0 {
				lines[i] = line[:at-1] + line[at:]
			}
		case 10:
			lines[i] = strings.TrimSuffix(line, "\n")
		case 11:
			lines[i] = g.pick("#", ";", "rem ", "\n", " \n", "REM\t", "\ufeff", "[DEFAULT]\n", "=", "; ", "  # c\n") + line
		}
	}
	return strings.Join(lines, "")
}

// references is a file that tries interpolation.
func (g textGenerator) references() string {
	names := []string{"a", "b", "c", "d", "e.f", "g h", "I", "i", "__name__", "%", "x(y)", "é", "nope"}
	reference := func() string {
		return g.pick("%(", "%(", "%(", "%(", "%%(", "%%%(") + g.pick(names...) + ")" + g.pick("s", "s", "s", "s", "s", "s", "s", "5s", "-5s", ".2s", "-7.3s|", "r", "c",
			"d", "i", "f", "x", "ls", "%", "%s", "5%", "", "", " s", "#05s", "+.s", "*s", ".*s", "08.3hr", "S", ")s", "99999999999999999999s", "q", "u")
	}
	piece := func() string {
		switch g.IntN(12) {
		case 0:
			return g.pick("%", "%s", "%r", "%d", "%5", "%.", "% ", "%-", "%(", "%()", "%()s", "100%", "%h", "%5%", "%ls", "%c")
		case 1:
			return g.pick("%%", "%%", "50%%")
		case 2, 3:
			return g.pick("x", "/tmp", "it's", `q"`, "\\", "é", "\t", "\n  ", "\n\n  ", ",", "(", ")", "\x01", "\x7f")
		}
		return reference()
	}
	if g.IntN(3) > 0 { // what is mostly right
		reference = func() string { return "%(" + g.pick(names[:8]...) + ")s" }
	}
	var b strings.Builder
	for _, s := range []string{"DEFAULT", "s", "t"} {
		b.WriteString("[" + s + "]\n")
		used := map[string]bool{}
		for range 3 + g.IntN(6) {
			key := g.pick(names[:12]...)
			if used[key] && g.IntN(100) > 0 {
				continue
			}
			used[key] = true
			b.WriteString(key + g.pick(" = ", "=", ": ") + g.few(3, piece) + "\n")
		}
		if g.IntN(4) == 0 { // around the limit of the depth
			b.WriteString(strings.TrimPrefix(chain(8+g.IntN(5), g.few(2, piece)), "[s]\n"))
		}
	}
	return b.String()
}

// lines is a file with every sort of line, mostly in a sensible order.
func (g textGenerator) lines(seed int) string {
	blank := func() string { return g.pick("", "", "", " ", " ", "  ", "\t", g.space()) }
	word := func() string {
		return g.pick("alpha", "b", "=", ":", ";", " ;", " ; c", "#", " # c", `"`, `""`, "'", "[x]", "]", "[", "%%", "é", "rem", "\\", "x;y", g.space())
	}
	key := 0
	name := func() string {
		if g.IntN(40) == 0 {
			return g.pick("", "twice", "[k", "[k]", "k]", "'", "#", ";", "rem", "rem x", "remark", "%", "%(a)s", `""`, g.space(), "x\x00", "\ufeffx")
		}
		key++
		return g.pick("k", "set k", "beaker.session.k", "Ké", "k [x]", "k # c", "k ; c", "k%") + fmt.Sprint(key)
	}
	section := func() string {
		if g.IntN(6) == 0 {
			return g.pick("[DEFAULT]", "[default]", "[Default]", "[ DEFAULT ]", "[]", "[", "[x", "[]]", "[a]b]", "[a][b]", "[a] ; c", "[a] # c ]", "[a]=1", "[s]", "  [t]", "[x]y", "[ ]", "[\t]", "[[x]]", "[x]]", "[a=b]", "[a:b] c")
		}
		key++
		return fmt.Sprintf("[app:%s%d]", g.pick("x", "é", " m ", "#", ";"), key)
	}
	line := func() string {
		switch g.IntN(24) {
		case 0:
			return section()
		case 1:
			return g.pick("# c", "; c", " # c", "\t; c", "#", ";", "#a = 1", "rem", "rem c", "Rem\tc", "REM=1", "remark = 1", " rem x = 1", "rem\x0cx=1", "//c")
		case 2, 3:
			return blank()
		case 4, 5, 6, 7:
			return g.pick(" ", "  ", "\t", "    ", g.space()) + g.few(3, word)
		case 8:
			if g.IntN(8) == 0 {
				return g.pick("word", "= x", ": x", " = x", "[x", "a\n")
			}
		case 9:
			return g.pick(" ", "  ", g.space()) + name() + " = " + g.few(2, word)
		}
		return name() + blank() + g.pick("=", ":", "=", "==", ":=") + blank() + g.few(3, word) + blank()
	}
	lines := []string{g.pick("# head", "", "\ufeff", "; head"), section()}
	if g.IntN(10) > 0 {
		lines = []string{"[DEFAULT]"}
	}
	for range g.IntN(25) {
		lines = append(lines, line())
	}
	return strings.Join(lines, g.pick("\n", "\n", "\n", "\r\n", "\r")) + g.pick("", "\n", "\n\n")
}
