package pyjson

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Bounds of [Append]: shared parts are written as often as they are referred
// to, so a small value can be a huge text.
const (
	appendDepth   = 1000
	appendBytes   = 64 << 20
	appendNodes   = 1 << 20
	appendIntBits = 332200 // 100000 digits
	appendWork    = 4 << 20
)

// UnsupportedError names the part of a value that json.dumps does not write.
// Its cause is [ErrUnsupported].
type UnsupportedError struct {
	Path string // such as "cart.items[3]"; empty for the value itself
	Type string // Python's name of the type
	Key  bool   // it is a key of the dict at Path
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	what := "value"
	if e.Key {
		what = "key"
	}
	at := ""
	if e.Path != "" {
		at = " at " + e.Path
	}
	return fmt.Sprintf("pyjson: encode: %s of type %s%s: %v", what, e.Type, at, ErrUnsupported)
}

// Unwrap returns [ErrUnsupported].
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

// Append appends v as Python's json.dumps(v) writes it, byte for byte: ", " and
// ": " between the parts, everything beyond ASCII escaped. A Python 2 str counts
// as UTF-8, as in Python 2. The dicts of the collections module are dicts. Where
// the Pythons differ it is as in Python 3: the key True is "true" (Python 2:
// "True").
//
// What Python does not write is an [*UnsupportedError] with the path of keys to
// it. A value that contains itself is [ErrCircular]; one deeper than 1000,
// of more than 2^20 parts or longer than 64 MiB is [ErrLimit]. On an error dst is returned as it was.
func Append(dst []byte, v pyvalue.Value) ([]byte, error) {
	e := &encoder{buf: dst, limit: len(dst) + appendBytes, nodes: appendNodes, work: appendWork}
	if err := e.value(v); err != nil {
		return dst, err
	}
	return e.buf, nil
}

type step struct {
	container pyvalue.Value
	key       string // of the part being written
	index     int    // of the part, if container is no dict
}

// encoder writes one value. Its recursion ends at appendDepth.
type encoder struct {
	buf   []byte
	limit int
	nodes int
	work  int // as Object.Weight counts it
	path  []step
}

func (e *encoder) text(s string) { e.buf = append(e.buf, s...) }

func (e *encoder) value(v pyvalue.Value) error {
	if e.nodes--; e.nodes < 0 {
		return e.tooMuch("too many values")
	}
	if len(e.buf) > e.limit {
		return e.tooMuch("text too long")
	}
	switch v := v.(type) {
	case pyvalue.None:
		e.text("null")
	case pyvalue.Bool:
		e.buf = strconv.AppendBool(e.buf, bool(v))
	case *pyvalue.Int:
		if v.BitLen() > appendIntBits {
			return e.tooMuch("int has too many digits")
		}
		e.text(v.String())
	case pyvalue.Float:
		e.float(float64(v))
	case pyvalue.Str:
		return e.string(v, string(v), false)
	case pyvalue.Py2Str:
		return e.string(v, string(v), false)
	case *pyvalue.List:
		return e.list(v, v.Items)
	case *pyvalue.Tuple:
		return e.list(v, v.Items)
	case *pyvalue.Dict:
		return e.dict(v, v)
	case *pyvalue.Object:
		return e.object(v)
	default:
		return e.unsupported(v, false)
	}
	return nil
}

func (e *encoder) object(o *pyvalue.Object) error {
	if e.work -= o.Weight(); e.work < 0 {
		return e.tooMuch("too many values in objects")
	}
	if d, ok := pyvalue.AsDict(o); ok {
		return e.dict(o, d)
	}
	return e.unsupported(o, false)
}

func (e *encoder) unsupported(v pyvalue.Value, key bool) error {
	return &UnsupportedError{Path: e.pathText(), Type: pyvalue.TypeName(v), Key: key}
}

// pathText names the part being written: keys by dots, items by brackets.
func (e *encoder) pathText() string {
	var b strings.Builder
	for _, s := range e.path {
		switch {
		case s.index >= 0:
			fmt.Fprintf(&b, "[%d]", s.index)
		case s.key != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.key)
		}
	}
	return b.String()
}

// float writes what Python's float.__repr__ gives, and three words of its own.
func (e *encoder) float(f float64) {
	switch {
	case math.IsNaN(f):
		e.text("NaN")
	case math.IsInf(f, 1):
		e.text("Infinity")
	case math.IsInf(f, -1):
		e.text("-Infinity")
	default:
		e.buf = pyvalue.AppendReprFloat(e.buf, f)
	}
}

func (e *encoder) enter(v pyvalue.Value) error {
	if len(e.path) >= appendDepth {
		return e.tooMuch("nested too deeply")
	}
	e.path = append(e.path, step{container: v, index: -1})
	return nil
}

// tooMuch tells a value that contains itself, which sooner or later meets a
// bound, from one that is merely too large.
func (e *encoder) tooMuch(reason string) error {
	seen := make(map[pyvalue.Value]bool, len(e.path))
	for _, s := range e.path {
		if seen[s.container] {
			return fmt.Errorf("pyjson: encode: %w", ErrCircular)
		}
		seen[s.container] = true
	}
	return fmt.Errorf("pyjson: encode: %s: %w", reason, ErrLimit)
}

func (e *encoder) leave() { e.path = e.path[:len(e.path)-1] }

func (e *encoder) list(v pyvalue.Value, items []pyvalue.Value) error {
	if len(items) == 0 {
		e.text("[]")
		return nil
	}
	if err := e.enter(v); err != nil {
		return err
	}
	e.text("[")
	for i, item := range items {
		if i > 0 {
			e.text(", ")
		}
		e.path[len(e.path)-1].index = i
		if err := e.value(item); err != nil {
			return err
		}
	}
	e.text("]")
	e.leave()
	return nil
}

func (e *encoder) dict(v pyvalue.Value, d *pyvalue.Dict) error {
	if d.Len() == 0 {
		e.text("{}")
		return nil
	}
	if err := e.enter(v); err != nil {
		return err
	}
	e.text("{")
	first := true
	for key, value := range d.All() {
		if !first {
			e.text(", ")
		}
		first = false
		e.path[len(e.path)-1].key = ""
		if err := e.key(key); err != nil {
			return err
		}
		e.text(": ")
		e.path[len(e.path)-1].key = keyText(key)
		if err := e.value(value); err != nil {
			return err
		}
	}
	e.text("}")
	e.leave()
	return nil
}

// key writes a key: numbers, bools and None become their text, as in Python.
func (e *encoder) key(key pyvalue.Value) error {
	switch key := key.(type) {
	case pyvalue.Str:
		return e.string(key, string(key), true)
	case pyvalue.Py2Str:
		return e.string(key, string(key), true)
	case pyvalue.None, pyvalue.Bool, *pyvalue.Int, pyvalue.Float:
		e.text(`"`)
		if err := e.value(key); err != nil {
			return err
		}
		e.text(`"`)
		return nil
	}
	return e.unsupported(key, true)
}

// keyText is the text of a key in a path, short and on one line.
func keyText(key pyvalue.Value) string {
	s, ok := pyvalue.Text(key)
	if !ok {
		s = pyvalue.Repr(key)
	}
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	if slices.ContainsFunc([]rune(s), func(r rune) bool { return !strconv.IsPrint(r) }) {
		s = strconv.Quote(s)
	}
	return s
}

const hexDigits = "0123456789abcdef"

// string writes s, the text of v, in quotes.
func (e *encoder) string(v pyvalue.Value, s string, key bool) error {
	if len(e.buf)+len(s) > e.limit {
		return e.tooMuch("text too long")
	}
	e.text(`"`)
	for len(s) > 0 {
		n := asIs(s)
		e.text(s[:n])
		if s = s[n:]; s == "" {
			break
		}
		r, size := pyvalue.DecodeRune(s)
		if r == utf8.RuneError && size == 1 {
			return e.unsupported(v, key)
		}
		e.escape(r)
		s = s[size:]
	}
	e.text(`"`)
	return nil
}

// asIs returns the length of the part of s that needs no escape.
func asIs(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

func (e *encoder) escape(r rune) {
	if i := strings.IndexRune("\"\\\b\f\n\r\t", r); i >= 0 && r < 0x80 {
		e.buf = append(e.buf, '\\', `"\bfnrt`[i])
		return
	}
	if r >= 0x10000 {
		r -= 0x10000
		e.escape(0xD800 + r>>10)
		r = 0xDC00 + r&0x3FF
	}
	e.buf = append(e.buf, '\\', 'u',
		hexDigits[r>>12&0xF], hexDigits[r>>8&0xF], hexDigits[r>>4&0xF], hexDigits[r&0xF])
}
