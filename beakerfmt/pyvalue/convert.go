package pyvalue

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Causes of errors of [FromGo] and [ToGo].
var (
	ErrNotConvertible = errors.New("no such value in Python")
	ErrTooLarge       = errors.New("too deep, too large or circular")
)

// Bounds of a conversion: a value that refers to itself meets the first, one
// whose shared parts multiply the second.
const (
	convertDepth = 1000
	convertNodes = 1 << 20
	convertBytes = 256 << 20
)

// FromGo returns the natural Python value of a Go value:
//
//	nil                      None
//	bool                     bool
//	ints, uints, *big.Int    int
//	floats, complex numbers  float, complex
//	string                   str; it must be valid UTF-8
//	[]byte, [n]byte          bytes
//	slices, arrays           list
//	maps                     dict, its keys in sorted order
//	time.Time                an aware datetime.datetime ([NewDatetime]; Python 3 only)
//	NaiveTime                a naive datetime.datetime ([NewNaiveDatetime])
//	time.Duration, Timedelta datetime.timedelta
//	Date, TimeOfDay          datetime.date, datetime.time
//	Decimal, UUID            decimal.Decimal, uuid.UUID
//	Value                    itself
//
// Types derived from these count as them. Anything else is
// [ErrNotConvertible]; what is circular, deeper than 1000 or has more than 2^20
// parts is [ErrTooLarge].
func FromGo(v any) (Value, error) { return (&conversion{nodes: convertNodes}).run(v) }

// FromGoNaive is FromGo for a Python that may be a 2, which has no
// datetime.timezone: a time.Time becomes a naive datetime in UTC, at any depth.
func FromGoNaive(v any) (Value, error) {
	return (&conversion{nodes: convertNodes, naive: true}).run(v)
}

type conversion struct {
	nodes int
	naive bool // FromGo makes naive datetimes
	bytes int  // of texts and ints that ToGo may still read or copy
}

func (c *conversion) read(n int) error {
	if c.bytes -= n; c.bytes < 0 {
		return ErrTooLarge
	}
	return nil
}

func (c *conversion) run(v any) (Value, error) {
	out, err := c.fromGo(v, convertDepth)
	if err != nil {
		return nil, fmt.Errorf("pyvalue: from go: %w", err)
	}
	return out, nil
}

func (c *conversion) enter(depth int) error {
	c.nodes--
	if depth <= 0 || c.nodes < 0 {
		return ErrTooLarge
	}
	return nil
}

func (c *conversion) fromGo(v any, depth int) (Value, error) {
	if err := c.enter(depth); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return None{}, nil
	case Value:
		if isNilPointer(v) || v == Value((*Int)(nil)) {
			return nil, fmt.Errorf("nil %T: %w", v, ErrNotConvertible)
		}
		return v, nil
	case string:
		return fromString(v)
	case []byte:
		return Bytes(v), nil
	case *big.Int:
		if v == nil {
			return None{}, nil
		}
		return NewBigInt(v), nil
	case time.Time:
		if c.naive {
			return orError(NewNaiveDatetime(v.UTC()))
		}
		return orError(NewDatetime(v))
	case NaiveTime:
		return orError(NewNaiveDatetime(v.Time))
	case time.Duration:
		return NewTimedelta(TimedeltaOf(v)), nil
	case Timedelta:
		return NewTimedelta(v), nil
	case Date:
		return orError(NewDate(v))
	case TimeOfDay:
		return orError(NewTimeOfDay(v))
	case Decimal:
		return orError(NewDecimal(v))
	case UUID:
		return NewUUID(v), nil
	}
	return c.fromKind(reflect.ValueOf(v), depth)
}

// orError keeps a nil *Object from becoming a Value.
func orError(o *Object, err error) (Value, error) {
	if err != nil {
		return nil, err
	}
	return o, nil
}

func fromString(s string) (Value, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("string is not UTF-8: %w", ErrNotConvertible)
	}
	return Str(s), nil
}

func (c *conversion) fromKind(r reflect.Value, depth int) (Value, error) {
	switch r.Kind() {
	case reflect.Bool:
		return Bool(r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return NewInt(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return NewBigInt(new(big.Int).SetUint64(r.Uint())), nil
	case reflect.Float32, reflect.Float64:
		return Float(r.Float()), nil
	case reflect.Complex64, reflect.Complex128:
		return Complex(r.Complex()), nil
	case reflect.String:
		return fromString(r.String())
	case reflect.Slice, reflect.Array:
		return c.fromSlice(r, depth)
	case reflect.Map:
		return c.fromMap(r, depth)
	}
	return nil, fmt.Errorf("%s: %w", r.Type(), ErrNotConvertible)
}

func (c *conversion) fromSlice(r reflect.Value, depth int) (Value, error) {
	if r.Kind() == reflect.Slice && r.IsNil() && r.Type().Elem().Kind() != reflect.Uint8 {
		return &List{}, nil
	}
	if r.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, r.Len())
		for i := range b {
			b[i] = byte(r.Index(i).Uint())
		}
		return Bytes(b), nil
	}
	if r.Len() > c.nodes {
		return nil, ErrTooLarge
	}
	list := &List{Items: make([]Value, r.Len())}
	for i := range list.Items {
		item, err := c.fromGo(r.Index(i).Interface(), depth-1)
		if err != nil {
			return nil, err
		}
		list.Items[i] = item
	}
	return list, nil
}

func (c *conversion) fromMap(r reflect.Value, depth int) (Value, error) {
	if r.Len() > c.nodes {
		return nil, ErrTooLarge
	}
	entries := make([]Entry, 0, r.Len())
	for it := r.MapRange(); it.Next(); {
		key, err := c.fromGo(it.Key().Interface(), depth-1)
		if err != nil {
			return nil, err
		}
		value, err := c.fromGo(it.Value().Interface(), depth-1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{key, value})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return compareKeys(a.Key, b.Key) })
	return NewDict(entries...), nil
}

// compareKeys orders keys: ints by value, texts by text, the rest by type and
// by what Python's repr would be.
func compareKeys(a, b Value) int {
	if a, ok := a.(*Int); ok {
		if b, ok := b.(*Int); ok {
			return a.Big().Cmp(b.Big())
		}
	}
	if a, ok := a.(Str); ok {
		if b, ok := b.(Str); ok {
			return strings.Compare(string(a), string(b))
		}
	}
	if n := strings.Compare(TypeName(a), TypeName(b)); n != 0 {
		return n
	}
	return strings.Compare(Repr(a), Repr(b))
}

// ToGo returns the natural Go value of a Python value, the reverse of
// [FromGo]:
//
//	None                 nil
//	bool                 bool
//	int, long            int64, or *big.Int if it does not fit
//	float, complex       float64, complex128
//	str                  string
//	Python 2's str       string if it is UTF-8, else []byte
//	bytes, bytearray     []byte
//	list, tuple, deque,  []any
//	set, frozenset
//	dict, OrderedDict,   map[string]any if all keys are text, else map[any]any
//	defaultdict, Counter
//	datetime             time.Time, or NaiveTime without a time zone
//	timedelta            time.Duration, or Timedelta if it does not fit
//	date, time           Date, TimeOfDay
//	Decimal, UUID        Decimal, UUID
//
// What Go has no word for stays the [Value] that it is: other objects, classes,
// text with lone surrogates, and as a key of a map what Go cannot compare by
// value. What is circular, deeper than 1000, or has more than 2^20 parts or
// 256 MiB of text (shared parts count each time) is [ErrTooLarge].
func ToGo(v Value) (any, error) {
	c := &conversion{nodes: convertNodes, bytes: convertBytes}
	out, err := c.toGo(v, convertDepth)
	if err != nil {
		return nil, fmt.Errorf("pyvalue: to go: %w", err)
	}
	return out, nil
}

func (c *conversion) toGo(v Value, depth int) (any, error) {
	if err := c.enter(depth); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *List:
		return c.toSlice(v.Items, depth)
	case *Tuple:
		return c.toSlice(v.Items, depth)
	case *Set:
		return c.toSlice(slices.Collect(v.All()), depth)
	case *FrozenSet:
		return c.toSlice(slices.Collect(v.All()), depth)
	case *Dict:
		return c.toMap(v, depth)
	case *Object:
		return c.toKnown(v, depth)
	}
	return c.toScalar(v)
}

// toScalar converts what has no parts.
func (c *conversion) toScalar(v Value) (any, error) {
	n := textLen(v)
	if b, ok := v.(*ByteArray); ok {
		n = len(b.Data)
	}
	if err := c.read(n); err != nil {
		return nil, err
	}
	return toScalar(v), nil
}

func toScalar(v Value) any {
	switch v := v.(type) {
	case None:
		return nil
	case Bool:
		return bool(v)
	case *Int:
		return bigOf(v)
	case Float:
		return float64(v)
	case Complex:
		return complex128(v)
	case Str:
		if !utf8.ValidString(string(v)) {
			return v
		}
		return string(v)
	case Py2Str:
		if !utf8.ValidString(string(v)) {
			return []byte(v)
		}
		return string(v)
	case Bytes:
		return []byte(v)
	case *ByteArray:
		return slices.Clone(v.Data)
	}
	return v
}

func (c *conversion) toKnown(o *Object, depth int) (any, error) {
	if err := c.read(64 * o.Weight()); err != nil {
		return nil, err
	}
	if t, naive, ok := AsTime(o); ok {
		if naive {
			return NaiveTime{t}, nil
		}
		return t, nil
	}
	if t, ok := AsTimedelta(o); ok {
		if d, ok := t.Duration(); ok {
			return d, nil
		}
		return t, nil
	}
	if d, ok := AsDate(o); ok {
		return d, nil
	}
	if t, ok := AsTimeOfDay(o); ok {
		return t, nil
	}
	if d, ok := AsDecimal(o); ok {
		return d, nil
	}
	if u, ok := AsUUID(o); ok {
		return u, nil
	}
	if d, ok := AsDict(o); ok {
		return c.toMap(d, depth)
	}
	if items, _, ok := AsDeque(o); ok {
		return c.toSlice(items, depth)
	}
	return o, nil
}

func (c *conversion) toSlice(items []Value, depth int) (any, error) {
	if len(items) > c.nodes {
		return nil, ErrTooLarge
	}
	out := make([]any, len(items))
	for i, item := range items {
		g, err := c.toGo(item, depth-1)
		if err != nil {
			return nil, err
		}
		out[i] = g
	}
	return out, nil
}

func (c *conversion) toMap(d *Dict, depth int) (any, error) {
	if d.Len() > c.nodes {
		return nil, ErrTooLarge
	}
	texts, all := make(map[string]any, d.Len()), make(map[any]any)
	for k, v := range d.All() {
		g, err := c.toGo(v, depth-1)
		if err != nil {
			return nil, err
		}
		key, err := c.toKey(k)
		if err != nil {
			return nil, err
		}
		if s, ok := key.(string); ok {
			texts[s] = g
			continue
		}
		all[key] = g
	}
	if len(all) == 0 {
		return texts, nil
	}
	for k, v := range texts {
		all[k] = v
	}
	return all, nil
}

// toKey is what stands for a key in a Go map: something comparable.
func (c *conversion) toKey(k Value) (any, error) {
	key, err := c.toScalar(k)
	switch key.(type) {
	case []byte, *big.Int:
		return k, err
	}
	return key, err
}
