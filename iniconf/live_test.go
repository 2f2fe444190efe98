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
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// python is one process of scripts/ini/reference.py.
type python struct {
	venv peers.Venv
	in   io.WriteCloser
	out  *bufio.Reader
}

func startPython(t *testing.T, v peers.Venv) *python {
	t.Helper()
	cmd := exec.Command(v.Exe, peers.Script(t, "ini/reference.py"))
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8", "PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &python{venv: v, in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

// dialect is the one that this Python has.
func (p *python) dialect() Dialect {
	if p.venv.Python2() {
		return Python2
	}
	return Python3
}

type pythonAnswer struct {
	Error   string
	Line    int
	Text    string
	Values  [][]any
	Global  [][2]string
	Local   [][2]string
	Both    [][2]string
	Options map[string]any
}

func (p *python) ask(t *testing.T, request map[string]any) pythonAnswer {
	t.Helper()
	line, err := json.Marshal(request)
	require.NoError(t, err)
	_, err = p.in.Write(append(line, '\n'))
	require.NoError(t, err)
	reply, err := p.out.ReadBytes('\n')
	require.NoError(t, err)
	var a pythonAnswer
	require.NoError(t, json.Unmarshal(reply, &a))
	return a
}

// onWire is how reference.py sends a text: Python 2's bytes as Latin-1.
func onWire(d Dialect, s string) string {
	if d != Python2 {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// livePythons returns one environment per dialect that has PasteDeploy: Python
// 2.7 where there is one, and a Python 3 whose section headers are greedy
// (3.10 and later).
func livePythons(t *testing.T) []*python {
	t.Helper()
	chosen := map[bool]peers.Venv{}
	for _, v := range peers.Beakers(t) {
		var minor int
		if _, err := fmt.Sscanf(v.Python, "3.%d", &minor); err == nil && minor < 10 {
			continue
		}
		if v.PasteDeploy != "" {
			chosen[v.Python2()] = v
		}
	}
	var out []*python
	for _, two := range []bool{false, true} {
		if v, ok := chosen[two]; ok {
			out = append(out, startPython(t, v))
		} else {
			t.Logf("no Python with PasteDeploy for dialect %v: that half is left out", map[bool]Dialect{false: Python3, true: Python2}[two])
		}
	}
	if len(out) == 0 {
		if os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1" {
			t.Fatal("no Python with PasteDeploy, and GOBEAKER_REQUIRE_PEERS=1")
		}
		t.Skip("no Python with PasteDeploy")
	}
	return out
}

// iniGenerator writes ini files that are mostly right, or mostly not.
type iniGenerator struct {
	*rand.Rand
	wild int  // 0: what everybody reads, 2: anything
	leaf bool // the file leads to no other (loops make Python slow)
}

func (g *iniGenerator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *iniGenerator) rarely(what, instead string) string {
	if g.wild > 0 && g.IntN(12/g.wild) == 0 {
		return what
	}
	return instead
}

func (g *iniGenerator) key() string {
	return g.pick("a", "b", "c", "d", "e f", "cache_dir", "debug", "A", "session.key", "beaker.session.key", "x.y", "here",
		g.rarely("__file__", "u"), "set a", "set debug", "get g", "set  z ", g.rarely("", "v"), g.rarely("rem", "w"),
		g.rarely("__name__", "n"), g.rarely("é", "é1"), g.rarely("paste.app_factory", "o"), g.rarely("filter-with", "q"), g.rarely("next", "p"))
}

// Words start with no letter that Python 2 would take for a conversion of its
// whole section ("%s", "%r"): see the package's documentation.
func (g *iniGenerator) piece() string {
	return g.pick("alpha", "beta", "/tmp/q", "x1", "é", "a", "g", "main", "50%%", "%(a)s", "%(b)s", "%(here)s", "%(x.y)s",
		"%(debug)s", `""`, " ", "  ", "#c", " # c", ";c", g.rarely("%", "1"), g.rarely("%(c)s%(d)s", "2"), g.rarely(" ; c", "3"), "\t",
		g.rarely("%(nope)s", "4"), g.rarely("%(", "5"), g.rarely("%()s", "6"), g.rarely("%(a)d", "7"), g.rarely("%(a)-7.3s|", "8"),
		g.rarely("\u00a0", "9"), g.rarely("\x0c", "0"), g.rarely("\x1c", "[]"), g.rarely("%(__name__)s", "="), g.rarely("\xff", ":"),
		g.rarely("%(a)r", "'"), g.rarely("%%(a)s", "]"), g.rarely("\r", "["), g.rarely("\u2028", "{}"), g.rarely("%5%", "\\"))
}

func (g *iniGenerator) value(key string) string {
	switch {
	case key == "use" && g.leaf && g.IntN(40) > 0:
		return g.pick("egg:Foo", "egg:Foo#bar", "third")
	case key == "use" && g.wild == 0:
		return g.pick("egg:Foo", "egg:Foo#bar", "third", "config:inc.ini", "config:inc.ini#other", "config:%(here)s/inc.ini#third", "config:inc%%20x.ini")
	case strings.HasPrefix(key, "get ") && g.IntN(8) > 0:
		return g.pick("a", "b", "x.y", "debug", "here", "c")
	case key == "use":
		return g.pick("egg:Foo", "egg:Foo#bar", "other", "main", "third", "config:inc.ini", "config:inc.ini#other", "config:%(here)s/inc.ini",
			"config:inc%%20x.ini", "egg:Foo", "egg:Foo#x", g.rarely("config:no.ini", "third"), g.rarely("http://x", "other"), g.rarely("", "other"))
	case key == "pipeline":
		return g.pick("f main", "f g other", "other", "f\n  other", "f third", "")
	case key == "filter-with":
		return g.pick("f", "g", "nope")
	case key == "next":
		return g.pick("main", "other", "third")
	}
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString(g.piece())
	}
	return b.String()
}

func (g *iniGenerator) line() string {
	switch g.IntN(14 - 2*g.wild) {
	case 0:
		return g.pick("# c", "; c", "  # c", "\t; c", "", "   ", "#", g.rarely("rem x", "# r"), g.rarely("REM", "; R"), g.rarely("Remark", "# m"))
	case 1:
		return g.pick("  ", "\t", "    ", g.rarely("\u00a0", " ")) + g.piece() + g.piece()
	case 2:
		return g.rarely(g.pick("word", "[x", "[]", "= x", " = x", "[a]b]", "  [c]", "[main] ; c", "[e]=f", "http://x = a", "\ufeff", "[DEFAULT]"), "# fine")
	}
	key := g.key()
	return key + g.pick("=", " = ", ":", " : ", "=  ", "\t=\t", " =") + g.value(key)
}

// text makes a file. A tame file names each key of a section once.
func (g *iniGenerator) text() string {
	var lines []string
	sections := []string{"app:main", "app:other", "app:third", "filter:f", "filter:g"}
	if g.wild == 0 || g.IntN(3) > 0 {
		sections = append([]string{"DEFAULT"}, sections...)
	}
	if g.IntN(4) == 0 {
		sections[len(sections)-1-g.IntN(3)] = g.pick("app: main", "application:main", "composite:main", "pipeline:main", "filter-app:main", "app:x:y", "server:main")
	}
	for _, s := range sections {
		lines = append(lines, "["+s+"]")
		used := map[string]bool{}
		if s == "DEFAULT" {
			for _, key := range []string{"a", "b", "x.y", "debug", "c"} {
				if g.wild == 0 || g.IntN(2) > 0 {
					lines = append(lines, key+" = "+g.pick("one", "two", "", "%(d)s", "%(here)s/x", "50%%", "é")+g.pick("", "1", " ; c"))
					used[key] = true
				}
			}
			lines = append(lines, "d = "+g.pick("", "deep", "%(here)s"))
			used["d"] = true
		} else {
			key := "use"
			if strings.HasPrefix(s, "pipeline") {
				key = "pipeline"
			}
			value := g.value(key)
			if (s == "app:third" || strings.HasPrefix(s, "filter:")) && g.IntN(12) > 0 {
				value = g.pick("egg:Foo", "egg:Foo#x")
			}
			lines = append(lines, key+" = "+value)
			if strings.HasPrefix(s, "filter-app") {
				lines = append(lines, "next = "+g.value("next"))
			}
		}
		n := g.IntN(6)
		if strings.HasPrefix(s, "pipeline") && g.IntN(4) > 0 {
			n = 0
		}
		for range n {
			line := g.line()
			name := strings.TrimSpace(strings.SplitN(strings.SplitN(line, "=", 2)[0], ":", 2)[0])
			if used[name] && g.wild < 2 {
				continue
			}
			used[name] = true
			lines = append(lines, line)
		}
	}
	end := "\n"
	if g.IntN(5) == 0 {
		end = "\r\n"
	}
	text := strings.Join(lines, end)
	if g.IntN(4) > 0 {
		text += end
	}
	return text
}

// TestLiveParser compares parser and interpolation with ConfigParser, value by
// value and error by error.
func TestLiveParser(t *testing.T) {
	for _, py := range livePythons(t) {
		t.Run(py.dialect().String(), func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "x.ini")
			var read, refused, values int
			for seed := range liveFiles {
				g := &iniGenerator{rand.New(rand.NewPCG(uint64(seed), 1)), seed % 3, false}
				text := g.text()
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				want := py.ask(t, map[string]any{"do": "parse", "file": file})
				doc, err := parse(file, text, py.dialect())
				if want.Error != "" || err != nil {
					refused++
					requireSameError(t, seed, text, want, err)
					continue
				}
				read++
				values += requireSameValues(t, seed, text, want, doc)
			}
			t.Logf("Python %s: %d files read, %d refused, %d values compared: no difference", py.venv.Python, read, refused, values)
		})
	}
}

// How many files each dialect is given; PasteDeploy is the slow one.
const (
	liveFiles      = 6000
	livePasteFiles = 2000
)

func requireSameError(t *testing.T, seed int, text string, want pythonAnswer, err error) {
	t.Helper()
	require.Error(t, err, "seed %d: Python says %s (line %d)\n%q", seed, want.Error, want.Line, text)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want.Error, e.Kind.String(), "seed %d: %v\nPython: %s\n%q", seed, err, want.Text, text)
	if want.Line != 0 {
		require.Equal(t, want.Line, e.Line, "seed %d: %v\n%q", seed, err, text)
	}
	require.Positive(t, e.Line)
}

func requireSameValues(t *testing.T, seed int, text string, want pythonAnswer, doc *document) int {
	t.Helper()
	d := doc.dialect
	got := map[string]string{}
	for _, s := range append([]*section{doc.defaults}, doc.sections...) {
		for _, o := range s.opts.list() {
			if d == Python2 && o.Key == "__name__" && o.Value == s.name {
				continue
			}
			sc := scope{section: s.opts, defaults: doc.defaults.opts}
			if s == doc.defaults {
				sc.section = nil
			}
			v, err := interpolate(d, sc, o, &budget{bytes: 1 << 20, steps: 1 << 20})
			result := "= " + onWire(d, v.Value)
			if err != nil {
				result = "! " + err.(*Error).Kind.String()
			}
			got[onWire(d, s.name)+"\x00"+onWire(d, o.Key)] = result
		}
	}
	wanted := map[string]string{}
	for _, v := range want.Values {
		r := v[2].(map[string]any)
		result := "! " + pythonKind(fmt.Sprint(r["error"]))
		if ok, isText := r["ok"].(string); isText {
			result = "= " + ok
		}
		wanted[v[0].(string)+"\x00"+v[1].(string)] = result
	}
	require.Equal(t, wanted, got, "seed %d\n%q", seed, text)
	return len(got)
}

// pythonKind translates exceptions that Python's % operator, the file system and
// the stack raise.
func pythonKind(class string) string {
	switch class {
	case "TypeError", "ValueError", "AttributeError":
		return KindInterpolationSyntax.String()
	case "KeyError", "IndexError", "ImportError", "ModuleNotFoundError":
		return KindLookup.String()
	case "IOError", "OSError", "FileNotFoundError", "IsADirectoryError":
		return KindFile.String()
	case "RuntimeError", "RecursionError":
		return KindLoop.String()
	}
	return class
}

// TestLivePasteDeploy compares what an application is given with appconfig.
func TestLivePasteDeploy(t *testing.T) {
	for _, py := range livePythons(t) {
		t.Run(py.dialect().String(), func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "main.ini")
			var read, refused, settings int
			kinds := map[string]int{}
			for seed := range livePasteFiles {
				g := &iniGenerator{rand.New(rand.NewPCG(uint64(seed), 2)), (seed % 10) / 7, false}
				text := g.text()
				g.leaf = true
				included := g.text()
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "inc.ini"), []byte(included), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "inc x.ini"), []byte(included), 0o600))
				o := LoadOptions{Dialect: py.dialect(), App: g.pick("main", "main", "other")}
				if g.IntN(3) == 0 {
					o.Global = map[string]string{"a": g.pick("given", "%(debug)s", ""), "k": "50"}
				}
				want := py.ask(t, map[string]any{"do": "paste", "file": file, "name": o.App, "global": o.Global})
				c, err := Load(file, o)
				context := fmt.Sprintf("seed %d: %v\nPython: %s %s\n%q\n%q", seed, err, want.Error, want.Text, text, included)
				if want.Error != "" || err != nil {
					refused++
					require.Error(t, err, context)
					require.NotEmpty(t, want.Error, context)
					kinds[err.(*Error).Kind.String()]++
					if py.dialect() == Python3 {
						require.Equal(t, pythonKind(want.Error), err.(*Error).Kind.String(), context)
					}
					continue
				}
				read++
				settings += len(want.Both)
				requireSameSettings(t, py.dialect(), want.Global, c.root.global, context)
				requireSameSettings(t, py.dialect(), want.Local, c.root.local, context)
				requireSameSettings(t, py.dialect(), want.Both, c.root.merged(), context)
			}
			t.Logf("Python %s, PasteDeploy %s: %d files read, %d refused %v, %d settings compared: no difference",
				py.venv.Python, py.venv.PasteDeploy, read, refused, kinds, settings)
		})
	}
}

// requireSameSettings compares keys and values, and for Python 3 their order.
func requireSameSettings(t *testing.T, d Dialect, want [][2]string, got *table, context string) {
	t.Helper()
	have := make([][2]string, 0, len(got.items))
	for _, s := range got.list() {
		have = append(have, [2]string{onWire(d, s.Key), onWire(d, s.Value)})
	}
	if d == Python2 {
		for _, l := range [][][2]string{want, have} {
			sort.Slice(l, func(i, j int) bool { return l[i][0] < l[j][0] })
		}
	}
	require.Equal(t, want, have, context)
}

// TestLiveCoercion compares options with those of SessionMiddleware, over every
// option and a grid of texts, alone and in pairs.
func TestLiveCoercion(t *testing.T) {
	texts := []string{"true", "True", "YES", "on", "y", "T", "1", "0", "false", "No", "OFF", "n", "f", "2", "300", "00", "007", "-1",
		"-300", "3.5", "+3", "1e3", "None", "none", "", "never", "2030-01-01", "abc", "2592000", "99999999", "pickle", "json", "48", "128", "a b", "path", "٣", "1_0"}
	for _, v := range peers.Beakers(t) {
		py := startPython(t, v)
		t.Run(v.Name, func(t *testing.T) {
			compared, refused := 0, 0
			check := func(pairs [][2]string) {
				if py.dialect() == Python2 && slices.ContainsFunc(pairs, func(p [2]string) bool { return !isASCII(p[1]) }) {
					return
				}
				want := py.ask(t, map[string]any{"do": "coerce", "options": pairs})
				s := &sessionSettings{opts: newTable(), written: map[string]string{}}
				conf := newTable()
				for _, p := range pairs {
					conf.set(Setting{Key: p[0], Value: p[1], Position: Position{"x.ini", 1, 1}})
				}
				s.collect(conf, py.dialect())
				o, err := s.coerce(py.dialect(), BoolAsBeaker)
				compared++
				if want.Error != "" {
					refused++
					require.Error(t, err, "%v: Beaker says %s", pairs, want.Text)
					require.Contains(t, err.Error(), beakerText(want.Text, v), "%v", pairs)
					return
				}
				if usedLater(err) {
					return // Beaker refuses it when a session is made
				}
				require.NoError(t, err, "%v", pairs)
				requireSameOptions(t, want.Options, o, v, fmt.Sprint(pairs))
			}
			for _, name := range optionNames() {
				for _, text := range texts {
					if !knows(v.Beaker, name) {
						continue
					}
					check([][2]string{{"beaker.session." + name, text}})
				}
			}
			for _, text := range texts[:14] {
				if knows(v.Beaker, "save_accessed_time") {
					check([][2]string{{"session.timeout", "60"}, {"session.save_accessed_time", text}})
				}
				if !v.Python2() { // order decides
					check([][2]string{{"session.key", "one"}, {"beaker.session.key", text}})
					check([][2]string{{"beaker.session.timeout", "5"}, {"session_timeout", "6"}, {"session.timeout", text}})
				}
			}
			t.Logf("%s: %d settings compared, %d refused by Beaker: no difference", v.Name, compared, refused)
		})
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e })
}

// knows tells whether a Beaker coerces the option; older ones pass it on as text.
func knows(beaker, name string) bool {
	var major, minor int
	_, _ = fmt.Sscanf(beaker, "%d.%d", &major, &minor)
	switch name {
	case "encrypt_nonce_bits", "data_serializer", "save_accessed_time":
		return minor >= 9
	}
	return true
}

// beakerText is what the message must contain: Beaker 1.13 put the texts of
// validate_key and encrypt_key right.
func beakerText(text string, v peers.Venv) string {
	var minor int
	_, _ = fmt.Sscanf(v.Beaker, "1.%d", &minor)
	if minor < 13 {
		text = strings.NewReplacer("Session validate_key must", "Session encrypt_key must", "Session encrypt_key must", "Session validate_key must").Replace(text)
	}
	return text
}

// usedLater tells the errors that Beaker raises only when it makes a session.
func usedLater(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"Nonce complexity", "Invalid value for data_serializer", "Invalid argument for cookie_expires",
		"No crypto backend"}, func(s string) bool { return strings.Contains(err.Error(), s) })
}

func optionNames() []string {
	names := []string{"samesite", "crypto_type", "invalidate_corrupt", "use_cookies", "url", "table_name", "unknown"}
	for _, r := range rules() {
		names = append(names, r.name)
	}
	return names
}

func requireSameOptions(t *testing.T, want map[string]any, got compat.Options, v peers.Venv, context string) {
	t.Helper()
	have := map[string]any{
		"type": got.Type, "data_dir": got.DataDir, "lock_dir": got.LockDir, "key": got.Key, "secret": got.Secret,
		"validate_key": got.ValidateKey, "encrypt_key": got.EncryptKey, "cookie_domain": got.CookieDomain, "cookie_path": got.CookiePath,
		"secure": got.Secure, "httponly": got.HTTPOnly, "auto": got.Auto, "save_accessed_time": got.SaveAccessedTime,
		"data_serializer": got.DataSerializer, "encrypt_nonce_bits": float64(got.EncryptNonceBits), "samesite": got.SameSite,
		"crypto_type": got.CryptoType, "url": got.URL, "timeout": got.Timeout.Seconds(),
		"cookie_expires": expiresAsPython(got.CookieExpires), "invalidate_corrupt": got.InvalidateCorrupt, "use_cookies": got.UseCookies,
	}
	for k, text := range got.Extra {
		have[k] = text
	}
	for name, value := range want {
		switch name {
		case "id", "webtest_varname", "log_file":
			continue // gobeaker has no such option
		case "invalidate_corrupt", "use_cookies":
			if text, ok := value.(string); ok {
				value = text != "" // Python's truth
			}
		}
		if value == nil {
			continue // Beaker's own default: unset
		}
		require.Equal(t, value, have[name], "%s: %s (%s)", context, name, v.Name)
	}
}

func expiresAsPython(c compat.CookieExpires) any {
	switch c.Mode {
	case compat.ExpiresWithBrowser:
		return true
	case compat.ExpiresNever:
		return false
	}
	return map[string]any{"seconds": c.After.Seconds()}
}
