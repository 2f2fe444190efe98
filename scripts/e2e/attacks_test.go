package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

func decode(t *testing.T, text string, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), v), text)
}

// forgedToken is an assertion that nobody has signed.
var forgedToken = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
	base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://shop.example.org","aud":"shop","sub":"`+mallory+`","exp":9999999999}`)) + "."

// forgeries are headers by which an attacker says who he is, in every spelling.
func forgeries() (all [][]string) {
	for _, name := range []string{"Remote-User", "X-Groups", "X-Gobeaker-Assertion"} {
		value := mallory
		if name == "X-Gobeaker-Assertion" {
			value = forgedToken
		}
		is := ": " + value
		under := strings.ReplaceAll(name, "-", "_")
		for _, spelled := range []string{
			name, strings.ToLower(name), strings.ToUpper(name), under, strings.ToLower(under), strings.ToUpper(under),
			strings.ReplaceAll(name, "-", "."), strings.ReplaceAll(name, "-", "~"), strings.ReplaceAll(name, "-", "|"), strings.ReplaceAll(name, "-", "'"),
			name + "_", "_" + name, name + " ", name + "\t", "X-A: b\r\n " + name, name + "\x00", name + "\u00a0", strings.ReplaceAll(name, "-", "\u2010"),
		} {
			all = append(all, []string{spelled + is})
		}
		all = append(all,
			[]string{name + is, name + is}, []string{name + ":", name + is}, []string{name + is, under + is}, []string{name + ":\r\n " + value},
			[]string{name + is, "Connection: " + name}, []string{name + is, "Connection: close, " + strings.ToLower(name)}, []string{"Connection: " + name},
			[]string{name + is, "Proxy-Connection: " + name}, []string{name + is, "TE: trailers, " + name}, []string{name + is, "Trailer: " + name},
			[]string{"X-A: b\r" + name + is}, []string{"X-A: b\n" + name + is}, []string{"X-A: b\r\n" + name + is},
			[]string{name + is, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
			[]string{"X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1;host=x", name + is}, []string{"Via: gobeaker", name + is},
		)
	}
	return all
}

// Who the application is told is visitor is who the session says, whatever the visitor writes.
func testIdentity(t *testing.T, g *target) {
	keys := g.keys(t)
	finn := g.login(t, "finn", "all")
	forgedCookie := "Cookie: " + cookieName + "=" + strings.Repeat("a", 40) + strings.Repeat("b", 32)
	for _, r := range routes {
		for _, cookie := range []string{"", finn, forgedCookie} {
			for _, forged := range forgeries() {
				headers := forged
				if cookie != "" {
					headers = append([]string{cookie}, forged...)
				}
				a := g.send(t, "gateway", "GET "+r.path, headers...)
				user := ""
				if r.told && cookie == finn {
					user = "finn"
				}
				seen := g.take()
				for _, s := range seen {
					requireToldOnly(t, keys, s, user, "%s %q", r.path, headers)
				}
				if len(seen) == 0 {
					require.GreaterOrEqual(t, a.StatusCode, 400, "%s %q", r.path, headers)
				}
				if r.told && user == "" && r.path != "/public/" {
					require.Empty(t, seen, "%s %q", r.path, headers)
				}
			}
		}
	}
	// After the body.
	for _, name := range []string{"Remote-User", "remote_user", "X-GROUPS"} {
		for _, r := range routes {
			g.sendRaw(t, "gateway", "POST "+r.path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+finn+"\r\nTE: trailers\r\nTrailer: "+name+
				"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"+name+": "+mallory+"\r\n\r\n")
			for _, s := range g.take() {
				user := ""
				if r.told {
					user = "finn"
				}
				requireToldOnly(t, keys, s, user, r.path)
			}
		}
	}
	g.take()
}

func testIdentityHTTP2(t *testing.T, g *target) {
	keys := g.keys(t)
	_, finn, _ := strings.Cut(g.login(t, "finn"), ": ")
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for _, r := range routes {
		for _, name := range []string{"remote-user", "remote_user", "Remote_User", "remote.user", "x-groups", "x_groups", "x-gobeaker-assertion", "x_gobeaker_assertion"} {
			body, sender := io.Pipe()
			q, err := http.NewRequest("POST", g.places["gateway"]+strings.TrimPrefix(r.path, "/"), body)
			require.NoError(t, err)
			q.Header = http.Header{name: {mallory, mallory}, "Cookie": {finn}}
			q.Trailer = http.Header{"Remote-User": nil}
			go func() {
				_, _ = io.WriteString(sender, "body")
				q.Trailer["Remote-User"] = []string{mallory}
				sender.Close()
			}()
			response, err := transport.RoundTrip(q)
			require.NoError(t, err)
			require.Equal(t, "HTTP/2.0", response.Proto)
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			seen := g.take()
			require.Len(t, seen, 1, "%s %s", r.path, name)
			user := ""
			if r.told {
				user = "finn"
			}
			requireToldOnly(t, keys, seen[0], user, "%s %s", r.path, name)
		}
	}
}

// questions are those that nginx, Traefik and Envoy ask of forward-auth about a path.
func questions(path string) map[string][]string {
	return map[string][]string{
		"GET /auth":             {"X-Original-URL: http://" + host + path, "X-Original-Method: GET"},
		"GET /forward-auth":     {"X-Forwarded-Uri: " + path, "X-Forwarded-Host: " + host, "X-Forwarded-Proto: http", "X-Forwarded-Method: GET"},
		"GET /ext-authz" + path: {"X-Forwarded-Proto: http"},
	}
}

// A proxy gets for an answer what the session says, and not what the visitor wrote, which
// it passed on with its question.
func testIdentityForwardAuth(t *testing.T, g *target) {
	keys := g.keys(t)
	finn := g.login(t, "finn", "all")
	ask := func(path, cookie string, forged []string) (granted int) {
		for line, about := range questions(path) {
			a := g.send(t, "forward-auth", line, slices.Concat(about, []string{cookie}, forged)...)
			if a.StatusCode == 200 {
				granted++
				requireToldOnly(t, keys, &http.Request{Header: a.Header}, "finn", "%s %q", line, forged)
			} else {
				require.GreaterOrEqual(t, a.StatusCode, 400, "%s %q", line, forged)
				require.Empty(t, a.Header["Remote-User"], "%s %q", line, forged)
			}
		}
		return granted
	}
	require.Equal(t, 3, ask("/shop", finn, nil))
	for _, forged := range forgeries() {
		ask("/shop", finn, forged)
		require.Zero(t, ask("/staff", finn, forged), "%q", forged)
		require.Zero(t, ask("/shop", "Cookie: "+cookieName+"=forged", forged), "%q", forged)
	}
	for _, policy := range []string{"everybody", "users&policy=everybody", "%65verybody", "nobody", ""} {
		a := g.send(t, "forward-auth", "GET /auth?policy=staff&policy="+policy, finn, "X-Original-URL: http://"+host+"/shop", "X-Original-Method: GET")
		require.GreaterOrEqual(t, a.StatusCode, 400, policy)
	}
	require.Empty(t, g.take())
}

// staffPaths are paths that some application takes for one under /staff, and others that a
// proxy takes for one under /public or /shop.
var staffPaths = []string{
	"/staff", "/staff/", "/%73taff/x", "/%53taff", "/staff%2fx", "/staff%2Fx", "/staff;a=b/x", "/staff;/x", "//staff/x", "///staff", "/./staff/x", "/x/../staff/x",
	"/public/../staff/x", "/public/%2e%2e/staff/x", "/public/.%2e/staff", "/public/..%2fstaff/x", "/public/..;/staff/x", "/public/..;a=b/staff", "/public/%2e%2e;/staff/x",
	"/public%2f..%2fstaff", "/%2573taff/x", "/%252fstaff", "/STAFF/x", "/Staff./x", "/staff%20", "/staff.", "/staff%3fx", "/staff%23x", "/staff%5cx", "/%5cstaff/x",
	"/public/..%5cstaff", "/public/%252e%252e/staff/x", "/staff/..;/public/x", "/public//../staff/x", "/public/;/../staff/x", "/%c0%afstaff", "/%c0%ae%c0%ae/staff",
	"/;/staff", "/staff%00", "/staff%00.css", "/public/%00/../staff", "/staff%0a", "/public/%2e%2e%2fstaff", "/shared/../staff", "/session/../staff", "/keys/../staff",
	"/session/..%2fstaff", "/api/../staff", "/api/..%2fstaff", "/shared/%2e%2e/staff", "http://x/staff", "http://x/public/../staff", "/staff/../staff", "/./", "/.%2fstaff",
}

// However a path is written, nobody gets to the staff's pages who is not of the staff.
func testPaths(t *testing.T, g *target) {
	finn, ada := g.login(t, "finn"), g.login(t, "ada", "staff")
	for _, path := range staffPaths {
		for _, method := range []string{"GET", "POST", "HEAD", "PURGE", "get"} {
			for _, headers := range [][]string{nil, {finn}, {finn, "X-Original-URL: /public/"}, {finn, "X-Rewrite-URL: /public/", "X-HTTP-Method-Override: OPTIONS"}} {
				a := g.send(t, "gateway", method+" "+path, append(headers, "Content-Length: 0")...)
				require.GreaterOrEqual(t, a.StatusCode, 400, "%s %s", method, path)
				require.Empty(t, g.take(), "%s %s: %d", method, path, a.StatusCode)
			}
		}
		if !strings.HasPrefix(path, "/") {
			continue
		}
		for line, about := range questions(path) {
			a := g.send(t, "forward-auth", line, append(about, finn)...)
			require.GreaterOrEqual(t, a.StatusCode, 400, "%s %s", line, path)
		}
	}
	require.Equal(t, 200, g.send(t, "gateway", "GET /staff/x", ada).StatusCode)
	require.Len(t, g.take(), 1)

	// Nor by a method that an application may take for the one that is checked.
	for _, method := range []string{"DELETE", "delete", "Delete", "DELETE ", "GET", "POST"} {
		g.send(t, "gateway", method+" /items/1", finn, "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X_HTTP_Method_Override: DELETE", "Content-Length: 0")
		for _, s := range g.take() {
			require.Contains(t, []string{"GET", "POST"}, s.Method)
			for name := range s.Header {
				require.NotContains(t, strings.ToLower(name), "method")
			}
		}
	}
	for line, about := range questions("/staff/x") {
		require.Equal(t, 200, g.send(t, "forward-auth", line, append(about, ada)...).StatusCode, line)
	}
}

// What two readers may take for one request or for two does not bring a request past the
// check.
func testSmuggling(t *testing.T, g *target) {
	const (
		post = "POST /public/ HTTP/1.1\r\nHost: x\r\n"
		next = "GET /staff/x HTTP/1.1\r\nHost: x\r\nRemote-User: " + mallory + "\r\n\r\n"
		last = "GET /public/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	)
	keys := g.keys(t)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(next))
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(next), next)
	for _, raw := range []string{
		post + "Content-Length: 0\r\n\r\n" + next, post + "Content-Length: 0\r\n" + length + "\r\n" + next, post + length + "Content-Length: 0\r\n\r\n" + next,
		post + length + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunk,
		post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + next, post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + next,
		post + "Transfer_Encoding: chunked\r\n" + length + "\r\n" + next, post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + next,
		post + "Connection: Content-Length\r\n" + length + "\r\n" + next, post + "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
		post + "Content-Length: 0, " + fmt.Sprint(len(next)) + "\r\n\r\n" + next, post + "Content-Length: +0\r\n\r\n" + next, post + "Content-Length: 0x0\r\n\r\n" + next,
		post + "Expect: 100-continue\r\n" + length + "\r\n" + next, post + "Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: x\r\n\r\n" + next,
		"POST /public/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, "GET /public/ HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + next,
		"GET /public/ HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + next,
		"GET /public/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 777\r\n\r\n" + next,
		"CONNECT /public/ HTTP/1.1\r\nHost: x\r\n\r\n" + next, "OPTIONS * HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + next,
		"GET /public/ HTTP/1.1\r\nHost: x\r\n\r\n" + next, "GET /public/ HTTP/1.1\nHost: x\n\n" + next, "GET /public/\r\n" + next, "GET /public/ HTTP/0.9\r\n\r\n" + next,
	} {
		for _, place := range []string{"gateway", "forward-auth", "api", "admin"} {
			all := g.sendRaw(t, place, raw+last)
			require.LessOrEqual(t, len(all), 3, raw)
		}
		for _, s := range g.take() {
			require.Equal(t, "/public/", s.URL.Path, raw)
			requireToldOnly(t, keys, s, "", "%q", raw)
		}
	}
}

// The login page is at one place, and what it is told of leads back to one host.
func testRedirects(t *testing.T, g *target) {
	finn := g.login(t, "finn")
	page := []string{"Accept: text/html"}
	redirected := 0
	check := func(a answer, context ...any) {
		t.Helper()
		require.Less(t, a.StatusCode, 500, context...)
		to := a.Header.Get("Location")
		if to == "" {
			return
		}
		redirected++
		require.True(t, strings.HasPrefix(to, loginPage), to)
		u, err := url.Parse(to)
		require.NoError(t, err)
		require.Len(t, u.Query(), 1, to)
		back, err := url.Parse(u.Query().Get("came_from"))
		require.NoError(t, err)
		require.Equal(t, host, back.Hostname(), to)
		require.Contains(t, []string{"http", "https"}, back.Scheme, to)
		require.Nil(t, back.User, to)
		require.NotContains(t, u.Query().Get("came_from"), `\`, to)
	}
	a := g.send(t, "gateway", "GET /shop/?a=b&c", page...)
	require.Equal(t, loginPage+"http%3A%2F%2Fshop.example.org%2Fshop%2F%3Fa%3Db%26c", a.Header.Get("Location"))
	for _, h := range []string{
		"evil.example", host + ".evil.example", host + "@evil.example", "evil.example@" + host, host + ":80@evil.example", host + "#.evil.example", host + "/.evil.example",
		host + `\.evil.example`, "evil.example#" + host, "evil.example:443", host + ":x", "//evil.example", "[::1]", "", ".", host + "\u3002evil.example", "xn--evil.example", "evil.example," + host,
	} {
		check(g.send(t, "gateway", "GET /shop/", append(page, "Host: "+h)...), h)
		check(g.send(t, "gateway", "GET /shop/", append(page, "X-Forwarded-Host: "+h)...), h)
		check(g.send(t, "gateway", "GET /shop/", append(page, "Forwarded: host=\""+h+"\";proto=javascript")...), h)
		if !strings.ContainsAny(h, "/") { // what follows one is a path
			check(g.send(t, "gateway", "GET http://"+h+"/shop/", page...), h)
		}
		check(g.send(t, "forward-auth", "GET /auth", append(page, "X-Original-Method: GET", "X-Original-URL: http://"+h+"/shop/")...), h)
		check(g.send(t, "forward-auth", "GET /forward-auth", append(page, "X-Forwarded-Method: GET", "X-Forwarded-Proto: http", "X-Forwarded-Host: "+h, "X-Forwarded-Uri: /shop/")...), h)
		check(g.send(t, "forward-auth", "GET /ext-authz/shop/", append(page, "Host: "+h, "X-Forwarded-Proto: http")...), h)
	}
	for _, uri := range []string{
		"//evil.example/shop", `/\evil.example/shop`, "/shop/@evil.example", "/shop//evil.example", "/shop/%0d%0aLocation:%20http://evil.example", "/shop/%0aSet-Cookie:a=b",
		"/shop/?came_from=http://evil.example", "/shop/?&came_from=//evil.example#", "/shop/#@evil.example", "/shop/%5c%5cevil.example", "/shop/?" + strings.Repeat("x", 10000), "shop", "javascript:alert(1)", "*",
	} {
		check(g.send(t, "gateway", "GET "+uri, page...), uri)
		check(g.send(t, "forward-auth", "GET /auth", append(page, "X-Original-Method: GET", "X-Original-URL: http://"+host+uri)...), uri)
		check(g.send(t, "forward-auth", "GET /forward-auth", append(page, "X-Forwarded-Method: GET", "X-Forwarded-Proto: javascript", "X-Forwarded-Host: "+host, "X-Forwarded-Uri: "+uri)...), uri)
	}
	require.Greater(t, redirected, 10)
	// No page of the server itself leads to another one.
	for _, line := range []string{"GET //evil.example/..", "GET //evil.example/%2e%2e", "GET /session//evil.example/", "GET /session", "GET /shared//evil.example"} {
		to := g.send(t, "gateway", line, finn).Header.Get("Location")
		require.False(t, strings.HasPrefix(to, "//") || strings.Contains(to, "evil.example"), "%s: %s", line, to)
	}
	for _, line := range []string{"GET //evil.example/..", "GET /inspector//evil.example/..", "GET /inspector?next=//evil.example", "GET /inspector/login?next=//evil.example", "GET //evil.example/inspector"} {
		to := g.send(t, "admin", line, "Authorization: Bearer "+opToken).Header.Get("Location")
		require.False(t, strings.HasPrefix(to, "//") || strings.Contains(to, "://"), "%s: %s", line, to)
	}
	g.take()
}

// An id that somebody else knows does not become anybody's session.
func testFixation(t *testing.T, g *target) {
	known := "0123456789abcdef0123456789abcdef"
	gone := g.login(t, "gone")
	token := "Authorization: Bearer " + apiToken
	require.Equal(t, 200, g.send(t, "api", "DELETE /v1/session", token, gone).StatusCode)
	require.Empty(t, g.user(t, gone))
	for _, cookie := range []string{
		"Cookie: demo=" + known, "Cookie: demo=" + strings.Repeat("0", 40) + known, "Cookie: demo=" + strings.Repeat("0", 40) + "../../../../etc/passwd", "Cookie: demo=",
		"Cookie: demo=" + known + "; demo=" + known, gone, // the last one is signed well, and of no session
	} {
		for _, line := range []string{"GET /session/", "GET /shop/"} {
			a := g.send(t, "gateway", line, cookie)
			require.Contains(t, []int{200, 401}, a.StatusCode)
			for _, set := range a.Header["Set-Cookie"] {
				require.NotContains(t, set, known)
				require.NotContains(t, set, strings.TrimPrefix(gone, "Cookie: "))
			}
		}
		body := `{"user_id": "victim"}`
		a := g.send(t, "api", "PATCH /v1/session", token, cookie, "Content-Type: application/merge-patch+json", fmt.Sprint("Content-Length: ", len(body), "\r\n\r\n", body))
		require.Equal(t, 200, a.StatusCode, a.body)
		require.Len(t, a.Cookies(), 1, "a session of its own, with an id of its own")
		require.NotContains(t, a.Cookies()[0].Value, known)
		if strings.HasPrefix(cookie, "Cookie: demo=") && len(cookie) > 13 {
			require.NotContains(t, cookie, a.Cookies()[0].Value)
		}
		require.Empty(t, g.user(t, cookie), "what the attacker knows is not the victim's session")
	}
	// Nor does one survive a login, if the service asks for what it should.
	before := g.login(t, "visitor")
	a := g.send(t, "api", "POST /v1/session/regenerate", token, before, "Content-Length: 0")
	require.Equal(t, 200, a.StatusCode)
	require.Empty(t, g.user(t, before))
	require.Equal(t, "visitor", g.user(t, "Cookie: "+cookieName+"="+a.Cookies()[0].Value))
}

// What the pages of other sites have a browser send does nothing, even where it comes with
// all that the browser keeps for this site.
func testOtherSites(t *testing.T, g *target) {
	victim := g.login(t, "victim")
	id, ok := g.manager.Open(strings.TrimPrefix(victim, "Cookie: ")).ID()
	require.True(t, ok)
	session := "/inspector/session/" + beakerfmt.HashID(id)
	operator := "Authorization: Bearer " + opToken
	require.Equal(t, 200, g.send(t, "admin", "GET "+session, operator).StatusCode, "the operator sees it")

	another := [][]string{
		{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, {"Origin: null", "Sec-Fetch-Site: cross-site"}, {"Origin: https://evil.example"}, {"Origin: null"},
		{"Sec-Fetch-Site: same-site"}, {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, {"Origin: http://" + g.at(t, "gateway"), "Sec-Fetch-Site: same-site"},
		{"Host: evil.example"}, {"Host: evil.example:80", "Origin: http://evil.example:80", "Sec-Fetch-Site: same-origin"}, // a name of theirs that points here
	}
	form := func(kind, body string) string {
		return fmt.Sprint("Content-Type: ", kind, "\r\nContent-Length: ", len(body), "\r\n\r\n", body)
	}
	for _, from := range another {
		for _, line := range []string{"POST " + session + "/invalidate", "POST " + session + "/reveal", "POST /inspector/login", "POST /inspector/logout", "POST /inspector/decode", "POST /inspector/sessions"} {
			for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"} {
				a := g.send(t, "admin", line, slices.Concat(from, []string{operator, form(kind, "form=x&token="+opToken)})...)
				require.Contains(t, []int{403, 421}, a.StatusCode, "%s %q", line, from)
				require.NotContains(t, a.body, "victim")
			}
		}
		for _, line := range []string{"DELETE /v1/session", "PATCH /v1/session", "POST /v1/session/regenerate", "GET /v1/session"} {
			for _, kind := range []string{"application/merge-patch+json", "text/plain", "application/json"} {
				a := g.send(t, "api", line, slices.Concat(from, []string{"Authorization: Bearer " + apiToken, victim, form(kind, `{"user_id": "mallory"}`)})...)
				require.Contains(t, []int{403, 421}, a.StatusCode, "%s %q", line, from)
				require.NotContains(t, a.body, "victim")
				require.Empty(t, a.Header["Access-Control-Allow-Origin"])
			}
		}
		if strings.HasPrefix(from[len(from)-1], "Sec-Fetch-") { // no frame, picture or script of another page either
			a := g.send(t, "admin", "GET "+session, append(from, operator)...)
			require.Contains(t, []int{403, 421}, a.StatusCode, "%q", from)
			require.NotContains(t, a.body, "victim")
		}
		if strings.HasPrefix(from[0], "Host:") {
			continue // the gateway has any name
		}
		a := g.send(t, "gateway", "POST /session/", slices.Concat(from, []string{victim, form("application/x-www-form-urlencoded", "action=set&key=user_id&value=mallory&kind=str")})...)
		require.Equal(t, 403, a.StatusCode, "%q", from)
	}
	// Without what a browser would add, a form still has to be one of ours.
	for _, action := range []string{"invalidate", "reveal"} {
		a := g.send(t, "admin", "POST "+session+"/"+action, operator, form("application/x-www-form-urlencoded", "form=guessed"))
		require.Equal(t, 403, a.StatusCode)
	}
	for _, preflight := range []string{"OPTIONS /v1/session", "OPTIONS " + session + "/invalidate", "OPTIONS /session/", "OPTIONS /shop/"} {
		for _, place := range []string{"api", "admin", "gateway"} {
			a := g.send(t, place, preflight, "Origin: https://evil.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
			require.Empty(t, a.Header["Access-Control-Allow-Origin"], preflight)
		}
	}
	for _, line := range []string{"GET " + session, "GET /inspector/", "GET /session/"} {
		place := "admin"
		if strings.HasPrefix(line, "GET /session") {
			place = "gateway"
		}
		a := g.send(t, place, line, operator, victim)
		require.Contains(t, a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'", line)
		require.Contains(t, a.Header.Get("Cache-Control"), "no-store", line)
	}
	require.Equal(t, "victim", g.user(t, victim))
	g.take()
}

// Who has no token of a place learns nothing from it and changes nothing.
func testWithoutToken(t *testing.T, g *target) {
	victim := g.login(t, "victim")
	id, ok := g.manager.Open(strings.TrimPrefix(victim, "Cookie: ")).ID()
	require.True(t, ok)
	session := "/inspector/session/" + beakerfmt.HashID(id)
	for _, credentials := range [][]string{
		nil, {"Authorization: Bearer"}, {"Authorization: Bearer "}, {"Authorization: Bearer x"}, {"Authorization: " + opToken[:8]}, {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+opToken[:20]))},
		{"Authorization: Bearer " + opToken[:20]}, {"Authorization: Bearer " + opToken + "x"}, {"X-Forwarded-For: 127.0.0.1"}, {"Cookie: gobeaker_inspector=" + strings.Repeat("A", 24)},
	} {
		for _, c := range []struct{ place, line string }{
			{"admin", "GET /inspector/"}, {"admin", "GET /inspector/sessions"}, {"admin", "GET " + session}, {"admin", "GET //inspector//sessions"}, {"admin", "GET /ping/../inspector/sessions"},
			{"admin", "POST " + session + "/invalidate"}, {"admin", "POST /inspector/decode"}, {"admin", "GET /debug/pprof/"}, {"admin", "GET /debug/pprof/heap"}, {"admin", "GET /debug/pprof/cmdline"},
			{"api", "GET /v1/session"}, {"api", "PATCH /v1/session"}, {"api", "DELETE /v1/session"}, {"api", "POST /v1/session/regenerate"}, {"api", "GET //v1/session"},
		} {
			a := g.send(t, c.place, c.line, append(credentials, victim, "Content-Length: 0")...)
			require.Contains(t, []int{301, 303, 307, 308, 400, 401, 403, 404, 405, 421, 429}, a.StatusCode, "%s %q", c.line, credentials)
			require.NotContains(t, a.body, "victim", "%s %q", c.line, credentials)
			require.NotContains(t, a.body, "goroutine", "%s %q", c.line, credentials)
		}
	}
	// The token of one place is none of the other.
	require.Equal(t, 401, g.send(t, "api", "GET /v1/session", victim, "Authorization: Bearer "+opToken).StatusCode)
	require.Equal(t, "victim", g.user(t, victim))
	g.take()
}
