package sqlstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// testClock: it is UTC whatever the time zone of the session is. SQLite has no clock.
func testClock(t *testing.T, b *base) {
	for _, query := range map[string][]string{
		"postgres": {"", "?options=-ctimezone%3DAsia/Tokyo"},
		"mariadb":  {"", "?init_command=SET%20time_zone%3D'%2B09:00'"},
		"sqlite":   {""},
	}[b.name] {
		s := open(t, Options{URL: b.url + query})
		now, err := s.Now(t.Context())
		if b.name == "sqlite" {
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.NotErrorIs(t, err, stores.ErrUnavailable)
			return
		}
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), now, time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.Now(ctx)
		require.ErrorIs(t, err, context.Canceled)
	}
	wrong := open(t, Options{URL: b.url + "none"})
	_, err := wrong.Now(t.Context())
	require.ErrorIs(t, err, stores.ErrMissing)
	requireDiscreet(t, err)
	require.NotContains(t, err.Error(), servers.Password)
}
