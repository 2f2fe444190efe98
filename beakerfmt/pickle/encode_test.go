package pickle_test

import (
	"math"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func appended(t testing.TB, v pyvalue.Value, proto int) string {
	t.Helper()
	out, err := pickle.Append(nil, v, proto)
	require.NoError(t, err)
	return string(out)
}

// TestAppend has what no corpus has: values that only Go programs make, and
// those in a protocol that is not their own.
func TestAppend(t *testing.T) {
	a3 := &pyvalue.Global{Module: "m", Name: "A"}
	for _, c := range []struct {
		name  string
		v     pyvalue.Value
		proto int
		want  string
	}{
		{"int beyond 32 bits, as Python 3 has it", num(1 << 31), 2, "\x80\x02\x8a\x05\x00\x00\x00\x80\x00."},
		{"the same in protocol 1", num(1 << 31), 1, "L2147483648L\n."},
		{"the same in protocol 0", num(-1 << 40), 0, "L-1099511627776L\n."},
		{"Python 2's int", py2int(1 << 31), 2, "\x80\x02I2147483648\n."},
		{"Python 2's long", long("5"), 2, "\x80\x02\x8a\x01\x05."},
		{"Python 2's long, 0", long("0"), 2, "\x80\x02\x8a\x00."},
		{"Python 2's long in protocol 0", long("5"), 0, "L5L\n."},
		{"long, -1", long("-1"), 2, "\x80\x02\x8a\x01\xff."},
		{"long, -128", long("-128"), 2, "\x80\x02\x8a\x01\x80."},
		{"long, -129", long("-129"), 2, "\x80\x02\x8a\x02\x7f\xff."},
		{"long, 128", long("128"), 2, "\x80\x02\x8a\x02\x80\x00."},
		{"8-bit string in protocol 4", str8("\xff"), 4, "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00U\x01\xff\x94."},
		{"8-bit string in protocol 0", str8("it's \xff\n\t\r\\"), 0, "S\"it's \\xff\\n\\t\\r\\\\\"\np0\n."},
		{"8-bit string, both quotes", str8("'\""), 0, `S'\'"'` + "\np0\n."},
		{"INST in protocol 0", object(pyvalue.Obj, class2("A"), tuple(num(1))), 0, "(I1\nim\nA\np0\n."},
		{"OBJ in protocol 1", object(pyvalue.Inst, class2("A"), tuple(num(1))), 1, "(cm\nA\nq\x00K\x01oq\x01."},
		{"OBJ of what is no name", object(pyvalue.Inst, pyvalue.Extension(1), tuple()), 0, "(\x82\x01op0\n."},
		{"NEWOBJ in protocol 1", object(pyvalue.NewObj, a3, tuple(num(1))), 1, "ccopy_reg\n__newobj__\nq\x00(cm\nA\nq\x01K\x01tq\x02Rq\x03."},
		{"builtin in protocol 2", &pyvalue.Global{Module: "builtins", Name: "range"}, 2, "\x80\x02c__builtin__\nxrange\nq\x00."},
		{"builtin in protocol 3", &pyvalue.Global{Module: "__builtin__", Name: "xrange", Py2: true}, 3, "\x80\x03cbuiltins\nrange\nq\x00."},
		{"a dot in Python 2's name", &pyvalue.Global{Module: "m", Name: "A.B", Py2: true}, 2, "\x80\x02cm\nA.B\nq\x00."},
		{"nested class", &pyvalue.Global{Module: "m", Name: "A.B"}, 2, "\x80\x02c__builtin__\ngetattr\nq\x00cm\nA\nX\x01\x00\x00\x00Bq\x01\x86Rq\x02."},
		{"persistent id in protocol 0", &pyvalue.Persistent{ID: num(1)}, 0, "I1\nQ."},
		{"persistent id as text", &pyvalue.Persistent{ID: str("id"), Text: true}, 2, "\x80\x02Pid\n."},
		{"persistent id, 8-bit", &pyvalue.Persistent{ID: str8("id"), Text: true}, 2, "\x80\x02Pid\n."},
		{"extension", tuple(pyvalue.Extension(255), pyvalue.Extension(256), pyvalue.Extension(1<<16)), 2, "\x80\x02\x82\xff\x83\x00\x01\x84\x00\x00\x01\x00\x87q\x00."},
		{"NaN", pyvalue.Float(math.NaN()), 0, "Fnan\n."},
		{"many items of an object", object(pyvalue.Reduce, a3, tuple(), op(pyvalue.AddItems, num(1))), 1, "cm\nA\nq\x00)Rq\x01(K\x01\x90."},
	} {
		require.Equal(t, c.want, appended(t, c.v, c.proto), c.name)
	}
}

func TestAppendAppends(t *testing.T) {
	dst := make([]byte, 3, 100)
	copy(dst, "abc")
	for proto := range 6 {
		out, err := pickle.Append(dst, str(strings.Repeat("x", 70_000)), proto)
		require.NoError(t, err)
		require.Equal(t, "abc"+appended(t, str(strings.Repeat("x", 70_000)), proto), string(out))
	}
}

func TestAppendRefuses(t *testing.T) {
	a := class2("A")
	for name, v := range map[string]pyvalue.Value{
		"nil":                      nil,
		"nil in a list":            list(nil),
		"nil list":                 (*pyvalue.List)(nil),
		"nil dict":                 (*pyvalue.Dict)(nil),
		"nil tuple":                (*pyvalue.Tuple)(nil),
		"nil set":                  (*pyvalue.Set)(nil),
		"nil frozenset":            (*pyvalue.FrozenSet)(nil),
		"nil bytearray":            (*pyvalue.ByteArray)(nil),
		"nil object":               (*pyvalue.Object)(nil),
		"nil persistent id":        (*pyvalue.Persistent)(nil),
		"nil int":                  (*pyvalue.Int)(nil),
		"nil class":                (*pyvalue.Global)(nil),
		"nil in a persistent id":   &pyvalue.Persistent{},
		"nil key":                  dict(nil, none{}),
		"nil value":                dict(str("k"), nil),
		"nil in a tuple":           tuple(nil),
		"nil in a long tuple":      tuple(none{}, none{}, none{}, nil),
		"nil in a set":             pyvalue.NewSet(nil),
		"nil in a frozenset":       pyvalue.NewFrozenSet(nil),
		"no arguments":             &pyvalue.Object{Class: a},
		"no class":                 &pyvalue.Object{Args: tuple()},
		"no class, NEWOBJ":         object(pyvalue.NewObj, nil, tuple()),
		"no class, NEWOBJ_EX":      &pyvalue.Object{How: pyvalue.NewObjEx, Args: tuple(), Kwargs: dict()},
		"no class, OBJ":            object(pyvalue.Obj, nil, tuple()),
		"nil in arguments":         object(pyvalue.Reduce, a, tuple(nil)),
		"nil in arguments, NEWOBJ": object(pyvalue.NewObj, a, tuple(nil)),
		"nil in arguments, OBJ":    object(pyvalue.Obj, a, tuple(nil)),
		"no keyword arguments":     &pyvalue.Object{How: pyvalue.NewObjEx, Class: a, Args: tuple()},
		"bad keyword arguments":    &pyvalue.Object{How: pyvalue.NewObjEx, Class: a, Args: tuple(nil), Kwargs: dict()},
		"unknown construction":     object(99, a, tuple()),
		"unknown operation":        object(pyvalue.Reduce, a, tuple(), op(99, none{})),
		"no state":                 object(pyvalue.Reduce, a, tuple(), op(pyvalue.Build)),
		"nil state":                object(pyvalue.Reduce, a, tuple(), op(pyvalue.Build, nil)),
		"nil item":                 object(pyvalue.Reduce, a, tuple(), op(pyvalue.Append, nil)),
		"odd items":                object(pyvalue.Reduce, a, tuple(), op(pyvalue.SetItems, none{})),
		"text not UTF-8":           str("\xff"),
		"empty name":               &pyvalue.Global{Module: "m"},
		"empty module":             &pyvalue.Global{Name: "A"},
		"name not UTF-8":           &pyvalue.Global{Module: "m", Name: "\xff"},
		"module not UTF-8":         &pyvalue.Global{Module: "\xff", Name: "A"},
		"extension 0":              pyvalue.Extension(0),
		"extension too large":      pyvalue.Extension(1 << 31),
		"id is no text":            &pyvalue.Persistent{ID: num(1), Text: true},
		"id has two lines":         &pyvalue.Persistent{ID: str("a\nb"), Text: true},
	} {
		for proto := range 6 {
			out, err := pickle.Append([]byte("dst"), v, proto)
			require.ErrorIs(t, err, pickle.ErrUnsupported, "%s, protocol %d", name, proto)
			require.Equal(t, "dst", string(out))
			require.Contains(t, err.Error(), "pickle: append: ")
		}
	}
	for name, g := range map[string]*pyvalue.Global{
		"newline":          {Module: "m", Name: "A\nB"},
		"newline, module":  {Module: "m\n", Name: "A"},
		"not ASCII":        {Module: "m", Name: "Ä"},
		"nested not ASCII": {Module: "m", Name: "Ä.B"},
		"nested, empty":    {Module: "m", Name: ".B"},
	} {
		_, err := pickle.Append(nil, g, 2)
		require.ErrorIs(t, err, pickle.ErrUnsupported, name)
		_, err = pickle.Append(nil, g, 4)
		require.NoError(t, err, name)
	}
	_, err := pickle.Append(nil, object(pyvalue.Inst, &pyvalue.Global{Module: "m", Name: "A\n"}, tuple()), 0)
	require.ErrorIs(t, err, pickle.ErrUnsupported)
	_, err = pickle.Append(nil, &pyvalue.Global{Module: "m", Name: "Ä"}, 3)
	require.NoError(t, err)
	_, err = pickle.Append(nil, &pyvalue.Global{Module: "m", Name: "a" + strings.Repeat(".b", 200)}, 2)
	require.ErrorIs(t, err, pickle.ErrLimit)
	for _, proto := range []int{-1, 6} {
		_, err := pickle.Append(nil, none{}, proto)
		require.ErrorIs(t, err, pickle.ErrUnsupported)
	}
}

// TestObjectThatHoldsItself: by way of its arguments, as CPython has it: what is
// done to the object is done once.
func TestObjectThatHoldsItself(t *testing.T) {
	l := list()
	o := object(pyvalue.Reduce, class2("A"), tuple(l), op(pyvalue.Append, num(1)))
	l.Items = []pyvalue.Value{o}
	for proto := range 3 {
		roundTrip(t, o, proto)
		again, err := pickle.Decode([]byte(appended(t, o, proto)), pickle.Limits{})
		require.NoError(t, err)
		require.Len(t, again.(*pyvalue.Object).Ops[0].Values, 1)
	}
}

// TestManyObjects: the tables grow, and are none the worse for it afterwards.
func TestManyObjects(t *testing.T) {
	l := list()
	for i := range 6000 {
		text := strings.Repeat("k", i%200) + string(rune('a'+i%26))
		l.Items = append(l.Items, list(str(text), num(int64(i))), dict(str(text), str8(text)))
	}
	l.Items = append(l.Items, l.Items...)
	for proto := range 6 {
		roundTrip(t, l, proto)
	}
	require.Equal(t, "\x80\x02]q\x00.", appended(t, list(), 2))
}

func TestBigInts(t *testing.T) {
	for bits := range uint(70) {
		for _, d := range []int64{-1, 0, 1} {
			n := new(big.Int).Lsh(big.NewInt(1), bits*40)
			n.Add(n, big.NewInt(d))
			for _, v := range []pyvalue.Value{pyvalue.NewLong(n), pyvalue.NewLong(n.Neg(n))} {
				for proto := range 6 {
					roundTrip(t, v, proto)
				}
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	v := typicalSession()
	want := appended(t, v, 2)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				out, err := pickle.Append(nil, v, 2)
				if err != nil || string(out) != want {
					t.Error("concurrent Append differs", err)
					return
				}
				again, err := pickle.Decode(out, pickle.Limits{})
				if err != nil || !pyvalue.Same(v, again) {
					t.Error("concurrent Decode differs", err)
					return
				}
			}
		})
	}
	wg.Wait()
}
