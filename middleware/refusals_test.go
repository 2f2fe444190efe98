package middleware_test

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// guarded is a service that limits forged cookies to 2 at once and 6 a minute.
type guarded struct {
	now     time.Time
	handler http.Handler
	served  int
	limited int
	good    string // a good Cookie header
}

func newGuarded(t *testing.T, change func(*middleware.RefusalOptions)) *guarded {
	t.Helper()
	g := &guarded{now: time.Unix(1700000000, 0)}
	o := middleware.RefusalOptions{PerMinute: 6, Burst: 2, Now: func() time.Time { return g.now }, Limited: func() { g.limited++ }}
	if change != nil {
		change(&o)
	}
	sessions := middleware.NewSessions(newManager(t, memstore.New()), middleware.SessionsOptions{Refusals: middleware.NewRefusals(o)})
	g.handler = sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.served++
		if r.URL.Path == "/login" {
			_, err := count(r)
			require.NoError(t, err)
		}
	}))
	r := httptest.NewRequest("GET", "/login", nil)
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	g.good, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	require.NotEmpty(t, g.good)
	return g
}

const forged = "beaker.session.id=00000000000000000000000000000000000000001e4c684fb206494191440c2cc28cbc22"

func (g *guarded) send(from, cookie string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = from
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

func TestRefusals(t *testing.T) {
	g := newGuarded(t, nil)
	const nat = "192.0.2.1:4711"
	for range 2 {
		require.Equal(t, 200, g.send(nat, forged).Code)
	}
	served := g.served
	for range 5 { // those who are refused do not wait longer for it
		w := g.send("192.0.2.1:4712", forged)
		require.Equal(t, 429, w.Code)
		require.Equal(t, "10", w.Header().Get("Retry-After"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Empty(t, w.Header()["Set-Cookie"], "nobody is logged out")
	}
	require.Equal(t, served, g.served, "the handler is not asked")
	require.Equal(t, 5, g.limited)

	// Others behind the same address notice nothing.
	for range 1000 {
		require.Equal(t, 200, g.send(nat, g.good).Code)
		require.Equal(t, 200, g.send(nat, "").Code)
		require.Equal(t, 200, g.send(nat, "beaker.session.id=").Code)
		require.Equal(t, 200, g.send(nat, "other="+strings.Repeat("0", 72)).Code)
	}
	require.Equal(t, 200, g.send("192.0.2.2:4711", forged).Code)

	g.now = g.now.Add(9 * time.Second)
	w := g.send(nat, forged)
	require.Equal(t, 429, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	g.now = g.now.Add(time.Second)
	require.Equal(t, 200, g.send(nat, forged).Code)
	require.Equal(t, 429, g.send(nat, forged).Code)
	g.now = g.now.Add(time.Hour)
	for n := range 4 {
		require.Equal(t, n < 2, g.send(nat, forged).Code == 200, "no more than the burst has gathered")
	}
	g.now = g.now.Add(-2 * time.Hour)
	require.Equal(t, 429, g.send(nat, forged).Code)
}

func TestRefusalsByAddress(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second string
		same          bool
	}{
		"ports":                {"192.0.2.1:1", "192.0.2.1:2", true},
		"IPv4":                 {"192.0.2.1:1", "192.0.2.2:1", false},
		"IPv4 in IPv6":         {"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		"two IPv4 in IPv6":     {"[::ffff:192.0.2.2]:1", "[::ffff:192.0.2.1]:1", false},
		"one IPv6 network":     {"[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::2]:1", true},
		"two IPv6 networks":    {"[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false},
		"IPv6 link-local zone": {"[fe80::1%eth0]:1", "[fe80::2%eth1]:1", true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuarded(t, nil)
			for range 3 {
				g.send(tc.first, forged)
			}
			require.Equal(t, tc.same, g.send(tc.second, forged).Code == 429)
		})
	}
	t.Run("no address", func(t *testing.T) {
		g := newGuarded(t, nil)
		for range 10 {
			require.Equal(t, 200, g.send("@", forged).Code, "of a Unix socket")
		}
	})
	t.Run("behind a proxy", func(t *testing.T) {
		g := newGuarded(t, func(o *middleware.RefusalOptions) {
			o.Client = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("X-Real-Ip")) }
		})
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", forged)
		codes := ""
		for _, from := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"} {
			r.Header.Set("X-Real-Ip", from)
			w := httptest.NewRecorder()
			g.handler.ServeHTTP(w, r)
			codes += http.StatusText(w.Code)[:1]
		}
		require.Equal(t, "OOOT", codes)
	})
}

// TestRefusalsAreBounded: an attack from a million addresses takes no more memory than
// one from as many as are remembered.
func TestRefusalsAreBounded(t *testing.T) {
	addresses := 1_000_000
	if testing.Short() {
		addresses = 50_000
	}
	refusals := middleware.NewRefusals(middleware.RefusalOptions{Clients: 1000, Client: func(r *http.Request) netip.Addr {
		return netip.AddrFrom4([4]byte([]byte(r.RemoteAddr)))
	}})
	h := middleware.NewSessions(newManager(t, memstore.New()), middleware.SessionsOptions{Refusals: refusals, Logger: nil}).
		Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", forged)
	w := httptest.NewRecorder()
	attack := func(from, to int) uint64 {
		for n := from; n < to; n++ {
			r.RemoteAddr = string(binary.BigEndian.AppendUint32(nil, uint32(n)))
			h.ServeHTTP(w, r)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := attack(0, 2000)
	after := attack(2000, addresses)
	require.Less(t, after, before+1<<20)
}

func TestRefusalsByManyAtOnce(t *testing.T) {
	refusals := middleware.NewRefusals(middleware.RefusalOptions{PerMinute: 1, Burst: 10, Clients: 4})
	h := middleware.NewSessions(newManager(t, memstore.New()), middleware.SessionsOptions{Refusals: refusals}).
		Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	var mu sync.Mutex
	passed := 0
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", forged)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code == 200 {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 10, passed)
}
