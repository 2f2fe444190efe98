package pyjson

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// TestNaNBits: NaN is the one that Python's float("nan") and pickle have.
func TestNaNBits(t *testing.T) {
	v, err := Decode([]byte("NaN"), Limits{})
	require.NoError(t, err)
	require.Equal(t, uint64(0x7ff8000000000000), math.Float64bits(float64(v.(pyvalue.Float))))
}

// TestSharedObjectsAreBounded: a dict that is told by many operations is made
// anew for each reference, even if nothing of it is left to write.
func TestSharedObjectsAreBounded(t *testing.T) {
	values := make([]pyvalue.Value, 40_000)
	for i := range values {
		values[i] = pyvalue.None{}
	}
	for _, class := range []string{"OrderedDict", "defaultdict", "Counter"} {
		o := &pyvalue.Object{
			Class: &pyvalue.Global{Module: "collections", Name: class},
			Args:  pyvalue.NewTuple(),
			Ops:   []pyvalue.Op{{Kind: pyvalue.SetItems, Values: values}},
		}
		list := &pyvalue.List{}
		for range 2000 {
			list.Items = append(list.Items, o)
		}
		_, err := Append(nil, list)
		require.ErrorIs(t, err, ErrLimit)
		out, err := Append(nil, o)
		require.NoError(t, err)
		require.Equal(t, `{"null": null}`, string(out))
	}
}
