package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// counted is an upstream that counts its requests.
func counted(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, "answered")
	}))
	t.Cleanup(up.Close)
	return up.URL, asked
}

func dial(t *testing.T, r *running) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", mustParse(t, r.url).Host)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Who sends the head of a request slowly is cut off, at every place, and nobody else is
// kept waiting for it.
func TestSlowloris(t *testing.T) {
	url, asked := counted(t)
	c := gatewayTo(t, url)
	c.Admin.Listen = "127.0.0.1:0"
	c.Server.ReadHeaderTimeout = settings.Duration(50 * time.Millisecond)
	c.Server.IdleTimeout = settings.Duration(50 * time.Millisecond)
	r := start(t, c, nil)
	for _, at := range []string{r.url, r.places["admin"]} {
		for _, begin := range []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nX-A: ", "GET / HTTP/1.1\r\nHost: x\r\n"} {
			conn, err := net.Dial("tcp", mustParse(t, at).Host)
			require.NoError(t, err)
			_, err = io.WriteString(conn, begin)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, conn) // until the server has had enough
			require.NoError(t, err)
			conn.Close()
		}
	}
	require.Zero(t, asked.Load())
	_, body := get(t, browser(t), r.url)
	require.Equal(t, "answered", body)
}

// Who stands still in the middle of a request or of an answer is let go, and the
// application with it; a stream that is quiet goes on.
func TestStall(t *testing.T) {
	ended := make(chan string, 4)
	speak := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/read":
			_, err := io.Copy(io.Discard, r.Body)
			ended <- fmt.Sprint("read ", err != nil)
		case "/write":
			var err error
			for b := make([]byte, 1<<20); err == nil; {
				_, err = w.Write(b)
			}
			ended <- "write true"
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "one ")
			w.(http.Flusher).Flush()
			<-speak
			io.WriteString(w, "two")
		}
	}))
	defer up.Close()
	c := gatewayTo(t, up.URL)
	c.Server.StallTimeout = settings.Duration(100 * time.Millisecond)
	c.Server.H2C = true
	r := start(t, c, nil)
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	defer h2.CloseIdleConnections()

	streams := map[string]io.Reader{}
	for name, client := range map[string]*http.Client{"HTTP/1": {}, "HTTP/2": {Transport: h2}} {
		resp, err := client.Get(r.url + "stream")
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.CopyN(io.Discard, resp.Body, 4)
		require.NoError(t, err)
		streams[name] = resp.Body

		body, in := io.Pipe()
		defer in.Close()
		q, err := http.NewRequest("POST", r.url+"read", body)
		require.NoError(t, err)
		go func() {
			if resp, err := client.Do(q); err == nil {
				resp.Body.Close()
			}
		}()
		_, err = io.WriteString(in, "begun")
		require.NoError(t, err)
		require.Equal(t, "read true", <-ended, name)

		resp, err = client.Get(r.url + "write") // and reads nothing
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, "write true", <-ended, name)
	}
	close(speak)
	for name, stream := range streams {
		rest, err := io.ReadAll(stream)
		require.NoError(t, err, name)
		require.Equal(t, "two", string(rest), name)
	}
}

// A head that is too long is refused before an application sees it, and the server lives.
func TestHeaderAndCookieBombs(t *testing.T) {
	url, asked := counted(t)
	c := gatewayTo(t, url)
	c.Limits.HeaderBytes = 8 << 10
	r := start(t, c, nil)
	send := func(head string) int {
		t.Helper()
		conn := dial(t, r)
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n"+head+"\r\n") // the server may close before the end
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		return resp.StatusCode
	}
	long := strings.Repeat("x", 100)
	var many, cookies strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "X-%d: a\r\n", i)
		fmt.Fprintf(&cookies, "c%d=%s; ", i, long)
	}
	for name, head := range map[string]string{
		"one header":     "X-A: " + strings.Repeat("x", 1<<20) + "\r\n",
		"many headers":   many.String(),
		"a long name":    strings.Repeat("x", 1<<20) + ": a\r\n",
		"one cookie":     "Cookie: a=" + strings.Repeat("x", 1<<20) + "\r\n",
		"many cookies":   "Cookie: " + cookies.String() + "\r\n",
		"cookie headers": strings.Repeat("Cookie: a="+long+"\r\n", 10_000),
		"no end":         "X-A: " + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, send(head))
		})
	}
	require.Zero(t, asked.Load())
	require.Equal(t, 200, send("Cookie: a="+strings.Repeat("x", 4000)+"\r\n"))
}

// As many connections as are allowed, and the next one when one of them ends.
func TestConnectionLimit(t *testing.T) {
	url, _ := counted(t)
	c := gatewayTo(t, url)
	c.Limits.Connections = 2
	r := start(t, c, nil)
	const question = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	ask := func(conn net.Conn) chan string {
		answer := make(chan string, 1)
		go func() {
			io.WriteString(conn, question)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				answer <- err.Error()
				return
			}
			body, _ := io.ReadAll(resp.Body)
			answer <- string(body)
		}()
		return answer
	}
	first, second, third := dial(t, r), dial(t, r), dial(t, r)
	require.Equal(t, "answered", <-ask(first))
	require.Equal(t, "answered", <-ask(second))
	waiting := ask(third)
	require.Equal(t, "answered", <-ask(second), "those that are in go on")
	require.Empty(t, waiting)
	first.Close()
	require.Equal(t, "answered", <-waiting)
}

// Who guesses signatures is slowed down by address, as the trusted proxy tells it; who has
// a good cookie, or none, is not.
func TestRefusedSignatures(t *testing.T) {
	c := write(t, `
trusted_proxies = ["loopback"]
[limits]
refusals_per_minute = 1.0
refusals_burst = 3
[session]
secret = "s"
type = "memory"
editable = true
`, nil)
	now := time.Now()
	r := startIn(t, c, server.Environment{Now: func() time.Time { return now }})
	status := func(client *http.Client, from, cookie string) (int, string) {
		q, err := http.NewRequest("GET", r.url, nil)
		require.NoError(t, err)
		q.Header.Set("X-Forwarded-For", from)
		if cookie != "" {
			q.Header.Set("Cookie", cookie)
		}
		resp, err := client.Do(q)
		require.NoError(t, err)
		read(t, resp)
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	good := browser(t)
	get(t, good, r.url)
	forged := "beaker.session.id=" + strings.Repeat("a", 72)
	attacker := &http.Client{}
	for range 3 {
		code, _ := status(attacker, "192.0.2.1", forged)
		require.Equal(t, 200, code)
	}
	code, after := status(attacker, "192.0.2.1", forged)
	require.Equal(t, http.StatusTooManyRequests, code)
	require.NotEmpty(t, after)
	code, _ = status(attacker, "192.0.2.2", forged)
	require.Equal(t, 200, code, "another address")
	code, _ = status(good, "192.0.2.1", "")
	require.Equal(t, 200, code, "a good cookie of the same address")
	code, _ = status(attacker, "192.0.2.1", "")
	require.Equal(t, 200, code, "no cookie")
}

// Nobody tells the server by headers where they come from, unless a trusted proxy does.
func TestForwardedIsNotBelieved(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Forwarded-For")+" "+r.Header.Get("X-Forwarded-Proto"))
	}))
	defer up.Close()
	for list, want := range map[string]string{"": "127.0.0.1 http", `"loopback"`: "192.0.2.1, 127.0.0.1 https"} {
		r := start(t, write(t, "trusted_proxies = ["+list+"]\n[[route]]\nupstream = \""+up.URL+"\"\n", nil), nil)
		q, err := http.NewRequest("GET", r.url, nil)
		require.NoError(t, err)
		q.Header.Set("X-Forwarded-For", "192.0.2.1")
		q.Header.Set("X-Forwarded-Proto", "https")
		resp, err := browser(t).Do(q)
		require.NoError(t, err)
		require.Equal(t, want, read(t, resp))
	}
}
