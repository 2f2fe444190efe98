package telemetry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/gateway"
)

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// last returns the attributes of the last line.
func (l *lines) last(t *testing.T) map[string]any {
	t.Helper()
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(all[len(all)-1]), &m), "%s", all)
	return m
}

// ticking is a clock that moves by a second each time it is looked at.
func ticking() func() time.Time {
	var mu sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
}

func trusting(t *testing.T, list ...string) forwarded.Trusted {
	t.Helper()
	trusted, err := forwarded.Parse(list)
	require.NoError(t, err)
	return trusted
}

// routed returns a gateway whose only route is answered by h.
func routed(t *testing.T, name string, h http.HandlerFunc) http.Handler {
	t.Helper()
	g, err := gateway.New(gateway.Options{Routes: []gateway.Route{{Name: name, Prefix: "/", Handler: h}}})
	require.NoError(t, err)
	t.Cleanup(g.Close)
	return g
}

func TestRequestID(t *testing.T) {
	for name, c := range map[string]struct {
		trusted []string
		header  http.Header
		taken   bool
	}{
		"none":         {[]string{"loopback"}, nil, false},
		"of a proxy":   {[]string{"loopback"}, http.Header{"X-Request-Id": {"Root=1-67891233:abc_def.0/+@"}}, true},
		"of a client":  {nil, http.Header{"X-Request-Id": {"0123456789abcdef"}}, false},
		"too short":    {[]string{"loopback"}, http.Header{"X-Request-Id": {"1234567"}}, false},
		"longest":      {[]string{"loopback"}, http.Header{"X-Request-Id": {strings.Repeat("a", 128)}}, true},
		"too long":     {[]string{"loopback"}, http.Header{"X-Request-Id": {strings.Repeat("a", 129)}}, false},
		"two":          {[]string{"loopback"}, http.Header{"X-Request-Id": {"0123456789", "0123456789"}}, false},
		"a blank":      {[]string{"loopback"}, http.Header{"X-Request-Id": {"01234 56789"}}, false},
		"a line break": {[]string{"loopback"}, http.Header{"X-Request-Id": {"01234\r\nSet-Cookie: x"}}, false},
		"a quote":      {[]string{"loopback"}, http.Header{"X-Request-Id": {`"><script>alert(1)`}}, false},
		"not ASCII":    {[]string{"loopback"}, http.Header{"X-Request-Id": {"ünïcödé-id"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var upstream []string
			var inContext string
			var log lines
			m := NewMetrics(Options{Random: strings.NewReader(strings.Repeat("\x00\x01\xfe\xff", 4))})
			h := m.Wrap("gateway", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				upstream, inContext = r.Header["X-Request-Id"], RequestID(r.Context())
			}), NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true, Trusted: trusting(t, c.trusted...)})
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "127.0.0.1:1234"
			for k, v := range c.header {
				r.Header[k] = v
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			want := "0001feff0001feff0001feff0001feff"
			if c.taken {
				want = c.header.Get("X-Request-Id")
			}
			require.Equal(t, []string{want}, upstream)
			require.Equal(t, want, inContext)
			require.Equal(t, []string{want}, rec.Header()["X-Request-Id"])
			require.Equal(t, want, log.last(t)["request_id"])
			require.Equal(t, 1, strings.Count(log.String(), "request_id"))
		})
	}
	require.Empty(t, RequestID(t.Context()))
}

func FuzzRequestID(f *testing.F) {
	f.Add("0123456789abcdef")
	f.Add("a\r\nb-----")
	f.Fuzz(func(t *testing.T, id string) {
		h := http.Header{}
		h.Set(requestIDHeader, id)
		got := givenID(h)
		require.True(t, got == "" || got == id)
		for _, c := range got {
			require.True(t, c > ' ' && c < 0x7f && !strings.ContainsRune("\"'<>,;\\`", c))
		}
		require.LessOrEqual(t, len(got), maxRequestID)
	})
}

// TestUpstreamsRequestID: an answer has one id, ours, also after early hints.
func TestUpstreamsRequestID(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Request-Id", "the-upstreams-own")
		io.WriteString(w, r.Header.Get("X-Request-Id"))
	}))
	defer up.Close()
	u, err := url.Parse(up.URL)
	require.NoError(t, err)
	m := NewMetrics(Options{})
	s := httptest.NewServer(m.Wrap("gateway", httputil.NewSingleHostReverseProxy(u), slog.New(slog.DiscardHandler), LogOptions{}))
	defer s.Close()
	var hints []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error { hints = append(hints, code); return nil },
	})
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, []int{http.StatusEarlyHints}, hints)
	require.Equal(t, []string{string(body)}, resp.Header["X-Request-Id"])
	require.Regexp(t, "^[0-9a-f]{32}$", string(body))
}

func TestAccessLog(t *testing.T) {
	var log lines
	m := NewMetrics(Options{Now: ticking(), Random: bytes.NewReader(make([]byte, 16))})
	h := m.Wrap("gateway", routed(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short")
	}), NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true, UserAgent: true, Trusted: trusting(t, "loopback")})
	r := httptest.NewRequest("POST", "http://shop.example.org/a/b?token=hidden", strings.NewReader("hidden"))
	r.RemoteAddr = "127.0.0.1:5"
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	r.Header.Set("User-Agent", strings.Repeat("x", 300))
	h.ServeHTTP(httptest.NewRecorder(), r)
	got := log.last(t)
	delete(got, "time")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "host": "shop.example.org", "path": "/a/b",
		"status": 418.0, "bytes": 5.0, "took": 1.0, "client": "203.0.113.7", "protocol": "HTTP/1.1",
		"listener": "gateway", "route": "shop",
		"user_agent": strings.Repeat("x", 256) + "…", "request_id": strings.Repeat("0", 32),
	}, got)

	t.Run("Unix socket", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "@"
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.Empty(t, log.last(t)["client"])
	})
	t.Run("the gateway's own answer", func(t *testing.T) {
		g, err := gateway.New(gateway.Options{})
		require.NoError(t, err)
		defer g.Close()
		m.Wrap("gateway", g, NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true}).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nowhere", nil))
		require.Equal(t, "no route", log.last(t)["reason"])
	})
	t.Run("off", func(t *testing.T) {
		var log lines
		m.Wrap("admin", http.NotFoundHandler(), NewLogger(&log, "text", slog.LevelInfo), LogOptions{}).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		m.Wrap("admin", http.NotFoundHandler(), NewLogger(&log, "text", slog.LevelWarn), LogOptions{Access: true}).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		require.Empty(t, log.String())
	})
}

func TestLoggerTellsWhichRequest(t *testing.T) {
	var log lines
	l := NewLogger(&log, "json", slog.LevelInfo).With("part", "x").WithGroup("g")
	m := NewMetrics(Options{Random: bytes.NewReader(make([]byte, 16))})
	m.Wrap("api", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.InfoContext(r.Context(), "hello", "a", 1)
	}), slog.New(slog.DiscardHandler), LogOptions{}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	require.Contains(t, log.String(), `"part":"x","g":{"a":1,"request_id":"00000000000000000000000000000000"}`)
	l.Info("no request")
	require.NotContains(t, fmt.Sprint(log.last(t)), "request_id")
}

func TestPanic(t *testing.T) {
	const secret = "9a1c-secret"
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int // 0: the answer breaks off
		body    string
		fault   string // in the log; "": nothing is
		code    string
	}{
		"before the answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", secret)
			w.Header().Set("Content-Length", "3")
			panic(secret)
		}, 500, "500 Internal Server Error\n", "string", "5xx"},
		"fault of the program": {func(w http.ResponseWriter, r *http.Request) {
			var none []int
			none[len(r.Host)]++
		}, 500, "500 Internal Server Error\n", "index out of range", "5xx"},
		"an error": {func(w http.ResponseWriter, r *http.Request) { panic(errors.New(secret)) }, 500,
			"500 Internal Server Error\n", "*errors.errorString", "5xx"},
		"within the answer": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(secret)
		}, 0, "half", "string", "2xx"},
		"broken off": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 0, "half", "", "2xx"},
	} {
		t.Run(name, func(t *testing.T) {
			var log, faults lines
			m := NewMetrics(Options{})
			s := httptest.NewUnstartedServer(m.Wrap("gateway", c.handler, NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true}))
			s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&faults, nil), slog.LevelError)
			s.Start()
			defer s.Close()
			resp, err := http.Get(s.URL + "/x?q=" + secret)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.Equal(t, c.body, string(body))
			if c.status == 0 {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			} else {
				require.NoError(t, err)
				require.Equal(t, c.status, resp.StatusCode)
				require.Empty(t, resp.Header["Set-Cookie"])
				require.NotEmpty(t, resp.Header["X-Request-Id"])
			}
			s.Close() // all is logged
			require.Empty(t, faults.String(), "net/http logs nothing more")
			require.NotContains(t, log.String(), secret)
			if c.fault == "" {
				require.NotContains(t, log.String(), `"msg":"panic"`)
			} else {
				require.Equal(t, 1, strings.Count(log.String(), `"msg":"panic"`))
				require.Contains(t, log.String(), c.fault)
				require.Contains(t, log.String(), "TestPanic")
			}
			require.Equal(t, c.status == 0, log.last(t)["aborted"] == true)
			require.Equal(t, 1.0, testutil.ToFloat64(m.requests.total.WithLabelValues("gateway", "", "GET", c.code)))
			require.Equal(t, c.status == 0, testutil.ToFloat64(m.requests.aborted.WithLabelValues("gateway", "")) == 1)
			require.Equal(t, c.fault != "", testutil.ToFloat64(m.requests.panics.WithLabelValues("gateway")) == 1)
			require.Zero(t, testutil.ToFloat64(m.requests.inFlight.WithLabelValues("gateway")))
		})
	}
}

// TestNothingAnswered: of a request that is aborted before its head there is no status.
func TestNothingAnswered(t *testing.T) {
	var log lines
	m := NewMetrics(Options{})
	h := m.Wrap("gateway", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	})
	require.Equal(t, 0.0, log.last(t)["status"])
	require.Equal(t, 1.0, testutil.ToFloat64(m.requests.total.WithLabelValues("gateway", "", "GET", "other")))
}

func TestClientLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		code    string
	}{
		"before an answer": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "canceled"},
		"no answer":        {func(http.ResponseWriter, *http.Request) {}, "canceled"},
		"of a stream":      {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "data: 1") }, "2xx"},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			m := NewMetrics(Options{})
			ctx, leave := context.WithCancel(t.Context())
			h := m.Wrap("gateway", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				leave()
				<-r.Context().Done()
				c.handler(w, r)
			}), NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true})
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
			require.Equal(t, 1.0, testutil.ToFloat64(m.requests.total.WithLabelValues("gateway", "", "GET", c.code)))
			require.Equal(t, c.code == "canceled", log.last(t)["canceled"] == true)
		})
	}
}

func TestBodiesAreCounted(t *testing.T) {
	m := NewMetrics(Options{})
	m.Serving(Serving{Routes: []string{"shop"}})
	path := filepath.Join(t.TempDir(), "big")
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
	var from bool
	inner := httptest.NewServer(m.Wrap("gateway", routed(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		_, from = w.(io.ReaderFrom)
		http.ServeFile(w, r, path)
	}), slog.New(slog.DiscardHandler), LogOptions{}))
	resp, err := http.Post(inner.URL, "text/plain", strings.NewReader("abc"))
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	inner.Close()
	require.EqualValues(t, 1<<20, n)
	require.True(t, from, "sendfile wants a ReaderFrom")
	require.Equal(t, 3.0, testutil.ToFloat64(m.requests.in.WithLabelValues("gateway", "shop")))
	require.Equal(t, float64(1<<20), testutil.ToFloat64(m.requests.out.WithLabelValues("gateway", "shop")))
}

// TestUpgrade: a connection is taken over through the wrapper; it counts as in flight while
// it is open, and its time is in no histogram.
func TestUpgrade(t *testing.T) {
	var log lines
	m := NewMetrics(Options{})
	ended := make(chan struct{})
	h := m.Wrap("gateway", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		io.WriteString(rw, line)
		rw.Flush()
	}), NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	req, err := http.NewRequest("GET", s.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.Equal(t, 1.0, testutil.ToFloat64(m.requests.inFlight.WithLabelValues("gateway")))
	conn := resp.Body.(io.ReadWriteCloser)
	io.WriteString(conn, "hello\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
	conn.Close()
	<-ended
	require.Equal(t, 101.0, log.last(t)["status"])
	require.Equal(t, 1.0, testutil.ToFloat64(m.requests.total.WithLabelValues("gateway", "", "GET", "1xx")))
	require.Zero(t, testutil.CollectAndCount(m.requests.took))
}

func TestHTTP2(t *testing.T) {
	var log lines
	m := NewMetrics(Options{})
	h := m.Wrap("gateway", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
		panic(http.ErrAbortHandler)
	}), NewLogger(&log, "json", slog.LevelInfo), LogOptions{Access: true})
	ended := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		h.ServeHTTP(w, r)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	resp, err := s.Client().Post(s.URL, "text/plain", strings.NewReader("abc"))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	require.Error(t, err)
	<-ended
	require.Equal(t, "HTTP/2.0", log.last(t)["protocol"])
	require.Equal(t, true, log.last(t)["aborted"])
}
