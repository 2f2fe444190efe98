package iniconf

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParse: what is read stands where it claims to stand, can be written out in
// a plain form that reads as the same, and is the same in every dialect as far
// as the text has nothing that they differ about.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"[app:main]\nuse = egg:x\n", "[DEFAULT]\na=1\n[s]\nb : 2\n  3\n\n  4\n", "[s]\na = 1 ; c\n#x\nrem y\n", "[s]\r\na = \"\"\r\n",
		"\ufeff[s]", "[s]\na\n", "[s]\n a = %(b)s\n b = %%\n", "[s]\n[s]\na=1\na=2", "[a]b]\nx=\x1c\u00a0\u2028y", "[s]\na = ;\n",
		"[DEFAULT]\nv = %(a)5.2s %(b)r%%\na=50% %(b)s\nb = x\n  %(c)s", "[]\n[]]\n[a\n= 1\n : 2\n", "[s]\nv=%(secret)s%(c)s", "[s]\n\xff=\xfe",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		docs := map[Dialect]*document{}
		for _, d := range dialects {
			lines := linesOf(d, text)
			doc, err := parse("f.ini", text, d)
			if err != nil {
				requireGoodError(t, lines, err)
				continue
			}
			docs[d] = doc
			requirePositions(t, lines, doc)
			requireInterpolation(t, lines, doc)
			again, err := parse("f.ini", plainForm(doc), d)
			require.NoError(t, err, d)
			require.Equal(t, contents(doc), contents(again), d)
		}
		if docs[Python3] != nil && docs[Python39] != nil && !slices.ContainsFunc(strings.Split(text, "\n"), manyBrackets) {
			require.Equal(t, contents(docs[Python3]), contents(docs[Python39]))
		}
		if docs[Python3] != nil && tame(text) {
			require.NotNil(t, docs[Python2])
			require.Equal(t, contents(docs[Python3]), contents(docs[Python2]))
		}
		requireSecrecy(t, text)
	})
}

// dialects are those that parse knows.
var dialects = []Dialect{Python2, Python3, Python39}

func manyBrackets(line string) bool { return strings.Count(line, "]") > 1 }

// tame reports that a text has nothing that Python 2 and 3 read differently, so
// that what Python 3 accepts is the same for both.
func tame(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && line[0] == ' ' || manyBrackets(line) || strings.HasPrefix(strings.ToLower(line), "rem") {
			return false
		}
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' || r == ';' || r == '"' })
}

func linesOf(d Dialect, text string) []string {
	var lines []string
	for _, line := range d.lines(text) {
		lines = append(lines, line)
	}
	return lines
}

// everySection is [DEFAULT] and the others.
func everySection(doc *document) []*section { return append([]*section{doc.defaults}, doc.sections...) }

// written returns the options that stand in the file.
func written(doc *document, s *section) []Setting {
	return slices.DeleteFunc(s.opts.list(), func(o Setting) bool { return o.Key == "__name__" && o.Line == s.pos.Line })
}

// contents are the sections, names and values of a document.
func contents(doc *document) [][3]string {
	var all [][3]string
	for _, s := range everySection(doc) {
		all = append(all, [3]string{s.name})
		for _, o := range written(doc, s) {
			all = append(all, [3]string{s.name, o.Key, o.Value})
		}
	}
	return all
}

// requireGoodError: an error names a place within the file.
func requireGoodError(t *testing.T, lines []string, err error) {
	t.Helper()
	e := err.(*Error)
	standsAt(t, lines, e.Position)
	if e.Kind != KindParsing {
		require.Empty(t, e.Lines)
		require.True(t, e.Kind < KindLookup || e.Kind == KindLimit)
		return
	}
	require.True(t, slices.IsSorted(e.Lines))
	require.Equal(t, e.Line, e.Lines[0])
}

// standsAt returns what stands at a position of the file.
func standsAt(t *testing.T, lines []string, p Position) string {
	t.Helper()
	if p.File != "f.ini" || p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
		require.Fail(t, "no such place", "%v", p)
	}
	return lines[p.Line-1][p.Column-1:]
}

func requirePositions(t *testing.T, lines []string, doc *document) {
	t.Helper()
	for _, s := range everySection(doc) {
		if s != doc.defaults {
			requireBegins(t, standsAt(t, lines, s.pos), "["+s.name+"]")
		}
		for _, o := range written(doc, s) {
			requireBegins(t, standsAt(t, lines, o.Position), o.Key)
			i := 0
			for line := range strings.SplitSeq(o.Value, "\n") {
				requireBegins(t, standsAt(t, lines, o.at(i)), line)
				i += len(line) + 1
			}
		}
	}
}

func requireBegins(t *testing.T, text, start string) {
	t.Helper()
	if !strings.HasPrefix(text, start) {
		require.Fail(t, "another text", "%q begins not with %q", text, start)
	}
}

func requireInterpolation(t *testing.T, lines []string, doc *document) {
	t.Helper()
	for _, s := range everySection(doc) {
		for _, o := range s.opts.list() {
			v, err := interpolate(doc.dialect, scope{s.opts, doc.defaults.opts}, o, &budget{1 << 14, 1 << 10})
			switch {
			case err != nil:
				requireGoodError(t, lines, err)
				// It is the % itself, unless it is the option, or one that it leads to.
				if rest := standsAt(t, lines, err.(*Error).Position); rest[:1] != "%" {
					require.True(t, slices.ContainsFunc(everySection(doc), func(s *section) bool {
						return slices.ContainsFunc(s.opts.list(), func(o Setting) bool { return o.Position == err.(*Error).Position })
					}), err)
				}
			case !strings.Contains(o.Value, "%"):
				require.Equal(t, o.Value, v.Value)
			}
		}
	}
}

// requireSecrecy: whatever stands beside a secret, no error shows it.
func requireSecrecy(t *testing.T, text string) {
	t.Helper()
	const secret = "hunter2"
	if strings.Contains(text, secret) {
		return
	}
	text = "[DEFAULT]\nsecret=hunter2%\nmy_secret=%(hunter2)s %\nc=%(my_secret)s %(secret)s%(secret)s\n  hunter2\n" + text
	for _, d := range dialects {
		doc, err := parse("f.ini", text, d)
		if err != nil {
			require.NotContains(t, err.Error(), secret)
			continue
		}
		for _, s := range everySection(doc) {
			for _, o := range s.opts.list() {
				if _, err := interpolate(d, scope{s.opts, doc.defaults.opts}, o, &budget{1 << 12, 1 << 8}); err != nil {
					require.NotContains(t, err.Error(), secret)
				}
			}
		}
	}
}

// plainForm writes a document so that each value line is indented by one blank.
func plainForm(doc *document) string {
	var b strings.Builder
	for _, s := range everySection(doc) {
		b.WriteString("[" + s.name + "]\n")
		for _, o := range written(doc, s) {
			lines := strings.Split(o.Value, "\n")
			b.WriteString(o.Key + "=" + lines[0] + "\n")
			for _, l := range lines[1:] {
				if l != "" {
					l = " " + l
				}
				b.WriteString(l + "\n")
			}
		}
	}
	return b.String()
}
