package inspector_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspector"
)

var users = []inspector.User{{Name: "ops", Token: "the token of ops"}, {Name: "ann", Token: "the token of ann"}}

func guarded(t *testing.T, g *inspector.Guard) *site {
	s := memory(t, func(o *inspector.Options) { o.Users, o.Guard = users, g })
	s.ids = append(s.ids, users[0].Token, users[1].Token) // never to be seen either
	return s
}

func TestLogin(t *testing.T) {
	s := guarded(t, nil)
	b := s.browser()
	for _, address := range []string{"", "sessions", "session/0123456789ab", "decode", "nothing"} {
		p := b.get(address)
		require.Equal(t, "/inspector/login", p.Request.URL.Path, address)
		require.NotContains(t, p.body, "memory of this process")
	}
	require.Equal(t, "/inspector/login", b.do(http.MethodPost, "sessions", url.Values{}).Request.URL.Path)

	p := b.get("sessions?x=1")
	before := cookie(b)
	wrong := b.submit(p, "login", "token", "guess")
	require.Equal(t, http.StatusForbidden, wrong.StatusCode)
	require.Contains(t, wrong.text, "This is not a token of this server.")
	in := b.submit(wrong, "login", "token", users[1].Token)
	require.Equal(t, "/inspector/sessions?x=1", in.Request.URL.RequestURI(), "back to where one wanted to go")
	require.Contains(t, in.text, "ann Sign out")
	require.NotEqual(t, before, cookie(b), "another cookie than before the login")
	require.Contains(t, s.log.String(), `action=login outcome=refused client=127.0.0.1 user=- why=token`)
	require.Contains(t, s.log.String(), "action=login outcome=ok client=127.0.0.1 user=ann")
	require.Contains(t, s.log.String(), "action=list outcome=ok client=127.0.0.1 user=ann")

	// The cookie of a login ends with it, here and in a copy of it.
	copied := s.browser()
	at, _ := url.Parse(s.url)
	copied.client.Jar.SetCookies(at, b.client.Jar.Cookies(at))
	require.Equal(t, "/inspector/", copied.get("").Request.URL.Path)
	require.Equal(t, "/inspector/login", b.submit(b.get(""), "logout").Request.URL.Path)
	require.Equal(t, "/inspector/login", copied.get("").Request.URL.Path)
	require.Contains(t, s.log.String(), "action=logout outcome=ok client=127.0.0.1 user=ann")
}

func cookie(b *browser) string {
	at, _ := url.Parse(b.url)
	for _, c := range b.client.Jar.Cookies(at) {
		if strings.HasPrefix(c.Name, "gobeaker_inspector_") {
			return c.Value
		}
	}
	return ""
}

func TestCookie(t *testing.T) {
	s := memory(t, nil)
	answer, err := http.Get(s.url)
	require.NoError(t, err)
	answer.Body.Close()
	require.Len(t, answer.Cookies(), 1)
	c := answer.Cookies()[0]
	require.True(t, c.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, c.SameSite)
	require.Equal(t, "/inspector/", c.Path)
	require.Zero(t, c.MaxAge)
	b := s.browser()
	b.get("")
	require.Empty(t, b.get("sessions").Header.Values("Set-Cookie"), "once is enough")
}

func TestLoginEnds(t *testing.T) {
	clock := &clock{at: noon}
	guard := inspector.NewGuard(clock.now)
	s := guarded(t, guard)
	b := s.browser()
	b.submit(b.get("login"), "login", "token", users[0].Token)
	require.Equal(t, "/inspector/", b.get("").Request.URL.Path)
	require.Equal(t, "/inspector/", b.get("login").Request.URL.Path)

	// After a reload it goes on, unless the user or the token has gone.
	handler := func(users []inspector.User) *http.Response {
		h, err := inspector.New("/inspector", inspector.Options{Manager: s.manager, Store: s.store, Guard: guard, Users: users})
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, "/inspector/", nil)
		r.Host = strings.TrimPrefix(strings.TrimSuffix(s.url, "/inspector/"), "http://")
		at, _ := url.Parse(s.url)
		for _, c := range b.client.Jar.Cookies(at) {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	require.Equal(t, http.StatusOK, handler(users).StatusCode)
	require.Equal(t, http.StatusSeeOther, handler(users[1:]).StatusCode)
	require.Equal(t, http.StatusSeeOther, handler([]inspector.User{{Name: "ops", Token: "a new one"}}).StatusCode)
	require.Equal(t, http.StatusSeeOther, handler([]inspector.User{{Name: "eve", Token: users[0].Token}}).StatusCode)

	clock.advance(8*time.Hour + time.Second)
	require.Equal(t, "/inspector/login", b.get("").Request.URL.Path)
}

func TestLoginLimit(t *testing.T) {
	clock := &clock{at: noon}
	s := guarded(t, inspector.NewGuard(clock.now))
	b := s.browser()
	p := b.get("login")
	for range 5 {
		p = b.submit(p, "login", "token", "guess")
		require.Equal(t, http.StatusForbidden, p.StatusCode)
	}
	p = b.submit(p, "login", "token", "guess")
	require.Equal(t, http.StatusTooManyRequests, p.StatusCode)
	require.Equal(t, "10", p.Header.Get("Retry-After"))
	b.header.Set("Authorization", "Bearer guess")
	require.Equal(t, http.StatusTooManyRequests, b.get("").StatusCode)
	b.header.Set("Authorization", "Bearer "+users[0].Token)
	require.Equal(t, http.StatusOK, b.get("").StatusCode, "who knows a token does not wait for who guesses")
	b.header.Del("Authorization")
	clock.advance(10 * time.Second)
	p = b.submit(p, "login", "token", "guess")
	require.Equal(t, http.StatusForbidden, p.StatusCode)
	require.Equal(t, http.StatusTooManyRequests, b.submit(p, "login", "token", "guess").StatusCode)
	require.Equal(t, "/inspector/", b.submit(p, "login", "token", users[0].Token).Request.URL.Path)
}

// Nobody is led elsewhere after the login.
func TestNextIsOurs(t *testing.T) {
	s := guarded(t, nil)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/else", "x"} {
		b := s.browser()
		p := b.submit(b.get("login"), "login", "token", users[0].Token, "next", next)
		require.Equal(t, s.url, p.Request.URL.String())
	}
}

func TestBearer(t *testing.T) {
	s := guarded(t, nil)
	for header, want := range map[string]int{
		"Bearer " + users[0].Token: 200, "bearer  " + users[1].Token: 200,
		"Bearer guess": 401, "Basic " + users[0].Token: 401, "Bearer": 401, "Bearer ": 401,
	} {
		b := s.browser()
		b.header.Set("Authorization", header)
		p := b.get("sessions")
		require.Equal(t, want, p.StatusCode, header)
		if want == 401 {
			require.Contains(t, p.Header.Get("WWW-Authenticate"), "Bearer")
		}
	}
	guard := inspector.NewGuard(nil)
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	ask := func(h http.Handler, authorization, from string) int {
		r := httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil)
		r.RemoteAddr = from
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	h := guard.Bearer(users, nil, next)
	require.Equal(t, 204, ask(guard.Bearer(nil, nil, next), "", "10.0.0.1:1"))
	require.Equal(t, 204, ask(h, "Bearer "+users[0].Token, "10.0.0.1:1"))
	require.Equal(t, 401, ask(h, "", "10.0.0.1:1"))
	for range 5 {
		require.Equal(t, 401, ask(h, "Bearer guess", "[2001:db8::1]:1"))
	}
	require.Equal(t, 429, ask(h, "Bearer guess", "[2001:db8::2]:1"), "an IPv6 client has a whole network")
	require.Equal(t, 204, ask(h, "Bearer "+users[0].Token, "[2001:db8::2]:1"), "who has a token does not wait")
	require.Equal(t, 204, ask(h, "Bearer "+users[0].Token, "[2001:db8:0:1::2]:1"))
	require.Equal(t, 204, ask(h, "Bearer "+users[0].Token, "@"), "a Unix socket")
}
