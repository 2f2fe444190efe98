package redisstore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

func TestClock(t *testing.T) {
	server := servers.Redis(t)
	s := open(t, Options{URL: "redis://" + server.Addr()})
	now, err := s.Now(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), now, time.Minute)

	c := bare(t, server)
	require.NoError(t, c.Do(t.Context(), "acl", "setuser", "some", "on", "nopass", "~*", "+get", "+exists").Err())
	_, err = open(t, Options{URL: "redis://some:x@" + server.Addr()}).Now(t.Context())
	require.ErrorIs(t, err, stores.ErrAccess)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Now(ctx)
	require.ErrorIs(t, err, context.Canceled)
	server.Stop()
	_, err = s.Now(t.Context())
	require.ErrorIs(t, err, stores.ErrUnavailable)
}

func TestClusterClock(t *testing.T) {
	nodes := servers.RedisCluster(t, 3)
	now, err := open(t, Options{URLs: []string{"redis://" + nodes[0].Addr()}}).Now(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), now, time.Minute)
}
