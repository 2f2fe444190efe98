package iniconf

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzParse: whatever is read can be written out in a plain form that reads as
// the same, and every option stands on a line of the file. In the plain form
// each value line is indented by one blank.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"[app:main]\nuse = egg:x\n", "[DEFAULT]\na=1\n[s]\nb : 2\n  3\n\n  4\n", "[s]\na = 1 ; c\n#x\nrem y\n", "[s]\r\na = \"\"\r\n",
		"\ufeff[s]", "[s]\na\n", "[s]\n a = %(b)s\n b = %%\n", "[s]\n[s]\na=1\na=2", "[a]b]\nx=\x1c\u00a0\u2028y", "[s]\na = ;\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []Dialect{Python2, Python3} {
			doc, err := parse("f.ini", text, d)
			lines := len(d.splitLines(text))
			if err != nil {
				if line := err.(*Error).Line; line < 1 || line > lines+1 {
					t.Fatalf("%v: error on line %d of %d", d, line, lines)
				}
				continue
			}
			for _, s := range append([]*section{doc.defaults}, doc.sections...) {
				for _, o := range s.opts.list() {
					if o.Line < 1 || o.Line > lines || o.Column < 1 {
						t.Fatalf("%v: option at %v of %d lines", d, o.Position, lines)
					}
					sc := scope{section: s.opts, defaults: doc.defaults.opts}
					_, _ = interpolate(d, sc, o, &budget{bytes: 1 << 12, steps: 1 << 10})
				}
			}
			again, err := parse("f.ini", render(doc), d)
			if err != nil {
				t.Fatalf("%v: %v\n%q\n%q", d, err, text, render(doc))
			}
			if a, b := render(doc), render(again); a != b {
				t.Fatalf("%v: %q reads as %q", d, a, b)
			}
		}
	})
}

// render writes a document in a plain form.
func render(doc *document) string {
	var b strings.Builder
	for _, s := range append([]*section{doc.defaults}, doc.sections...) {
		b.WriteString("[" + s.name + "]\n")
		for _, o := range s.opts.list() {
			if o.Key == "__name__" && o.Line == s.pos.Line {
				continue
			}
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

// BenchmarkParse reads one megabyte of options, some of them over two lines.
func BenchmarkParse(b *testing.B) {
	text := "[app:main]\n"
	for i := 0; len(text) < 1<<20; i += 200 {
		var some strings.Builder
		for j := range 200 {
			fmt.Fprintf(&some, "some.option.%d = a value of ordinary length; and %%(here)s\n    and more\n# a comment\n", i+j)
		}
		text += some.String()
	}
	for _, d := range []Dialect{Python2, Python3} {
		b.Run(d.String(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := parse("f.ini", text, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
