package pickle

import "math"

// Limits bounds what a pickle may make [Decode] do. A field that is zero or
// less means the default, so the zero Limits is safe for input that anybody
// sent.
type Limits struct {
	MaxBytes   int // length of the input in bytes; default 64 MiB
	MaxDepth   int // containers and objects inside each other; default 10,000
	MaxNodes   int // values made, scalars included; default 1,048,576
	MaxMemo    int // values remembered for later reference; default 1,048,576
	MaxIntBits int // size of an integer in bits, if more than 64; default 131,072
	MaxMarks   int // marks open at a time; default as MaxDepth
}

const (
	defaultBytes   = 64 << 20
	defaultDepth   = 10_000
	defaultNodes   = 1 << 20
	defaultMemo    = 1 << 20
	defaultIntBits = 1 << 17
)

func (l Limits) resolved() Limits {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&l.MaxBytes, defaultBytes)
	def(&l.MaxDepth, defaultDepth)
	def(&l.MaxNodes, defaultNodes)
	def(&l.MaxMemo, defaultMemo)
	def(&l.MaxIntBits, defaultIntBits)
	def(&l.MaxMarks, l.MaxDepth)
	return l
}

// OwnLimits is for pickles that [Append] wrote and nobody else could change
// since, such as a copy kept in memory: with them [Decode] reads whatever Append
// wrote. The zero Limits may refuse it, for some protocols need more opcodes,
// memo entries and bytes for a value than the one that it came in.
func OwnLimits() Limits {
	return Limits{
		MaxBytes:   math.MaxInt32,
		MaxDepth:   depthFactor * maxAppendDepth,
		MaxNodes:   math.MaxInt32,
		MaxMemo:    math.MaxInt32,
		MaxIntBits: math.MaxInt32,
	}
}

// depthFactor is how many levels of values there are at most to each level
// that Append writes: NEWOBJ_EX needs most in protocols that do not have it.
const depthFactor = 8

// Work that a few bytes of input can ask for again and again by referring to
// one long text is counted in bytes and bounded by these.
const (
	keyWorkFactor = 4    // times MaxBytes: bytes of long keys looked up in dicts and sets
	copyFactor    = 2    // times MaxBytes: bytes read by calls that make bytes
	longKey       = 64   // keys up to this many bytes are not counted
	maxName       = 4096 // length of a module's or a class's name in bytes
)

// maxDigits is how many decimal digits an integer of that many bits may have.
func maxDigits(bits int) int { return bits/3 + 2 }
