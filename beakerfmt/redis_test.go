package beakerfmt_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func TestRedisKey(t *testing.T) {
	const id = "1e4c684fb206494191440c2cc28cbc22"
	require.Equal(t, "beaker_cache:"+id+":session", beakerfmt.RedisKey(id))
	// What Beaker 1.13.0's _format_key('session') returned for ids of these lengths.
	require.Equal(t, "beaker_cache:"+strings.Repeat("a", 1003)+":session", beakerfmt.RedisKey(strings.Repeat("a", 1003)))
	require.Equal(t, "beaker_cache:"+strings.Repeat("a", 1004)+":fcbdc4c271c889825d8338d2d8f10b6e5e95c171", beakerfmt.RedisKey(strings.Repeat("a", 1004)))

	for _, id := range []string{id, "a", "a:b", ":session", strings.Repeat("a", 1003)} {
		got, ok := beakerfmt.RedisID(beakerfmt.RedisKey(id))
		require.True(t, ok, id)
		require.Equal(t, id, got)
	}
	for _, key := range []string{
		"", "session", ":session", "beaker_cache:", "beaker_cache::session", "beaker_cache:session", "beaker_cache:" + id, "beaker_cache:" + id + ":other",
		"beaker_lock:beaker_cache:" + id + ":session", "Beaker_cache:" + id + ":session", "beaker_cache:" + strings.Repeat("a", 1004) + ":session",
	} {
		_, ok := beakerfmt.RedisID(key)
		require.False(t, ok, key)
	}
}

// FuzzRedis: what is read can be written, and is the same again; and a key names one
// id.
func FuzzRedis(f *testing.F) {
	for proto := range 6 {
		data, err := beakerfmt.AppendRedis(nil, pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("a"), Value: pyvalue.Str("gAJ9")}), proto)
		require.NoError(f, err)
		f.Add(data, "beaker_cache:1e4c684fb206494191440c2cc28cbc22:session")
	}
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		if id, ok := beakerfmt.RedisID(key); ok {
			require.Equal(t, key, beakerfmt.RedisKey(id))
		}
		v, err := beakerfmt.DecodeRedis(data, pickle.Limits{})
		if err != nil {
			require.ErrorIs(t, err, beakerfmt.ErrCorrupt)
			return
		}
		again, err := beakerfmt.AppendRedis([]byte("x"), v, pickle.DefaultProtocol)
		require.NoError(t, err)
		require.Equal(t, byte('x'), again[0])
		v2, err := beakerfmt.DecodeRedis(again[1:], pickle.Limits{})
		require.NoError(t, err)
		require.True(t, pyvalue.Same(v, v2))
	})
}
