package pyvalue

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestReprFloat(t *testing.T) {
	// as CPython 2.7 and 3.13 print them
	for want, f := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "1.0": 1, "-1.5": -1.5, "0.1": 0.1,
		"1e+16": 1e16, "9999999999999998.0": 9999999999999998, "123456789012345.6": 123456789012345.6,
		"0.0001": 1e-4, "1e-05": 1e-5, "9.999999999999999e-05": 9.999999999999999e-05,
		"1.7976931348623157e+308": math.MaxFloat64, "5e-324": math.SmallestNonzeroFloat64,
		"1e+300": 1e300, "1.5e+100": 1.5e100, "1e-300": 1e-300, "1700000000.25": 1700000000.25,
		"inf": math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN(),
	} {
		require.Equal(t, want, ReprFloat(f))
	}
}

func TestHexFloat(t *testing.T) {
	for want, f := range map[string]float64{
		"0x0.0p+0": 0, "-0x0.0p+0": math.Copysign(0, -1), "0x1.0000000000000p+0": 1,
		"0x1.921fb54442d18p+1": math.Pi, "0x0.0000000000001p-1022": math.SmallestNonzeroFloat64,
		"0x1.7e43c8800759cp+996": 1e300, "-0x1.8000000000000p-1": -0.75,
		"inf": math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN(),
	} {
		require.Equal(t, want, HexFloat(f))
	}
}

func TestReprStr(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "''"},
		{"it's", `"it's"`},
		{`it's "so"`, `'it\'s "so"'`},
		{"a\\b\n\r\t\x00\x7f", `'a\\b\n\r\t\x00\x7f'`},
		{"h\u00e9llo \u4e16", "'h\u00e9llo \u4e16'"},
		{"\u00a0\u2028\ue000\U0010ffff", `'\xa0\u2028\ue000\U0010ffff'`},
		{"\xed\xa0\xbc\U0001f36a", `'\ud83c` + "\U0001f36a'"},
		{"\xff", `'\udcff'`},
	} {
		require.Equal(t, c.want, ReprStr(c.in))
	}
	require.Equal(t, `b'a\xff\'"\n'`, ReprBytes("a\xff'\"\n"))
	require.Equal(t, `b"'"`, ReprBytes("'"))
}

func TestRunes(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r += 0x3F {
		for _, r := range []rune{r, r + 1} {
			if r > utf8.MaxRune {
				continue
			}
			b := AppendRune(nil, r)
			got, n := DecodeRune(string(b) + "x")
			require.Equal(t, r, got)
			require.Equal(t, len(b), n)
			require.True(t, ValidText(string(b)))
		}
	}
	for _, s := range []string{"\xff", "\xed\xa0", "\xed\xa0\x00", "\xed\xc0\x80", "ok\xc0\x80", "\xf5\x80\x80\x80"} {
		require.False(t, ValidText(s), "%q", s)
	}
	require.True(t, ValidText("plain \xed\xbf\xbf"))
	r, n := DecodeRune("")
	require.Equal(t, utf8.RuneError, r)
	require.Zero(t, n)
}

func object(how Construction, class Value, args ...Value) *Object {
	return &Object{How: how, Class: class, Args: NewTuple(args...)}
}

func TestRepr(t *testing.T) {
	self := NewList()
	self.Items = []Value{NewInt(1), self}
	ring := &Dict{}
	ring.SetStr("me", NewTuple(ring))
	user := object(NewObjEx, &Global{Module: "app", Name: "User"}, NewInt(7))
	user.Kwargs = NewDict(Entry{Str("a"), None{}})
	user.Ops = []Op{
		{Append, []Value{NewInt(1), NewInt(2)}},
		{SetItems, []Value{Str("k"), user, Str("l"), None{}}},
		{AddItems, []Value{NewInt(3)}},
		{Build, []Value{NewDict()}},
	}
	for _, c := range []struct {
		v    Value
		want string
	}{
		{nil, "<nil>"},
		{None{}, "None"},
		{Bool(true), "True"},
		{Bool(false), "False"},
		{NewInt(-5), "-5"},
		{NewLong(big.NewInt(5)), "5"},
		{(*Int)(nil), "<nil>"},
		{NewBigInt(new(big.Int).Lsh(big.NewInt(1), 5000)), "<int of 5001 bits>"},
		{Float(1), "1.0"},
		{Complex(complex(1.5, -2)), "(1.5-2j)"},
		{Complex(complex(0, 2)), "2j"},
		{Complex(complex(math.Copysign(0, -1), 2)), "(-0+2j)"},
		{Str("x"), "'x'"},
		{Py2Str("x\xff"), `py2'x\xff'`},
		{Bytes("x"), "b'x'"},
		{&ByteArray{Data: []byte("x")}, "bytearray(b'x')"},
		{Extension(3), "<extension 3>"},
		{NewList(), "[]"},
		{self, "[1, [...]]"},
		{NewTuple(), "()"},
		{NewTuple(Str("a")), "('a',)"},
		{NewTuple(Str("a"), Str("b")), "('a', 'b')"},
		{NewDict(Entry{Str("a"), NewInt(1)}, Entry{NewInt(2), None{}}), "{'a': 1, 2: None}"},
		{ring, "{'me': ({...},)}"},
		{NewSet(), "set()"},
		{NewSet(NewInt(1)), "{1}"},
		{NewFrozenSet(), "frozenset()"},
		{NewFrozenSet(NewInt(1), NewInt(2)), "frozenset({1, 2})"},
		{&Global{Module: "os", Name: "getcwd"}, "<global os.getcwd>"},
		{&Persistent{ID: Str("x")}, "<persistent 'x'>"},
		{object(Reduce, Extension(9)), "<<extension 9>>"},
		{user, "<app.User (7,) kwargs={'a': None} append=[1, 2] items={'k': <...>, 'l': None} append=[3] state={}>"},
		{NewList((*List)(nil), (*Object)(nil)), "[<nil>, <nil>]"},
	} {
		require.Equal(t, c.want, Repr(c.v))
	}
}

// verbs are those that must end on any value.
var verbs = []string{"%v", "%+v", "%#v", "%s", "%d", "%q", "%x"}

func requireBounded(t *testing.T, v any) {
	t.Helper()
	for _, verb := range verbs {
		require.Less(t, len(fmt.Sprintf(verb, v)), 4*formatBytes, verb)
	}
}

func TestFormatIsBounded(t *testing.T) {
	var deep Value = None{}
	for range 1_000_000 {
		deep = NewTuple(deep)
	}
	laughs := NewList(Str("ha"))
	for range 100 {
		laughs = NewList(laughs, laughs, laughs, laughs, laughs, laughs, laughs, laughs, laughs, laughs)
	}
	big100k := NewBigInt(new(big.Int).Lsh(big.NewInt(1), 100_000))
	wide, wideSet, wideDict := &List{}, &Set{}, &Dict{}
	for i := range 100_000 {
		n := NewInt(int64(i))
		wide.Items = append(wide.Items, n)
		wideSet.Put(n)
		wideDict.Put(n, laughs)
	}
	object := object(Reduce, &Global{Module: strings.Repeat("m", 1<<20), Name: "C"}, laughs)
	for range 100_000 {
		object.Ops = append(object.Ops, Op{SetItems, []Value{Str("k"), laughs}})
	}
	dict := NewDict()
	dict.SetStr("me", dict)
	for name, v := range map[string]any{
		"deep": deep, "laughs": laughs, "int": big100k, "wide": wide, "set": wideSet, "dict": wideDict,
		"frozenset": &FrozenSet{wideSet.members}, "object": object, "recursive": dict,
		"bytearray": &ByteArray{Data: make([]byte, 1<<20)},
		"text":      NewList(Str(strings.Repeat("\u4e16", 1<<20)), Bytes(strings.Repeat("x", 1<<20))),
		"global":    &Global{Module: "m", Name: strings.Repeat("n", 1<<20)}, "persistent": &Persistent{ID: laughs},
		"struct of it": struct{ V Value }{laughs}, "entry": Entry{Str("k"), dict}, "nil": (*Dict)(nil),
		"embedded object": *dict,
	} {
		t.Run(name, func(t *testing.T) { requireBounded(t, v) })
	}
	require.Contains(t, fmt.Sprint(wide), "…")
	require.Contains(t, fmt.Sprint(deep), "…")
}

func TestFormatVerbs(t *testing.T) {
	require.Equal(t, "None [None] 7 2a", fmt.Sprintf("%v %v %v %x", None{}, []Value{None{}}, NewInt(7), NewInt(42)))
	for _, v := range []fmt.Stringer{NewList(), NewTuple(), NewDict(), NewSet(), NewFrozenSet(), &Global{}, &Persistent{ID: None{}},
		object(Reduce, &Global{}), &ByteArray{}} {
		require.Equal(t, v.String(), fmt.Sprintf("%d", v))
	}
}

func TestReprCutsAtCharacters(t *testing.T) {
	for n := range 12 {
		s := string(appendReprStr(nil, "a\u4e16\U0001f36a\u00e9", n))
		require.True(t, utf8.ValidString(s))
		require.NotContains(t, s, `\u`, "limit %d", n)
	}
}
