package pickle_test

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
	"github.com/stretchr/testify/require"

	ours "github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// TestSecondOpinion: gopickle reads the same from what is within its reach,
// which is the plain types from protocol 1 on.
func TestSecondOpinion(t *testing.T) {
	agreed := 0
	for _, s := range corpus(t) {
		v, err := ours.Decode(s.data, ours.Limits{})
		require.NoError(t, err)
		if s.Protocol == 0 || !within(v, s.Protocol, map[pyvalue.Value]bool{}) {
			continue
		}
		u := pickle.NewUnpickler(bytes.NewReader(s.data))
		other, err := u.Load()
		require.NoError(t, err, s.File)
		require.True(t, agrees(v, other), "%s: %s: %#v", s.File, s.Repr, other)
		agreed++
	}
	require.Greater(t, agreed, 150)
	t.Logf("agreed on %d pickles", agreed)
}

// within reports whether v is of types that gopickle keeps apart, and not
// recursive, and no long of small size: it panics on 0L.
func within(v pyvalue.Value, proto int, open map[pyvalue.Value]bool) bool {
	if open[v] {
		return false
	}
	var parts []pyvalue.Value
	switch v := v.(type) {
	case pyvalue.None, pyvalue.Bool, pyvalue.Float, pyvalue.Str:
		return true
	case pyvalue.Bytes:
		return proto >= 3 // before, a call that it does not make
	case *pyvalue.Int:
		return !v.IsLong() || v.BitLen() > 64
	case *pyvalue.List:
		parts = v.Items
	case *pyvalue.Tuple:
		parts = v.Items
	case *pyvalue.Dict:
		for k, item := range v.All() {
			if _, nested := k.(*pyvalue.Tuple); nested {
				return false
			}
			parts = append(parts, k, item)
		}
	default:
		return false
	}
	open[v] = true
	defer delete(open, v)
	return !slices.ContainsFunc(parts, func(p pyvalue.Value) bool { return !within(p, proto, open) })
}

// agrees compares our value with gopickle's.
func agrees(v pyvalue.Value, other any) bool {
	switch v := v.(type) {
	case pyvalue.None:
		return other == nil
	case pyvalue.Bool:
		return other == bool(v)
	case pyvalue.Float:
		f, ok := other.(float64)
		return ok && (f == float64(v) || f != f && v != v)
	case pyvalue.Str:
		return other == string(v)
	case pyvalue.Bytes:
		b, ok := other.([]byte)
		return ok && string(b) == string(v)
	case *pyvalue.Int:
		if n, ok := other.(*big.Int); ok {
			return n.Cmp(v.Big()) == 0
		}
		return fmt.Sprint(other) == v.String()
	case *pyvalue.List:
		l, ok := other.(*types.List)
		return ok && allAgree(v.Items, *l)
	case *pyvalue.Tuple:
		l, ok := other.(*types.Tuple)
		return ok && allAgree(v.Items, *l)
	case *pyvalue.Dict:
		d, ok := other.(*types.Dict)
		if !ok || d.Len() != v.Len() {
			return false
		}
		for i, e := range v.Entries() {
			if o := (*d)[i]; !agrees(e.Key, o.Key) || !agrees(e.Value, o.Value) {
				return false
			}
		}
		return true
	}
	return false
}

func allAgree(items []pyvalue.Value, others []any) bool {
	return slices.EqualFunc(items, others, agrees)
}
