package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// patience ends a test that waits for what does not come.
const patience = 30 * time.Second

// reloading is a server that follows its files.
type reloading struct {
	*running
	dir     string
	hangup  chan os.Signal
	recheck chan time.Time                // fires when the watcher is to compare all files
	pause   chan time.Time                // fires when the pause after a hangup is over
	late    chan time.Time                // fires when the files are not read in time
	reading atomic.Pointer[chan struct{}] // if there is one, files are read when it is closed
	lines   chan string                   // of the log, those about reloads
}

// Write makes an event of each line about a reload. A handler of slog writes one line at a time.
func (r *reloading) Write(p []byte) (int, error) {
	if line := string(p); strings.Contains(line, "configuration ") {
		r.lines <- line
	}
	return r.log.Write(p)
}

// follow runs a server with a gobeaker.toml and other files until the test ends.
func follow(t *testing.T, toml string, files map[string]string) *reloading {
	t.Helper()
	r := &reloading{
		running: &running{done: make(chan error, 1), log: &lockedBuffer{}},
		dir:     t.TempDir(), hangup: make(chan os.Signal), lines: make(chan string, 10000),
		recheck: make(chan time.Time), pause: make(chan time.Time), late: make(chan time.Time),
	}
	for name, text := range files {
		r.put(t, name, text)
	}
	r.put(t, "gobeaker.toml", toml)
	load := func() (settings.Config, error) {
		if wait := r.reading.Load(); wait != nil {
			<-*wait
		}
		c, err := settings.Load(r.path("gobeaker.toml"))
		onFreePort(&c)
		return c, err
	}
	c, err := load()
	require.NoError(t, err)
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	s, err := server.New(ctx, c, server.Environment{
		Stdout: in, Stderr: r, Getenv: func(string) string { return "" }, Now: time.Now,
		Reload: load, Hangup: r.hangup, Settle: 10 * time.Millisecond,
		After: func(d time.Duration) <-chan time.Time {
			switch d {
			case server.HangupPause:
				return r.pause
			case server.ReadTime:
				return r.late
			case 30 * time.Second:
				return r.recheck
			}
			return time.After(d)
		},
	})
	require.NoError(t, err)
	go func() { r.done <- s.Run(ctx); in.Close() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	if m := firstLine.FindStringSubmatch(line); m != nil { // else nothing is for visitors
		r.url = m[1]
	}
	t.Cleanup(func() { r.end(t) })
	return r
}

func (r *reloading) path(name string) string { return filepath.Join(r.dir, name) }

func (r *reloading) put(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(r.path(name)), 0o755))
	require.NoError(t, os.WriteFile(r.path(name), []byte(text), 0o600))
}

// replace puts a new file in the place of the old one in one step.
func (r *reloading) replace(t *testing.T, name, text string) {
	t.Helper()
	r.put(t, name+".new", text)
	require.NoError(t, os.Rename(r.path(name+".new"), r.path(name)))
}

// event waits for a line about a reload that has all of these texts. There may be others
// before: a file that is written in place is empty for a moment.
func (r *reloading) event(t *testing.T, texts ...string) {
	t.Helper()
	late := time.After(patience)
next:
	for {
		select {
		case line := <-r.lines:
			for _, text := range texts {
				if !strings.Contains(line, text) {
					continue next
				}
			}
			return
		case <-late:
			require.FailNow(t, "waited in vain for a line of the log", "%q\n%s", texts, r.log)
		}
	}
}

const pageRoute = "[[route]]\nprefix = \"/\"\nupstream = \"builtin:session\"\n"

func TestReload(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "upstream") }))
	defer up.Close()
	const session = "[session]\nsecret_file = \"secret\"\neditable = true\nini = \"app.ini\"\n"
	const ini = "[app:main]\nuse = egg:App\nbeaker.session.data_dir = %(here)s/data\n"
	r := follow(t, pageRoute+session, map[string]string{"app.ini": ini, "secret": "first"})
	client := browser(t)
	get(t, client, r.url)

	// The toml: a route, and the log.
	r.replace(t, "gobeaker.toml", pageRoute+"[[route]]\nprefix = \"/app\"\nupstream = \""+up.URL+"\"\n"+session+"[log]\nformat = \"json\"\naccess = false\n")
	r.event(t, "configuration reloaded", `"changed":"route log.format log.access"`)
	_, body := get(t, client, r.url+"app")
	require.Equal(t, "upstream", body)
	_, body = get(t, client, r.url)
	require.Contains(t, body, visits(2))

	// The ini.
	r.put(t, "app.ini", ini+"beaker.session.httponly = true\n")
	r.event(t, "reloaded", `"session.httponly"`)
	resp, _ := get(t, browser(t), r.url)
	require.Contains(t, resp.Header.Get("Set-Cookie"), "HttpOnly")

	// What is wrong is said with file and line, and all stays.
	r.put(t, "app.ini", ini+"beaker.session.timeout = soon\n")
	r.event(t, "not reloaded", "app.ini:4")
	r.put(t, "gobeaker.toml", pageRoute+session+"[log]\nlevel = \"loud\"\n")
	r.event(t, "not reloaded", "loud", "gobeaker.toml:9: ")
	r.replace(t, "app.ini", ini+"beaker.session.httponly = true\n")
	r.put(t, "gobeaker.toml", pageRoute+"[[route]]\nprefix = \"/x\"\nupstream = \"ftp://x\"\n"+session)
	r.event(t, "not reloaded", "/x", "gobeaker.toml:4: ")
	_, body = get(t, client, r.url)
	require.Contains(t, body, visits(3))
	_, body = get(t, client, r.url+"app")
	require.Equal(t, "upstream", body)

	// The secret, which is never shown.
	r.put(t, "gobeaker.toml", pageRoute+session)
	r.event(t, "configuration reloaded")
	r.put(t, "secret", "second")
	r.event(t, "configuration reloaded", "changed=session.secret ")
	_, body = get(t, client, r.url)
	require.Contains(t, body, visits(1), "another secret")
	require.NoError(t, os.Remove(r.path("secret")))
	r.event(t, "not reloaded", "no such file")
	r.put(t, "secret", "second")
	r.event(t, "and the one that is in use")
	r.hangup <- syscall.SIGHUP
	r.event(t, "configuration reloaded", `nothing in it has changed" store=reopened`)
	_, body = get(t, client, r.url)
	require.Contains(t, body, visits(2))
	r.end(t)
	require.NotContains(t, r.log.String(), "second")
	require.Equal(t, 1, strings.Count(r.log.String(), "the session page is editable"))
}

// An include that is missing is waited for.
func TestReloadWaitsForWhatIsMissing(t *testing.T) {
	const ini = "[app:main]\nuse = egg:App\nbeaker.session.secret = s\nbeaker.session.data_dir = %(here)s/data\n"
	r := follow(t, pageRoute+"[session]\nini = \"app.ini\"\n", map[string]string{"app.ini": ini})
	r.put(t, "app.ini", strings.Replace(ini, "egg:App", "config:base/more.ini", 1))
	r.event(t, "not reloaded", "more.ini")
	r.put(t, "base/more.ini", "[app:main]\nuse = egg:App\nbeaker.session.auto = true\n")
	r.event(t, "reloaded", "session.auto")
	r.put(t, "base/more.ini", "[app:main]\nuse = egg:App\nbeaker.session.auto = false\n")
	r.event(t, "reloaded", "session.auto")
}

// Sessions in memory live on while their store stays the same, also after SIGHUP, and
// so does the secret that was made for them.
func TestReloadKeepsTheStore(t *testing.T) {
	const session = "[session]\ntype = \"memory\"\neditable = true\nsecret = \"s\"\n"
	r := follow(t, pageRoute+session, nil)
	client := browser(t)
	get(t, client, r.url)
	r.put(t, "gobeaker.toml", pageRoute+session+"timeout = 600\n")
	r.event(t, "configuration reloaded", "changed=session.timeout store=kept")
	_, body := get(t, client, r.url)
	require.Contains(t, body, visits(2))
	r.hangup <- syscall.SIGHUP
	r.event(t, "configuration reloaded", `nothing in it has changed" store=kept`)
	_, body = get(t, client, r.url)
	require.Contains(t, body, visits(3))
	r.put(t, "gobeaker.toml", pageRoute+"[session]\ndata_dir = \"data\"\nsecret = \"s\"\n")
	r.event(t, "configuration reloaded", "session.data_dir", "store=new")
}

// A store that is not there is not taken, until it is there.
func TestReloadPingsTheStore(t *testing.T) {
	const session = "[session]\neditable = true\nsecret = \"s\"\n"
	r := follow(t, pageRoute+session+"type = \"memory\"\n", map[string]string{"data": "no folder"})
	client := browser(t)
	get(t, client, r.url)
	r.put(t, "gobeaker.toml", pageRoute+session+"data_dir = \"data\"\nkeyy = \"k\"\n")
	r.event(t, "not reloaded", "keyy")
	r.put(t, "gobeaker.toml", pageRoute+session+"data_dir = \"data\"\n")
	r.event(t, "not reloaded", "session store")
	_, body := get(t, client, r.url)
	require.Contains(t, body, visits(2))
	for range 2 {
		r.recheck <- time.Now() // still nothing, which is not said again
	}
	require.NoError(t, os.Remove(r.path("data")))
	r.recheck <- time.Now()
	r.event(t, "configuration reloaded", "session.data_dir", "store=new")
	require.Equal(t, 1, strings.Count(r.log.String(), "server: session store"))
	require.Equal(t, 1, strings.Count(r.log.String(), "the session page is editable"))
}

// What a SIGHUP was to do is done as soon as it can be.
func TestHangupIsTriedAgain(t *testing.T) {
	const session = "[session]\nsecret = \"s\"\ndata_dir = \"data\"\n"
	r := follow(t, pageRoute+session, nil)
	require.NoError(t, os.RemoveAll(r.path("data")))
	r.put(t, "data", "no folder")
	r.hangup <- syscall.SIGHUP
	r.event(t, "not reloaded", "session store")
	require.NoError(t, os.Remove(r.path("data")))
	r.recheck <- time.Now()
	r.event(t, "configuration reloaded", `nothing in it has changed" store=reopened`)
}

// A file that cannot be read to its end holds up neither the other reloads nor the end.
func TestReadThatDoesNotEnd(t *testing.T) {
	r := follow(t, pageRoute, nil)
	const quiet = pageRoute + "[log]\naccess = false\n"
	first, second := make(chan struct{}), make(chan struct{})
	r.reading.Store(&first)
	r.put(t, "gobeaker.toml", quiet)
	r.late <- time.Now()
	r.event(t, "not reloaded", "could not be read within")
	r.recheck <- time.Now()
	r.event(t, "not reloaded", "still being read")
	r.reading.Store(nil)
	close(first)
	// The recheck may come before that read has ended.
	for !strings.Contains(r.log.String(), "changed=log.access") {
		r.recheck <- time.Now()
	}
	r.reading.Store(&second)
	defer close(second)
	r.put(t, "gobeaker.toml", pageRoute)
	r.end(t)
}

// Many SIGHUPs are one now and one later.
func TestHangupsAreJoined(t *testing.T) {
	r := follow(t, pageRoute+"[session]\nsecret = \"s\"\ndata_dir = \"data\"\n", nil)
	for range 100 {
		r.hangup <- syscall.SIGHUP
	}
	r.pause <- time.Now()
	r.pause <- time.Now() // nothing was due: the next one is obeyed at once
	r.hangup <- syscall.SIGHUP
	for range 3 {
		r.event(t, "nothing in it has changed")
	}
	r.hangup <- syscall.SIGHUP
	require.Empty(t, r.lines)
}

// A file that is half-written and yet a good one: it does not take a key away.
func TestReloadKeepsTheKeys(t *testing.T) {
	const ini = "[app:main]\nuse = egg:App\nbeaker.session.data_dir = %(here)s/data\n"
	for key, session := range map[string]string{
		"secret":       "[session]\nini = \"app.ini\"\n",
		"validate_key": "[session]\nini = \"app.ini\"\nsecret = \"s\"\n",
		"encrypt_key":  "[session]\nini = \"app.ini\"\nsecret = \"s\"\nvalidate_key = \"v\"\n",
	} {
		t.Run(key, func(t *testing.T) {
			whole := ini + "beaker.session." + key + " = zxcvb\n"
			r := follow(t, pageRoute+session, map[string]string{"app.ini": whole})
			r.put(t, "app.ini", ini)
			r.event(t, "not reloaded", "no more "+key+", which was set at "+r.path("app.ini")+":4", "SIGHUP")
			r.put(t, "app.ini", whole+"beaker.session.timeout = 600\n")
			r.event(t, "configuration reloaded", "changed=session.timeout ")
			r.put(t, "app.ini", ini)
			r.event(t, "not reloaded", "half-written")
			r.hangup <- syscall.SIGHUP
			r.event(t, "configuration reloaded", "session."+key, "session.timeout", "store=reopened")
			r.end(t)
			require.NotContains(t, r.log.String(), "zxcvb")
		})
	}
}

func TestReloadCannotMove(t *testing.T) {
	r := follow(t, pageRoute, nil)
	const listen = "listen = \"127.0.0.1:1\"\n"
	r.put(t, "gobeaker.toml", listen+pageRoute+"[log]\naccess = false\n")
	r.event(t, "configuration reloaded", "changed=log.access ")
	r.put(t, "gobeaker.toml", listen+pageRoute)
	r.event(t, "configuration reloaded", "changed=log.access ")
	require.Equal(t, 1, strings.Count(r.log.String(), `msg="this cannot be changed without a restart: the server stays where it is" option=listen in_use=127.0.0.1:0 asked_for=127.0.0.1:1`))
	resp, _ := get(t, browser(t), r.url)
	require.Equal(t, 200, resp.StatusCode)
}

// The timeouts of connections hold for new ones; those that are there stay open, and
// what is under way on them goes on in the old configuration.
func TestReloadUnderWay(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			close(arrived)
			<-release
			io.WriteString(w, "finished")
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		rw.Flush()
		io.Copy(conn, rw) // an echo
	}))
	defer up.Close()
	free := sync.OnceFunc(func() { close(release) })
	defer free()
	r := follow(t, "[[route]]\nprefix = \"/\"\nupstream = \""+up.URL+"\"\n", nil)

	conn, err := net.Dial("tcp", mustParse(t, r.url).Host)
	require.NoError(t, err)
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get(r.url)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	<-arrived

	r.put(t, "gobeaker.toml", pageRoute+"[server]\nidle_timeout = \"1m\"\nread_header_timeout = \"9s\"\nresponse_timeout = \"8s\"\n")
	r.event(t, "configuration reloaded", `"route server.read_header_timeout server.idle_timeout server.response_timeout"`)
	for range 3 {
		_, body := get(t, browser(t), r.url)
		require.Contains(t, body, visits(1), "the new route, on new connections")
	}
	io.WriteString(conn, "still here\n")
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "still here\n", line)
	free()
	require.Equal(t, "finished", <-answered)
	r.end(t)
	_, err = in.ReadByte()
	require.Error(t, err, "the end closes it")
}

// swapper changes the files of a server that is under load, in all the ways that there
// are, and knows what each change has to come to.
type swapper struct {
	*reloading
	probe *http.Client // without cookies
	round int
}

const (
	loadTOML = "[log]\naccess = false\n" + pageRoute +
		"[session]\nini = \"app.ini#main\"\nsecret_file = \"conf/secret\"\neditable = true\n"
	loadINI  = "[app:main]\nuse = config:conf/base.ini\nbeaker.session.secret = not this one\nbeaker.session.key = sid\n"
	loadBase = "[app:main]\nuse = egg:App\nbeaker.session.data_dir = %(here)s/../data\n"
)

// link puts other contents into the folder conf as Kubernetes does.
func (s *swapper) link(t *testing.T, files map[string]string) {
	t.Helper()
	s.round++
	version := fmt.Sprintf("..%d", s.round)
	for name, text := range files {
		s.put(t, filepath.Join("conf", version, name), text)
	}
	before, _ := os.Readlink(s.path("conf/..data"))
	require.NoError(t, os.Symlink(version, s.path("conf/..data_tmp")))
	require.NoError(t, os.Rename(s.path("conf/..data_tmp"), s.path("conf/..data")))
	if before != "" {
		require.NoError(t, os.RemoveAll(s.path(filepath.Join("conf", before))))
	}
	for name := range files {
		if _, err := os.Lstat(s.path("conf/" + name)); err != nil {
			require.NoError(t, os.Symlink("..data/"+name, s.path("conf/"+name)))
		}
	}
}

// cookie returns the Set-Cookie of a new session, and the status of an address.
func (s *swapper) cookie(t *testing.T, path string) (string, int) {
	t.Helper()
	resp, err := s.probe.Get(s.url + path)
	require.NoError(t, err)
	read(t, resp)
	return resp.Header.Get("Set-Cookie"), resp.StatusCode
}

// good makes the i-th good change and waits until it has taken effect.
func (s *swapper) good(t *testing.T, i int) {
	t.Helper()
	same := []string{"Strict", "Lax"}[i/4%2]
	switch i % 4 {
	case 0: // the ini in the folder that Kubernetes has; the other settings as they are
		s.link(t, map[string]string{"base.ini": loadBase + "beaker.session.samesite = " + same + "\n", "secret": "the secret\n"})
		s.event(t, "configuration reloaded", "session.samesite")
		cookie, _ := s.cookie(t, "")
		require.Contains(t, strings.ToLower(cookie), "samesite="+strings.ToLower(same))
	case 1: // the first ini, replaced
		s.replace(t, "app.ini", loadINI+fmt.Sprintf("beaker.session.cookie_path = /\nbeaker.session.httponly = %t\n", i/4%2 == 0))
		s.event(t, "configuration reloaded", "session.httponly")
		cookie, _ := s.cookie(t, "")
		require.Equal(t, i/4%2 == 0, strings.Contains(strings.ToLower(cookie), "httponly"), cookie)
	case 2: // the toml, replaced: a new route
		s.replace(t, "gobeaker.toml", loadTOML+fmt.Sprintf("[[route]]\nprefix = \"/also%d\"\nupstream = \"builtin:session\"\n", i))
		s.event(t, "configuration reloaded", "route")
		_, status := s.cookie(t, fmt.Sprintf("also%d", i))
		require.Equal(t, 200, status)
	case 3: // in place
		s.put(t, "app.ini", loadINI+fmt.Sprintf("beaker.session.httponly = %t\nbeaker.session.timeout = %d\n", i/4%2 == 0, 10000+i))
		s.event(t, "configuration reloaded", "session.timeout")
	}
}

// bad makes the i-th broken change, waits until it was refused, and repairs it.
func (s *swapper) bad(t *testing.T, i int) {
	t.Helper()
	ini, err := os.ReadFile(s.path("app.ini"))
	require.NoError(t, err)
	toml, err := os.ReadFile(s.path("gobeaker.toml"))
	require.NoError(t, err)
	switch i % 6 {
	case 0: // half-written: what is missing comes later
		s.put(t, "gobeaker.toml", string(toml[:len(toml)-4]))
		s.event(t, "not reloaded", "gobeaker.toml:")
		s.put(t, "gobeaker.toml", string(toml))
	case 1: // a syntax error
		s.replace(t, "app.ini", string(ini)+"no option\n")
		s.event(t, "not reloaded", "app.ini:")
		s.replace(t, "app.ini", string(ini))
	case 2: // the secret is gone
		require.NoError(t, os.Remove(s.path("conf/secret")))
		s.event(t, "not reloaded", "secret")
		require.NoError(t, os.Symlink("..data/secret", s.path("conf/secret")))
	case 3: // the whole file
		require.NoError(t, os.Remove(s.path("app.ini")))
		s.event(t, "not reloaded", "app.ini")
		s.put(t, "app.ini", string(ini))
	case 4: // an unknown key
		s.replace(t, "gobeaker.toml", string(toml)+"prefiks = \"/\"\n")
		s.event(t, "not reloaded", "gobeaker.toml:")
		s.replace(t, "gobeaker.toml", string(toml))
	case 5: // the folder
		require.NoError(t, os.Rename(s.path("conf"), s.path("gone")))
		s.event(t, "not reloaded", "conf")
		require.NoError(t, os.Rename(s.path("gone"), s.path("conf")))
	}
	s.event(t, "and the one that is in use")
}

// visitor makes requests until enough is closed, and returns how many. Each must be
// answered, out of the session that the first one began.
func visitor(u string, keepAlive bool, enough <-chan struct{}, asked *atomic.Int64) error {
	tr := &http.Transport{DisableKeepAlives: !keepAlive}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	var id string
	for n := 1; ; n++ {
		r, err := http.NewRequest("GET", u, nil)
		if err != nil {
			return err
		}
		if id != "" {
			r.Header.Set("Cookie", id)
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			return err
		case resp.StatusCode != 200:
			return fmt.Errorf("request %d: %s", n, resp.Status)
		case !strings.Contains(string(body), visits(n)):
			return fmt.Errorf("request %d: another session, or one that lost a visit", n)
		}
		asked.Add(1)
		if cookie := resp.Header.Get("Set-Cookie"); cookie != "" {
			pair, _, _ := strings.Cut(cookie, ";")
			if id != "" && pair != id {
				return fmt.Errorf("request %d: another id", n)
			}
			id = pair
		}
		select {
		case <-enough:
			return nil
		default:
		}
	}
}

// No request fails and no session is lost while the files change, for the better and for
// the worse.
func TestReloadUnderLoad(t *testing.T) {
	changes, requests := 100, int64(10_000)
	if testing.Short() {
		changes, requests = 18, 500
	}
	s := &swapper{probe: &http.Client{Transport: &http.Transport{}}}
	defer s.probe.CloseIdleConnections()
	s.reloading = &reloading{dir: t.TempDir()}
	s.link(t, map[string]string{"base.ini": loadBase, "secret": "the secret\n"})
	conf := s.dir
	s.reloading = follow(t, loadTOML, map[string]string{"app.ini": loadINI, "conf/base.ini": loadBase, "conf/secret": "the secret\n"})
	require.NoError(t, os.RemoveAll(conf))

	const clients = 16
	enough := make(chan struct{})
	var asked atomic.Int64
	results := make(chan error, clients)
	for i := range clients {
		go func() { results <- visitor(s.url, i%2 == 0, enough, &asked) }()
	}
	// The folder becomes one of Kubernetes', which alone changes nothing.
	require.NoError(t, os.Rename(s.path("conf"), s.path("plain")))
	s.event(t, "not reloaded")
	s.link(t, map[string]string{"base.ini": loadBase, "secret": "the secret\n"})
	s.event(t, "and the one that is in use")

	good, bad := 0, 0
	for good+bad < changes {
		if (good+bad)%3 == 2 {
			s.bad(t, bad)
			bad++
			continue
		}
		s.good(t, good)
		good++
	}
	for ended := 0; asked.Load() < requests; { // until then the last configuration serves
		select {
		case err := <-results:
			require.NoError(t, err)
			ended++
			require.Less(t, ended, clients)
		default:
			_, status := s.cookie(t, "")
			require.Equal(t, 200, status)
		}
	}
	close(enough)
	for range clients {
		require.NoError(t, <-results)
	}
	t.Logf("%d requests, %d good changes, %d broken ones", asked.Load(), good, bad)
}
