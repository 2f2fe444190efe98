package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/gateway"
)

// named is a handler that answers with its name.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, name+" "+r.URL.EscapedPath())
	})
}

func newGateway(t *testing.T, o gateway.Options) *httptest.Server {
	t.Helper()
	g, err := gateway.New(o)
	require.NoError(t, err)
	t.Cleanup(g.Close)
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return s
}

// gatewayTo returns a gateway with one route "/" to the handler as upstream.
func gatewayTo(t *testing.T, upstream http.HandlerFunc) *httptest.Server {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	return newGateway(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}}}})
}

func fetch(t *testing.T, u string) (int, string) {
	t.Helper()
	resp, err := http.Get(u)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestGatewayRoutesByPrefix(t *testing.T) {
	g, err := gateway.New(gateway.Options{Routes: []gateway.Route{
		{Prefix: "/app", Handler: named("app")},
		{Prefix: "/app/admin/", Handler: named("admin")},
		{Prefix: "/strip", Handler: named("strip"), StripPrefix: true},
		{Prefix: "/caf\u00e9", Handler: named("cafe"), StripPrefix: true},
	}})
	require.NoError(t, err)
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/app", 200, "app /app"},
		{"/app/", 200, "app /app/"},
		{"/app/x", 200, "app /app/x"},
		{"/apple", 404, ""},
		{"/APP", 404, ""},
		{"/app/admin", 200, "admin /app/admin"},
		{"/app/admin/x", 200, "admin /app/admin/x"},
		{"/app/administrator", 200, "app /app/administrator"},
		{"/app%2Fadmin", 200, "admin /app%2Fadmin"}, // as a WSGI server decodes it
		{"/strip", 200, "strip /"},
		{"/strip/", 200, "strip /"},
		{"/strip/a%2Fb", 200, "strip /a%2Fb"},
		{"/strip%2Fa", 200, "strip /a"},
		{"/stripped", 404, ""},
		{"/caf%C3%A9/x", 200, "cafe /x"},
		{"/", 404, ""},
		{"/app/../etc", 400, ""},
		{"/app/%2e%2e/etc", 400, ""},
		{"/app/./x", 400, ""},
		{"/app/..x", 200, "app /app/..x"},
	} {
		t.Run(c.path, func(t *testing.T) {
			rec := httptest.NewRecorder()
			g.ServeHTTP(rec, httptest.NewRequest("GET", "http://gateway"+c.path, nil))
			require.Equal(t, c.status, rec.Code)
			if c.status == 200 {
				require.Equal(t, c.body, rec.Body.String())
			}
		})
	}
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, httptest.NewRequest("CONNECT", "example.com:443", nil))
	require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
}

func TestGatewayUpstreamPath(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RequestURI, " ", r.Header.Get("X-Forwarded-Prefix"))
	}))
	defer up.Close()
	s := newGateway(t, gateway.Options{Routes: []gateway.Route{
		{Prefix: "/", Upstreams: []string{up.URL}},
		{Prefix: "/based", Upstreams: []string{up.URL + "/base%2Fx/"}},
		{Prefix: "/both", Upstreams: []string{up.URL + "/base"}, StripPrefix: true},
	}})
	for path, want := range map[string]string{
		"/a//b%2Fc?q=1;r=%zz":  "/a//b%2Fc?q=1;r=%zz ",
		"/?":                   "/? ",
		"/based/x":             "/base%2Fx/based/x ",
		"/both":                "/base/ /both",
		"/both/d%2Fe//f?x=a+b": "/base/d%2Fe//f?x=a+b /both",
	} {
		_, body := fetch(t, s.URL+path)
		require.Equal(t, want, body, path)
	}
}

func TestGatewayHeaders(t *testing.T) {
	seen := make(chan *http.Request, 1)
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.Header().Add("Set-Cookie", " beaker.session.id=abc; Path=/; httponly")
		w.Header().Add("Set-Cookie", "second=2")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.WriteHeader(http.StatusTeapot)
	})
	req, err := http.NewRequest("GET", s.URL+"/", nil)
	require.NoError(t, err)
	req.Host = "shop.example.com"
	cookie := `a[1]=2; sid="x y"; sid=\141; $Path=/`
	req.Header = http.Header{
		"Cookie":             {cookie},
		"X-Forwarded-For":    {"6.6.6.6"},
		"X-Forwarded-Proto":  {"https"},
		"X-Forwarded-Prefix": {"/evil"},
		"X_forwarded_user":   {"root"},
		"SCRIPT_NAME":        {"/evil"},
		"Remote_user":        {"root"},
		"X-Script-Name":      {"/evil"},
		"Proxy":              {"http://evil"},
		"Forwarded":          {"for=6.6.6.6"},
		"X-Real-Ip":          {"6.6.6.6"},
		"Connection":         {"X-Drop"},
		"X-Drop":             {"1"},
		"X-Keep":             {"1"},
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusTeapot, resp.StatusCode)
	require.Equal(t, []string{"beaker.session.id=abc; Path=/; httponly", "second=2"}, resp.Header["Set-Cookie"])
	require.Empty(t, resp.Header["X-Hop"])

	r := <-seen
	require.Equal(t, "shop.example.com", r.Host)
	require.Equal(t, []string{cookie}, r.Header["Cookie"], "cookies pass untouched")
	require.Equal(t, []string{"127.0.0.1"}, r.Header["X-Forwarded-For"])
	require.Equal(t, []string{"http"}, r.Header["X-Forwarded-Proto"])
	require.Equal(t, []string{"shop.example.com"}, r.Header["X-Forwarded-Host"])
	for _, gone := range []string{"X-Forwarded-Prefix", "X_forwarded_user", "SCRIPT_NAME", "Remote_user", "X-Script-Name", "Proxy", "Forwarded", "X-Real-Ip", "X-Drop", "Connection"} {
		require.Empty(t, r.Header[gone], gone)
	}
	require.Equal(t, "1", r.Header.Get("X-Keep"))
}

func TestGatewayStreams(t *testing.T) {
	next := make(chan struct{})
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			w.(http.Flusher).Flush()
			<-next // not before the client has read what was flushed
		}
	})
	resp, err := http.Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
		next <- struct{}{}
	}
	_, err = lines.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// What an application flushes passes on although more is to come, also of a body whose
// length is known, be it small or large.
func TestGatewayFlushesKnownLength(t *testing.T) {
	for _, size := range []int{1, 2000, 20_000} {
		seen := make(chan struct{})
		s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(2*size))
			for range 2 {
				io.WriteString(w, strings.Repeat("x", size))
				http.NewResponseController(w).Flush()
				<-seen
			}
		})
		resp, err := http.Get(s.URL)
		require.NoError(t, err)
		defer resp.Body.Close()
		for range 2 {
			_, err := io.ReadFull(resp.Body, make([]byte, size))
			require.NoError(t, err)
			seen <- struct{}{}
		}
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Empty(t, rest)
	}
}

// The client sends each part of the body after the upstream has read the one
// before: that works only if the gateway does not wait for the whole.
func TestGatewayStreamsRequestBody(t *testing.T) {
	read := make(chan string)
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		for in := bufio.NewReader(r.Body); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			read <- line
		}
	})
	body, send := io.Pipe()
	go func() {
		for _, line := range []string{"one\n", "two\n"} {
			io.WriteString(send, line)
			<-read
		}
		send.Close()
	}()
	resp, err := http.Post(s.URL, "text/plain", body)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
}

func TestGatewayBigBodies(t *testing.T) {
	const size = 16 << 20
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n != size {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		io.CopyN(w, zeros{}, size)
	})
	resp, err := http.Post(s.URL, "application/octet-stream", io.LimitReader(zeros{}, size))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestGatewayUpgrade(t *testing.T) {
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Cookie: "+r.Header.Get("Cookie")+"\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		io.WriteString(rw, "echo "+line)
		rw.Flush()
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nCookie: sid=abc\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.Equal(t, "sid=abc", resp.Header.Get("X-Cookie"))
	fmt.Fprint(conn, "hello\n")
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", line)
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the upstream closed, so does the gateway")
}

// A connection upgraded to another protocol would carry requests past the routes.
func TestGatewayUpgradesToWebSocketOnly(t *testing.T) {
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["Upgrade"], r.Header["Http2-Settings"])
	})
	req, err := http.NewRequest("GET", s.URL, nil)
	require.NoError(t, err)
	req.Header = http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABkAAQAAP__"}}
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "[] []", string(body))
}

func TestGatewayClientLeaves(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	require.NoError(t, err)
	go func() { <-arrived; cancel() }()
	_, err = http.DefaultClient.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	<-left // the upstream learns of it
}

func TestGatewayUpstreamDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	l.Close()
	var log bytes.Buffer
	s := newGateway(t, gateway.Options{
		Routes: []gateway.Route{
			{Prefix: "/tcp", Upstreams: []string{"http://" + addr}},
			{Prefix: "/unix", Upstreams: []string{"unix:" + filepath.Join(t.TempDir(), "gone.sock")}},
		},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for _, path := range []string{"/tcp", "/unix"} {
		status, body := fetch(t, s.URL+path+"?token=hidden")
		require.Equal(t, http.StatusBadGateway, status)
		require.Contains(t, body, "does not answer")
		require.NotContains(t, body, addr)
	}
	s.Close() // the log is complete now
	require.Contains(t, log.String(), "upstream failed")
	require.Contains(t, log.String(), addr)
	require.NotContains(t, log.String(), "hidden")
}

func TestGatewayUpstreamTimeout(t *testing.T) {
	release := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(up.Close)
	t.Cleanup(func() { close(release) })
	s := newGateway(t, gateway.Options{
		Routes:          []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}}},
		ResponseTimeout: time.Nanosecond,
	})
	status, body := fetch(t, s.URL)
	require.Equal(t, http.StatusGatewayTimeout, status)
	require.Contains(t, body, "too long")
}

func TestGatewayUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "app.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	up := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+r.URL.Path) })}}
	up.Start()
	defer up.Close()
	s := newGateway(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{"unix:" + socket}}}})
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	_, body := fetch(t, s.URL+"/x")
	require.Equal(t, u.Host+"/x", body)
}

// A response that breaks off in the upstream must not look complete.
func TestGatewayUpstreamBreaksOff(t *testing.T) {
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	resp, err := http.Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "half", string(body))
}

func TestGatewayTrailersAndEarlyHints(t *testing.T) {
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	})
	var hints []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints = append(hints, code); return nil },
	})
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, []int{http.StatusEarlyHints}, hints)
	require.Equal(t, "42", resp.Trailer.Get("X-Sum"))
}

func ExampleNew() {
	old := httptest.NewServer(named("python")) // stands for the old application
	defer old.Close()
	gateway, err := gateway.New(gateway.Options{Routes: []gateway.Route{
		{Prefix: "/", Upstreams: []string{old.URL}},
		{Prefix: "/new", Handler: named("go"), StripPrefix: true},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gateway.Close()
	for _, path := range []string{"/cart", "/new/cart", "/newer"} {
		rec := httptest.NewRecorder()
		gateway.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		fmt.Println(rec.Body)
	}
	// Output:
	// python /cart
	// go /cart
	// python /newer
}

func TestNewRefuses(t *testing.T) {
	h := named("x")
	for name, c := range map[string]struct {
		routes []gateway.Route
		want   string
	}{
		"no slash":        {[]gateway.Route{{Prefix: "app", Handler: h}}, "begins with /"},
		"empty prefix":    {[]gateway.Route{{Handler: h}}, "begins with /"},
		"dots":            {[]gateway.Route{{Prefix: "/a/../b", Handler: h}}, "plain path"},
		"escape":          {[]gateway.Route{{Prefix: "/a%20b", Handler: h}}, "plain path"},
		"nothing":         {[]gateway.Route{{Prefix: "/"}}, "has no upstream"},
		"both":            {[]gateway.Route{{Prefix: "/", Handler: h, Upstreams: []string{"http://a"}}}, "not both"},
		"other scheme":    {[]gateway.Route{{Prefix: "/", Upstreams: []string{"ftp://a"}}}, "http://host:port"},
		"no scheme":       {[]gateway.Route{{Prefix: "/", Upstreams: []string{"localhost:80"}}}, "http://host:port"},
		"query":           {[]gateway.Route{{Prefix: "/", Upstreams: []string{"http://a/?b"}}}, "no user, query"},
		"relative socket": {[]gateway.Route{{Prefix: "/", Upstreams: []string{"unix:app.sock"}}}, "absolute path"},
		"twice":           {[]gateway.Route{{Prefix: "/a", Handler: h}, {Prefix: "/a/", Handler: h}}, "two routes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gateway.New(gateway.Options{Routes: c.routes})
			require.ErrorIs(t, err, gateway.ErrConfig)
			require.ErrorContains(t, err, c.want)
		})
	}
}
