package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

const testID = "1e4c684fb206494191440c2cc28cbc22"

func urlOf(s *servers.Server, db int) string { return fmt.Sprintf("redis://%s/%d", s.Addr(), db) }

// open returns a store that is closed when the test ends.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// bare returns a client of its own.
func bare(t testing.TB, s *servers.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func increment(name string) func(pyvalue.Value) (pyvalue.Value, error) {
	return func(old pyvalue.Value) (pyvalue.Value, error) {
		d, _ := old.(*pyvalue.Dict)
		if d == nil {
			d = pyvalue.NewDict()
		}
		d.SetStr(name, pyvalue.NewInt(number(d, name)+1))
		return d, nil
	}
}

func number(v pyvalue.Value, name string) int64 {
	d, _ := v.(*pyvalue.Dict)
	if d == nil {
		return 0
	}
	n, ok := d.GetStr(name)
	if !ok {
		return 0
	}
	i, _ := n.(*pyvalue.Int).Int64()
	return i
}

func TestStore(t *testing.T) {
	server := servers.Redis(t, "--databases", "1000")
	var db atomic.Int32
	storetest.Run(t, storetest.Harness{
		New: func(t *testing.T) stores.Store { return open(t, Options{URL: urlOf(server, int(db.Add(1)))}) },
		Corrupt: func(t *testing.T, s stores.Store, id string) {
			require.NoError(t, s.(*Store).client.Set(t.Context(), beakerfmt.RedisKey(id), "junk", 0).Err())
		},
	})
}

func TestStoreInCluster(t *testing.T) {
	nodes := servers.RedisCluster(t, 3)
	storetest.Run(t, storetest.Harness{
		New: func(t *testing.T) stores.Store {
			s := open(t, Options{URLs: []string{"redis://" + nodes[0].Addr(), "redis://" + nodes[1].Addr()}})
			require.NoError(t, s.client.(*redis.ClusterClient).ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
				return node.FlushAll(ctx).Err()
			}))
			return s
		},
		Corrupt: func(t *testing.T, s stores.Store, id string) {
			require.NoError(t, s.(*Store).client.Set(t.Context(), beakerfmt.RedisKey(id), "junk", 0).Err())
		},
	})
}

// TestStored: the key, the bytes and the lifetime are Beaker's.
func TestStored(t *testing.T) {
	server := servers.Redis(t)
	raw, ctx := bare(t, server), t.Context()
	key := "beaker_cache:" + testID + ":session"
	pickled := func(proto int) string {
		data, err := pickle.Append(nil, pyvalue.Str("gAJ9cQEu"), proto)
		require.NoError(t, err)
		return string(data)
	}
	plain := open(t, Options{URL: urlOf(server, 0)})
	lasting := open(t, Options{URL: urlOf(server, 0), TTL: 720*time.Second + 999*time.Millisecond, Protocol: Protocol0})
	ttl := func() time.Duration { return raw.TTL(ctx, key).Val() }

	require.NoError(t, plain.Put(ctx, testID, pyvalue.Str("gAJ9cQEu")))
	require.Equal(t, pickled(2), raw.Get(ctx, key).Val())
	require.EqualValues(t, -1, ttl())

	write := map[string]func(s *Store) error{
		"put": func(s *Store) error { return s.Put(ctx, testID, pyvalue.Str("gAJ9cQEu")) },
		"update": func(s *Store) error {
			return s.Update(ctx, testID, func(old pyvalue.Value) (pyvalue.Value, error) { return old, nil })
		},
		"insert": func(s *Store) error {
			return s.Insert(ctx, []stores.Record{{ID: testID, Value: pyvalue.Str("gAJ9cQEu")}})[0]
		},
	}
	for name, op := range write {
		for range 2 {
			if name == "insert" {
				require.NoError(t, raw.Del(ctx, key).Err())
			}
			require.NoError(t, op(lasting), name)
			require.Equal(t, pickled(0), raw.Get(ctx, key).Val(), name)
			require.Greater(t, ttl(), 700*time.Second, name)
			require.LessOrEqual(t, ttl(), 720*time.Second, name)
			if name == "insert" {
				require.NoError(t, raw.Del(ctx, key).Err())
			}
			require.NoError(t, op(plain), name)
			require.EqualValues(t, -1, ttl(), "%s takes the lifetime off", name)
		}
	}
}

// TestAnyType: a key that holds something else is a corrupt record.
func TestAnyType(t *testing.T) {
	server := servers.Redis(t)
	s, ctx := open(t, Options{URL: urlOf(server, 0)}), t.Context()
	require.NoError(t, bare(t, server).LPush(ctx, beakerfmt.RedisKey(testID), "x").Err())
	_, err := s.Get(ctx, testID)
	require.ErrorIs(t, err, stores.ErrCorrupt)
	require.ErrorIs(t, s.Update(ctx, testID, increment("n")), stores.ErrCorrupt)
	for info, err := range s.List(ctx, "") {
		require.NoError(t, err)
		require.Equal(t, stores.Info{ID: testID, Cursor: info.Cursor}, info)
	}
	require.NoError(t, s.Put(ctx, testID, pyvalue.Str("x")))
	v, err := s.Get(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("x"), v)
}

// TestSizes: records of each size around those of the buffers, and beyond the limit.
func TestSizes(t *testing.T) {
	server := servers.Redis(t)
	const most = 3 << 20
	s, ctx := open(t, Options{URL: urlOf(server, 0), MaxBytes: most}), t.Context()
	for _, n := range []int{0, 1, firstBuffer - 100, firstBuffer - 12, firstBuffer, firstBuffer * 2, keptBuffer, keptBuffer + 1, most - 100} {
		v := pyvalue.Str(strings.Repeat("x", n))
		require.NoError(t, s.Put(ctx, testID, v))
		for range 2 {
			got, err := s.Get(ctx, testID)
			require.NoError(t, err)
			require.True(t, pyvalue.Same(v, got), n)
		}
		require.NoError(t, s.Update(ctx, testID, func(old pyvalue.Value) (pyvalue.Value, error) {
			require.True(t, pyvalue.Same(v, old), n)
			return pyvalue.Str("short"), nil
		}))
	}
	long := pyvalue.Str(strings.Repeat("x", most))
	err := s.Put(ctx, testID, long)
	require.ErrorIs(t, err, stores.ErrTooLarge)
	require.NotErrorIs(t, err, stores.ErrUnavailable)
	require.NoError(t, open(t, Options{URL: urlOf(server, 0)}).Put(ctx, testID, long))
	for _, s := range []*Store{s, open(t, Options{URL: urlOf(server, 0), MaxBytes: 1000})} {
		_, err = s.Get(ctx, testID)
		require.ErrorIs(t, err, stores.ErrTooLarge)
		require.ErrorIs(t, err, stores.ErrCorrupt)
		require.ErrorIs(t, s.Update(ctx, testID, increment("n")), stores.ErrTooLarge)
	}
}

// TestUpdateConflict: another writer between f and EXEC makes f run again, with what
// that one wrote.
func TestUpdateConflict(t *testing.T) {
	server := servers.Redis(t)
	s, raw, ctx := open(t, Options{URL: urlOf(server, 0)}), bare(t, server), t.Context()
	data, err := pickle.Append(nil, pyvalue.Str("theirs"), 2)
	require.NoError(t, err)
	for _, v := range []pyvalue.Value{pyvalue.Str("mine"), nil} {
		calls := 0
		require.NoError(t, s.Put(ctx, testID, pyvalue.Str("old")))
		require.NoError(t, s.Update(ctx, testID, func(old pyvalue.Value) (pyvalue.Value, error) {
			if calls++; calls < 4 {
				require.NoError(t, raw.Set(ctx, beakerfmt.RedisKey(testID), data, 0).Err())
			}
			if calls > 1 {
				require.Equal(t, pyvalue.Str("theirs"), old)
			}
			if v == nil {
				return nil, stores.ErrRemove
			}
			return v, nil
		}))
		require.Equal(t, 4, calls)
		got, err := s.Get(ctx, testID)
		if v == nil {
			require.ErrorIs(t, err, stores.ErrNotExist)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, v, got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	err = s.Update(ctx, testID, func(pyvalue.Value) (pyvalue.Value, error) {
		require.NoError(t, raw.Set(t.Context(), beakerfmt.RedisKey(testID), data, 0).Err())
		cancel()
		return pyvalue.Str("mine"), nil
	})
	require.ErrorIs(t, err, context.Canceled, "conflicts end with the context")
}

// TestListMany: everything once, in pieces of any length, from a server that has
// other keys too.
func TestListMany(t *testing.T) {
	server, nodes := servers.Redis(t), servers.RedisCluster(t, 3)
	for name, o := range map[string]Options{"single": {URL: urlOf(server, 3)}, "cluster": {URLs: []string{"redis://" + nodes[2].Addr()}}} {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t, o), t.Context()
			const many = 3000
			want, records := map[string]bool{}, []stores.Record{}
			for n := range many {
				id := fmt.Sprintf("%032x", n*7919)
				want[id] = true
				records = append(records, stores.Record{ID: id, Value: pyvalue.Str(strconv.Itoa(n))})
			}
			for _, err := range s.Insert(ctx, records) {
				require.NoError(t, err)
			}
			for _, err := range s.Insert(ctx, records) {
				require.ErrorIs(t, err, stores.ErrExist)
			}
			for _, key := range []string{"other", "beaker_cache:x:y", "beaker_lock:beaker_cache:x:session", "beaker_cache:a b:session", "beaker_cache::session"} {
				require.NoError(t, s.client.Set(ctx, key, "x", 0).Err())
			}
			for _, piece := range []int{1, 700, many} {
				seen, from, pieces := map[string]bool{}, "", 0
				for ; len(seen) < many && pieces < many; pieces++ {
					n := 0
					for info, err := range s.List(ctx, from) {
						require.NoError(t, err)
						require.Positive(t, info.Size)
						seen[info.ID] = true
						if n++; n >= piece && info.Cursor != from {
							from = info.Cursor
							break
						}
					}
				}
				require.Equal(t, want, seen)
				require.LessOrEqual(t, pieces, many/piece+2)
			}
			for _, from := range []string{"junk", "a.b.c", "0.0.0", strings.Repeat("f", 32) + ".0.5"} {
				n := 0
				for _, err := range s.List(ctx, from) {
					require.NoError(t, err)
					n++
				}
				require.Equal(t, many, n, "a cursor of other servers is none")
			}
		})
	}
}

func TestWindow(t *testing.T) {
	w := window{ids: map[string]struct{}{}}
	for n := range 3 * scanWindow {
		require.True(t, w.add(strconv.Itoa(n)))
		require.False(t, w.add(strconv.Itoa(n)))
		require.False(t, w.add(strconv.Itoa(max(0, n-scanWindow+1))))
		require.LessOrEqual(t, len(w.ids), scanWindow)
	}
	require.True(t, w.add("0"), "long ago")
}

func TestWrongOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"nothing":         {},
		"both":            {URL: "redis://h", URLs: []string{"redis://h"}},
		"scheme":          {URL: "http://sekrit"},
		"negative db":     {URL: "redis://h/-1"},
		"unknown option":  {URL: "redis://h?sekrit=1"},
		"decode":          {URL: "redis://h?decode_responses=False"},
		"ssl without":     {URL: "redis://h?ssl_ca_certs=sekrit"},
		"cert reqs":       {URL: "rediss://h?ssl_cert_reqs=sekrit"},
		"timeout 0":       {URL: "redis://h?socket_timeout=0"},
		"timeout nan":     {URL: "redis://h?socket_timeout=nan"},
		"timeout inf":     {URL: "redis://h?socket_connect_timeout=inf"},
		"protocol 4":      {URL: "redis://h?protocol=4"},
		"no path":         {URL: "unix://h"},
		"cluster db":      {URLs: []string{"redis://h/0"}},
		"cluster no host": {URLs: []string{"redis://:6379"}},
		"cluster unix":    {URLs: []string{"unix:///s"}},
		"cluster 2nd":     {URLs: []string{"redis://h", "sekrit"}},
		"no master":       {URL: "redis://h", Sentinels: []string{"s"}},
		"no sentinels":    {URL: "redis://h", MasterName: "m"},
		"sentinel addr":   {URL: "redis://h", MasterName: "m", Sentinels: []string{":5"}},
		"sentinel port":   {URL: "redis://h", MasterName: "m", Sentinels: []string{"h:x"}},
		"ttl":             {URL: "redis://h", TTL: time.Millisecond},
		"negative ttl":    {URL: "redis://h", TTL: -time.Second},
		"pickle protocol": {URL: "redis://h", Protocol: 6},
		"size":            {URL: "redis://h", MaxBytes: -1},
		"extra":           {URL: "redis://h", Extra: map[string]string{"password": "sekrit"}},
		"bad password":    {URL: "redis://u:sekrit@h:x"},
		"unquoted":        {URL: "redis://u:a?sekrit=b@h:1"},
		"unquoted path":   {URL: "redis://u:sekrit/x@h:1"},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, "redisstore: options: ", name)
		require.NotContains(t, err.Error(), "sekrit", name)
	}
}
