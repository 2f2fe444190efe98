package pyvalue

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strings"
)

// scalar is a key that can be compared without looking into it; keys that are
// equal in Python give equal scalars.
type scalar struct {
	kind byte
	num  int64
	text string
}

// Kinds of scalars that are asked for; the others only have to differ.
const (
	nested     = 't' // a tuple or frozenset, its items in text
	byIdentity = 'p' // num is its address
	bigInt     = 'I'
)

const shortKey = 64 // bytes of a text that can be read again and again

// Bounds within which tuples and frozensets are compared by what they hold.
const (
	nestedBytes = 256 // of the text
	nestedDepth = 8
)

// costly reports whether the scalar takes more than a glance to make, so that
// it must not be made anew for each key that is looked up beside it.
func (s scalar) costly() bool {
	return s.kind == nested || s.kind == byIdentity || s.kind == bigInt || len(s.text) > shortKey
}

// scalarOf fails for NaN only, which in Python equals nothing.
func scalarOf(v Value) (scalar, bool) {
	switch v := v.(type) {
	case Str:
		return scalar{kind: 's', text: string(v)}, true
	case Py2Str:
		if IsASCII(string(v)) {
			return scalar{kind: 's', text: string(v)}, true
		}
		return scalar{kind: '2', text: string(v)}, true
	case Bytes:
		return scalar{kind: 'b', text: string(v)}, true
	case *Int:
		if v != nil {
			return scalarOfInt(v), true
		}
	case Bool:
		if v {
			return scalar{kind: 'i', num: 1}, true
		}
		return scalar{kind: 'i'}, true
	case Float:
		return scalarOfFloat(float64(v))
	case Complex:
		return scalarOfComplex(complex128(v))
	case None:
		return scalar{kind: 'n'}, true
	case Extension:
		return scalar{kind: 'e', num: int64(v)}, true
	case *Tuple, *FrozenSet, *Global:
		return scalarOfNested(v), true
	}
	return scalar{kind: byIdentity, num: address(v)}, true
}

func scalarOfNested(v Value) scalar {
	var room [nestedBytes + 64]byte
	if text, ok := appendNested(room[:0], v, nestedDepth); ok {
		return scalar{kind: nested, text: string(text)}
	}
	return scalar{kind: byIdentity, num: address(v)}
}

func scalarOfInt(i *Int) scalar {
	if n, ok := i.Int64(); ok {
		return scalar{kind: 'i', num: n}
	}
	return scalar{kind: bigInt, num: int64(i.Sign()), text: string(i.big.Bytes())}
}

func scalarOfFloat(f float64) (scalar, bool) {
	switch {
	case f != f:
		return scalar{}, false
	case f != math.Trunc(f) || math.IsInf(f, 0):
		return scalar{kind: 'f', num: int64(math.Float64bits(f))}, true
	case f >= -1<<63 && f < 1<<63:
		return scalar{kind: 'i', num: int64(f)}, true
	}
	n, _ := big.NewFloat(f).Int(nil)
	return scalar{kind: bigInt, num: int64(n.Sign()), text: string(n.Bytes())}, true
}

func scalarOfComplex(c complex128) (scalar, bool) {
	re, im := real(c)+0, imag(c) // there is one zero
	switch {
	case im == 0:
		return scalarOfFloat(re)
	case re != re || im != im:
		return scalar{}, false
	}
	text := binary.BigEndian.AppendUint64(nil, math.Float64bits(im))
	return scalar{kind: 'c', num: int64(math.Float64bits(re)), text: string(text)}, true
}

// appendNested appends a text that is the same for equal keys and no others. It
// fails for what is too long, too deep, or has parts that only Python can
// compare.
func appendNested(dst []byte, v Value, depth int) ([]byte, bool) {
	if depth == 0 || len(dst) > nestedBytes {
		return dst, false
	}
	switch v := v.(type) {
	case *Tuple:
		return appendTuple(dst, v, depth)
	case *FrozenSet:
		return appendFrozenSet(dst, v, depth)
	case *Global:
		return appendGlobal(dst, v)
	}
	if !isShort(v) {
		return dst, false
	}
	s, ok := scalarOf(v)
	if !ok || s.kind == byIdentity {
		return dst, false
	}
	return s.append(dst), true
}

// isShort reports whether the scalar of v is made at once.
func isShort(v Value) bool {
	switch v := v.(type) {
	case Str:
		return len(v) <= nestedBytes
	case Py2Str:
		return len(v) <= nestedBytes
	case Bytes:
		return len(v) <= nestedBytes
	case *Int:
		return v != nil && (v.big == nil || v.big.BitLen() <= 8*nestedBytes)
	}
	return true
}

func (s scalar) append(dst []byte) []byte {
	dst = binary.AppendVarint(append(dst, s.kind), s.num)
	return append(binary.AppendUvarint(dst, uint64(len(s.text))), s.text...)
}

func appendTuple(dst []byte, t *Tuple, depth int) ([]byte, bool) {
	if t == nil {
		return dst, false
	}
	dst = binary.AppendUvarint(append(dst, nested), uint64(len(t.Items)))
	for _, item := range t.Items {
		var ok bool
		if dst, ok = appendNested(dst, item, depth-1); !ok {
			return dst, false
		}
	}
	return dst, true
}

// appendFrozenSet writes the members one after the other, then puts them in
// order.
func appendFrozenSet(dst []byte, s *FrozenSet, depth int) ([]byte, bool) {
	if s == nil || s.Len() > nestedBytes {
		return dst, false
	}
	dst = binary.AppendUvarint(append(dst, 'z'), uint64(s.Len()))
	start, members := len(dst), make([]string, 0, s.Len())
	for m := range s.All() {
		var ok bool
		from := len(dst)
		if dst, ok = appendNested(dst, m, depth-1); !ok {
			return dst, false
		}
		members = append(members, string(dst[from:]))
	}
	slices.Sort(members)
	return append(dst[:start], strings.Join(members, "")...), true
}

func appendGlobal(dst []byte, g *Global) ([]byte, bool) {
	if g == nil || len(g.Module)+len(g.Name) > nestedBytes {
		return dst, false
	}
	dst = scalar{kind: 'g', text: g.Module}.append(dst)
	py2 := scalar{kind: 'g', text: g.Name}
	if g.Py2 {
		py2.num = 1
	}
	return py2.append(dst), true
}
