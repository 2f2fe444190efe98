package middleware_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
)

// cookieSite is a service whose sessions are in their cookies, and a cookie of an
// hour ago.
func cookieSite(t *testing.T) (*middleware.Sessions, string) {
	t.Helper()
	now := time.Unix(1700000000, 0)
	o := compat.Defaults()
	o.Type, o.ValidateKey = "cookie", "validate-key"
	m, err := compat.New(o, nil, compat.Environment{Now: func() time.Time { return now }})
	require.NoError(t, err)
	sessions := middleware.NewSessions(m, middleware.SessionsOptions{})
	w := httptest.NewRecorder()
	sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := middleware.Session(r)
		require.NoError(t, err)
		require.NoError(t, s.Set("user", "ann"))
		s.Save()
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	now = now.Add(time.Hour)
	return sessions, cookie
}

// TestTouchStandsBack: the cookie of a mere touch is sent, unless the response has a
// better one or is for many.
func TestTouchStandsBack(t *testing.T) {
	for name, tc := range map[string]struct {
		header http.Header
		use    bool // the handler uses the session itself
		sent   bool
		total  int
	}{
		"nothing else":           {sent: true, total: 1},
		"another cookie":         {header: http.Header{"Set-Cookie": {"beaker.session.ids=x; Path=/"}}, sent: true, total: 2},
		"the session's own":      {header: http.Header{"Set-Cookie": {"a=b", " beaker.session.id =x; Path=/"}}, total: 2},
		"its end":                {header: http.Header{"Set-Cookie": {"beaker.session.id=; Max-Age=0"}}, total: 1},
		"for one":                {header: http.Header{"Cache-Control": {"private, max-age=60"}}, sent: true, total: 1},
		"for many":               {header: http.Header{"Cache-Control": {"max-age=60", "Public"}}},
		"for many, by time":      {header: http.Header{"Cache-Control": {"max-age=60, s-maxage=10"}}},
		"for many, but used":     {header: http.Header{"Cache-Control": {"public"}}, use: true, sent: true, total: 1},
		"one's own, but changed": {header: http.Header{"Set-Cookie": {"beaker.session.id=x"}}, use: true, sent: true, total: 2},
	} {
		t.Run(name, func(t *testing.T) {
			sessions, cookie := cookieSite(t)
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tc.header {
					w.Header()[k] = v
				}
				_, _ = io.WriteString(w, "image")
			}))
			defer upstream.Close()
			target, err := url.Parse(upstream.URL)
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(target)
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				require.NoError(t, middleware.Touch(r))
				if tc.use {
					s, err := middleware.Session(r)
					require.NoError(t, err)
					s.Save()
					require.False(t, s.IsNew())
				}
				proxy.ServeHTTP(w, r)
			})).ServeHTTP(w, r)
			require.Equal(t, "image", w.Body.String())
			lines := w.Header()["Set-Cookie"]
			require.Len(t, lines, tc.total)
			sent := tc.total > 0 && strings.HasPrefix(lines[tc.total-1], "beaker.session.id=") && len(lines[tc.total-1]) > 60
			require.Equal(t, tc.sent, sent, lines)
			require.Equal(t, "Cookie", w.Header().Get("Vary"))
		})
	}
}

func TestTouchWithoutMiddleware(t *testing.T) {
	require.ErrorIs(t, middleware.Touch(httptest.NewRequest("GET", "/", nil)), middleware.ErrNoMiddleware)
}
