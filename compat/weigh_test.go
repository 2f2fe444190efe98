package compat

import (
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func TestWeigh(t *testing.T) {
	weigh := func(v pyvalue.Value, most int) int {
		d := pyvalue.NewDict()
		d.SetStr("k", v)
		return kept{values: d}.weigh(most)
	}
	nothing := weigh(pyvalue.None{}, 1<<20)
	require.Less(t, nothing, 1024)
	long := strings.Repeat("x", 10_000)
	for name, v := range map[string]pyvalue.Value{
		"str": pyvalue.Str(long), "py2str": pyvalue.Py2Str(long), "bytes": pyvalue.Bytes(long),
		"bytearray": &pyvalue.ByteArray{Data: []byte(long)},
		"int":       pyvalue.NewBigInt(new(big.Int).Lsh(big.NewInt(1), 80_000)),
		"list":      pyvalue.NewList(pyvalue.Str(long)),
		"tuple":     pyvalue.NewTuple(pyvalue.None{}, pyvalue.NewTuple(pyvalue.Str(long))),
		"key":       pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str(long), Value: pyvalue.None{}}),
		"value":     pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.None{}, Value: pyvalue.Str(long)}),
		"set":       pyvalue.NewSet(pyvalue.Str(long)), "frozenset": pyvalue.NewFrozenSet(pyvalue.Str(long)),
		"global":     &pyvalue.Global{Module: long, Name: "x"},
		"persistent": &pyvalue.Persistent{ID: pyvalue.Str(long)},
		"arguments":  &pyvalue.Object{Class: &pyvalue.Global{}, Args: pyvalue.NewTuple(pyvalue.Str(long))},
		"keywords":   &pyvalue.Object{Class: &pyvalue.Global{}, Args: pyvalue.NewTuple(), Kwargs: pyvalue.Str(long)},
		"state":      &pyvalue.Object{Class: &pyvalue.Global{}, Args: pyvalue.NewTuple(), Ops: []pyvalue.Op{{Values: []pyvalue.Value{pyvalue.Str(long)}}}},
	} {
		require.InDelta(t, nothing+10_000, weigh(v, 1<<20), 600, name)
		require.Greater(t, weigh(v, 5000), 5000, name)
	}
	text := kept{values: pyvalue.NewDict(), base: base{text: pyvalue.Str(long)}}
	require.InDelta(t, 10_000, text.weigh(1<<20), 600)

	// What has no end, or only seems to have one.
	self := pyvalue.NewList()
	for range 1000 {
		self.Items = append(self.Items, self)
	}
	require.Greater(t, weigh(self, 1<<20), 1<<20)
	var many pyvalue.Value = pyvalue.None{}
	for range 60 {
		many = pyvalue.NewTuple(many, many)
	}
	require.Greater(t, weigh(many, 1<<20), 1<<20)
}

// TestWeighIsFair: sessions do not take much more memory than they are said to.
func TestWeighIsFair(t *testing.T) {
	roles := make([]pyvalue.Value, 20)
	for n := range roles {
		roles[n] = pyvalue.Str(strings.Repeat("r", n))
	}
	d := pyvalue.NewDict()
	d.SetStr("user", pyvalue.Str("eve@example.org"))
	d.SetStr("roles", pyvalue.NewList(roles...))
	d.SetStr("basket", pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.NewInt(1), Value: pyvalue.Float(2)}))
	codec := new(beakerfmt.Codec)
	for _, form := range []beakerfmt.Form{{Text: beakerfmt.TextStr}, {Text: beakerfmt.TextStr, Serializer: beakerfmt.JSON}} {
		if form.Serializer == beakerfmt.JSON {
			d.SetStr("basket", pyvalue.None{})
		}
		v, err := codec.EncodeValue(d, form)
		require.NoError(t, err)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		all := make([]kept, 2000)
		said := 0
		for n := range all {
			text := pyvalue.Str(strings.Clone(string(v.(pyvalue.Str))))
			values, _, err := codec.DecodeValue(text)
			require.NoError(t, err)
			all[n] = kept{values: values, base: base{text: text}}
			said += all[n].weigh(1 << 20)
		}
		took := int(heap()-before) - len(all)*128
		t.Logf("%d bytes each, said to be %d", took/len(all), said/len(all))
		require.Less(t, took, 2*said)
		require.Greater(t, took, said/4)
		runtime.KeepAlive(all)
	}
}
