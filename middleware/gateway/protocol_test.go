package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/gateway"
)

// secure serves a handler by TLS with HTTP/2.
func secure(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestHTTP2In(t *testing.T) {
	url, saw := recorder(t, "x")
	s := secure(t, build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Hosts: []string{"127.0.0.1"}, Upstreams: []string{url}}}}))
	req, err := http.NewRequest("POST", s.URL+"/a%2Fb?q=1;r", strings.NewReader("body"))
	require.NoError(t, err)
	// A client may send one line for each cookie.
	req.Header["Cookie"] = []string{"a=1", "beaker.session.id=x"}
	resp, err := s.Client().Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 2, resp.ProtoMajor)
	require.Equal(t, "x", upstreamOf(resp))
	r := saw.take()[0]
	require.Equal(t, "HTTP/1.1", r.Proto)
	require.Equal(t, "/a%2Fb?q=1;r", r.RequestURI)
	require.Equal(t, "https", r.Header.Get("X-Forwarded-Proto"))
	require.Equal(t, "a=1; beaker.session.id=x", strings.Join(r.Header["Cookie"], "; "))
}

// A stream both ways at once, over HTTP/2 to the gateway and from it, with trailers: what
// gRPC needs.
func TestBidirectionalStream(t *testing.T) {
	up := h2cUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("X-Proto", r.Proto+" "+r.Header.Get("Te"))
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		for in := bufio.NewScanner(r.Body); in.Scan(); {
			fmt.Fprintln(w, "echo", in.Text())
			http.NewResponseController(w).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})
	s := secure(t, build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up}}}}))
	body, send := io.Pipe()
	req, err := http.NewRequest("POST", s.URL, body)
	require.NoError(t, err)
	req.Header.Set("Te", "trailers")
	resp, err := s.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, "HTTP/2.0 trailers", resp.Header.Get("X-Proto"))
	in := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two"} {
		fmt.Fprintln(send, word)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "echo "+word+"\n", line)
	}
	send.Close()
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "0", resp.Trailer.Get("Grpc-Status"))
}

func TestRequestTrailers(t *testing.T) {
	got := make(chan http.Header, 1)
	s := gatewayTo(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Trailer.Set("Body", string(body))
		got <- r.Trailer
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Forwarded-For, Cookie\r\n\r\n"+
		"4\r\nabcd\r\n0\r\nX-Sum: 42\r\nX-Forwarded-For: 6.6.6.6\r\nCookie: a=b\r\nX-Late: 1\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, http.Header{"X-Sum": {"42"}, "Body": {"abcd"}}, <-got)
}

// An upstream that refuses a body does not get it, nor does the client send it.
func TestExpectContinue(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Take") == "" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		io.Copy(w, r.Body)
	}))
	t.Cleanup(up.Close)
	s := newGateway(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}}}})
	for _, take := range []bool{false, true} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		header := ""
		if take {
			header = "X-Take: 1\r\n"
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\n%sExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", header)
		in := bufio.NewReader(conn)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		if !take {
			require.Contains(t, line, "417", "it is told before it has sent anything")
			continue
		}
		require.Contains(t, line, "100 Continue")
		_, err = in.ReadString('\n')
		require.NoError(t, err)
		fmt.Fprint(conn, "body")
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 4))
		require.NoError(t, err)
		require.Equal(t, "body", string(body))
	}
}

// What stands in the header before, an id or a security header, is in the response also
// after early hints.
func TestEarlyHintsKeepOuterHeaders(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("X-Frame-Options", "upstream")
	}))
	t.Cleanup(up.Close)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(broken.Close)
	g := build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}}, {Prefix: "/broken", Upstreams: []string{broken.URL}}}})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "17")
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	for path, status := range map[string]int{"/": 200, "/broken": 502} {
		var hints int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil },
		})
		req, err := http.NewRequestWithContext(ctx, "GET", s.URL+path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, status, resp.StatusCode)
		require.Equal(t, 1, hints)
		require.Equal(t, []string{"17"}, resp.Header["X-Request-Id"])
		require.Empty(t, resp.Header["Link"])
	}
}

// upgrade asks for a WebSocket on a new connection.
func upgrade(t *testing.T, s *httptest.Server, header string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"+header+"\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	return conn, in, resp
}

// socket is an upstream that echoes on WebSockets.
func socket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "no upgrade in "+r.Proto, http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-User: %s\r\n\r\n", strings.Join(r.Header["Remote-User"], ","))
	rw.Flush()
	io.Copy(conn, rw)
}

func TestUpgradeToOthers(t *testing.T) {
	overTLS := httptest.NewUnstartedServer(http.HandlerFunc(socket))
	overTLS.EnableHTTP2 = true
	overTLS.StartTLS()
	t.Cleanup(overTLS.Close)
	s := newGateway(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{overTLS.URL}, TLS: gateway.TLS{Insecure: true}}}})
	conn, in, resp := upgrade(t, s, "")
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode, "asked by HTTP/1.1, though there is HTTP/2")
	fmt.Fprintln(conn, "hello")
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)

	s = newGateway(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{h2cUpstream(t, socket)}}}})
	_, _, resp = upgrade(t, s, "")
	require.Equal(t, http.StatusUpgradeRequired, resp.StatusCode, "the application says what it makes of it")
}

func TestUpgradeThatNobodyAskedFor(t *testing.T) {
	s := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.URL.Query().Get("to")+"\r\n\r\n")
		rw.Flush()
	})
	status, _ := fetch(t, s.URL+"/?to=websocket")
	require.Equal(t, http.StatusBadGateway, status)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET /?to=h2c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadGateway, resp.StatusCode)
}

func TestBodyTooLong(t *testing.T) {
	url, _ := recorder(t, "x")
	g := build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{url}}}})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 3)
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	resp, err := http.Post(s.URL, "text/plain", strings.NewReader("body"))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
}
