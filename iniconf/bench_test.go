package iniconf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// megabyte is a realistic file of one megabyte: applications with comments,
// blank lines, values over several lines and references.
func megabyte() string {
	var b strings.Builder
	b.WriteString("[DEFAULT]\ndebug = true\nhere = /srv/shop\nsmtp_server = localhost\n\n")
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, `# Application %[1]d, one of many
[app:shop%[1]d]
use = egg:Shop
full_stack = true
cache_dir = %%(here)s/data/%[1]d
beaker.session.type = file
beaker.session.data_dir = %%(cache_dir)s/sessions
beaker.session.secret = not-a-secret-%[1]d
; the includes
pyramid.includes =
    pyramid_beaker
    pyramid_tm

    pyramid_mako
sqlalchemy.url: postgresql://shop:shop@localhost/shop%[1]d ; the main database
set debug = false

`, i)
	}
	return b.String()
}

// BenchmarkParse reads one megabyte, and lets the Pythons do the same.
func BenchmarkParse(b *testing.B) {
	text := megabyte()
	for _, d := range dialects {
		b.Run(d.String(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse("f.ini", text, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	file := filepath.Join(b.TempDir(), "megabyte.ini")
	require.NoError(b, os.WriteFile(file, []byte(text), 0o600))
	for _, py := range peers.Pythons(b) {
		b.Run("ConfigParser of "+py.Name(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var milliseconds, sum float64
			n := 0
			for ; b.Loop(); n++ {
				out, err := exec.Command(py.Exe, peers.Script(b, "ini/parse.py"), file).Output()
				require.NoError(b, err)
				_, err = fmt.Sscan(string(out), &milliseconds)
				require.NoError(b, err)
				sum += milliseconds
			}
			b.ReportMetric(sum*1e6/float64(n), "ns/op") // without the start of the interpreter
		})
	}
}

// BenchmarkInterpolate: a value with 100,000 references, a chain of ten values,
// and a megabyte without any reference.
func BenchmarkInterpolate(b *testing.B) {
	for name, text := range map[string]string{
		"wide":  wide(100_000),
		"chain": chain(10, strings.Repeat("x", 1000)),
		"plain": "[s]\nv = " + strings.Repeat("nothing to do ", 1<<16) + "\n",
	} {
		for _, d := range []Dialect{Python2, Python3} {
			b.Run(name+"/"+d.String(), func(b *testing.B) {
				doc, err := parse("f.ini", text, d)
				if err != nil {
					b.Fatal(err)
				}
				s := doc.byName["s"].opts
				v, _ := s.get("v")
				b.SetBytes(int64(len(v.Value)))
				b.ReportAllocs()
				for b.Loop() {
					limits := Limits{}.withDefaults()
					if _, err := interpolate(d, scope{s, doc.defaults.opts}, v, &budget{limits.MaxInterpolated, limits.MaxReferences}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// wide is a file whose value v has n references, on as many lines as ten go to.
func wide(n int) string {
	return "[s]\na = 1\nv = " + strings.Repeat(strings.Repeat("%(a)s  ", 10)+"\n  ", n/10) + "\n"
}

// chain is a file whose value v leads over n others to text.
func chain(n int, text string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[s]\nv = %%(a1)s\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "a%d = %%(a%d)s\n", i, i+1)
	}
	fmt.Fprintf(&b, "a%d = %s\n", n, text)
	return b.String()
}
