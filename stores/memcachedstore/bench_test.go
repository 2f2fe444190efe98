package memcachedstore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

// benchStore has a session of a kilobyte and a half of text.
func benchStore(b *testing.B) *Store {
	s := open(b, Options{Servers: started(servers.Memcached(b))})
	require.NoError(b, s.Put(b.Context(), testID, pyvalue.Str("gAJ9"+strings.Repeat("cQEu", 400))))
	return s
}

func BenchmarkGet(b *testing.B) {
	s := benchStore(b)
	ctx := b.Context()
	for b.Loop() {
		if _, err := s.Get(ctx, testID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareGet is gomemcache's Get of the same value, and its decoding.
func BenchmarkBareGet(b *testing.B) {
	s := benchStore(b)
	c := memcache.NewFromSelector(s.selector)
	key := beakerfmt.MemcachedKey(testID, 3)
	for b.Loop() {
		item, err := c.Get(key)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := beakerfmt.DecodeMemcached(item.Value, item.Flags, beakerfmt.MemcachedLimits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetOverBare does both in turn, so that what else the machine does is in both,
// and reports the ratio of the medians.
func BenchmarkGetOverBare(b *testing.B) {
	s := benchStore(b)
	c := memcache.NewFromSelector(s.selector)
	key := beakerfmt.MemcachedKey(testID, 3)
	ctx := b.Context()
	var ours, bare []time.Duration
	for b.Loop() {
		start := time.Now()
		_, err := s.Get(ctx, testID)
		between := time.Now()
		item, bareErr := c.Get(key)
		if err != nil || bareErr != nil {
			b.Fatal(err, bareErr)
		}
		if _, err := beakerfmt.DecodeMemcached(item.Value, item.Flags, beakerfmt.MemcachedLimits{}); err != nil {
			b.Fatal(err)
		}
		ours, bare = append(ours, between.Sub(start)), append(bare, time.Since(between))
	}
	b.ReportMetric(median(ours)/median(bare), "x-bare")
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2])
}

func BenchmarkGetParallel(b *testing.B) {
	s := benchStore(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Get(b.Context(), testID); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	s := benchStore(b)
	ctx := b.Context()
	for b.Loop() {
		if err := s.Update(ctx, testID, func(old pyvalue.Value) (pyvalue.Value, error) { return old, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareUpdate is gomemcache's Get and CompareAndSwap.
func BenchmarkBareUpdate(b *testing.B) {
	s := benchStore(b)
	c := memcache.NewFromSelector(s.selector)
	key := beakerfmt.MemcachedKey(testID, 3)
	for b.Loop() {
		item, err := c.Get(key)
		if err != nil {
			b.Fatal(err)
		}
		v, err := beakerfmt.DecodeMemcached(item.Value, item.Flags, beakerfmt.MemcachedLimits{})
		if err != nil {
			b.Fatal(err)
		}
		if item.Value, item.Flags, err = beakerfmt.AppendMemcached(nil, v); err != nil {
			b.Fatal(err)
		}
		if err := c.CompareAndSwap(item); err != nil {
			b.Fatal(err)
		}
	}
}
