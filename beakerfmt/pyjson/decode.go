package pyjson

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Error says where and why a text could not be decoded. It never quotes the
// text. Its cause is [ErrSyntax] or [ErrLimit].
type Error struct {
	Offset int // in bytes
	Reason string
	Cause  error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("pyjson: decode: offset %d: %s: %v", e.Offset, e.Reason, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Decode reads one JSON text in UTF-8 as Python's json.loads does: what Python
// takes is taken, what Python refuses is refused, within the limits. The result
// shares no memory with data; its strings share one copy of the text. Errors are of type [*Error].
func Decode(data []byte, lim Limits) (pyvalue.Value, error) {
	lim = lim.withDefaults()
	if len(data) > lim.MaxBytes {
		return nil, &Error{Reason: "text too long", Cause: ErrLimit}
	}
	if n := validUTF8(data); n < len(data) {
		return nil, &Error{Offset: n, Reason: "invalid utf-8", Cause: ErrSyntax}
	}
	if strings.HasPrefix(string(data[:min(3, len(data))]), "\ufeff") {
		return nil, &Error{Reason: "byte order mark", Cause: ErrSyntax}
	}
	d := &decoder{text: string(data), lim: lim, nodes: lim.MaxNodes}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.pos < len(d.text) {
		return nil, d.fail("extra data")
	}
	return v, nil
}

// validUTF8 returns the length of the valid part.
func validUTF8(data []byte) int {
	if utf8.Valid(data) {
		return len(data)
	}
	n := 0
	for n < len(data) {
		r, size := utf8.DecodeRune(data[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// decoder reads text from pos on. Its recursion ends at lim.MaxDepth.
type decoder struct {
	text  string
	pos   int
	lim   Limits
	nodes int
	arena pyvalue.Arena
}

func (d *decoder) fail(reason string) error { return d.failAt(d.pos, reason) }

func (d *decoder) failAt(offset int, reason string) error {
	return &Error{Offset: offset, Reason: reason, Cause: ErrSyntax}
}

func (d *decoder) tooMuch(reason string) error {
	return &Error{Offset: d.pos, Reason: reason, Cause: ErrLimit}
}

// space skips Python's idea of whitespace.
func (d *decoder) space() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end (a NUL is no part of any token).
func (d *decoder) peek() byte {
	if d.pos < len(d.text) {
		return d.text[d.pos]
	}
	return 0
}

func (d *decoder) skip(token string) bool {
	if !strings.HasPrefix(d.text[d.pos:], token) {
		return false
	}
	d.pos += len(token)
	return true
}

func (d *decoder) value(depth int) (pyvalue.Value, error) {
	if d.nodes--; d.nodes < 0 {
		return nil, d.tooMuch("too many values")
	}
	switch c := d.peek(); {
	case c == '"':
		s, err := d.string()
		if err != nil {
			return nil, err
		}
		return d.arena.Str(s), nil
	case c == '{' || c == '[':
		if depth >= d.lim.MaxDepth {
			return nil, d.tooMuch("nested too deeply")
		}
		d.pos++
		if c == '{' {
			return d.dict(depth + 1)
		}
		return d.list(depth + 1)
	case c >= '0' && c <= '9':
		return d.number()
	case c == '-' && d.pos+1 < len(d.text) && d.text[d.pos+1] >= '0' && d.text[d.pos+1] <= '9':
		return d.number()
	}
	return d.word()
}

func (d *decoder) word() (pyvalue.Value, error) {
	switch {
	case d.skip("null"):
		return pyvalue.None{}, nil
	case d.skip("true"):
		return pyvalue.Bool(true), nil
	case d.skip("false"):
		return pyvalue.Bool(false), nil
	case d.skip("NaN"):
		return pyvalue.Float(pyvalue.NaN()), nil
	case d.skip("Infinity"):
		return pyvalue.Float(math.Inf(1)), nil
	case d.skip("-Infinity"):
		return pyvalue.Float(math.Inf(-1)), nil
	}
	return nil, d.fail("a value is expected")
}

func (d *decoder) list(depth int) (pyvalue.Value, error) {
	list := &pyvalue.List{}
	d.space()
	if d.skip("]") {
		return list, nil
	}
	for {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, v)
		d.space()
		if d.skip("]") {
			return list, nil
		}
		if !d.skip(",") {
			return nil, d.fail("a comma or the end of the list is expected")
		}
		d.space()
	}
}

func (d *decoder) dict(depth int) (pyvalue.Value, error) {
	dict := &pyvalue.Dict{}
	d.space()
	if d.skip("}") {
		return dict, nil
	}
	for {
		if d.peek() != '"' {
			return nil, d.fail("a key in double quotes is expected")
		}
		if d.nodes--; d.nodes < 0 {
			return nil, d.tooMuch("too many values")
		}
		key, err := d.string()
		if err != nil {
			return nil, err
		}
		d.space()
		if !d.skip(":") {
			return nil, d.fail("a colon is expected")
		}
		d.space()
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		dict.Set(d.arena.Str(key), v)
		d.space()
		if d.skip("}") {
			return dict, nil
		}
		if !d.skip(",") {
			return nil, d.fail("a comma or the end of the dict is expected")
		}
		d.space()
	}
}

func (d *decoder) digits() int {
	start := d.pos
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.pos++
	}
	return d.pos - start
}

// number reads the longest number, as Python does: "01" is 0 and then extra
// data, and so is "1." or "1e".
func (d *decoder) number() (pyvalue.Value, error) {
	start := d.pos
	if d.peek() == '-' {
		d.pos++
	}
	whole := 1
	if d.peek() == '0' {
		d.pos++
	} else {
		whole = d.digits()
	}
	float := d.fraction()
	float = d.exponent() || float
	text := d.text[start:d.pos]
	if float {
		f, _ := strconv.ParseFloat(text, 64) // out of range is inf in Python too
		return d.arena.Float(f), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return d.arena.Int(n, false), nil
	}
	if whole > d.lim.MaxIntDigits {
		d.pos = start
		return nil, d.tooMuch("int has too many digits")
	}
	n, _ := new(big.Int).SetString(text, 10)
	return pyvalue.NewBigInt(n), nil
}

func (d *decoder) fraction() bool {
	start := d.pos
	if d.skip(".") && d.digits() > 0 {
		return true
	}
	d.pos = start
	return false
}

func (d *decoder) exponent() bool {
	start := d.pos
	if d.skip("e") || d.skip("E") {
		if !d.skip("+") {
			d.skip("-")
		}
		if d.digits() > 0 {
			return true
		}
	}
	d.pos = start
	return false
}
