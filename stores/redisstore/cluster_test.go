package redisstore

import (
	"context"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// TestMovingSlot moves the slot of a record to another master, key by key as an
// administrator does.
func TestMovingSlot(t *testing.T) {
	nodes := servers.RedisCluster(t, 3)
	s, ctx := open(t, Options{URLs: []string{"redis://" + nodes[0].Addr()}}), t.Context()
	require.NoError(t, s.Put(ctx, testID, pyvalue.Str("old")))
	key := beakerfmt.RedisKey(testID)

	var raw []*redis.Client
	var ids []string
	for _, n := range nodes {
		c := bare(t, n)
		raw, ids = append(raw, c), append(ids, c.Do(ctx, "cluster", "myid").Val().(string))
	}
	slot := raw[0].ClusterKeySlot(ctx, key).Val()
	from := int(slot * 3 / 16384)
	to := (from + 1) % 3
	do := func(c *redis.Client, args ...any) { require.NoError(t, c.Do(ctx, args...).Err(), args...) }

	do(raw[to], "cluster", "setslot", slot, "importing", ids[from])
	do(raw[from], "cluster", "setslot", slot, "migrating", ids[to])
	do(raw[from], "migrate", servers.Host, strconv.Itoa(nodes[to].Port), key, 0, 5000)
	v, err := s.Get(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("old"), v)
	require.NoError(t, s.Put(ctx, testID, pyvalue.Str("new")))
	err = s.Update(ctx, testID, func(old pyvalue.Value) (pyvalue.Value, error) { return old, nil })
	if err != nil { // go-redis does not follow half a move with a WATCH
		require.ErrorIs(t, err, stores.ErrUnavailable)
		require.NotErrorIs(t, err, stores.ErrUncertain)
	}

	for _, n := range []int{to, from, 3 - to - from} {
		do(raw[n], "cluster", "setslot", slot, "node", ids[to])
	}
	require.NoError(t, s.Update(ctx, testID, func(old pyvalue.Value) (pyvalue.Value, error) {
		require.Equal(t, pyvalue.Str("new"), old)
		return pyvalue.Str("newer"), nil
	}))
	other := open(t, Options{URLs: []string{"redis://" + nodes[0].Addr()}})
	v, err = other.Get(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("newer"), v)
	require.NoError(t, s.Delete(ctx, testID))
	for _, err := range s.Insert(ctx, []stores.Record{{ID: testID, Value: pyvalue.Str("x")}}) {
		require.NoError(t, err)
	}
}

// TestClusterPassword: Beaker hands username and password on beside the urls.
func TestClusterPassword(t *testing.T) {
	nodes := servers.RedisCluster(t, 2)
	ctx, user := t.Context(), []any{"acl", "setuser", "beaker", "on", ">sekrit", "~beaker_cache:*", "+get", "+set", "+exists", "+cluster|slots", "+cluster|shards"}
	for _, n := range nodes {
		require.NoError(t, bare(t, n).Do(ctx, user...).Err())
		require.NoError(t, bare(t, n).Do(ctx, "acl", "setuser", "default", "off").Err())
	}
	urls := []string{"redis://" + nodes[0].Addr(), "redis://" + nodes[1].Addr()}
	s := open(t, Options{URLs: urls, Extra: map[string]string{"username": "beaker", "password": "sekrit", "data_dir": "/x"}})
	require.NoError(t, s.Ping(ctx))
	for n := range 10 {
		require.NoError(t, s.Put(ctx, strconv.Itoa(n), pyvalue.NewInt(int64(n))))
	}
	for _, extra := range []map[string]string{nil, {"username": "beaker", "password": "wrong"}} {
		s := open(t, Options{URLs: urls, Extra: extra})
		for name, op := range map[string]func(context.Context) error{"get": operations(s)["get"], "put": operations(s)["put"], "insert": operations(s)["insert"]} {
			err := op(ctx)
			require.ErrorIs(t, err, stores.ErrAccess, name)
			require.NotErrorIs(t, err, stores.ErrUncertain, name)
			requireDiscreet(t, err)
		}
	}
}
