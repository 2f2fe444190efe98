package survey

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
)

func TestQuantiles(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b buckets
		var all []int64
		for range 2000 {
			n := int64(r.ExpFloat64() * 5000)
			b.add(n)
			all = append(all, n)
		}
		slices.Sort(all)
		for _, part := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			exact := all[max(0, int(part*2000)-1)]
			require.InEpsilon(t, exact+20, b.quantile(part)+20, 0.06)
		}
		require.Equal(t, all[len(all)-1], b.most)
	}
	var none buckets
	require.Zero(t, none.quantile(0.5))
	none.add(1 << 62)
	require.EqualValues(t, 1<<62, none.quantile(0.5))
}

func TestSurvey(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := New()
	session := pyvalue.NewDict()
	session.SetStr("_path", pyvalue.Str("/"))
	session.SetStr("cart", &pyvalue.Global{Module: "shop.models", Name: "Cart"})
	d, err := inspect.Stored(session, &beakerfmt.Codec{})
	require.NoError(t, err)
	s.Add(Record{Size: 100, Accessed: now.Add(-time.Minute), State: "live", Decoded: &d}, now)
	s.Add(Record{Size: 300, Accessed: now.Add(-48 * time.Hour), State: "expired", Decoded: &d}, now)
	s.Add(Record{Size: 1, State: "unreadable"}, now)
	s.Add(Record{Size: 1, State: "live", Accessed: now.Add(time.Hour)}, now)
	s.Finish()
	require.Equal(t, map[string]int64{"live": 2, "expired": 1, "unreadable": 1}, s.States)
	require.Equal(t, map[string]int64{"shop.models.Cart": 2}, s.Classes)
	require.Equal(t, map[string]int64{"dict": 2}, s.Forms)
	require.EqualValues(t, 402, s.Bytes)
	require.EqualValues(t, 300, s.Size.Most)
	ages := map[string]int64{}
	for _, a := range s.Ages {
		if a.Sessions > 0 {
			ages[a.Name] = a.Sessions
		}
	}
	require.Equal(t, map[string]int64{"a minute": 2, "a week": 1, "not known": 1}, ages)
}

// TestBounded: classes that nobody can count are counted together.
func TestBounded(t *testing.T) {
	in := map[string]int64{}
	for i := range 2 * mostNames {
		count(in, fmt.Sprint(i))
	}
	require.LessOrEqual(t, len(in), mostNames+1)
	require.Equal(t, others, Top(in)[0])
	require.Equal(t, "1.5 KiB", Bytes(1536))
	require.Equal(t, "7 bytes", Bytes(7))
}
