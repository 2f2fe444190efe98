package sessionpage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/sessionpage"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/telemetry"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// failing is a store that cannot be read.
type failing struct {
	stores.Store
	err error
}

func (f failing) Get(context.Context, string) (pyvalue.Value, error) { return nil, f.err }

// TestFailure: a session that cannot be read is logged with the id of the request, and
// without that of the session; who asked is told no more than that.
func TestFailure(t *testing.T) {
	const id = "1e4c684fb206494191440c2cc28cbc22"
	for name, c := range map[string]struct {
		editable bool
		err      error
		status   int
	}{
		"an outage":           {false, fmt.Errorf("store: %w", stores.ErrUnavailable), http.StatusServiceUnavailable},
		"an outage, editable": {true, fmt.Errorf("store: %w", stores.ErrUnavailable), http.StatusServiceUnavailable},
		"anything":            {false, errors.New("store: out of order"), http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			o := compat.Defaults()
			o.Secret = "sekrit"
			m, err := compat.New(o, failing{memstore.New(), c.err}, compat.Environment{})
			require.NoError(t, err)
			var lines bytes.Buffer
			page, err := sessionpage.New(sessionpage.Options{Editable: c.editable, Log: telemetry.NewLogger(&lines, "text", slog.LevelInfo)})
			require.NoError(t, err)
			sessions := middleware.NewSessions(m, middleware.SessionsOptions{})
			h := telemetry.NewMetrics(telemetry.Options{}).Wrap("public", sessions.Wrap(page), slog.New(slog.DiscardHandler), telemetry.LogOptions{})

			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Cookie", o.Key+"="+string(beakerfmt.AppendSigned(nil, []byte(o.Secret), id)))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, "The session cannot be read now.\n", w.Body.String())
			request := w.Header().Get("X-Request-Id")
			require.NotEmpty(t, request)
			require.Equal(t, 1, strings.Count(lines.String(), "\n"), lines.String())
			require.Contains(t, lines.String(), `msg="session page"`)
			require.Contains(t, lines.String(), "request_id="+request)
			require.NotContains(t, lines.String(), id)
		})
	}
}
