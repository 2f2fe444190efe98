package redisstore

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// Each benchmark of the store stands beside one that uses go-redis alone, with the
// options that its users have, and encodes or decodes.

// typicalSession is what an application of middling habits keeps.
func typicalSession() *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("_accessed_time", pyvalue.Float(1700000000.25))
	d.SetStr("_creation_time", pyvalue.Float(1700000000.25))
	d.SetStr("_domain", pyvalue.None{})
	d.SetStr("_path", pyvalue.Str("/"))
	d.SetStr("user_id", pyvalue.NewInt(123456))
	d.SetStr("user_name", pyvalue.Str("somebody@example.org"))
	d.SetStr("_authentication_token", pyvalue.Str("219481028379486120984610928365019283"))
	d.SetStr("lang", pyvalue.Str("en"))
	d.SetStr("cart", pyvalue.NewList(pyvalue.NewInt(1), pyvalue.NewInt(2), pyvalue.NewInt(3)))
	d.SetStr("flash", pyvalue.NewList(pyvalue.NewTuple(pyvalue.Str("notice"), pyvalue.Str("saved"))))
	return d
}

func BenchmarkGet(b *testing.B) {
	server := servers.Redis(b)
	s, raw, ctx := open(b, Options{URL: urlOf(server, 0)}), redis.NewClient(&redis.Options{Addr: server.Addr()}), b.Context()
	b.Cleanup(func() { _ = raw.Close() })
	require.NoError(b, s.Put(ctx, testID, typicalSession()))
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Get(ctx, testID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		key := beakerfmt.RedisKey(testID)
		b.ReportAllocs()
		for b.Loop() {
			data, err := raw.Get(ctx, key).Bytes()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := pickle.Decode(data, pickle.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	const batch = 500
	server := servers.Redis(b)
	s, raw, ctx := open(b, Options{URL: urlOf(server, 0)}), redis.NewClient(&redis.Options{Addr: server.Addr(), DB: 1}), b.Context()
	b.Cleanup(func() { _ = raw.Close() })
	v, n := typicalSession(), 0
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		records := make([]stores.Record, batch)
		for ; b.Loop(); n++ {
			for i := range records {
				records[i] = stores.Record{ID: fmt.Sprintf("%d-%d", n, i), Value: v}
			}
			for _, err := range s.Insert(ctx, records) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for ; b.Loop(); n++ {
			pipe := raw.Pipeline()
			for i := range batch {
				data, err := pickle.Append(nil, v, pickle.DefaultProtocol)
				if err != nil {
					b.Fatal(err)
				}
				pipe.Set(ctx, beakerfmt.RedisKey(fmt.Sprintf("%d-%d", n, i)), data, 0)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	server := servers.Redis(b)
	s, ctx := open(b, Options{URL: urlOf(server, 0)}), b.Context()
	require.NoError(b, s.Put(ctx, testID, typicalSession()))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Update(ctx, testID, increment("n")); err != nil {
			b.Fatal(err)
		}
	}
}
