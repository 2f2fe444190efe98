package livetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// setup is what the sides of a world have in common.
type setup struct {
	place   livestores.Place // the zero one: a directory of its own
	secret  string           // empty: cookies are not signed
	timeout int              // seconds; 0: none
	auto    bool             // Go is not told which Beaker it works with
}

const cookieName = "live.session"

// world is a Python application, a Go service and a gateway before both of
// them, over one place of sessions.
type world struct {
	peer    peers.Venv
	setup   setup
	python  string // base addresses
	gopher  string
	gateway string
	store   stores.Store
	service *service
}

func newWorld(t *testing.T, peer peers.Venv, s setup) *world {
	t.Helper()
	if s.place.Kind.Name == "" {
		s.place = livestores.Files(t)
	}
	w := &world{peer: peer, setup: s}
	w.python = startPython(t, peer, s)

	options := s.place.Options(t, compat.Peer{}, nil)
	options.Key, options.Secret = cookieName, s.secret
	if s.timeout > 0 {
		options.Timeout = seconds(s.timeout)
	}
	// Otherwise a record that cannot be read would pass for a new session.
	options.InvalidateCorrupt = false
	if !s.auto {
		var err error
		options.Peer, err = compat.ParsePeer(peer.Peer())
		require.NoError(t, err)
	}
	w.store = openStore(t, options)
	manager, err := compat.New(options, w.store, compat.Environment{})
	require.NoError(t, err)

	w.service = &service{}
	w.gopher = serve(t, middleware.NewSessions(manager, middleware.SessionsOptions{}).Wrap(w.service))
	front, err := gateway.New(gateway.Options{Routes: []gateway.Route{
		{Prefix: "/", Upstreams: []string{w.python}},
		{Prefix: "/go", Upstreams: []string{w.gopher}},
	}})
	require.NoError(t, err)
	t.Cleanup(front.Close)
	w.gateway = serve(t, front)
	return w
}

// openStore opens a store for as long as the test lasts.
func openStore(t *testing.T, o compat.Options) stores.Store {
	t.Helper()
	store, err := backend.Open(o)
	require.NoError(t, err)
	if c, ok := store.(io.Closer); ok {
		t.Cleanup(func() { require.NoError(t, c.Close()) })
	}
	return store
}

// startPython starts scripts/peerapp.py and returns its address.
func startPython(t *testing.T, peer peers.Venv, s setup) string {
	t.Helper()
	options := s.place.Beaker(map[string]any{"key": cookieName})
	if s.secret != "" {
		options["secret"] = s.secret
	}
	if s.timeout > 0 {
		options["timeout"] = s.timeout
	}
	options["invalidate_corrupt"] = false // as above
	text, err := json.Marshal(options)
	require.NoError(t, err)
	p := peers.Start(t, nil, peer.Exe, peers.Script(t, "peerapp.py"), string(text))
	var hello struct {
		Port int
	}
	p.Answer(t, &hello)
	return "http://127.0.0.1:" + strconv.Itoa(hello.Port)
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// service is the Go application: a test gives it a function to run with the
// session of a request.
type service struct {
	mu    sync.Mutex
	next  int
	tasks map[string]func(*compat.Session) error
}

func (s *service) add(f func(*compat.Session) error) (name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks == nil {
		s.tasks = map[string]func(*compat.Session) error{}
	}
	s.next++
	name = strconv.Itoa(s.next)
	s.tasks[name] = f
	return name
}

// ServeHTTP runs the task that the address names.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	task := s.tasks[strings.TrimPrefix(r.URL.Path, "/go/")]
	s.mu.Unlock()
	session, err := middleware.Session(r)
	if err == nil {
		err = task(session)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// browser keeps cookies and goes to the Python application and to the Go
// service, through the gateway or directly.
type browser struct {
	t      *testing.T
	world  *world
	direct bool
	client *http.Client
	// set tells whether the last answer had a Set-Cookie header.
	set bool
}

func (w *world) newBrowser(t *testing.T, direct bool) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t: t, world: w, direct: direct, client: &http.Client{Jar: jar}}
}

// again is another browser with the cookies that b has now, as somebody who
// stole them would have.
func (b *browser) again() *browser {
	b.t.Helper()
	other := b.world.newBrowser(b.t, b.direct)
	u, err := url.Parse(b.world.gateway)
	require.NoError(b.t, err)
	other.client.Jar.SetCookies(u, b.client.Jar.Cookies(u))
	return other
}

// cookie returns the value of the session cookie, or "".
func (b *browser) cookie() string {
	u, err := url.Parse(b.world.gateway)
	require.NoError(b.t, err)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}

// inGo has the Go service run f with this browser's session.
func (b *browser) inGo(f func(s *compat.Session) error) {
	b.t.Helper()
	base := b.world.gateway
	if b.direct {
		base = b.world.gopher
	}
	b.send("GET", base+"/go/"+b.world.service.add(f), "", nil)
}

// inPython sends a request to the Python application and decodes its answer
// into v, unless v is nil. body is JSON text.
func (b *browser) inPython(method, path, body string, v any) {
	b.t.Helper()
	base := b.world.gateway
	if b.direct {
		base = b.world.python
	}
	b.send(method, base+path, body, v)
}

func (b *browser) send(method, address, body string, v any) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	require.NoError(b.t, err)
	response, err := b.client.Do(request)
	require.NoError(b.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	require.Less(b.t, response.StatusCode, 300, "%s %s: %s", method, request.URL.Path, text)
	b.set = len(response.Header["Set-Cookie"]) > 0
	if v != nil {
		require.NoError(b.t, json.Unmarshal(text, v), "%s", text)
	}
}

// dump is what the Python application says of its session.
type dump struct {
	Session json.RawMessage
	ID      string
	IsNew   bool `json:"is_new"`
}

func (b *browser) dump() (dump, *pyvalue.Dict) {
	b.t.Helper()
	var d dump
	b.inPython("GET", "/dump", "", &d)
	v, err := taggedjson.Parse(d.Session)
	require.NoError(b.t, err)
	require.IsType(b.t, &pyvalue.Dict{}, v)
	return d, v.(*pyvalue.Dict)
}

// differ asks the Python application what differs from what it expects.
func (b *browser) differ(method, path, body string) []string {
	b.t.Helper()
	var answer struct{ Differ []string }
	b.inPython(method, path, body, &answer)
	return answer.Differ
}

// pySet and pyGet are the Python application's session[key] = value and
// session.get(key), for text and whole numbers.
func (b *browser) pySet(key string, value any) {
	b.t.Helper()
	b.inPython("POST", "/set?key="+url.QueryEscape(key), tagged(b.t, value), nil)
}

func (b *browser) pyGet(key string) any {
	b.t.Helper()
	_, d := b.dump()
	return natural(d, key)
}

// natural returns text or a whole number of a dict as a Go value, nil if the
// key is not there.
func natural(d *pyvalue.Dict, key string) any {
	v, ok := d.GetStr(key)
	if !ok {
		return nil
	}
	if s, ok := pyvalue.Text(v); ok {
		return s
	}
	if i, ok := v.(*pyvalue.Int); ok {
		n, _ := i.Int64()
		return int(n)
	}
	return v
}

func tagged(t *testing.T, value any) string {
	t.Helper()
	v, err := pyvalue.FromGo(value)
	require.NoError(t, err)
	text, err := taggedjson.Append(nil, v, taggedjson.Python3)
	require.NoError(t, err)
	return string(text)
}

// want returns a task that fails unless the session has these values; a nil
// value means that the key is not there.
func want(values map[string]any) func(*compat.Session) error {
	return func(s *compat.Session) error {
		for key, expected := range values {
			var got any
			if v, ok := s.Get(key); ok {
				got = natural(pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str(key), Value: v}), key)
			}
			if got != expected {
				return fmt.Errorf("%s is %v in Go, should be %v", key, got, expected)
			}
		}
		return nil
	}
}

// put returns a task that sets values, removes the keys whose value is nil,
// and saves.
func put(values map[string]any) func(*compat.Session) error {
	return func(s *compat.Session) error {
		for key, value := range values {
			if value == nil {
				s.Remove(key)
			} else if err := s.Set(key, value); err != nil {
				return err
			}
		}
		s.Save()
		return nil
	}
}
