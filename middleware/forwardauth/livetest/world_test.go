package livetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwardauth"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

const (
	appHost    = "app.example.org"
	staffHost  = "staff.example.org"
	openHost   = "open.example.org"
	cookieName = "shop"
	secret     = "of production.ini"
)

// world is a Python application, a service in JavaScript, and gobeaker, for a proxy to
// stand in front.
type world struct {
	python   string // base address
	service  int    // port
	gobeaker *httptest.Server
	address  string // of gobeaker
	dataDir  string
	store    *switchedStore
	sessions *middleware.Sessions
	clock    atomic.Int64 // seconds that gobeaker's clock is ahead
}

// switchedStore is down when told to.
type switchedStore struct {
	*filestore.Store
	down atomic.Bool
}

func (s *switchedStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if s.down.Load() {
		return nil, stores.ErrUnavailable
	}
	return s.Store.Get(ctx, id)
}

func (s *switchedStore) Look(ctx context.Context, id string) (pyvalue.Value, error) {
	if s.down.Load() {
		return nil, stores.ErrUnavailable
	}
	return s.Store.Look(ctx, id)
}

func newWorld(t *testing.T, change ...func(*compat.Options)) *world {
	t.Helper()
	w := &world{}
	all := peers.Beakers(t)
	peer := all[len(all)-1] // Python 2, if the machine has it
	o := compat.Defaults()
	o.Type, o.DataDir, o.Key, o.Secret = "file", t.TempDir(), cookieName, secret
	for _, f := range change {
		f(&o)
	}
	var err error
	o.Peer, err = compat.ParsePeer(peer.Peer())
	require.NoError(t, err)

	var store stores.Store
	beaker := map[string]any{"type": o.Type, "key": o.Key, "secret": o.Secret}
	if o.Type == "cookie" {
		beaker["validate_key"] = o.ValidateKey
		delete(beaker, "secret")
	} else {
		files, err := filestore.New(filestore.Options{DataDir: o.DataDir})
		require.NoError(t, err)
		w.store = &switchedStore{Store: files}
		store, beaker["data_dir"] = w.store, o.DataDir
	}
	manager, err := compat.New(o, store, compat.Environment{Now: func() time.Time { return time.Now().Add(time.Duration(w.clock.Load()) * time.Second) }})
	require.NoError(t, err)
	w.sessions = middleware.NewSessions(manager, middleware.SessionsOptions{Logger: slog.New(slog.DiscardHandler)})

	text, err := json.Marshal(beaker)
	require.NoError(t, err)
	var hello struct{ Port int }
	peers.Start(t, nil, peer.Exe, peers.Script(t, "peerapp.py"), string(text)).Answer(t, &hello)
	w.python = "http://127.0.0.1:" + strconv.Itoa(hello.Port)

	node, err := exec.LookPath("node")
	if err != nil {
		peers.Missing(t, fmt.Errorf("node is not installed (Debian: nodejs)"))
	}
	peers.Start(t, nil, node, filepath.Join("testdata", "service.js")).Answer(t, &hello)
	w.service = hello.Port

	w.gobeaker = httptest.NewServer(w.endpoints(t))
	t.Cleanup(w.gobeaker.Close)
	w.address, w.dataDir = w.gobeaker.Listener.Addr().String(), o.DataDir
	return w
}

// endpoints are those that docs/examples/forward-auth/gobeaker.toml describes, and a host
// that everybody may see, for who would like to be taken for its visitor.
func (w *world) endpoints(t *testing.T) http.Handler {
	t.Helper()
	policy := func(o identity.Options) *identity.Policy {
		o.Headers = []identity.Header{{Name: "Remote-User", Path: "user_id"}, {Name: "X-Groups", Path: "groups"}}
		p, err := identity.New(o)
		require.NoError(t, err)
		return p
	}
	const login = "https://login.example.org/?came_from={url}"
	users := policy(identity.Options{Name: "users", Require: []string{"user_id"}, Login: login})
	staff := policy(identity.Options{Name: "staff", Require: []string{"user_id"}, Groups: "groups", AnyGroup: []string{"staff"}, Login: login})
	everybody := policy(identity.Options{Name: "everybody"})
	trusted, err := forwarded.Parse([]string{"loopback"})
	require.NoError(t, err)
	h, err := forwardauth.New(forwardauth.Options{
		Sessions: w.sessions, Trusted: trusted, Default: users,
		Policies: map[string]*identity.Policy{"users": users, "staff": staff, "everybody": everybody},
		Rules: []forwardauth.Rule{
			{Prefix: "/staff", Policy: staff}, {Prefix: "/public", Policy: everybody}, {Hosts: []string{openHost}, Policy: everybody},
		},
	})
	require.NoError(t, err)
	return h
}

// example returns a file of docs/examples/forward-auth with the ports of this world.
func (w *world) example(t *testing.T, name string, port int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "examples", "forward-auth", name))
	require.NoError(t, err)
	_, gobeaker, err := net.SplitHostPort(w.address)
	require.NoError(t, err)
	own := strconv.Itoa(port)
	return strings.NewReplacer(
		"127.0.0.1:9180", w.address,
		"port_value: 9180}", "port_value: "+gobeaker+"}",
		"127.0.0.1:8000", "127.0.0.1:"+strconv.Itoa(w.service),
		"port_value: 8000}", "port_value: "+strconv.Itoa(w.service)+"}",
		"listen 80;", "listen 127.0.0.1:"+own+";",
		"http://"+appHost+" {", "http://"+appHost+":"+own+" {",
	).Replace(string(text))
}

// login has Python make a session, and returns the Cookie header.
func (w *world) login(t *testing.T, user string, groups ...string) string {
	t.Helper()
	str := func(s string) any { return map[string]any{"t": "str", "v": s} }
	items := []any{}
	for _, g := range groups {
		items = append(items, str(g))
	}
	body := map[string]any{"t": "dict", "v": []any{
		[]any{str("user_id"), str(user)}, []any{str("groups"), map[string]any{"t": "list", "v": items}},
	}}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.Post(w.python+"/update", "application/json", strings.NewReader(string(text)))
	require.NoError(t, err)
	defer r.Body.Close()
	answer, _ := io.ReadAll(r.Body)
	require.Equal(t, 200, r.StatusCode, "%s", answer)
	require.Len(t, r.Cookies(), 1)
	return r.Cookies()[0].Name + "=" + r.Cookies()[0].Value
}

// logout has Python end a session.
func (w *world) logout(t *testing.T, cookie string) {
	t.Helper()
	r, err := http.NewRequest("POST", w.python+"/logout", nil)
	require.NoError(t, err)
	r.Header.Set("Cookie", cookie)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
}

// answer is what came back through a proxy, and what the service saw if it was asked.
type answer struct {
	status  int
	header  http.Header
	service bool
	Method  string
	URL     string
	Headers [][2]string
}

// seen returns the values of all headers that an application could take for name.
func (a *answer) seen(name string) (values []string) {
	fold := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, strings.ToLower(s))
	}
	for _, h := range a.Headers {
		if fold(h[0]) == fold(name) {
			values = append(values, h[1])
		}
	}
	return values
}

// send sends a request, whose first line and headers are as given, to a proxy.
func send(t *testing.T, address, line string, headers ...string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Host: ") }) {
		headers = append([]string{"Host: " + appHost}, headers...)
	}
	_, err = io.WriteString(conn, line+" HTTP/1.1\r\n"+strings.Join(headers, "\r\n")+"\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, line)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	a := answer{status: response.StatusCode, header: response.Header}
	a.service = json.Unmarshal(body, &a) == nil && a.URL != ""
	return a
}
