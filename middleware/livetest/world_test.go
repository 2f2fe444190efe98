package livetest

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

const cookieName = "live.session"

// world is a Python application and a Go service over one directory of
// sessions, and a browser that goes to both.
type world struct {
	t      *testing.T
	python string // base addresses
	gopher string
	client *http.Client
	task   func(w http.ResponseWriter, r *http.Request) // what Go does next
}

// newWorld starts a script of scripts/frameworks with these options besides
// those of the session. csrf guards the address /submit in Go.
func newWorld(t *testing.T, peer peers.Venv, script string, csrf *middleware.CSRF, extra map[string]any) *world {
	t.Helper()
	w := &world{t: t}
	w.client = w.newBrowser()

	options := compat.Defaults()
	options.Type, options.DataDir, options.Key = "file", t.TempDir(), cookieName
	options.InvalidateCorrupt = false // or what cannot be read would pass for a new session
	var err error
	options.Peer, err = compat.ParsePeer(peer.Peer())
	require.NoError(t, err)
	store, err := backend.Open(options)
	require.NoError(t, err)
	manager, err := compat.New(options, store, compat.Environment{})
	require.NoError(t, err)

	all := map[string]any{"type": "file", "data_dir": options.DataDir, "key": cookieName}
	for k, v := range extra {
		all[k] = v
	}
	w.python = startPython(t, peer, script, all)

	mux := http.NewServeMux()
	mux.HandleFunc("/task", func(rw http.ResponseWriter, r *http.Request) { w.task(rw, r) })
	if csrf != nil {
		csrf.Logger = slog.New(slog.DiscardHandler)
		mux.Handle("/submit", csrf.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	}
	server := httptest.NewServer(middleware.NewSessions(manager, middleware.SessionsOptions{}).Wrap(mux))
	t.Cleanup(server.Close)
	w.gopher = server.URL
	return w
}

// startPython starts an application and returns its address.
func startPython(t *testing.T, peer peers.Venv, script string, options map[string]any) string {
	t.Helper()
	text, err := json.Marshal(options)
	require.NoError(t, err)
	var hello struct{ Port int }
	peers.Start(t, nil, peer.Exe, peers.Script(t, "frameworks/"+script), string(text)).Answer(t, &hello)
	return "http://127.0.0.1:" + strconv.Itoa(hello.Port)
}

func (w *world) newBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return &http.Client{Jar: jar}
}

// inGo has the Go service do something, and returns the response.
func (w *world) inGo(task func(w http.ResponseWriter, r *http.Request)) *http.Response {
	w.t.Helper()
	w.task = task
	response, _ := w.send("GET", w.gopher+"/task", "", nil)
	require.Equal(w.t, http.StatusOK, response.StatusCode)
	return response
}

// session has the Go service do something with the session, and save it.
func (w *world) session(f func(s *compat.Session)) {
	w.t.Helper()
	w.inGo(func(_ http.ResponseWriter, r *http.Request) {
		s, err := middleware.Session(r)
		if err != nil {
			w.t.Error(err)
			return
		}
		f(s)
	})
}

// set puts a value into the session, in Go.
func (w *world) set(key string, v any) {
	w.t.Helper()
	w.session(func(s *compat.Session) {
		if err := s.Set(key, v); err != nil {
			w.t.Error(err)
		}
		s.Save()
	})
}

// inPython sends a request with a text as its body to the Python application,
// and decodes its answer into v unless that is nil.
func (w *world) inPython(method, path, body string, v any) *http.Response {
	w.t.Helper()
	response, text := w.send(method, w.python+path, body, http.Header{"Content-Type": {"text/plain"}})
	require.Equal(w.t, http.StatusOK, response.StatusCode, "%s", text)
	if v != nil {
		require.NoError(w.t, json.Unmarshal(text, v), "%s", text)
	}
	return response
}

// raw is what Python finds under a key of its session.
func (w *world) raw(key string) pyvalue.Value {
	w.t.Helper()
	var answer struct{ Value json.RawMessage }
	w.inPython("GET", "/raw?key="+url.QueryEscape(key), "", &answer)
	return parse(w.t, answer.Value)
}

func parse(t *testing.T, tagged []byte) pyvalue.Value {
	t.Helper()
	v, err := taggedjson.Parse(tagged)
	require.NoError(t, err)
	return v
}

func (w *world) send(method, address, body string, header http.Header) (*http.Response, []byte) {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(w.t.Context(), method, address, reader)
	require.NoError(w.t, err)
	for k, v := range header {
		request.Header[k] = v
	}
	if host := header.Get("Host"); host != "" {
		request.Header.Del("Host")
		request.Host = host
	}
	response, err := w.client.Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return response, text
}
