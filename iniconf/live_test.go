package iniconf

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
	var minor int
	if _, err := fmt.Sscanf(p.venv.Python, "3.%d", &minor); err == nil && minor < 10 {
		return Python39
	}
	return Python3
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
