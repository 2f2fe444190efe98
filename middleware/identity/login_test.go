package identity

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoginTemplates(t *testing.T) {
	for _, template := range []string{
		"https://login.example.org/?came_from={url}", "http://login.example.org:8080/a/b?x=1&rd={url}#top", "/login?came_from={url}",
		"/login", "https://login.example.org", "https://login.example.org/#rd={url}", "https://[2001:db8::1]/?a={url}&b={url}",
	} {
		_, err := newLogin(template, nil)
		require.NoError(t, err, template)
	}
	for _, template := range []string{
		"{url}", "/{url}", "//login.example.org/?u={url}", `/\login.example.org`, "login?u={url}", "?u={url}", "javascript:alert(1)",
		"data:text/html,{url}", "https://{url}/", "https://login.example.org{url}", "https://login.example.org/{url}", "https:///?u={url}",
		"https://a:b@login.example.org/?u={url}", "https:login.example.org", "ftp://login.example.org/", "/login?u={uri}", "/login?u={URL}",
		"/login?u={{url}}", "/lo gin?u={url}", "/login?u={url}\r\nX: 1", "/lögin", "https://exa mple.org/", "https://example.org:0/",
		"https://example.org:99999/", "/%zz",
	} {
		_, err := newLogin(template, nil)
		require.Error(t, err, template)
	}
	for _, host := range []string{"", "*", "*.", "a b", "a/b", "https://a", "a@b", "a:b", "*.*.a", "a..b", "-.-.", "é.example"} {
		_, err := newLogin("/login", []string{host})
		require.Equal(t, host != "-.-.", err != nil, host)
	}
}

func TestLoginLocation(t *testing.T) {
	const ours = "app.example.org"
	for _, c := range []struct {
		name              string
		hosts             []string
		scheme, host, uri string
		page              string // "": none
	}{
		{"plain", nil, "https", ours, "/a?b=c", "https://app.example.org/a?b=c"},
		{"root", nil, "http", ours, "/", "http://app.example.org/"},
		{"port", nil, "https", ours + ":8443", "/", "https://app.example.org:8443/"},
		{"the scheme's own port", nil, "https", "APP.example.org.:443", "/", "https://app.example.org/"},
		{"address", nil, "http", "192.0.2.1:80", "/", "http://192.0.2.1/"},
		{"IPv6", nil, "http", "[2001:DB8::1]:8080", "/", "http://[2001:db8::1]:8080/"},
		{"encoded", nil, "https", ours, "/a%20b%0d%0a%2f", "https://app.example.org/a%20b%0d%0a%2f"},
		{"no escapes", nil, "https", ours, "/100%&%4&%zz&%+1&%", "https://app.example.org/100%25&%254&%25zz&%25+1&%25"},
		{"to be encoded", nil, "https", ours, "/a\"<b>^`{|}ü#x", "https://app.example.org/a%22%3Cb%3E%5E%60%7B%7C%7D%C3%BC%23x"},
		{"two slashes", nil, "https", ours, "//evil.example/x", "https://app.example.org/evil.example/x"},
		{"slash and backslash", nil, "https", ours, `/\evil.example`, "https://app.example.org/evil.example"},
		{"many", nil, "https", ours, `/\/\//evil.example`, "https://app.example.org/evil.example"},
		{"backslash within", nil, "https", ours, `/a\b`, "https://app.example.org/a%5Cb"},
		{"at sign", nil, "https", ours, "/@evil.example", "https://app.example.org/@evil.example"},
		{"parameters of its own", nil, "https", ours, "/?came_from=https://evil.example&x={url}", "https://app.example.org/?came_from=https://evil.example&x=%7Burl%7D"},
		{"too long", nil, "https", ours, "/" + strings.Repeat("a", maxPage), "https://app.example.org/"},
		{"allowed host", []string{"other.example", "app.example.org"}, "https", ours, "/", "https://app.example.org/"},
		{"wildcard", []string{"*.example.org"}, "https", ours, "/", "https://app.example.org/"},
		{"allowed port", []string{"app.example.org:8443"}, "https", ours + ":8443", "/", "https://app.example.org:8443/"},

		{"other host", []string{"other.example"}, "https", ours, "/", ""},
		{"other port", []string{ours}, "https", ours + ":8443", "/", ""},
		{"the wildcard's own name", []string{"*.example.org"}, "https", "example.org", "/", ""},
		{"a name that ends alike", []string{"*.example.org"}, "https", "evilexample.org", "/", ""},
		{"a name that begins alike", []string{ours}, "https", ours + ".evil.example", "/", ""},
		{"absolute form", nil, "https", ours, "http://evil.example/", ""},
		{"asterisk", nil, "https", ours, "*", ""},
		{"no path", nil, "https", ours, "", ""},
		{"a host in place of a path", nil, "https", ours, "@evil.example/", ""},
		{"line break", nil, "https", ours, "/a\r\nLocation: x", ""},
		{"tab", nil, "https", ours, "/\t/evil.example", ""},
		{"NUL", nil, "https", ours, "/\x00", ""},
		{"javascript", nil, "javascript", ours, "/", ""},
		{"no scheme", nil, "", ours, "/", ""},
		{"scheme in capitals", nil, "HTTPS", ours, "/", ""},
		{"no host", nil, "https", "", "/", ""},
		{"user in the host", nil, "https", "app.example.org@evil.example", "/", ""},
		{"port and user", nil, "https", "app.example.org:80@evil.example", "/", ""},
		{"slash in the host", nil, "https", "evil.example/app.example.org", "/", ""},
		{"backslash in the host", nil, "https", `evil.example\.app.example.org`, "/", ""},
		{"question mark in the host", nil, "https", "evil.example?app.example.org", "/", ""},
		{"fragment in the host", nil, "https", "evil.example#.app.example.org", "/", ""},
		{"line break in the host", nil, "https", "app.example.org\r\nX: 1", "/", ""},
		{"space in the host", nil, "https", "app.example.org evil", "/", ""},
		{"percent in the host", nil, "https", "evil.example%2f.app.example.org", "/", ""},
		{"letters that browsers fold", nil, "https", "evil.example／.app.example.org", "/", ""},
		{"zone", nil, "https", "[fe80::1%25eth0]", "/", ""},
		{"an open bracket", nil, "https", "[::1", "/", ""},
		{"a list of hosts", nil, "https", "app.example.org, evil.example", "/", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for prefix, template := range map[string]string{
				"https://login.example.org/?rd=": "https://login.example.org/?rd={url}",
				"/login?rd=":                     "/login?rd={url}",
			} {
				l, err := newLogin(template, c.hosts)
				require.NoError(t, err)
				location, err := l.location(&Request{Method: "GET", Scheme: c.scheme, Host: c.host, URI: c.uri})
				if c.page == "" {
					require.Error(t, err)
					require.Empty(t, location)
					continue
				}
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(location, prefix), location)
				u, err := url.Parse(location)
				require.NoError(t, err)
				require.Equal(t, url.Values{"rd": {c.page}}, u.Query())
			}
		})
	}
}

// A login page behind the same policy sends nobody to itself for ever.
func TestLoginPageItself(t *testing.T) {
	own, err := newLogin("/login?u={url}", nil)
	require.NoError(t, err)
	other, err := newLogin("https://login.example.org?u={url}", nil)
	require.NoError(t, err)
	r := &Request{Scheme: "https", Host: "app.example.org", URI: "/login?u=x"}
	_, err = own.location(r)
	require.ErrorContains(t, err, "this is the login page")
	_, err = other.location(r)
	require.NoError(t, err)
	_, err = other.location(&Request{Scheme: "https", Host: "LOGIN.example.org:443", URI: "/"})
	require.ErrorContains(t, err, "this is the login page")
}

// FuzzLogin: wherever a request says that it comes from, the answer leads to the login
// page, and what that is told is a URL of a host that is allowed.
func FuzzLogin(f *testing.F) {
	for _, seed := range [][3]string{
		{"https", "app.example.org", "/a?b=c"}, {"http", "a.example.org:80", "//evil.example"}, {"https", "[::1]", `/\evil`},
		{"https", "app.example.org@evil", "/"}, {"javascript", "app.example.org", "/%0d%0a"}, {"http", "[::1]", "/%0X0"}, {"https", "evil.example/.example.org", "/"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	l, err := newLogin("https://login.example.org/in?x=1&rd={url}", []string{"*.example.org", "[::1]"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, scheme, host, uri string) {
		location, err := l.location(&Request{Method: "GET", Scheme: scheme, Host: host, URI: uri})
		if err != nil {
			require.Empty(t, location)
			return
		}
		require.True(t, strings.HasPrefix(location, "https://login.example.org/in?x=1&rd=http"))
		for _, c := range []byte(location) {
			require.True(t, c > ' ' && c < 0x7F && c != '\\')
		}
		u, err := url.Parse(location)
		require.NoError(t, err)
		told := u.Query()["rd"]
		require.Len(t, told, 1)
		page, err := url.Parse(told[0])
		require.NoError(t, err)
		require.Equal(t, scheme, page.Scheme)
		require.Nil(t, page.User)
		require.True(t, strings.HasSuffix(page.Hostname(), ".example.org") || page.Hostname() == "::1", page.Host)
		require.True(t, strings.HasPrefix(page.EscapedPath(), "/"))
		require.False(t, strings.HasPrefix(page.EscapedPath(), "//"))
		require.False(t, strings.ContainsAny(told[0], "\\ \r\n\t\x00"))
	})
}

func TestIsPage(t *testing.T) {
	browser := http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Sec-Fetch-Mode": {"navigate"}}
	with := func(key, v string) http.Header {
		h := browser.Clone()
		h[key] = []string{v}
		return h
	}
	for _, c := range []struct {
		name   string
		method string
		h      http.Header
		want   bool
	}{
		{"a browser", "GET", browser, true},
		{"HEAD", "HEAD", browser, true},
		{"POST", "POST", browser, false},
		{"an old browser", "GET", http.Header{"Accept": {"Text/HTML"}}, true},
		{"several lines", "GET", http.Header{"Accept": {"image/png", "a/b, text/html;level=1;q=0.3"}}, true},
		{"curl", "GET", http.Header{"Accept": {"*/*"}}, false},
		{"nothing", "GET", http.Header{}, false},
		{"an API", "GET", http.Header{"Accept": {"application/json, text/plain"}}, false},
		{"refused", "GET", http.Header{"Accept": {"text/html;q=0"}}, false},
		{"refused with decimals", "GET", http.Header{"Accept": {"text/html; Q=0.000, */*"}}, false},
		{"no weight", "GET", http.Header{"Accept": {"text/html;q=x"}}, false},
		{"fetch", "GET", with("Sec-Fetch-Mode", "cors"), false},
		{"websocket", "GET", with("Sec-Fetch-Mode", "websocket"), false},
		{"XMLHttpRequest", "GET", with("X-Requested-With", "XMLHttpRequest"), false},
	} {
		require.Equal(t, c.want, IsPage(c.method, c.h), c.name)
	}
}

// The page is told as the browser knows it, and an expression sees by what the policy was
// found.
func TestPageHost(t *testing.T) {
	p := policy(t, Options{Require: []string{"user_id"}, Allow: `request.host == "inner.example.org"`, Login: "/login?u={url}"})
	r := page()
	r.Host, r.PageHost = "inner.example.org", "www.example.org"
	require.Equal(t, "/login?u=https%3A%2F%2Fwww.example.org%2Fa%3Fb%3Dc", p.Decide(r, see(t, nil), nil).Location)
	require.Equal(t, 200, p.Decide(r, see(t, values{"user_id": 1}), nil).Status)
	r.Host, r.PageHost = r.PageHost, r.Host
	require.Equal(t, 403, p.Decide(r, see(t, values{"user_id": 1}), nil).Status)
}

func TestLoginPage(t *testing.T) {
	p := policy(t, Options{Require: []string{"user_id"}, Login: "/login?u={url}", LoginHosts: []string{"app.example.org"}})
	r := page()
	r.Page = false
	require.Equal(t, "/login?u=https%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc", p.LoginPage(r))
	r.Method = "POST"
	require.Equal(t, "/login?u=https%3A%2F%2Fapp.example.org%2F", p.LoginPage(r), "after the login nothing is posted")
	r.Host = "evil.example"
	require.Empty(t, p.LoginPage(r))
	require.Empty(t, policy(t, Options{}).LoginPage(page()))
}
