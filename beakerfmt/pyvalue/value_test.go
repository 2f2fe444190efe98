package pyvalue

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// every returns one value of each type, made anew.
func every() []Value {
	shared := NewList(NewInt(1))
	built := object(NewObjEx, &Global{Module: "m", Name: "C"}, shared)
	built.Kwargs = NewDict(Entry{Str("k"), None{}})
	built.Ops = []Op{{Build, []Value{shared}}, {Append, []Value{NewInt(2)}}}
	return []Value{
		None{}, Bool(true), NewInt(7), NewLong(big.NewInt(7)), NewBigInt(new(big.Int).Lsh(big.NewInt(1), 80)), Float(1.5), Float(math.NaN()),
		Complex(1i), Str("x"), Py2Str("x"), Bytes("x"), &ByteArray{Data: []byte("x")}, NewList(shared, shared), NewTuple(), NewTuple(shared),
		NewDict(Entry{Str("a"), shared}), NewSet(NewInt(1)), NewFrozenSet(NewInt(1)), &Global{Module: "m", Name: "f"}, Extension(1),
		&Persistent{ID: Str("x")}, built,
	}
}

func TestEqual(t *testing.T) {
	left, right := every(), every()
	for i, a := range left {
		for j, b := range right {
			require.Equal(t, i == j, Equal(a, b), "%v %v", a, b)
			require.Equal(t, i == j, Same(a, b), "%v %v", a, b)
		}
	}
	require.True(t, Same(nil, nil))
	require.False(t, Equal(nil, None{}))
}

func TestEqualLooksEverywhere(t *testing.T) {
	change := func(f func(o *Object)) Value {
		all := every()
		o := all[len(all)-1].(*Object)
		f(o)
		return o
	}
	all := every()
	last := all[len(all)-1]
	require.True(t, Equal(last, change(func(*Object) {})))
	for _, f := range []func(o *Object){
		func(o *Object) { o.How = NewObj },
		func(o *Object) { o.Class = None{} },
		func(o *Object) { o.Args = NewTuple() },
		func(o *Object) { o.Kwargs = NewDict() },
		func(o *Object) { o.Kwargs = nil },
		func(o *Object) { o.Ops = o.Ops[:1] },
		func(o *Object) { o.Ops[1].Kind = AddItems },
		func(o *Object) { o.Ops[1].Values[0] = NewInt(3) },
	} {
		require.False(t, Equal(last, change(f)))
	}
	for _, pair := range [][2]Value{
		{&Persistent{ID: Str("x")}, &Persistent{ID: Str("y")}},
		{&Persistent{ID: Str("x")}, &Persistent{ID: Str("x"), Text: true}},
		{NewDict(Entry{Str("a"), None{}}), NewDict(Entry{Str("b"), None{}})},
		{NewDict(), NewDict(Entry{Str("b"), None{}})},
		{NewList(None{}), NewList()},
		{NewBigInt(new(big.Int).Lsh(big.NewInt(1), 80)), NewBigInt(new(big.Int).Lsh(big.NewInt(1), 81))},
	} {
		require.False(t, Equal(pair[0], pair[1]))
	}
}

func TestSameSeesSharing(t *testing.T) {
	part := NewList()
	shared, apart := NewTuple(part, part), NewTuple(NewList(), NewList())
	require.True(t, Equal(shared, apart))
	require.False(t, Same(shared, apart))
	require.False(t, Same(apart, shared))
	require.True(t, Same(shared, NewTuple(part, part)))

	loop, other := NewList(), NewList()
	loop.Items, other.Items = []Value{loop}, []Value{NewList(other)}
	require.True(t, Equal(loop, other))
	require.True(t, Same(loop, loop))
}

func TestDictKeys(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 80)
	for _, filler := range []int64{0, 50} { // below and above the size from which there is an index
		d := &Dict{}
		for i := range filler {
			d.Put(NewInt(1000+i), None{})
		}
		nan := Float(math.NaN())
		keys := []Value{
			Str("a"), Py2Str("\xff"), Bytes("a"), NewInt(1), NewBigInt(huge), Float(1.5), Float(math.Inf(1)), nan, None{},
			NewTuple(NewInt(1)), NewTuple(Str("b")), NewBigInt(new(big.Int).Neg(huge)),
		}
		for i, k := range keys {
			d.Set(k, NewInt(int64(i)))
			d.Set(k, NewInt(int64(i)))
		}
		n := int(filler) + len(keys)
		require.GreaterOrEqual(t, d.Len(), n)
		for _, same := range [][2]Value{
			{Str("a"), Py2Str("a")}, {NewInt(1), Bool(true)}, {NewInt(1), Float(1)}, {NewBigInt(huge), Float(math.Ldexp(1, 80))},
			{NewTuple(NewInt(1)), NewTuple(NewInt(1))}, {None{}, None{}}, {keys[9], keys[9]},
		} {
			x, ok := d.Get(same[0])
			require.True(t, ok, "%v", same)
			y, ok := d.Get(same[1])
			require.True(t, ok, "%v", same)
			require.Equal(t, x, y)
		}
		for _, absent := range []Value{Str("\xff"), Bytes("z"), Bool(false), Float(2.5), NewTuple()} {
			_, ok := d.Get(absent)
			require.False(t, ok, "%v", absent)
		}
		_, ok := d.GetStr("a")
		require.True(t, ok)

		copied := d.Clone()
		require.True(t, d.DeleteStr("a"))
		require.False(t, d.Delete(Str("a")))
		require.True(t, d.Delete(NewTuple(NewInt(1))))
		require.Equal(t, copied.Len()-2, d.Len())
		_, ok = copied.GetStr("a")
		require.True(t, ok)
		v, ok := d.Get(None{})
		require.True(t, ok)
		require.True(t, Equal(NewInt(8), v))
		d.Clear()
		require.Zero(t, d.Len())
	}
}

func TestDictPutAndOrder(t *testing.T) {
	d := &Dict{}
	d.Grow(4)
	d.SetStr("a", NewInt(1))
	d.SetStr("b", NewInt(2))
	d.Put(Py2Str("a"), NewInt(3)) // keeps its place and its type
	d.Put(NewTuple(), NewInt(4))
	var keys []Value
	for k := range d.All() {
		keys = append(keys, k)
		if k == Value(Str("b")) {
			break
		}
	}
	require.Equal(t, []Value{Str("a"), Str("b")}, keys)
	require.Len(t, d.Entries(), 3)
	v, _ := d.GetStr("a")
	require.True(t, Equal(NewInt(3), v))
}

func TestSets(t *testing.T) {
	s := NewSet(NewInt(1), Bool(true), Str("x"))
	s.Grow(2)
	s.Put(Str("y"))
	require.Equal(t, 3, s.Len())
	require.True(t, s.Has(Float(1)))
	require.Equal(t, Value(Str("x")), s.At(1))
	require.True(t, s.Remove(Str("x")))
	require.False(t, s.Remove(Str("x")))
	require.Len(t, slices.Collect(s.All()), 2)
	for range s.All() {
		break
	}
	require.Equal(t, 1, NewFrozenSet(NewInt(1), NewInt(1)).Len())
}

func TestInt(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(-1), 80)
	for _, c := range []struct {
		i    *Int
		text string
		sign int
		bits int
	}{
		{NewInt(0), "0", 0, 0}, {NewInt(-5), "-5", -1, 3}, {NewInt(5), "5", 1, 3},
		{NewBigInt(huge), huge.String(), -1, 81}, {NewLong(big.NewInt(5)), "5", 1, 3},
	} {
		require.Equal(t, c.text, c.i.String())
		require.Equal(t, c.sign, c.i.Sign())
		require.Equal(t, c.bits, c.i.BitLen())
		require.Equal(t, c.text, c.i.Big().String())
	}
	long := MakeInt(3, true)
	require.True(t, long.IsLong())
	wide, narrow := MakePy2Int(1<<40), MakePy2Int(1<<20)
	require.True(t, wide.IsPy2Int())
	require.False(t, narrow.IsPy2Int())
	_, ok := NewBigInt(huge).Int64()
	require.False(t, ok)
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ m2, n2, m3, n3 string }{
		{"__builtin__", "unicode", "builtins", "str"},
		{"copy_reg", "_reconstructor", "copyreg", "_reconstructor"},
		{"app", "User", "app", "User"},
	} {
		m, n := (&Global{Module: c.m2, Name: c.n2, Py2: true}).Python3()
		require.Equal(t, []string{c.m3, c.n3}, []string{m, n})
		m, n = (&Global{Module: c.m3, Name: c.n3}).Python2()
		require.Equal(t, []string{c.m2, c.n2}, []string{m, n})
		m, n = (&Global{Module: c.m3, Name: c.n3}).Python3()
		require.Equal(t, []string{c.m3, c.n3}, []string{m, n})
		m, n = (&Global{Module: c.m2, Name: c.n2, Py2: true}).Python2()
		require.Equal(t, []string{c.m2, c.n2}, []string{m, n})
	}
}

func TestTypeNames(t *testing.T) {
	want := []string{
		"NoneType", "bool", "int", "long", "int", "float", "float", "complex", "str", "str (Python 2)", "bytes", "bytearray", "list", "tuple", "tuple",
		"dict", "set", "frozenset", "global m.f", "extension", "persistent id", "m.C",
	}
	for i, v := range every() {
		v.pyValue()
		require.Equal(t, want[i], TypeName(v))
	}
	require.Equal(t, "nil", TypeName(nil))
	require.Equal(t, "object", object(Reduce, None{}).ClassName())
	class := &Global{Module: "app", Name: "User"}
	require.Equal(t, "app.User", object(Reduce, &Global{Module: "copyreg", Name: "__newobj__"}, class).ClassName())
	require.Equal(t, "copyreg.pickle", object(Reduce, &Global{Module: "copyreg", Name: "pickle"}, class).ClassName())
	require.Equal(t, []string{"NEWOBJ_EX", "SETITEMS"}, []string{NewObjEx.String(), SetItems.String()})
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		v    Value
		text string
		ok   bool
	}{
		{Str("h\u00e9"), "h\u00e9", true}, {Py2Str("a"), "a", true}, {Py2Str("\xff"), "\xff", false},
		{Bytes("a"), "a", true}, {Bytes("\x80"), "\x80", false}, {None{}, "", false},
	} {
		text, ok := Text(c.v)
		require.Equal(t, c.ok, ok)
		require.Equal(t, c.text, text)
	}
}

func TestState(t *testing.T) {
	o := object(NewObj, &Global{})
	_, ok := o.State()
	require.False(t, ok)
	o.Ops = []Op{{Build, []Value{NewInt(1)}}, {Build, []Value{NewInt(2)}}, {Append, nil}}
	v, ok := o.State()
	require.True(t, ok)
	require.True(t, Equal(NewInt(2), v))
}
