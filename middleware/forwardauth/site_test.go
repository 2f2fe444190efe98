package forwardauth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwardauth"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// site is an application's sessions, with the endpoints over them.
type site struct {
	t        testing.TB
	store    *countingStore
	sessions *middleware.Sessions
	handler  http.Handler
	now      time.Time
	log      bytes.Buffer
	told     []string // "endpoint policy status" for each answer
}

// countingStore is down when told to, and counts what is written.
type countingStore struct {
	*memstore.Store
	down   bool
	writes atomic.Int64
}

func (s *countingStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if s.down {
		return nil, stores.ErrUnavailable
	}
	return s.Store.Get(ctx, id)
}

func (s *countingStore) Put(ctx context.Context, id string, v pyvalue.Value) error {
	s.writes.Add(1)
	return s.Store.Put(ctx, id, v)
}

func (s *countingStore) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	s.writes.Add(1)
	return s.Store.Update(ctx, id, f)
}

const proxyAddr = "127.0.0.1:4711"

func newPolicy(t testing.TB, o identity.Options) *identity.Policy {
	t.Helper()
	p, err := identity.New(o)
	require.NoError(t, err)
	return p
}

var told = []identity.Header{{Name: "Remote-User", Path: "user_id"}, {Name: "X-Groups", Path: "groups"}}

const login = "https://login.example.org/?came_from={url}"

func users(t testing.TB) *identity.Policy {
	return newPolicy(t, identity.Options{Name: "users", Require: []string{"user_id"}, Headers: told, Login: login})
}

func staff(t testing.TB) *identity.Policy {
	return newPolicy(t, identity.Options{
		Name: "staff", Require: []string{"user_id"}, Groups: "groups", AnyGroup: []string{"staff"}, Headers: told, Login: login,
	})
}

func everybody(t testing.TB) *identity.Policy {
	return newPolicy(t, identity.Options{Name: "everybody", Headers: told})
}

// newSite makes the endpoints; without policies in o, "users" is the default and "staff"
// can be asked for.
func newSite(t testing.TB, o forwardauth.Options, change ...func(*compat.Options)) *site {
	t.Helper()
	s := &site{t: t, store: &countingStore{Store: memstore.New()}, now: time.Unix(1_700_000_000, 0)}
	options := compat.Defaults()
	options.Key, options.Secret = "shop", "sekrit"
	for _, f := range change {
		f(&options)
	}
	var store stores.Store
	if options.Type != "cookie" {
		store = s.store
	}
	manager, err := compat.New(options, store, compat.Environment{Now: func() time.Time { return s.now }})
	require.NoError(t, err)
	s.sessions = middleware.NewSessions(manager, middleware.SessionsOptions{Logger: slog.New(slog.DiscardHandler)})
	if o.Rules == nil && o.Policies == nil && o.Default == nil {
		o.Default, o.Policies = users(t), map[string]*identity.Policy{"users": users(t), "staff": staff(t)}
	}
	if o.Trusted, err = forwarded.Parse([]string{"loopback"}); err != nil {
		t.Fatal(err)
	}
	o.Sessions, o.Log, o.Now = s.sessions, slog.New(slog.NewTextHandler(&s.log, nil)), func() time.Time { return s.now }
	o.Observe = func(endpoint, policy string, status int) {
		s.told = append(s.told, strings.Join([]string{endpoint, policy, http.StatusText(status)}, " "))
	}
	s.handler, err = forwardauth.New(o)
	require.NoError(t, err)
	return s
}

// login makes a session and returns its Cookie header.
func (s *site) login(values map[string]any) string {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.sessions.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		session, err := middleware.Session(r)
		require.NoError(s.t, err)
		for k, v := range values {
			require.NoError(s.t, session.Set(k, v))
		}
		session.Save()
	})).ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	return cookieOf(s.t, w.Result())
}

func cookieOf(t testing.TB, r *http.Response) string {
	t.Helper()
	cookies := r.Cookies()
	require.Len(t, cookies, 1)
	return cookies[0].Name + "=" + cookies[0].Value
}

func (s *site) ada() string {
	return s.login(map[string]any{"user_id": "ada", "groups": []any{"staff", "all"}})
}
func (s *site) finn() string { return s.login(map[string]any{"user_id": "finn"}) }

// send sends a question with the headers, "Name: value" each; "From: address" is who
// sends it.
func (s *site) send(method, target string, headers ...string) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://gobeaker"+target, nil)
	r.RemoteAddr = proxyAddr
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "From":
			r.RemoteAddr = value
		case "Host":
			r.Host = value
		default:
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

// about are the questions of the proxies about one request, by endpoint.
func about(method, host, uri string) map[string]func(s *site, headers ...string) *http.Response {
	return map[string]func(s *site, headers ...string) *http.Response{
		"nginx": func(s *site, headers ...string) *http.Response {
			return s.send("GET", "/auth", append(headers, "X-Original-Method: "+method, "X-Original-URL: https://"+host+uri)...)
		},
		"nginx, URI": func(s *site, headers ...string) *http.Response {
			return s.send("GET", "/auth", append(headers, "X-Original-Method: "+method, "X-Original-URI: "+uri, "Host: "+host, "X-Forwarded-Proto: https")...)
		},
		"traefik, caddy": func(s *site, headers ...string) *http.Response {
			return s.send("GET", "/forward-auth", append(headers, "X-Forwarded-Method: "+method, "X-Forwarded-Proto: https", "X-Forwarded-Host: "+host, "X-Forwarded-Uri: "+uri)...)
		},
		"envoy": func(s *site, headers ...string) *http.Response {
			return s.send(method, "/ext-authz"+uri, append(headers, "X-Forwarded-Proto: https", "Host: "+host)...)
		},
	}
}

var asPage = []string{"Accept: text/html,*/*;q=0.8", "Sec-Fetch-Mode: navigate"}

func newSigner(t testing.TB) *identity.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	signer, err := identity.NewSigner("https://gobeaker.example", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	require.NoError(t, err)
	return signer
}
