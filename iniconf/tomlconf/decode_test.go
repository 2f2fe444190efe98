package tomlconf_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// span is a type that reads itself.
type span string

func (s *span) UnmarshalText(text []byte) error {
	if *s = span(text); *s == "bad" {
		return errors.New("give a span, in quotes")
	}
	return nil
}

type config struct {
	Listen  string            `toml:"listen"`
	Count   int8              `toml:"count"`
	Ratio   float64           `toml:"ratio"`
	Names   []string          `toml:"names"`
	Labels  map[string]string `toml:"labels"`
	Span    span              `toml:"span"`
	Any     any               `toml:"any"`
	Log     *logging          `toml:"log"`
	Routes  []route           `toml:"route"`
	Session *tomlconf.Session `toml:"session"`
	private int
}

type logging struct {
	Level string `toml:"level,omitempty"`
	On    bool   `toml:"on"`
}

type route struct {
	Prefix string  `toml:"prefix"`
	Deep   []route `toml:"deep"`
	Span   span    `toml:"span"`
}

func decode(t *testing.T, text string) (config, *tomlconf.Meta, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	c := config{Listen: "default", private: 1}
	m, err := tomlconf.Decode(path, &c)
	return c, m, err
}

func TestDecode(t *testing.T) {
	c, m, err := decode(t, "\ufeffcount = 5\nspan = 'x'\n[log]\non = true\n[[route]]\nprefix = '/'\n[session]\nsecret = 's'\neditable = true\n[session.extra]\na.b = 1\n")
	require.NoError(t, err)
	require.Equal(t, "default", c.Listen)
	require.Equal(t, int8(5), c.Count)
	require.True(t, c.Log.On)
	require.True(t, c.Session.Editable)
	require.Equal(t, map[string]any{"secret": "s"}, c.Session.Options)
	require.True(t, m.Has("session", "extra", "a", "b"))
	require.False(t, m.Has("listen"))
	require.False(t, m.Has())
	require.False(t, m.Has("count", "x"))
	require.False(t, m.Has("session", "key"))
	require.Equal(t, 1, m.Line("count"))
	require.Equal(t, 8, m.Line("session", "secret"))
	require.Equal(t, filepath.Join(filepath.Dir(m.Path), "data"), m.Relative("data"))
	require.Equal(t, "/data", m.Relative("/data"))
	require.Empty(t, m.Relative(""))
}

func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"lisen = 'a'", `x.toml:1: unknown key "lisen"; did you mean "listen"?`},
		{"\nprefix = '/'", `x.toml:2: unknown key "prefix"; did you mean "route.prefix"?`},
		{"secret = '/'", `unknown key "secret"; did you mean "session.secret"?`},
		{"[log]\nquiet = 1", `x.toml:2: unknown key "log.quiet"; known here: level, on`},
		{"[other]\nx = 1\n[other.y]\nz = 1", `x.toml:1: unknown key "other"; known here: listen, count, ratio, names, labels, span, any, log, route, session`},
		{"other.x = 1\n", `x.toml:1: unknown key "other.x"`},
		{"[[route]]\nprefix = '/'\n[[route]]\nprefix = '/a'\nprefx = 1\n[[route]]\nprefx = 2", "x.toml:5: unknown key \"route.prefx\"; did you mean \"prefix\"?\ntomlconf: "},
		{"[[route]]\nprefix = '/'\n[[route]]\nprefix = '/a'\nprefx = 1\n[[route]]\nprefx = 2", "x.toml:7: unknown key"},
		{"route = [{prefix = '/'}, {\nprefx = '/'}]", "x.toml:2: unknown key \"route.prefx\""},
		{"[[route]]\nprefix = '/'\n[[route.deep]]\npref = '/'", "x.toml:4: unknown key \"route.deep.pref\"; did you mean \"prefix\"?"},
		{"count = 'a'", "x.toml:1: count: give a whole number"},
		{"count = 300", "x.toml:1: count: the number is out of range for int8"},
		{"ratio = 'a'", "x.toml:1: ratio: give a number"},
		{"names = 'a'", "x.toml:1: names: give a list"},
		{"names = ['a',\n5]", "x.toml:2: names: give a text in quotes"},
		{"labels = {a = 'b',\nc = 5}", "x.toml:2: labels.c: give a text in quotes"},
		{"log = 'a'", "x.toml:1: log: give a table"},
		{"span = 'bad'", "x.toml:1: span: give a span, in quotes"},
		{"any = 1\nlog.on = 'a'", "x.toml:2: log.on: give true or false"},
		{"[[route]]\nprefix = '/'\n[[route]]\nprefix = 5\n[[route]]\nprefix = 6\n", "x.toml:4: route.prefix: give a text in quotes"},
		{"[[route]]\nspan = '/'\n[[route]]\nspan = 'bad'\n[[route]]\nspan = '6'\n", "x.toml:4: route.span: give a span"},
		{"[[route]]\nspan = '/'\n[[route]]\nspan = 'ok'\n[[route.deep]]\nprefix = 5\n", "x.toml:6: route.deep.prefix: give a text"},
		{"listen = 'hunter2\n", "x.toml:1: strings cannot contain newlines"},
		{"listen = hunter2", "x.toml:1: expected value but found (text not shown) instead"},
		{"listen = \"hunter2\\q\"", "x.toml:1: invalid escape in string"},
		{"listen = 'a'\n\x00", "x.toml:2: "},
		{"a\x00", "x.toml:1: files cannot contain NULL bytes"},
		{"listen = 'a'\nlisten = 'hunter2'", "x.toml:2: this key is set a second time"},
		{strings.Repeat("# comment\n", 1<<17), "it cannot be read: larger than 1048576 bytes"},
	} {
		_, m, err := decode(t, c.text)
		require.ErrorContains(t, err, c.want, c.text)
		require.NotContains(t, err.Error(), "hunter2")
		require.Nil(t, m)
		var at *tomlconf.Error
		require.ErrorAs(t, err, &at)
		require.Equal(t, "x.toml", filepath.Base(at.File))
	}
	_, err := tomlconf.Decode(filepath.Join(t.TempDir(), "x.toml"), &config{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = tomlconf.Decode(t.TempDir(), &config{})
	require.ErrorContains(t, err, "is a directory")
}

// What the struct itself cannot take is not blamed on a line.
func TestDecodeIntoNonsense(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.toml")
	require.NoError(t, os.WriteFile(path, []byte(""), 0o600))
	var n int
	_, err := tomlconf.Decode(path, &n)
	require.ErrorContains(t, err, "x.toml: cannot decode to type int")
}
