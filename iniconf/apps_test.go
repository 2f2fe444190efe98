package iniconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestApplications(t *testing.T) {
	path := writeFiles(t, m{
		"main.ini": `[composite:main]
use = egg:Paste#urlmap
/ = front
/blog/ = blog
domain blog.example.org = blog
domain www.example.org port 8080 /news = blog
/far = config:other.ini#far
not_found_app = front
[pipeline:front]
pipeline = f blog
[application:blog]
use = egg:hidden
[app:blog]
use = egg:blog
[filter-app:wrapped]
use = egg:f
next = blog
[app:broken]
use = nowhere
[app:]
use = egg:nameless
[server:main]
use = egg:Paste#http
[filter:f]
use = egg:f
[composit:files]
use = egg:Paste#cascade
app = blog
`,
		"other.ini": "[composite:far]\nuse = egg:Paste#urlmap\n/in = far\n",
	})
	apps, err := Applications(path, LoadOptions{App: "not used", Global: m{"given": "yes"}})
	require.NoError(t, err)
	type row struct {
		name, section, kind string
		line                int
		mount               string
	}
	var got []row
	for _, a := range apps {
		got = append(got, row{a.Name, a.Section, a.Kind, a.Line, strings.Join(a.Mount, " ")})
		require.Equal(t, path, a.File)
		if a.Name == "broken" {
			require.ErrorContains(t, a.Err, "no section [app:nowhere]")
			require.Nil(t, a.Config)
			continue
		}
		require.NoError(t, a.Err)
		require.Equal(t, a.Name, a.Config.App())
		_, ok := a.Config.Get("given")
		require.True(t, ok)
	}
	require.Equal(t, []row{
		{"main", "composite:main", "composite", 1, ""},
		{"front", "pipeline:front", "pipeline", 9, "/"},
		{"blog", "app:blog", "app", 13, "/blog blog.example.org/ www.example.org:8080/news"},
		{"wrapped", "filter-app:wrapped", "filter-app", 15, ""},
		{"broken", "app:broken", "app", 18, ""},
		{"files", "composit:files", "composite", 26, ""},
	}, got)
	require.Len(t, apps[0].Config.Files(), 2, "a composite's files are those of its applications, too")
}

func TestApplicationsOfAnyDialect(t *testing.T) {
	twice := writeFile(t, "[app:main]\nuse = egg:x\na = 1\na = 2\n[app:other]\nuse = egg:x\n")
	apps, err := Applications(twice, LoadOptions{})
	require.NoError(t, err)
	require.Len(t, apps, 2)
	require.Equal(t, Python2, apps[0].Config.Dialect())

	_, err = Applications(twice, LoadOptions{Dialect: Python3})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, KindDuplicateOption, e.Kind)

	_, err = Applications(filepath.Join(t.TempDir(), "none.ini"), LoadOptions{})
	require.ErrorContains(t, err, "cannot read the file: no such file")

	older := writeFile(t, "[app:main] ; see [1]\nuse = egg:x\n")
	c, err := Load(older, LoadOptions{})
	require.NoError(t, err)
	require.Equal(t, Python39, c.Dialect())
}

const twoApps = `[app:one]
use = egg:one
beaker.session.secret = s
[app:two]
use = egg:two
session.secret = s
[app:other]
use = egg:other
session.secret = another
[app:none]
use = egg:none
[app:bad]
use = egg:bad
session.secret = s
session.timeout = soon
[app:static]
use = egg:Paste#static
[filter:session]
use = egg:Beaker#beaker_session
session.secret = of-the-filter
[filter:second]
use = egg:Beaker#beaker_session
session.secret = of-the-second
`

// A composite has the session settings of its applications if these agree.
func TestSessionOfComposite(t *testing.T) {
	for _, c := range []struct {
		name      string
		composite string
		secret    string // or
		message   string
		warning   string
	}{
		{"only one has any", "use = egg:Paste#urlmap\n/ = none\n/a = one\n/s = static\n", "s", "", `the session settings are those of "one" (DIR/main.ini:6)`},
		{"all agree", "use = egg:Paste#cascade\napp1 = one\napp2 = two\n", "s", "", `"one" (DIR/main.ini:5), "two" (DIR/main.ini:8)`},
		{"they differ", "use = egg:Paste#urlmap\n/ = one\n/o = other\n", "", `DIR/main.ini:1:1: section [composite:main] joins applications whose session settings differ: "one" (DIR/main.ini:5), "other" (DIR/main.ini:11); name the one whose sessions are meant, as in production.ini#name`, ""},
		{"nested", "use = egg:Paste#urlmap\n/ = inner\n/b = none\n[composite:inner]\nuse = egg:Paste#urlmap\n/ = two\n", "s", "", `"two" (DIR/main.ini:`},
		{"a filter around all", "use = egg:Paste#urlmap\n/ = one\n/o = other\nfilter-with = session\n", "of-the-filter", "", `"one"`},
		{"a filter inside", "use = egg:Paste#urlmap\n/ = inner\n/o = static\n[pipeline:inner]\npipeline = session other\n", "of-the-filter", "", ""},
		{"a filter inside and one around", "use = egg:Paste#urlmap\n/ = inner\n/o = other\nfilter-with = session\n[pipeline:inner]\npipeline = second other\n", "", "settings differ", ""},
		{"a filter around the inner one", "use = egg:Paste#urlmap\n/ = inner\n[pipeline:inner]\npipeline = second map\n[composite:map]\nuse = egg:Paste#urlmap\n/ = one\n", "of-the-second", "", ""},
		{"in filter-app", "use = egg:Paste#urlmap\n/ = inner\n[filter-app:inner]\npaste.filter_app_factory = beaker.middleware:session_filter_app_factory\nsession.secret = wrapped\nnext = none\n", "wrapped", "", ""},
		{"nobody has any", "use = egg:Paste#urlmap\n/ = none\n", "", "", "sets no session option"},
		{"only static files", "use = egg:Paste#urlmap\n/ = static\n", "", "", "sets no session option"},
		{"an application is missing", "use = egg:Paste#urlmap\n/ = one\n/x = nope\n", "", "DIR/main.ini:4:1: no section [app:nope]", ""},
		{"missing in the inner one", "use = egg:Paste#urlmap\n/ = inner\n[composite:inner]\nuse = egg:Paste#urlmap\n/ = nope\n", "", "no section [app:nope]", ""},
		{"a setting is wrong", "use = egg:Paste#urlmap\n/ = bad\n/a = one\n", "", "DIR/main.ini:19:1", ""},
		{"of an unknown make", "use = egg:Some#joiner\nfirst = one\nwords = nothing else\nfar = config:main.ini#two\n", "s", "",
			"section [composite:main] is made by egg:Some#joiner, which only Python can run; it is taken to join the applications that its values name: one, config:main.ini#two"},
		{"no composite at all", "use = egg:Some#app\nsession.secret = own\n", "own", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFile(t, "[composite:main]\n"+c.composite+twoApps)
			dir := filepath.Dir(path)
			cfg, err := Load(path, LoadOptions{Dialect: Python3, Framework: PlainBeaker})
			require.NoError(t, err)
			e, err := cfg.Effective()
			all := ""
			for _, w := range e.Warnings {
				all += strings.ReplaceAll(w.String(), dir, "DIR") + "\n"
			}
			_, err2 := cfg.SessionSettings()
			if c.message != "" {
				require.Error(t, err)
				require.Contains(t, strings.ReplaceAll(err.Error(), dir, "DIR"), c.message)
				return
			}
			require.NoError(t, err)
			require.NoError(t, err2)
			require.Equal(t, c.secret, e.Options.Secret)
			require.Contains(t, all, c.warning)
			require.Same(t, cfg, e.Config)
			require.Equal(t, "main", e.Config.App())
		})
	}
}

// PasteDeploy takes a filter-with around what is no plain application for one around a
// filter.
func TestFilterWithThatFails(t *testing.T) {
	for name, section := range map[string]string{
		"pipeline:main":   "pipeline = f a\nfilter-with = f\n",
		"filter-app:main": "use = egg:f\nnext = a\nfilter-with = f\n",
		"app:main":        "use = b\nfilter-with = f\n",
		"app:fine":        "use = egg:x\nfilter-with = f\n",
	} {
		path := writeFile(t, "["+name+"]\n"+section+"[app:a]\nuse = egg:a\nsession.secret = s\n[app:b]\nuse = egg:b\nsession.secret = s\nfilter-with = f\n[filter:f]\nuse = egg:f\n")
		_, app, _ := strings.Cut(name, ":")
		c, err := Load(path, LoadOptions{Dialect: Python3, App: app})
		require.NoError(t, err, name)
		e, err := c.Effective()
		require.NoError(t, err, name)
		said := false
		for _, w := range e.Warnings {
			said = said || strings.Contains(w.Msg, "PasteDeploy makes nothing that works of filter-with at section ["+name+"]")
		}
		require.Equal(t, app == "main", said, name)
	}
}

func TestCompositeErrors(t *testing.T) {
	for _, c := range []struct{ name, section, message string }{
		{"no path", "use = egg:Paste#urlmap\nbeaker.session.key = a\n", `main.ini:3:1: "beaker.session.key" in [composite:main] is no path of an application: it must start with /`},
		{"two paths", "use = egg:Paste#urlmap\n/a /b = a\n", "there is more than one path"},
		{"two domains", "use = egg:Paste#urlmap\ndomain a domain b = a\n", "there is more than one domain"},
		{"two ports", "use = egg:Paste#urlmap\ndomain a port 1 port 2 = a\n", "there is more than one port"},
		{"no domain", "use = egg:Paste#urlmap\ndomain = a\n", "the domain is missing"},
		{"a port alone", "use = egg:Paste#urlmap\nport 80 / = a\n", "a port needs a domain"},
		{"cascade of others", "use = egg:Paste#cascade\nfirst = a\n", `main.ini:3:1: "first" in section [composite:main]: the keys of a cascade start with app`},
		{"catch", "use = egg:Paste#cascade\napp = a\ncatch = 404 sometimes\n", `main.ini:4:1: "sometimes" in catch`},
		{"catch what Paste has not", "paste.composite_factory = paste.cascade:make_cascade\napp = a\ncatch = 299\n", `"299" in catch`},
		{"not found", "paste.composit_factory = paste.urlmap:urlmap_factory\nnot_found_app = b\n", "main.ini:3:1: no section [app:b]"},
		{"itself", "use = egg:Paste#urlmap\n/ = main\n", "main.ini:3:1: section [composite:main] leads back to itself ([composite:main] → [composite:main])"},
		{"call", "use = egg:rutter#urlmap\n/ = call:a:b\n", "main.ini:3:1: use = call:… runs Python code"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := Load(writeFile(t, "[composite:main]\n"+c.section+"[app:a]\nuse = egg:a\n"), LoadOptions{Dialect: Python3})
			require.NoError(t, err, "the section itself is as it should be")
			_, err = cfg.Effective()
			require.ErrorContains(t, err, c.message)
			var e *Error
			require.ErrorAs(t, err, &e)
			_, err = cfg.SessionSettings()
			require.ErrorContains(t, err, c.message)
		})
	}
}

func TestURLAddress(t *testing.T) {
	for uri, want := range map[string][2]string{
		"":                     {"", ""},
		"/":                    {"", ""},
		"/a//b/":               {"", "/a/b"},
		"http://x":             {"x", ""},
		"http://x:80/":         {"x:80", ""},
		"https://x.example//a": {"x.example", "/a"},
	} {
		domain, path, err := urlAddress(uri, Setting{})
		require.NoError(t, err)
		require.Equal(t, want, [2]string{domain, path}, uri)
	}
	require.Empty(t, compositeFactory("egg:Paste#other"))
	require.Empty(t, compositeFactory("shop:make"))
	require.Equal(t, factoryCascade, compositeFactory("paste.cascade:make_cascade"))
}

// The same address again replaces what was there.
func TestURLMapTwice(t *testing.T) {
	c, err := Load(writeFile(t, "[composite:main]\nuse = egg:Paste#urlmap\n/a = one\n//a/ = two\n"+twoApps), LoadOptions{Dialect: Python3})
	require.NoError(t, err)
	require.Len(t, c.root.children, 1)
	require.Equal(t, "two", c.root.children[0].Value)
}

// Whatever is in a file, there is an answer or an *Error, in bounded time.
func FuzzApplications(f *testing.F) {
	for _, text := range []string{
		"[composite:main]\nuse = egg:Paste#urlmap\n/ = a\ndomain x port 1 /b//c/ = main\nnot_found_app = p\n[app:a]\nuse = config:x.ini#main\n[pipeline:p]\npipeline = f a\n[filter:f]\nuse = f\n",
		"[composit:main]\nuse = egg:Paste#cascade\napp1 = a\ncatch = 404\nfilter-with = f\n[app:a]\npaste.app_factory = a:b\nsession.key = k\n[filter:f]\nuse = egg:Beaker#beaker_session\n",
		"[filter-app:main]\nuse = config:%(here)s/../%%2e\nnext = other\n[app: other]\nset a = %(b)s\nget b = a\nuse = egg:x#config:/y\n[DEFAULT]\nb = 1\n",
		"[composite:main]\npaste.composite_factory = a:b\nx = main\ny = config:main.ini#z\n[application:z]\nuse = call:a:b\n[app:main]\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, o, err := LoadOptions{Limits: Limits{MaxSections: 64, MaxFiles: 4}}.prepare("/main.ini")
		require.NoError(t, err)
		src := newSource(o.Limits)
		src.read = func(name string) ([]byte, error) {
			if strings.HasSuffix(name, "no.ini") {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		}
		apps, err := src.applications("/main.ini", o)
		if err != nil {
			require.IsType(t, &Error{}, err)
			return
		}
		for _, a := range apps {
			if a.Err != nil {
				require.IsType(t, &Error{}, a.Err)
				continue
			}
			_, err := a.Config.Effective()
			if err != nil {
				require.IsType(t, &Error{}, err)
			}
			_ = a.Config.Settings()
		}
	})
}
