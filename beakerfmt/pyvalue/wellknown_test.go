package pyvalue

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

var moment = time.Date(2023, 11, 14, 22, 13, 20, 123456000, time.UTC)

func TestDatetime(t *testing.T) {
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 7200), time.FixedZone("", -16200), time.FixedZone("x", 3208)} {
		o := must[*Object](t)(NewDatetime(moment.In(zone)))
		got, naive, ok := AsTime(o)
		require.True(t, ok)
		require.False(t, naive)
		require.True(t, got.Equal(moment))
		_, want := moment.In(zone).Zone()
		_, offset := got.Zone()
		require.Equal(t, want, offset)

		o = must[*Object](t)(NewNaiveDatetime(moment.In(zone)))
		got, naive, ok = AsTime(o)
		require.True(t, ok && naive)
		require.Equal(t, time.UTC, got.Location())
		require.Equal(t, moment.In(zone).Format("2006-01-02T15:04:05.999"), got.Format("2006-01-02T15:04:05.999"))
	}
	for _, bad := range []time.Time{moment.AddDate(9000, 0, 0), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := NewDatetime(bad)
		require.ErrorIs(t, err, ErrRange)
		_, err = NewNaiveDatetime(bad)
		require.ErrorIs(t, err, ErrRange)
	}
	_, err := NewDatetime(moment.In(time.FixedZone("", 86400)))
	require.ErrorIs(t, err, ErrRange)
}

// packedMoment is the state of a datetime as CPython writes it.
const packedMoment = "\x07\xe7\x0b\x0e\x16\x0d\x14\x01\xe2\x40"

func TestAsTimeReadsEveryPython(t *testing.T) {
	utf8Packed := ""
	for _, b := range []byte(packedMoment) {
		utf8Packed += string(rune(b))
	}
	timezone := func(args ...Value) Value { return call("datetime", "timezone", args...) }
	hour := NewTimedelta(Timedelta{Seconds: 3600})
	for name, c := range map[string]struct {
		args   []Value
		naive  bool
		offset int
		zone   string
	}{
		"python 2":           {[]Value{Py2Str(packedMoment)}, true, 0, "UTC"},
		"python 3":           {[]Value{Bytes(packedMoment)}, true, 0, "UTC"},
		"latin 1":            {[]Value{Str(utf8Packed)}, true, 0, "UTC"},
		"tz none":            {[]Value{Bytes(packedMoment), None{}}, true, 0, "UTC"},
		"timezone.utc":       {[]Value{Bytes(packedMoment), timezone(NewTimedelta(Timedelta{}))}, false, 0, "UTC"},
		"timezone":           {[]Value{Bytes(packedMoment), timezone(hour)}, false, 3600, ""},
		"timezone with name": {[]Value{Bytes(packedMoment), timezone(hour, Str("X"))}, false, 3600, "X"},
		"pytz utc":           {[]Value{Py2Str(packedMoment), call("pytz", "_UTC")}, false, 0, "UTC"},
		"pytz zone":          {[]Value{Py2Str(packedMoment), call("pytz", "_p", Py2Str("Europe/Berlin"), NewInt(7200), NewInt(3600), Py2Str("CEST"))}, false, 7200, "CEST"},
		"pytz fixed":         {[]Value{Py2Str(packedMoment), call("pytz", "FixedOffset", NewInt(-90))}, false, -5400, ""},
		"fold":               {[]Value{Bytes("\x07\xe7\x8b" + packedMoment[3:])}, true, 0, "UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			got, naive, ok := AsTime(call("datetime", "datetime", c.args...))
			require.True(t, ok)
			require.Equal(t, c.naive, naive)
			zone, offset := got.Zone()
			require.Equal(t, c.offset, offset)
			require.Equal(t, c.zone, zone)
			require.Equal(t, "2023-11-14 22:13:20.123456", got.Format("2006-01-02 15:04:05.999999"))
		})
	}
}

func TestNotATime(t *testing.T) {
	good := Bytes(packedMoment)
	built := call("datetime", "datetime", good)
	built.Ops = []Op{{Build, []Value{NewDict()}}}
	for name, v := range map[string]Value{
		"none":           None{},
		"other class":    call("datetime", "date", good),
		"other way":      object(NewObj, &Global{Module: "datetime", Name: "datetime"}, good),
		"no global":      object(Reduce, Extension(1), good),
		"no args":        &Object{Class: &Global{Module: "datetime", Name: "datetime"}},
		"empty":          call("datetime", "datetime"),
		"many":           call("datetime", "datetime", good, None{}, None{}),
		"short":          call("datetime", "datetime", good[:9]),
		"int":            call("datetime", "datetime", NewInt(1)),
		"month 13":       call("datetime", "datetime", Bytes("\x07\xe7\x0d"+packedMoment[3:])),
		"february 30":    call("datetime", "datetime", Bytes("\x07\xe7\x02\x1e"+packedMoment[4:])),
		"day 200":        call("datetime", "datetime", Bytes("\x07\xe7\x02\xc8"+packedMoment[4:])),
		"hour 24":        call("datetime", "datetime", Bytes(packedMoment[:4]+"\x18"+packedMoment[5:])),
		"wide text":      call("datetime", "datetime", Str("\u4e16")),
		"long text":      call("datetime", "datetime", Str("aaaaaaaaaaaaaa")),
		"built":          built,
		"unknown tz":     call("datetime", "datetime", good, call("app", "TZ")),
		"tz is an int":   call("datetime", "datetime", good, NewInt(1)),
		"tz of nothing":  call("datetime", "datetime", good, call("datetime", "timezone")),
		"tz of an int":   call("datetime", "datetime", good, call("datetime", "timezone", NewInt(1))),
		"tz of a day":    call("datetime", "datetime", good, call("datetime", "timezone", NewTimedelta(Timedelta{Days: 1}))),
		"tz microsecond": call("datetime", "datetime", good, call("datetime", "timezone", NewTimedelta(Timedelta{Microseconds: 1}))),
		"pytz name only": call("datetime", "datetime", good, call("pytz", "_p", Str("Etc/GMT+1"))),
		"pytz far":       call("datetime", "datetime", good, call("pytz", "_p", Str("x"), NewInt(1<<40), NewInt(0), Str("x"))),
		"pytz far fixed": call("datetime", "datetime", good, call("pytz", "FixedOffset", Str("x"))),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, ok := AsTime(v)
			require.False(t, ok)
		})
	}
}

func TestDateAndTime(t *testing.T) {
	d := Date{2024, time.February, 29}
	got, ok := AsDate(must[*Object](t)(NewDate(d)))
	require.True(t, ok)
	require.Equal(t, d, got)
	require.Equal(t, "2024-02-29", d.String())
	for _, bad := range []Date{{2023, 2, 29}, {0, 1, 1}, {10000, 1, 1}, {2000, 0, 1}, {2000, 13, 1}, {2000, 1, 0}, {2000, 1, 32}, {2000, 1, 400}} {
		_, err := NewDate(bad)
		require.ErrorIs(t, err, ErrRange, "%v", bad)
	}
	for _, v := range []Value{None{}, call("datetime", "date"), call("datetime", "date", Bytes("abc")), call("datetime", "date", Bytes("\x07\xe7\x02\x1e"))} {
		_, ok := AsDate(v)
		require.False(t, ok)
	}

	c := TimeOfDay{1, 2, 3, 4}
	clock, ok := AsTimeOfDay(must[*Object](t)(NewTimeOfDay(c)))
	require.True(t, ok)
	require.Equal(t, c, clock)
	require.Equal(t, "01:02:03.000004", c.String())
	require.Equal(t, "01:02:03", TimeOfDay{1, 2, 3, 0}.String())
	for _, bad := range []TimeOfDay{{24, 0, 0, 0}, {0, 60, 0, 0}, {0, 0, 60, 0}, {0, 0, 0, 1e6}, {-1, 0, 0, 0}} {
		_, err := NewTimeOfDay(bad)
		require.ErrorIs(t, err, ErrRange)
	}
	for _, v := range []Value{None{}, call("datetime", "time"), call("datetime", "time", Bytes("abc")), call("datetime", "time", Bytes("\x18\x00\x00\x00\x00\x00"))} {
		_, ok := AsTimeOfDay(v)
		require.False(t, ok)
	}
}

func TestTimedelta(t *testing.T) {
	for d, want := range map[time.Duration]Timedelta{
		0:                         {},
		time.Microsecond:          {0, 0, 1},
		-time.Nanosecond:          {-1, 86399, 999999},
		-time.Microsecond:         {-1, 86399, 999999},
		26*time.Hour + 1500*1e6:   {1, 7201, 500000},
		-24 * time.Hour:           {-1, 0, 0},
		time.Duration(1<<63 - 1):  {106751, 85636, 854775},
		-24*time.Hour + 5e9 + 7e3: {-1, 5, 7},
	} {
		require.Equal(t, want, TimedeltaOf(d))
		got, ok := AsTimedelta(NewTimedelta(want))
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	d, ok := AsDuration(NewTimedelta(Timedelta{-1, 5, 7}))
	require.True(t, ok)
	require.Equal(t, -24*time.Hour+5*time.Second+7*time.Microsecond, d)
	_, ok = AsDuration(NewTimedelta(Timedelta{Days: 999999999}))
	require.False(t, ok)
	_, ok = AsDuration(None{})
	require.False(t, ok)
	loose, ok := AsTimedelta(call("datetime", "timedelta", NewInt(0), NewInt(-1)))
	require.True(t, ok)
	require.Equal(t, Timedelta{-1, 86399, 0}, loose)
	for _, args := range [][]Value{{Float(1)}, {NewInt(1e9)}, {NewInt(999999999), NewInt(86400)}, {NewBigInt(new(big.Int).Lsh(big.NewInt(1), 70))}, {NewInt(1), NewInt(1), NewInt(1), NewInt(1)}} {
		_, ok := AsTimedelta(call("datetime", "timedelta", args...))
		require.False(t, ok)
	}
}

func TestDecimal(t *testing.T) {
	for _, s := range []Decimal{"1.10", "-0E+5", "NaN", "sNaN123", "-Infinity", "inf", "+.5", "5.", "1e-7", "0"} {
		d, ok := AsDecimal(must[*Object](t)(NewDecimal(s)))
		require.True(t, ok)
		require.Equal(t, s, d)
	}
	for _, s := range []Decimal{"", ".", "e5", "1e", "1e+", "--1", "1.2.3", "1 ", "0x1", "nan1x", "1f5", "é"} {
		_, err := NewDecimal(s)
		require.ErrorIs(t, err, ErrRange, "%q", s)
	}
	got, ok := AsDecimal(call("decimal", "Decimal", Py2Str("1.10")))
	require.True(t, ok)
	require.Equal(t, Decimal("1.10"), got)
	for _, v := range []Value{None{}, call("decimal", "Decimal"), call("decimal", "Decimal", NewInt(1)), call("decimal", "Decimal", Str("x"))} {
		_, ok := AsDecimal(v)
		require.False(t, ok)
	}
}

func TestUUID(t *testing.T) {
	u := UUID{0x12, 0x34, 15: 0xff}
	got, ok := AsUUID(NewUUID(u))
	require.True(t, ok)
	require.Equal(t, u, got)
	require.Equal(t, "12340000-0000-0000-0000-0000000000ff", u.String())

	build := func(state ...Value) []Op { return []Op{{Build, state}} }
	class := &Global{Module: "uuid", Name: "UUID"}
	old := object(Reduce, &Global{Module: "copy_reg", Name: "_reconstructor", Py2: true}, class, &Global{Module: "__builtin__", Name: "object", Py2: true}, None{})
	old.Ops = build(NewDict(Entry{Py2Str("int"), NewLong(big.NewInt(5))}, Entry{Str("is_safe"), None{}}))
	got, ok = AsUUID(old)
	require.True(t, ok)
	require.Equal(t, UUID{15: 5}, got)

	for name, ops := range map[string][]Op{
		"none":     nil,
		"two":      append(build(NewDict()), build(NewDict())...),
		"append":   {{Append, []Value{None{}}}},
		"no dict":  build(None{}),
		"no int":   build(NewDict()),
		"negative": build(NewDict(Entry{Str("int"), NewInt(-1)})),
		"huge":     build(NewDict(Entry{Str("int"), NewBigInt(new(big.Int).Lsh(big.NewInt(1), 128))})),
	} {
		o := object(NewObj, class)
		o.Ops = ops
		_, ok := AsUUID(o)
		require.False(t, ok, name)
	}
	_, ok = AsUUID(None{})
	require.False(t, ok)
}

func TestDictsOfCollections(t *testing.T) {
	d := NewDict(Entry{Str("z"), NewInt(1)}, Entry{Str("a"), NewInt(2)})
	list := &Global{Module: "builtins", Name: "list"}

	for name, v := range map[string]Value{
		"plain":       d,
		"ordered":     NewOrderedDict(d),
		"default":     NewDefaultDict(list, d),
		"counter":     NewCounter(d),
		"python 2":    call("collections", "OrderedDict", NewList(NewList(Py2Str("z"), NewInt(1)), NewTuple(Py2Str("a"), NewInt(2)))),
		"counter set": withItems(call("collections", "Counter"), d),
	} {
		got, ok := AsDict(v)
		require.True(t, ok, name)
		require.Equal(t, 2, got.Len())
		one, _ := got.GetStr("z")
		require.True(t, Equal(NewInt(1), one))
		require.Equal(t, got.Entries()[0].Value, one)
	}
	factory, got, ok := AsDefaultDict(NewDefaultDict(list, NewDict()))
	require.True(t, ok)
	require.Equal(t, Value(list), factory)
	require.Zero(t, got.Len())
	factory, _, ok = AsDefaultDict(call("collections", "defaultdict"))
	require.True(t, ok)
	require.Equal(t, Value(None{}), factory)

	odd := NewOrderedDict(d)
	odd.Ops = append(odd.Ops, Op{Build, []Value{NewDict()}})
	_, ok = AsOrderedDict(odd)
	require.True(t, ok)
	odd.Ops = append(odd.Ops, Op{Append, []Value{None{}}})
	for name, v := range map[string]Value{
		"none":          None{},
		"appended":      odd,
		"no pairs":      call("collections", "OrderedDict", NewList(None{})),
		"no list":       call("collections", "OrderedDict", NewInt(1)),
		"two":           call("collections", "OrderedDict", NewList(), NewList()),
		"two factories": call("collections", "defaultdict", None{}, None{}),
		"counter":       call("collections", "Counter", NewInt(1)),
		"two counters":  call("collections", "Counter", d, d),
	} {
		_, ok := AsDict(v)
		require.False(t, ok, name)
	}
}

func TestDeque(t *testing.T) {
	items, maxLen, ok := AsDeque(NewDeque([]Value{NewInt(1), NewInt(2)}, 5))
	require.True(t, ok)
	require.Equal(t, 5, maxLen)
	require.Len(t, items, 2)

	v := call("collections", "deque", NewTuple(), NewInt(1))
	v.Ops = []Op{{Append, []Value{NewInt(1), NewInt(2)}}, {Build, []Value{NewDict()}}}
	items, maxLen, ok = AsDeque(v)
	require.True(t, ok)
	require.Equal(t, 1, maxLen)
	require.True(t, Equal(NewInt(2), items[0]))

	items, maxLen, ok = AsDeque(NewDeque(nil, -1))
	require.True(t, ok)
	require.Equal(t, -1, maxLen)
	require.Empty(t, items)
	v = call("collections", "deque")
	v.Ops = []Op{{SetItems, nil}}
	for _, v := range []Value{None{}, v, call("collections", "deque", NewInt(1)), call("collections", "deque", NewList(), NewInt(-1)), call("collections", "deque", None{}, None{}, None{})} {
		_, _, ok := AsDeque(v)
		require.False(t, ok)
	}
}

func TestDurationLimits(t *testing.T) {
	for _, days := range []int{106750, -106750} {
		d, ok := Timedelta{Days: days, Seconds: 86399, Microseconds: 999999}.Duration()
		require.True(t, ok)
		require.Equal(t, math.Signbit(float64(days)), d < 0)
	}
	_, ok := Timedelta{Days: 106752}.Duration()
	require.False(t, ok)
}
