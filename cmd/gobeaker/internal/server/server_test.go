package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// running is a server under test.
type running struct {
	url  string
	stop context.CancelFunc
	done chan error
	log  *lockedBuffer
	// places are the URLs of what is not the gateway, by name.
	places map[string]string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var (
	firstLine = regexp.MustCompile(`^gobeaker: serving (https?://127\.0\.0\.1:\d+/|unix:\S+) \(.*\)\n$`)
	placeLine = regexp.MustCompile(`^gobeaker: (admin|api|forward-auth) at (\S+)\n$`)
)

// start runs a server on a free port until the test ends.
func start(t *testing.T, c settings.Config, env map[string]string) *running {
	t.Helper()
	return startIn(t, c, server.Environment{Getenv: func(k string) string { return env[k] }})
}

// onFreePort has a server that would listen at the default address listen at a free port.
func onFreePort(c *settings.Config) {
	visited := len(c.Routes) > 0 || c.ForwardAuth.Listen == "" && c.API.Listen == ""
	if visited && c.Listen == settings.Default().Listen {
		c.Listen = "127.0.0.1:0"
	}
}

// startIn is start with more of its environment.
func startIn(t *testing.T, c settings.Config, env server.Environment) *running {
	t.Helper()
	if len(env.Sockets) == 0 {
		onFreePort(&c)
	}
	r := &running{done: make(chan error, 1), log: &lockedBuffer{}, places: map[string]string{}}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	env.Stdout, env.Stderr = in, r.log
	if env.Getenv == nil {
		env.Getenv = func(string) string { return "" }
	}
	s, err := server.New(ctx, c, env)
	require.NoError(t, err)
	go func() { r.done <- s.Run(ctx); in.Close() }()
	lines := bufio.NewReader(out)
	for first := true; first || lines.Buffered() > 0; first = false { // all of them come at once
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		if m := firstLine.FindStringSubmatch(line); m != nil && first {
			r.url = m[1]
			continue
		}
		m := placeLine.FindStringSubmatch(line)
		require.NotNil(t, m, line)
		r.places[m[1]] = m[2]
	}
	t.Cleanup(func() { r.end(t) })
	return r
}

// end stops the server and checks that it ended well.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	err, ok := <-r.done
	if ok {
		require.NoError(t, err)
		close(r.done)
	}
}

func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: tr}
}

func get(t *testing.T, c *http.Client, u string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(u)
	require.NoError(t, err)
	return resp, read(t, resp)
}

func post(t *testing.T, c *http.Client, u string, form ...string) (*http.Response, string) {
	t.Helper()
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	resp, err := c.PostForm(u, v)
	require.NoError(t, err)
	return resp, read(t, resp)
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

func visits(n int) string { return fmt.Sprintf(`<strong id="visits">%d</strong>`, n) }

func TestServeWithoutConfiguration(t *testing.T) {
	r := start(t, settings.Default(), nil)
	c := browser(t)
	resp, body := get(t, c, r.url)
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, body, visits(1))
	require.Contains(t, body, `<html lang="en">`)
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
	require.NotNil(t, style)
	hash := sha256.Sum256([]byte(style[1]))
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), base64.StdEncoding.EncodeToString(hash[:]), "or the browser drops the style")
	require.NotContains(t, body, "http://", "the page asks nobody else for anything")
	_, body = get(t, c, r.url)
	require.Contains(t, body, visits(2))
	require.Contains(t, body, `<span class="label" dir="ltr">&#39;visits&#39;</span> <span class="type">int:</span> <span class="value" dir="ltr">2</span>`)

	_, body = post(t, c, r.url, "action", "set", "key", "name", "value", `<b>&"é`, "type", "str")
	require.Contains(t, body, visits(3), "it leads back to the page")
	require.Contains(t, body, "&lt;b&gt;")
	require.NotContains(t, body, "<b>")
	_, body = post(t, c, r.url, "action", "set", "key", "n", "value", " 42 ", "type", "int")
	require.Contains(t, body, `<span class="type">int:</span> <span class="value" dir="ltr">42</span>`)
	_, body = post(t, c, r.url, "action", "delete", "key", "name")
	require.NotContains(t, body, "&lt;b&gt;")

	_, body = get(t, browser(t), r.url)
	require.Contains(t, body, visits(1), "another browser, another session")

	_, body = post(t, c, r.url, "action", "logout")
	require.Contains(t, body, visits(1))
	require.NotContains(t, body, "<span class=\"value\" dir=\"ltr\">42</span>")

	resp, _ = get(t, c, r.url+"favicon.ico")
	require.Equal(t, 404, resp.StatusCode)
	r.end(t)
	log := r.log.String()
	require.Contains(t, log, "msg=request method=GET")
	require.NotContains(t, log, "beaker.session.id")
	for _, cookie := range c.Jar.Cookies(mustParse(t, r.url)) {
		require.NotContains(t, log, cookie.Value)
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

func TestPageRefuses(t *testing.T) {
	r := start(t, settings.Default(), nil)
	c := browser(t)
	get(t, c, r.url)
	for name, f := range map[string]struct {
		form []string
		want string
	}{
		"Beaker's key": {[]string{"action", "set", "key", "_path", "value", "x"}, "Beaker&#39;s own"},
		"no key":       {[]string{"action", "set", "key", " ", "value", "x"}, "Give a key"},
		"not an int":   {[]string{"action", "set", "key", "a", "value", "x", "type", "int"}, "whole number"},
		"not a float":  {[]string{"action", "set", "key", "a", "value", "x", "type", "float"}, "such as 1.5"},
		"not a bool":   {[]string{"action", "set", "key", "a", "value", "x", "type", "bool"}, "True or False"},
		"a type":       {[]string{"action", "set", "key", "a", "value", "x", "type", "set"}, "not offered"},
		"not text":     {[]string{"action", "set", "key", "a", "value", "\xff"}, "not UTF-8"},
		"too long":     {[]string{"action", "set", "key", "a", "value", strings.Repeat("x", 4001)}, "at most 4000"},
		"absent":       {[]string{"action", "delete", "key", "nothing"}, "There is no key"},
		"no action":    {[]string{"key", "a"}, "nothing that is known"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := post(t, c, r.url, f.form...)
			require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode)
			require.Contains(t, body, `role="alert"`)
			require.Contains(t, body, f.want)
		})
	}
	resp, _ := post(t, c, r.url, "action", "set", "key", "a", "value", strings.Repeat("x", 20000))
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)

	req, err := http.NewRequest("POST", r.url, strings.NewReader("action=logout"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err = c.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "another site cannot log anybody out")
	_, body := get(t, c, r.url)
	require.Contains(t, body, visits(2))
}

// write puts a gobeaker.toml into a folder and loads it.
func write(t *testing.T, text string, files map[string]string) settings.Config {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	path := filepath.Join(dir, "gobeaker.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	c, err := settings.Load(path)
	require.NoError(t, err)
	return c
}

func TestServeGateway(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path, " ", r.Header.Get("Cookie"))
	}))
	defer up.Close()
	c := write(t, `
[[route]]
prefix = "/app"
upstream = "`+up.URL+`"
strip_prefix = true
[[route]]
prefix = "/_session"
upstream = "builtin:session"
[session]
editable = true
ini = "app.ini#main"
key = "sid"
secret_file = "secret.txt"
httponly = true
[log]
format = "json"
`, map[string]string{
		"app.ini":    "[app:main]\nuse = egg:App\nbeaker.session.data_dir = %(here)s/data\nbeaker.session.secret = other\nbeaker.session.secure = false\n",
		"secret.txt": "s3cret\n",
	})
	r := start(t, c, nil)
	client := browser(t)
	resp, body := get(t, client, r.url+"_session")
	require.Contains(t, body, visits(1))
	require.Contains(t, resp.Header.Get("Set-Cookie"), "sid=")
	require.Contains(t, strings.ToLower(resp.Header.Get("Set-Cookie")), "httponly")
	_, body = post(t, client, r.url+"_session", "action", "set", "key", "a", "value", "b")
	require.Contains(t, body, visits(2))
	_, body = get(t, client, r.url+"app/x?token=hidden")
	require.Regexp(t, `^/x sid=[0-9a-f]{72}$`, body)
	resp, _ = get(t, client, r.url+"apple")
	require.Equal(t, 404, resp.StatusCode)
	r.end(t)
	require.Contains(t, r.log.String(), `"path":"/app/x"`)
	require.NotContains(t, r.log.String(), "hidden")
	require.NotContains(t, r.log.String(), "s3cret")
	require.Contains(t, r.log.String(), "the session page is editable")
}

// The sessions of an application are shown and left alone: neither the counter
// nor a form may touch them.
func TestConfiguredSessionsAreReadOnly(t *testing.T) {
	dir := t.TempDir()
	const session = "[session]\nini = \"app.ini\"\n"
	files := map[string]string{"app.ini": "[app:main]\nuse = egg:App\nbeaker.session.data_dir = " + dir +
		"\nbeaker.session.secret = s\nbeaker.session.auto = true\nbeaker.session.timeout = 3600\n"}
	page := "[[route]]\nprefix = \"/\"\nupstream = \"builtin:session\"\n" + session

	client := browser(t)
	app := start(t, write(t, page+"editable = true\n", files), nil)
	post(t, client, app.url, "action", "set", "key", "user", "value", "ann")
	_, body := get(t, client, app.url)
	require.Contains(t, body, visits(2))
	require.NotContains(t, body, "read-only")
	cookies := client.Jar.Cookies(mustParse(t, app.url))
	app.end(t)
	record := onlyRecord(t, dir)

	shared := settings.Default()
	require.NoError(t, shared.Override("data-dir", dir, "--data-dir"))
	for name, c := range map[string]settings.Config{
		"a route": write(t, page, files), "no route": write(t, session, files), "--data-dir": shared,
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, c, map[string]string{"GOBEAKER_SECRET": "s"})
			client := browser(t)
			client.Jar.SetCookies(mustParse(t, r.url), cookies)
			resp, body := get(t, client, r.url)
			require.Equal(t, 200, resp.StatusCode)
			require.Empty(t, resp.Header.Get("Set-Cookie"))
			require.Contains(t, body, "This page is read-only")
			require.Contains(t, body, "&#39;ann&#39;")
			require.NotContains(t, body, "<form")
			require.NotContains(t, body, `id="visits"`)
			for _, action := range []string{"set", "delete", "logout"} {
				resp, _ = post(t, client, r.url, "action", action, "key", "user", "value", "admin")
				require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode, action)
			}
			require.Equal(t, record, onlyRecord(t, dir), "not even its access time changed")

			resp, body = get(t, browser(t), r.url)
			require.Contains(t, body, "You have no session yet")
			require.Empty(t, resp.Header.Get("Set-Cookie"))
			require.Equal(t, record, onlyRecord(t, dir), "and none was made")
			r.end(t)
			require.NotContains(t, r.log.String(), "editable")
		})
	}
}

// onlyRecord returns the one record of a data_dir.
func onlyRecord(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "container_file", "*", "*", "*"))
	require.NoError(t, err)
	require.Len(t, paths, 1)
	data, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	return string(data)
}

// A stop waits for the request that is under way, and refuses new ones.
func TestGracefulStop(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "finished")
	}))
	defer up.Close()
	r := start(t, gatewayTo(t, up.URL), nil)
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get(r.url)
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		answered <- string(body)
	}()
	<-arrived
	r.stop()
	host := mustParse(t, r.url).Host
	require.Eventually(t, func() bool { // the listener closes first
		conn, err := net.Dial("tcp", host)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond)
	require.Empty(t, answered)
	close(release)
	require.Equal(t, "finished", <-answered)
	r.end(t)
}

func gatewayTo(t *testing.T, upstream string) settings.Config {
	t.Helper()
	return write(t, "[[route]]\nprefix = \"/\"\nupstream = \""+upstream+"\"\n", nil)
}

// A stream that never ends does not keep the server from stopping, and an
// upgraded connection is closed.
func TestStopEndsStreamsAndUpgrades(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
			rw.Flush()
			io.Copy(io.Discard, rw)
			return
		}
		io.WriteString(w, "endless\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer up.Close()
	c := gatewayTo(t, up.URL)
	c.Server.DrainTimeout = settings.Duration(time.Millisecond)
	for name, request := range map[string]string{
		"stream":  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"upgrade": "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, c, nil)
			conn, err := net.Dial("tcp", mustParse(t, r.url).Host)
			require.NoError(t, err)
			defer conn.Close()
			io.WriteString(conn, request)
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			body := io.Reader(resp.Body)
			if name == "upgrade" {
				body = in
			}
			_, err = bufio.NewReader(body).ReadString('\n')
			require.NoError(t, err)
			r.end(t)
			if name == "upgrade" {
				require.Contains(t, r.log.String(), "status=101")
			}
			_, err = io.ReadAll(conn)
			if err != nil { // reset or end: it is closed either way
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			}
		})
	}
}

func TestSharedDirectory(t *testing.T) {
	dir := t.TempDir()
	c := write(t, "[session]\neditable = true\n", nil)
	require.NoError(t, c.Override("data-dir", dir, "--data-dir"))
	env := map[string]string{"GOBEAKER_SECRET": "sekrit"}
	client := browser(t)
	first := start(t, c, env)
	_, body := get(t, client, first.url)
	require.Contains(t, body, "Python applications that use Beaker")
	cookies := client.Jar.Cookies(mustParse(t, first.url))
	first.end(t)
	second := start(t, c, env)
	client.Jar.SetCookies(mustParse(t, second.url), cookies)
	_, body = get(t, client, second.url)
	require.Contains(t, body, visits(2), "the session outlives the process")
	records, err := filepath.Glob(filepath.Join(dir, "container_file", "*", "*", "*.cache"))
	require.NoError(t, err)
	require.Len(t, records, 1)
}

func TestOverride(t *testing.T) {
	c := settings.Default()
	require.NoError(t, c.Override("log-format", "json", "--log-format"))
	require.NoError(t, c.Override("log-level", "debug", "--log-level"))
	require.NoError(t, c.Override("access-log", "false", "--access-log"))
	require.NoError(t, c.Override("listen", "[::1]:80", "--listen"))
	require.Equal(t, settings.Log{Format: "json", Level: "debug"}, c.Log)
	require.Equal(t, "[::1]:80", c.Listen)
	for name, value := range map[string]string{"access-log": "maybe", "nothing": "x"} {
		require.ErrorIs(t, c.Override(name, value, "--"+name), settings.ErrConfig)
	}
}

// A warning about the ini file is not given where gobeaker.toml sets the same.
func TestWarningsOfTheIni(t *testing.T) {
	ini := map[string]string{"app.ini": "[app:main]\nuse = egg:App\nsession.key = a\n", "secret.txt": "s\n"}
	const route = "[[route]]\nprefix = \"/\"\nupstream = \"http://127.0.0.1:1\"\n[session]\nini = \"app.ini\"\n"
	for _, c := range []struct {
		toml, secret           string
		wantMemory, wantSigned bool
	}{
		{"", "", true, true},
		{"data_dir = \"d\"\n", "", false, true},
		{"secret_file = \"secret.txt\"\n", "", true, false},
		{"secret = \"s\"\n", "", true, false},
		{"type = \"memory\"\n", "s", false, false},
	} {
		var log lockedBuffer
		_, err := server.New(t.Context(), write(t, route+c.toml, ini), server.Environment{
			Stdout: io.Discard, Stderr: &log, Getenv: func(string) string { return c.secret },
		})
		require.NoError(t, err)
		require.Equal(t, c.wantMemory, strings.Contains(log.String(), "nothing is shared"), c.toml)
		require.Equal(t, c.wantSigned, strings.Contains(log.String(), "there is no secret"), c.toml)
	}
}
