// Package pyjson reads and writes JSON as Python's json module does: NaN and
// Infinity, ints of any size apart from floats, lone surrogates, and on
// writing the very bytes of json.dumps with its defaults.
//
//	JSON             Python   pyvalue
//	null             None     None
//	true, false      bool     Bool
//	12               int      *Int
//	1.5, 1e3, NaN    float    Float
//	"text"           str      Str
//	[…]              list     *List
//	{…}              dict     *Dict, the last of equal keys wins
//
// On writing a tuple becomes a list and the keys of a dict become text, as in
// Python. What json.dumps refuses, [Append] refuses.
package pyjson

import "errors"

// Causes of errors.
var (
	// ErrSyntax is the cause of every [Error] about what is not JSON.
	ErrSyntax = errors.New("not json")
	// ErrLimit is the cause where a bound was met: see [Limits].
	ErrLimit = errors.New("limit exceeded")
	// ErrUnsupported is the cause of every [UnsupportedError].
	ErrUnsupported = errors.New("not serializable as json")
	// ErrCircular means that a value contains itself.
	ErrCircular = errors.New("circular reference")
)

// Limits bounds what [Decode] takes. A field that is zero has the default.
type Limits struct {
	MaxBytes     int // length of the text; 16 MiB
	MaxDepth     int // of lists and dicts in each other; 1000, at most 100000
	MaxNodes     int // values, keys included; 1 << 20
	MaxIntDigits int // of one int; 100000 (Python 3.11 and newer themselves stop at 4300)
}

const (
	defaultMaxBytes  = 16 << 20
	defaultMaxDepth  = 1000
	mostDepth        = 100000
	defaultMaxNodes  = 1 << 20
	defaultIntDigits = 100000
)

func (l Limits) withDefaults() Limits {
	or := func(n, d int) int {
		if n <= 0 {
			return d
		}
		return n
	}
	return Limits{
		MaxBytes:     or(l.MaxBytes, defaultMaxBytes),
		MaxDepth:     min(or(l.MaxDepth, defaultMaxDepth), mostDepth),
		MaxNodes:     or(l.MaxNodes, defaultMaxNodes),
		MaxIntDigits: or(l.MaxIntDigits, defaultIntDigits),
	}
}
