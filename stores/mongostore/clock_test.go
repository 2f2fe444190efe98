package mongostore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

func TestClock(t *testing.T) {
	server := servers.Mongo(t)
	s := open(t, brief(newURL(server)))
	now, err := s.Now(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), now, time.Minute)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Now(ctx)
	require.ErrorIs(t, err, context.Canceled)
	server.Stop()
	_, err = s.Now(t.Context())
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.NoError(t, s.Close())
	_, err = s.Now(t.Context())
	require.ErrorIs(t, err, stores.ErrUnavailable)
}
