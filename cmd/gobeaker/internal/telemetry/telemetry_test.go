package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware/gateway"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

const sessionID = "1e4c684fb206494191440c2cc28cbc22"

// busy returns metrics that have seen something of everything.
func busy(t *testing.T) *Metrics {
	t.Helper()
	m := NewMetrics(Options{Version: "v1.2.3", Commit: "abc", Now: ticking()})
	m.Serving(Serving{
		Routes: []string{"shop", "new"}, Policies: []string{"staff"},
		Upstreams: func() []gateway.UpstreamState {
			return []gateway.UpstreamState{
				{Route: "shop", Upstream: "http://10.0.0.1:80", Healthy: true, InFlight: 2},
				{Route: "new", Upstream: "unix:/run/app.sock", Healthy: true, InFlight: 1},
				{Route: "new", Upstream: "unix:/run/app.sock", InFlight: 1}, // twice in one route
			}
		},
		Certificates: func() map[string]*x509.Certificate {
			return map[string]*x509.Certificate{"gateway": {NotAfter: time.Unix(2e9, 0)}}
		},
	})
	h := m.Wrap("gateway", routed(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		if r.URL.Path == "/fault" {
			panic("x")
		}
		if r.URL.Path == "/half" {
			panic(http.ErrAbortHandler)
		}
	}), slog.New(slog.DiscardHandler), LogOptions{Access: true})
	for _, path := range []string{"/", "/fault", "/half"} {
		func() {
			defer func() { _ = recover() }()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", path, strings.NewReader("abc")))
		}()
	}
	m.Attempt(gateway.Attempt{Route: "shop", Upstream: "http://10.0.0.1:80", Status: 204, Took: 20 * time.Millisecond})
	m.Attempt(gateway.Attempt{Route: "new", Upstream: "unix:/run/app.sock", Err: errors.New("x"), Retry: true})
	m.Authorized("/auth", "staff", 403)
	m.Session(compat.Event{Kind: compat.KindLoad, Outcome: compat.OutcomeLive, HasForm: true, OldKey: true})
	m.Session(compat.Event{Kind: compat.KindSave, Outcome: compat.OutcomeMerged, HasForm: true,
		Form: beakerfmt.Form{Text: beakerfmt.TextStr, Serializer: beakerfmt.JSON, AES: beakerfmt.GCM}})
	m.Limited()
	m.Reloaded(nil)
	m.Reloaded(errors.New("x"))
	s := m.Store("memory", memstore.New())
	_, err := s.Get(t.Context(), sessionID)
	require.ErrorIs(t, err, stores.ErrNotExist)
	return m
}

// value is the value of a series in a scrape.
func value(t *testing.T, m *Metrics, series string) float64 {
	t.Helper()
	for _, n := range m.Numbers() {
		if n.Name+"{"+n.Labels+"}" == series {
			return n.Value
		}
	}
	return 0
}

func TestScrape(t *testing.T) {
	m := busy(t)
	for name, c := range map[string]struct{ accept, contentType string }{
		"text":        {"", "text/plain"},
		"OpenMetrics": {"application/openmetrics-text; version=1.0.0", "application/openmetrics-text"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/metrics", nil)
			r.Header.Set("Accept", c.accept)
			rec := httptest.NewRecorder()
			m.Handler().ServeHTTP(rec, r)
			require.Equal(t, http.StatusOK, rec.Code)
			require.Contains(t, rec.Header().Get("Content-Type"), c.contentType)
			if name != "text" {
				require.Contains(t, rec.Body.String(), "# EOF")
				return
			}
			parser := expfmt.NewTextParser(model.UTF8Validation)
			families, err := parser.TextToMetricFamilies(rec.Body)
			require.NoError(t, err)
			for _, f := range m.families {
				got := families[f.Name]
				require.NotNil(t, got, f.Name)
				require.Equal(t, strings.ToUpper(f.Type), got.GetType().String(), f.Name)
				require.Equal(t, f.Help, got.GetHelp())
				for _, one := range got.GetMetric() {
					require.ElementsMatch(t, f.Labels, labelNames(one), f.Name)
				}
			}
			require.Contains(t, families, "go_goroutines")
			require.Contains(t, families, "process_open_fds")
		})
	}
}

func labelNames(m *dto.Metric) []string {
	var names []string
	for _, l := range m.GetLabel() {
		names = append(names, l.GetName())
	}
	return names
}

func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(busy(t).registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestValues(t *testing.T) {
	m := busy(t)
	for series, want := range map[string]float64{
		`gobeaker_http_requests_total{code="2xx", listener="gateway", method="POST", route="shop"}`:                      3, // the faults came after the head
		`gobeaker_http_request_duration_seconds (mean){listener="gateway", route="shop"}`:                                1,
		`gobeaker_http_request_body_bytes_total{listener="gateway", route="shop"}`:                                       9,
		`gobeaker_http_responses_aborted_total{listener="gateway", route="shop"}`:                                        2,
		`gobeaker_http_panics_total{listener="gateway"}`:                                                                 1,
		`gobeaker_upstream_attempts_total{outcome="2xx", route="shop", upstream="http://10.0.0.1:80"}`:                   1,
		`gobeaker_upstream_attempts_total{outcome="broken", route="new", upstream="unix:/run/app.sock"}`:                 1,
		`gobeaker_upstream_retries_total{route="new", upstream="unix:/run/app.sock"}`:                                    1,
		`gobeaker_upstream_response_seconds (mean){route="shop", upstream="http://10.0.0.1:80"}`:                         .02,
		`gobeaker_upstream_healthy{route="shop", upstream="http://10.0.0.1:80"}`:                                         1,
		`gobeaker_upstream_healthy{route="new", upstream="unix:/run/app.sock"}`:                                          0,
		`gobeaker_upstream_requests_in_flight{route="new", upstream="unix:/run/app.sock"}`:                               2,
		`gobeaker_forward_auth_answers_total{code="403", endpoint="/auth", policy="staff"}`:                              1,
		`gobeaker_session_events_total{event="load", outcome="live"}`:                                                    1,
		`gobeaker_session_events_total{event="save", outcome="merged"}`:                                                  1,
		`gobeaker_session_forms_total{encryption="none", event="load", keys="former", serializer="pickle", text="dict"}`: 1,
		`gobeaker_session_forms_total{encryption="gcm", event="save", keys="present", serializer="json", text="str"}`:    1,
		`gobeaker_signature_refusals_limited_total{}`:                                                                    1,
		`gobeaker_config_reloads_total{outcome="success"}`:                                                               1,
		`gobeaker_config_reloads_total{outcome="failure"}`:                                                               1,
		`gobeaker_config_last_reload_successful{}`:                                                                       0,
		`gobeaker_store_operations_total{operation="get", outcome="not_found", store="memory"}`:                          1,
		`gobeaker_store_operation_seconds (mean){operation="get", store="memory"}`:                                       1,
		`gobeaker_tls_certificate_not_after_timestamp_seconds{listener="gateway"}`:                                       2e9,
		`gobeaker_build_info{commit="abc", goversion="` + goVersion(m) + `", version="v1.2.3"}`:                          1,
	} {
		require.Equal(t, want, value(t, m, series), series)
	}
}

func goVersion(m *Metrics) string {
	for _, n := range m.Numbers() {
		if n.Name == "gobeaker_build_info" {
			_, v, _ := strings.Cut(n.Labels, `goversion="`)
			v, _, _ = strings.Cut(v, `"`)
			return v
		}
	}
	return ""
}

func TestNumbers(t *testing.T) {
	all := busy(t).Numbers()
	i := slices.IndexFunc(all, func(n Number) bool { return n.Name == "go_goroutines" })
	require.GreaterOrEqual(t, i, 0)
	require.Positive(t, all[i].Value)
	for _, n := range all {
		require.NotEmpty(t, n.Help, n.Name)
		require.NotContains(t, n.Name, "_bucket")
	}
}

// TestReload: the series of a route, an upstream and a policy go with them, those of the
// others go on, and what is still asked of the old ones does not bring theirs back.
func TestReload(t *testing.T) {
	m := busy(t)
	m.Serving(Serving{Routes: []string{"new"}, Upstreams: func() []gateway.UpstreamState {
		return []gateway.UpstreamState{{Route: "new", Upstream: "http://10.0.0.2:80", Healthy: true}}
	}})
	isGone := func() string {
		all := scrape(t, m)
		for _, name := range []string{`"shop"`, "10.0.0.1", "/run/app.sock", `"staff"`} {
			require.False(t, strings.Contains(all, name), name)
		}
		return all
	}
	isGone()
	m.Wrap("gateway", routed(t, "shop", func(http.ResponseWriter, *http.Request) {}), slog.New(slog.DiscardHandler), LogOptions{}).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	m.Attempt(gateway.Attempt{Route: "shop", Upstream: "http://10.0.0.1:80", Status: 200})
	m.Attempt(gateway.Attempt{Route: "new", Upstream: "unix:/run/app.sock", Status: 200})
	m.Attempt(gateway.Attempt{Route: "new", Upstream: "http://10.0.0.2:80", Status: 200})
	m.Authorized("/auth", "staff", 200)
	rest := isGone()
	for _, series := range []string{
		`gobeaker_http_requests_total{code="2xx",listener="gateway",method="GET",route="(removed)"} 1`,
		`gobeaker_upstream_attempts_total{outcome="2xx",route="(removed)",upstream="(removed)"} 1`,
		`gobeaker_upstream_attempts_total{outcome="2xx",route="new",upstream="(removed)"} 1`,
		`gobeaker_upstream_attempts_total{outcome="2xx",route="new",upstream="http://10.0.0.2:80"} 1`,
		`gobeaker_forward_auth_answers_total{code="200",endpoint="/auth",policy="(removed)"} 1`,
	} {
		require.True(t, strings.Contains(rest, series), series)
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	return rec.Body.String()
}

// TestHostileRequestsMakeNoSeries: nothing that a client sends becomes a label.
func TestHostileRequestsMakeNoSeries(t *testing.T) {
	m := busy(t)
	h := m.Wrap("gateway", routed(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200 + len(r.Host)%400)
	}), slog.New(slog.DiscardHandler), LogOptions{})
	send := func(from, to int) {
		for i := from; i < to; i++ {
			r := httptest.NewRequest("GET", fmt.Sprintf("/p%d?q=%d", i, i), nil)
			r.Method, r.Host = fmt.Sprintf("M%d", i), fmt.Sprintf("h%d.example.org%s", i, strings.Repeat("x", i%400))
			r.Header.Set("X-Request-Id", fmt.Sprintf("request-%d", i))
			h.ServeHTTP(httptest.NewRecorder(), r)
			m.Authorized("/auth", fmt.Sprintf("policy%d", i), 200)
			m.Authorized(fmt.Sprintf("/ext-authz/%d", i), "", 200)
			m.Attempt(gateway.Attempt{Route: fmt.Sprint(i), Upstream: fmt.Sprint(i), Err: fmt.Errorf("e%d", i)})
		}
	}
	send(0, 300)
	before := seriesOf(t, m)
	send(300, 1500)
	require.Equal(t, before, seriesOf(t, m))
	require.Less(t, before, 1000)
}

func seriesOf(t *testing.T, m *Metrics) int {
	t.Helper()
	n, err := testutil.GatherAndCount(m.registry, func() (names []string) {
		for _, f := range m.families {
			names = append(names, f.Name)
		}
		return names
	}()...)
	require.NoError(t, err)
	return n
}

// TestTogether: requests, reloads and scrapes at once, for the race detector; no request
// is lost, and no series of a route that is gone comes back.
func TestTogether(t *testing.T) {
	m := NewMetrics(Options{})
	h := m.Wrap("gateway", routed(t, "shop", func(http.ResponseWriter, *http.Request) {}), slog.New(slog.DiscardHandler), LogOptions{})
	s := m.Store("memory", memstore.New())
	const workers, each = 8, 60
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				m.Attempt(gateway.Attempt{Route: "shop", Upstream: "http://a", Status: 200})
				_ = s.Put(t.Context(), sessionID, pyvalue.Str("x"))
			}
		})
	}
	all.Go(func() {
		for i := range each {
			m.Serving(Serving{Routes: []string{"shop", "new"}[:1+i%2]})
			_ = m.Numbers()
		}
		m.Serving(Serving{Routes: []string{"new"}})
	})
	all.Wait()
	require.False(t, strings.Contains(scrape(t, m), `route="shop"`))
	require.Equal(t, float64(workers*each), value(t, m, `gobeaker_store_operations_total{operation="put", outcome="ok", store="memory"}`))
}

func TestWhyNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	self := httptest.NewTLSServer(http.NotFoundHandler())
	defer self.Close()
	self.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangsUp.Close()
	slow := make(chan struct{})
	waits := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-slow }))
	defer waits.Close()
	defer close(slow)
	for want, c := range map[string]struct {
		url string
		ctx context.Context
	}{
		"connect":  {"http://" + gone.Addr().String(), t.Context()},
		"canceled": {plain.URL, ctx},
		"tls":      {self.URL, t.Context()},
		"broken":   {hangsUp.URL, t.Context()},
		"timeout":  {waits.URL, t.Context()},
	} {
		transport := &http.Transport{ResponseHeaderTimeout: 10 * time.Second, TLSClientConfig: &tls.Config{}}
		if want == "timeout" {
			transport.ResponseHeaderTimeout = time.Nanosecond
		}
		req, err := http.NewRequestWithContext(c.ctx, "GET", c.url, nil)
		require.NoError(t, err)
		_, err = transport.RoundTrip(req)
		require.Error(t, err)
		require.Equal(t, want, outcomeOf(gateway.Attempt{Err: err}), "%v", err)
		transport.CloseIdleConnections()
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", strings.Replace(plain.URL, "http:", "https:", 1), nil)
	require.NoError(t, err)
	_, err = (&http.Transport{}).RoundTrip(req)
	require.Equal(t, "tls", outcomeOf(gateway.Attempt{Err: err}), "%v", err)
	for status, want := range map[int]string{101: "1xx", 200: "2xx", 599: "5xx", 0: "other", 700: "other", -1: "other"} {
		require.Equal(t, want, outcomeOf(gateway.Attempt{Status: status}))
	}
}

// conflicting has the change of an update made three times.
type conflicting struct{ *memstore.Store }

func (c conflicting) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	for range 2 {
		if _, err := f(nil); err != nil {
			return err
		}
	}
	return c.Store.Update(ctx, id, f)
}

func TestStore(t *testing.T) {
	m := NewMetrics(Options{})
	require.Nil(t, m.Store("cookie", nil))
	s := m.Store("memory", conflicting{memstore.New()})
	u, ok := stores.As[stores.Updater](s)
	require.True(t, ok)
	require.NoError(t, u.Update(t.Context(), sessionID, func(pyvalue.Value) (pyvalue.Value, error) { return pyvalue.Str("x"), nil }))
	require.Equal(t, 2.0, value(t, m, `gobeaker_store_update_retries_total{store="memory"}`))
	require.False(t, strings.Contains(scrape(t, m), sessionID))
}

func TestReloadedAt(t *testing.T) {
	m := NewMetrics(Options{Now: ticking()})
	start := value(t, m, "gobeaker_config_last_reload_success_timestamp_seconds{}")
	require.NotZero(t, start)
	require.Equal(t, 1.0, value(t, m, "gobeaker_config_last_reload_successful{}"))
	m.Reloaded(errors.New("x"))
	require.Equal(t, start, value(t, m, "gobeaker_config_last_reload_success_timestamp_seconds{}"))
	m.Reloaded(nil)
	require.Equal(t, 1.0, value(t, m, "gobeaker_config_last_reload_successful{}"))
	require.Greater(t, value(t, m, "gobeaker_config_last_reload_success_timestamp_seconds{}"), start)
}
