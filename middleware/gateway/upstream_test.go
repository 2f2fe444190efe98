package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/gateway"
)

// closedPort is an address at which nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return "http://" + l.Addr().String()
}

// clock is a clock that stands until it is moved.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()) }
func (c *clock) move(d time.Duration)    { c.now.Add(int64(d)) }
func newClock() *clock                   { c := &clock{}; c.move(time.Hour); return c }
func upstreamOf(r *http.Response) string { return r.Header.Get("X-Upstream") }

func TestRoundRobin(t *testing.T) {
	a, _ := recorder(t, "a")
	b, _ := recorder(t, "b")
	c, _ := recorder(t, "c")
	g := build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{a, b, c}}}})
	got := ""
	for range 7 {
		got += upstreamOf(ask(g, "GET", "/"))
	}
	require.Equal(t, "abcabca", got)
}

func TestConnectErrors(t *testing.T) {
	dead := closedPort(t)
	live, saw := recorder(t, "live")
	clock := newClock()
	var attempts []gateway.Attempt
	g := build(t, gateway.Options{
		Routes: []gateway.Route{
			{Name: "retries", Prefix: "/", Upstreams: []string{dead, live}, Retries: 1},
			{Name: "none", Prefix: "/none", Upstreams: []string{dead, live}},
			{Name: "alone", Prefix: "/alone", Upstreams: []string{dead}, Retries: 3},
		},
		Now:     clock.Now,
		Observe: func(a gateway.Attempt) { attempts = append(attempts, a) },
	})
	states := func(route string) (healthy []bool) {
		for _, s := range g.Upstreams() {
			require.Zero(t, s.InFlight)
			if s.Route == route {
				healthy = append(healthy, s.Healthy)
			}
		}
		return healthy
	}

	// Nothing of the request was sent, so that a POST may be tried again, body and all.
	r := httptest.NewRequest("POST", "/x", strings.NewReader("body"))
	ctx, note := gateway.WithNote(r.Context())
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, r.WithContext(ctx))
	require.Equal(t, "live", upstreamOf(rec.Result()))
	require.Equal(t, gateway.Note{Route: "retries", Upstream: live}, *note)
	require.Len(t, saw.take(), 1)
	require.Len(t, attempts, 2)
	require.Equal(t, dead, attempts[0].Upstream)
	require.Error(t, attempts[0].Err)
	require.Equal(t, gateway.Attempt{Route: "retries", Upstream: live, Status: 200, Retry: true}, attempts[1])
	require.Equal(t, []bool{false, true}, states("retries"))
	require.Equal(t, []bool{true, true}, states("none"), "each route has its own view")

	// For a moment it is left out, and then tried again.
	attempts = nil
	for range 4 {
		require.Equal(t, 200, ask(g, "GET", "/").StatusCode)
	}
	require.Len(t, attempts, 4)
	clock.move(3 * time.Second)
	attempts = nil
	ask(g, "GET", "/")
	ask(g, "GET", "/")
	require.Len(t, attempts, 3)

	require.Equal(t, 502, ask(g, "GET", "/none").StatusCode)
	require.Equal(t, 200, ask(g, "GET", "/none").StatusCode)
	require.Equal(t, 200, ask(g, "GET", "/none").StatusCode)

	// An upstream that has nobody to stand in for it is always asked: it may be back.
	attempts = nil
	for range 2 {
		require.Equal(t, 502, ask(g, "GET", "/alone").StatusCode)
	}
	require.Len(t, attempts, 2, "there is no other one to try")
}

// breaker is an upstream that closes the connection in place of an answer.
func breaker(t testing.TB) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(up.Close)
	return up.URL, asked
}

func TestRetriesOnlyWhatIsSafe(t *testing.T) {
	for _, c := range []struct {
		method, body string
		want         int
	}{
		{"GET", "", 200}, {"HEAD", "", 200}, {"OPTIONS", "", 200},
		{"POST", "", 502}, {"PUT", "", 502}, {"DELETE", "", 502}, {"GET", "body", 502}, {"POST", "body", 502},
	} {
		broken, asked := breaker(t)
		live, saw := recorder(t, "live")
		g := build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{broken, live}, Retries: 1}}})
		r := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		require.Equal(t, c.want, rec.Code, "%s %q", c.method, c.body)
		require.EqualValues(t, 1, asked.Load())
		require.Len(t, saw.take(), map[int]int{200: 1, 502: 0}[c.want])
		require.True(t, g.Upstreams()[0].Healthy, "it could be connected to")
	}
}

func TestTimeoutIsNotRepeated(t *testing.T) {
	release := make(chan struct{})
	var attempts []gateway.Attempt
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
	a, b := httptest.NewServer(h), httptest.NewServer(h)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	t.Cleanup(func() { close(release) })
	g := build(t, gateway.Options{
		Routes:  []gateway.Route{{Prefix: "/", Upstreams: []string{a.URL, b.URL}, Retries: 1, ResponseTimeout: time.Nanosecond}},
		Observe: func(a gateway.Attempt) { attempts = append(attempts, a) },
	})
	require.Equal(t, http.StatusGatewayTimeout, ask(g, "GET", "/").StatusCode)
	require.Len(t, attempts, 1)
}

// ticks is the clock of health checks: each wait ends when the test says so.
type ticks struct{ waits chan chan time.Time }

func newTicks() *ticks { return &ticks{make(chan chan time.Time)} }

func (k *ticks) after(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	k.waits <- c
	return c
}

// round lets one check of each of n upstreams go by and waits for the next wait.
func (k *ticks) round(t testing.TB, n int, waiting []chan time.Time) []chan time.Time {
	t.Helper()
	for _, c := range waiting {
		c <- time.Time{}
	}
	waiting = nil
	for range n {
		waiting = append(waiting, <-k.waits)
	}
	return waiting
}

func TestHealthChecks(t *testing.T) {
	var sick [2]atomic.Bool
	var urls []string
	for i := range sick {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/health" && r.Host != "check.example.org":
				w.WriteHeader(http.StatusMisdirectedRequest)
			case r.URL.Path == "/health" && sick[i].Load():
				w.WriteHeader(http.StatusInternalServerError)
			default:
				w.Header().Set("X-Upstream", string(rune('a'+i)))
			}
		}))
		t.Cleanup(up.Close)
		urls = append(urls, up.URL)
	}
	var log syncBuffer
	ticks := newTicks()
	g, err := gateway.New(gateway.Options{
		Routes: []gateway.Route{{Name: "app", Prefix: "/", Upstreams: urls, Health: &gateway.Health{Path: "/health", Host: "check.example.org"}}},
		After:  ticks.after,
		Log:    slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	three := func() (s string) {
		for range 3 {
			s += upstreamOf(ask(g, "GET", "/"))
		}
		return s
	}
	waiting := ticks.round(t, 2, nil)
	require.Equal(t, "aba", three())
	sick[0].Store(true)
	waiting = ticks.round(t, 2, waiting)
	require.Equal(t, "bbb", three())
	require.False(t, g.Upstreams()[0].Healthy)
	require.Contains(t, log.String(), "upstream is down")
	sick[1].Store(true)
	waiting = ticks.round(t, 2, waiting)
	resp := ask(g, "GET", "/")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "5", resp.Header.Get("Retry-After"))
	sick[0].Store(false)
	ticks.round(t, 2, waiting)
	require.Equal(t, "aaa", three())
	require.Contains(t, log.String(), "upstream is up again")
	require.Equal(t, 3, strings.Count(log.String(), "\"upstream is"), "changes only")
	g.Close() // returns: no check is left behind
}

func TestHealthCheckTimesOut(t *testing.T) {
	release := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			<-release
		}
	}))
	t.Cleanup(up.Close)
	t.Cleanup(func() { close(release) })
	ticks := newTicks()
	g, err := gateway.New(gateway.Options{After: ticks.after, Routes: []gateway.Route{
		{Prefix: "/", Upstreams: []string{up.URL}, Health: &gateway.Health{Path: "/health", Timeout: time.Nanosecond}}}})
	require.NoError(t, err)
	ticks.round(t, 1, nil)
	require.False(t, g.Upstreams()[0].Healthy)
	g.Close()
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// secureUpstream speaks TLS with HTTP/2 and wants a certificate of the client.
func secureUpstream(t *testing.T, h http.HandlerFunc) (s *httptest.Server, ca, cert, key []byte) {
	t.Helper()
	s = httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	pair := s.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return s, cert, cert, key
}

func TestTLSUpstream(t *testing.T) {
	up, ca, cert, key := secureUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto+" "+r.Host+" "+r.TLS.ServerName+" "+r.TLS.PeerCertificates[0].Subject.Organization[0])
	})
	route := func(tls gateway.TLS) gateway.Route {
		return gateway.Route{Prefix: "/", Upstreams: []string{up.URL}, TLS: tls}
	}
	good := gateway.TLS{CA: ca, Certificate: cert, Key: key, ServerName: "example.com"}
	insecure := gateway.TLS{Insecure: true, Certificate: cert, Key: key}
	wrongName := good
	wrongName.ServerName = "other.example"
	for name, c := range map[string]struct {
		tls    gateway.TLS
		status int
		want   string
	}{
		"good":                {good, 200, "HTTP/2.0 shop.example.org example.com Acme Co"},
		"insecure":            {insecure, 200, "HTTP/2.0 shop.example.org  Acme Co"},
		"unknown authority":   {gateway.TLS{Certificate: cert, Key: key}, 502, ""},
		"other name":          {wrongName, 502, ""},
		"without certificate": {gateway.TLS{CA: ca, ServerName: "example.com"}, 502, ""},
	} {
		t.Run(name, func(t *testing.T) {
			resp := ask(build(t, gateway.Options{Routes: []gateway.Route{route(c.tls)}}), "GET", "http://shop.example.org/")
			require.Equal(t, c.status, resp.StatusCode)
			if c.status == 200 {
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, c.want, string(body))
			}
		})
	}
}

// h2cUpstream speaks HTTP/2 without TLS.
func h2cUpstream(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return "h2c://" + s.Listener.Addr().String()
}

func TestTransportSeesEachAttempt(t *testing.T) {
	dead := closedPort(t)
	live, _ := recorder(t, "live")
	var hosts []string
	g := build(t, gateway.Options{
		Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{dead, live}, Retries: 1}},
		Transport: func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				hosts = append(hosts, "http://"+r.URL.Host)
				return next.RoundTrip(r)
			})
		},
	})
	require.Equal(t, 200, ask(g, "GET", "/").StatusCode)
	require.Equal(t, []string{dead, live}, hosts)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestInFlight(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		close(arrived)
		<-release
	}))
	t.Cleanup(up.Close)
	g := build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}}}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		ask(g, "GET", "/")
	}()
	<-arrived
	require.EqualValues(t, 1, g.Upstreams()[0].InFlight)
	close(release)
	<-done
	require.Zero(t, g.Upstreams()[0].InFlight)

	broken, _ := breaker(t)
	g = build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{broken}}}})
	ask(g, "GET", "/")
	require.Zero(t, g.Upstreams()[0].InFlight)
}

func TestClientLeavesBeforeRetry(t *testing.T) {
	a, b := closedPort(t), closedPort(t)
	var attempts int
	ctx, cancel := context.WithCancel(t.Context())
	g := build(t, gateway.Options{
		Routes:  []gateway.Route{{Prefix: "/", Upstreams: []string{a, b}, Retries: 1}},
		Observe: func(gateway.Attempt) { attempts++; cancel() },
	})
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	require.Equal(t, 1, attempts)
	require.True(t, errors.Is(ctx.Err(), context.Canceled))
}

// A server that ends its requests is no client that left: those who wait are told.
func TestServerStops(t *testing.T) {
	for cause, want := range map[error]int{errors.New("server: stopping"): 503, nil: 502} {
		asked := make(chan struct{})
		up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() }))
		g := build(t, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}}}})
		ctx, cancel := context.WithCancelCause(context.Background())
		ctx, note := gateway.WithNote(ctx)
		rec := httptest.NewRecorder()
		done := make(chan struct{})
		go func() {
			g.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
			close(done)
		}()
		<-asked
		cancel(cause)
		<-done
		up.Close()
		require.Equal(t, want, rec.Code)
		if want == 503 {
			require.Equal(t, "5", rec.Header().Get("Retry-After"))
			require.Contains(t, rec.Body.String(), "is being stopped")
			require.Equal(t, "server stops", note.Reason)
		}
	}
}

// What is known of an upstream outlives a change of the configuration.
func TestTakeOver(t *testing.T) {
	var asked atomic.Bool // only the first question is answered
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Swap(true) {
			<-r.Context().Done()
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(up.Close)
	watched := gateway.Route{Name: "app", Prefix: "/", Upstreams: []string{up.URL}, Health: &gateway.Health{Path: "/health"}}
	unwatched := watched
	unwatched.Health = nil
	renamed := watched
	renamed.Name = "other"
	ticks := newTicks()
	before := build(t, gateway.Options{Routes: []gateway.Route{watched}, After: ticks.after})
	ticks.round(t, 1, nil)
	require.False(t, before.Upstreams()[0].Healthy)
	for name, c := range map[string]struct {
		route   gateway.Route
		healthy bool
	}{
		"the same": {watched, false}, "not watched any more": {unwatched, true}, "another route": {renamed, true},
	} {
		g, err := gateway.New(gateway.Options{Routes: []gateway.Route{c.route}, Before: before, After: ticks.after})
		require.NoError(t, err)
		require.Equal(t, c.healthy, g.Upstreams()[0].Healthy, name)
		g.Close()
	}
}

func TestStripPrefixSpelledOtherwise(t *testing.T) {
	url, saw := recorder(t, "app")
	g := build(t, gateway.Options{Routes: []gateway.Route{
		{Prefix: "/app", Upstreams: []string{url}, StripPrefix: true}, {Prefix: "/caf\u00e9", Upstreams: []string{url}, StripPrefix: true},
	}})
	for target, want := range map[string]string{
		"/app": "/", "/app/": "/", "/app/a%2Fb": "/a%2Fb", "/%61pp/a%2Fb": "/a%2Fb", "/caf%C3%A9/a%2Fb": "/a%2Fb", "/caf%c3%a9/a%2Fb": "/a%2Fb", "/%61p%70/a%25b%3F": "/a%25b%3F",
		"/app//a%2Fb": "/a%2Fb", "/%61pp%2Fa%2Fb": "/a%2Fb",
	} {
		require.Equal(t, 200, ask(g, "GET", target).StatusCode, target)
		require.Equal(t, want, saw.take()[0].RequestURI, target)
	}
}
