package gateway_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// world is a store that can fail, and sessions over it.
type world struct {
	*memstore.Store
	down  atomic.Bool
	reads atomic.Int64
	now   atomic.Int64 // seconds since 1970

	sessions *middleware.Sessions
}

func newWorld(t testing.TB, change ...func(*compat.Options)) *world {
	t.Helper()
	w := &world{Store: memstore.New()}
	w.now.Store(1_700_000_000)
	o := compat.Defaults()
	o.Secret = "sekrit"
	var store stores.Store = w
	for _, f := range change {
		f(&o)
	}
	if o.Type == "cookie" {
		store = nil
	}
	log := slog.New(slog.DiscardHandler)
	m, err := compat.New(o, store, compat.Environment{Now: func() time.Time { return time.Unix(w.now.Load(), 0) }, Logger: log})
	require.NoError(t, err)
	w.sessions = middleware.NewSessions(m, middleware.SessionsOptions{Logger: log})
	return w
}

func (w *world) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	w.reads.Add(1)
	if w.down.Load() {
		return nil, stores.ErrUnavailable
	}
	return w.Store.Get(ctx, id)
}

// login makes a session and returns the Cookie header of its visitor.
func (w *world) login(t testing.TB, values map[string]any) string {
	t.Helper()
	rec := httptest.NewRecorder()
	w.sessions.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, err := middleware.Session(r)
		require.NoError(t, err)
		for k, v := range values {
			require.NoError(t, s.Set(k, v))
		}
		s.Save()
	})).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	cookie, _, _ := strings.Cut(rec.Header().Get("Set-Cookie"), ";")
	require.NotEmpty(t, cookie)
	return cookie
}

// users is a policy that wants user_id and tells it as Remote-User.
func users(t testing.TB) *identity.Policy {
	t.Helper()
	p, err := identity.New(identity.Options{
		Require: []string{"user_id"},
		Headers: []identity.Header{{Name: "Remote-User", Path: "user_id"}, {Name: "X-Auth-Email", Path: "email"}},
	})
	require.NoError(t, err)
	return p
}

// seen is what an upstream saw.
type seen struct {
	mu  sync.Mutex
	all []*http.Request
}

func (s *seen) add(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r)
}

// take returns what was seen since the last call.
func (s *seen) take() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// recorder is an upstream that records its requests and answers with its name.
func recorder(t testing.TB, name string) (url string, s *seen) {
	t.Helper()
	s = &seen{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.add(r)
		w.Header().Set("X-Upstream", name)
	}))
	t.Cleanup(up.Close)
	return up.URL, s
}

func build(t testing.TB, o gateway.Options) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(o)
	require.NoError(t, err)
	t.Cleanup(g.Close)
	return g
}

// ask asks the gateway without a connection.
func ask(g http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, r)
	return rec.Result()
}

func weight(w float64) *float64 { return &w }

func problem(t *testing.T, r *http.Response) (p struct {
	Type, Title, Detail string
	Status              int
}) {
	t.Helper()
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	require.NoError(t, json.NewDecoder(r.Body).Decode(&p))
	return p
}
