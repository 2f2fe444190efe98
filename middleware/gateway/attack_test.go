package gateway_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/gateway"
)

// rawServer is a gateway on a connection that takes any bytes, before an upstream whose
// every byte is written down.
type rawServer struct {
	*httptest.Server
	upstream *httptest.Server
	saw      *seen
}

func rawGateway(t *testing.T, transcript *syncBuffer, o gateway.Options, routes func(url string) []gateway.Route) *rawServer {
	t.Helper()
	s := &rawServer{saw: &seen{}}
	s.upstream = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			s.saw.add(r)
		}
	}))
	s.upstream.Listener = &tapped{Listener: s.upstream.Listener, out: transcript}
	s.upstream.Start()
	t.Cleanup(s.upstream.Close)
	o.Routes = routes(s.upstream.URL)
	g := build(t, o)
	s.Server = httptest.NewUnstartedServer(g)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.Config.MaxHeaderBytes = 64 << 10
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// send sends bytes on a connection of their own and returns the statuses of all answers,
// of which it expects n before it says that nothing more comes.
func (s *rawServer) send(t *testing.T, raw string, n int) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	go io.WriteString(conn, raw)
	for in := bufio.NewReader(conn); ; {
		if len(statuses) == n {
			conn.(*net.TCPConn).CloseWrite()
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode >= 200 {
			statuses = append(statuses, resp.StatusCode)
		}
	}
}

type tapped struct {
	net.Listener
	out *syncBuffer
}

func (l *tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tappedConn{c, l}, nil
}

type tappedConn struct {
	net.Conn
	l *tapped
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.out.Write(p[:n])
	return n, err
}

const smuggled = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"

// What two readers of the same bytes may take for one request or two, and what the
// upstream gets of it: each request that was decided on, framed in one way only.
func TestSmuggling(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: x\r\n"
	chunkedBody := func(size, data string) string {
		return post + "Transfer-Encoding: chunked\r\n\r\n" + size + "\r\n" + data + "\r\n0\r\n\r\n"
	}
	for name, c := range map[string]struct {
		raw      string
		statuses []int
		upstream []string // method and target
	}{
		"two requests in a row":            {post + "Content-Length: 1\r\n\r\na" + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n", []int{200, 200}, []string{"POST /", "GET /b"}},
		"the second is for the admin":      {post + "Content-Length: 1\r\n\r\na" + smuggled, []int{200, 401}, []string{"POST /"}},
		"in the body":                      {post + "Content-Length: 33\r\n\r\n" + smuggled + "a", []int{200}, []string{"POST /"}},
		"CL.TE":                            {post + "Content-Length: 35\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{200, 401}, []string{"POST /"}},
		"TE.CL":                            {post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n20\r\n" + smuggled + "\r\n0\r\n\r\n", []int{200}, []string{"POST /"}},
		"two lengths":                      {post + "Content-Length: 0\r\nContent-Length: 32\r\n\r\n" + smuggled, []int{400}, nil},
		"the same length twice":            {post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", []int{200}, []string{"POST /"}},
		"two lengths in a list":            {post + "Content-Length: 0, 34\r\n\r\n" + smuggled, []int{400}, nil},
		"length with a sign":               {post + "Content-Length: +0\r\n\r\n" + smuggled, []int{400}, nil},
		"negative length":                  {post + "Content-Length: -1\r\n\r\n" + smuggled, []int{400}, nil},
		"length with a base":               {post + "Content-Length: 0x22\r\n\r\n" + smuggled, []int{400}, nil},
		"empty length":                     {post + "Content-Length: \r\n\r\n" + smuggled, []int{400}, nil},
		"huge length":                      {post + "Content-Length: 99999999999999999999\r\n\r\n" + smuggled, []int{400}, nil},
		"space before the colon":           {post + "Content-Length : 34\r\n\r\n" + smuggled, []int{400}, nil},
		"TE space before the colon":        {post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{400}, nil},
		"TE unknown":                       {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled, []int{501}, nil},
		"TE identity":                      {post + "Transfer-Encoding: identity\r\nContent-Length: 32\r\n\r\n" + smuggled, []int{501}, nil},
		"TE in a list":                     {post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled, []int{501}, nil},
		"TE gzip":                          {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{501}, nil},
		"TE twice":                         {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + smuggled, []int{501}, nil},
		"TE with a tab":                    {post + "Transfer-Encoding:\tchunked\r\nContent-Length: 32\r\n\r\n0\r\n\r\n" + smuggled, []int{200, 401}, []string{"POST /"}},
		"TE with a vertical tab":           {post + "Transfer-Encoding: \vchunked\r\nContent-Length: 32\r\n\r\n0\r\n\r\n" + smuggled, []int{400}, nil},
		"TE in other case":                 {post + "tRANSFER-eNCODING: CHUNKED\r\nContent-Length: 32\r\n\r\n0\r\n\r\n" + smuggled, []int{200, 401}, []string{"POST /"}},
		"TE with an underscore":            {post + "Transfer_Encoding: chunked\r\nContent-Length: 32\r\n\r\n" + smuggled, []int{200}, []string{"POST /"}},
		"TE folded":                        {post + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 32\r\n\r\n0\r\n\r\n" + smuggled, []int{200, 401}, []string{"POST /"}},
		"TE in HTTP/1.0":                   {"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{200}, []string{"POST /"}}, // it has no body, and nothing comes after it
		"TE named in Connection":           {post + "Connection: Transfer-Encoding, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", []int{200}, []string{"POST /"}},
		"length named in Connection":       {post + "Connection: Content-Length\r\nContent-Length: 1\r\n\r\na", []int{200}, []string{"POST /"}},
		"chunk size of garbage":            {chunkedBody("zz", "a"), []int{400}, nil},
		"chunk size with a sign":           {chunkedBody("+1", "a"), []int{400}, nil},
		"chunk size with 0x":               {chunkedBody("0x1", "a"), []int{400}, nil},
		"chunk size that wraps":            {chunkedBody("10000000000000001", "a"), []int{400}, nil},
		"chunk with an extension":          {chunkedBody("1;a=b", "a"), []int{200}, []string{"POST /"}},
		"chunk longer than it says":        {chunkedBody("1", "ab"), []int{400}, nil},
		"chunk size ends with a bare LF":   {post + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", []int{400}, nil},
		"LF in a chunk extension":          {post + "Transfer-Encoding: chunked\r\n\r\n1;x\na\r\n0\r\n\r\n", []int{400}, nil},
		"bare LF":                          {"GET / HTTP/1.1\nHost: x\n\n", []int{200}, []string{"GET /"}},
		"bare CR":                          {"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rTransfer-Encoding: chunked\r\n\r\n", []int{400}, nil},
		"NUL in a value":                   {"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\x00c\r\n\r\n", []int{400}, nil},
		"NUL in a name":                    {"GET / HTTP/1.1\r\nHost: x\r\nX\x00A: b\r\n\r\n", []int{400}, nil},
		"space in a name":                  {"GET / HTTP/1.1\r\nHost: x\r\nContent Length: 5\r\n\r\n", []int{400}, nil},
		"header without a name":            {"GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", []int{400}, nil},
		"header without a colon":           {"GET / HTTP/1.1\r\nHost: x\r\nGET /admin HTTP/1.1\r\n\r\n", []int{400}, nil},
		"space before the first header":    {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", []int{400}, nil},
		"two hosts":                        {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", []int{400}, nil},
		"no host":                          {"GET / HTTP/1.1\r\n\r\n", []int{400}, nil},
		"host with a path":                 {"GET / HTTP/1.1\r\nHost: x/admin\r\n\r\n", []int{400}, nil},
		"absolute form":                    {"GET http://y/b HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}, []string{"GET /b"}},
		"absolute form of the admin":       {"GET http://y/admin HTTP/1.1\r\nHost: x\r\n\r\n", []int{401}, nil},
		"absolute form without path":       {"GET http://y HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}, []string{"GET /"}},
		"opaque":                           {"GET x:admin HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"opaque escaped":                   {"GET http:%2fadmin HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"asterisk":                         {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}, nil}, // net/http answers it
		"asterisk of another method":       {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"no slash":                         {"GET admin HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"fragment":                         {"GET /b#/../admin HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"space in the target":              {"GET /b HTTP/1.1 /admin HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"authority form":                   {"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", []int{405}, nil},
		"CONNECT with a path":              {"CONNECT /admin HTTP/1.1\r\nHost: x\r\n\r\n", []int{405}, nil},
		"TRACE":                            {"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", []int{405}, nil},
		"lower case method":                {"get / HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"method with odd characters":       {"GE(T / HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"unknown method":                   {"PURGE /b HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}, []string{"PURGE /b"}},
		"HTTP/2 preface":                   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400}, nil},
		"h2c upgrade":                      {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + smuggled, []int{200, 401}, []string{"GET /"}},
		"upgrade that is not taken":        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n\r\n" + smuggled, []int{200, 401}, []string{"GET /"}},
		"body of a GET":                    {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\n" + smuggled, []int{200}, []string{"GET /"}},
		"method override":                  {post + "X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n\r\n", []int{200}, []string{"POST /"}},
		"expectation of something else":    {post + "Expect: 200-maybe\r\nContent-Length: 1\r\n\r\na", []int{417}, nil},
		"header after the end of chunks":   {post + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 32\r\nTransfer-Encoding: x\r\n\r\n" + smuggled, []int{200, 401}, []string{"POST /"}},
		"a bomb of headers":                {"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 20000) + "\r\n", []int{431}, nil},
		"a bomb of cookies":                {"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("a=b; ", 50000) + "\r\n\r\n", []int{431}, nil},
		"a bomb of a target":               {"GET /" + strings.Repeat("a", 200000) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{431}, nil},
		"a bomb of encodings":              {"GET /%" + strings.Repeat("25", 20000) + "61 HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"a bomb of slashes in the path":    {"GET /" + strings.Repeat("/%2f", 10000) + "admin HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, nil},
		"a bomb of empty forwarded values": {"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + strings.Repeat(",", 50000) + "\r\n\r\n", []int{200}, []string{"GET /"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // net/http lingers over what it refuses
			w := newWorld(t)
			var raw syncBuffer
			s := rawGateway(t, &raw, gateway.Options{Sessions: w.sessions}, func(url string) []gateway.Route {
				return []gateway.Route{
					{Prefix: "/", Upstreams: []string{url}},
					{Prefix: "/admin", Upstreams: []string{url}, Identity: users(t)},
					{Prefix: "/items", Methods: []string{"DELETE"}, Upstreams: []string{url}},
				}
			})
			require.Equal(t, c.statuses, s.send(t, c.raw, len(c.statuses)))
			s.Close()
			s.upstream.Close()
			var got []string
			for _, r := range s.saw.take() {
				got = append(got, r.Method+" "+r.RequestURI)
				require.Empty(t, r.Header["X-Http-Method-Override"])
			}
			require.Equal(t, c.upstream, got)
			requireCleanFraming(t, raw.String())
		})
	}
}

var (
	requestLine = regexp.MustCompile(`^[A-Z]+ /[!-~]* HTTP/1\.1$`)
	headerLine  = regexp.MustCompile(`^([A-Za-z0-9-]+): ([\t -~\x80-\xff]*)$`)
)

// requireCleanFraming checks the heads of all requests that the upstream got: there is one
// way to read them.
func requireCleanFraming(t *testing.T, raw string) {
	t.Helper()
	for in := bufio.NewReader(strings.NewReader(raw)); ; {
		var lines []string
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				require.Empty(t, lines, "a head that breaks off")
				return
			}
			require.True(t, strings.HasSuffix(line, "\r\n"), "%q", line)
			if line == "\r\n" {
				break
			}
			lines = append(lines, strings.TrimSuffix(line, "\r\n"))
		}
		require.NotEmpty(t, lines)
		require.Regexp(t, requestLine, lines[0])
		framing := map[string]string{}
		for _, line := range lines[1:] {
			m := headerLine.FindStringSubmatch(line)
			require.NotNil(t, m, "%q", line)
			switch name := http.CanonicalHeaderKey(m[1]); name {
			case "Content-Length", "Transfer-Encoding", "Host":
				require.NotContains(t, framing, name)
				framing[name] = m[2]
			}
		}
		require.Contains(t, framing, "Host")
		length, chunked := framing["Content-Length"], framing["Transfer-Encoding"]
		switch {
		case chunked != "":
			require.Equal(t, "chunked", chunked)
			require.Empty(t, length)
			if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(in)); err != nil {
				return // broken off, and the connection with it
			}
			for line := ""; line != "\r\n"; { // trailers
				var err error
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
		case length != "":
			n, err := strconv.ParseInt(length, 10, 64)
			require.NoError(t, err)
			if _, err := io.CopyN(io.Discard, in, n); err != nil {
				return
			}
		}
	}
}

// A client that says more than it sends is the one to blame, not the upstream.
func TestBodyBreaksOff(t *testing.T) {
	var raw syncBuffer
	var log syncBuffer
	var attempts []gateway.Attempt
	s := rawGateway(t, &raw, gateway.Options{
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
		Observe: func(a gateway.Attempt) { attempts = append(attempts, a) },
	}, func(url string) []gateway.Route {
		return []gateway.Route{{Prefix: "/", Upstreams: []string{url}, Retries: 1}}
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	// Whether the client has left or its body is bad is the same event to net/http.
	require.Contains(t, []int{http.StatusBadRequest, http.StatusBadGateway}, resp.StatusCode)
	s.Close()
	s.upstream.Close()
	require.Len(t, attempts, 1)
	require.Empty(t, s.saw.take())
	require.NotContains(t, log.String(), "level=ERROR")
}

// Applications that read a path otherwise than the gateway: none of them can be led to the
// admin's pages by a path that the gateway takes for another, nor to others by one that it
// takes for the public ones.
func TestPathTricks(t *testing.T) {
	w := newWorld(t)
	url, saw := recorder(t, "app")
	policy := users(t)
	protectedBelow := build(t, gateway.Options{Sessions: w.sessions, Routes: []gateway.Route{
		{Prefix: "/", Upstreams: []string{url}},
		{Prefix: "/admin", Upstreams: []string{url}, Identity: policy},
		{Prefix: "/Reports", Upstreams: []string{url}, Identity: policy},
		{Prefix: "/api", Upstreams: []string{url}, StripPrefix: true},
	}})
	openBelow := build(t, gateway.Options{Sessions: w.sessions, Routes: []gateway.Route{
		{Prefix: "/", Upstreams: []string{url}, Identity: policy},
		{Prefix: "/public", Upstreams: []string{url}},
	}})
	// Of the routes below, 401 is the check, and 400 the refusal.
	for target, want := range map[string]int{
		"/admin": 401, "/admin/": 401, "/admin/x": 401, "/%61dmin": 401, "/admin%2Fx": 400, "/admin;x": 400, "/admin;/x": 400, "/admin/;x": 401,
		"//admin": 400, "/%2fadmin": 400, "/%2Fadmin": 400, "///admin": 400, `/\admin`: 400, "/%5cadmin": 400, "/;/admin": 400, "/;x=1/admin": 400,
		"/x/../admin": 400, "/x/%2e%2e/admin": 400, "/x/%2E%2E%2Fadmin": 400, "/x/..%2fadmin": 400, "/x/..;/admin": 400, "/./admin": 400, "/%2e/admin": 400,
		"/x/%252e%252e/admin": 400, "/%2561dmin": 400, "/%252fadmin": 400, "/%25252fadmin": 400, "/x%5c..%5cadmin": 400, `/x\..\admin`: 400,
		"/%c0%ae%c0%ae/admin": 400, "/%c0%afadmin": 400, "/%e0%80%afadmin": 400, "/x/%c0%ae./admin": 400,
		"/admin%00": 400, "/admin%00.css": 400, "/x%00/../admin": 400, "/admin%0a": 400, "/admin%3f": 400, "/admin%23": 400, "/admin?x": 401, "/admin%253fx": 400,
		"/Admin": 400, "/ADMIN/x": 400, "/admin.": 400, "/admin%20": 400, "/admin./x": 400, "/aDMIN%20./": 400,
		"/Reports": 401, "/%52eports": 401, "/reports": 400, "/REPORTS/x": 400, "/reports.": 400, "/reportsx": 200,
		"//a/admin": 400, "///a/admin": 400, `/\a/admin`: 400, "/%5Ca/admin": 400, "/%2Fa/admin": 400, "/%252fa/admin": 400, "/;/a/admin": 400, "//x": 400,
		"/api/%252fa/admin": 400, "/api/%255ca/admin": 400, "/api/;/a/admin": 400,
		"/administrator": 200, "/adminx": 200, "/x/admin": 200, "/x//admin": 200, "/x;y": 200, "/x/a%2Fb": 200, "/Other": 200, "/wiki/C++;_a": 200, "/100%25": 200, "/x..y": 200,
		"/...": 200, "/caf%C3%A9": 200, "/caf%E9": 200, "/%C0": 200, "/x%5Cy": 200, "/a%20b": 200, "/@:!$&'()*+,=": 200, "/api/admin": 200, "/api/..admin": 200, "/api../admin": 200,
		"/api/../admin": 400, "/api//admin": 200, "/api%2fadmin": 400, "/api;/admin": 400,
	} {
		resp := ask(protectedBelow, "GET", "http://x"+target)
		require.Equal(t, want, resp.StatusCode, target)
		require.Len(t, saw.take(), map[int]int{200: 1}[want], target)
	}
	for target, want := range map[string]int{
		"/public": 200, "/public/x": 200, "/public/x;y": 200, "/public/a%2Fb": 200, "/public//x": 200, "/publicx": 401, "/public%2fx": 400, "/public/..%2fx": 400, "//public": 400,
		"/public;x": 400, "/public/../x": 400, "/public/%2e%2e/x": 400, "/public%5cx": 400, "/public/..;/x": 400, "/public;%2Fadmin/x": 400, "/public/x;%2F..%2Fa": 400,
		"/PUBLIC": 401, "/x": 401, // checked, whatever the application makes of the case
	} {
		resp := ask(openBelow, "GET", "http://x"+target)
		require.Equal(t, want, resp.StatusCode, target)
		require.Len(t, saw.take(), map[int]int{200: 1}[want], target)
	}
	// Taken off, a prefix leaves no host behind.
	require.Equal(t, 200, ask(protectedBelow, "GET", "http://x/api//evil.example/..x").StatusCode)
	require.Equal(t, "/evil.example/..x", saw.take()[0].RequestURI)
	for _, target := range []string{`/api/\evil.example`, "/api/%5cevil.example", "/api/%5C%2f/evil.example", "/api//%2Fevil.example", `/api\/evil.example`} {
		if resp := ask(protectedBelow, "GET", "http://x"+target); resp.StatusCode != 400 {
			require.Equal(t, "/evil.example", saw.take()[0].RequestURI, target)
		}
	}
}

// A response that says more than one thing does not become two.
func TestResponseSplitting(t *testing.T) {
	for name, raw := range map[string]string{
		"CR and LF":              "HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
		"name with a space":      "HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n",
		"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n",
		"more than its length":   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n",
		"both framings":          "HTTP/1.1 200 OK\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n",
		"body of a 204":          "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n",
		"status of two digits":   "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
		"no HTTP":                "SSH-2.0-OpenSSH\r\n\r\n",
		"a bomb of headers":      "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 20000) + "\r\n",
		"informational for ever": strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 100000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
							io.WriteString(conn, raw)
						}
					}()
				}
			}()
			s := newGateway(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{"http://" + l.Addr().String()}}}})
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			answers := 0
			for in := bufio.NewReader(conn); ; {
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					break
				}
				require.Empty(t, resp.Header["X-Evil"])
				require.Empty(t, resp.Header["Set-Cookie"])
				_, _ = io.Copy(io.Discard, resp.Body)
				if resp.StatusCode >= 200 {
					answers++
				}
			}
			require.LessOrEqual(t, answers, 2)
			require.GreaterOrEqual(t, answers, 1, "the client is told something")
		})
	}
}
