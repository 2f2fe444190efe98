package sessionapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

const token = "a-token-of-the-tests-0123456789"

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is an API over a store, and a service that uses it.
type world struct {
	t       testing.TB
	url     string
	client  *http.Client
	clock   *clock
	manager *compat.Manager
	doc     *openapi3.T
	log     *bytes.Buffer
	handler http.Handler
}

// setup is what a test has otherwise than newWorld.
type setup struct {
	store   stores.Store
	options func(*compat.Options)
	api     func(*sessionapi.Options)
}

func newWorld(t testing.TB, s setup) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)}, doc: description(t), log: &bytes.Buffer{}}
	options := compat.Defaults()
	options.Secret, options.Key = "sekrit", "sid"
	if s.options != nil {
		s.options(&options)
	}
	if s.store == nil && options.Type != "cookie" {
		s.store = memstore.New()
	}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	var err error
	w.manager, err = compat.New(options, s.store, compat.Environment{Now: w.clock.Now, Logger: log})
	require.NoError(t, err)
	o := sessionapi.Options{
		Sessions: middleware.NewSessions(w.manager, middleware.SessionsOptions{}), Tokens: []string{token}, Answers: sessionapi.NewAnswers(w.clock.Now), Log: log,
	}
	if s.api != nil {
		s.api(&o)
	}
	handler, err := sessionapi.New(o)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w.handler = handler
	w.url, w.client = server.URL, server.Client()
	return w
}

// read is done once for all tests.
var read = sync.OnceValues(func() (*openapi3.T, error) {
	data, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromData(data)
})

func description(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := read()
	require.NoError(t, err)
	return doc
}

// reply is an answer of the API.
type reply struct {
	*http.Response
	text string
}

// json returns a member of the answer, by its path.
func (r reply) json(t testing.TB, path ...string) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(r.text), &v), r.text)
	for _, name := range path {
		v = v.(map[string]any)[name]
	}
	return v
}

// problem is the name of the problem that the answer tells.
func (r reply) problem(t testing.TB) string {
	t.Helper()
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"), r.text)
	require.EqualValues(t, r.StatusCode, r.json(t, "status"))
	_, name, ok := strings.Cut(r.json(t, "type").(string), "#")
	require.True(t, ok)
	return name
}

// visitor is one whose requests a service handles.
type visitor struct {
	*world
	cookie string
}

func (w *world) visitor() *visitor { return &visitor{world: w} }

// ask sends a request for the visitor and keeps the cookie of the answer. The answer
// has to be as the description says.
func (v *visitor) ask(method, path, body string, header ...string) reply {
	v.t.Helper()
	r := v.raw(method, path, body, append([]string{"Authorization", "Bearer " + token}, header...)...)
	for _, line := range r.Header["Set-Cookie"] {
		v.cookie, _, _ = strings.Cut(line, ";")
	}
	return r
}

func (v *visitor) raw(method, path, body string, header ...string) reply {
	v.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, v.url+path, strings.NewReader(body))
	require.NoError(v.t, err)
	switch {
	case method == "PATCH":
		req.Header.Set("Content-Type", "application/merge-patch+json")
	case body != "":
		req.Header.Set("Content-Type", "application/json")
	}
	if v.cookie != "" {
		req.Header.Set("Cookie", "other=1; "+v.cookie)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	res, err := v.client.Do(req)
	require.NoError(v.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(v.t, err)
	r := reply{res, string(text)}
	v.conforms(req, body, r)
	return r
}

// conforms holds a request and its answer against the description.
func (w *world) conforms(req *http.Request, body string, r reply) {
	w.t.Helper()
	if slices.Contains([]int{404, 405}, r.StatusCode) && r.problem(w.t) != "no-session" {
		return
	}
	path := w.doc.Paths.Find(req.URL.Path)
	require.NotNil(w.t, path, req.URL.Path)
	method := req.Method
	if method == http.MethodHead {
		return
	}
	operation := path.GetOperation(method)
	require.NotNil(w.t, operation, method)
	again := req.Clone(context.Background())
	again.Body = io.NopCloser(strings.NewReader(body))
	input := &openapi3filter.RequestValidationInput{
		Request:     again,
		QueryParams: req.URL.Query(),
		Route:       &routers.Route{Spec: w.doc, Path: req.URL.Path, PathItem: path, Method: method, Operation: operation},
		Options:     &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	err := openapi3filter.ValidateRequest(context.Background(), input)
	if r.StatusCode < 400 {
		require.NoError(w.t, err)
	}
	require.NoError(w.t, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: r.StatusCode, Header: r.Header, Body: io.NopCloser(strings.NewReader(r.text)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}), "%s %s: %d %s", method, req.URL.Path, r.StatusCode, r.text)
}

// patch changes the session, which has to go well.
func (v *visitor) patch(body string, header ...string) reply {
	v.t.Helper()
	r := v.ask("PATCH", "/v1/session", body, header...)
	require.Equal(v.t, http.StatusOK, r.StatusCode, r.text)
	return r
}

// session is the plain JSON of the session.
func (v *visitor) session() string {
	v.t.Helper()
	r := v.ask("GET", "/v1/session", "")
	require.Equal(v.t, http.StatusOK, r.StatusCode, r.text)
	var answer struct{ Session json.RawMessage }
	require.NoError(v.t, json.Unmarshal([]byte(r.text), &answer))
	return string(answer.Session)
}

// inGo changes the session as a handler in this process does.
func (v *visitor) inGo(change func(s *compat.Session)) {
	v.t.Helper()
	o := v.manager.Open(v.cookie)
	s, err := o.Session(context.Background())
	require.NoError(v.t, err)
	change(s)
	s.Save()
	require.NoError(v.t, o.Persist(context.Background()))
	if line, ok := o.SetCookie(); ok {
		v.cookie, _, _ = strings.Cut(strings.TrimSpace(line), ";")
	}
}

func (v *visitor) set(key string, value any) {
	v.t.Helper()
	v.inGo(func(s *compat.Session) { require.NoError(v.t, s.Set(key, value)) })
}

// value is what a handler in this process finds.
func (v *visitor) value(key string) pyvalue.Value {
	v.t.Helper()
	view, err := v.manager.Open(v.cookie).Peek(context.Background())
	require.NoError(v.t, err)
	value, _ := view.Get(key)
	return value
}

func TestSessionFromBeginningToEnd(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	r := v.ask("GET", "/v1/session", "")
	require.Equal(t, `{"session":{},"new":true,"set_cookie":[]}`+"\n", r.text)
	require.Empty(t, r.Header["Etag"])
	require.Empty(t, v.cookie)

	r = v.patch(`{}`)
	require.Equal(t, true, r.json(t, "new"), "a patch of nothing begins no session")
	r = v.patch(`{"user": "eve", "cart": {"apples": 2, "note": null}, "n": 1.0}`)
	require.Equal(t, `{"session":{"user":"eve","cart":{"apples":2},"n":1.0},"new":false,"created":"2023-11-14T22:13:20Z","set_cookie":`, r.text[:strings.Index(r.text, "[")])
	require.Equal(t, []any{r.Header.Get("Set-Cookie")}, r.json(t, "set_cookie"))
	require.Equal(t, "Tue, 14 Nov 2023 22:13:20 GMT", r.Header.Get("Session-Accessed"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	tag := r.Header.Get("Etag")

	r = v.ask("GET", "/v1/session", "")
	require.Equal(t, tag, r.Header.Get("Etag"))
	require.Empty(t, r.Header["Set-Cookie"])
	require.Equal(t, `{"user":"eve","cart":{"apples":2},"n":1.0}`, v.session())

	r = v.patch(`{"cart": {"pears": 1, "apples": null}, "user": null}`)
	require.NotEqual(t, tag, r.Header.Get("Etag"))
	require.Equal(t, `{"cart":{"pears":1},"n":1.0}`, v.session())

	old := v.cookie
	r = v.ask("POST", "/v1/session/regenerate", "")
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.NotEqual(t, old, v.cookie)
	require.Equal(t, `{"cart":{"pears":1},"n":1.0}`, v.session())
	require.Equal(t, "{}", (&visitor{world: v.world, cookie: old}).session(), "the old id is of no use")

	r = v.ask("DELETE", "/v1/session", "")
	require.Equal(t, true, r.json(t, "new"))
	require.Contains(t, r.Header.Get("Set-Cookie"), "expires=")
	require.Equal(t, "{}", v.session())
	for _, path := range []string{"/v1/session/regenerate", "/v1/session/touch"} {
		require.Equal(t, "no-session", v.ask("POST", path, "").problem(t))
	}
	require.Equal(t, http.StatusOK, v.ask("DELETE", "/v1/session", "").StatusCode, "once more")
	require.Empty(t, v.log.String())
}

// What the pickle says, the JSON says, and the reverse; and what comes back as it was
// told stays what it was.
func TestTypesOfPython(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	v.inGo(func(s *compat.Session) {
		for key, value := range map[string]pyvalue.Value{
			"py2": pyvalue.Py2Str("eve"), "tuple": pyvalue.NewTuple(pyvalue.NewInt(1)), "bytes": pyvalue.Bytes("\x00"), "float": pyvalue.Float(2),
			"object": &pyvalue.Object{How: pyvalue.Reduce, Class: &pyvalue.Global{Module: "app", Name: "User"}, Args: pyvalue.NewTuple()},
			"dict":   pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("in"), Value: pyvalue.NewTuple()}, pyvalue.Entry{Key: pyvalue.Str("x"), Value: pyvalue.NewInt(1)}),
		} {
			require.NoError(t, s.Set(key, value))
		}
	})
	told := v.session()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(told), &members))
	require.Equal(t, "eve", members["py2"])
	text, err := json.Marshal(members) // as a client that has one kind of number writes it
	require.NoError(t, err)
	tag := v.ask("GET", "/v1/session", "").Header.Get("Etag")
	require.Equal(t, tag, v.patch(string(text)).Header.Get("Etag"), "nothing has changed")
	require.IsType(t, pyvalue.Py2Str(""), v.value("py2"))
	require.Equal(t, pyvalue.Value(pyvalue.Float(2)), v.value("float"))

	v.patch(`{"dict": {"x": 2}, "float": 3, "py2": "adam",
		"at": {"$py": {"t": "datetime", "tz": null, "v": "2024-02-29T01:02:03"}}, "none": {"$py": {"t": "none"}}, "long": {"$py": {"t": "long", "v": "7"}}}`)
	require.Equal(t, "{'in': (), 'x': 2}", pyvalue.Repr(v.value("dict")))
	require.Equal(t, "3", pyvalue.Repr(v.value("float")))
	require.Equal(t, pyvalue.Value(pyvalue.None{}), v.value("none"))
	at, _, ok := pyvalue.AsTime(v.value("at"))
	require.True(t, ok)
	require.Equal(t, 2024, at.Year())
	require.True(t, v.value("long").(*pyvalue.Int).IsLong())

	r := v.ask("GET", "/v1/session?types=tagged", "")
	require.Equal(t, "dict", r.json(t, "session", "t"))
	require.Contains(t, r.text, `[{"t":"str","v":"none"},{"t":"none"}]`)
	require.Equal(t, "bad-request", v.ask("GET", "/v1/session?types=other", "").problem(t))
	require.NotContains(t, v.session(), "_creation_time")
}

func TestRefusedPatches(t *testing.T) {
	w := newWorld(t, setup{api: func(o *sessionapi.Options) { o.MaxBody, o.MaxSession = 10_000, 5000 }})
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	for name, c := range map[string]struct{ body, problem, key string }{
		"no JSON":           {`{"a":`, "bad-request", ""},
		"no object":         {`[]`, "bad-request", ""},
		"beaker's own":      {`{"_accessed_time": 5}`, "reserved-key", "_accessed_time"},
		"a framework's":     {`{"ok": 1, "_csrft_": "x"}`, "reserved-key", "_csrft_"},
		"the empty key":     {`{"": 1}`, "reserved-key", ""},
		"too deep":          {`{"a": ` + deep + `}`, "too-deep", "a"},
		"far too deep":      {`{"a": ` + strings.Repeat(deep[:65], 40) + `}`, "too-deep", ""},
		"code":              {`{"a": {"b": {"$py": {"t":"object","class":"os.system","how":"REDUCE","args":[{"t":"str","v":"id"}]}}}}`, "bad-value", "a.b"},
		"a class":           {`{"a": [{"$py": {"t":"global","v":"os.system"}}]}`, "bad-value", "a"},
		"unhashable":        {`{"a": {"$py": {"t":"set","v":[{"t":"list","v":[]}]}}}`, "bad-value", "a"},
		"no envelope":       {`{"a": {"$py": {"t":"none"}, "b": 1}}`, "bad-value", "a"},
		"no tag":            {`{"a": {"$py": 5}}`, "bad-value", "a"},
		"NaN":               {`{"a": NaN}`, "bad-value", "a"},
		"a large session":   {`{"a": "` + strings.Repeat("x", 6000) + `"}`, "session-too-large", ""},
		"a large body":      {`{"a": "` + strings.Repeat("x", 10_000) + `"}`, "body-too-large", ""},
		"into an object":    {`{"object": {"a": 1}}`, "not-mergeable", "object"},
		"a wrong condition": {`{"a": 1}`, "changed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := &visitor{world: &world{t: t, url: w.url, client: w.client, clock: w.clock, manager: w.manager, doc: w.doc, log: w.log}}
			v.set("object", pyvalue.NewOrderedDict(pyvalue.NewDict()))
			before := v.session()
			header := []string{}
			if c.problem == "changed" {
				header = []string{"If-Match", `"another"`}
			}
			r := v.ask("PATCH", "/v1/session", c.body, header...)
			require.Equal(t, c.problem, r.problem(t), r.text)
			if c.key != "" {
				require.Equal(t, c.key, r.json(t, "key"))
			}
			require.NotContains(t, r.text, "xxxx", "no values")
			require.Equal(t, before, v.session())
		})
	}
	require.Empty(t, w.log.String())
}

// What is too large already may still be made smaller.
func TestSizesOnlyBoundGrowth(t *testing.T) {
	v := newWorld(t, setup{api: func(o *sessionapi.Options) { o.MaxSession = 5000 }}).visitor()
	v.inGo(func(s *compat.Session) {
		require.NoError(t, s.Set("large", strings.Repeat("x", 6000)))
		for i := range 1001 {
			require.NoError(t, s.Set("k"+strconv.Itoa(i), i))
		}
	})
	v.patch(`{"k1": 0}`)
	v.patch(`{"large": "` + strings.Repeat("y", 5999) + `"}`)
	r := v.ask("PATCH", "/v1/session", `{"k1": 1000}`)
	require.Equal(t, "session-too-large", r.problem(t))
	require.EqualValues(t, 5000, r.json(t, "limit"))
	require.Equal(t, "large", r.json(t, "largest").([]any)[0].(map[string]any)["key"])
	r = v.ask("PATCH", "/v1/session", `{"large": null, "more": 1, "more2": 1}`)
	require.Equal(t, "too-many-keys", r.problem(t))
	require.EqualValues(t, 1000, r.json(t, "limit"))
}

// A session that is told and handed back is as it was, whatever its keys are.
func TestOddKeysAreToldApart(t *testing.T) {
	v := newWorld(t, setup{}).visitor()
	v.set("user", "ann")
	v.inGo(func(s *compat.Session) {
		require.NoError(t, s.Set(taggedjson.Envelope, "mine"))
		s.Save()
	})
	r := v.ask("GET", "/v1/session", "")
	require.JSONEq(t, `{"user":"ann"}`, v.session())
	require.Contains(t, r.text, `"other":{"$py":{"t":"dict","v":[[{"t":"str","v":"$py"},{"t":"str","v":"mine"}]]}}`)
	require.Contains(t, v.ask("GET", "/v1/session?types=tagged", "").text, `"$py"`)

	v.patch(v.session())
	require.JSONEq(t, `{"user":"ann"}`, v.session())
	require.Equal(t, pyvalue.Str("mine"), v.value(taggedjson.Envelope))
	for _, body := range []string{`{"$py": "x"}`, `{"$py": null}`, `{"$py": {"t":"dict","v":[]}}`} {
		require.Equal(t, "reserved-key", v.ask("PATCH", "/v1/session", body).problem(t), body)
	}
	require.Equal(t, pyvalue.Str("mine"), v.value(taggedjson.Envelope))
}
