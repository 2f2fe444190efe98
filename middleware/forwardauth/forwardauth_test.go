package forwardauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware/forwardauth"
	"github.com/gobeaker/gobeaker/middleware/identity"
)

func TestAnswers(t *testing.T) {
	s := newSite(t, forwardauth.Options{
		Default: users(t),
		Rules:   []forwardauth.Rule{{Prefix: "/staff", Policy: staff(t)}, {Prefix: "/public", Policy: everybody(t)}},
	})
	ada, finn := "Cookie: "+s.ada(), "Cookie: "+s.finn()
	forged := "Cookie: shop=0123456789012345678901234567890123456789" + strings.Repeat("a", 32)
	for _, c := range []struct {
		name, method, uri string
		headers           []string
		status            int
		user, groups      string
		login             string
	}{
		{name: "user", uri: "/a?b=c", headers: []string{finn}, status: 200, user: "finn"},
		{name: "user with groups", uri: "/", headers: []string{ada}, status: 200, user: "ada", groups: "staff,all"},
		{name: "in a group", uri: "/staff/x", headers: []string{ada}, status: 200, user: "ada", groups: "staff,all"},
		{name: "not in the group", uri: "/staff/x", headers: []string{finn}, status: 403},
		{name: "not in the group, page", uri: "/staff/x", headers: append(asPage, finn), status: 403},
		{name: "nobody", uri: "/a", status: 401},
		{name: "forged", uri: "/a", headers: []string{forged}, status: 401},
		{name: "nobody in public", uri: "/public", status: 200},
		{name: "user in public", uri: "/public/x", headers: []string{finn}, status: 200, user: "finn"},
		{name: "page", uri: "/a%20b?c=d&e", headers: asPage, status: 302, login: "https://login.example.org/?came_from=https%3A%2F%2Fapp.example.org%2Fa%2520b%3Fc%3Dd%26e"},
		{name: "form", method: "POST", uri: "/a", headers: asPage, status: 401},
		{name: "script", uri: "/a", headers: append(asPage, "X-Requested-With: XMLHttpRequest"), status: 401},
	} {
		if c.method == "" {
			c.method = "GET"
		}
		for proxy, ask := range about(c.method, "app.example.org", c.uri) {
			t.Run(c.name+"/"+proxy, func(t *testing.T) {
				// Whatever the client says of itself, nothing of it is in the answer.
				spoofed := []string{"Remote-User: root", "Remote_User: root", "REMOTE-USER: root", "X-Groups: staff", "X-Request-Id: root", "Connection: Remote-User"}
				r := ask(s, append(spoofed, c.headers...)...)
				want := c.status
				if want == 302 && strings.HasPrefix(proxy, "nginx") {
					want = 401
				}
				require.Equal(t, want, r.StatusCode)
				require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
				require.Equal(t, "Cookie", r.Header.Get("Vary"))
				require.Empty(t, r.Header["Set-Cookie"])
				require.Equal(t, c.login, r.Header.Get("Location"))
				require.Equal(t, want == 401, r.Header.Get("WWW-Authenticate") != "")
				body, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				for name, values := range r.Header {
					require.NotContains(t, strings.Join(values, ","), "root", name)
				}
				if want != 200 {
					require.NotContains(t, r.Header, "Remote-User")
					require.NotContains(t, r.Header, "X-Groups")
					require.Regexp(t, `^\d{3} [A-Za-z ]+\n$`, string(body))
					return
				}
				require.Empty(t, body)
				require.Equal(t, c.user, r.Header.Get("Remote-User"))
				require.Equal(t, c.groups, r.Header.Get("X-Groups"))
				var removed string
				switch {
				case c.user == "":
					removed = "Remote-User, X-Groups"
				case c.groups == "":
					removed = "X-Groups"
				}
				if proxy == "envoy" {
					require.Equal(t, removed, r.Header.Get("X-Envoy-Auth-Headers-To-Remove"))
				} else {
					// An empty one writes over what the client sent.
					require.Len(t, r.Header["Remote-User"], 1)
					require.Len(t, r.Header["X-Groups"], 1)
				}
			})
		}
	}
}

func TestQuestionsThatAreNotBelieved(t *testing.T) {
	nginx := []string{"X-Original-Method: GET", "X-Original-URL: https://app.example.org/a"}
	caddy := []string{"X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: app.example.org", "X-Forwarded-Uri: /a"}
	envoy := []string{"Host: app.example.org", "X-Forwarded-Proto: https"}
	plus := func(headers []string, more ...string) []string {
		return append(append([]string{}, headers...), more...)
	}
	without := func(headers []string, i int) []string {
		return append(append([]string{}, headers[:i]...), headers[i+1:]...)
	}
	with := func(headers []string, i int, line string) []string { return plus(without(headers, i), line) }
	for name, c := range map[string]struct {
		method, target string
		headers        []string
	}{
		"nginx, nothing":               {"", "/auth", nil},
		"nginx, no method":             {"", "/auth", nginx[1:]},
		"nginx, no URL":                {"", "/auth", nginx[:1]},
		"nginx, two URLs":              {"", "/auth", plus(nginx, nginx[1])},
		"nginx, two methods":           {"", "/auth", plus(nginx, "X-Original-Method: POST")},
		"nginx, URL and URI":           {"", "/auth", plus(nginx, "X-Original-URI: /b")},
		"nginx, two policies":          {"", "/auth?policy=users&policy=staff", nginx},
		"nginx, unreadable query":      {"", "/auth?policy=users&a=%zz", nginx},
		"nginx, semicolon":             {"", "/auth?policy=users;b", nginx},
		"nginx, small method":          {"", "/auth", with(nginx, 0, "X-Original-Method: get")},
		"nginx, odd method":            {"", "/auth", with(nginx, 0, "X-Original-Method: GET /")},
		"nginx, CONNECT":               {"", "/auth", with(nginx, 0, "X-Original-Method: CONNECT")},
		"nginx, long method":           {"", "/auth", with(nginx, 0, "X-Original-Method: "+strings.Repeat("A", 33))},
		"nginx, URL without scheme":    {"", "/auth", with(nginx, 1, "X-Original-URL: //app.example.org/a")},
		"nginx, other scheme":          {"", "/auth", with(nginx, 1, "X-Original-URL: javascript://app.example.org/a")},
		"nginx, URL without host":      {"", "/auth", with(nginx, 1, "X-Original-URL: https:///a")},
		"nginx, URL without path":      {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org")},
		"nginx, query without path":    {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org?a")},
		"nginx, user in URL":           {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org@evil.example/a")},
		"nginx, backslash in host":     {"", "/auth", with(nginx, 1, `X-Original-URL: https://evil.example\.app.example.org/a`)},
		"nginx, fragment":              {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org/a#b")},
		"nginx, space":                 {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org/a b")},
		"nginx, bad escape":            {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org/%zz")},
		"nginx, dots":                  {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org/a/%2e%2e/b")},
		"nginx, long URI":              {"", "/auth", with(nginx, 1, "X-Original-URL: https://app.example.org/"+strings.Repeat("a", 16<<10))},
		"nginx, URI without scheme":    {"", "/auth", []string{"X-Original-Method: GET", "X-Original-URI: /a", "Host: app.example.org"}},
		"nginx, URI is a URL":          {"", "/auth", []string{"X-Original-Method: GET", "X-Original-URI: http://evil.example/", "Host: app.example.org", "X-Forwarded-Proto: https"}},
		"nginx, with caddy's headers":  {"", "/auth", caddy},
		"caddy, no method":             {"", "/forward-auth", without(caddy, 0)},
		"caddy, no scheme":             {"", "/forward-auth", without(caddy, 1)},
		"caddy, no host":               {"", "/forward-auth", without(caddy, 2)},
		"caddy, no URI":                {"", "/forward-auth", without(caddy, 3)},
		"caddy, empty URI":             {"", "/forward-auth", with(caddy, 3, "X-Forwarded-Uri: ")},
		"caddy, two URIs":              {"", "/forward-auth", plus(caddy, "X-Forwarded-Uri: /b")},
		"caddy, two hosts":             {"", "/forward-auth", plus(caddy, "X-Forwarded-Host: evil.example")},
		"caddy, list of hosts":         {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: app.example.org, evil.example")},
		"caddy, list of schemes":       {"", "/forward-auth", with(caddy, 1, "X-Forwarded-Proto: http, https")},
		"caddy, port 0":                {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: app.example.org:0")},
		"caddy, port too big":          {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: app.example.org:65536")},
		"caddy, port is none":          {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: app.example.org:+80")},
		"caddy, name of a host":        {"", "/forward-auth", with(caddy, 3, "X-Forwarded-Uri: //a/admin")},
		"caddy, the same, escaped":     {"", "/forward-auth", with(caddy, 3, "X-Forwarded-Uri: /%5ca/admin")},
		"caddy, address with zone":     {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: [fe80::1%25eth0]")},
		"caddy, long host":             {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: "+strings.Repeat("a", 256))},
		"caddy, host is a dot":         {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: .")},
		"caddy, host begins with dot":  {"", "/forward-auth", with(caddy, 2, "X-Forwarded-Host: .example.org")},
		"caddy, asterisk":              {"", "/forward-auth", with(caddy, 3, "X-Forwarded-Uri: *")},
		"caddy, with nginx's headers":  {"", "/forward-auth", nginx},
		"caddy, visitor's policy":      {"", "/forward-auth?policy=users", with(caddy, 3, "X-Forwarded-Uri: /a?policy=users")},
		"caddy, visitor's, escaped":    {"", "/forward-auth?%70olicy=users", with(caddy, 3, "X-Forwarded-Uri: /a?%70olicy=users")},
		"caddy, visitor's, unreadable": {"", "/forward-auth?policy=users&%zz", with(caddy, 3, "X-Forwarded-Uri: /a?policy=users&%zz")},
		"envoy, no scheme":             {"", "/ext-authz/a", envoy[:1]},
		"envoy, dots":                  {"", "/ext-authz/a/..%2fb", envoy},
		"envoy, TRACE":                 {"TRACE", "/ext-authz/a", envoy},
		"envoy, small method":          {"get", "/ext-authz/a", envoy},
		"envoy, host with user":        {"", "/ext-authz/a", with(envoy, 0, "Host: a@b")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, forwardauth.Options{})
			cookie := "Cookie: " + s.ada()
			if c.method == "" {
				c.method = "GET"
			}
			r := s.send(c.method, c.target, append(c.headers, cookie)...)
			require.Equal(t, http.StatusBadRequest, r.StatusCode)
			require.NotContains(t, r.Header, "Remote-User")
			require.Contains(t, s.log.String(), "cannot be believed")
			require.NotContains(t, s.log.String(), "example")
			require.NotContains(t, s.log.String(), "%zz")
		})
	}
}

func TestWhoMayAsk(t *testing.T) {
	s := newSite(t, forwardauth.Options{})
	cookie := "Cookie: " + s.ada()
	for proxy, ask := range about("GET", "app.example.org", "/") {
		require.Equal(t, 200, ask(s, cookie).StatusCode, proxy)
		require.Equal(t, 200, ask(s, cookie, "From: [::1]:80").StatusCode, proxy)
		for _, from := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "@", "", "nonsense"} {
			r := ask(s, cookie, "From: "+from, "X-Forwarded-For: 127.0.0.1")
			require.Equal(t, 403, r.StatusCode, proxy)
			require.NotContains(t, r.Header, "Remote-User")
		}
	}
	require.Equal(t, 1, strings.Count(s.log.String(), "peer=192.0.2.1"), "once for each peer")
	require.Contains(t, s.log.String(), "not a trusted proxy")
	require.Equal(t, 404, s.send("GET", "/").StatusCode)
	require.Equal(t, 404, s.send("GET", "/auth/").StatusCode)
	require.Equal(t, 404, s.send("GET", "/%61uth").StatusCode)
	require.Equal(t, 404, s.send("GET", "/ext-authz").StatusCode)
}

// Who asks in vain cannot fill the log.
func TestLogIsLimited(t *testing.T) {
	s := newSite(t, forwardauth.Options{})
	for range 1000 {
		s.send("GET", "/auth")
	}
	require.Equal(t, 10, strings.Count(s.log.String(), "\n"))
	s.now = s.now.Add(5 * time.Second)
	s.send("GET", "/auth")
	s.send("GET", "/auth")
	require.Equal(t, 11, strings.Count(s.log.String(), "\n"))
}

func TestRules(t *testing.T) {
	named := func(name string) *identity.Policy { return newPolicy(t, identity.Options{Name: name}) }
	rule := func(name, hosts, prefix string, methods ...string) forwardauth.Rule {
		return forwardauth.Rule{Hosts: strings.Fields(hosts), Prefix: prefix, Methods: methods, Policy: named(name)}
	}
	s := newSite(t, forwardauth.Options{Default: named("default"), Rules: []forwardauth.Rule{
		rule("any", "", "/any"),
		rule("any admin", "", "/admin/"),
		rule("app", "app.example.org App2.example.org", "/"),
		rule("app admin", "app.example.org", "/admin"),
		rule("app admin read", "app.example.org", "/admin", "GET"),
		rule("app admin users", "app.example.org", "/admin/users"),
		rule("wild", "*.example.org", ""),
		rule("wild admin", "*.example.org", "/admin"),
		rule("wilder", "*.deep.example.org", "/"),
		rule("six", "[::1]", "/"),
		rule("capital", "capital.net", "/Reports"),
		rule("caf\u00e9", "", "/caf\u00e9"),
	}})
	for _, c := range []struct{ method, host, uri, policy string }{
		{"GET", "app.example.org", "/", "app"},
		{"GET", "APP.example.ORG:8443", "/any", "app"},
		{"GET", "app2.example.org.", "/any", "app"},
		{"GET", "app.example.org", "/admin", "app admin read"},
		{"HEAD", "app.example.org", "/admin/?x=/../y", "app admin read"},
		{"POST", "app.example.org", "/admin/", "app admin"},
		{"GET", "app.example.org", "/admin/users", "app admin users"},
		{"GET", "app.example.org", "/administrator", "app"},
		{"GET", "app.example.org", "/%61dmin/x", "app admin read"},
		{"GET", "x.example.org", "/admin", "wild admin"},
		{"GET", "x.y.example.org", "/", "wild"},
		{"GET", "x.deep.example.org", "/admin", "wilder"},
		{"GET", "deep.example.org", "/", "wild"},
		{"GET", "example.org", "/", "default"},
		{"GET", "evilexample.org", "/admin", "any admin"},
		{"GET", "other.net", "/any/x", "any"},
		{"GET", "other.net", "/", "default"},
		{"GET", "[0:0::1]:80", "/", "six"},
		{"GET", "other.net", "/caf%C3%A9/x", "caf\u00e9"},
		// Odd, but with one policy however it is read.
		{"GET", "x.y.example.org", "/a;b/c%2fd//e", "wild"},
		// What an application could take for /admin, or for something that is not.
		{"GET", "app.example.org", "//admin", ""},
		{"GET", "app.example.org", "/admin;x=1/users", ""},
		{"GET", "app.example.org", "/admin%2fusers", ""},
		{"GET", "app.example.org", "/%2561dmin", ""},
		{"GET", "app.example.org", "/ADMIN", ""},
		{"GET", "capital.net", "/Reports/x", "capital"},
		{"GET", "capital.net", "/reports/x", ""},
		{"GET", "capital.net", "/REPORTS", ""},
		{"GET", "app.example.org", "/admin./", ""},
		{"GET", "app.example.org", "/x/../admin", ""},
		{"GET", "app.example.org", "/x/..;/admin", ""},
		{"GET", "app.example.org", "/./admin", ""},
		{"GET", "app.example.org", `/\admin`, ""},
		{"GET", "app.example.org", "/%5cadmin", ""},
		{"GET", "app.example.org", "/admin%3f", ""},
		{"GET", "app.example.org", "/admin%00", ""},
	} {
		for proxy, ask := range about(c.method, c.host, c.uri) {
			if proxy == "envoy" && strings.Contains(c.uri, `\`) {
				continue // net/http does not read it
			}
			s.told = nil
			want := 200
			if c.policy == "" {
				want = 400
			}
			require.Equal(t, want, ask(s).StatusCode, "%s: %s %s%s", proxy, c.method, c.host, c.uri)
			require.Len(t, s.told, 1)
			require.Contains(t, s.told[0], " "+c.policy+" ", "%s: %s %s%s", proxy, c.method, c.host, c.uri)
		}
	}
}

// What applications may take for another method is refused where the method counts, and
// only there.
func TestMethodOverride(t *testing.T) {
	readers := newPolicy(t, identity.Options{Name: "readers", Allow: `request.method == "GET"`})
	s := newSite(t, forwardauth.Options{
		Policies: map[string]*identity.Policy{"everybody": everybody(t), "readers": readers},
		Default:  everybody(t), Rules: []forwardauth.Rule{{Prefix: "/a", Methods: []string{"DELETE"}, Policy: staff(t)}},
	})
	for _, name := range []string{"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: PUT", "X-Method-Override: DELETE"} {
		for proxy, ask := range about("GET", "app.example.org", "/a") {
			require.Equal(t, 200, ask(s).StatusCode, proxy)
			require.Equal(t, 400, ask(s, name).StatusCode, proxy)
		}
		nginx := []string{"X-Original-Method: GET", "X-Original-URL: https://app.example.org/a", name}
		require.Equal(t, 200, s.send("GET", "/auth?policy=everybody", nginx...).StatusCode)
		require.Equal(t, 400, s.send("GET", "/auth?policy=readers", nginx...).StatusCode)
	}
}

// An expression sees no header that the proxy may have taken from the client as it came.
func TestExpressionSeesNoForgedHeader(t *testing.T) {
	o := forwardauth.Options{
		Default:  newPolicy(t, identity.Options{Allow: `request.header("Remote-User") + request.header("X-Groups") + request.header("X-Real-IP") == "" && request.header("X-Kind") == "a"`}),
		UserInfo: everybody(t), // tells Remote-User and X-Groups
	}
	s := newSite(t, o)
	for proxy, ask := range about("GET", "app.example.org", "/a") {
		require.Equal(t, 200, ask(s, "X-Kind: a", "Remote-User: eve", "X-Groups: staff", "X-Real-IP: 127.0.0.1").StatusCode, proxy)
		require.Equal(t, 401, ask(s, "X-Kind: b").StatusCode, proxy)
	}
}

func TestNoRuleNoDefault(t *testing.T) {
	s := newSite(t, forwardauth.Options{Rules: []forwardauth.Rule{{Prefix: "/a", Policy: everybody(t)}}})
	for proxy, ask := range about("GET", "app.example.org", "/b") {
		require.Equal(t, 403, ask(s, "Cookie: "+s.ada()).StatusCode, proxy)
	}
	require.Equal(t, 404, s.send("GET", "/userinfo").StatusCode)
}

func TestPolicyByName(t *testing.T) {
	s := newSite(t, forwardauth.Options{
		Policies: map[string]*identity.Policy{"users": users(t), "staff": staff(t)},
		Default:  users(t),
		Rules:    []forwardauth.Rule{{Prefix: "/staff", Policy: staff(t)}},
	})
	cookie := "Cookie: " + s.finn()
	nginx := func(target, uri string) int {
		return s.send("GET", target, cookie, "X-Original-Method: GET", "X-Original-URL: https://app.example.org"+uri).StatusCode
	}
	caddy := func(target, uri string) int {
		return s.send("GET", target, cookie, "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: app.example.org", "X-Forwarded-Uri: "+uri).StatusCode
	}
	for _, ask := range []struct {
		endpoint string
		send     func(target, uri string) int
	}{{"/auth", nginx}, {"/forward-auth", caddy}} {
		require.Equal(t, 200, ask.send(ask.endpoint, "/"))
		require.Equal(t, 200, ask.send(ask.endpoint+"?", "/?policy=staff"))
		require.Equal(t, 403, ask.send(ask.endpoint+"?policy=staff", "/"))
		require.Equal(t, 403, ask.send(ask.endpoint+"?policy=staff", "/?policy=users"))
		require.Equal(t, 200, ask.send(ask.endpoint+"?policy=users", "/staff"), "before the rules")
		s.log.Reset()
		for _, unknown := range []string{"?policy=none", "?policy=", "?policy=staff?policy=users", "?policy=Staff"} {
			require.Equal(t, 500, ask.send(ask.endpoint+unknown, "/"), unknown)
		}
		require.Contains(t, s.log.String(), "a policy that there is not")
	}
	// caddy without a question mark in its uri: the query is the visitor's.
	require.Equal(t, 403, caddy("/forward-auth?a=b", "/staff?a=b"))
	require.Equal(t, 200, caddy("/forward-auth?a=%zz", "/?a=%zz"))
	// Envoy's query is the visitor's.
	require.Equal(t, 403, s.send("GET", "/ext-authz/staff?policy=users", cookie, "X-Forwarded-Proto: https", "Host: a").StatusCode)
}

// A store that is down logs nobody out and lets nobody in.
func TestOutage(t *testing.T) {
	s := newSite(t, forwardauth.Options{Rules: []forwardauth.Rule{{Policy: everybody(t)}}, Default: users(t)})
	cookie := "Cookie: " + s.ada()
	s.store.down = true
	check := func(r *http.Response) {
		t.Helper()
		require.Equal(t, 503, r.StatusCode)
		require.Empty(t, r.Header["Set-Cookie"])
		require.Empty(t, r.Header["Remote-User"])
		require.Empty(t, r.Header["Location"])
	}
	for _, ask := range about("GET", "app.example.org", "/") {
		check(ask(s, append(asPage, cookie)...))
	}
	check(s.send("GET", "/userinfo", cookie))
	require.Contains(t, s.log.String(), "level=ERROR")
	require.NotContains(t, s.log.String(), cookie[len("Cookie: shop="):])
}

func TestUserInfo(t *testing.T) {
	signer := newSigner(t)
	policy := newPolicy(t, identity.Options{
		Name: "me", Require: []string{"user_id"}, Login: login,
		Headers:   []identity.Header{{Name: "User", Path: "user_id"}, {Name: "Name", Path: "name", Encode: "utf-8"}},
		Assertion: &identity.Assertion{Signer: signer, Audience: "app", Subject: "user_id"},
	})
	s := newSite(t, forwardauth.Options{UserInfo: policy, Default: users(t)})
	cookie := "Cookie: " + s.login(map[string]any{"user_id": "ada", "name": `Ada "<b>" Löwe`, "groups": []any{"staff"}})
	for _, headers := range [][]string{{cookie}, {cookie, "From: 192.0.2.7:80", "User: root", "X-Forwarded-Host: evil.example"}} {
		r := s.send("GET", "/userinfo?policy=users", headers...)
		require.Equal(t, 200, r.StatusCode)
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		require.Equal(t, "Cookie", r.Header.Get("Vary"))
		require.Empty(t, r.Header["Set-Cookie"])
		var claims map[string]string
		require.NoError(t, json.NewDecoder(r.Body).Decode(&claims))
		require.Equal(t, map[string]string{"User": "ada", "Name": `Ada "<b>" Löwe`}, claims)
	}
	r := s.send("GET", "/userinfo", asPage...)
	require.Equal(t, 401, r.StatusCode, "no redirect")
	require.Empty(t, r.Header["Location"])
	r = s.send("POST", "/userinfo", cookie)
	require.Equal(t, 405, r.StatusCode)
	require.Equal(t, "GET, HEAD", r.Header.Get("Allow"))

	s = newSite(t, forwardauth.Options{UserInfo: everybody(t), Default: users(t)})
	require.Equal(t, 401, s.send("GET", "/userinfo").StatusCode, "nobody is nobody under any policy")
}

// A visitor whose requests are only asked about does not time out, and gets one
// Set-Cookie at most.
func TestTouch(t *testing.T) {
	hour := func(o *compat.Options) { o.Timeout, o.TouchInterval = time.Hour, time.Minute }
	for _, noTouch := range []bool{false, true} {
		s := newSite(t, forwardauth.Options{NoTouch: noTouch, Default: users(t), Rules: []forwardauth.Rule{{Prefix: "/staff", Policy: staff(t)}}}, hour)
		cookie := "Cookie: " + s.finn()
		ask := about("GET", "app.example.org", "/")["traefik, caddy"]
		written := s.store.writes.Load()
		require.Equal(t, 200, ask(s, cookie).StatusCode)
		require.Equal(t, written, s.store.writes.Load(), "too soon")
		s.now = s.now.Add(40 * time.Minute)
		require.Equal(t, 403, about("GET", "app.example.org", "/staff")["envoy"](s, cookie).StatusCode)
		require.Equal(t, 200, s.send("GET", "/userinfo", cookie).StatusCode)
		require.Equal(t, written, s.store.writes.Load(), "only what is let in counts")
		r := ask(s, cookie)
		require.Equal(t, 200, r.StatusCode)
		require.Empty(t, r.Header["Set-Cookie"])
		s.now = s.now.Add(40 * time.Minute)
		want := 200
		if noTouch {
			want = 401
		}
		require.Equal(t, want, ask(s, cookie).StatusCode)
	}

	s := newSite(t, forwardauth.Options{}, hour, func(o *compat.Options) { o.Type, o.ValidateKey, o.Secret = "cookie", "sekrit", "" })
	cookie := "Cookie: " + s.finn()
	s.now = s.now.Add(40 * time.Minute)
	for proxy, ask := range about("GET", "app.example.org", "/") {
		r := ask(s, cookie)
		require.Equal(t, 200, r.StatusCode, proxy)
		require.Len(t, r.Header["Set-Cookie"], 1, "nginx copies only the first")
		require.Equal(t, "finn", r.Header.Get("Remote-User"))
		s.now = s.now.Add(40 * time.Minute)
		cookie = "Cookie: " + cookieOf(t, r)
	}
}

func TestNewRefuses(t *testing.T) {
	s := newSite(t, forwardauth.Options{})
	ok := users(t)
	for name, o := range map[string]forwardauth.Options{
		"no sessions":      {},
		"nil policy":       {Sessions: s.sessions, Policies: map[string]*identity.Policy{"a": nil}},
		"nameless policy":  {Sessions: s.sessions, Policies: map[string]*identity.Policy{"": ok}},
		"no policy":        {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "/"}}},
		"relative prefix":  {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "a", Policy: ok}}},
		"dots":             {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "/a/../b", Policy: ok}}},
		"two slashes":      {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "/a//b", Policy: ok}}},
		"semicolon":        {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "/a;b", Policy: ok}}},
		"escape":           {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "/%61", Policy: ok}}},
		"query":            {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "/a?b", Policy: ok}}},
		"host with port":   {Sessions: s.sessions, Rules: []forwardauth.Rule{{Hosts: []string{"a:80"}, Policy: ok}}},
		"odd host":         {Sessions: s.sessions, Rules: []forwardauth.Rule{{Hosts: []string{"a b"}, Policy: ok}}},
		"wildcard within":  {Sessions: s.sessions, Rules: []forwardauth.Rule{{Hosts: []string{"a.*.b"}, Policy: ok}}},
		"empty host":       {Sessions: s.sessions, Rules: []forwardauth.Rule{{Hosts: []string{""}, Policy: ok}}},
		"small method":     {Sessions: s.sessions, Rules: []forwardauth.Rule{{Methods: []string{"get"}, Policy: ok}}},
		"two of a place":   {Sessions: s.sessions, Rules: []forwardauth.Rule{{Prefix: "/a", Policy: ok}, {Prefix: "/a/", Policy: ok}}},
		"the same method":  {Sessions: s.sessions, Rules: []forwardauth.Rule{{Methods: []string{"GET", "PUT"}, Policy: ok}, {Methods: []string{"HEAD"}, Policy: ok}}},
		"the same wild":    {Sessions: s.sessions, Rules: []forwardauth.Rule{{Hosts: []string{"*.a"}, Policy: ok}, {Hosts: []string{"*.A"}, Policy: ok}}},
		"one host, spaces": {Sessions: s.sessions, Rules: []forwardauth.Rule{{Hosts: []string{"a", "A."}, Policy: ok}}},
	} {
		_, err := forwardauth.New(o)
		require.ErrorIs(t, err, forwardauth.ErrConfig, name)
		require.ErrorContains(t, err, "forwardauth: ", name)
	}
}
