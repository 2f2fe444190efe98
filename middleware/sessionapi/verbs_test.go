package sessionapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
)

func TestCSRF(t *testing.T) {
	w := newWorld(t, setup{})
	for framework, rules := range map[string]*middleware.CSRF{"webhelpers": middleware.WebHelpersCSRF(), "pyramid": middleware.PyramidCSRF()} {
		v := w.visitor()
		valid := func(token string) any {
			body, err := json.Marshal(map[string]string{"framework": framework, "token": token})
			require.NoError(t, err)
			return v.ask("POST", "/v1/session/csrf", string(body)).json(t, "valid")
		}
		require.Equal(t, false, valid(""), "no session, no token")
		r := v.ask("POST", "/v1/session/csrf/token", `{"framework":"`+framework+`"}`)
		require.Equal(t, rules.Field, r.json(t, "field"))
		require.Equal(t, rules.Header, r.json(t, "header"))
		token := r.json(t, "token").(string)
		require.NotEmpty(t, v.cookie)
		require.Equal(t, token, v.ask("POST", "/v1/session/csrf/token", `{"framework":"`+framework+`"}`).json(t, "token"), "the same again")
		stored, ok := pyvalue.Text(v.value(rules.Key))
		require.True(t, ok)
		require.Equal(t, token, stored)
		require.Equal(t, true, valid(token))
		for _, wrong := range []string{"", token + "0", token[1:], "é\n", token + "," + token} {
			require.Equal(t, false, valid(wrong), wrong)
		}
		v.set(rules.Key, 5)
		require.Equal(t, false, valid("5"))
		require.Equal(t, "unexpected-value", v.ask("POST", "/v1/session/csrf/token", `{"framework":"`+framework+`"}`).problem(t))
	}
	for request, problem := range map[[2]string]string{
		{"", `{"framework":"django","token":"x"}`}:              "bad-value",
		{"", `{"framework":"pyramid"}`}:                         "bad-request",
		{"", `{"framework":"pyramid","token":5}`}:               "bad-request",
		{"", `{"framework":"pyramid","token":"x","queue":"q"}`}: "bad-request",
		{"", `{"token":"x"}`}:                                   "bad-request",
		{"", `[]`}:                                              "bad-request",
		{"", `{`}:                                               "bad-request",
		{"/token", `{"framework":"django"}`}:                    "bad-value",
		{"/token", `{"framework":"pyramid","token":"x"}`}:       "bad-request",
		{"/token", `{}`}:                                        "bad-request",
	} {
		require.Equal(t, problem, w.visitor().ask("POST", "/v1/session/csrf"+request[0], request[1]).problem(t), request)
	}
}

func TestFlash(t *testing.T) {
	w := newWorld(t, setup{})
	for name, c := range map[string]struct{ pushed, popped, want string }{
		"webhelpers":         {`{"framework":"webhelpers","category":"error","text":"é <b>"}`, `{"framework":"webhelpers"}`, `[{"category":"error","text":"é <b>"}]`},
		"webhelpers default": {`{"framework":"webhelpers","text":"x"}`, `{"framework":"webhelpers"}`, `[{"category":"notice","text":"x"}]`},
		"pyramid":            {`{"framework":"pyramid","text":"x"}`, `{"framework":"pyramid"}`, `[{"text":"x"}]`},
		"pyramid queue":      {`{"framework":"pyramid","queue":"q","text":"x"}`, `{"framework":"pyramid","queue":"q"}`, `[{"text":"x"}]`},
		"pyramid value":      {`{"framework":"pyramid","value":{"title":"t"}}`, `{"framework":"pyramid"}`, `[{"text":"","value":{"title":"t"}}]`},
		"turbogears":         {`{"framework":"turbogears","category":"warning","text":"x é"}`, `{"framework":"turbogears"}`, `[{"category":"warning","text":"x é"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.visitor()
			require.Empty(t, v.ask("POST", "/v1/session/flash/pop", c.popped).json(t, "messages"))
			require.Equal(t, true, v.ask("POST", "/v1/session/flash", c.pushed).json(t, "pushed"))
			require.NotEmpty(t, v.cookie)
			got, err := json.Marshal(v.ask("POST", "/v1/session/flash/pop", c.popped).json(t, "messages"))
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(got))
			require.Empty(t, v.ask("POST", "/v1/session/flash/pop", c.popped).json(t, "messages"), "once")
		})
	}
	v := w.visitor()
	for range 2 {
		v.ask("POST", "/v1/session/flash", `{"framework":"pyramid","text":"x","once":true}`)
	}
	v.inGo(func(s *compat.Session) {
		markup := &pyvalue.Object{How: pyvalue.Reduce, Class: &pyvalue.Global{Module: "markupsafe", Name: "Markup"}, Args: pyvalue.NewTuple(pyvalue.Str("<b>"))}
		require.NoError(t, middleware.PyramidFlash("").Push(s, middleware.FlashMessage{Value: markup}))
	})
	require.Equal(t, []any{map[string]any{"text": "x"}, map[string]any{"text": "<b>", "markup": true}},
		v.ask("POST", "/v1/session/flash/pop", `{"framework":"pyramid"}`).json(t, "messages"))

	for body, problem := range map[string]string{
		`{"framework":"webhelpers","category":"fatal","text":"x"}`:                                    "bad-value",
		`{"framework":"webhelpers","queue":"q","text":"x"}`:                                           "bad-value",
		`{"framework":"pyramid","category":"error","text":"x"}`:                                       "bad-value",
		`{"framework":"turbogears","value":1}`:                                                        "bad-value",
		`{"framework":"django","text":"x"}`:                                                           "bad-value",
		`{"framework":"pyramid"}`:                                                                     "bad-request",
		`{"framework":"pyramid","text":"x","value":1}`:                                                "bad-request",
		`{"framework":"pyramid","value":{"$py":{"t":"object","class":"a.B"}}}`:                        "bad-value",
		`{"framework":"turbogears","text":"` + strings.Repeat("x", 5000) + `"}`:                       "cookie-too-long",
		`{"framework":"pyramid","text":"x","level":5}`:                                                "bad-request",
		`{"framework":"pyramid","value":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}`: "too-deep",
	} {
		require.Equal(t, problem, v.ask("POST", "/v1/session/flash", body).problem(t), body)
	}
	v.set("flash", 5)
	require.Equal(t, "unexpected-value", v.ask("POST", "/v1/session/flash", `{"framework":"webhelpers","text":"x"}`).problem(t))
	require.Equal(t, "unexpected-value", v.ask("POST", "/v1/session/flash/pop", `{"framework":"webhelpers"}`).problem(t))
}

func TestTouch(t *testing.T) {
	v := newWorld(t, setup{options: func(o *compat.Options) { o.Timeout = time.Hour }}).visitor()
	v.patch(`{"a": 1}`)
	for range 5 {
		v.clock.move(40 * time.Minute)
		require.Equal(t, true, v.ask("POST", "/v1/session/touch", "").json(t, "touched"))
	}
	for range 2 {
		v.clock.move(40 * time.Minute)
		v.ask("POST", "/v1/session/csrf", `{"framework":"pyramid","token":"x"}`)
	}
	require.Equal(t, "{}", v.session(), "a look is no use of it")
	require.Equal(t, "no-session", v.ask("POST", "/v1/session/touch", "").problem(t))
	old := v.cookie
	v.patch(`{"a": 2}`)
	require.NotEqual(t, old, v.cookie)
}

func TestCookieOnly(t *testing.T) {
	v := newWorld(t, setup{options: func(o *compat.Options) {
		o.Type, o.Secret, o.ValidateKey, o.EncryptKey = "cookie", "", "validate me", "encrypt me"
		o.Timeout = time.Hour
	}}).visitor()
	r := v.patch(`{"a": 1}`)
	tag, first := r.Header.Get("Etag"), v.cookie
	require.Equal(t, []any{r.Header.Get("Set-Cookie")}, r.json(t, "set_cookie"))
	r = v.ask("GET", "/v1/session", "")
	require.Equal(t, tag, r.Header.Get("Etag"))
	require.Equal(t, "changed", v.ask("PATCH", "/v1/session", `{"a":2}`, "If-Match", `"x"`).problem(t))
	v.patch(`{"a": 2}`, "If-Match", tag)
	require.NotEqual(t, first, v.cookie)
	require.Equal(t, `{"a":2}`, v.session())

	v.clock.move(30 * time.Minute)
	second := v.cookie
	require.Len(t, v.ask("POST", "/v1/session/touch", "").json(t, "set_cookie"), 1, "the time of access is in the cookie")
	require.NotEqual(t, second, v.cookie)
	v.clock.move(40 * time.Minute)
	require.Equal(t, `{"a":2}`, v.session())

	before := v.session()
	r = v.ask("PATCH", "/v1/session", `{"text": "`+strings.Repeat("0123456789 x", 500)+`"}`)
	require.Equal(t, "cookie-too-long", r.problem(t))
	require.EqualValues(t, beakerfmt.MaxCookiePayload, r.json(t, "limit"))
	require.Greater(t, r.json(t, "size"), float64(beakerfmt.MaxCookiePayload))
	require.Equal(t, "text", r.json(t, "largest").([]any)[0].(map[string]any)["key"])
	require.NotContains(t, r.text, "0123")
	require.Equal(t, before, v.session())

	id := v.cookie
	require.Equal(t, http.StatusOK, v.ask("POST", "/v1/session/regenerate", "").StatusCode)
	require.NotEqual(t, id, v.cookie)
	require.Equal(t, `{"a":2}`, v.session())
	v.ask("DELETE", "/v1/session", "")
	require.Equal(t, "{}", v.session())
}

func TestBadCookieOfCookieOnly(t *testing.T) {
	v := newWorld(t, setup{options: func(o *compat.Options) {
		o.Type, o.Secret, o.ValidateKey, o.InvalidateCorrupt = "cookie", "", "validate me", false
	}}).visitor()
	v.patch(`{"a": 1}`)
	v.cookie = strings.Replace(v.cookie, "=", "=0", 1)
	r := v.ask("GET", "/v1/session", "")
	require.Equal(t, "bad-cookie", r.problem(t))
}

func TestJSONSerializer(t *testing.T) {
	v := newWorld(t, setup{options: func(o *compat.Options) { o.DataSerializer = "json" }}).visitor()
	r := v.ask("PATCH", "/v1/session", `{"ok": 1, "order": {"lines": [{"at": {"$py": {"t": "datetime", "tz": null, "v": "2024-02-29T01:02:03"}}}]}}`)
	require.Equal(t, "not-serializable", r.problem(t))
	require.Equal(t, "order.lines[0].at", r.json(t, "key"))
	require.Equal(t, "datetime.datetime", r.json(t, "class"))
	require.Equal(t, "{}", v.session())
	r = v.patch(`{"t": {"$py": {"t": "tuple", "v": [{"t": "int", "v": "1"}]}}}`)
	require.Equal(t, []any{1.0}, r.json(t, "session", "t"), "as the next one reads it")
	require.Equal(t, r.Header.Get("Etag"), v.ask("GET", "/v1/session", "").Header.Get("Etag"))
}

func TestIdempotencyKey(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	push, pop := `{"framework":"pyramid","text":"x"}`, `{"framework":"pyramid"}`
	once := func(path, body, key string) reply {
		return v.ask("POST", "/v1/session"+path, body, "Idempotency-Key", key)
	}
	// A visitor without a session gets one of his own, whatever the key.
	once("/flash", push, "same")
	first := v.cookie
	v.cookie = ""
	once("/flash", push, "same")
	require.NotEqual(t, first, v.cookie)

	r := once("/flash", push, "k1")
	require.Empty(t, r.Header["Idempotency-Replayed"])
	again := once("/flash", push, `"k1"`)
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	require.Equal(t, r.text, again.text)
	require.Equal(t, "key-reused", once("/flash", `{"framework":"pyramid","text":"y"}`, "k1").problem(t))
	require.Equal(t, "key-reused", once("/flash/pop", pop, "k1").problem(t))
	require.Len(t, once("/flash/pop", pop, "k2").json(t, "messages"), 2)
	require.Len(t, once("/flash/pop", pop, "k2").json(t, "messages"), 2, "the same answer")
	require.Empty(t, once("/flash/pop", pop, "k3").json(t, "messages"))

	// Who knew the old id is not told the new one, whatever the key.
	old := v.cookie
	once("/regenerate", "", "k4")
	moved := v.cookie
	v.cookie = old
	require.Equal(t, "no-session", once("/regenerate", "", "k4").problem(t))
	require.Equal(t, old, v.cookie)
	v.cookie = moved

	// What was refused may be tried again; what is too old, too.
	require.Equal(t, "changed", v.ask("PATCH", "/v1/session", `{"a":1}`, "If-None-Match", "*", "Idempotency-Key", "k5").problem(t))
	require.Equal(t, http.StatusOK, v.ask("PATCH", "/v1/session", `{"a":1}`, "Idempotency-Key", "k5").StatusCode)
	v.clock.move(10 * time.Minute)
	require.Empty(t, v.ask("PATCH", "/v1/session", `{"a":2}`, "Idempotency-Key", "k5").Header["Idempotency-Replayed"])

	for _, odd := range []string{"", `""`, strings.Repeat("x", 256), "a\tb"} {
		require.Equal(t, "bad-request", once("/flash", push, odd).problem(t), odd)
	}
	require.Equal(t, "bad-request", v.ask("POST", "/v1/session/flash", push, "Idempotency-Key", "a", "Idempotency-Key", "b").problem(t))
}

// An answer about a session that has ended since is not given again, and nothing is begun
// for whom Python has logged out.
func TestIdempotencyKeyAfterALogout(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	v.set("user", "ann")
	change := func() reply {
		return v.ask("PATCH", "/v1/session", `{"seen": true}`, "Idempotency-Key", "k")
	}
	require.Equal(t, http.StatusOK, change().StatusCode)
	require.Equal(t, "true", change().Header.Get("Idempotency-Replayed"))
	v.inGo((*compat.Session).Delete)
	r := change()
	require.Equal(t, "session-ended", r.problem(t))
	require.NotContains(t, r.text, "ann")
	require.Empty(t, r.Header["Set-Cookie"])
}

// Of a cookie-only session an older answer would take back what was done since.
func TestIdempotencyKeyOfCookies(t *testing.T) {
	v := newWorld(t, setup{options: func(o *compat.Options) {
		o.Type, o.ValidateKey = "cookie", "0123456789abcdef0123456789abcdef"
	}}).visitor()
	v.patch(`{"user": "ann"}`)
	ask := func(body, key string) reply { return v.ask("PATCH", "/v1/session", body, "Idempotency-Key", key) }
	before := v.cookie
	ask(`{"x": 1}`, "k9")
	after := v.cookie
	v.cookie = before
	require.Equal(t, "true", ask(`{"x": 1}`, "k9").Header.Get("Idempotency-Replayed"), "the answer was lost")
	require.Equal(t, after, v.cookie)
	ask(`{"y": 2}`, "k10")
	require.Empty(t, ask(`{"x": 1}`, "k9").Header["Idempotency-Replayed"])
	require.JSONEq(t, `{"user":"ann","x":1,"y":2}`, v.session())
}

// What was answered outlives the API, if it is given to the next one.
func TestAnswersOutliveTheAPI(t *testing.T) {
	answers := sessionapi.NewAnswers(nil)
	first := newWorld(t, setup{api: func(o *sessionapi.Options) { o.Answers = answers }}).visitor()
	first.set("user", "eve")
	second := *first
	handler, err := sessionapi.New(sessionapi.Options{
		Sessions: middleware.NewSessions(first.manager, middleware.SessionsOptions{}), Tokens: []string{token}, Answers: answers,
	})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	second.world = &world{t: t, url: server.URL, client: server.Client(), doc: first.doc}
	push := func(v *visitor) reply {
		return v.ask("POST", "/v1/session/flash", `{"framework":"pyramid","text":"x"}`, "Idempotency-Key", "k")
	}
	require.Empty(t, push(first).Header["Idempotency-Replayed"])
	require.Equal(t, "true", push(&second).Header.Get("Idempotency-Replayed"))
	require.Len(t, second.ask("POST", "/v1/session/flash/pop", `{"framework":"pyramid"}`).json(t, "messages"), 1)
}

// The vectors of RFC 7396, appendix A, whose results are objects, one level down.
func TestMergePatchVectors(t *testing.T) {
	w := newWorld(t, setup{})
	for i, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`}, {`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`}, {`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`}, {`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`}, {`{"a":"b"}`, `["c"]`, `["c"]`}, {`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`}, {`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		v := w.visitor()
		v.patch(`{"target": ` + c[0] + `}`)
		v.patch(`{"target": ` + c[1] + `}`)
		require.JSONEq(t, `{"target": `+c[2]+`}`, v.session(), strconv.Itoa(i))
	}
}

// A session that contains itself can neither be told nor changed here, and is left alone.
func TestCircularSession(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	around := &pyvalue.List{}
	around.Items = []pyvalue.Value{around}
	v.set("around", around)
	require.Equal(t, "not-representable", v.ask("GET", "/v1/session", "").problem(t))
	require.Equal(t, http.StatusOK, v.ask("POST", "/v1/session/touch", "").StatusCode)
	require.Equal(t, http.StatusOK, v.ask("DELETE", "/v1/session", "").StatusCode)
}

// BenchmarkGet is a service's commonest question; the ratio to a bare handler is that of
// the two sub-benchmarks.
func BenchmarkGet(b *testing.B) {
	v := newWorld(b, setup{}).visitor()
	v.patch(`{"user": "eve", "roles": ["admin", "editor"], "cart": {"apples": 2, "pears": 1}, "text": "` + strings.Repeat("x", 500) + `"}`)
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 700)) })
	for name, handler := range map[string]http.Handler{"api": v.handler, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			req := httptest.NewRequest("GET", "http://localhost/v1/session", nil)
			req.Header = http.Header{"Authorization": {"Bearer " + token}, "Cookie": {v.cookie}}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, req)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
