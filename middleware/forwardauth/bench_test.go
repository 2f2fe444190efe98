package forwardauth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwardauth"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// discard is a ResponseWriter that keeps the headers, as net/http's does, and no body.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkAuth answers nginx's question about a visitor who may come in, without the
// network: "peek" is the reading of the session alone.
func BenchmarkAuth(b *testing.B) {
	for _, kind := range []string{"file", "cookie"} {
		o := compat.Defaults()
		o.Type, o.Key, o.DataDir = kind, "shop", b.TempDir()
		var store stores.Store
		if kind == "file" {
			o.Secret = "sekrit"
			files, err := filestore.New(filestore.Options{DataDir: o.DataDir})
			require.NoError(b, err)
			store = files
		} else {
			o.ValidateKey = "sekrit"
		}
		manager, err := compat.New(o, store, compat.Environment{})
		require.NoError(b, err)
		s := &site{t: b, sessions: middleware.NewSessions(manager, middleware.SessionsOptions{Logger: slog.New(slog.DiscardHandler)})}
		cookie := s.ada()
		trusted, err := forwarded.Parse([]string{"loopback"})
		require.NoError(b, err)
		auth, err := forwardauth.New(forwardauth.Options{
			Sessions: s.sessions, Trusted: trusted, Default: users(b),
			Rules: []forwardauth.Rule{{Prefix: "/staff", Policy: staff(b)}, {Prefix: "/public", Policy: everybody(b)}},
		})
		require.NoError(b, err)
		peek := s.sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := middleware.Peek(r); err == nil {
				w.WriteHeader(http.StatusOK)
			}
		}))
		for _, c := range []struct {
			name    string
			handler http.Handler
		}{{"peek", peek}, {"auth", auth}} {
			b.Run(kind+"/"+c.name, func(b *testing.B) {
				r := httptest.NewRequest("GET", "/auth", nil)
				r.RemoteAddr = proxyAddr
				r.Header = http.Header{
					"Cookie": {cookie}, "Accept": {"text/html"}, "User-Agent": {"curl"}, "X-Forwarded-For": {"192.0.2.7"},
					"X-Original-Method": {"GET"}, "X-Original-Url": {"https://app.example.org/cart?item=1"},
				}
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					w := &discard{header: http.Header{}}
					for pb.Next() {
						clear(w.header)
						c.handler.ServeHTTP(w, r)
						if w.status != http.StatusOK {
							b.Error(w.status)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
			})
		}
	}
}
