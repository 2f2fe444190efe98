package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// overSocket is a client of a Unix socket.
func overSocket(t *testing.T, path string) *http.Client {
	t.Helper()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// shortDir is a folder whose path is short enough for a socket in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gb")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// All that can be served is served, over the same sessions.
func TestAllPlaces(t *testing.T) {
	dir := shortDir(t)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "user "+r.Header.Get("Remote-User"))
	}))
	defer up.Close()
	c := write(t, `
[[route]]
upstream = "`+up.URL+`"
policy = "users"
[[route]]
prefix = "/_session"
upstream = "builtin:session"
[[route]]
prefix = "/forward-auth"
upstream = "builtin:forward-auth"
[policy.users]
require = ["user_id"]
headers = { Remote-User = "user_id" }
[forward_auth]
listen = "127.0.0.1:0"
trusted_proxies = ["loopback"]
policy = "users"
[api]
listen = "unix:`+dir+`/api.sock"
open = true
[admin]
listen = "127.0.0.1:0"
inspector = true
pprof = true
token_files = ["ann.token"]
[session]
data_dir = "data"
secret = "s"
editable = true
`, map[string]string{"ann.token": "a-token-of-twenty-letters\n"})
	r := start(t, c, nil)
	client := browser(t)
	resp, _ := get(t, client, r.url)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	post(t, client, r.url+"_session", "action", "set", "key", "user_id", "value", "ann")
	_, body := get(t, client, r.url)
	require.Equal(t, "user ann", body)

	cookies := client.Jar.Cookies(mustParse(t, r.url))
	ask := func(c *http.Client, u string, header ...string) (int, http.Header, string) {
		t.Helper()
		q, err := http.NewRequest("GET", u, nil)
		require.NoError(t, err)
		for _, cookie := range cookies {
			q.AddCookie(cookie)
		}
		for i := 0; i < len(header); i += 2 {
			q.Header.Set(header[i], header[i+1])
		}
		resp, err := c.Do(q)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header, read(t, resp)
	}
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	question := []string{"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "app", "X-Forwarded-Uri", "/", "X-Forwarded-For", "192.0.2.1"}
	for _, at := range []string{r.places["forward-auth"], r.url} {
		status, h, _ := ask(plain, at+"forward-auth", question...)
		require.Equal(t, 200, status, at)
		require.Equal(t, "ann", h.Get("Remote-User"), at)
	}
	status, _, body := ask(overSocket(t, dir+"/api.sock"), "http://localhost/v1/session")
	require.Equal(t, 200, status)
	require.Contains(t, body, `"user_id":"ann"`)

	admin := r.places["admin"]
	status, _, body = ask(plain, admin+"ping")
	require.Equal(t, 200, status)
	require.Equal(t, "pong\n", body)
	status, _, body = ask(plain, admin+"ready")
	require.Equal(t, 200, status, body)
	_, _, body = ask(plain, admin+"metrics")
	require.Contains(t, body, "gobeaker_build_info")
	_, _, body = ask(plain, admin+"inspector/")
	require.NotContains(t, body, "data_dir", "there is a login")
	status, _, _ = ask(plain, admin+"debug/pprof/")
	require.Equal(t, http.StatusUnauthorized, status)
	bearer := []string{"Authorization", "Bearer a-token-of-twenty-letters"}
	status, _, _ = ask(plain, admin+"debug/pprof/", bearer...)
	require.Equal(t, 200, status)
	status, _, _ = ask(plain, admin+"debug/pprof/cmdline", bearer...)
	require.Equal(t, http.StatusNotFound, status)
	q, err := http.NewRequest("GET", admin+"debug/pprof/", nil)
	require.NoError(t, err)
	q.Host = "rebound.example.com"
	q.Header.Set("Authorization", bearer[1])
	resp, err = plain.Do(q)
	require.NoError(t, err)
	read(t, resp)
	require.Equal(t, http.StatusMisdirectedRequest, resp.StatusCode)

	r.end(t)
	require.NoFileExists(t, dir+"/api.sock")
	require.NotContains(t, r.log.String(), "a-token-of-twenty-letters")
}

// A Unix socket has its mode; one that is dead is replaced, nothing else is.
func TestUnixSockets(t *testing.T) {
	dir := shortDir(t)
	path := dir + "/s"
	c := settings.Default()
	c.Listen = "unix:" + path
	c.Server.SocketMode = 0o606
	run := func() error {
		s, err := server.New(t.Context(), c, server.Environment{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }})
		require.NoError(t, err)
		return s.Run(t.Context())
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	require.FileExists(t, path)

	r := start(t, c, nil)
	require.Equal(t, "unix:"+path, r.url)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o606), info.Mode().Perm())
	_, body := get(t, overSocket(t, path), "http://x/")
	require.Contains(t, body, visits(1))
	require.ErrorContains(t, run(), "another program listens there")
	require.FileExists(t, path)
	r.end(t)
	require.NoFileExists(t, path)

	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
	require.ErrorContains(t, run(), "something else than a socket")
	require.FileExists(t, path)
	c.Listen = "unix:" + dir + "/nowhere/s"
	require.ErrorIs(t, run(), os.ErrNotExist)
}

// The sockets of systemd need no address; what everybody can reach is refused there as well.
func TestActivatedSockets(t *testing.T) {
	listen := func(address string) net.Listener {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		return l
	}
	c := settings.Default()
	c.Listen = "192.0.2.1:1"
	r := startIn(t, c, server.Environment{Sockets: map[string]net.Listener{"gateway": listen("127.0.0.1:0"), "admin": listen("127.0.0.1:0")}})
	_, body := get(t, browser(t), r.places["admin"]+"ready")
	require.Equal(t, "ready\n", body)
	get(t, browser(t), r.url)

	remote := listen("0.0.0.0:0")
	env := server.Environment{
		Stdout: io.Discard, Stderr: io.Discard, Getenv: func(name string) string { return strings.Repeat(name, 7) },
		Sockets: map[string]net.Listener{"gateway": listen("127.0.0.1:0"), "admin": remote},
	}
	made := func(change func(*settings.Admin)) error {
		c := settings.Default()
		change(&c.Admin)
		_, err := server.New(t.Context(), c, env)
		return err
	}
	require.ErrorIs(t, made(func(*settings.Admin) {}), settings.ErrConfig)
	require.NoError(t, made(func(a *settings.Admin) { a.AllowRemote = true }))
	require.ErrorIs(t, made(func(a *settings.Admin) { a.AllowRemote, a.Inspector = true, true }), settings.ErrConfig)
	require.ErrorIs(t, made(func(a *settings.Admin) { a.AllowRemote, a.Pprof = true, true }), settings.ErrConfig)
	require.NoError(t, made(func(a *settings.Admin) { a.AllowRemote, a.Inspector, a.Pprof, a.TokenEnv = true, true, true, "TOKEN" }))
}

// Where only services are answered, nothing listens for visitors.
func TestWithoutVisitors(t *testing.T) {
	const only = "[session]\ntype = \"memory\"\nsecret = \"s\"\n[policy.users]\nrequire = [\"user_id\"]\n[forward_auth]\nlisten = \"127.0.0.1:0\"\npolicy = \"users\"\n"
	for name, c := range map[string]struct {
		toml    string
		sockets []string // of systemd
		visited bool
	}{
		"forward-auth alone":    {only, nil, false},
		"beside the admin's":    {only + "[admin]\nlisten = \"127.0.0.1:0\"\n", nil, false},
		"an address for nobody": {"listen = \"127.0.0.1:0\"\n" + only, nil, true},
		"a route":               {pageRoute + only, nil, true},
		"only the page":         {"[session]\ntype = \"memory\"\nsecret = \"s\"\n[admin]\nlisten = \"127.0.0.1:0\"\n", nil, true},
		"a socket":              {strings.Replace(only, "listen = \"127.0.0.1:0\"\n", "", 1), []string{"forward-auth"}, false},
		"a socket for visitors": {only, []string{"gateway"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := server.Environment{Sockets: map[string]net.Listener{}}
			for _, at := range c.sockets {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				env.Sockets[at] = l
			}
			r := startIn(t, write(t, c.toml, nil), env)
			require.Equal(t, c.visited, r.url != "")
			if c.visited {
				get(t, browser(t), r.url)
			}
			if at := r.places["forward-auth"]; at != "" {
				resp, _ := get(t, browser(t), at+"auth")
				require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			}
			r.end(t)
		})
	}
}

// Tokens cannot be taken away by a reload, a hangup included, from an address that other
// machines reach, wherever the new configuration would like it to be.
func TestReloadKeepsTokensOfRemoteAddress(t *testing.T) {
	const (
		session = pageRoute + "[session]\ntype = \"memory\"\nsecret = \"s\"\n"
		guarded = session + "[admin]\nlisten = \"0.0.0.0:0\"\nallow_remote = true\ninspector = true\ntoken_files = [\"ann\"]\n"
	)
	r := follow(t, guarded, map[string]string{"ann": "a-token-of-twenty-letters\n"})
	r.put(t, "gobeaker.toml", session+"[admin]\nlisten = \"127.0.0.1:0\"\ninspector = true\n")
	r.event(t, "not reloaded", "[admin] has no token any more")
	r.hangup <- syscall.SIGHUP
	r.event(t, "not reloaded", "[admin]", "need token_files")
	r.put(t, "gobeaker.toml", guarded)
	r.event(t, "configuration reloaded: nothing in it has changed")
}

// While the server drains, /ready says so before the listener closes, and the page for
// operators stays until the last request has ended.
func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
		}
		io.WriteString(w, "answered")
	}))
	defer up.Close()
	c := gatewayTo(t, up.URL)
	c.Admin.Listen = "127.0.0.1:0"
	const delay = 7 * time.Second
	c.Server.DrainDelay = settings.Duration(delay)
	delayed, over := make(chan struct{}), make(chan time.Time)
	var states []string
	r := startIn(t, c, server.Environment{
		After: func(d time.Duration) <-chan time.Time {
			if d == delay {
				close(delayed)
				return over
			}
			return time.After(d)
		},
		Notify: func(state string) { states = append(states, state) },
	})
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get(r.url + "slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	<-arrived
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r.stop()
	<-delayed
	resp, body := get(t, fresh, r.places["admin"]+"ready")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "draining\n", body)
	_, body = get(t, fresh, r.url)
	require.Equal(t, "answered", body)
	resp, _ = get(t, fresh, r.places["admin"]+"ping")
	require.Equal(t, 200, resp.StatusCode)
	over <- time.Time{}
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", mustParse(t, r.url).Host)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, patience, time.Millisecond)
	resp, _ = get(t, fresh, r.places["admin"]+"ready")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	close(release)
	require.Equal(t, "answered", <-answered)
	r.end(t)
	require.Equal(t, []string{"READY=1", "STOPPING=1"}, states)
}

// TLS with HTTP/2; a new certificate is taken up, one that does not go with its key is not.
func TestTLS(t *testing.T) {
	names := func(r *reloading) (string, string) {
		pool := x509.NewCertPool()
		pem, err := os.ReadFile(r.path("server.pem"))
		require.NoError(t, err)
		require.True(t, pool.AppendCertsFromPEM(pem))
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(strings.Replace(r.url, "127.0.0.1", "localhost", 1))
		require.NoError(t, err)
		body := read(t, resp)
		require.Contains(t, body, "Your session")
		return resp.Proto, resp.TLS.PeerCertificates[0].Subject.CommonName
	}
	first, second := certificate(t, "first"), certificate(t, "second")
	const toml = "[server]\ntls_certificate = \"server.pem\"\ntls_key = \"key.pem\"\n" + pageRoute
	r := follow(t, toml, map[string]string{"server.pem": first[0], "key.pem": first[1]})
	proto, name := names(r)
	require.Equal(t, "HTTP/2.0 first", proto+" "+name)
	r.replace(t, "server.pem", second[0])
	r.event(t, "not reloaded", "tls_certificate", "gobeaker.toml:2: ")
	r.replace(t, "key.pem", second[1])
	r.event(t, "configuration reloaded", "changed=server.tls_certificate")
	_, name = names(r)
	require.Equal(t, "second", name)
	r.put(t, "gobeaker.toml", pageRoute)
	r.event(t, "not reloaded", "[server] has no tls_certificate any more")
	r.end(t)
	require.NotContains(t, r.log.String(), "PRIVATE")
}

func TestH2C(t *testing.T) {
	c := settings.Default()
	c.Server.H2C = true
	r := start(t, c, nil)
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	resp, body := get(t, &http.Client{Transport: tr}, r.url)
	require.Equal(t, 2, resp.ProtoMajor)
	require.Contains(t, body, visits(1))
}

// The page for operators says that the store is away, without saying where it is.
func TestReadyWithoutTheStore(t *testing.T) {
	dir := t.TempDir()
	c := write(t, "[admin]\nlisten = \"127.0.0.1:0\"\n[session]\nsecret = \"s\"\ndata_dir = \""+dir+"/data\"\n", nil)
	now := time.Now()
	ask := make(chan time.Time, 1)
	ask <- now
	r := startIn(t, c, server.Environment{Now: func() time.Time { at := <-ask; ask <- at; return at }})
	resp, _ := get(t, browser(t), r.places["admin"]+"ready")
	require.Equal(t, 200, resp.StatusCode)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "data")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), nil, 0o600))
	resp, _ = get(t, browser(t), r.places["admin"]+"ready")
	require.Equal(t, 200, resp.StatusCode, "the answer of the same second")
	<-ask
	ask <- now.Add(time.Second)
	resp, body := get(t, browser(t), r.places["admin"]+"ready")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "session store: unavailable\n", body)
}
