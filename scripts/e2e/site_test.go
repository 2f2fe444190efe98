package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

const (
	timeout    = time.Hour // of the sessions
	cookieName = "demo"
)

// store is where the sessions are.
type store struct {
	ini  string // Beaker's options
	down func(t *testing.T)
	up   func(t *testing.T)
}

// files are a directory, in whose place there is something else while it is down.
func files(_ *testing.T, dir string) store {
	data := filepath.Join(dir, "sessions")
	return store{
		ini: "type = file\ndata_dir = " + data,
		down: func(t *testing.T) {
			require.NoError(t, os.Rename(data, data+".away"))
			require.NoError(t, os.WriteFile(data, nil, 0o600))
		},
		up: func(t *testing.T) {
			require.NoError(t, os.Remove(data))
			require.NoError(t, os.Rename(data+".away", data))
		},
	}
}

// redis is a server of its own.
func redis(t *testing.T, _ string) store {
	server := servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	return store{
		ini:  fmt.Sprintf("type = ext:redis\nurl = redis://%s/0", server.Addr()),
		down: func(*testing.T) { server.Stop() },
		up:   func(t *testing.T) { server.Start(t) },
	}
}

// application is the Python half of scripts/demo on some Beaker, with its ini.
type application struct {
	store
	peer string // as compat.ParsePeer reads it
	ini  string // path
	port int
}

// startPython starts it. Further options are lines of the ini, without their prefix; after
// a login it sends visitors back to its own pages and to those of the origins.
func startPython(t *testing.T, dir string, venv peers.Venv, s store, more string, origins ...string) *application {
	t.Helper()
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	options := fmt.Sprintf("%s\nkey = %s\nsecret = %s\ntimeout = %.0f\nhttponly = true\n%s",
		s.ini, cookieName, hex.EncodeToString(secret), timeout.Seconds(), more)
	ini := "[app:main]\nuse = egg:demo\n"
	for line := range strings.Lines(options) {
		ini += "beaker.session." + line
	}
	a := &application{store: s, peer: venv.Peer(), ini: write(t, dir, "demo.ini", ini)}
	args := append([]string{peers.Script(t, "demo_app.py"), a.ini, "/go"}, origins...)
	a.port = start(t, dir, venv.Exe, args...).hello(t).Port
	return a
}

// expire makes the last use of a session be a little too long ago.
func (a *application) expire(t *testing.T, cookie string) {
	t.Helper()
	config, err := iniconf.Load(a.ini, iniconf.LoadOptions{})
	require.NoError(t, err)
	o, _, err := config.Session()
	require.NoError(t, err)
	o.Peer, err = compat.ParsePeer(a.peer)
	require.NoError(t, err)
	o.Write = compat.WriteReplace
	store, err := backend.Open(o)
	require.NoError(t, err)
	if c, ok := store.(io.Closer); ok {
		defer c.Close()
	}
	before := func() time.Time { return time.Now().Add(-timeout - time.Minute) }
	manager, err := compat.New(o, store, compat.Environment{Now: before})
	require.NoError(t, err)
	object := manager.Open(cookieName + "=" + cookie)
	session, err := object.Session(context.Background())
	require.NoError(t, err)
	require.False(t, session.IsNew(), "there should be a session to make old")
	session.Save()
	require.NoError(t, object.Persist(context.Background()))
	require.NoError(t, object.Close())
}

// route is a table of gobeaker.toml.
func route(name, rest string) string { return "\n[[route]]\nname = \"" + name + "\"\n" + rest }

func upstream(port int) string { return fmt.Sprintf("upstream = \"http://127.0.0.1:%d\"\n", port) }

// strangler is a gateway before a Python application, a Go service that shares its
// sessions, and another that only gets headers; and a page that both have, on its way from
// one to the other.
type strangler struct {
	*application
	dir, url, admin                 string
	port, service, pageInGo, orders int
}

func startStrangler(t *testing.T, programs string, venv peers.Venv, open func(*testing.T, string) store) *strangler {
	t.Helper()
	dir := t.TempDir()
	s := &strangler{dir: dir, port: servers.FreePort(t)}
	s.url = "http://127.0.0.1:" + strconv.Itoa(s.port)
	s.application = startPython(t, dir, venv, open(t, dir), "")
	service := filepath.Join(programs, "demoservice")
	s.service = start(t, dir, service, "-ini", s.ini, "-peer", s.peer).hello(t).Port
	s.pageInGo = start(t, dir, service, "-ini", s.ini, "-peer", s.peer, "-prefix", "/page").hello(t).Port
	s.orders = start(t, dir, filepath.Join(programs, "orderservice"), "-keys", s.url+"/.well-known/jwks.json", "-issuer", s.url).hello(t).Port
	writeKey(t, dir, "current.pem")
	s.configure(t, 1, 1)
	s.admin = start(t, dir, filepath.Join(programs, "gobeaker"), "serve").places(t, 1)["admin"]
	return s
}

// configure writes gobeaker.toml: of the visitors of /page so many are for Python, and so
// many for Go.
func (s *strangler) configure(t *testing.T, python, golang int) {
	t.Helper()
	write(t, s.dir, "gobeaker.toml", fmt.Sprintf(`
listen = "127.0.0.1:%d"
[admin]
listen = "127.0.0.1:0"
[session]
ini = "demo.ini"
peer = %q
[assertion]
issuer = %q
key_files = ["current.pem"]

[policy.users]
require = ["user"]
login = "/login?came_from={url}"
[policy.users.headers]
Remote-User = { path = "user", encode = "percent" }
[policy.users.assertion]
audience = "nobody yet"
subject = "user"
`, s.port, s.peer, s.url)+
		route("python", upstream(s.application.port))+
		route("go", "prefix = \"/go\"\n"+upstream(s.service))+
		route("orders", "prefix = \"/orders\"\npolicy = \"users\"\naudience = \"orders\"\nhide_session_cookie = true\n"+upstream(s.orders))+
		route("keys", "prefix = \"/.well-known/jwks.json\"\nupstream = \"builtin:jwks\"\n")+
		route("page in Python", fmt.Sprintf("prefix = \"/page\"\nstrip_prefix = true\nweight = %d\n", python)+upstream(s.application.port))+
		route("page in Go", fmt.Sprintf("prefix = \"/page\"\nweight = %d\n", golang)+upstream(s.pageInGo)))
}

// reload configures gobeaker anew and waits until it has read that.
func (s *strangler) reload(t *testing.T, python, golang int) {
	t.Helper()
	before := s.reloads(t)
	s.configure(t, python, golang)
	require.Eventually(t, func() bool { return s.reloads(t) > before }, hangs, 20*time.Millisecond)
}

var reloaded = regexp.MustCompile(`(?m)^gobeaker_config_reloads_total\{outcome="success"\} (\d+)$`)

// reloads is how many times gobeaker has taken up another configuration.
func (s *strangler) reloads(t *testing.T) int {
	t.Helper()
	response, err := http.Get(s.admin + "metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	found := reloaded.FindSubmatch(text)
	require.NotNil(t, found)
	n, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return n
}

// act has something happen that no visitor does: the flows in the browser ask for it.
func (s *strangler) act(t *testing.T, what, value string) {
	t.Helper()
	switch what {
	case "page shared":
		s.reload(t, 1, 1)
	case "page in Go":
		s.reload(t, 0, 100)
	case "page in Python":
		s.reload(t, 100, 0)
	default:
		s.application.act(t, what, value)
	}
}

func (a *application) act(t *testing.T, what, value string) {
	t.Helper()
	switch what {
	case "expire":
		a.expire(t, value)
	case "store down":
		a.down(t)
	case "store up":
		a.up(t)
	default:
		require.Fail(t, "the flow asks for something unknown", what)
	}
}
