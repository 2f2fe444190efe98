package iniconf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ofSection interpolates option v of section [s].
func ofSection(t *testing.T, d Dialect, text string, b *budget) (string, error) {
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
		{"v = %(a)r\na = 1\t2\x7f", `'1\t2\x7f'`, syntax},
		{"v = %(a)c%(a)ls\na = x", "xx", syntax},
		{"v = %(a)c\na = xy", syntax, syntax},
		{"v = %(a)s %3%\na = x", "x   %", syntax},
		{"v = %(a)s %s\na = x", syntax, syntax},
		{"v = %(a)99999999s\na = x", "!LimitError", syntax},
		{"v = %(a).99999999s\na = x", "x", syntax},
		{"v = %(a)99999999999999999999s\na = x", syntax, syntax},
		{"v = %(a).99999999999999999999s\na = x", syntax, syntax},
		{"v = %(a)*s %(a)s\na = x", syntax, syntax},
		{"v = %(a)%%s\na = x", "%x", syntax},
		{"v = %(a)%%s%s\na = x", syntax, syntax},
		{"v = %s %(a)s\na = x", syntax, syntax},
		{"v = %% %(a)s %%\na = x", "% x %", "% x %"},
		{"v = %(a)+#0 5s\na = x", "    x", syntax},
		{"v = %(a)-5c|\na = x", "x    |", syntax},
		{"v = %(a)-3%|\na = x", "%  |", syntax},
		{"v = %(nope)", missing, syntax},
		{"v = %(a)s\na = 50%", "50%", syntax},
		{"v = %(a)s\na = 50%% %(b)s\nb = x", "50% x", "50% x"},
		{"v = x\n  %(a)s\na = 1\n  2", "x\n1\n2", "x\n1\n2"},
		{"v = \na = 1", "", ""},
		{"v = %(a)\na = 1", syntax, syntax},
		{"v = %(a)s\na = %(v)s", depth, depth},
		{"v = %(v)s", depth, depth},
		{"v = %(__name__)s", "s", missing},
		{"v = %%(a)s\na = x", "x", "%(a)s"},
		{"v = %(a(b))s\na(b) = x", "x", syntax},
		{"v = %()s", missing, syntax},
	} {
		for d, want := range map[Dialect]string{Python2: c.python2, Python3: c.python3} {
			got, err := ofSection(t, d, "[s]\n"+c.text+"\n", &budget{1000, 1000})
			if kind, bad := strings.CutPrefix(want, "!"); bad {
				require.Error(t, err, "%v %q", d, c.text)
				require.Equal(t, kind, err.(*Error).Kind.String(), "%v %q", d, c.text)
				require.Contains(t, err.Error(), `option "v" of section [s]`)
				continue
			}
			require.NoError(t, err, "%v %q", d, c.text)
			require.Equal(t, want, got, "%v %q", d, c.text)
		}
	}
}

func TestReprOfCarriageReturn(t *testing.T) {
	got, err := ofSection(t, Python2, "[s]\nv = %(a)r\na = 1\r2\n", &budget{1000, 1000})
	require.NoError(t, err)
	require.Equal(t, `'1\r2'`, got)
}

func TestInterpolationDepthIsTen(t *testing.T) {
	for _, d := range []Dialect{Python2, Python3} {
		got, err := ofSection(t, d, chain(10, "x"), &budget{1000, 1000})
		require.NoError(t, err, d)
		require.Equal(t, "x", got)
		_, err = ofSection(t, d, chain(11, "x"), &budget{1000, 1000})
		require.EqualError(t, err, `iniconf: f.ini:2:1: option "v" of section [s]: its references go deeper than 10 levels; two settings may refer to each other`, d)
		require.Equal(t, KindInterpolationDepth, err.(*Error).Kind)
	}
	// Python 3 counts only values that have a % themselves.
	_, err := ofSection(t, Python3, chain(10, "%%"), &budget{1000, 1000})
	require.Error(t, err)
	_, err = ofSection(t, Python2, chain(10, "%%"), &budget{1000, 1000})
	require.NoError(t, err)
}

// An error points at the % that it is about, in whichever value that is.
func TestInterpolationErrorsNameThePlace(t *testing.T) {
	const (
		missing = `it refers with %(…)s to "nope" that is neither in its section nor in [DEFAULT]; define it there, or write %% for a percent sign`
		leads   = `; option "v" of section [s] (f.ini:2:1) leads to it`
	)
	for _, c := range []struct{ text, python2, python3 string }{
		{"v = a %(nope)s", `2:7: option "v" of section [s]: ` + missing, `2:7: option "v" of section [s]: ` + missing},
		{"v =\n  one\n\n  two %(a)s and %(nope)s\na = x", `5:17: option "v"`, `5:17: option "v"`},
		{"v = %(a)s\n  x\na = é %(nope)s", `4:8: option "a" of section [s]: ` + missing + leads, `4:8: option "a" of section [s]: ` + missing + leads},
		{"v = %(a)s\n[DEFAULT]\na = %(b)s\nb = x\n  %(nope)s", `6:3: option "b" of section [DEFAULT]: ` + missing + leads, `6:3: option "b" of section [DEFAULT]: ` + missing + leads},
		{"v = %(a)s\na = %(b)s %\nb = x", `3:11: option "a" of section [s]: a % that begins no`, `3:11: option "a" of section [s]: a % must be followed by`},
		{"v = %(a)s!%(b)s\na = 5%\nb = %(c)s\nc = x", `3:6: option "a" of section [s]: a % that begins no`, `3:6: option "a" of section [s]: a % must be followed by`},
		{"v = %(a)s%(b)s\na = %\nb = (nope)s", `2:1: option "v" of section [s]: it refers with %(…)s to a name that is`, `3:5: option "a" of section [s]: a % must be followed by`},
		{"v = %(a)s(nope)s\na = %%(c)s\nc = %", `2:1: option "v" of section [s]: it refers with %(…)s to a name that`, ""},
		{"v = x %s %(a)s\na = x", `2:7: option "v" of section [s]: a conversion without a name before a %(name)s; Python 2 puts the whole section there`, `2:7: option "v"`},
	} {
		for d, want := range map[Dialect]string{Python2: c.python2, Python3: c.python3} {
			_, err := ofSection(t, d, "[s]\n"+c.text+"\n", &budget{1000, 1000})
			if want == "" {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, "iniconf: f.ini:"+want, "%v %q", d, c.text)
		}
	}
}

// The work grows as the text and its references do.
func TestInterpolationIsLinear(t *testing.T) {
	for _, d := range dialects {
		for _, make := range []func(n int) string{
			wide,
			func(n int) string { return chain(9, strings.Repeat("%(b)s%%", n)) + "b = x\n" },
			func(n int) string { return chain(10, strings.Repeat("x", n)) },
			func(n int) string { return "[s]\nv = " + strings.Repeat("%%(", n) + "%(a)s\na = x\n" },
			func(n int) string { return "[s]\nv = %(a)s " + strings.Repeat("%(", n) + "\na = x\n" },
		} {
			spent := func(n int) budget {
				b := budget{1 << 30, 1 << 30}
				_, _ = ofSection(t, d, make(n), &b)
				return budget{1<<30 - b.bytes, 1<<30 - b.steps}
			}
			small, large := spent(1000), spent(100_000)
			require.LessOrEqual(t, large.bytes, 101*small.bytes)
			require.LessOrEqual(t, large.steps, 101*small.steps)
		}
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
			_, err := ofSection(t, d, text, &budget{n, 10})
			require.Error(t, err, "%d %q", n, text)
			require.Equal(t, KindLimit, err.(*Error).Kind)
		}
		_, err := ofSection(t, d, "[s]\nv = %(a)s%(a)s\na = cd\n", &budget{100, 1})
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
