package livetest

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

// proxy is one that asks gobeaker, and how it passes on what is not 200.
type proxy struct {
	name        string
	start       func(t *testing.T, w *world) (address string)
	down, gone  int  // what visitors get while the store, or gobeaker, is down
	cookies     bool // Set-Cookie of a 200 reaches the visitor
	staffServer bool // staffHost asks for the policy "staff" by name
}

var proxies = []proxy{
	{name: "nginx", start: startNginx, down: 503, gone: 503, cookies: true, staffServer: true},
	{name: "caddy", start: startCaddy, down: 503, gone: 502, cookies: true},
	{name: "traefik (stand-in)", start: startTraefik, down: 503, gone: 500, cookies: true},
	{name: "envoy (stand-in)", start: startEnvoy, down: 503, gone: 503, cookies: true},
}

func startNginx(t *testing.T, w *world) string {
	port := servers.FreePort(t)
	return servers.Nginx(t, port, map[string]string{
		"app.conf":               w.example(t, "nginx.conf", port),
		"gobeaker_visitor.conf":  w.example(t, "gobeaker_visitor.conf", port),
		"gobeaker_question.conf": w.example(t, "gobeaker_question.conf", port),
	}).Addr()
}

func startCaddy(t *testing.T, w *world) string {
	port := servers.FreePort(t)
	return servers.Caddy(t, port, w.example(t, "Caddyfile", port)).Addr()
}

var asPage = []string{"Accept: text/html,*/*;q=0.8"}

func TestProxies(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			at := p.start(t, w)
			t.Run("visitors", func(t *testing.T) { testVisitors(t, w, p, at) })
			t.Run("attacks", func(t *testing.T) { testAttacks(t, w, p, at) })
			t.Run("paths", func(t *testing.T) { testPaths(t, w, at) })
			t.Run("outage", func(t *testing.T) { testOutage(t, w, p, at) })
		})
	}
}

func testVisitors(t *testing.T, w *world, p proxy, at string) {
	ada, finn := "Cookie: "+w.login(t, "ada", "staff", "all"), "Cookie: "+w.login(t, "finn")
	_, port, err := net.SplitHostPort(at)
	require.NoError(t, err)

	a := send(t, at, "GET /cart?item=1&b", finn)
	require.Equal(t, 200, a.status)
	require.Equal(t, "/cart?item=1&b", a.URL)
	require.Equal(t, []string{"finn"}, a.seen("Remote-User"))
	require.Empty(t, strings.Join(a.seen("X-Groups"), ""))

	a = send(t, at, "POST /staff/x", ada, "Content-Length: 0")
	require.Equal(t, 200, a.status)
	require.Equal(t, "POST", a.Method)
	require.Equal(t, []string{"ada"}, a.seen("Remote-User"))
	require.Equal(t, []string{"staff,all"}, a.seen("X-Groups"))

	a = send(t, at, "GET /staff/x", append(asPage, finn)...)
	require.Equal(t, 403, a.status)
	require.False(t, a.service)

	a = send(t, at, "GET /public/x")
	require.Equal(t, 200, a.status)
	require.Empty(t, strings.Join(a.seen("Remote-User"), ""))
	a = send(t, at, "GET /public/x", finn)
	require.Equal(t, []string{"finn"}, a.seen("Remote-User"))

	a = send(t, at, "GET /cart?item=1&b", append(asPage, "Host: "+appHost+":"+port)...)
	require.Equal(t, 302, a.status)
	require.Contains(t, a.header.Get("Location"), "https://login.example.org/?came_from=http%3A%2F%2F"+appHost)
	require.True(t, strings.HasSuffix(a.header.Get("Location"), "%2Fcart%3Fitem%3D1%26b"), a.header.Get("Location"))
	require.False(t, a.service)
	for _, headers := range [][]string{nil, {"Cookie: shop=forged"}, append(asPage, "X-Requested-With: XMLHttpRequest")} {
		a = send(t, at, "GET /cart", headers...)
		require.Equal(t, 401, a.status)
		require.False(t, a.service)
		require.Empty(t, a.header["Set-Cookie"])
	}

	if p.staffServer {
		require.Equal(t, 200, send(t, at, "GET /", "Host: "+staffHost, ada).status)
		require.Equal(t, 403, send(t, at, "GET /", "Host: "+staffHost, finn).status)
		require.Equal(t, 403, send(t, at, "GET /?policy=users", "Host: "+staffHost, finn).status)
		require.Equal(t, 403, send(t, at, "GET /public/", "Host: "+staffHost).status/401*403, "the name goes before the rules")
	}

	// Python ends the session, and the proxy knows at once.
	gone := w.login(t, "eve")
	require.Equal(t, 200, send(t, at, "GET /", "Cookie: "+gone).status)
	w.logout(t, gone)
	require.Equal(t, 401, send(t, at, "GET /", "Cookie: "+gone).status)
}

// What a visitor writes about identities, origins and policies, in any spelling, gets to
// nobody.
func testAttacks(t *testing.T, w *world, p proxy, at string) {
	finn := "Cookie: " + w.login(t, "finn")
	for _, headers := range [][]string{
		{"Remote-User: root"}, {"REMOTE-USER: root"}, {"remote-user: root", "Remote-User: root"},
		{"Remote_User: root"}, {"remote_user: root"}, {"REMOTE_USER: root"},
		{"X-Groups: staff"}, {"X_Groups: staff"}, {"x-groups: staff", "X-GROUPS: staff"},
		{"Remote-User: root", "Connection: Remote-User"}, {"Connection: X-Original-URL, X-Original-Method"},
		{"X-Original-URI: /public/"}, {"X-Original-URL: https://app.example.org/public/"}, {"X-Original-Method: OPTIONS"},
		{"X-Forwarded-Uri: /public/"}, {"X-Forwarded-Host: evil.example"}, {"X-Forwarded-Method: OPTIONS"}, {"X-Forwarded-Proto: ftp"},
		{"X-Forwarded-For: 127.0.0.1"}, {"X-Forwarded-For: nonsense"}, {"Forwarded: host=evil.example;for=127.0.0.1"}, {"X-Real-IP: 127.0.0.1"},
		{"X-Rewrite-URL: /public/"}, {"X-HTTP-Method-Override: OPTIONS"}, {"X-Envoy-Original-Path: /public/"},
		{"X-Envoy-Auth-Headers-To-Remove: x"}, {"X-Policy: everybody"}, {"Cookie: shop=forged"},
	} {
		for _, line := range []string{"GET /staff/x", "GET /staff/x?policy=everybody", "GET /staff/?policy=staff&policy=users"} {
			a := send(t, at, line, append([]string{finn}, headers...)...)
			require.False(t, a.service, "%s with %q", line, headers)
			require.Contains(t, []int{400, 401, 403, 500}, a.status, "%s with %q", line, headers)
			a = send(t, at, line, headers...)
			require.False(t, a.service, "%s with %q, nobody", line, headers)
		}
		for _, line := range []string{"GET /", "GET /?policy=everybody", "GET /public/"} {
			a := send(t, at, line, append([]string{finn}, headers...)...)
			if !a.service {
				require.Contains(t, []int{400, 401, 500}, a.status)
				continue
			}
			switch last := headers[len(headers)-1]; {
			case strings.HasPrefix(last, "Connection: "):
				// Proxies drop what a client calls a header of its connection, though not
				// the client's own: then nobody is told, and nobody is nobody.
				require.Contains(t, []string{"finn", ""}, strings.Join(a.seen("Remote-User"), ","), "%s with %q", line, headers)
			case !strings.HasPrefix(last, "Cookie: "):
				require.Equal(t, []string{"finn"}, a.seen("Remote-User"), "%s with %q", line, headers)
			}
			require.Empty(t, strings.Join(a.seen("X-Groups"), ""), "%s with %q", line, headers)
		}
		a := send(t, at, "GET /public/", headers...)
		if a.service {
			require.Empty(t, strings.Join(a.seen("Remote-User"), ""), "%q", headers)
			require.Empty(t, strings.Join(a.seen("X-Groups"), ""), "%q", headers)
		}
	}
	// Of a URL as the request's target, and of another Host, it is the target that counts.
	a := send(t, at, "GET http://"+appHost+"/cart", "Host: "+openHost)
	require.False(t, a.service)
	a = send(t, at, "GET http://"+appHost+"/staff/x", finn, "Host: "+staffHost)
	require.False(t, a.service)
	if p.staffServer {
		a = send(t, at, "GET http://"+staffHost+"/public/x", finn, "Host: "+appHost)
		require.False(t, a.service, "the server of the target is asked about")
	}
	// The endpoints are not to be had from outside.
	for _, path := range []string{"/auth", "/forward-auth", "/ext-authz/", "/_gobeaker"} {
		a := send(t, at, "GET "+path, "X-Original-Method: GET", "X-Original-URL: https://"+appHost+"/public/")
		require.False(t, a.service)
		require.Contains(t, []int{401, 404}, a.status)
	}
}

// However a path is written, what an application may take for /staff is not let through
// by the rule for another path.
func testPaths(t *testing.T, w *world, at string) {
	finn := "Cookie: " + w.login(t, "finn")
	for _, path := range []string{
		"/staff", "/staff/", "/%73taff/x", "/staff%2fx", "/staff;a=b/x", "/staff;/x", "//staff/x", "/./staff/x", "/x/../staff/x", "/public/../staff/x",
		"/public/%2e%2e/staff/x", "/public/..%2fstaff/x", "/public/..;/staff/x", "/public/%2e%2e;/staff/x", "/public%2f..%2fstaff", "/%2573taff/x",
		"/STAFF/x", "/Staff./x", "/staff%3fx", "/staff%23x", "/staff%5cx", "/%5cstaff/x", "/public/..%5cstaff", "/public/%252e%252e/staff/x", "/staff/..;/public/x",
		"/public//../staff/x", "/public/;/../staff/x", "/%c0%afstaff", "/;/staff",
	} {
		for _, headers := range [][]string{nil, {finn}} {
			a := send(t, at, "GET "+path, headers...)
			require.False(t, a.service, "%s: %d", path, a.status)
			require.NotEqual(t, 200, a.status, path)
		}
	}
}

func testOutage(t *testing.T, w *world, p proxy, at string) {
	ada := "Cookie: " + w.login(t, "ada", "staff")
	w.store.down.Store(true)
	for _, path := range []string{"/", "/staff/", "/public/"} {
		for _, headers := range [][]string{{ada}, append(asPage, ada)} {
			a := send(t, at, "GET "+path, headers...)
			require.Equal(t, p.down, a.status, path)
			require.False(t, a.service)
			require.Empty(t, a.header["Set-Cookie"])
			require.Empty(t, a.header.Get("Location"))
		}
	}
	w.store.down.Store(false)
	require.Equal(t, 200, send(t, at, "GET /staff/", ada).status, "still logged in")
	w.gobeaker.Close()
	a := send(t, at, "GET /", ada)
	require.Equal(t, p.gone, a.status)
	require.False(t, a.service)
}

// A session that is kept in its cookie is used by being asked about: its visitor gets one
// new cookie, beside those of the application.
func TestCookieOnly(t *testing.T) {
	w := newWorld(t, func(o *compat.Options) {
		o.Type, o.ValidateKey, o.Secret = "cookie", secret, ""
	})
	for i, p := range proxies {
		if !p.cookies {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			at := p.start(t, w)
			cookie := "Cookie: " + w.login(t, fmt.Sprint("ada", i))
			w.clock.Add(3600)
			for _, more := range [][]string{nil, {"X-Want-Cookie: 1"}} {
				a := send(t, at, "GET /", append(more, cookie)...)
				require.Equal(t, 200, a.status)
				var own, others int
				for _, c := range a.header["Set-Cookie"] {
					if strings.HasPrefix(c, cookieName+"=") {
						own++
					} else {
						others++
					}
				}
				require.Equal(t, []int{1, len(more)}, []int{own, others}, "%q", a.header["Set-Cookie"])
			}
		})
	}
}
