package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// TestNothingSecretIsTold sends secrets in every part of a request by which they come, and
// looks for them in all that telemetry makes: the log at its finest, a scrape, the numbers
// of the inspector, and what a collector of traces gets.
func TestNothingSecretIsTold(t *testing.T) {
	const secret = "hunter2Zq9"
	rc := newReceiver(t)
	tracer := rc.tracer(t, 1)
	var log lines
	logger := NewLogger(&log, "json", slog.LevelDebug)
	m := NewMetrics(Options{Tracer: tracer, Log: logger})

	// A session whose id and content are secret, behind the whole chain.
	store := m.Store("memory", memstore.New())
	o := compat.Defaults()
	o.Secret, o.Key = secret+"-signs", "shop"
	manager, err := compat.New(o, store, compat.Environment{Logger: logger, Observe: m.Session})
	require.NoError(t, err)
	sessions := middleware.NewSessions(manager, middleware.SessionsOptions{Logger: logger})
	var named atomic.Value // the id of the session
	var cookie string
	ch := newChain(t, m, LogOptions{Access: true, Trusted: trusting(t, "loopback")}, logger, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := middleware.Session(r)
			require.NoError(t, err)
			require.NoError(t, s.Set("password", secret))
			s.Save()
			named.Store(s.ID())
			switch r.URL.Path {
			case "/error":
				w.WriteHeader(http.StatusInternalServerError)
			case "/break":
				panic(http.ErrAbortHandler)
			}
		})).ServeHTTP(w, r)
	})
	ask := func(method, path string) {
		req, err := http.NewRequestWithContext(t.Context(), method, ch.URL+path+"?token="+secret+"&came_from="+url.QueryEscape("https://x/?"+secret),
			strings.NewReader("password="+secret))
		require.NoError(t, err)
		req.SetBasicAuth("admin", secret)
		req.AddCookie(&http.Cookie{Name: "other", Value: secret})
		if cookie != "" {
			req.AddCookie(&http.Cookie{Name: "shop", Value: cookie})
		}
		for _, name := range []string{"X-Api-Key", "X-Csrf-Token", "Referer", "User-Agent", "X-Request-Id",
			"Baggage", "Tracestate", "Traceparent", "Proxy-Authorization"} {
			req.Header.Set(name, secret+" "+name)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		for _, c := range resp.Cookies() {
			cookie = c.Value
		}
	}
	for _, path := range []string{"/", "/again", "/error", "/break"} {
		ask("POST", path)
	}
	id := named.Load().(string)
	cookie = strings.Repeat("0", 40) + id // a bad signature
	ask("GET", "/")
	ch.Close()
	require.Len(t, id, 32)
	for series, least := range map[string]float64{
		`gobeaker_session_events_total{event="load", outcome="live"}`:                                            1,
		`gobeaker_session_events_total{event="save", outcome="ok"}`:                                              1,
		`gobeaker_session_events_total{event="refusal", outcome="refused"}`:                                      1,
		`gobeaker_upstream_attempts_total{outcome="5xx", route="shop", upstream="` + ch.upstream.String() + `"}`: 1,
	} {
		require.GreaterOrEqual(t, value(t, m, series), least, series)
	}
	require.NoError(t, tracer.Stop(t.Context()))
	require.NotEmpty(t, rc.raw)
	for place, text := range map[string]string{"log": log.String(), "traces": string(rc.raw), "metrics": scrape(t, m), "numbers": numbersText(m)} {
		require.NotEmpty(t, text, place)
		for name, hidden := range map[string]string{
			"secret": secret, "id": id, "signed id": cookie,
		} {
			require.False(t, strings.Contains(text, hidden), "the %s has the %s", place, name)
		}
	}
}

func numbersText(m *Metrics) string {
	var b strings.Builder
	for _, n := range m.Numbers() {
		b.WriteString(n.Name + n.Labels + n.Help + "\n")
	}
	return b.String()
}
