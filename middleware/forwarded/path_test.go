package forwarded_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

func TestReadPath(t *testing.T) {
	for raw, want := range map[string]forwarded.Path{
		"/":                        {Plain: "/", Least: "/", Most: "/"},
		"/a/b.c/":                  {Plain: "/a/b.c/", Least: "/a/b.c/", Most: "/a/b.c/"},
		"/.well-known/x":           {Plain: "/.well-known/x", Least: "/.well-known/x", Most: "/.well-known/x"},
		"/a/...":                   {Plain: "/a/...", Least: "/a/...", Most: "/a/..."},
		"/caf%C3%A9":               {Plain: "/café", Least: "/café", Most: "/café"},
		"/caf%E9":                  {Plain: "/caf\xe9", Least: "/caf\xe9", Most: "/caf\xe9"},
		"/a%2Fb":                   {Plain: "/a/b", Least: "/a%2Fb", Most: "/a/b"},
		"/a%5cb":                   {Plain: `/a\b`, Least: "/a%5cb", Most: "/a/b"},
		"/a///b//":                 {Plain: "/a///b//", Least: "/a///b//", Most: "/a/b/"},
		"/;a=1":                    {Plain: "/;a=1", Least: "/;a=1", Most: "/"},
		"/%61":                     {Plain: "/a", Least: "/a", Most: "/a"},
		"/%2561":                   {Plain: "/%61", Least: "/%61", Most: "/a"},
		"/100%25":                  {Plain: "/100%", Least: "/100%", Most: "/100%"},
		"/a;v=1/b;/c":              {Plain: "/a;v=1/b;/c", Least: "/a;v=1/b;/c", Most: "/a/b/c"},
		"/b/;/a":                   {Plain: "/b/;/a", Least: "/b/;/a", Most: "/b/a"},
		"/a%3Fb":                   {Plain: "/a?b", Least: "/a?b", Most: "/a"},
		"/a%23/b":                  {Plain: "/a#/b", Least: "/a#/b", Most: "/a"},
		"/b%C0%AFa":                {Plain: "/b\xc0\xafa", Least: "/b\xc0\xafa", Most: "/b/a"},
		"/x;y=%41":                 {Plain: "/x;y=A", Least: "/x;y=A", Most: "/x"},
		"/https:%2F%2Fexample.org": {Plain: "/https://example.org", Least: "/https:%2F%2Fexample.org", Most: "/https:/example.org"},
	} {
		u, err := url.ParseRequestURI("http://h" + raw)
		require.NoError(t, err, raw)
		got, err := forwarded.ReadPath(u)
		require.NoError(t, err, raw)
		require.Equal(t, want, got, raw)
	}
	for _, raw := range []string{
		"/..", "/a/../b", "/./a", "/a/.", "/%2e%2e/b", "/%2e/", "/.%2e", "/a%2f..%2fb", `/a\..\b`, "/a%5c..%5cb", "/%252e%252e/a", "/%25252e%25252e",
		"/..;/a", "/..;x=1/a", "/.;/a", "/%c0%ae%c0%ae/a", "/%e0%80%ae./a", "/%00", "/a%00.html", "/a%0d%0aSet-Cookie:x", "/%7f", "/%2500",
		"/%2525252525252561", "/a;%2Fb/c", "/a;x%5cb", "/a;%252Fb", "/a%3b%2Fb", "/a%3b%252Fb",
		"//a/b", "//", "///a", `/\a/b`, "/%5Ca", "/%2Fa", "/%252Fa/b", "/%255ca/b", "/%c0%afa", "/;/a", "/;x/a", "/%3b/a", "/;x//a",
	} {
		u, err := url.ParseRequestURI("http://h" + raw)
		require.NoError(t, err, raw)
		_, err = forwarded.ReadPath(u)
		require.ErrorIs(t, err, forwarded.ErrPath, raw)
	}
	for _, u := range []url.URL{{}, {Path: "*"}, {Path: "a"}, {Opaque: "a"}, {Opaque: "a", Path: "/a"}} {
		_, err := forwarded.ReadPath(&u)
		require.ErrorIs(t, err, forwarded.ErrPath)
	}
	u := &url.URL{Path: "/shop/item/17.html"}
	require.Zero(t, testing.AllocsPerRun(10, func() { forwarded.ReadPath(u) }))
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "/a/b.c": "/a/b.c", "/Admin": "/admin", "/admin.": "/admin", "/admin. ./x": "/admin/x", "/ /a": "/a", "/a.b/C/": "/a.b/c/", "/\u00c4": "/\u00c4",
	} {
		require.Equal(t, want, forwarded.Fold(in), in)
	}
}

// readers are what applications do with a path, one step each.
var readers = []func(string) string{
	func(s string) string { // decode, and keep what is no encoding
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if i+2 < len(s) && s[i] == '%' {
				if c, err := url.PathUnescape(s[i : i+3]); err == nil {
					b.WriteString(c)
					i += 2
					continue
				}
			}
			b.WriteByte(s[i])
		}
		return b.String()
	},
	func(s string) string {
		for strings.Contains(s, "//") {
			s = strings.ReplaceAll(s, "//", "/")
		}
		return s
	},
	func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	func(s string) string {
		segments := strings.Split(s, "/")
		for i := range segments {
			segments[i], _, _ = strings.Cut(segments[i], ";")
		}
		return strings.Join(segments, "/")
	},
	func(s string) string { s, _, _ = strings.Cut(s, "?"); return s },
	func(s string) string { s, _, _ = strings.Cut(s, "#"); return s },
	func(s string) string { return strings.ReplaceAll(s, "\xc0\xaf", "/") },
}

// Whatever an application does with a path that is not refused, in whatever order: a
// prefix that holds for what it then sees holds for Most, and one that holds for Least
// holds for it.
func FuzzReadPath(f *testing.F) {
	for _, s := range []string{"/a/b", "//a", "/;/a", "/a%2Fb", "/%2561/b", `/x\a`, "/x;%2Fa/b", "/a%3fb", "/%c0%afa", "/x%253B%252Fa/b"} {
		f.Add(s, uint32(0o0123456))
		f.Add(s, uint32(0o3030301))
	}
	prefixes := []string{"", "/a", "/a/b", "/b", "/x", "/x/a", "/a/x/b"}
	f.Fuzz(func(t *testing.T, raw string, order uint32) {
		u, err := url.ParseRequestURI("http://h" + raw)
		if err != nil {
			return
		}
		p, err := forwarded.ReadPath(u)
		if err != nil {
			require.ErrorIs(t, err, forwarded.ErrPath)
			return
		}
		require.True(t, strings.HasPrefix(p.Most, "/"))
		require.NotContains(t, p.Most, "//")
		require.NotContains(t, p.Most+"/", "/../")
		again, err := forwarded.ReadPath(&url.URL{Path: p.Most})
		require.NoError(t, err, "Most of %q: %q", raw, p.Most)
		require.Equal(t, p.Most, again.Most, "nothing is left to do")
		seen := p.Plain
		for ; order > 0; order /= 8 {
			if i := int(order % 8); i < len(readers) {
				seen = readers[i](seen)
			}
			for _, prefix := range prefixes {
				if forwarded.Under(seen, prefix) {
					require.True(t, forwarded.Under(p.Most, prefix), "%q is %q to an application, %q to us", raw, seen, p.Most)
				}
				if forwarded.Under(p.Least, prefix) {
					require.True(t, forwarded.Under(seen, prefix) || seen == "", "%q is %q to an application, %q to us", raw, seen, p.Least)
				}
			}
		}
	})
}
