package migrate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/migrate"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/redisstore"
)

// benchFiles is how many sessions are copied.
const benchFiles = 5_000

// BenchmarkFilesToRedis copies session files to a Redis that it starts, beside what
// has to be done at least, done by one loop each over the same files: reading them, and setting as many
// keys to the same bytes, 128 in a pipeline. "ratio" is the rate of the migration over the
// slower of the two; it should be above 0.6.
func BenchmarkFilesToRedis(b *testing.B) {
	for _, form := range []string{"beaker-1.11", "beaker-1.13"} {
		b.Run(form+" to beaker-1.13", func(b *testing.B) {
			paths, from := benchSource(b, form)
			addr := servers.Redis(b).Addr()
			client := redis.NewClient(&redis.Options{Addr: addr})
			b.Cleanup(func() { _ = client.Close() })
			store, err := redisstore.New(redisstore.Options{URL: "redis://" + addr})
			require.NoError(b, err)
			b.Cleanup(func() { _ = store.Close() })
			to := migrate.Side{Store: store, Manager: benchManager(b, "beaker-1.13", store)}
			var read, set, copied time.Duration
			for b.Loop() {
				var values [][]byte
				read += took(func() { values = readAll(b, paths) })
				require.NoError(b, client.FlushAll(b.Context()).Err())
				set += took(func() { setAll(b, client, values) })
				require.NoError(b, client.FlushAll(b.Context()).Err())
				copied += took(func() {
					c, err := migrate.Run(b.Context(), migrate.Options{From: from, To: to})
					require.NoError(b, err)
					require.EqualValues(b, benchFiles, c.Copied)
				})
			}
			rate := func(d time.Duration) float64 { return benchFiles * float64(b.N) / d.Seconds() }
			b.ReportMetric(rate(read), "reads/s")
			b.ReportMetric(rate(set), "sets/s")
			b.ReportMetric(rate(copied), "sessions/s")
			b.ReportMetric(rate(copied)/min(rate(read), rate(set)), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func benchManager(b *testing.B, name string, store stores.Store) *compat.Manager {
	b.Helper()
	p, err := compat.ParsePeer(name)
	require.NoError(b, err)
	o := compat.Defaults()
	o.Type, o.Peer, o.Timeout = "file", p, time.Hour
	m, err := compat.New(o, store, compat.Environment{})
	require.NoError(b, err)
	return m
}

// benchSource makes the files, and returns their paths in the order in which a store
// lists them.
func benchSource(b *testing.B, form string) ([]string, migrate.Side) {
	b.Helper()
	dir := b.TempDir()
	store, err := filestore.New(filestore.Options{DataDir: dir, Protocol: 4})
	require.NoError(b, err)
	from := migrate.Side{Store: store, Manager: benchManager(b, form, store)}
	for n := range benchFiles {
		v, err := from.Manager.Encode(benchSession(n), beakerfmt.Form{})
		require.NoError(b, err)
		require.NoError(b, store.Put(b.Context(), fmt.Sprintf("%08x%024x", uint32(n)*2654435761, n), v))
	}
	var paths []string
	for info, err := range store.List(b.Context(), "") {
		require.NoError(b, err)
		paths = append(paths, filepath.Join(dir, "container_file", filepath.FromSlash(beakerfmt.DataPath(info.ID))))
	}
	return paths, from
}

// benchSession is a session of the usual kind, of about 700 bytes.
func benchSession(n int) *pyvalue.Dict {
	d := pyvalue.NewDict()
	at := pyvalue.Float(float64(time.Now().Unix()) + 0.25)
	d.SetStr("_creation_time", at)
	d.SetStr("_accessed_time", at)
	d.SetStr("_domain", pyvalue.None{})
	d.SetStr("_path", pyvalue.Str("/"))
	d.SetStr("user_id", pyvalue.NewInt(int64(n)))
	d.SetStr("user", pyvalue.Str("somebody@example.org"))
	d.SetStr("csrf", pyvalue.Str(strings.Repeat("0123456789abcdef", 4)))
	var cart []pyvalue.Value
	for i := range 8 {
		item := pyvalue.NewDict()
		item.SetStr("sku", pyvalue.Str(fmt.Sprintf("article-%06d", i*n)))
		item.SetStr("count", pyvalue.NewInt(int64(i)))
		cart = append(cart, item)
	}
	d.SetStr("cart", pyvalue.NewList(cart...))
	return d
}

func readAll(b *testing.B, paths []string) [][]byte {
	values := make([][]byte, len(paths))
	for i, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(b, err)
		values[i] = data
	}
	return values
}

func setAll(b *testing.B, client *redis.Client, values [][]byte) {
	const batch = 128
	for start := 0; start < len(values); start += batch {
		pipe := client.Pipeline()
		for i := start; i < min(start+batch, len(values)); i++ {
			pipe.Set(b.Context(), beakerfmt.RedisKey(fmt.Sprintf("%032x", i)), values[i], 0)
		}
		_, err := pipe.Exec(b.Context())
		require.NoError(b, err)
	}
}
