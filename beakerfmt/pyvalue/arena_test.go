package pyvalue_test

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// TestArena: what an Arena makes is like any other value, for as long as it is
// held.
func TestArena(t *testing.T) {
	for _, expect := range []int{-1, 0, 5, 1 << 30} {
		var a pyvalue.Arena
		if expect != 0 {
			a.Expect(expect)
		}
		var got, want []pyvalue.Value
		for i := range 2000 {
			s := strconv.Itoa(i)
			i := int64(i)
			got = append(got, a.Str(s), a.Py2Str(s), a.Bytes(s), a.Float(float64(i)), a.Int(i, i%2 == 0), a.Int(-i, false))
			even, odd := pyvalue.MakeInt(i, i%2 == 0), pyvalue.MakeInt(-i, false)
			want = append(want, pyvalue.Str(s), pyvalue.Py2Str(s), pyvalue.Bytes(s), pyvalue.Float(i), &even, &odd)
		}
		runtime.GC()
		for i := range want {
			require.True(t, pyvalue.Equal(want[i], got[i]))
			require.IsType(t, want[i], got[i])
			if _, isInt := want[i].(*pyvalue.Int); !isInt {
				require.True(t, want[i] == got[i])
				require.Equal(t, fmt.Sprintf("%v", want[i]), fmt.Sprintf("%v", got[i]))
			}
		}
		require.Equal(t, 1, map[pyvalue.Value]int{pyvalue.Str("7"): 1}[got[42]])
	}
	var a pyvalue.Arena
	require.True(t, math.IsNaN(float64(a.Float(math.NaN()).(pyvalue.Float))))
}

func TestTextAddress(t *testing.T) {
	s := "some text"
	require.Same(t, pyvalue.TextAddress(s), pyvalue.TextAddress(s[:4]))
	require.NotSame(t, pyvalue.TextAddress(s), pyvalue.TextAddress(s[1:]))
}
