package iniconf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// valueOf interpolates option v of section [s].
func valueOf(t *testing.T, d Dialect, text string, b *budget) (string, error) {
	t.Helper()
	doc, err := parse("f.ini", text, d)
	require.NoError(t, err)
	s := doc.byName["s"].opts
	v, _ := s.get("v")
	got, err := interpolate(d, scope{s, doc.defaults.opts}, v, b)
	require.Equal(t, v.Position, got.Position)
	return got.Value, err
}

func TestInterpolationRules(t *testing.T) {
	const (
		syntax  = "!InterpolationSyntaxError"
		missing = "!InterpolationMissingOptionError"
		depth   = "!InterpolationDepthError"
	)
	for _, c := range []struct{ text, python2, python3 string }{
		{"v = %(a)s-%(b)s\na = 1\n[DEFAULT]\nb = 2\na = no", "1-2", "1-2"},
		{"v = %(a)s\na = %(b)s\nb = x", "x", "x"},
		{"v = %(a.b c)s\na.b c = x", "x", "x"},
		{"v = %(A)s\na = 1", missing, missing},
		{"v = 50%%", "50%%", "50%"},
		{"v = 50%%%(a)s\na = x", "50%x", "50%x"},
		{"v = 50%", "50%", syntax},
		{"v = 50%, %(a)s\na = x", syntax, syntax},
		{"v = %(a)s%\na = x", syntax, syntax},
		{"v = %(a", syntax, syntax},
		{"v = %(nope", syntax, syntax},
		{"v = %(nope)x", missing, syntax},
		{"v = %(a)d\na = 1", syntax, syntax},
		{"v = %(a)5s|%(a)-5s|%(a).1s\na = xyz", "  xyz|xyz  |x", syntax},
		{"v = %(a)r %(b)r\na = it's\nb = q\"'\\\t\x01é", `"it's" 'q"\'\\\t\x01\xc3\xa9'`, syntax},
		{"v = %(a)r\na = 1\n  2", `'1\n2'`, syntax},
		{"v = %(a)c%(a)ls\na = x", "xx", syntax},
		{"v = %(a)c\na = xy", syntax, syntax},
		{"v = %(a)s %3%\na = x", "x   %", syntax},
		{"v = %(a)s %s\na = x", syntax, syntax},
		{"v = %(a)99999999s\na = x", syntax, syntax},
		{"v = %(a).99999999s\na = x", syntax, syntax},
		{"v = %(a)\na = 1", syntax, syntax},
		{"v = %(a)s\na = %(v)s", depth, depth},
		{"v = %(v)s", depth, depth},
		{"v = %(__name__)s", "s", missing},
		{"v = %%(a)s\na = x", "x", "%(a)s"},
		{"v = %(a(b))s\na(b) = x", "x", syntax},
		{"v = %()s", missing, syntax},
	} {
		for d, want := range map[Dialect]string{Python2: c.python2, Python3: c.python3} {
			got, err := valueOf(t, d, "[s]\n"+c.text+"\n", &budget{1000, 1000})
			if kind, bad := strings.CutPrefix(want, "!"); bad {
				require.Error(t, err, "%v %q", d, c.text)
				require.Equal(t, kind, err.(*Error).Kind.String(), "%v %q", d, c.text)
				require.Contains(t, err.Error(), `f.ini:2:1: option "v" of section [s]: `)
				continue
			}
			require.NoError(t, err, "%v %q", d, c.text)
			require.Equal(t, want, got, "%v %q", d, c.text)
		}
	}
}

func TestInterpolationDepthIsTen(t *testing.T) {
	chain := func(n int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "[s]\nv = %%(a1)s\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "a%d = %%(a%d)s\n", i, i+1)
		}
		fmt.Fprintf(&b, "a%d = x\n", n)
		return b.String()
	}
	for _, d := range []Dialect{Python2, Python3} {
		got, err := valueOf(t, d, chain(10), &budget{1000, 1000})
		require.NoError(t, err, d)
		require.Equal(t, "x", got)
		_, err = valueOf(t, d, chain(11), &budget{1000, 1000})
		require.Error(t, err, d)
		require.Equal(t, KindInterpolationDepth, err.(*Error).Kind)
	}
}

// Ten levels of ten references each would be ten thousand million pieces.
func TestInterpolationCannotExplode(t *testing.T) {
	for _, last := range []string{"lol", ""} {
		var b strings.Builder
		b.WriteString("[app:main]\nuse = egg:x\nv = %(l9)s\n")
		for i := 9; i > 0; i-- {
			fmt.Fprintf(&b, "l%d = %s\n", i, strings.Repeat(fmt.Sprintf("%%(l%d)s", i-1), 10))
		}
		fmt.Fprintf(&b, "l0 = %s\n", last)
		for _, d := range []Dialect{Python2, Python3} {
			_, err := Load(writeFile(t, b.String()), LoadOptions{Dialect: d})
			require.Error(t, err)
			require.Equal(t, KindLimit, err.(*Error).Kind, "%v", err)
			require.Contains(t, err.Error(), "Limits.Max")
		}
	}
}

func TestBudgetIsShared(t *testing.T) {
	for _, d := range []Dialect{Python2, Python3} {
		for n, text := range map[int]string{3: "[s]\nv = ab%(a)s\na = cd\n", 2: "[s]\nv = ab%%%(a)s\na = cd\n", 1: "[s]\nv = ab%(a)s\na = cd\n", 4: "[s]\nv = ab%(a)s%%\na = cd\n"} {
			_, err := valueOf(t, d, text, &budget{n, 10})
			require.Error(t, err, "%d %q", n, text)
			require.Equal(t, KindLimit, err.(*Error).Kind)
		}
		_, err := valueOf(t, d, "[s]\nv = %(a)s%(a)s\na = cd\n", &budget{100, 1})
		require.Error(t, err)
		require.Equal(t, KindLimit, err.(*Error).Kind)
	}
}

func TestErrorsKeepSecrets(t *testing.T) {
	for _, text := range []string{
		"beaker.session.secret = hush%hush", "beaker.session.secret = %(hush)s", "beaker.session.validate_key = a%(hush",
		"beaker.session.secret = x\nbeaker.session.secure = hush-hush", "sqlalchemy.url = %(hush)s",
		"beaker.session.encrypt_key = x\nbeaker.session.encrypt_key = hush", "beaker.session.secret =\nbeaker.session.timeout = x",
		"hush", "beaker.session.data_serializer = json\nbeaker.session.encrypt_nonce_bits = 9 ; hush",
	} {
		c, err := Load(writeFile(t, "[app:main]\nuse = egg:x\n"+text+"\n"), LoadOptions{Dialect: Python3})
		if err == nil {
			_, _, err = c.Session()
		}
		require.Error(t, err, text)
		if !strings.Contains(text, "secure") && !strings.Contains(text, "nonce") { // those are no secrets
			require.NotContains(t, err.Error(), "hush", text)
		}
	}
}
