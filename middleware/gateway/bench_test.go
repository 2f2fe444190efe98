package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// BenchmarkGateway measures requests through real connections: through a bare proxy with
// the same transport, through the gateway without sessions, and with one identity header
// out of sessions in memory, in files and in cookies.
//
//	go test -run xxx -bench Gateway ./middleware/gateway
func BenchmarkGateway(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("hello, world\n"))
	}))
	b.Cleanup(up.Close)
	target, err := url.Parse(up.URL)
	require.NoError(b, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Second, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	bare := &httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target); p.SetXForwarded() }}
	plain := func(gateway.Options) http.Handler {
		return build(b, gateway.Options{Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{up.URL}}}})
	}
	with := func(w *world) http.Handler {
		return build(b, gateway.Options{Sessions: w.sessions, Routes: []gateway.Route{
			{Prefix: "/static", Upstreams: []string{up.URL}},
			{Prefix: "/", Upstreams: []string{up.URL}, Identity: users(b)},
		}})
	}
	memory := newWorld(b)
	inCookie := newWorld(b, func(o *compat.Options) { o.Type, o.ValidateKey, o.Secret = "cookie", "validate", "" })
	files := newWorld(b)
	store, err := filestore.New(filestore.Options{DataDir: b.TempDir()})
	require.NoError(b, err)
	o := compat.Defaults()
	o.Secret = "sekrit"
	m, err := compat.New(o, store, compat.Environment{})
	require.NoError(b, err)
	files.sessions = middleware.NewSessions(m, middleware.SessionsOptions{})
	values := map[string]any{"user_id": "ann", "groups": []any{"staff", "editors"}, "lang": "de"}
	for _, c := range []struct {
		name    string
		handler http.Handler
		cookie  string
	}{
		{"bare", bare, ""},
		{"plain", plain(gateway.Options{}), ""},
		{"identity/memory", with(memory), memory.login(b, values)},
		{"identity/file", with(files), files.login(b, values)},
		{"identity/cookie", with(inCookie), inCookie.login(b, values)},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := httptest.NewServer(c.handler)
			defer s.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
			defer client.CloseIdleConnections()
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, _ := http.NewRequest("GET", s.URL+"/shop/cart", nil)
					req.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"bench"}, "Accept-Language": {"en"}}
					if c.cookie != "" {
						req.Header["Cookie"] = []string{c.cookie}
					}
					resp, err := client.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					resp.Body.Close()
					if resp.StatusCode != 200 {
						b.Errorf("status %d", resp.StatusCode)
						return
					}
				}
			})
		})
	}
}

// BenchmarkOverhead measures what the gateway adds to a bare proxy, without any
// connection.
func BenchmarkOverhead(b *testing.B) {
	answer := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})
	target, err := url.Parse("http://127.0.0.1:1")
	require.NoError(b, err)
	bare := &httputil.ReverseProxy{Transport: answer, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target); p.SetXForwarded() }}
	over := func(next http.RoundTripper) http.RoundTripper { return answer }
	w := newWorld(b)
	plain := build(b, gateway.Options{Transport: over, Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{target.String()}}}})
	ident := build(b, gateway.Options{Transport: over, Sessions: w.sessions, Routes: []gateway.Route{{Prefix: "/", Upstreams: []string{target.String()}, Identity: users(b)}}})
	cookie := w.login(b, map[string]any{"user_id": "ann"})
	for _, c := range []struct {
		name    string
		handler http.Handler
	}{{"bare", bare}, {"plain", plain}, {"identity", ident}} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "http://shop.example.org/shop/cart?x=1", nil)
			r.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"bench"}, "Accept-Language": {"en"}, "Cookie": {cookie}}
			b.ReportAllocs()
			for b.Loop() {
				c.handler.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
