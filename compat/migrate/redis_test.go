package migrate_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat/migrate"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/redisstore"
)

// TestRedisDies: a pass into a Redis that is killed ends with an error, no record is to
// blame, and the next one goes on with the same client and brings all there.
func TestRedisDies(t *testing.T) {
	redis := servers.Redis(t)
	store, err := redisstore.New(redisstore.Options{URL: "redis://" + redis.Addr()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	src, dst := side(t, memstore.New(), peer("beaker-1.11")), side(t, store, peer("beaker-1.13"))
	const records = 1000
	for n := range records {
		put(t, src, id(n), session(n, time.Minute))
	}
	var once sync.Once
	o := migrate.Options{From: src, To: dst, Batch: 50, Problem: func(p migrate.Problem) { t.Error(p.Reason, p.Err) }}
	o.Progress = func(migrate.Counts) { once.Do(redis.Kill) }
	_, err = migrate.Run(t.Context(), o)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	redis.Start(t)
	c := run(t, o)
	require.EqualValues(t, records, c.Listed)
	require.EqualValues(t, records, c.Copied+c.Done)
	c, err = migrate.Verify(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, migrate.Counts{Listed: records, Done: records}, c)
}
