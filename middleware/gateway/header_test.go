package gateway

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// What is left of a Cookie header has no hidden cookie, and every other one, in order and
// byte for byte but for space at the ends.
func FuzzHideCookies(f *testing.F) {
	for _, s := range []string{"a=1; sid=x; b=2", "sid", ";;sid=;", `a="1; sid=2"`, " sid\t= x;a", "xsid=1;SID=2"} {
		f.Add(s)
	}
	pairs := func(s string) (all []string) {
		for pair := range strings.SplitSeq(s, ";") {
			name, _, _ := strings.Cut(pair, "=")
			if strings.Trim(name, " \t") != "sid" {
				all = append(all, strings.Trim(pair, " \t"))
			}
		}
		return all
	}
	f.Fuzz(func(t *testing.T, line string) {
		in := []string{"first", line}
		out := hideCookies(in, []string{"sid"})
		require.Equal(t, []string{"first", line}, in)
		require.Equal(t, "first", out[0])
		want := pairs(line)
		if len(out) == 1 {
			require.Equal(t, "", strings.Trim(strings.Join(want, ""), " \t"))
			return
		}
		require.Equal(t, want, pairs(out[1]))
		require.Len(t, pairs(out[1]), strings.Count(out[1], ";")+1, "there is no hidden one")
	})
}

// Whatever the path, one slash stands at the beginning of what is left of it, and both
// readings of it are one path.
func FuzzStripPrefix(f *testing.F) {
	for _, s := range []string{"/app", "/app/a%2Fb", "/%61pp/a%2Fb", "/app%2F%2fa%2fb", `/app/\\a%5Cb`, "/app/%5c/x", "/app/%252fa%20b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil || !forwarded.Under(u.Path, "/app") {
			return
		}
		if raw = u.RawPath; raw != u.EscapedPath() {
			raw = "" // no spelling that net/url keeps
		}
		stripPrefix(u, "/app")
		require.True(t, strings.HasPrefix(u.Path, "/"))
		require.False(t, len(u.Path) > 1 && strings.ContainsAny(u.Path[1:2], `/\`), "%q", u.Path)
		if raw != "" {
			require.Equal(t, u.RawPath, u.EscapedPath(), "it is a spelling of the path")
		}
	})
}
