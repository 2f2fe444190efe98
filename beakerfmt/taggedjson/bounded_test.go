package taggedjson

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// TestNestedSets: the text of a set is not copied at each level around it.
func TestNestedSets(t *testing.T) {
	const size = 1 << 20
	text := str(strings.Repeat("x", 10*size))
	nest := func(members ...value) value {
		set := pyvalue.NewFrozenSet(text)
		for range 400 {
			set = pyvalue.NewFrozenSet(append(members, set)...)
		}
		return set
	}
	for _, c := range []struct {
		v   value
		err error
	}{{nest(), nil}, {nest(none{}), ErrTooLarge}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Append(nil, c.v, Python3)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, c.err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1000*size))
	}
	set := pyvalue.NewSet(pyvalue.NewFrozenSet(str("b"), str("a")))
	require.Equal(t, `{"t":"set","v":[{"t":"frozenset","v":[{"t":"str","v":"a"},{"t":"str","v":"b"}]}]}`, write(t, set, Python3))
}

// TestSharedObjectsAreBounded: an object is looked through anew for each
// reference, even if nothing of it is left to write.
func TestSharedObjectsAreBounded(t *testing.T) {
	pairs := make([]value, 20_000)
	for i := range pairs {
		pairs[i] = pyvalue.NewList(none{}, none{})
	}
	o := object(pyvalue.Reduce, global("collections", "OrderedDict"), []value{pyvalue.NewList(pairs...)})
	list := &pyvalue.List{}
	for range 2000 {
		list.Items = append(list.Items, o)
	}
	_, err := Append(nil, list, Python3)
	require.ErrorIs(t, err, ErrTooLarge)
	write(t, o, Python3)
}
