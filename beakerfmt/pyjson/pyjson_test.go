package pyjson

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct {
		in     string
		offset int
	}{
		{"", 0}, {" ", 1}, {"\ufeff{}", 0}, {"\xff", 0}, {"\"ab\xff\"", 3}, {"\"\xed\xa0\x80\"", 1},
		{"nul", 0}, {"-", 0}, {"+1", 0}, {".5", 0}, {"-I", 0}, {"'a'", 0},
		{"01", 1}, {"1.", 1}, {"1e", 1}, {"1e+", 1}, {"1 2", 2}, {"{} x", 3}, {"1\x00", 1},
		{"[", 1}, {"[1", 2}, {"[1,", 3}, {"[1,]", 3}, {"[1 2]", 3}, {"[}", 1},
		{"{", 1}, {"{1", 1}, {"{\"a\"", 4}, {"{\"a\" 1", 5}, {"{\"a\":", 5}, {"{\"a\":1", 6}, {"{\"a\":1,}", 7}, {"{\"a\":1 2}", 7}, {"{\"a", 1},
		{`"abc`, 0}, {`"a\`, 0}, {`"a\x"`, 2}, {`"\u12`, 1}, {`"\u12g4"`, 1}, {`"\ud800\u12g4"`, 7}, {"\"a\nb\"", 2}, {"\u00a0 1", 0},
		{"[\"a\x1f\"]", 3},
	} {
		v, err := Decode([]byte(c.in), Limits{})
		require.Nil(t, v)
		var e *Error
		require.ErrorAs(t, err, &e, "%q", c.in)
		require.ErrorIs(t, err, ErrSyntax, "%q", c.in)
		require.Equal(t, c.offset, e.Offset, "%q: %v", c.in, err)
		require.Contains(t, err.Error(), "pyjson: decode: offset ")
	}
}

func TestDecodeLimits(t *testing.T) {
	for name, c := range map[string]struct {
		in  string
		lim Limits
		ok  bool
	}{
		"bytes":        {"[1]", Limits{MaxBytes: 2}, false},
		"bytes fit":    {"[1]", Limits{MaxBytes: 3}, true},
		"depth":        {"[[[]]]", Limits{MaxDepth: 2}, false},
		"depth fits":   {`[{"a":[]}]`, Limits{MaxDepth: 3}, true},
		"deep default": {strings.Repeat("[", 1000000), Limits{}, false},
		"deep dicts":   {strings.Repeat(`{"":`, 1000000), Limits{}, false},
		"deep allowed": {strings.Repeat("[", 90000) + strings.Repeat("]", 90000), Limits{MaxDepth: 1 << 30}, true},
		"deeper":       {strings.Repeat("[", 110000) + strings.Repeat("]", 110000), Limits{MaxDepth: 1 << 30}, false},
		"nodes":        {"[1,2,3]", Limits{MaxNodes: 3}, false},
		"nodes fit":    {"[1,2,3]", Limits{MaxNodes: 4}, true},
		"keys count":   {`{"a":1}`, Limits{MaxNodes: 2}, false},
		"keys at end":  {`{"a":1,"b":2}`, Limits{MaxNodes: 3}, false},
		"digits":       {strings.Repeat("9", 30), Limits{MaxIntDigits: 20}, false},
		"digits fit":   {"-" + strings.Repeat("9", 20), Limits{MaxIntDigits: 20}, true},
		"digits many":  {strings.Repeat("9", 1<<20), Limits{}, false},
		"digits full":  {strings.Repeat("9", 100000), Limits{}, true},
	} {
		v, err := Decode([]byte(c.in), c.lim)
		if c.ok {
			require.NoError(t, err, name)
			_, err = Append(nil, v)
			if !strings.HasPrefix(name, "deep") {
				require.NoError(t, err, name)
			}
			continue
		}
		require.ErrorIs(t, err, ErrLimit, name)
		require.Less(t, len(err.Error()), 100)
	}
}

func TestDecodeDuplicateKeys(t *testing.T) {
	v, err := Decode([]byte(`{"a": 1, "b": 2, "a": 3}`), Limits{})
	require.NoError(t, err)
	text, err := Append([]byte("> "), v)
	require.NoError(t, err)
	require.Equal(t, `> {"a": 3, "b": 2}`, string(text))
}

func TestAppend(t *testing.T) {
	pair := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: pyvalue.NewInt(1)})
	for want, v := range map[string]pyvalue.Value{
		"[]":                   pyvalue.NewTuple(),
		"{}":                   &pyvalue.Dict{},
		"[1, 2]":               pyvalue.NewTuple(pyvalue.NewInt(1), pyvalue.NewLong(big.NewInt(2))),
		`"caf\u00e9"`:          pyvalue.Py2Str("caf\u00e9"),
		`"\ud83c\udf6a\ud83c"`: pyvalue.Str("\U0001f36a\xed\xa0\xbc"),
		`"\"\\\b\f\n\r\t/'"`:   pyvalue.Str("\"\\\b\f\n\r\t/'"),
		"NaN":                  pyvalue.Float(nan()),
		`{"1": 1, "1.5": 1, "true": 1, "null": 1, "NaN": 1, "x": 1}`: pyvalue.NewDict(
			pyvalue.Entry{Key: pyvalue.NewInt(1), Value: pyvalue.NewInt(1)},
			pyvalue.Entry{Key: pyvalue.Float(1.5), Value: pyvalue.NewInt(1)},
			pyvalue.Entry{Key: pyvalue.Str("true"), Value: pyvalue.NewInt(1)},
			pyvalue.Entry{Key: pyvalue.None{}, Value: pyvalue.NewInt(1)},
			pyvalue.Entry{Key: pyvalue.Float(nan()), Value: pyvalue.NewInt(1)},
			pyvalue.Entry{Key: pyvalue.Py2Str("x"), Value: pyvalue.NewInt(1)}),
		`{"true": 1, "1": 2}`: pyvalue.NewDict( // written twice, as Python does
			pyvalue.Entry{Key: pyvalue.Bool(true), Value: pyvalue.NewInt(1)},
			pyvalue.Entry{Key: pyvalue.Str("1"), Value: pyvalue.NewInt(2)}),
		`{"k": 1}`:   pyvalue.NewOrderedDict(pair),
		`[{"k": 1}]`: pyvalue.NewList(pyvalue.NewCounter(pair)),
	} {
		got, err := Append(nil, v)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

func nan() float64 { return float64(pyvalue.Float(zero / zero)) }

var zero float64

func entry(k string, v pyvalue.Value) pyvalue.Value {
	return pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str(k), Value: v})
}

func TestAppendUnsupported(t *testing.T) {
	when, err := pyvalue.NewDate(pyvalue.Date{Year: 2024, Month: 1, Day: 1})
	require.NoError(t, err)
	tupleKey := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.NewTuple(), Value: pyvalue.None{}})
	byNumber := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.NewInt(7), Value: &pyvalue.Set{}})
	after := pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str("fine"), Value: pyvalue.NewList(pyvalue.None{})},
		pyvalue.Entry{Key: pyvalue.Str("bad"), Value: pyvalue.Bytes("")})
	for _, c := range []struct {
		v          pyvalue.Value
		path, name string
		key        bool
	}{
		{pyvalue.Bytes("x"), "", "bytes", false},
		{pyvalue.Complex(1), "", "complex", false},
		{pyvalue.Py2Str("\xff"), "", "str (Python 2)", false},
		{pyvalue.Str("\xff"), "", "str", false},
		{entry("cart", entry("items", pyvalue.NewList(pyvalue.None{}, when))), "cart.items[1]", "datetime.date", false},
		{entry("cart", tupleKey), "cart", "tuple", true},
		{byNumber, "7", "set", false},
		{pyvalue.NewTuple(after), "[0].bad", "bytes", false},
		{entry("a\nb", &pyvalue.ByteArray{}), `"a\nb"`, "bytearray", false},
		{entry(strings.Repeat("k", 99), &pyvalue.FrozenSet{}), strings.Repeat("k", 64) + "…", "frozenset", false},
		{pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Py2Str("\xff"), Value: pyvalue.None{}}), "", "str (Python 2)", true},
		{&pyvalue.Global{Module: "os", Name: "x"}, "", "global os.x", false},
	} {
		got, err := Append([]byte("kept"), c.v)
		require.Equal(t, "kept", string(got))
		var e *UnsupportedError
		require.True(t, errors.As(err, &e))
		require.ErrorIs(t, err, ErrUnsupported)
		require.Equal(t, UnsupportedError{c.path, c.name, c.key}, *e)
		require.Contains(t, err.Error(), c.name)
	}
}

func TestAppendIsBounded(t *testing.T) {
	loop := pyvalue.NewList(pyvalue.NewInt(1))
	loop.Items = append(loop.Items, pyvalue.NewTuple(loop))
	ring := pyvalue.NewDict()
	ring.SetStr("me", ring)
	long := pyvalue.Str(strings.Repeat("x", 1<<20))
	fat := pyvalue.NewList(long)
	fat.Items = append(fat.Items, fat)
	var deep pyvalue.Value = pyvalue.None{}
	for range 1_000_000 {
		deep = pyvalue.NewTuple(deep)
	}
	laughs := pyvalue.NewList(pyvalue.Str("ha"))
	for range 60 {
		laughs = pyvalue.NewList(laughs, laughs)
	}
	many := pyvalue.NewList()
	for range 100 {
		many.Items = append(many.Items, long)
	}
	key := pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.NewBigInt(new(big.Int).Lsh(big.NewInt(1), 1<<20)), Value: pyvalue.None{}})
	for name, c := range map[string]struct {
		v     pyvalue.Value
		cause error
	}{
		"list": {loop, ErrCircular}, "dict": {ring, ErrCircular}, "fat": {fat, ErrCircular}, "deep": {deep, ErrLimit},
		"deep dict": {pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("d"), Value: deep}), ErrLimit},
		"laughs":    {laughs, ErrLimit}, "many": {many, ErrLimit}, "int key": {key, ErrLimit},
	} {
		got, err := Append(nil, c.v)
		require.ErrorIs(t, err, c.cause, name)
		require.Nil(t, got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, 2.5, "x\u00e9\ud83c", null, true, NaN, -Infinity, 123456789012345678901234567890]}`,
		`"\ud83c\udf6a"`, "1e999", "-0", "[[], {}]", `{"a":1,"a":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data, Limits{MaxBytes: 1 << 16})
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, e.Offset, len(data))
			return
		}
		text, err := Append(nil, v)
		require.NoError(t, err)
		require.True(t, pyvalue.IsASCII(string(text)))
		again, err := Decode(text, Limits{MaxNodes: 1 << 22})
		require.NoError(t, err)
		require.True(t, pyvalue.Same(v, again))
	})
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(session)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	v, err := Decode([]byte(session), Limits{})
	require.NoError(b, err)
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		if dst, err = Append(dst[:0], v); err != nil {
			b.Fatal(err)
		}
	}
}

const session = `{"_accessed_time": 1700000000.25, "_creation_time": 1700000000.25, "_domain": null, "_path": "/", ` +
	`"user": "caf\u00e9", "user_id": 42, "admin": false, "cart": [{"sku": "A-1", "n": 2}, {"sku": "B-2", "n": 1}], ` +
	`"csrf": "8d0b0c1f6f0c4d0e9d2c5b7a6e5d4c3b", "flash": ["saved", "sent"]}`
