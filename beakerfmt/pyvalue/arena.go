package pyvalue

import "unsafe"

// Arena boxes scalars as Values in blocks. Go allocates for each string or
// float that it stores in an interface; a decoder makes dozens of them at a
// time, which live and die together, so an Arena allocates them a block at a
// time. A block lives as long as any Value in it.
//
// The zero Arena is ready for use; see also [Arena.Expect]. It is not safe for concurrent use; the
// Values that it made are like all others.
type Arena struct {
	texts  []string // Str, Py2Str and Bytes are laid out alike
	floats []float64
	ints   []Int
	text   int // sizes of the last blocks, in items
	float  int
	int    int
	first  int // size of the first block of texts
}

// Blocks begin small, so that small inputs waste little, and double.
const (
	firstTexts  = 8
	firstFloats = 4
	firstInts   = 4
	lastBlock   = 256
)

// Expect sets the size of the first block of texts to n, within reason.
func (a *Arena) Expect(n int) { a.first = min(max(n, 1), lastBlock) }

// words is how Go lays out an interface that has methods: what type it holds,
// and where. A boxed value is never written to, so Go lets it stand anywhere.
type words struct{ itab, data unsafe.Pointer }

// point lets v, which holds some constant of the wanted type, hold *p instead.
func point(v Value, p unsafe.Pointer) Value {
	(*words)(unsafe.Pointer(&v)).data = p
	return v
}

// Str returns Str(s).
func (a *Arena) Str(s string) Value { return point(Str(""), a.box(s)) }

// Py2Str returns Py2Str(s).
func (a *Arena) Py2Str(s string) Value { return point(Py2Str(""), a.box(s)) }

// Bytes returns Bytes(s).
func (a *Arena) Bytes(s string) Value { return point(Bytes(""), a.box(s)) }

// Float returns Float(f).
func (a *Arena) Float(f float64) Value {
	if len(a.floats) == cap(a.floats) {
		a.float = grown(a.float, firstFloats)
		a.floats = make([]float64, 0, a.float)
	}
	a.floats = append(a.floats, f)
	return point(Float(0), unsafe.Pointer(&a.floats[len(a.floats)-1]))
}

// Int returns a new Int; see [MakeInt].
func (a *Arena) Int(n int64, long bool) *Int {
	if len(a.ints) == cap(a.ints) {
		a.int = grown(a.int, firstInts)
		a.ints = make([]Int, 0, a.int)
	}
	a.ints = append(a.ints, Int{small: n, long: long})
	return &a.ints[len(a.ints)-1]
}

func (a *Arena) box(s string) unsafe.Pointer {
	if len(a.texts) == cap(a.texts) {
		a.text = grown(a.text, max(a.first, firstTexts))
		a.texts = make([]string, 0, a.text)
	}
	a.texts = append(a.texts, s)
	return unsafe.Pointer(&a.texts[len(a.texts)-1])
}

func grown(last, first int) int {
	if last == 0 {
		return first
	}
	return min(2*last, lastBlock)
}

// TextAddress returns where the bytes of s stand. Two strings of one address
// and one length are equal, so an encoder that has met a long string before
// need not read it again to know it. For the empty string it is meaningless.
func TextAddress(s string) *byte { return unsafe.StringData(s) }

// address returns where v, which is a pointer, points.
func address(v Value) int64 { return int64(uintptr((*words)(unsafe.Pointer(&v)).data)) }
