package pyvalue

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type (
	name   string
	octet  byte
	octets []octet
	flag   bool
)

func TestFromGo(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	naive := must[*Object](t)(NewNaiveDatetime(moment))
	for _, c := range []struct {
		in   any
		want Value
	}{
		{nil, None{}},
		{true, Bool(true)},
		{flag(true), Bool(true)},
		{-3, NewInt(-3)},
		{int8(3), NewInt(3)},
		{uint64(1 << 63), NewBigInt(new(big.Int).Lsh(big.NewInt(1), 63))},
		{huge, NewBigInt(huge)},
		{(*big.Int)(nil), None{}},
		{float32(0.5), Float(0.5)},
		{1.5, Float(1.5)},
		{complex64(1i), Complex(1i)},
		{"h\u00e9", Str("h\u00e9")},
		{name("n"), Str("n")},
		{[]byte("b\xff"), Bytes("b\xff")},
		{[3]byte{1, 2, 3}, Bytes("\x01\x02\x03")},
		{octets{1, 2}, Bytes("\x01\x02")},
		{[]any{1, "a", nil}, NewList(NewInt(1), Str("a"), None{})},
		{[2]string{"a", "b"}, NewList(Str("a"), Str("b"))},
		{[]string(nil), NewList()},
		{map[string]int{"b": 2, "a": 1, "c": 3}, NewDict(Entry{Str("a"), NewInt(1)}, Entry{Str("b"), NewInt(2)}, Entry{Str("c"), NewInt(3)})},
		{map[int]bool{10: true, 9: false, -1: true}, NewDict(Entry{NewInt(-1), Bool(true)}, Entry{NewInt(9), Bool(false)}, Entry{NewInt(10), Bool(true)})},
		{map[any]any{"a": 1, 2: "b", 1.5: nil, 0.5: nil}, NewDict(Entry{Float(0.5), None{}}, Entry{Float(1.5), None{}}, Entry{NewInt(2), Str("b")}, Entry{Str("a"), NewInt(1)})},
		{Bytes("as is"), Bytes("as is")},
		{NaiveTime{moment}, naive},
		{time.Hour, NewTimedelta(Timedelta{Seconds: 3600})},
		{Timedelta{Days: 1}, NewTimedelta(Timedelta{Days: 1})},
		{UUID{1}, NewUUID(UUID{1})},
	} {
		got, err := FromGo(c.in)
		require.NoError(t, err, "%T", c.in)
		require.True(t, Equal(c.want, got), "%v: got %v", c.in, got)
	}
}

func TestFromGoRefuses(t *testing.T) {
	loop := []any{nil}
	loop[0] = loop
	ring := map[string]any{}
	ring["me"] = ring
	var laughs any = "ha"
	for range 64 {
		laughs = []any{laughs, laughs}
	}
	for name, c := range map[string]struct {
		in    any
		cause error
	}{
		"text":       {"\xff", ErrNotConvertible},
		"named text": {name("\xff"), ErrNotConvertible},
		"key":        {map[any]any{"\xff": 1}, ErrNotConvertible},
		"chan":       {make(chan int), ErrNotConvertible},
		"struct":     {struct{}{}, ErrNotConvertible},
		"nil value":  {(*List)(nil), ErrNotConvertible},
		"nil int":    {(*Int)(nil), ErrNotConvertible},
		"in a list":  {[]any{func() {}}, ErrNotConvertible},
		"slice loop": {loop, ErrTooLarge},
		"map loop":   {ring, ErrTooLarge},
		"laughs":     {laughs, ErrTooLarge},
		"huge slice": {make([]struct{}, 1<<21), ErrTooLarge},
		"year":       {time.Time{}.AddDate(-5, 0, 0), ErrRange},
		"naive year": {NaiveTime{time.Time{}.AddDate(-5, 0, 0)}, ErrRange},
		"date":       {Date{}, ErrRange},
		"time":       {TimeOfDay{Hour: 99}, ErrRange},
		"decimal":    {Decimal("x"), ErrRange},
	} {
		v, err := FromGo(c.in)
		require.ErrorIs(t, err, c.cause, name)
		require.Nil(t, v)
	}
}

func TestThereAndBack(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	for _, v := range []any{
		nil, true, int64(-3), huge, 1.5, 2i, "text", []byte("bytes"), []any{int64(1), "a", nil},
		map[string]any{"a": int64(1), "b": []any{}}, map[any]any{"a": nil, int64(2): "b", nil: true, 1.5: false},
		moment, NaiveTime{moment}, time.Hour, Timedelta{Days: 999999}, Date{2024, 2, 29}, TimeOfDay{1, 2, 3, 4},
		Decimal("1.10"), UUID{1, 2},
	} {
		p, err := FromGo(v)
		require.NoError(t, err)
		got, err := ToGo(p)
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	p, err := FromGo(moment.In(time.FixedZone("", 3600)))
	require.NoError(t, err)
	got, err := ToGo(p)
	require.NoError(t, err)
	require.True(t, moment.Equal(got.(time.Time)))
}

func TestToGo(t *testing.T) {
	lone := Str("\xed\xa0\x80")
	user := object(NewObj, &Global{Module: "app", Name: "User"})
	pair := NewTuple(NewInt(1))
	huge := NewBigInt(new(big.Int).Lsh(big.NewInt(1), 100))
	d := NewDict(Entry{Str("a"), NewInt(1)})
	for _, c := range []struct {
		in   Value
		want any
	}{
		{Py2Str("caf\u00e9"), "caf\u00e9"},
		{Py2Str("caf\xe9"), []byte("caf\xe9")},
		{lone, lone},
		{&ByteArray{Data: []byte("x")}, []byte("x")},
		{NewTuple(NewInt(1)), []any{int64(1)}},
		{NewSet(NewInt(1)), []any{int64(1)}},
		{NewFrozenSet(), []any{}},
		{NewDeque([]Value{NewInt(1)}, -1), []any{int64(1)}},
		{NewOrderedDict(d), map[string]any{"a": int64(1)}},
		{NewCounter(d), map[string]any{"a": int64(1)}},
		{user, user},
		{Extension(1), Extension(1)},
		{NewDict(Entry{Bytes("k"), None{}}, Entry{huge, None{}}, Entry{pair, None{}}),
			map[any]any{Bytes("k"): nil, Value(huge): nil, Value(pair): nil}},
		{NewDict(), map[string]any{}},
	} {
		got, err := ToGo(c.in)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

func TestToGoRefuses(t *testing.T) {
	loop := NewList()
	loop.Items = []Value{loop}
	ring := NewDict()
	ring.SetStr("me", ring)
	laughs := NewTuple(Str("ha"))
	for range 64 {
		laughs = NewTuple(laughs, laughs)
	}
	wide := &Dict{}
	for i := range 1<<20 + 1 {
		wide.Put(NewInt(int64(i)), None{})
	}
	for _, v := range []Value{loop, ring, laughs, wide, &List{Items: make([]Value, 1<<20+1)}} {
		got, err := ToGo(v)
		require.ErrorIs(t, err, ErrTooLarge)
		require.Nil(t, got)
	}
}
