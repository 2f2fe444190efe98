package storetest

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

func testValues(t *testing.T, s stores.Store) {
	for name, v := range values() {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, s.Put(t.Context(), id(1), v))
			requireSame(t, v, get(t, t.Context(), s, id(1)))
			d := pyvalue.NewDict()
			d.SetStr("value", v)
			require.NoError(t, s.Put(t.Context(), id(2), d))
			requireSame(t, d, get(t, t.Context(), s, id(2)))
		})
	}
}

// values returns values of each kind.
func values() map[string]pyvalue.Value {
	huge := new(big.Int).Lsh(big.NewInt(-3), 200)
	class := &pyvalue.Global{Module: "shop.models", Name: "Cart", Py2: true}
	return map[string]pyvalue.Value{
		"none":            pyvalue.None{},
		"true":            pyvalue.Bool(true),
		"false":           pyvalue.Bool(false),
		"zero":            pyvalue.NewInt(0),
		"int":             pyvalue.NewInt(math.MinInt64),
		"big int":         pyvalue.NewBigInt(huge),
		"long":            pyvalue.NewLong(big.NewInt(5)),
		"float":           pyvalue.Float(1700000000.25),
		"nan":             pyvalue.Float(math.NaN()),
		"minus zero":      pyvalue.Float(math.Copysign(0, -1)),
		"str":             pyvalue.Str("gr\u00fcn \U0001f36a\x00"),
		"empty str":       pyvalue.Str(""),
		"lone surrogate":  pyvalue.Str("a\xed\xa0\x80b"),
		"python 2 str":    pyvalue.Py2Str("\x00\xff\n'\\"),
		"bytes":           pyvalue.Bytes("\x00\xff\x80"),
		"bytearray":       &pyvalue.ByteArray{Data: []byte("\x00\xff")},
		"list":            pyvalue.NewList(pyvalue.NewInt(1), pyvalue.NewList()),
		"tuple":           pyvalue.NewTuple(pyvalue.NewTuple(), pyvalue.Str("x"), pyvalue.None{}, pyvalue.Bool(true)),
		"set":             pyvalue.NewSet(pyvalue.NewInt(1), pyvalue.Str("x")),
		"frozenset":       pyvalue.NewFrozenSet(pyvalue.NewInt(1)),
		"empty dict":      pyvalue.NewDict(),
		"dict":            oddKeys(),
		"class":           class,
		"object":          object(class),
		"shared":          sharing(),
		"recursive list":  recursiveList(),
		"recursive dict":  recursiveDict(),
		"recursive tuple": recursiveTuple(),
		"one megabyte":    pyvalue.Str(strings.Repeat("0123456789abcdef", 1<<16)),
		"many entries":    manyEntries(20000),
	}
}

func oddKeys() *pyvalue.Dict {
	return pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str("z"), Value: pyvalue.NewInt(1)},
		pyvalue.Entry{Key: pyvalue.Str("a"), Value: pyvalue.NewInt(2)},
		pyvalue.Entry{Key: pyvalue.NewInt(1), Value: pyvalue.None{}},
		pyvalue.Entry{Key: pyvalue.NewTuple(pyvalue.NewInt(1), pyvalue.Str("k")), Value: pyvalue.Float(0.5)},
		pyvalue.Entry{Key: pyvalue.None{}, Value: pyvalue.Str("")},
	)
}

func object(class *pyvalue.Global) *pyvalue.Object {
	state := pyvalue.NewDict()
	state.SetStr("items", pyvalue.NewList(pyvalue.Str("apple")))
	return &pyvalue.Object{
		How: pyvalue.NewObj, Class: class, Args: pyvalue.NewTuple(),
		Ops: []pyvalue.Op{{Kind: pyvalue.Build, Values: []pyvalue.Value{state}}},
	}
}

func sharing() *pyvalue.Dict {
	one := pyvalue.NewList(pyvalue.NewInt(1))
	d := pyvalue.NewDict()
	d.SetStr("a", one)
	d.SetStr("b", one)
	d.SetStr("c", pyvalue.NewList(pyvalue.NewInt(1)))
	return d
}

func recursiveList() *pyvalue.List {
	l := pyvalue.NewList(pyvalue.NewInt(1))
	l.Items = append(l.Items, l)
	return l
}

func recursiveDict() *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("self", d)
	d.SetStr("list", pyvalue.NewList(d))
	return d
}

func recursiveTuple() *pyvalue.Tuple {
	l := pyvalue.NewList()
	tuple := pyvalue.NewTuple(l, pyvalue.NewInt(1))
	l.Items = append(l.Items, tuple)
	return tuple
}

func manyEntries(n int) *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.Grow(n)
	for i := range n {
		d.Put(pyvalue.NewInt(int64(i)), pyvalue.NewInt(int64(i)))
	}
	return d
}

// testIsolation changes values before and after they were in the store.
func testIsolation(t *testing.T, s stores.Store) {
	ctx := t.Context()
	list := pyvalue.NewList(pyvalue.NewInt(1))
	v := pyvalue.NewDict()
	v.SetStr("list", list)
	require.NoError(t, s.Put(ctx, id(1), v))
	want := get(t, ctx, s, id(1))

	list.Items[0] = pyvalue.Str("changed after put")
	v.SetStr("new", pyvalue.None{})
	requireSame(t, want, get(t, ctx, s, id(1)))

	got := get(t, ctx, s, id(1)).(*pyvalue.Dict)
	inner, _ := got.GetStr("list")
	inner.(*pyvalue.List).Items[0] = pyvalue.Str("changed after get")
	got.Clear()
	requireSame(t, want, get(t, ctx, s, id(1)))

	u, ok := stores.As[stores.Updater](s)
	if !ok {
		return
	}
	require.NoError(t, u.Update(ctx, id(1), func(old pyvalue.Value) (pyvalue.Value, error) {
		old.(*pyvalue.Dict).Clear()
		return nil, nil
	}))
	requireSame(t, want, get(t, ctx, s, id(1)))
	var kept pyvalue.Value
	require.NoError(t, u.Update(ctx, id(1), func(old pyvalue.Value) (pyvalue.Value, error) {
		kept = old
		return old, nil
	}))
	kept.(*pyvalue.Dict).Clear()
	requireSame(t, want, get(t, ctx, s, id(1)))
}
