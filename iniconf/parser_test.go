package iniconf

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// options reads text and returns what [s] holds, or the error.
func options(t *testing.T, d Dialect, text string) (map[string]string, error) {
	t.Helper()
	doc, err := parse("f.ini", text, d)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	s := doc.byName["s"]
	if s == nil {
		s = doc.defaults
	}
	for _, o := range s.opts.list() {
		if o.Key != "__name__" || o.Value != "s" {
			out[o.Key] = o.Value
		}
	}
	return out, nil
}

func TestParserRules(t *testing.T) {
	type opts = map[string]string
	for _, c := range []struct {
		name, text       string
		python2, python3 opts
	}{
		{"both delimiters, the first one counts", "[s]\na = 1:2\nb : 1=2\nhttp://x = a\n", opts{"a": "1:2", "b": "1=2", "http": "//x = a"}, opts{"a": "1:2", "b": "1=2", "http": "//x = a"}},
		{"keys keep their case", "[s]\nA = 1\na = 2\n", opts{"A": "1", "a": "2"}, opts{"A": "1", "a": "2"}},
		{"a comment after a value", "[s]\na = 1 ; c\nb = 1 # c\nc = 1;c\n", opts{"a": "1", "b": "1 # c", "c": "1;c"}, opts{"a": "1 ; c", "b": "1 # c", "c": "1;c"}},
		{"only the first semicolon counts", "[s]\na = 1;2 ; c\n", opts{"a": "1;2 ; c"}, opts{"a": "1;2 ; c"}},
		{"a value that is a comment", "[s]\na = ;c \nb = ;c\n", opts{"a": "", "b": ";c"}, opts{"a": ";c", "b": ";c"}},
		{"two quotes", "[s]\na = \"\"\n", opts{"a": ""}, opts{"a": `""`}},
		{"whole-line comments", "# c\n; c\n[s]\n#a = 1\n;b = 1\n", opts{}, opts{}},
		{"rem", "[s]\nREM x = 1\nrem\tx\nremark = 1\nrem\n", opts{"remark": "1"}, nil},
		{"rem is an option", "[s]\nrem x = 1\n", opts{}, opts{"rem x": "1"}},
		{"continuation", "[s]\na = 1\n  2\n\t3\n", opts{"a": "1\n2\n3"}, opts{"a": "1\n2\n3"}},
		{"value on the next line", "[s]\na =\n  2\n", opts{"a": "\n2"}, opts{"a": "\n2"}},
		{"a blank line inside", "[s]\na = 1\n\n  2\n\n", opts{"a": "1\n2"}, opts{"a": "1\n\n2"}},
		{"an indented comment inside", "[s]\na = 1\n  # c\n  2\n", opts{"a": "1\n# c\n2"}, opts{"a": "1\n2"}},
		{"a comment at the margin inside", "[s]\na = 1\n# c\n  2\n", opts{"a": "1\n2"}, opts{"a": "1\n2"}},
		{"an indented option", "[s]\n  a = 1\n  b = 2\n    c = 3\n", nil, opts{"a": "1", "b": "2\nc = 3"}},
		{"an indented header", "[s]\na = 1\n  [t]\n", opts{"a": "1\n[t]"}, opts{"a": "1\n[t]"}},
		{"a duplicate option", "[s]\na = 1\na = 2\n  3\n", opts{"a": "2\n3"}, nil},
		{"a duplicate section", "[s]\na = 1\n[t]\n[s]\nb = 2\n", opts{"a": "1", "b": "2"}, nil},
		{"DEFAULT twice", "[DEFAULT]\na = 1\n[DEFAULT]\nb = 2\n", opts{"a": "1", "b": "2"}, opts{"a": "1", "b": "2"}},
		{"text after a header", "[s] ; c\na = 1\n", opts{"a": "1"}, opts{"a": "1"}},
		{"carriage returns", "[s]\r\na = 1 ; c\r\nb = 2\r\n", opts{"a": "1", "b": "2"}, opts{"a": "1 ; c", "b": "2"}},
		{"blank around", "[s]\n  \na   =\t 1 \t\n", opts{"a": "1"}, opts{"a": "1"}},
		{"no newline at the end", "[s]\na = 1", opts{"a": "1"}, opts{"a": "1"}},
		{"an empty file", "", opts{}, opts{}},
		{"no name", "[s]\n= 1\n", nil, nil},
		{"a word alone", "[s]\nword\n", nil, nil},
		{"an empty header", "[]\na = 1\n", nil, nil},
		{"a byte-order mark", "\ufeff[s]\na = 1\n", nil, nil},
		{"no header", "a = 1\n", nil, nil},
		{"bytes that are not UTF-8", "[s]\na = \xe9\n", opts{"a": "\xe9"}, nil},
		{"Unicode's blanks", "[s]\na = 1\u00a0\n", opts{"a": "1\u00a0"}, opts{"a": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for d, want := range map[Dialect]opts{Python2: c.python2, Python3: c.python3} {
				got, err := options(t, d, c.text)
				if want == nil {
					var e *Error
					require.ErrorAs(t, err, &e, d)
					require.Positive(t, e.Line)
					continue
				}
				require.NoError(t, err, d)
				require.Equal(t, want, got, d)
			}
		})
	}
}

func TestParserErrors(t *testing.T) {
	for _, c := range []struct {
		text    string
		dialect Dialect
		kind    Kind
		message string
	}{
		{"# c\n\na = 1\n", Python3, KindMissingSectionHeader, "iniconf: f.ini:3:1: text before the first section; put a header"},
		{"\ufeff[s]\n", Python2, KindMissingSectionHeader, "f.ini:1:1: the file begins with a byte-order mark"},
		{"\ufeff# c\n[s]\n", Python3, KindMissingSectionHeader, "f.ini:1:1: the file begins with a byte-order mark"},
		{"[s]\na = 1\n\nb = 2\na = 3\n", Python3, KindDuplicateOption, `f.ini:5:1: option "a" is also on line 2 of section [s]`},
		{"[s]\n[t]\n[s]\n", Python3, KindDuplicateSection, "f.ini:3:1: section [s] is also on line 1"},
		{"[s]\n  word\nx=1\n", Python3, KindParsing, "f.ini:2:3: neither a section"},
		{"[s]\nword\nsecretword\nx\n", Python2, KindParsing, "there are 3 such lines, the next is line 3"},
		{"[s]\nok = é\nb = \xff\n", Python3, KindEncoding, "f.ini:3:5: not UTF-8"},
		{"[s]\n" + strings.Repeat("k", 100) + "=1\n" + strings.Repeat("k", 100) + "=1\n", Python3, KindDuplicateOption, strings.Repeat("k", 60) + `…"`},
	} {
		_, err := parse("f.ini", c.text, c.dialect)
		var e *Error
		require.ErrorAs(t, err, &e, c.text)
		require.Equal(t, c.kind, e.Kind, c.text)
		require.ErrorContains(t, err, c.message)
		require.NotContains(t, err.Error(), "secretword")
	}
}

func TestEveryValueKeepsItsLine(t *testing.T) {
	doc, err := parse("f.ini", "[DEFAULT]\nx = 1\n[s]\n\n  a = 1\n   2\n# c\n  b : 2\n", Python3)
	require.NoError(t, err)
	x, _ := doc.defaults.opts.get("x")
	require.Equal(t, Setting{"x", "1", Position{"f.ini", 2, 1}, "DEFAULT"}, x)
	require.Equal(t, []Setting{
		{"a", "1\n2", Position{"f.ini", 5, 3}, "s"},
		{"b", "2", Position{"f.ini", 8, 3}, "s"},
	}, doc.byName["s"].opts.list())
	// In Python 2 the last of two options is the one.
	doc, err = parse("f.ini", "[s]\na = 1\na = 2\n", Python2)
	require.NoError(t, err)
	a, _ := doc.byName["s"].opts.get("a")
	require.Equal(t, 3, a.Line)
}

func TestPositionAndKindAsText(t *testing.T) {
	require.Equal(t, "f:1:2", Position{"f", 1, 2}.String())
	require.Equal(t, "f:1", Position{"f", 1, 0}.String())
	require.Equal(t, "f", Position{"f", 0, 3}.String())
	require.Equal(t, "LoopError", KindLoop.String())
	require.Equal(t, "Kind(0)", Kind(0).String())
	require.Equal(t, "Kind(99)", Kind(99).String())
	require.Equal(t, "auto python2 python3", Auto.String()+" "+Python2.String()+" "+Python3.String())
	require.Equal(t, "iniconf: x", (&Error{Msg: "x"}).Error())
	require.Equal(t, `f:1:2: timeout = "5"`, Setting{"timeout", "5", Position{"f", 1, 2}, "s"}.String())
	require.Equal(t, `f:1: beaker.session.validate_key = (not shown)`, Setting{"beaker.session.validate_key", "hush", Position{"f", 1, 0}, "s"}.String())
	require.Equal(t, `f: session.key = "shop"`, Setting{"session.key", "shop", Position{"f", 0, 0}, "s"}.String())
}
