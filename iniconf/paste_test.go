package iniconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	return writeFiles(t, map[string]string{"main.ini": text})
}

// writeFiles writes files into a new directory and returns the path of main.ini.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return filepath.Join(dir, "main.ini")
}

// asMap returns settings without here and __file__, and with the directory of
// the file as DIR.
func asMap(settings []Setting, dir string) map[string]string {
	out := map[string]string{}
	for _, s := range settings {
		if s.Key != "here" && s.Key != "__file__" {
			out[s.Key] = strings.ReplaceAll(s.Value, dir, "DIR")
		}
	}
	return out
}

type m = map[string]string

func TestPasteDeployRules(t *testing.T) {
	for _, c := range []struct {
		name          string
		files         m
		options       LoadOptions
		global, local m
	}{
		{"here and __file__", m{"main.ini": "[app:main]\nuse = egg:x\na = %(here)s/a %(__file__)s\n"}, LoadOptions{},
			m{}, m{"a": "DIR/a DIR/main.ini"}},
		{"DEFAULT hides the section's", m{"main.ini": "[DEFAULT]\na = 1\n[app:main]\nuse = egg:x\na = 2\nb = %(a)s\n"}, LoadOptions{},
			m{"a": "1"}, m{"b": "2"}},
		{"set overrides DEFAULT, unseen by interpolation", m{"main.ini": "[DEFAULT]\na = 1\n[app:main]\nuse = egg:x\nset a = 2\nb = %(a)s\nset c=3\n"}, LoadOptions{},
			m{"a": "2", "c": "3"}, m{"b": "1"}},
		{"get copies a global", m{"main.ini": "[DEFAULT]\na = 1\n[app:main]\nuse = egg:x\nget  b = a\nset c = 3\nget d = c\n"}, LoadOptions{},
			m{"a": "1", "c": "3"}, m{"b": "1", "d": "3"}},
		{"an empty default stays as written", m{"main.ini": "[DEFAULT]\ne =\na = %(e)s\n[app:main]\nuse = egg:x\n"}, LoadOptions{Dialect: Python3},
			m{"e": "", "a": "%(e)s"}, m{}},
		{"require is no setting", m{"main.ini": "[app:main]\nuse = egg:x\nrequire = Foo\n"}, LoadOptions{}, m{}, m{}},
		{"a blank after the colon", m{"main.ini": "[app: main]\nuse = egg:x\na = 1\n"}, LoadOptions{}, m{}, m{"a": "1"}},
		{"app hides application", m{"main.ini": "[application:main]\nuse = egg:x\na = 1\n[app:main]\nuse = egg:x\na = 2\n"}, LoadOptions{}, m{}, m{"a": "2"}},
		{"a factory by its module", m{"main.ini": "[application:x]\npaste.app_factory = shop:make\na = 2\n"}, LoadOptions{App: "x"}, m{}, m{"a": "2"}},
		{"use another section", m{"main.ini": "[app:main]\nuse = other\na = 1\n[app:other]\nuse = egg:x\na = 2\nb = 3\nset g = in\n[app:third]\nuse = main\nset g = out\na = 0\n"},
			LoadOptions{App: "third"}, m{"g": "out"}, m{"a": "0", "b": "3"}},
		{"use another file", m{"main.ini": "[DEFAULT]\nd = outer\n[app:main]\nuse = config:sub/other.ini#x\na = 1\n", "sub/other.ini": "[DEFAULT]\ni = inner\n[app:x]\nuse = egg:x\nw = %(here)s %(d)s\n"},
			LoadOptions{}, m{"d": "outer", "i": "inner"}, m{"a": "1", "w": "DIR/sub outer"}},
		{"DEFAULT in both, Python 3: the including file", m{"main.ini": "[DEFAULT]\nd = outer\n[app:main]\nuse = config:other.ini\n", "other.ini": "[DEFAULT]\nd = inner\n[app:main]\nuse = egg:x\nw = %(d)s\n"},
			LoadOptions{Dialect: Python3}, m{"d": "outer"}, m{"w": "inner"}},
		{"DEFAULT in both, Python 2: the included file", m{"main.ini": "[DEFAULT]\nd = outer\n[app:main]\nuse = config:other.ini\n", "other.ini": "[DEFAULT]\nd = inner\n[app:main]\nuse = egg:x\nw = %(d)s\n"},
			LoadOptions{Dialect: Python2}, m{"d": "inner"}, m{"w": "inner"}},
		{"a file name with an escape, backslashes", m{"main.ini": "[app:main]\nuse = config:sub\\a%%20b.ini\n", "sub/a b.ini": "[app:main]\nuse = egg:x\na = 1\n"}, LoadOptions{Dialect: Python3},
			m{}, m{"a": "1"}},
		{"an absolute file name", m{"main.ini": "[app:main]\nuse = config:%(here)s/other.ini\n", "other.ini": "[app:main]\nuse = egg:x\na = 1\n"}, LoadOptions{},
			m{}, m{"a": "1"}},
		{"DEFAULT in both, Python 3 with 1.5.2", m{"main.ini": "[DEFAULT]\nd = outer\n[app:main]\nuse = config:other.ini\n", "other.ini": "[DEFAULT]\nd = inner\n[app:main]\nuse = egg:x\nw = %(d)s\n"},
			LoadOptions{Dialect: Python3, PasteDeploy: PasteDeploy15}, m{"d": "inner"}, m{"w": "inner"}},
		{"DEFAULT in both, Python 2 with 2.1", m{"main.ini": "[DEFAULT]\nd = outer\n[app:main]\nuse = config:other.ini\n", "other.ini": "[DEFAULT]\nd = inner\n[app:main]\nuse = egg:x\nw = %(d)s\n"},
			LoadOptions{Dialect: Python2, PasteDeploy: PasteDeploy21}, m{"d": "outer"}, m{"w": "inner"}},
		{"set in DEFAULT is for every section", m{"main.ini": "[DEFAULT]\nset a = 1\nget b = a\n[app:main]\nuse = egg:x\n"}, LoadOptions{Dialect: Python3},
			m{"a": "1", "set a": "1", "get b": "a"}, m{"b": "1"}},
		{"a file that leads to itself with other settings", m{"main.ini": "[app:main]\nuse = %(which)s\n[app:step]\nuse = config:main.ini\nset which = leaf\n[app:leaf]\nuse = egg:x\na = 1\n"},
			LoadOptions{Dialect: Python3, Global: m{"which": "step"}}, m{"which": "leaf"}, m{"a": "1"}},
		{"two slashes", m{"main.ini": "[app:main]\nuse = config:///%(here)s/./other.ini\n", "other.ini": "[app:main]\nuse = egg:x\na = 1\n"}, LoadOptions{}, m{}, m{"a": "1"}},
		{"a passed global_conf", m{"main.ini": "[DEFAULT]\nd = file\n[app:main]\nuse = egg:x\nw = %(d)s %(g)s\n"}, LoadOptions{Dialect: Python3, Global: m{"d": "given", "g": "given"}},
			m{"d": "given", "g": "given"}, m{"w": "file given"}},
		{"a passed global_conf in Python 2", m{"main.ini": "[DEFAULT]\nd = file\n[app:main]\nuse = egg:x\nw = %(d)s %(g)s\n"}, LoadOptions{Dialect: Python2, Global: m{"d": "given", "g": "50%"}},
			m{"d": "file", "g": "50%"}, m{"w": "file 50%"}},
		{"an egg that leads to a file", m{"main.ini": "[app:main]\nuse = config:other.ini#egg:x\na = 1\n", "other.ini": "[app:y]\nuse = egg:x\n"}, LoadOptions{}, m{}, m{"a": "1"}},
		{"a pipeline gives the application's own", m{"main.ini": "[pipeline:main]\npipeline = f g a\n[filter:f]\nuse = g\nk = f\n[filter:g]\npaste.filter_factory = m:g\nk = g\n[app:a]\nuse = egg:x\nk = a\n"}, LoadOptions{},
			m{}, m{"k": "a"}},
		{"filter-app", m{"main.ini": "[filter-app:main]\nuse = egg:f\nnext = a\nk = f\n[app:a]\nuse = egg:x\nk = a\n"}, LoadOptions{}, m{}, m{"k": "a"}},
		{"filter-app by its module", m{"main.ini": "[filter-app:main]\npaste.filter_app_factory = m:f\nnext = a\n[app:a]\nuse = egg:x\nk = a\n"}, LoadOptions{}, m{}, m{"k": "a"}},
		{"filter-with", m{"main.ini": "[app:main]\nuse = egg:x\nk = a\nfilter-with = f\n[filter:f]\nuse = egg:f\nk = f\n"}, LoadOptions{}, m{}, m{"k": "a"}},
		{"formatters are never interpolated", m{"main.ini": "[app:main]\nuse = egg:x\n[formatter_x]\nformat = %(asctime)s %\n"}, LoadOptions{}, m{}, m{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFiles(t, c.files)
			cfg, err := Load(path, c.options)
			require.NoError(t, err)
			dir := filepath.Dir(path)
			require.Equal(t, c.global, asMap(cfg.Global(), dir))
			require.Equal(t, c.local, asMap(cfg.Local(), dir))
			file, ok := cfg.Get("__file__")
			require.True(t, ok)
			require.Equal(t, path, file.Value) // also after use = config:
			require.Len(t, cfg.Settings(), len(c.global)+len(c.local)+2-overlap(c.global, c.local))
		})
	}
}

func overlap(a, b m) (n int) {
	for k := range a {
		if _, ok := b[k]; ok {
			n++
		}
	}
	return n
}

func TestPasteDeployErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   m
		app     string
		kind    Kind
		message string
	}{
		{"no section", m{"main.ini": "[app:a]\nuse = egg:x\n"}, "", KindLookup, "main.ini: no section [app:main] in DIR/main.ini; it has [app:a]"},
		{"plain names do not count", m{"main.ini": "[app]\nuse = egg:x\n[main]\n"}, "", KindLookup, "a plain [app] or [main] does not count"},
		{"ambiguous", m{"main.ini": "[app:main]\nuse = egg:x\n[composite:main]\n"}, "", KindLookup, "main.ini:3:1: sections [app:main] and [composite:main] have the same name"},
		{"use of nothing", m{"main.ini": "[app:main]\nuse = other\n"}, "", KindLookup, "main.ini:2:1: no section [app:other]"},
		{"no use", m{"main.ini": "[app:main]\na = 1\n"}, "", KindLookup, "main.ini:1:1: section [app:main] does not say what to load"},
		{"use in DEFAULT", m{"main.ini": "[DEFAULT]\nuse = egg:x\n[app:main]\nuse = egg:x\n"}, "", KindLookup, "does not say what to load"},
		{"two factories", m{"main.ini": "[app:main]\npaste.app_factory = a\npaste.composite_factory = b\n"}, "", KindLookup, "main.ini:3:1: section [app:main] has both"},
		{"itself", m{"main.ini": "[app:main]\nuse = main\n"}, "", KindLoop, "main.ini:2:1: section [app:main] leads back to itself ([app:main] → [app:main])"},
		{"a longer loop", m{"main.ini": "[app:main]\nuse = a\n[app:a]\nuse = config:b.ini\n", "b.ini": "[app:main]\nuse = config:main.ini#a\n"}, "", KindLoop, "b.ini:2:1: section [app:a] leads back to itself ([app:a] → [app:main] → [app:a])"},
		{"a pipeline of itself", m{"main.ini": "[pipeline:main]\npipeline = main\n"}, "", KindLoop, "main.ini:2:1"},
		{"call", m{"main.ini": "[app:main]\nuse = call:shop:make\n"}, "", KindLookup, "main.ini:2:1: use = call:… runs Python code"},
		{"unknown scheme", m{"main.ini": "[app:main]\nuse = http://x\n"}, "", KindLookup, `main.ini:2:1: unknown scheme "http"`},
		{"missing file", m{"main.ini": "[app:main]\nuse = config:no.ini\n"}, "", KindFile, "main.ini:2:1: cannot read DIR/no.ini, which this line names: no such file"},
		{"broken file", m{"main.ini": "[app:main]\nuse = config:b.ini\n", "b.ini": "x\n"}, "", KindMissingSectionHeader, "b.ini:1:1"},
		{"get of nothing", m{"main.ini": "[app:main]\nuse = egg:x\nget a = b\n"}, "", KindLookup, "main.ini:3:1: get a names a global setting"},
		{"a bad set", m{"main.ini": "[app:main]\nuse = egg:x\nset a = %(b)s\n"}, "", KindInterpolationMissingOption, "main.ini:3:9"},
		{"a bad option", m{"main.ini": "[app:main]\nuse = egg:x\na = %(b)s\n"}, "", KindInterpolationMissingOption, `to "b" that is neither`},
		{"a bad default", m{"main.ini": "[DEFAULT]\na = %(b)s\n[app:main]\nuse = egg:x\n"}, "", KindInterpolationMissingOption, "main.ini:2:5: option \"a\" of section [DEFAULT]"},
		{"a pipeline with settings", m{"main.ini": "[pipeline:main]\npipeline = a\nk = 1\n[app:a]\nuse = egg:x\n"}, "", KindLookup, "main.ini:3:1: section [pipeline:main] may only hold pipeline, not k"},
		{"an empty pipeline", m{"main.ini": "[pipeline:main]\npipeline =\n"}, "", KindLookup, "main.ini:1:1: section [pipeline:main] needs pipeline"},
		{"a pipeline without filter", m{"main.ini": "[pipeline:main]\npipeline = f a\n[app:a]\nuse = egg:x\n"}, "", KindLookup, "main.ini:2:1: no section [filter:f]"},
		{"a pipeline without application", m{"main.ini": "[pipeline:main]\npipeline = f a\n[filter:f]\nuse = egg:x\n"}, "", KindLookup, "no section [app:a] in DIR/main.ini; it has [pipeline:main]"},
		{"filter-app without next", m{"main.ini": "[filter-app:main]\nuse = egg:x\n"}, "", KindLookup, "main.ini:1:1: section [filter-app:main] needs next"},
		{"filter-app with a bad next", m{"main.ini": "[filter-app:main]\nuse = egg:x\nnext = n\n"}, "", KindLookup, "main.ini:3:1"},
		{"filter-app without filter", m{"main.ini": "[filter-app:main]\nnext = n\n[app:n]\nuse = egg:x\n"}, "", KindLookup, "main.ini:1:1"},
		{"filter-with nothing", m{"main.ini": "[app:main]\nuse = egg:x\nfilter-with = f\n"}, "", KindLookup, "main.ini:3:1: no section [filter:f]"},
		{"a loop of files", m{"main.ini": "[app:main]\nuse = config:b.ini\n", "b.ini": "[app:main]\nset n = x%(n)s\nuse = config:main.ini\n[DEFAULT]\nn = 1\n"}, "", KindLoop, "leads back to itself"},
		{"a loop of files that grows", m{"main.ini": "[app:main]\nuse = config:b.ini\nset n = 1\n", "b.ini": "[app:main]\nset n = x%(n)s\nuse = config:b.ini\n"}, "", KindLimit, "more than 32 levels deep"},
		{"relative in an egg", m{"main.ini": "[app:main]\nuse = egg:x#config:y.ini\n"}, "", KindLookup, "write an absolute one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFiles(t, c.files)
			_, err := Load(path, LoadOptions{App: c.app})
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind, e.Kind, err)
			require.Contains(t, strings.ReplaceAll(err.Error(), filepath.Dir(path), "DIR"), c.message)
		})
	}
}

func TestLoadLimits(t *testing.T) {
	chain := m{"main.ini": "[app:main]\nuse = config:a.ini\n", "a.ini": "[app:main]\nuse = config:b.ini\n", "b.ini": "[app:main]\nuse = egg:x\n"}
	for name, c := range map[string]struct {
		limits  Limits
		message string
	}{
		"size":     {Limits{MaxFileBytes: 10}, "main.ini: larger than 10 bytes"},
		"files":    {Limits{MaxFiles: 2}, "a.ini:2:1: more than 2 files"},
		"depth":    {Limits{MaxDepth: 2}, "a.ini:2:1: sections lead to others more than 2 levels deep"},
		"sections": {Limits{MaxSections: 1}, "or 1 times"},
	} {
		_, err := Load(writeFiles(t, chain), LoadOptions{Limits: c.limits})
		var e *Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, KindLimit, e.Kind)
		require.ErrorContains(t, err, c.message)
	}
	cfg, err := Load(writeFiles(t, chain), LoadOptions{})
	require.NoError(t, err)
	require.Len(t, cfg.Files(), 3)
	require.Equal(t, "main.ini a.ini b.ini", filepath.Base(cfg.Files()[0])+" "+filepath.Base(cfg.Files()[1])+" "+filepath.Base(cfg.Files()[2]))
	require.Equal(t, cfg.Files()[0], cfg.Path())
	require.Equal(t, "main", cfg.App())
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no.ini")
	_, err := Load(path, LoadOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, "iniconf: "+path+": cannot read the file: no such file or directory", err.Error())
	_, err = Load(t.TempDir(), LoadOptions{})
	require.ErrorContains(t, err, "is a directory")
}

func TestUnquote(t *testing.T) {
	for in, want := range map[string]string{"a": "a", "a%20b": "a b", "%": "%", "%2": "%2", "%zz%41": "%zzA", "%c3%a9x": "éx", "a%%41": "a%A"} {
		require.Equal(t, want, unquote(in), in)
	}
	require.False(t, hasScheme("é:x"))
	require.False(t, hasScheme(":x"))
	require.True(t, hasScheme("Config:x"))
}

// Every value and every error says which lines led to it.
func TestVia(t *testing.T) {
	path := writeFiles(t, m{
		"main.ini": "[DEFAULT]\nd = 1\n[app:main]\nuse = config:sub/a.ini#x\nown = 1\nfilter-with = f\n[filter:f]\nuse = g\nof_f = 1\n[filter:g]\nuse = egg:g\nof_g = 1\n" +
			"[pipeline:line]\npipeline = f\n  wrapped\n[filter-app:wrapped]\nuse = egg:w\nnext = main\n[composite:map]\nuse = egg:Paste#urlmap\n/ = line\n",
		"sub/a.ini": "[DEFAULT]\ne = 2\n[app:x]\nuse = config:b.ini\nin_a = 1\n",
		"sub/b.ini": "[app:main]\nuse = egg:x\nin_b = 1\n",
	})
	dir := filepath.Dir(path)
	brief := func(via []Position) string {
		var out []string
		for _, p := range via {
			p.File, _ = filepath.Rel(dir, p.File)
			out = append(out, p.String())
		}
		return strings.Join(out, " ")
	}
	c, err := Load(path, LoadOptions{Dialect: Python3, Global: m{"given": "1"}})
	require.NoError(t, err)
	for key, want := range map[string]string{
		"d": "", "given": "", "own": "",
		"e":    "main.ini:4:1",
		"in_a": "main.ini:4:1",
		"in_b": "main.ini:4:1 sub/a.ini:4:1",
		"here": "", // of the including file, from 2.0 on
	} {
		s, ok := c.Get(key)
		require.True(t, ok, key)
		require.Equal(t, want, brief(s.Via), key)
	}
	filter := c.root.filters[0]
	f, _ := filter.local.get("of_f")
	g, _ := filter.local.get("of_g")
	require.Equal(t, "main.ini:6:1", brief(f.Via))
	require.Equal(t, "main.ini:6:1 main.ini:8:1", brief(g.Via))

	c, err = Load(path, LoadOptions{Dialect: Python3, App: "map"})
	require.NoError(t, err)
	line := c.root.children[0].context
	s, _ := line.innermost().local.get("in_b")
	require.Equal(t, "main.ini:21:1 main.ini:14:1 main.ini:18:1 main.ini:4:1 sub/a.ini:4:1", brief(s.Via))

	for name, x := range map[string]struct{ b, via, message string }{
		"a value":       {"[app:main]\nuse = egg:x\na = %(b)s\n", "main.ini:4:1 sub/a.ini:4:1", "(included from main.ini:4, a.ini:4)"},
		"a default":     {"[DEFAULT]\na = %(b)s\n[app:main]\nuse = egg:x\n", "main.ini:4:1 sub/a.ini:4:1", ""},
		"the text":      {"nothing\n", "main.ini:4:1 sub/a.ini:4:1", ""},
		"no section":    {"[app:other]\nuse = egg:x\n", "main.ini:4:1", "(included from main.ini:4)"},
		"two sections":  {"[app:main]\n[pipeline:main]\n", "main.ini:4:1 sub/a.ini:4:1", ""},
		"no such file":  {"[app:main]\nuse = config:c.ini\n", "main.ini:4:1 sub/a.ini:4:1", ""},
		"an odd scheme": {"[app:main]\nuse = x:y\n", "main.ini:4:1 sub/a.ini:4:1", ""},
		"a loop":        {"[app:main]\nuse = config:a.ini#x\n", "main.ini:4:1 sub/a.ini:4:1 sub/b.ini:2:1", ""},
		"too large":     {strings.Repeat("# x\n", 300), "main.ini:4:1 sub/a.ini:4:1", "b.ini: larger than"},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sub/b.ini"), []byte(x.b), 0o600))
		_, err := Load(path, LoadOptions{Dialect: Python3, Limits: Limits{MaxFileBytes: 1000}})
		var e *Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, x.via, brief(e.Via), "%s: %v", name, err)
		require.Contains(t, err.Error(), x.message, name)
	}
	_, err = Load(path, LoadOptions{App: "nope"})
	require.NotContains(t, err.Error(), "included")
}

func TestParseGlobal(t *testing.T) {
	got, err := ParseGlobal([]string{"a=1", "b = c=d", "e=", "a=2", "=x"})
	require.NoError(t, err)
	require.Equal(t, m{"a": "2", "b ": " c=d", "e": "", "": "x"}, got)
	got, err = ParseGlobal(nil)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = ParseGlobal([]string{"a=1", "hidden"})
	require.EqualError(t, err, `iniconf: global_conf: argument 2 has no "="; write name=value`)
}

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{"/a/../b/": "/b", "//a/./b": "//a/b", "///a": "/a"} {
		require.Equal(t, want, normalPath(in), in)
	}
	for in, want := range map[string]string{"/a/b": "/a", "/a": "/", "//a": "//", "/a/../b": "/a/..", "/a//b": "/a"} {
		require.Equal(t, want, posixDir(in), in)
	}
	got, err := configPath(`b\%41.ini `, `/x%20y\z/`, Python3, Position{})
	require.NoError(t, err)
	require.Equal(t, "/x y/z/b/A.ini", got)
}

// Who asks for an application that is not there is told how to name another;
// who wrote a line that leads nowhere is not.
func TestHowToNameAnApplication(t *testing.T) {
	path := writeFile(t, "[app:other]\nuse = nowhere\n[app:one]\nuse = egg:x\n")
	_, err := Load(path, LoadOptions{})
	require.ErrorContains(t, err, "no section [app:main] in "+path+"; it has [app:other], [app:one]; name the one that is meant, as in production.ini#name")
	_, err = Load(path, LoadOptions{App: "other"})
	require.ErrorContains(t, err, "no section [app:nowhere]")
	require.NotContains(t, err.Error(), "LoadOptions")
}
