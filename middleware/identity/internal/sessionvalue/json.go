package sessionvalue

import (
	"bytes"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Bounds of a value as JSON; its length is bounded by the caller.
const (
	maxJSONDepth = 32
	maxJSONWork  = 1 << 16 // as Object.Weight counts it
	maxSafeInt   = 1<<53 - 1
)

// AppendJSON appends v as JSON in ASCII of at most limit bytes, as the table of package
// identity has it.
func AppendJSON(dst []byte, v pyvalue.Value, limit int) ([]byte, error) {
	e := &jsonEncoder{buf: dst, limit: len(dst) + limit, work: maxJSONWork}
	if err := e.value(v, maxJSONDepth); err != nil {
		return nil, err
	}
	return e.buf, nil
}

type jsonEncoder struct {
	buf   []byte
	limit int
	work  int
}

func (e *jsonEncoder) add(s string) error {
	if len(e.buf)+len(s) > e.limit {
		return ErrTooLong
	}
	e.buf = append(e.buf, s...)
	return nil
}

func (e *jsonEncoder) value(v pyvalue.Value, depth int) error {
	if e.work--; e.work < 0 || depth == 0 {
		return ErrTooLong
	}
	switch v := v.(type) {
	case pyvalue.None:
		return e.add("null")
	case pyvalue.Str:
		return e.string(string(v))
	case pyvalue.Float:
		return e.float(float64(v))
	case pyvalue.Bool:
		text, _ := Text(v, e.limit)
		return e.add(text)
	case *pyvalue.Int:
		return e.int(v)
	case *pyvalue.Object:
		if e.work -= v.Weight(); e.work < 0 {
			return ErrTooLong
		}
		if t, ok := pyvalue.AsTimedelta(v); ok {
			return e.float(totalSeconds(t))
		}
	}
	if d, ok := dictOf(v); ok {
		return e.dict(d, depth)
	}
	if members, ok := Members(v); ok {
		return e.array(members, IsSet(v), depth)
	}
	text, err := Text(v, e.limit)
	switch err {
	case nil:
		return e.string(text)
	case ErrKind:
		return ErrNotJSON
	}
	return err
}

func (e *jsonEncoder) int(i *pyvalue.Int) error {
	text, err := Text(i, e.limit)
	if err != nil {
		return err
	}
	if n, ok := i.Int64(); !ok || n > maxSafeInt || n < -maxSafeInt {
		text = `"` + text + `"`
	}
	return e.add(text)
}

func (e *jsonEncoder) float(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ErrNotJSON
	}
	return e.add(pyvalue.ReprFloat(f))
}

func (e *jsonEncoder) array(members []pyvalue.Value, sorted bool, depth int) error {
	if err := e.add("["); err != nil {
		return err
	}
	start := len(e.buf)
	ends := make([]int, 0, min(len(members), e.limit))
	for i, member := range members {
		if i > 0 {
			if err := e.add(","); err != nil {
				return err
			}
		}
		if err := e.value(member, depth-1); err != nil {
			return err
		}
		ends = append(ends, len(e.buf))
	}
	if sorted {
		e.sort(start, ends)
	}
	return e.add("]")
}

// sort puts the parts that end at ends, with commas between them, in order.
func (e *jsonEncoder) sort(start int, ends []int) {
	parts := make([][]byte, 0, len(ends))
	from := start
	for _, end := range ends {
		parts = append(parts, bytes.Clone(e.buf[from:end]))
		from = end + len(",")
	}
	slices.SortFunc(parts, bytes.Compare)
	e.buf = append(e.buf[:start], bytes.Join(parts, []byte(","))...)
}

func (e *jsonEncoder) dict(d *pyvalue.Dict, depth int) error {
	seen := make(map[string]struct{}, min(d.Len(), e.limit))
	open := "{"
	for key, value := range d.All() {
		switch key.(type) {
		case pyvalue.Str, pyvalue.Py2Str, pyvalue.Bytes:
		default:
			return ErrNotJSON
		}
		text, err := Text(key, e.limit)
		if err != nil {
			return err
		}
		if _, twice := seen[text]; twice {
			return ErrNotJSON
		}
		seen[text] = struct{}{}
		if err := e.add(open); err != nil {
			return err
		}
		open = ","
		if err := e.string(text); err != nil {
			return err
		}
		if err := e.add(":"); err != nil {
			return err
		}
		if err := e.value(value, depth-1); err != nil {
			return err
		}
	}
	if open == "{" {
		return e.add("{}")
	}
	return e.add("}")
}

// string writes text in quotes, all but printable ASCII escaped.
func (e *jsonEncoder) string(s string) error {
	if !utf8.ValidString(s) {
		return ErrNotUTF8
	}
	if len(e.buf)+len(s)+2 > e.limit {
		return ErrTooLong
	}
	e.buf = AppendJSONString(e.buf, s)
	if len(e.buf) > e.limit {
		return ErrTooLong
	}
	return nil
}

// AppendJSONString appends text, which is UTF-8, in quotes, all but printable ASCII
// escaped.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= ' ' && r < 0x7F:
			dst = append(dst, byte(r))
		case r < 0x10000:
			dst = appendUnit(dst, r)
		default: // a pair of surrogates (RFC 8259, section 7)
			r -= 0x10000
			dst = appendUnit(appendUnit(dst, 0xD800|r>>10), 0xDC00|r&0x3FF)
		}
	}
	return append(dst, '"')
}

func appendUnit(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
