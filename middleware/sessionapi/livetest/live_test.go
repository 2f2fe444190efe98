package livetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/sessionapi"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

const (
	token      = "a-token-of-the-live-tests-012345"
	cookieName = "live.session"
)

// world is a directory of sessions, and the API over it on a Unix socket.
type world struct {
	t      *testing.T
	dir    string
	socket string
	client *http.Client
}

func newWorld(t *testing.T, peer peers.Venv, secret string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	options := compat.Defaults()
	options.Type, options.DataDir, options.Key, options.Secret = "file", w.dir, cookieName, secret
	options.InvalidateCorrupt = false // or what cannot be read would pass for a new session
	var err error
	options.Peer, err = compat.ParsePeer(peer.Peer())
	require.NoError(t, err)
	store, err := backend.Open(options)
	require.NoError(t, err)
	manager, err := compat.New(options, store, compat.Environment{})
	require.NoError(t, err)
	handler, err := sessionapi.New(sessionapi.Options{
		Sessions: middleware.NewSessions(manager, middleware.SessionsOptions{}), Tokens: []string{token}, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	w.socket = filepath.Join(t.TempDir(), "api.sock")
	listener, err := net.Listen("unix", w.socket)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	w.client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", w.socket)
		},
	}}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// chosen are the newest Beaker and an old one of Python 2; with -short the newest only.
func chosen(t *testing.T) []peers.Venv {
	t.Helper()
	all := peers.Beakers(t)
	age := func(v peers.Venv) (major, minor, python int) {
		_, _ = fmt.Sscanf(v.Beaker, "%d.%d", &major, &minor)
		_, _ = fmt.Sscanf(v.Python, "3.%d", &python)
		return major, minor, python
	}
	out := []peers.Venv{slices.MaxFunc(all, func(a, b peers.Venv) int {
		a1, a2, a3 := age(a)
		b1, b2, b3 := age(b)
		return cmp.Or(cmp.Compare(a1, b1), cmp.Compare(a2, b2), cmp.Compare(a3, b3))
	})}
	old := slices.IndexFunc(all, func(v peers.Venv) bool { return v.Python2() && v.Beaker == "1.11.0" })
	if old >= 0 && !testing.Short() {
		out = append(out, all[old])
	}
	return out
}

// node is the client.
type node struct {
	*peers.Process
	t *testing.T
}

func startNode(t *testing.T, w *world, cookie string) node {
	t.Helper()
	exe, err := exec.LookPath("node")
	if err != nil {
		peers.Missing(t, fmt.Errorf("node: %w", err))
	}
	script, err := filepath.Abs("testdata/client.mjs")
	require.NoError(t, err)
	return node{peers.Start(t, nil, exe, script, w.socket, token, cookie), t}
}

// told is an answer as node has it.
type told struct {
	Status  int
	Headers map[string]any
	Body    map[string]any
	Cookie  string
}

func (n node) ask(method, path string, body any, headers map[string]string) (answer told) {
	n.t.Helper()
	line, err := json.Marshal([]any{method, path, body, headers})
	require.NoError(n.t, err)
	n.Ask(n.t, string(line), &answer)
	return answer
}

// application is Beaker's, for one visitor.
type application struct {
	t      *testing.T
	url    string
	cookie string
}

func startPython(t *testing.T, peer peers.Venv, w *world, secret string) *application {
	t.Helper()
	options, err := json.Marshal(map[string]any{"type": "file", "data_dir": w.dir, "key": cookieName, "secret": secret, "invalidate_corrupt": false})
	require.NoError(t, err)
	var hello struct{ Port int }
	peers.Start(t, nil, peer.Exe, peers.Script(t, "peerapp.py"), string(options)).Answer(t, &hello)
	return &application{t: t, url: "http://127.0.0.1:" + strconv.Itoa(hello.Port)}
}

func (a *application) ask(method, path, body string) string {
	a.t.Helper()
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	require.NoError(a.t, err)
	if a.cookie != "" {
		req.Header.Set("Cookie", a.cookie)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(a.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(a.t, err)
	require.Equal(a.t, http.StatusOK, res.StatusCode, "%s", text)
	for _, line := range res.Header["Set-Cookie"] {
		a.cookie, _, _ = strings.Cut(line, ";")
	}
	return string(text)
}

// A visitor of a Python application goes to a service in node, and back.
func TestNode(t *testing.T) {
	for _, peer := range chosen(t) {
		t.Run(peer.Name, func(t *testing.T) {
			const secret = "live secret"
			w := newWorld(t, peer, secret)
			python := startPython(t, peer, w, secret)
			python.ask("POST", "/update", `{"t":"dict","v":[[{"t":"str","v":"user"},{"t":"str","v":"ève"}],[{"t":"str","v":"n"},{"t":"int","v":"1"}],
				[{"t":"str","v":"pair"},{"t":"tuple","v":[{"t":"int","v":"1"},{"t":"float","v":"2.0","hex":"0x1.0p+1"}]}]]}`)
			node := startNode(t, w, python.cookie)

			r := node.ask("GET", "/v1/session", nil, nil)
			require.Equal(t, 200, r.Status)
			require.Equal(t, "ève", r.Body["session"].(map[string]any)["user"])
			require.Equal(t, false, r.Body["new"])
			whole := r.Body["session"]

			// The whole session back, as JavaScript writes it, and what is new.
			whole.(map[string]any)["at"] = map[string]any{"$py": map[string]any{"t": "datetime", "tz": nil, "v": "2024-02-29T01:02:03"}}
			whole.(map[string]any)["cart"] = map[string]any{"apples": 2}
			require.Equal(t, 200, node.ask("PATCH", "/v1/session", whole, nil).Status)
			require.Equal(t, 200, node.ask("PATCH", "/v1/session", map[string]any{"cart": map[string]any{"pears": 1, "apples": nil}}, nil).Status)
			require.Equal(t, 200, node.ask("increment", "n", nil, nil).Status)
			require.JSONEq(t, `{"differ":[]}`, python.ask("POST", "/compare", `{"t":"dict","v":[[{"t":"str","v":"user"},{"t":"str","v":"ève"}],[{"t":"str","v":"n"},{"t":"int","v":"2"}],
				[{"t":"str","v":"pair"},{"t":"tuple","v":[{"t":"int","v":"1"},{"t":"float","v":"2.0","hex":"0x1.0p+1"}]}],
				[{"t":"str","v":"at"},{"t":"datetime","v":"2024-02-29T01:02:03","tz":null}],
				[{"t":"str","v":"cart"},{"t":"dict","v":[[{"t":"str","v":"pears"},{"t":"int","v":"1"}]]}]]}`), "equal, and of the same types")

			// A condition that Python has made wrong meanwhile.
			tag := node.ask("GET", "/v1/session", nil, nil).Headers["etag"].(string)
			python.ask("GET", "/dump", "") // no change of the content
			require.Equal(t, 200, node.ask("PATCH", "/v1/session", map[string]any{"seen": true}, map[string]string{"If-Match": tag}).Status)
			tag = node.ask("GET", "/v1/session", nil, nil).Headers["etag"].(string)
			python.ask("POST", "/increment?key=n", "")
			require.Equal(t, 412, node.ask("PATCH", "/v1/session", map[string]any{"n": 0}, map[string]string{"If-Match": tag}).Status)

			// A message for Pyramid, and a token that either has.
			require.Equal(t, 200, node.ask("POST", "/v1/session/flash", map[string]any{"framework": "pyramid", "text": "gespéichert"}, nil).Status)
			require.Contains(t, python.ask("GET", "/get?key=_f_", ""), `{"t": "list", "v": [{"t": "str", "v": "gesp\u00e9ichert"}]}`)
			require.Len(t, node.ask("POST", "/v1/session/flash/pop", map[string]any{"framework": "pyramid"}, nil).Body["messages"], 1)
			csrf := node.ask("POST", "/v1/session/csrf/token", map[string]any{"framework": "pyramid"}, nil).Body["token"].(string)
			require.Contains(t, python.ask("GET", "/get?key=_csrft_", ""), csrf)
			require.Equal(t, true, node.ask("POST", "/v1/session/csrf", map[string]any{"framework": "pyramid", "token": csrf}, nil).Body["valid"])

			// A new id, which Python knows; then a logout, which it sees.
			old := python.cookie
			r = node.ask("POST", "/v1/session/regenerate", nil, nil)
			require.Equal(t, 200, r.Status)
			require.NotEqual(t, old, r.Cookie)
			python.cookie = r.Cookie
			require.Contains(t, python.ask("GET", "/get?key=user", ""), `"found": true`)
			require.Equal(t, 200, node.ask("DELETE", "/v1/session", nil, nil).Status)
			require.Contains(t, python.ask("GET", "/get?key=user", ""), `"found": false`)

			// And a session that node begins.
			node = startNode(t, w, "")
			r = node.ask("PATCH", "/v1/session", map[string]any{"user": "adam"}, nil)
			python.cookie = r.Cookie
			require.JSONEq(t, `{"found": true, "value": {"t":"str","v":"adam"}}`, python.ask("GET", "/get?key=user", ""))
			python.ask("POST", "/logout", "")
			require.Equal(t, true, node.ask("GET", "/v1/session", nil, nil).Body["new"], "Python's logout")
		})
	}
}

// Fifty services count by compare-and-set, others write keys of their own, and a Beaker
// changes a third under its lock: nobody loses anything.
func TestParallelWithPython(t *testing.T) {
	const services, visits = 50, 60
	for _, peer := range chosen(t) {
		t.Run(peer.Name, func(t *testing.T) {
			w := newWorld(t, peer, "")
			settings, err := json.Marshal(map[string]any{"worker": "py", "options": map[string]any{"type": "file", "data_dir": w.dir}})
			require.NoError(t, err)
			python := peers.Start(t, nil, peer.Exe, peers.Script(t, "peerhammer.py"), string(settings))
			var ids []string
			python.Ask(t, "create 1", &ids)
			list, err := json.Marshal(ids)
			require.NoError(t, err)
			python.Ask(t, "ids "+string(list), &struct{}{})
			python.Ask(t, "locked "+strconv.Itoa(visits), &struct{}{})

			cookie := cookieName + "=" + ids[0]
			var wg sync.WaitGroup
			for i := range services {
				wg.Add(2)
				go func() {
					defer wg.Done()
					w.count(cookie)
				}()
				go func() {
					defer wg.Done()
					if status, body, _ := w.ask("PATCH", cookie, "", fmt.Sprintf(`{"k%d": %d}`, i, i)); status != 200 {
						t.Errorf("%d: %s", status, body)
					}
				}()
			}
			wg.Wait()
			var tally struct {
				Updates, Lost int
				Errors        []string
				Counts        map[string]int
			}
			python.Ask(t, "finish", &tally)
			require.Empty(t, tally.Errors)
			require.Equal(t, visits, tally.Updates)
			require.Zero(t, tally.Lost)

			_, body, _ := w.ask("GET", cookie, "", "")
			var answer struct{ Session map[string]any }
			require.NoError(t, json.Unmarshal(body, &answer))
			require.EqualValues(t, services, answer.Session["n"])
			require.EqualValues(t, visits, answer.Session["py"])
			for i := range services {
				require.EqualValues(t, i, answer.Session["k"+strconv.Itoa(i)])
			}
		})
	}
}

// count adds one to n, however often others are faster.
func (w *world) count(cookie string) {
	for {
		status, body, tag := w.ask("GET", cookie, "", "")
		var seen struct{ Session struct{ N int } }
		if err := json.Unmarshal(body, &seen); err != nil || status != 200 {
			w.t.Errorf("%d: %s", status, body)
			return
		}
		status, body, _ = w.ask("PATCH", cookie, tag, fmt.Sprintf(`{"n": %d}`, seen.Session.N+1))
		if status == 200 {
			return
		}
		if status != 412 {
			w.t.Errorf("%d: %s", status, body)
			return
		}
	}
}

func (w *world) ask(method, cookie, tag, body string) (status int, text []byte, etag string) {
	req, err := http.NewRequest(method, "http://gobeaker/v1/session", bytes.NewReader([]byte(body)))
	if err != nil {
		w.t.Error(err)
		return 0, nil, ""
	}
	req.Header = http.Header{"Authorization": {"Bearer " + token}, "Cookie": {cookie}, "Content-Type": {"application/merge-patch+json"}}
	if tag != "" {
		req.Header.Set("If-Match", tag)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Error(err)
		return 0, nil, ""
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	if err != nil {
		w.t.Error(err)
	}
	return res.StatusCode, text, res.Header.Get("Etag")
}
