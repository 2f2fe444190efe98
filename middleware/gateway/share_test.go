package gateway

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func shares(weights ...float64) (routes []*route) {
	for i, w := range weights {
		name := fmt.Sprintf("route %d", i)
		routes = append(routes, &route{name: name, seed: number(name), conf: Route{Weight: &w}})
	}
	return routes
}

// When a route gains weight, exactly the visitors that it has to get move, and all to it.
func TestShareIsMonotone(t *testing.T) {
	const visitors = 100_000
	for _, c := range []struct{ before, after []float64 }{
		{[]float64{90, 10}, []float64{80, 20}},
		{[]float64{1, 0}, []float64{99, 1}},
		{[]float64{99, 1}, []float64{0, 1}},
		{[]float64{0.5, 0.25, 0.25}, []float64{0.5, 0.25, 0.75}},
	} {
		before, after := shares(c.before...), shares(c.after...)
		count := make([]float64, len(after))
		moved := map[string]int{}
		for v := range visitors {
			key := number(fmt.Sprintf("session %d", v))
			from, to := share(before, key), share(after, key)
			for i, r := range after {
				if r == to {
					count[i]++
				}
			}
			if from.name != to.name {
				moved[from.name+" → "+to.name]++
			}
		}
		var sumBefore, sum float64
		for i := range c.after {
			sumBefore += c.before[i]
			sum += c.after[i]
		}
		need := 0.0
		for i := range c.after {
			require.InDelta(t, c.after[i]/sum, count[i]/visitors, 0.005, "%v", c.after)
			need += max(0, c.after[i]/sum-c.before[i]/sumBefore)
		}
		total := 0
		last := fmt.Sprintf("route %d", len(c.after)-1)
		for way, n := range moved {
			require.Contains(t, way, "→ "+last, "all go one way")
			total += n
		}
		require.InDelta(t, need, float64(total)/visitors, 0.005)
	}
}

func TestShareAllAndNothing(t *testing.T) {
	for v := range uint64(1000) {
		require.Equal(t, "route 1", share(shares(0, 1), mix(v)).name)
		require.Equal(t, "route 0", share(shares(1e-300, 0), mix(v)).name)
	}
	// The lots do not depend on the process: these are what they were when this was written.
	var got string
	for v := range uint64(20) {
		got += share(shares(1, 1), mix(v)).name[len("route "):]
	}
	require.Equal(t, "10101010001100010010", got)
}
