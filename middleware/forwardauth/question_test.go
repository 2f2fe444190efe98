package forwardauth

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// Whatever is believed has a method in capitals, a host without user and port that is as
// rules compare it, and a path that is its own normal form or is known to be read in
// several ways.
func FuzzQuestion(f *testing.F) {
	f.Add("GET", "https", "app.example.org", "/a/b?c=d", "policy=staff")
	f.Add("GET", "https", "app.example.org:8443", "//a;b/%2e%2e/c", "")
	f.Add("POST", "wss", "[::1]:80", "/a%2fb", "policy=a&policy=b")
	f.Add("M-SEARCH", "HTTP", "App.Example.ORG.", "/?policy=x", "policy=x")
	f.Add("get", "ftp", "user@host", "http://a/", "%zz")
	f.Add("GET", "http", "a/b", "/x", ";")
	f.Fuzz(func(t *testing.T, method, scheme, host, uri, query string) {
		nginx := http.Header{"X-Original-Method": {method}, "X-Original-Url": {scheme + "://" + host + uri}}
		old := http.Header{"X-Original-Method": {method}, "X-Original-Uri": {uri}, "X-Forwarded-Proto": {scheme}}
		caddy := http.Header{"X-Forwarded-Method": {method}, "X-Forwarded-Proto": {scheme}, "X-Forwarded-Host": {host}, "X-Forwarded-Uri": {uri}}
		asked := &url.URL{Path: "/", RawQuery: query}
		believed := 0
		for _, c := range []struct {
			read func(*http.Request) (question, error)
			r    http.Request
		}{
			{readAuth, http.Request{Header: nginx, URL: asked}},
			{readAuth, http.Request{Header: old, Host: host, URL: asked}},
			{readForwardAuth, http.Request{Header: caddy, URL: asked}},
		} {
			q, err := c.read(&c.r)
			if err != nil {
				require.NotContains(t, err.Error(), "\n")
				continue
			}
			believed++
			check(t, &q)
			require.Equal(t, method, q.Method)
		}
		if u, err := url.ParseRequestURI(pathExtAuthz + uri); err == nil {
			r := http.Request{Method: method, Header: http.Header{"X-Forwarded-Proto": {scheme}}, Host: host, URL: u}
			if q, err := readExtAuthz(&r); err == nil {
				check(t, &q)
				require.Empty(t, q.policy, "it would be the client's")
				believed++
			}
		}
		if believed == 4 {
			require.True(t, strings.HasPrefix(uri, "/"))
			require.NotContains(t, host, "/")
		}
	})
}

func check(t *testing.T, q *question) {
	require.Regexp(t, `^[A-Z-]+$`, q.Method)
	require.Contains(t, []string{"http", "https"}, q.Scheme)
	require.Equal(t, q.Host, strings.ToLower(q.Host))
	require.Regexp(t, `^([a-z0-9_.-]+|\[[0-9a-f:.]+\])$`, q.host)
	require.True(t, q.Host == q.host || strings.HasPrefix(q.Host, q.host+":"))
	host, bare, err := readHost(q.Host)
	require.NoError(t, err)
	require.Equal(t, []string{q.Host, q.host}, []string{host, bare}, "nothing is left to do")

	// A link that is made of it leads to this host, for whoever parses it.
	u, err := url.Parse(q.Scheme + "://" + q.Host + q.URI)
	require.NoError(t, err)
	require.Nil(t, u.User)
	require.Empty(t, u.Fragment)
	require.Equal(t, q.Host, u.Host)
	if strings.HasPrefix(q.host, "[") {
		_, err := netip.ParseAddr(u.Hostname())
		require.NoError(t, err)
	} else {
		require.Equal(t, q.host, u.Hostname())
	}
	require.Equal(t, q.path.Plain, u.Path)

	slash := func(p string) string { return strings.TrimSuffix(p, "/") }
	require.Equal(t, slash(path.Clean(q.path.Most)), slash(q.path.Most), "the path is its own normal form")
	again, err := forwarded.ReadPath(&url.URL{Path: q.path.Plain})
	if q.path.Plain == q.path.Least && q.path.Plain == q.path.Most {
		require.NoError(t, err)
		require.Equal(t, q.path, again)
		require.Equal(t, slash(path.Clean(q.path.Plain)), slash(q.path.Plain))
	}
}
