package facts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

// TestFileServer: the least differences tell, requests take their time, and what was
// copied says nothing.
func TestFileServer(t *testing.T) {
	moments := func(skew time.Duration, took ...time.Duration) (out []Moment) {
		for _, d := range took {
			out = append(out, Moment{Store: written.Add(skew + d), Writer: written})
		}
		return out
	}
	ms := time.Millisecond
	took := []time.Duration{2 * ms, 5 * ms, 3 * ms, 900 * ms, 20 * time.Second, 4 * ms, 2 * ms, 8 * ms, 3 * ms, 40 * time.Hour, -30 * time.Hour}
	for _, skew := range []time.Duration{0, -5 * time.Minute, 5 * time.Minute} {
		c, ok := fileServer(moments(skew, took...))
		require.True(t, ok)
		require.InDelta(t, float64(skew), float64(c.Skew), float64(10*ms))
		require.Less(t, c.Within, 2*time.Second)
		require.Equal(t, AgainstWriters, c.Against)
	}
	_, ok := fileServer(moments(0, took[:4]...))
	require.False(t, ok)
	_, ok = fileServer(moments(100*time.Hour, took...))
	require.False(t, ok)
}

func TestReadClocks(t *testing.T) {
	sample := &Sample{}
	for range 10 {
		sample.Modified = append(sample.Modified, Moment{Store: written.Add(-time.Minute), Writer: written})
	}
	tree := &Tree{System: []FileSys{{Network: true, Kind: "nfs"}}}
	probe := &Probe{Python: "3.9.1", Skew: time.Hour, skewWithin: time.Millisecond}
	c := ReadClocks(t.Context(), ClockOptions{Options: options(), Store: true, Sample: sample, Tree: tree, Python: probe})
	require.Equal(t, &Clocks{Clocks: []Clock{
		{Name: "python", Against: AgainstUs, Skew: time.Hour, Within: time.Millisecond},
		{Name: "file server", Against: AgainstWriters, Skew: -time.Minute, Within: time.Second},
	}}, c)
	tree.System[0].Network = false
	c = ReadClocks(t.Context(), ClockOptions{Options: options(), Store: true, Sample: sample, Tree: tree, Python: &Probe{}})
	require.Empty(t, c.Clocks)
}

// TestNoStoreClock: what cannot be asked is a problem, what has no clock is nothing.
func TestNoStoreClock(t *testing.T) {
	read := func(change func(*compat.Options)) []Clock {
		return ReadClocks(t.Context(), ClockOptions{Options: options(change), Store: true}).Clocks
	}
	down := read(func(o *compat.Options) { o.Type, o.URL = "ext:redis", "redis://:"+testSecret+"@127.0.0.1:1/0" })
	require.Len(t, down, 1)
	require.Equal(t, Unreachable, down[0].Problem.Kind)
	requireDiscreet(t, down)
	require.Empty(t, read(func(o *compat.Options) { o.Type, o.URL = "ext:database", "sqlite:////tmp/none.db" }))
	require.Empty(t, read(cookieOnly))
	require.Equal(t, Failed, read(func(o *compat.Options) { o.Type, o.URL = "ext:nobody", "x" })[0].Problem.Kind)
	require.Empty(t, ReadClocks(t.Context(), ClockOptions{Options: options()}).Clocks)
}
