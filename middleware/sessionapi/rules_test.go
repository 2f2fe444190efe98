package sessionapi_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

func TestBadConfigurations(t *testing.T) {
	sessions := middleware.NewSessions(newWorld(t, setup{}).manager, middleware.SessionsOptions{})
	for _, o := range []sessionapi.Options{
		{Tokens: []string{token}},
		{Sessions: sessions},
		{Sessions: sessions, Tokens: []string{"short"}},
		{Sessions: sessions, Tokens: []string{token, "with a space in between it"}},
		{Sessions: sessions, Tokens: []string{token}, MaxBody: -1},
	} {
		_, err := sessionapi.New(o)
		require.ErrorIs(t, err, sessionapi.ErrConfig)
		require.NotContains(t, err.Error(), "space in")
	}
}

// Who may come, and who may not.
func TestGuard(t *testing.T) {
	v := newWorld(t, setup{api: func(o *sessionapi.Options) { o.Hosts = []string{"api.internal"} }}).visitor()
	v.set("user", "eve")
	ok := []string{"Authorization", "Bearer " + token}
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"no token":            {nil, 401},
		"another token":       {[]string{"Authorization", "Bearer " + token + "x"}, 401},
		"an empty token":      {[]string{"Authorization", "Bearer "}, 401},
		"another scheme":      {[]string{"Authorization", "Basic " + token}, 401},
		"two tokens":          {append(ok, ok...), 401},
		"the token":           {ok, 200},
		"in lower case":       {[]string{"Authorization", "bearer " + token}, 200},
		"of a page":           {append(ok, "Origin", "https://evil.example"), 403},
		"of a sandboxed page": {append(ok, "Origin", "null"), 403},
		"an image":            {append(ok, "Sec-Fetch-Site", "cross-site"), 403},
		"the address bar":     {append(ok, "Sec-Fetch-Site", "none"), 403},
		"of node's fetch":     {append(ok, "Sec-Fetch-Mode", "cors"), 200},
		"DNS rebinding":       {append(ok, "Host", "evil.example:80"), 421},
		"almost local":        {append(ok, "Host", "localhost.evil.example"), 421},
		"no address":          {append(ok, "Host", "127.0.0.1.evil.example"), 421},
		"an address":          {append(ok, "Host", "192.0.2.1:80"), 200},
		"a name it was given": {append(ok, "Host", "API.internal:5000"), 200},
		"below that name":     {append(ok, "Host", "x.api.internal"), 421},
		"localhost":           {append(ok, "Host", "LOCALHOST:5000"), 200},
		"below localhost":     {append(ok, "Host", "api.localhost"), 200},
		"::1":                 {append(ok, "Host", "[::1]:5000"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, request := range [][2]string{{"GET", ""}, {"PATCH", `{"hacked": true}`}, {"POST", ""}} {
				path := "/v1/session"
				if request[0] == "POST" {
					path += "/touch"
				}
				r := v.raw(request[0], path, request[1], c.header...)
				require.Equal(t, c.status, r.StatusCode, r.text)
				require.Empty(t, r.Header["Access-Control-Allow-Origin"])
				require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
				require.NotContains(t, r.text, token)
				if c.status == 401 {
					require.True(t, strings.HasPrefix(r.Header.Get("Www-Authenticate"), "Bearer "))
				}
				if c.status != 200 {
					require.NotContains(t, v.session(), "hacked")
				}
			}
			v.patch(`{"hacked": null}`)
		})
	}
	require.NotContains(t, v.log.String(), token)
}

// A form of a page of another site is not even of the right type.
func TestCrossSitePosts(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	v.set("user", "eve")
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""} {
		for _, request := range [][2]string{{"PATCH", "/v1/session"}, {"POST", "/v1/session/flash"}, {"POST", "/v1/session/csrf/token"}} {
			req, err := http.NewRequest(request[0], v.url+request[1], strings.NewReader(`{"framework":"pyramid","text":"x"}`))
			require.NoError(t, err)
			req.Header = http.Header{"Content-Type": {kind}, "Cookie": {v.cookie}, "Authorization": {"Bearer " + token}}
			res, err := v.client.Do(req)
			require.NoError(t, err)
			res.Body.Close()
			require.Equal(t, http.StatusUnsupportedMediaType, res.StatusCode)
		}
	}
	require.Equal(t, `{"user":"eve"}`, v.session())
	for _, c := range []struct {
		method, path, problem string
	}{
		{"OPTIONS", "/v1/session", "method-not-allowed"}, {"PUT", "/v1/session", "method-not-allowed"}, {"GET", "/v1/session/touch", "method-not-allowed"},
		{"GET", "/v1/session/", "not-found"}, {"GET", "/v2/session", "not-found"}, {"GET", "/", "not-found"},
	} {
		r := v.ask(c.method, c.path, "")
		require.Equal(t, c.problem, r.problem(t))
		require.Equal(t, c.problem == "method-not-allowed", r.Header.Get("Allow") != "")
	}
	require.Equal(t, "DELETE, GET, HEAD, PATCH", v.ask("PUT", "/v1/session", "").Header.Get("Allow"))
}

// On a Unix socket that is open, any Host and no token will do; elsewhere they do not.
func TestOpenOnlyOnUnixSockets(t *testing.T) {
	w := newWorld(t, setup{api: func(o *sessionapi.Options) { o.Tokens, o.Open = nil, true }})
	require.Equal(t, "unauthorized", w.visitor().raw("GET", "/v1/session", "").problem(t))
	require.Equal(t, "unauthorized", w.visitor().ask("GET", "/v1/session", "").problem(t))

	handler, err := sessionapi.New(sessionapi.Options{Sessions: middleware.NewSessions(w.manager, middleware.SessionsOptions{}), Open: true})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	socket := filepath.Join(t.TempDir(), "api.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	w.url, w.client = "http://gobeaker", &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	require.Equal(t, http.StatusOK, w.visitor().raw("GET", "/v1/session", "").StatusCode)
	require.Equal(t, "from-browser", w.visitor().raw("GET", "/v1/session", "", "Origin", "http://gobeaker").problem(t))
}

func TestConditions(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	require.Equal(t, "changed", v.ask("PATCH", "/v1/session", `{"a": 1}`, "If-Match", "*").problem(t))
	require.Equal(t, "changed", v.ask("DELETE", "/v1/session", "", "If-Match", `"x"`).problem(t))
	tag := v.patch(`{"a": 1}`, "If-None-Match", "*").Header.Get("Etag")
	require.Equal(t, "changed", v.ask("PATCH", "/v1/session", `{"a": 2}`, "If-None-Match", "*").problem(t))
	for _, match := range []string{"*", tag, `"x", ` + tag, `"x" , W/"y",` + tag} {
		require.Equal(t, http.StatusOK, v.ask("GET", "/v1/session", "", "If-Match", match).StatusCode, match)
		none := v.ask("GET", "/v1/session", "", "If-None-Match", match)
		require.Equal(t, http.StatusNotModified, none.StatusCode, match)
		require.Empty(t, none.text)
		require.Equal(t, tag, none.Header.Get("Etag"))
	}
	require.Equal(t, http.StatusNotModified, v.ask("GET", "/v1/session", "", "If-None-Match", "W/"+tag).StatusCode)
	require.Equal(t, "changed", v.ask("PATCH", "/v1/session", `{"a": 2}`, "If-Match", "W/"+tag).problem(t), "weak")
	for _, odd := range []string{``, `x`, `"x`, `"x" "y"`, tag + ";", `W/x`} {
		require.Equal(t, "bad-request", v.ask("PATCH", "/v1/session", `{"a": 2}`, "If-Match", odd).problem(t), odd)
	}
	// The time of access is no content.
	v.clock.move(time.Hour)
	require.Equal(t, http.StatusOK, v.ask("POST", "/v1/session/touch", "", "If-Match", tag).StatusCode)
	r := v.ask("GET", "/v1/session", "")
	require.Equal(t, tag, r.Header.Get("Etag"))
	require.Equal(t, "Tue, 14 Nov 2023 23:13:20 GMT", r.Header.Get("Session-Accessed"))

	for _, request := range [][3]string{
		{"DELETE", "/v1/session", ""}, {"POST", "/v1/session/regenerate", ""}, {"POST", "/v1/session/touch", ""},
		{"POST", "/v1/session/flash", `{"framework":"pyramid","text":"x"}`}, {"PATCH", "/v1/session", `{"a":5}`},
	} {
		require.Equal(t, "changed", v.ask(request[0], request[1], request[2], "If-Match", `"x"`).problem(t), request)
		require.Equal(t, tag, v.ask("GET", "/v1/session", "").Header.Get("Etag"), request)
	}
	// The tag neither is nor tells the id, and every process has the same.
	require.NotContains(t, tag, v.cookie)
	v.set("a", 1)
	require.Equal(t, tag, v.ask("GET", "/v1/session", "").Header.Get("Etag"))
	other := v.world.visitor()
	require.NotEqual(t, tag, other.patch(`{"a": 1}`).Header.Get("Etag"), "of another session")
	require.Equal(t, http.StatusOK, v.ask("DELETE", "/v1/session", "", "If-Match", tag).StatusCode)
	require.Equal(t, "{}", v.session())
}

// hookStore runs something while an update holds the record, or before it does.
type hookStore struct {
	*memstore.Store
	before atomic.Pointer[func()]
	fail   atomic.Pointer[error]
}

func (s *hookStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if err := s.fail.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Get(ctx, id)
}

func (s *hookStore) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	if hook := s.before.Swap(nil); hook != nil {
		(*hook)()
	}
	return s.Store.Update(ctx, id, f)
}

// Between the look at a session and its write somebody else is faster.
func TestOvertaken(t *testing.T) {
	store := &hookStore{Store: memstore.New()}
	w := newWorld(t, setup{store: store})
	for name, c := range map[string]struct {
		faster        func(s *compat.Session)
		method, path  string
		body, problem string
		tagged        bool
		want          string
	}{
		"another key":       {set("b", 2), "PATCH", "", `{"a": 2}`, "", false, `{"a":2,"cart":{"x":1},"b":2}`},
		"the same key":      {set("a", 5), "PATCH", "", `{"a": 2}`, "", false, `{"a":2,"cart":{"x":1}}`},
		"in the same dict":  {set("cart", map[string]int{"x": 1, "y": 1}), "PATCH", "", `{"cart": {"z": 1}}`, "", false, `{"a":1,"cart":{"x":1,"y":1,"z":1}}`},
		"with a condition":  {set("b", 2), "PATCH", "", `{"a": 2}`, "changed", true, `{"a":1,"cart":{"x":1},"b":2}`},
		"a mere access":     {set("_accessed_time", 1.5), "PATCH", "", `{"a": 2}`, "", true, `{"a":2,"cart":{"x":1}}`},
		"a logout":          {(*compat.Session).Delete, "PATCH", "", `{"a": 2}`, "session-ended", false, `{}`},
		"a logout, with it": {(*compat.Session).Delete, "PATCH", "", `{"a": 2}`, "changed", true, `{}`},
		"another message":   {push("1"), "POST", "/flash", `{"framework":"pyramid","text":"2"}`, "", false, `{"a":1,"cart":{"x":1},"_f_":["1","2"]}`},
		"to be deleted":     {set("b", 2), "DELETE", "", "", "changed", true, `{"a":1,"cart":{"x":1},"b":2}`},
		"deleted":           {set("b", 2), "DELETE", "", "", "", false, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.visitor()
			tag := v.patch(`{"a": 1, "cart": {"x": 1}}`).Header.Get("Etag")
			header := []string{}
			if c.tagged {
				header = []string{"If-Match", tag}
			}
			cookie := v.cookie
			hook := func() { (&visitor{world: w, cookie: cookie}).inGo(c.faster) }
			store.before.Store(&hook)
			r := v.ask(c.method, "/v1/session"+c.path, c.body, header...)
			require.Nil(t, store.before.Load())
			if c.problem != "" {
				require.Equal(t, c.problem, r.problem(t))
			} else {
				require.Equal(t, http.StatusOK, r.StatusCode, r.text)
			}
			v.cookie = cookie
			require.JSONEq(t, c.want, v.session())
		})
	}
}

func set(key string, value any) func(*compat.Session) {
	return func(s *compat.Session) { _ = s.Set(key, value) }
}

func push(text string) func(*compat.Session) {
	return func(s *compat.Session) {
		_ = middleware.PyramidFlash("").Push(s, middleware.FlashMessage{Text: text})
	}
}

// Fifty clients that each count one up by compare-and-set lose nothing, nor do those
// that write keys of their own, or into one dict.
func TestParallelChanges(t *testing.T) {
	clients := 50
	if testing.Short() {
		clients = 15
	}
	v := newWorld(t, setup{}).visitor()
	v.patch(`{"n": 0, "all": {}}`)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Add(3)
		mine := func() *visitor { return &visitor{world: v.world, cookie: v.cookie} }
		go func() {
			defer wg.Done()
			v := mine()
			for {
				r := v.ask("GET", "/v1/session", "")
				n := r.json(t, "session", "n").(float64)
				r = v.ask("PATCH", "/v1/session", fmt.Sprintf(`{"n": %v}`, n+1), "If-Match", r.Header.Get("Etag"))
				if r.StatusCode == http.StatusOK {
					return
				}
				if r.StatusCode != http.StatusPreconditionFailed {
					t.Error(r.text)
					return
				}
			}
		}()
		go func() {
			defer wg.Done()
			if r := mine().ask("PATCH", "/v1/session", fmt.Sprintf(`{"k%d": true}`, i)); r.StatusCode != http.StatusOK {
				t.Error(r.text)
			}
		}()
		go func() {
			defer wg.Done()
			if r := mine().ask("PATCH", "/v1/session", fmt.Sprintf(`{"all": {"%d": true}}`, i)); r.StatusCode != http.StatusOK {
				t.Error(r.text)
			}
		}()
	}
	wg.Wait()
	r := v.ask("GET", "/v1/session", "")
	session := r.json(t, "session").(map[string]any)
	require.EqualValues(t, clients, session["n"])
	require.Len(t, session["all"], clients)
	require.Len(t, session, clients+2)
}

// A store that is down is no visitor who is logged out.
func TestOutage(t *testing.T) {
	store := &hookStore{Store: memstore.New()}
	v := newWorld(t, setup{store: store}).visitor()
	v.patch(`{"a": 1}`)
	down := fmt.Errorf("test: %w", stores.ErrUnavailable)
	store.fail.Store(&down)
	for _, request := range everything {
		cookie := v.cookie
		r := v.ask(request[0], request[1], request[2])
		require.Equal(t, "unavailable", r.problem(t), request)
		require.Equal(t, "1", r.Header.Get("Retry-After"))
		require.Empty(t, r.Header["Set-Cookie"])
		require.Equal(t, cookie, v.cookie)
	}
	require.Contains(t, v.log.String(), "session API: request failed")
	broken := errors.New("test: broken")
	store.fail.Store(&broken)
	require.Equal(t, "internal-error", v.ask("GET", "/v1/session", "").problem(t))
	corrupt := fmt.Errorf("test: %w", stores.ErrCorrupt)
	store.fail.Store(&corrupt)
	require.Equal(t, true, v.ask("GET", "/v1/session", "").json(t, "new"), "invalidate_corrupt")
	store.fail.Store(nil)
	require.Equal(t, `{"a":1}`, v.session())
}

// everything that works on a session in a store.
var everything = [][3]string{
	{"GET", "/v1/session", ""}, {"PATCH", "/v1/session", `{"a":2}`}, {"DELETE", "/v1/session", ""},
	{"POST", "/v1/session/regenerate", ""}, {"POST", "/v1/session/touch", ""},
	{"POST", "/v1/session/csrf", `{"framework":"pyramid","token":"x"}`}, {"POST", "/v1/session/csrf/token", `{"framework":"pyramid"}`},
	{"POST", "/v1/session/flash", `{"framework":"pyramid","text":"x"}`}, {"POST", "/v1/session/flash/pop", `{"framework":"pyramid"}`},
}

// bare is a store without anything optional.
type bare struct{ stores.Store }

func TestStoreWithoutUpdate(t *testing.T) {
	v := newWorld(t, setup{store: bare{memstore.New()}}).visitor()
	require.Equal(t, "unsupported", v.ask("PATCH", "/v1/session", `{"a":2}`).problem(t))
	require.Equal(t, "{}", v.session())
}

func TestCorruptSessions(t *testing.T) {
	store := memstore.New()
	v := newWorld(t, setup{store: store, options: func(o *compat.Options) { o.InvalidateCorrupt = false }}).visitor()
	v.patch(`{"a": 1}`)
	id, ok := v.manager.Open(v.cookie).ID()
	require.True(t, ok)
	require.NoError(t, store.Put(context.Background(), id, pyvalue.Str("junk")))
	for _, request := range everything {
		require.Equal(t, "unreadable", v.ask(request[0], request[1], request[2]).problem(t), request)
	}
	require.NotContains(t, v.log.String(), id)
}

// An id that nobody has given out is never taken over, signed or not.
func TestFixation(t *testing.T) {
	for _, secret := range []string{"", "sekrit"} {
		v := newWorld(t, setup{options: func(o *compat.Options) { o.Secret = secret }}).visitor()
		const invented = "0123456789abcdef0123456789abcdef"
		for _, cookie := range []string{"sid=" + invented, "sid=" + strings.Repeat("0", 40) + invented} {
			v.cookie = cookie
			require.Equal(t, "{}", v.session())
			for _, request := range [][3]string{
				{"PATCH", "/v1/session", `{"user":"eve"}`}, {"POST", "/v1/session/csrf/token", `{"framework":"pyramid"}`},
				{"POST", "/v1/session/flash", `{"framework":"pyramid","text":"x"}`},
			} {
				v.cookie = cookie
				require.Equal(t, http.StatusOK, v.ask(request[0], request[1], request[2], "Idempotency-Key", "the same").StatusCode)
				require.NotContains(t, v.cookie, invented)
				require.NotEqual(t, cookie, v.cookie)
				first := v.cookie
				v.cookie = cookie
				v.ask(request[0], request[1], request[2], "Idempotency-Key", "the same")
				require.NotEqual(t, first, v.cookie, "nobody gets the session of another one")
			}
			require.Equal(t, "{}", (&visitor{world: v.world, cookie: cookie}).session())
		}
	}
}
