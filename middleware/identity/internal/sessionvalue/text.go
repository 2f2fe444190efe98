package sessionvalue

import (
	"errors"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Why a value cannot be told. Nothing of the value is in them.
var (
	ErrKind    = errors.New("it is of a kind that has no text")
	ErrNotUTF8 = errors.New("it is not UTF-8")
	ErrTooLong = errors.New("it is too long")
	ErrNotJSON = errors.New("JSON cannot tell it")
)

// Text returns the text of a value that has no parts, as the table of package identity has
// it, if it is UTF-8 of at most limit bytes.
func Text(v pyvalue.Value, limit int) (string, error) {
	text, err := Raw(v, limit)
	switch {
	case err != nil:
		return "", err
	case len(text) > limit:
		return "", ErrTooLong
	case !utf8.ValidString(text):
		return "", ErrNotUTF8
	}
	return text, nil
}

// Raw is Text, but the text may be any bytes, and longer than limit where it costs nothing.
func Raw(v pyvalue.Value, limit int) (string, error) {
	switch v := v.(type) {
	case pyvalue.Str:
		return string(v), nil
	case pyvalue.Py2Str:
		return string(v), nil
	case pyvalue.Bytes:
		return string(v), nil
	case *pyvalue.ByteArray:
		if len(v.Data) > limit {
			return "", ErrTooLong
		}
		return string(v.Data), nil
	case pyvalue.Bool:
		return strconv.FormatBool(bool(v)), nil
	case *pyvalue.Int:
		if v.BitLen() > 4*limit { // a digit has more than three bits
			return "", ErrTooLong
		}
		return v.String(), nil
	case pyvalue.Float:
		return pyvalue.ReprFloat(float64(v)), nil
	case *pyvalue.Object:
		return objectText(v)
	}
	return "", ErrKind
}

func objectText(o *pyvalue.Object) (string, error) {
	if t, naive, ok := pyvalue.AsTime(o); ok {
		return isoformat(t, naive), nil
	}
	if d, ok := pyvalue.AsDate(o); ok {
		return d.String(), nil
	}
	if t, ok := pyvalue.AsTimeOfDay(o); ok {
		return t.String(), nil
	}
	if t, ok := pyvalue.AsTimedelta(o); ok {
		return pyvalue.ReprFloat(totalSeconds(t)), nil
	}
	if d, ok := pyvalue.AsDecimal(o); ok {
		return string(d), nil
	}
	if u, ok := pyvalue.AsUUID(o); ok {
		return u.String(), nil
	}
	return "", ErrKind
}

// isoformat is Python's datetime.isoformat.
func isoformat(t time.Time, naive bool) string {
	layout := "2006-01-02T15:04:05"
	if t.Nanosecond() != 0 {
		layout += ".000000"
	}
	if naive {
		return t.Format(layout)
	}
	if _, offset := t.Zone(); offset%60 != 0 {
		return t.Format(layout + "-07:00:00")
	}
	return t.Format(layout + "-07:00")
}

// totalSeconds is Python's timedelta.total_seconds: the microseconds, exact, by a million.
func totalSeconds(t pyvalue.Timedelta) float64 {
	micros := new(big.Int).Mul(big.NewInt(int64(t.Days)*86400+int64(t.Seconds)), big.NewInt(1e6))
	micros.Add(micros, big.NewInt(int64(t.Microseconds)))
	seconds, _ := new(big.Rat).SetFrac(micros, big.NewInt(1e6)).Float64()
	return seconds
}
