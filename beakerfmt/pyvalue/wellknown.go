package pyvalue

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// ErrRange is the cause when Python's class has no room for the Go value.
var ErrRange = errors.New("out of Python's range")

// Date is Python's datetime.date.
type Date struct {
	Year  int // 1 to 9999
	Month time.Month
	Day   int
}

// TimeOfDay is Python's datetime.time without a time zone.
type TimeOfDay struct{ Hour, Minute, Second, Microsecond int }

// NaiveTime is a datetime.datetime without a time zone: a wall clock somewhere.
// Its Time has that wall clock in UTC.
type NaiveTime struct{ time.Time }

// Timedelta is Python's datetime.timedelta in its normal form: Seconds in
// [0, 86400), Microseconds in [0, 1000000).
type Timedelta struct{ Days, Seconds, Microseconds int }

// Decimal is the text of Python's decimal.Decimal, such as "1.10" or "NaN".
type Decimal string

// UUID is Python's uuid.UUID.
type UUID [16]byte

// String returns the 8-4-4-4-12 form.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// String returns the date as Python's isoformat does.
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// String returns the time as Python's isoformat does.
func (t TimeOfDay) String() string {
	s := fmt.Sprintf("%02d:%02d:%02d", t.Hour, t.Minute, t.Second)
	if t.Microsecond != 0 {
		s += fmt.Sprintf(".%06d", t.Microsecond)
	}
	return s
}

// NewDatetime returns the aware datetime.datetime of the instant t in the
// offset that t has from UTC, its tzinfo a datetime.timezone. Python 2 has no
// such class and cannot read it: for its sake use [NewNaiveDatetime]. Times are
// cut to microseconds. The year must be in 1 to 9999, else the error is
// [ErrRange].
func NewDatetime(t time.Time) (*Object, error) {
	state, err := datetimeState(t)
	if err != nil {
		return nil, err
	}
	_, offset := t.Zone()
	if offset <= -86400 || offset >= 86400 {
		return nil, fmt.Errorf("pyvalue: datetime: offset of a day or more: %w", ErrRange)
	}
	zone := call("datetime", "timezone", NewTimedelta(Timedelta{Seconds: offset}))
	return call("datetime", "datetime", state, zone), nil
}

// NewNaiveDatetime returns the datetime.datetime without a time zone that has
// the wall clock of t in t's own location; t.UTC() gives what Python's utcnow
// would. Both Pythons read it. Times are cut to microseconds. The year must be
// in 1 to 9999, else the error is [ErrRange].
func NewNaiveDatetime(t time.Time) (*Object, error) {
	state, err := datetimeState(t)
	if err != nil {
		return nil, err
	}
	return call("datetime", "datetime", state), nil
}

// datetimeState is the one argument of a pickled datetime. As Bytes it is
// spelled by the encoder so that Python 2 and Python 3 both read it; Python 3
// would not read the str that Python 2 itself writes.
func datetimeState(t time.Time) (Bytes, error) {
	y := t.Year()
	if y < 1 || y > 9999 {
		return "", fmt.Errorf("pyvalue: datetime: year: %w", ErrRange)
	}
	us := t.Nanosecond() / 1000
	return Bytes([]byte{
		byte(y >> 8), byte(y), byte(t.Month()), byte(t.Day()),
		byte(t.Hour()), byte(t.Minute()), byte(t.Second()),
		byte(us >> 16), byte(us >> 8), byte(us),
	}), nil
}

// NewDate returns a datetime.date. A day that does not exist is [ErrRange].
func NewDate(d Date) (*Object, error) {
	if !d.valid() {
		return nil, fmt.Errorf("pyvalue: date: %w", ErrRange)
	}
	return call("datetime", "date", Bytes([]byte{byte(d.Year >> 8), byte(d.Year), byte(d.Month), byte(d.Day)})), nil
}

// NewTimeOfDay returns a datetime.time without a time zone. A time that does
// not exist is [ErrRange].
func NewTimeOfDay(t TimeOfDay) (*Object, error) {
	if !t.valid() {
		return nil, fmt.Errorf("pyvalue: time: %w", ErrRange)
	}
	us := t.Microsecond
	return call("datetime", "time", Bytes([]byte{
		byte(t.Hour), byte(t.Minute), byte(t.Second), byte(us >> 16), byte(us >> 8), byte(us),
	})), nil
}

// NewTimedelta returns a datetime.timedelta; it brings t to the normal form.
func NewTimedelta(t Timedelta) *Object {
	t = normalTimedelta(int64(t.Days), int64(t.Seconds), int64(t.Microseconds))
	return call("datetime", "timedelta",
		NewInt(int64(t.Days)), NewInt(int64(t.Seconds)), NewInt(int64(t.Microseconds)))
}

// TimedeltaOf returns d cut (towards the past) to microseconds.
func TimedeltaOf(d time.Duration) Timedelta {
	return normalTimedelta(0, 0, floorDiv(int64(d), 1000))
}

// NewDecimal returns a decimal.Decimal. A text that is no number in Python's
// writing is [ErrRange].
func NewDecimal(d Decimal) (*Object, error) {
	if !d.valid() {
		return nil, fmt.Errorf("pyvalue: decimal: %w", ErrRange)
	}
	return call("decimal", "Decimal", Str(d)), nil
}

// NewUUID returns a uuid.UUID.
func NewUUID(u UUID) *Object {
	state := NewDict(Entry{Str("int"), NewBigInt(new(big.Int).SetBytes(u[:]))})
	return &Object{
		How:   NewObj,
		Class: &Global{Module: "uuid", Name: "UUID"},
		Args:  NewTuple(),
		Ops:   []Op{{Kind: Build, Values: []Value{state}}},
	}
}

// NewOrderedDict returns a collections.OrderedDict with the entries of d.
func NewOrderedDict(d *Dict) *Object {
	return withItems(call("collections", "OrderedDict"), d)
}

// NewDefaultDict returns a collections.defaultdict with the entries of d.
// factory is usually a [Global] such as builtins.list, or [None].
func NewDefaultDict(factory Value, d *Dict) *Object {
	return withItems(call("collections", "defaultdict", factory), d)
}

// NewCounter returns a collections.Counter with the counts of d, which it keeps.
func NewCounter(d *Dict) *Object { return call("collections", "Counter", d) }

// NewDeque returns a collections.deque. maxLen below zero means no maximum.
func NewDeque(items []Value, maxLen int) *Object {
	o := call("collections", "deque", NewList(items...))
	if maxLen >= 0 {
		o.Args.Items = append(o.Args.Items, NewInt(int64(maxLen)))
	}
	return o
}

func call(module, name string, args ...Value) *Object {
	return &Object{How: Reduce, Class: &Global{Module: module, Name: name}, Args: NewTuple(args...)}
}

func withItems(o *Object, d *Dict) *Object {
	if d.Len() == 0 {
		return o
	}
	values := make([]Value, 0, 2*d.Len())
	for k, v := range d.All() {
		values = append(values, k, v)
	}
	o.Ops = []Op{{Kind: SetItems, Values: values}}
	return o
}

func (d Date) valid() bool {
	if d.Year < 1 || d.Year > 9999 || d.Month < 1 || d.Month > 12 || d.Day < 1 {
		return false
	}
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Month() == d.Month && d.Day <= 31
}

func (t TimeOfDay) valid() bool {
	return t.Hour >= 0 && t.Hour < 24 && t.Minute >= 0 && t.Minute < 60 &&
		t.Second >= 0 && t.Second < 60 && t.Microsecond >= 0 && t.Microsecond < 1e6
}

// valid follows the grammar of Python's decimal module, ASCII only.
func (d Decimal) valid() bool {
	s := strings.ToLower(strings.TrimLeft(string(d), "+-"))
	if len(d)-len(s) > 1 || len(s) > 1<<20 {
		return false
	}
	switch s {
	case "inf", "infinity":
		return true
	}
	if nan, ok := strings.CutPrefix(strings.TrimPrefix(s, "s"), "nan"); ok {
		return digits(nan) == len(nan)
	}
	whole := digits(s)
	s = s[whole:]
	fraction := 0
	if strings.HasPrefix(s, ".") {
		fraction = digits(s[1:])
		s = s[1+fraction:]
	}
	if whole+fraction == 0 {
		return false
	}
	if s == "" {
		return true
	}
	exp, ok := strings.CutPrefix(s, "e")
	if len(exp) > 0 && (exp[0] == '+' || exp[0] == '-') {
		exp = exp[1:]
	}
	return ok && exp != "" && digits(exp) == len(exp)
}

// digits returns how many ASCII digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && a < 0 {
		q--
	}
	return q
}

func normalTimedelta(days, seconds, micros int64) Timedelta {
	carry := floorDiv(micros, 1e6)
	micros -= carry * 1e6
	seconds += carry
	carry = floorDiv(seconds, 86400)
	return Timedelta{Days: int(days + carry), Seconds: int(seconds - carry*86400), Microseconds: int(micros)}
}

// Duration returns t as a Go duration, if it fits (292 years).
func (t Timedelta) Duration() (time.Duration, bool) {
	const fits = math.MaxInt64/int64(24*time.Hour) - 1
	if int64(t.Days) > fits || int64(t.Days) < -fits {
		return 0, false
	}
	return time.Duration(t.Days)*24*time.Hour + time.Duration(t.Seconds)*time.Second +
		time.Duration(t.Microseconds)*time.Microsecond, true
}
