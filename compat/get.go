package compat

import (
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Getter is what values are got from: a [Session] or a [View].
type Getter interface {
	Get(key string) (pyvalue.Value, bool)
}

// Natural are the Go types that [Get] gives.
type Natural interface {
	bool | int | int64 | float64 | string | []byte | time.Time | time.Duration
}

// Get returns the value under a key as a Go value of type T, and false if
// there is none or it is of another type or does not fit: never a zero that
// could be taken for a value.
//
//	bool           True, False
//	int, int64     int and Python 2's int and long, if it fits
//	float64        float, and int if float64 holds it exactly
//	string         text, also Python 2's str if it is ASCII
//	[]byte         bytes, bytearray, Python 2's str
//	time.Time      datetime.datetime; a naive one is taken for UTC
//	time.Duration  datetime.timedelta
func Get[T Natural](g Getter, key string) (T, bool) {
	var zero T
	v, ok := g.Get(key)
	if !ok {
		return zero, false
	}
	got, ok := natural(v, any(zero)).(T)
	return got, ok
}

// natural converts v to the type of want, or returns nil.
func natural(v pyvalue.Value, want any) any {
	switch want.(type) {
	case bool:
		if b, ok := v.(pyvalue.Bool); ok {
			return bool(b)
		}
	case int:
		if n, ok := int64Of(v); ok && int64(int(n)) == n {
			return int(n)
		}
	case int64:
		if n, ok := int64Of(v); ok {
			return n
		}
	case float64:
		if f, ok := v.(pyvalue.Float); ok {
			return float64(f)
		}
		if n, ok := int64Of(v); ok && int64(float64(n)) == n {
			return float64(n)
		}
	case string:
		switch v.(type) {
		case pyvalue.Str, pyvalue.Py2Str:
			if s, ok := pyvalue.Text(v); ok {
				return s
			}
		}
	case []byte:
		return bytesOf(v)
	case time.Time:
		if t, _, ok := pyvalue.AsTime(v); ok {
			return t
		}
	case time.Duration:
		if d, ok := pyvalue.AsDuration(v); ok {
			return d
		}
	}
	return nil
}

func int64Of(v pyvalue.Value) (int64, bool) {
	if i, ok := v.(*pyvalue.Int); ok {
		return i.Int64()
	}
	return 0, false
}

func bytesOf(v pyvalue.Value) any {
	switch v := v.(type) {
	case pyvalue.Bytes:
		return []byte(v)
	case pyvalue.Py2Str:
		return []byte(v)
	case *pyvalue.ByteArray:
		return append([]byte{}, v.Data...)
	}
	return nil
}
