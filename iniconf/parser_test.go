package iniconf

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// options reads text and returns what [s], or without one [DEFAULT], holds.
func options(d Dialect, text string) (map[string]string, error) {
	doc, err := parse("f.ini", text, d)
	if err != nil {
		return nil, err
	}
	s := doc.byName["s"]
	if s == nil {
		s = doc.defaults
	}
	out := map[string]string{}
	for _, o := range written(doc, s) {
		out[o.Key] = o.Value
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
		{"DEFAULT has capitals", "[default]\na = 1\n[DEFAULT]\nb = 2\n", opts{"b": "2"}, opts{"b": "2"}},
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
		{"Unicode's blanks indent", "[s]\na = 1\n\u2003b = 2\n", opts{"a": "1", "\u2003b": "2"}, opts{"a": "1\nb = 2"}},
		{"information separators", "[s]\na = \x1c1\x1f\n", opts{"a": "\x1c1\x1f"}, opts{"a": "1"}},
		{"form feed and vertical tab", "[s]\n\x0c\na = \x0b1\n\x0c2\n", opts{"a": "1\n2"}, opts{"a": "1\n2"}},
		{"next line (NEL)", "[s]\na = 1\n\u00852\n", nil, opts{"a": "1\n2"}},
		{"a byte of NEL", "[s]\na = 1\x85\n", opts{"a": "1\x85"}, nil},
		{"nulls", "[s]\na\x00 = \x001\n", opts{"a\x00": "\x001"}, opts{"a\x00": "\x001"}},
		{"a lone carriage return", "[s]\na = 1\rb = 2\n", opts{"a": "1\rb = 2"}, opts{"a": "1", "b": "2"}},
		{"a percent sign in a name", "[s]\n%(x)s = 1\n", opts{"%(x)s": "1"}, opts{"%(x)s": "1"}},
		{"blanks before a delimiter", "[s]\na b \t : c = d\n", opts{"a b": "c = d"}, opts{"a b": "c = d"}},
		{"two words that only one delimiter parts", "[s]\n[k = 1\n", opts{"[k": "1"}, opts{"[k": "1"}},
		{"no name, indented", "[s]\n = 1\n", nil, nil},
		{"no name, twice", "[s]\n= 1\n= 1\n", nil, nil},
		{"the section's name as an option", "[s]\n__name__ = 1\n", opts{"__name__": "1"}, opts{"__name__": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for d, want := range map[Dialect]opts{Python2: c.python2, Python3: c.python3, Python39: c.python3} {
				got, err := options(d, c.text)
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

func TestHeaders(t *testing.T) {
	for _, c := range []struct{ line, python2, python39, python3 string }{
		{"[a]", "a", "a", "a"},
		{"[ a ]", " a ", " a ", " a "},
		{"[a] ; [b]", "a", "a", "a] ; [b"},
		{"[a]b]", "a", "a", "a]b"},
		{"[a] = 1", "a", "a", "a"},
		{"[[a]]", "[a", "[a", "[a]"},
		{"[a=b]", "a=b", "a=b", "a=b"},
		{"  [a]", "", "a", "a"},
		{"[]]", "", "", "]"},
		{"[]a]", "", "", "]a"},
		{"[]", "", "", ""},
		{"[a", "", "", ""},
	} {
		for d, want := range map[Dialect]string{Python2: c.python2, Python39: c.python39, Python3: c.python3} {
			doc, err := parse("f.ini", c.line+"\nk = v\n", d)
			if want == "" {
				require.Error(t, err, "%v %s", d, c.line)
				require.Equal(t, KindMissingSectionHeader, err.(*Error).Kind)
				continue
			}
			require.NoError(t, err, "%v %s", d, c.line)
			require.Len(t, doc.sections, 1)
			require.Equal(t, want, doc.sections[0].name, "%v %s", d, c.line)
		}
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
		{"[s]\nword\nsecretword\nx\n", Python2, KindParsing, "f.ini:2:1: neither a section, nor an option (name = value), nor a comment; correct the line, or indent it if it continues the value above; lines that make no sense: 2, 3, 4"},
		{"[s]\n" + strings.Repeat("x\n", 30), Python3, KindParsing, "lines that make no sense: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20 more"},
		{"[s]\n = 1\n", Python3, KindParsing, "f.ini:2:2: an option without a name; write name = value"},
		{"[s]\n= 1\n", Python2, KindParsing, "f.ini:2:1: an option without a name; write name = value"},
		{"[s]\n[t\n", Python2, KindParsing, "f.ini:2:1: a section header without a name or without its closing bracket; write [name]"},
		{"[s]\n  a = 1\n", Python2, KindParsing, "f.ini:2:3: an indented line with no option above that it could continue; Python 2 wants the first option of a section at the margin"},
		{"[s\n", Python3, KindMissingSectionHeader, "f.ini:1:1: text before the first section: a section header without a name or without its closing bracket"},
		{"\n [s]\n", Python2, KindMissingSectionHeader, "f.ini:2:2: a section header that is indented, which Python 2 takes for text before the first section; put it at the margin"},
		{"\u00a0\n[s]\n", Python2, KindMissingSectionHeader, "f.ini:1:1: text before the first section; put a header"},
		{"[s]\nok = é\nb = \xff\n", Python3, KindEncoding, "f.ini:3:5: not UTF-8"},
		{"[s]\rok = \ufffdé\r\nb = \xe9\n", Python39, KindEncoding, "f.ini:3:5: not UTF-8; save the file as UTF-8 (Python 2 takes any bytes)"},
		{"\xff", Python3, KindEncoding, "f.ini:1:1: not UTF-8"},
		{"[s]\n= 1\n= 2\n", Python3, KindDuplicateOption, `f.ini:3:1: option "" is also on line 2`},
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
	require.Equal(t, Setting{Key: "x", Value: "1", Position: Position{"f.ini", 2, 1}, Section: "DEFAULT", spots: []spot{{2, 5}}}, x)
	require.Equal(t, []Setting{
		{Key: "a", Value: "1\n2", Position: Position{"f.ini", 5, 3}, Section: "s", spots: []spot{{5, 7}, {6, 4}}},
		{Key: "b", Value: "2", Position: Position{"f.ini", 8, 3}, Section: "s", spots: []spot{{8, 7}}},
	}, doc.byName["s"].opts.list())
	// In Python 2 the last of two options is the one.
	doc, err = parse("f.ini", "[s]\na = 1\na = 2\n", Python2)
	require.NoError(t, err)
	a, _ := doc.byName["s"].opts.get("a")
	require.Equal(t, 3, a.Line)
}

func TestPlacesInsideValues(t *testing.T) {
	const text = "[s]\n  é = \u00a0one é two\n\n    three\n  # no\n\t\t\tfour\r\n\n"
	doc, err := parse("f.ini", text, Python3)
	require.NoError(t, err)
	v, _ := doc.byName["s"].opts.get("é")
	require.Equal(t, "one é two\n\nthree\nfour", v.Value)
	for word, want := range map[string]Position{
		"one": {"f.ini", 2, 10}, "two": {"f.ini", 2, 17}, "three": {"f.ini", 4, 5}, "four": {"f.ini", 6, 4}, "our": {"f.ini", 6, 5},
	} {
		require.Equal(t, want, v.at(strings.Index(v.Value, word)), word)
	}
	require.Equal(t, Position{"f.ini", 3, 1}, v.at(strings.Index(v.Value, "\n\n")+1))
	v.spots = nil
	require.Equal(t, Position{"f.ini", 2, 3}, v.at(7), "a value that is not as written stands where its setting stands")
	doc, err = parse("f.ini", "[s]\nv =\t1 ; c\n\n\t 2 ; c\n", Python2)
	require.NoError(t, err)
	v, _ = doc.byName["s"].opts.get("v")
	require.Equal(t, "1\n2 ; c", v.Value)
	require.Equal(t, Position{"f.ini", 2, 5}, v.at(0))
	require.Equal(t, Position{"f.ini", 4, 3}, v.at(2))
}

// With Auto the file decides, where only one dialect can read it.
func TestTheFileDecidesTheDialect(t *testing.T) {
	for text, want := range map[string]Dialect{
		"[app:main]\nuse = egg:x\n":                              Python3,
		"[app:main]\nuse = egg:x\na = 1\na = 2\n":                Python2,
		"[app:main]\nuse = egg:x\n  \xe9 = 1\nb = 50%\n":         Python2,
		"[app:main]\n  use = egg:x\n":                            Python3,
		"[app:main] ; [first]\n  use = egg:x\n":                  Python39,
		"[app:main] ; [first]\nuse = egg:x\na = 1\n":             Python39,
		"[app:main] ; [first]\nuse = egg:x\n[app:main]\na = 1\n": Python2,
	} {
		c, err := Load(writeFile(t, text), LoadOptions{})
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, c.Dialect(), "%q", text)
	}
}

func TestPositionAndKindAsText(t *testing.T) {
	require.Equal(t, "f:1:2", Position{"f", 1, 2}.String())
	require.Equal(t, "f:1", Position{"f", 1, 0}.String())
	require.Equal(t, "f", Position{"f", 0, 3}.String())
	require.Equal(t, "LoopError", KindLoop.String())
	require.Equal(t, "Kind(0)", Kind(0).String())
	require.Equal(t, "Kind(99)", Kind(99).String())
	require.Equal(t, "auto python2 python3 python3.9", Auto.String()+" "+Python2.String()+" "+Python3.String()+" "+Python39.String())
	require.Equal(t, "iniconf: x", (&Error{Msg: "x"}).Error())
	require.Equal(t, `f:1:2: timeout = "5"`, Setting{Key: "timeout", Value: "5", Position: Position{"f", 1, 2}, Section: "s"}.String())
	require.Equal(t, `f:1: beaker.session.validate_key = (not shown)`, Setting{Key: "beaker.session.validate_key", Value: "hush", Position: Position{"f", 1, 0}, Section: "s"}.String())
	require.Equal(t, `f: session.key = "shop"`, Setting{Key: "session.key", Value: "shop", Position: Position{"f", 0, 0}, Section: "s"}.String())
}
