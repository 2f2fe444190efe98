package gateway_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/middleware/identity"
)

func TestIdentity(t *testing.T) {
	w := newWorld(t)
	url, saw := recorder(t, "app")
	login, err := identity.New(identity.Options{Require: []string{"user_id"}, Login: "https://login.example.org/?came_from={url}"})
	require.NoError(t, err)
	staff, err := identity.New(identity.Options{Require: []string{"user_id"}, Groups: "groups", AnyGroup: []string{"staff"}})
	require.NoError(t, err)
	var log syncBuffer
	g := build(t, gateway.Options{
		Sessions: w.sessions,
		Log:      slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Routes: []gateway.Route{
			{Prefix: "/", Upstreams: []string{url}, Identity: users(t)},
			{Prefix: "/open", Upstreams: []string{url}},
			{Prefix: "/login", Upstreams: []string{url}, Identity: login},
			{Prefix: "/staff", Upstreams: []string{url}, Identity: staff},
			{Prefix: "/here", Identity: users(t), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				saw.add(r)
			})},
		},
	})
	ann := w.login(t, map[string]any{"user_id": "ann", "email": "ann@example.org"})
	forge := []string{"Remote-User", "root", "X-Auth-Email", "root@example.org", "X-Request-Id", "17", "Traceparent", "00-1"}

	for _, path := range []string{"/", "/here"} {
		resp := ask(g, "GET", path, append(forge, "Cookie", ann)...)
		require.Equal(t, 200, resp.StatusCode)
		require.Empty(t, resp.Header["Set-Cookie"])
		r := saw.take()[0]
		require.Equal(t, []string{"ann"}, r.Header["Remote-User"])
		require.Equal(t, []string{"ann@example.org"}, r.Header["X-Auth-Email"])
		require.Equal(t, []string{ann}, r.Header["Cookie"])
		require.Equal(t, "17", r.Header.Get("X-Request-Id"))
		require.Equal(t, "00-1", r.Header.Get("Traceparent"))
	}

	resp := ask(g, "GET", "/", forge...)
	require.Equal(t, 401, resp.StatusCode)
	require.Equal(t, "Session", resp.Header.Get("WWW-Authenticate"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	require.Equal(t, "Cookie", resp.Header.Get("Vary"))
	require.Empty(t, saw.take())
	require.Equal(t, 401, problem(t, ask(g, "GET", "/", "Accept", "application/json")).Status)

	// No route lets them through, whether it has a policy or not.
	require.Equal(t, 200, ask(g, "GET", "/open", append(forge, "Cookie", ann)...).StatusCode)
	r := saw.take()[0]
	require.Empty(t, r.Header["Remote-User"])
	require.Empty(t, r.Header["X-Auth-Email"])

	resp = ask(g, "GET", "http://shop.example.org/login?x=1", "Accept", "text/html")
	require.Equal(t, 302, resp.StatusCode)
	require.Equal(t, "https://login.example.org/?came_from=http%3A%2F%2Fshop.example.org%2Flogin%3Fx%3D1", resp.Header.Get("Location"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	require.Equal(t, 403, ask(g, "GET", "/staff", "Cookie", w.login(t, map[string]any{"user_id": "ann", "groups": []any{"guests"}})).StatusCode)
	require.Empty(t, saw.take())

	w.down.Store(true)
	for _, path := range []string{"/", "/login", "/staff", "/here"} {
		resp := ask(g, "GET", path, "Cookie", ann, "Accept", "text/html")
		require.Equal(t, 503, resp.StatusCode, path)
		require.Empty(t, resp.Header["Set-Cookie"], "nobody is logged out")
	}
	require.Empty(t, saw.take())
	reads := w.reads.Load()
	require.Equal(t, 200, ask(g, "GET", "/open", "Cookie", ann).StatusCode, "who needs no session does not care")
	require.Equal(t, reads, w.reads.Load())

	_, id, _ := strings.Cut(ann, "=")
	require.NotContains(t, log.String(), id)
	require.NotContains(t, log.String(), "ann@example.org")
	require.Contains(t, log.String(), "session unavailable")
}

// Every spelling by which an application may take a header for another.
func TestForgedHeaders(t *testing.T) {
	w := newWorld(t)
	var raw syncBuffer
	s := rawGateway(t, &raw, gateway.Options{Sessions: w.sessions, IdentityHeaders: []string{"X-Auth-Request-User"}}, func(url string) []gateway.Route {
		return []gateway.Route{{Prefix: "/", Upstreams: []string{url}, Identity: users(t), HideCookies: []string{"beaker.session.id"}}, {Prefix: "/open", Upstreams: []string{url}}}
	})
	cookie := w.login(t, map[string]any{"user_id": "ann"})
	for _, name := range []string{
		"Remote-User", "remote-user", "REMOTE-USER", "rEmOtE-uSeR", "Remote_User", "REMOTE_USER", "remote_user", "Remote.User", "Remote~User", "Remote!User",
		"X-Auth-Email", "X_Auth_Email", "X-Auth_Email", "X-Auth-Request-User", "x_auth_request_user", "HTTP_REMOTE_USER", "Http-Remote_User",
	} {
		for _, path := range []string{"/", "/open"} {
			raw.Reset()
			got := s.send(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\nCookie: "+cookie+"\r\n"+name+": forged\r\n"+name+": forged\r\nConnection: close\r\n\r\n", 1)
			require.Equal(t, []int{200}, got, name)
			require.NotContains(t, raw.String(), "forged", name)
			require.Equal(t, map[string]int{"/": 1, "/open": 0}[path], strings.Count(raw.String(), "Remote-User: ann\r\n"))
		}
	}
	for name, header := range map[string]string{
		// What Connection names is for the next hop only, and deleted. Not what we say.
		"connection":       "Connection: close, Remote-User\r\n",
		"other spelling":   "Connection: close, REMOTE-USER, X-Forwarded-For\r\nRemote-User: forged\r\n",
		"many":             "Connection: close\r\nConnection: remote-user\r\nRemote-User: forged\r\n",
		"proxy connection": "Proxy-Connection: Remote-User\r\nConnection: close\r\n",
		"keep-alive":       "Keep-Alive: Remote-User\r\nConnection: close\r\n",
		"folded":           "X-A: b\r\n Remote-User: forged\r\nConnection: close\r\n",
	} {
		raw.Reset()
		require.Equal(t, []int{200}, s.send(t, "GET / HTTP/1.1\r\nHost: x\r\nCookie: "+cookie+"\r\n"+header+"\r\n", 1), name)
		require.Equal(t, 1, strings.Count(raw.String(), "\r\nRemote-User: ann\r\n"), name)
		require.NotContains(t, raw.String(), "\r\nRemote-User: forged", name)
		require.Contains(t, raw.String(), "\r\nX-Forwarded-For: 127.0.0.1\r\n", name)
	}
	// Nor may Connection take the cookies off a request of which we say who sent it, nor
	// what log lines are found by.
	raw.Reset()
	require.Equal(t, []int{200}, s.send(t, "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b; "+cookie+"; c=d\r\nX-Request-Id: 17\r\nConnection: close, Cookie, x-request-id\r\n\r\n", 1))
	require.Contains(t, raw.String(), "\r\nX-Request-Id: 17\r\n")
	require.Contains(t, raw.String(), "\r\nCookie: a=b; c=d\r\n")
	// Trailers are headers to some applications.
	raw.Reset()
	require.Equal(t, []int{200}, s.send(t, "POST / HTTP/1.1\r\nHost: x\r\nCookie: "+cookie+"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"+
		"Trailer: Remote-User, remote_user, X-Sum\r\n\r\n0\r\nRemote-User: forged\r\nremote_user: forged\r\nX-Auth-Email: forged\r\nX-Sum: 1\r\n\r\n", 1))
	require.NotContains(t, raw.String(), "forged")
	require.Contains(t, raw.String(), "X-Sum: 1\r\n")
}

func TestHideCookies(t *testing.T) {
	url, saw := recorder(t, "app")
	g := build(t, gateway.Options{Routes: []gateway.Route{
		{Prefix: "/", Upstreams: []string{url}, HideCookies: []string{"sid", "other"}},
		{Prefix: "/here", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { saw.add(r) }), HideCookies: []string{"sid", "other"}},
		{Prefix: "/all", Upstreams: []string{url}},
	}})
	for in, want := range map[string]string{
		"a=1; sid=x; b=2":           "a=1; b=2",
		"sid=x; a=1":                "a=1",
		"a=1; sid=x":                "a=1",
		"a=1;sid=x;b=2":             "a=1;b=2",
		"sid=x":                     "",
		"sid=x; other=y":            "",
		"sid = x; a=1":              "a=1",
		"sid":                       "",
		"a=1; sid=x; sid=y; b":      "a=1; b",
		"SID=x; xsid=1; sidx=2":     "SID=x; xsid=1; sidx=2",
		`a="x y"; sid=z; $Path=/;b`: `a="x y"; $Path=/;b`,
		`a="1; sid=x; 2"`:           `a="1; 2"`,
		"a=sid=1; b=\\141":          "a=sid=1; b=\\141",
		"  a=1 ;  b=2;":             "  a=1 ;  b=2;",
	} {
		for _, path := range []string{"/", "/here"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Header["Cookie"] = []string{in}
			g.ServeHTTP(httptest.NewRecorder(), r)
			require.Equal(t, strings.TrimSpace(want), strings.TrimSpace(strings.Join(saw.take()[0].Header["Cookie"], "|")), "%q", in)
			require.Equal(t, []string{in}, r.Header["Cookie"], "the request itself stays")
		}
	}
	ask(g, "GET", "/all", "Cookie", "a=1; sid=x", "Cookie", "b")
	require.Equal(t, []string{"a=1; sid=x; b"}, saw.take()[0].Header["Cookie"])
	ask(g, "GET", "/", "Cookie", "a=1", "Cookie", "sid=x", "Cookie", "b")
	require.Equal(t, []string{"a=1; b"}, saw.take()[0].Header["Cookie"])
}

// An expression sees what the application would, and nothing that only proxies and policies
// may say.
func TestExpressionSeesNoForgedHeader(t *testing.T) {
	w := newWorld(t)
	allow := func(name, source string, h ...identity.Header) *identity.Policy {
		p, err := identity.New(identity.Options{Name: name, Allow: source, Headers: h})
		require.NoError(t, err)
		return p
	}
	g := build(t, gateway.Options{Sessions: w.sessions, IdentityHeaders: []string{"X-Old-User"}, Routes: []gateway.Route{
		{Prefix: "/user", Handler: named("a"), Identity: allow("user", `request.header("Remote-User") == "ada"`, identity.Header{Name: "Remote-User", Path: "user_id"})},
		{Prefix: "/old", Handler: named("a"), Identity: allow("old", `request.header("X-Old-User") == "ada"`)},
		{Prefix: "/ip", Handler: named("a"), Identity: allow("ip", `request.header("X-Real-Ip") == "ada"`)},
		{Prefix: "/odd", Handler: named("a"), Identity: allow("odd", `request.header("X_kind") == "ada"`)},
		{Prefix: "/kind", Handler: named("a"), Identity: allow("kind", `request.header("X-Kind") == "ada"`)},
		{Prefix: "/host", Handler: named("a"), Identity: allow("host", `request.host == "app.example.org:8080"`)},
	}, Trusted: trustAll(t)})
	header := []string{"Remote-User", "ada", "X-Old-User", "ada", "X-Real-Ip", "ada", "X_kind", "ada", "X-Kind", "ada", "X-Forwarded-Host", "app.example.org:8080"}
	for path, want := range map[string]int{"/user": 401, "/old": 401, "/ip": 401, "/odd": 401, "/kind": 200, "/host": 401} {
		require.Equal(t, want, ask(g, "GET", path, header...).StatusCode, path)
	}
	require.Equal(t, 200, ask(g, "GET", "http://APP.example.org.:8080/host", "X-Forwarded-Host", "other").StatusCode, "the host by which the route was found")
}

// trustAll trusts the address of httptest's requests.
func trustAll(t *testing.T) forwarded.Trusted {
	t.Helper()
	trusted, err := forwarded.Parse([]string{"192.0.2.0/24"})
	require.NoError(t, err)
	return trusted
}

// Where a policy looks at the method, an application is not told of another one.
func TestMethodOverrideOfPolicy(t *testing.T) {
	w := newWorld(t)
	url, saw := recorder(t, "app")
	p, err := identity.New(identity.Options{Name: "readers", Allow: `request.method == "GET"`})
	require.NoError(t, err)
	routes := []gateway.Route{{Prefix: "/", Upstreams: []string{url}}, {Prefix: "/a", Upstreams: []string{url}, Identity: p}}
	g := build(t, gateway.Options{Sessions: w.sessions, Routes: routes})
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		for _, path := range []string{"/", "/a"} {
			require.Equal(t, 200, ask(g, "GET", path, name, "DELETE").StatusCode)
			require.NotContains(t, saw.take()[0].Header, name)
		}
	}
}

// Who is not sent to the login page gets a link to it.
func TestLoginLink(t *testing.T) {
	w := newWorld(t)
	p, err := identity.New(identity.Options{Name: "users", Require: []string{"user_id"}, Login: "/login?a=b&u={url}"})
	require.NoError(t, err)
	g := build(t, gateway.Options{Sessions: w.sessions, Routes: []gateway.Route{{Prefix: "/", Handler: named("a"), Identity: p}}})
	text := func(r *http.Response) string {
		require.Equal(t, 401, r.StatusCode)
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, text(ask(g, "POST", "http://x/cart?q", "Accept", "text/html")), `Please <a href="/login?a=b&amp;u=http%3A%2F%2Fx%2F">log in</a> first.`)
	require.NotContains(t, text(ask(g, "POST", "http://x/cart", "Accept", "application/json")), "href")
	require.Equal(t, 302, ask(g, "GET", "http://x/cart", "Accept", "text/html").StatusCode)

	ctx, note := gateway.WithNote(context.Background())
	g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil).WithContext(ctx))
	require.Equal(t, gateway.Note{Route: "/", Policy: "users", Reason: "there is no session"}, *note)
	ctx, note = gateway.WithNote(context.Background())
	g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "//a", nil).WithContext(ctx))
	require.Equal(t, gateway.Note{Reason: "path"}, *note)
}

func TestIdentityOfWebSocket(t *testing.T) {
	w := newWorld(t)
	up := httptest.NewServer(http.HandlerFunc(socket))
	t.Cleanup(up.Close)
	s := newGateway(t, gateway.Options{Sessions: w.sessions, Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}, Identity: users(t)}}})
	_, _, resp := upgrade(t, s, "Remote-User: root\r\n")
	require.Equal(t, 401, resp.StatusCode)
	conn, in, resp := upgrade(t, s, "Remote-User: root\r\nCookie: "+w.login(t, map[string]any{"user_id": "ann"})+"\r\n")
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.Equal(t, "ann", resp.Header.Get("X-User"))
	fmt.Fprintln(conn, "hello")
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
}

func TestTouch(t *testing.T) {
	url, _ := recorder(t, "app")
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", " beaker.session.id=new; Path=/")
	}))
	t.Cleanup(login.Close)
	routes := func(p *identity.Policy) []gateway.Route {
		return []gateway.Route{
			{Prefix: "/login", Upstreams: []string{login.URL}, Identity: p},
			{Prefix: "/", Upstreams: []string{url}, Identity: p},
			{Prefix: "/no", Upstreams: []string{url}, Identity: p, NoTouch: true},
		}
	}
	accessed := func(w *world, cookie string) (at int64) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookie)
		w.sessions.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			v, err := middleware.Peek(r)
			require.NoError(t, err)
			last, ok := v.LastAccessed()
			require.True(t, ok)
			at = last.Unix()
		})).ServeHTTP(httptest.NewRecorder(), r)
		return at
	}
	w := newWorld(t)
	g := build(t, gateway.Options{Sessions: w.sessions, Routes: routes(users(t))})
	cookie := w.login(t, map[string]any{"user_id": "ann"})
	start := w.now.Load()
	w.now.Add(3600)
	require.Equal(t, 200, ask(g, "GET", "/no", "Cookie", cookie).StatusCode)
	require.Equal(t, start, accessed(w, cookie))
	require.Equal(t, 200, ask(g, "GET", "/", "Cookie", cookie).StatusCode)
	require.Equal(t, start+3600, accessed(w, cookie))

	// A session in its cookie goes out with the response.
	w = newWorld(t, func(o *compat.Options) {
		o.Type = "cookie"
		o.ValidateKey = "validate"
		o.EncryptKey = "encrypt"
		o.Secret = ""
	})
	g = build(t, gateway.Options{Sessions: w.sessions, Routes: routes(users(t))})
	cookie = w.login(t, map[string]any{"user_id": "ann"})
	require.Empty(t, ask(g, "GET", "/", "Cookie", cookie).Header["Set-Cookie"], "not due")
	w.now.Add(3600)
	require.Empty(t, ask(g, "GET", "/no", "Cookie", cookie).Header["Set-Cookie"])
	set := ask(g, "GET", "/login", "Cookie", cookie).Header["Set-Cookie"]
	require.Equal(t, []string{"beaker.session.id=new; Path=/"}, set, "what the application says about its cookie counts")
	set = ask(g, "GET", "/", "Cookie", cookie).Header["Set-Cookie"]
	require.Len(t, set, 1)
	renewed, _, _ := strings.Cut(set[0], ";")
	require.Equal(t, start+3600, accessed(w, renewed))
}

func TestWeightIsSticky(t *testing.T) {
	w := newWorld(t)
	python, _ := recorder(t, "python")
	golang, _ := recorder(t, "go")
	build2 := func(old, new float64, sticky string) *gateway.Gateway {
		return build(t, gateway.Options{Sessions: w.sessions, Routes: []gateway.Route{
			{Name: "old", Prefix: "/", Weight: &old, Sticky: sticky, Upstreams: []string{python}},
			{Name: "new", Prefix: "/", Weight: &new, Sticky: sticky, Upstreams: []string{golang}},
		}})
	}
	of := func(g *gateway.Gateway, header ...string) string { return upstreamOf(ask(g, "GET", "/", header...)) }
	by10, by50, all := build2(90, 10, ""), build2(50, 50, ""), build2(0, 1, "")
	var moved, atHalf int
	const visitors = 60
	var cookies []string
	for range visitors {
		cookie := w.login(t, map[string]any{"user_id": "ann"})
		cookies = append(cookies, cookie)
		before, after := of(by10, "Cookie", cookie), of(by50, "Cookie", cookie)
		require.Equal(t, before, of(by10, "Cookie", "x=1; "+cookie), "they stay")
		require.Equal(t, "go", of(all, "Cookie", cookie))
		if before != after {
			require.Equal(t, "go", after)
			moved++
		}
		if after == "go" {
			atHalf++
		}
	}
	require.InDelta(t, visitors/2, atHalf, visitors/4)
	require.NotZero(t, moved)
	require.Zero(t, w.reads.Load(), "the id is in the cookie")

	// By a value of the session all sessions of a visitor go the same way.
	byUser := build2(50, 50, "user_id")
	want := of(byUser, "Cookie", cookies[0])
	for _, c := range cookies {
		require.Equal(t, want, of(byUser, "Cookie", c))
	}
	w.down.Store(true)
	require.Equal(t, 503, ask(byUser, "GET", "/", "Cookie", cookies[0]).StatusCode)
	require.Equal(t, 200, ask(byUser, "GET", "/").StatusCode)
	w.down.Store(false)

	// Without a session it is by address, and IPv6 by the network.
	from := func(g *gateway.Gateway, addr string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = addr
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		return upstreamOf(rec.Result())
	}
	counts := map[string]int{}
	for i := range 200 {
		a := fmt.Sprintf("[2001:db8:0:%x::1]:99", i)
		got := from(by50, a)
		require.Equal(t, got, from(by50, strings.Replace(a, "::1]", ":9:9:9:9]", 1)))
		counts[got]++
		counts["stranger "+from(by50, "@")]++
	}
	require.InDelta(t, 100, counts["go"], 40)
	require.InDelta(t, 100, counts["stranger go"], 40)
}

// A forged cookie names nobody: the visitor goes by address.
func TestWeightBelievesNoUnsignedID(t *testing.T) {
	w := newWorld(t)
	a, _ := recorder(t, "a")
	b, _ := recorder(t, "b")
	g := build(t, gateway.Options{Sessions: w.sessions, Routes: []gateway.Route{
		{Name: "a", Prefix: "/", Weight: weight(1), Upstreams: []string{a}},
		{Name: "b", Prefix: "/", Weight: weight(1), Upstreams: []string{b}},
	}})
	want := upstreamOf(ask(g, "GET", "/"))
	for i := range 20 {
		require.Equal(t, want, upstreamOf(ask(g, "GET", "/", "Cookie", fmt.Sprintf("beaker.session.id=%040d%032d", i, i))))
	}
}

// The facts of the request that the login page and rules see are those of trusted proxies.
func TestIdentityBehindProxies(t *testing.T) {
	w := newWorld(t)
	url, saw := recorder(t, "app")
	trusted, err := forwarded.Parse([]string{"10.0.0.0/8"})
	require.NoError(t, err)
	p, err := identity.New(identity.Options{Require: []string{"user_id"}, Login: "https://login.example.org/?to={url}",
		Allow: `request.client == "192.0.2.9" and request.scheme == "https"`})
	require.NoError(t, err)
	g := build(t, gateway.Options{Sessions: w.sessions, Trusted: trusted, Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{url}, Identity: p}}})
	get := func(peer string, header ...string) *http.Response {
		r := httptest.NewRequest("GET", "http://inner/x", nil)
		r.RemoteAddr = peer
		r.Header = http.Header{"X-Forwarded-For": {"1.1.1.1, 192.0.2.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"shop.example.org"}, "Accept": {"text/html"}}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r.WithContext(context.Background()))
		io.Copy(io.Discard, rec.Result().Body)
		return rec.Result()
	}
	require.Equal(t, "https://login.example.org/?to=https%3A%2F%2Fshop.example.org%2Fx", get("10.0.0.1:5").Header.Get("Location"))
	require.Equal(t, "https://login.example.org/?to=http%3A%2F%2Finner%2Fx", get("192.0.2.1:5").Header.Get("Location"))
	cookie := w.login(t, map[string]any{"user_id": "ann"})
	require.Equal(t, 403, get("192.0.2.1:5", "Cookie", cookie).StatusCode)
	require.Equal(t, 200, get("10.0.0.1:5", "Cookie", cookie).StatusCode)
	r := saw.take()[0]
	require.Equal(t, "1.1.1.1, 192.0.2.9, 10.0.0.1", r.Header.Get("X-Forwarded-For"))
	require.Equal(t, "https", r.Header.Get("X-Forwarded-Proto"))
	require.Equal(t, "shop.example.org", r.Header.Get("X-Forwarded-Host"))
	require.Equal(t, "inner", r.Host)
}
