package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat/internal/cache"
)

func put(c *cache.Cache[int], key string, v, weight int) (evicted int) {
	return c.Put(c.Begin(key), v, weight)
}

func TestCache(t *testing.T) {
	c := cache.New[int](3, 1600)
	_, ok := c.Get("a")
	require.False(t, ok)
	for n := range 4 {
		require.Equal(t, n/3, put(c, fmt.Sprint(n), n, 1))
	}
	_, ok = c.Get("0")
	require.False(t, ok, "the one that nobody asked for the longest")
	got, ok := c.Get("1")
	require.True(t, ok)
	require.Equal(t, 1, got)
	put(c, "4", 4, 1)
	_, ok = c.Get("1")
	require.True(t, ok)
	_, ok = c.Get("2")
	require.False(t, ok)
	put(c, "1", 11, 1)
	got, _ = c.Get("1")
	require.Equal(t, 11, got)

	ticket := c.Begin("1")
	c.Forget("1")
	_, ok = c.Get("1")
	require.False(t, ok)
	c.Put(ticket, 111, 1)
	_, ok = c.Get("1")
	require.False(t, ok, "it was read before it was forgotten")
}

func TestCacheWeight(t *testing.T) {
	c := cache.New[int](1000, 1600)
	require.Equal(t, 100, c.MaxWeight())
	put(c, "a", 1, 101)
	_, ok := c.Get("a")
	require.False(t, ok)
	kept := func() (n int) {
		for i := range 100 {
			if _, ok := c.Get(fmt.Sprint(i)); ok {
				n++
			}
		}
		return n
	}
	for range 3 { // what is replaced does not count twice
		for n := range 100 {
			put(c, fmt.Sprint(n), n, 100)
		}
		require.Equal(t, 16, kept())
	}
	for n := range 100 {
		c.Forget(fmt.Sprint(n))
	}
	require.Zero(t, kept())
	for n := range 16 {
		put(c, fmt.Sprint(n), n, 100)
	}
	require.Equal(t, 16, kept(), "nor does what was forgotten")
	put(c, "0", 0, 1)
	require.Equal(t, 0, put(c, "a", 1, 99))
	require.Equal(t, 1, put(c, "b", 1, 1))
	require.Equal(t, 16, kept()+1)
}

func TestFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f cache.Flights[int]
		var wg sync.WaitGroup
		reads := 0
		for n := range 10 {
			wg.Go(func() {
				got, led, err := f.Read(t.Context(), "a", func(context.Context) (int, error) {
					reads++
					time.Sleep(time.Second)
					return 7, nil
				})
				require.NoError(t, err)
				require.Equal(t, 7, got)
				require.Equal(t, n == 0, led)
			})
			synctest.Wait()
		}
		f.Forget("a")
		got, led, err := f.Read(t.Context(), "a", func(context.Context) (int, error) { return 8, nil })
		require.NoError(t, err)
		require.True(t, led)
		require.Equal(t, 8, got, "who comes after a Forget does not wait for what began before")
		wg.Wait()
		require.Equal(t, 1, reads)
	})
}

func TestFlightsFail(t *testing.T) {
	var f cache.Flights[int]
	_, led, err := f.Read(t.Context(), "a", func(context.Context) (int, error) { return 0, errors.New("broken") })
	require.True(t, led)
	require.EqualError(t, err, "broken")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = f.Read(ended, "a", func(context.Context) (int, error) {
		t.Error("read for nobody")
		return 0, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.PanicsWithError(t, "at the disco", func() {
		defer func() {
			err := recover().(error)
			panic(errors.New(err.Error()[:12])) // the stack follows
		}()
		_, _, _ = f.Read(t.Context(), "a", func(context.Context) (int, error) { panic("at the disco") })
	})
}

// TestFlightsEnd: a store that never answers is not asked for ever, however long the
// caller would wait.
func TestFlightsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f cache.Flights[int]
		var reads atomic.Int64
		hang := func(ctx context.Context) (int, error) {
			reads.Add(1)
			<-ctx.Done()
			return 0, fmt.Errorf("store: %w", ctx.Err())
		}
		begun := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, _, err := f.Read(t.Context(), "a", hang)
				require.EqualError(t, err, "store: context deadline exceeded")
			})
		}
		all.Wait()
		require.Equal(t, int64(2), reads.Load(), "one, and one for those who had joined it")
		require.Equal(t, 20*time.Second, time.Since(begun))
	})
}

// TestFlightsOutlive: a read goes on without the one who began it, but not for ever; who
// still waits then begins another.
func TestFlightsOutlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f cache.Flights[int]
		begun := time.Now()
		reads := 0
		read := func(ctx context.Context) (int, error) {
			reads++
			if reads == 2 {
				return 7, nil
			}
			<-ctx.Done()
			return 0, fmt.Errorf("store: %w", ctx.Err())
		}
		leader, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _, err := f.Read(leader, "a", read)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, time.Second, time.Since(begun))
		}()
		synctest.Wait()
		got, led, err := f.Read(t.Context(), "a", read)
		require.NoError(t, err)
		require.Equal(t, 7, got)
		require.True(t, led)
		require.Equal(t, 10*time.Second, time.Since(begun))
		<-done
	})
}
