package pyvalue

import (
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEqualKeys has groups of keys that are one key in Python.
func TestEqualKeys(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 80)
	long := strings.Repeat("x", 100)
	o := &Object{Class: None{}, Args: NewTuple()}
	deep := func() Value {
		var v Value = NewInt(1)
		for range 50 {
			v = NewTuple(v)
		}
		return v
	}
	groups := [][]Value{
		{NewInt(1), Bool(true), Float(1), Complex(1), NewLong(big.NewInt(1))},
		{NewInt(0), Bool(false), Float(math.Copysign(0, -1)), Complex(0)},
		{NewBigInt(huge), Float(math.Ldexp(1, 80)), NewLong(huge)},
		{NewBigInt(new(big.Int).Neg(huge))},
		{Complex(complex(1, 2)), Complex(complex(1, 2))},
		{Complex(complex(2, 1))},
		{Str("a"), Py2Str("a")},
		{Str(long), Py2Str(long)},
		{Bytes("a")}, {Str("\xc3\xa9")}, {Py2Str("\xc3\xa9")}, {None{}}, {Extension(1), Extension(1)}, {Extension(2)},
		{NewTuple(), NewTuple()},
		{NewTuple(NewInt(1), NewInt(2)), NewTuple(Float(1), NewInt(2)), NewTuple(Bool(true), NewInt(2))},
		{NewTuple(NewInt(2), NewInt(1))}, {NewTuple(NewInt(12))}, {NewTuple(NewTuple(NewInt(1), NewInt(2)))},
		{NewTuple(NewTuple(NewInt(1)), NewInt(2)), NewTuple(NewTuple(NewInt(1)), NewInt(2))},
		{NewTuple(Str("ab"), Str("c")), NewTuple(Py2Str("ab"), Str("c"))}, {NewTuple(Str("a"), Str("bc"))},
		{NewFrozenSet(NewInt(1), NewInt(2)), NewFrozenSet(NewInt(2), Float(1))}, {NewFrozenSet()}, {NewFrozenSet(NewInt(1))},
		{NewTuple(NewFrozenSet(Str("x"), None{})), NewTuple(NewFrozenSet(None{}, Str("x")))},
		{&Global{Module: "m", Name: "A"}, &Global{Module: "m", Name: "A"}}, {&Global{Module: "m", Name: "A", Py2: true}},
		{NewTuple(&Global{Module: "m", Name: "A"})}, {o, o}, {NewTuple(o)},
	}
	d, s := &Dict{}, &Set{}
	for i, g := range groups {
		for _, k := range g {
			d.Put(k, NewInt(int64(i)))
			s.Put(k)
		}
	}
	require.Equal(t, len(groups), d.Len())
	require.Equal(t, len(groups), s.Len())
	for i, g := range groups {
		for _, k := range g {
			v, ok := d.Get(k)
			require.True(t, ok, "%v", k)
			require.Equal(t, NewInt(int64(i)), v, "%v", k)
			require.True(t, s.Has(k))
		}
	}
	// What is not compared when it is put is found all the same, the last of it.
	for _, make := range []func() Value{
		deep,
		func() Value { return NewTuple(Str(strings.Repeat("x", 300))) },
		func() Value { return NewTuple(Py2Str(strings.Repeat("x", 300))) },
		func() Value { return NewTuple(Bytes(strings.Repeat("x", 300))) },
		func() Value { return NewTuple(NewBigInt(new(big.Int).Lsh(huge, 3000))) },
		func() Value { return NewTuple(&Object{Class: None{}, Args: NewTuple()}) },
		func() Value { return NewTuple(Str(long), Str(long), Str(long), Str(long)) },
		func() Value { return NewFrozenSet(Str(strings.Repeat("x", 300))) },
		func() Value { return &Global{Module: strings.Repeat("m", 300), Name: "A"} },
		func() Value { return Float(math.NaN()) },
		func() Value { return Complex(complex(1, math.NaN())) },
	} {
		d := &Dict{}
		first := make()
		d.Put(first, NewInt(1))
		d.Put(make(), NewInt(2))
		v, ok := d.Get(make())
		require.True(t, ok)
		require.Equal(t, NewInt(2), v)
		require.Equal(t, 2, d.Len())
		d.Set(make(), NewInt(3))
		require.Equal(t, 2, d.Len())
		require.True(t, d.Delete(make()))
		require.Equal(t, 1, d.Len())
		if _, pointer := first.(*Tuple); pointer {
			d.Put(first, NewInt(4)) // the same one
			require.Equal(t, 1, d.Len())
		}
	}
	members := &FrozenSet{}
	for i := range int64(300) {
		members.Put(NewInt(i))
	}
	d.Put(members, None{})
	require.True(t, d.Delete(members))
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestCheapKeysBesideCostlyOnes: a costly key is not looked at again for each
// cheap one that is looked up beside it.
func TestCheapKeysBesideCostlyOnes(t *testing.T) {
	for name, key := range map[string]func(i int) Value{
		"int":   func(i int) Value { return NewBigInt(new(big.Int).Lsh(big.NewInt(int64(2*i+1)), 1<<17)) },
		"float": func(i int) Value { return Float(math.Ldexp(float64(i+1), 900)) },
		"str":   func(i int) Value { return Str(strings.Repeat("x", 1<<14) + string(rune('A'+i))) },
		"py2":   func(i int) Value { return Py2Str(strings.Repeat("x", 1<<14) + string(rune('A'+i))) },
		"tuple": func(i int) Value { return NewTuple(Str(strings.Repeat("x", 200)), NewInt(int64(i))) },
	} {
		d := &Dict{}
		for i := range indexFrom - 1 {
			d.Put(key(i), None{})
		}
		require.NotNil(t, d.index, name)
		require.Len(t, d.index, indexFrom-1)
		one := NewInt(1)
		n := allocated(func() {
			for range 10_000 {
				d.Put(one, one)
			}
		})
		require.Less(t, n, uint64(64<<10), name)
		require.Equal(t, indexFrom, d.Len())
		require.NotNil(t, d.Clone().index)
		require.True(t, d.Delete(one))
		require.Len(t, d.index, indexFrom-1)
		_, ok := d.Get(key(3))
		require.True(t, ok)
	}
}

func cycle(n int) *List {
	lists := make([]*List, n)
	for i := range lists {
		lists[i] = &List{}
	}
	for i, l := range lists {
		l.Items = []Value{lists[(i+1)%n]}
	}
	return lists[0]
}

// TestEqualMeetsEachObjectOnce: there are no more comparisons than objects.
func TestEqualMeetsEachObjectOnce(t *testing.T) {
	c := &comparison{}
	require.True(t, c.run(cycle(1000), cycle(1001)))
	require.LessOrEqual(t, len(c.equals), 2001)
	odd := cycle(1001)
	odd.Items = append(odd.Items, None{})
	require.False(t, Equal(cycle(1000), odd))
	require.True(t, Same(cycle(7), cycle(7)))
	require.False(t, Same(cycle(7), cycle(14)))

	text := strings.Repeat("x", 1000)
	for _, v := range []func(s string) Value{
		func(s string) Value { return Str(s) },
		func(s string) Value { return Py2Str(s) },
		func(s string) Value { return Bytes(s) },
		func(s string) Value { return NewBigInt(new(big.Int).SetBytes([]byte(s))) },
	} {
		x, y, z := v(text), v(strings.Clone(text)), v(text[1:]+"y")
		c := &comparison{}
		require.True(t, c.run(NewList(x, x, x, x, y), NewList(y, y, y, x, x)))
		require.Len(t, c.equals, 2) // the lists, and one text of five
		require.False(t, Equal(NewList(x, x), NewList(y, z)))
		require.False(t, Equal(x, z))
		require.False(t, Equal(x, v(text[1:])))
	}
}

// TestToGoIsBounded: shared texts count as often as they are referred to.
func TestToGoIsBounded(t *testing.T) {
	const size = 1 << 20
	text := strings.Repeat("1", size)
	values := func(v Value, n int) []Value {
		items := make([]Value, n)
		for i := range items {
			items[i] = v
		}
		return items
	}
	decimal := call("decimal", "Decimal", Str(text))
	ordered := withItems(call("collections", "OrderedDict"), NewDict())
	ordered.Ops = []Op{{Kind: SetItems, Values: values(None{}, 40_000)}}
	deque := NewDeque(values(None{}, 40_000), 0)
	pairs := call("collections", "OrderedDict", NewList(values(NewList(None{}, None{}), 40_000)...))
	counter := NewCounter(NewDict(Entry{Str("a"), None{}}))
	counter.Ops = ordered.Ops
	for name, v := range map[string]Value{
		"bytes": Bytes(text), "py2str": Py2Str(text), "str": Str(text), "bytearray": &ByteArray{Data: []byte(text)},
		"int":     NewBigInt(new(big.Int).Lsh(big.NewInt(1), 8*size)),
		"key":     NewDict(Entry{Str(text), None{}}),
		"decimal": decimal, "ordered": ordered, "deque": deque, "pairs": pairs, "counter": counter,
	} {
		list := NewList(values(v, 3000)...)
		n := allocated(func() {
			_, err := ToGo(list)
			require.ErrorIs(t, err, ErrTooLarge, name)
		})
		require.Less(t, n, uint64(700<<20), name)
		_, err := ToGo(v)
		require.NoError(t, err, name)
	}
	long := call("pytz", "_p", Str("x"), NewInt(60), NewInt(0), Str(text))
	zone, ok := asZone(long)
	require.True(t, ok)
	require.Empty(t, zone.String())
}
