package pickle

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// maxAppendDepth is how deeply a value may nest. It is beyond what Decode
// gives by default, and within what Go's stack takes with ease.
const maxAppendDepth = 2 * defaultDepth

// Append appends the pickle of v in a protocol from 0 to 5 to dst. The same
// value always gives the same bytes.
//
// It writes as CPython 3.13's C pickler does, and what that would not write as
// CPython 2.7 does: 8-bit strings by the opcodes for them in every protocol,
// old-style instances by INST or OBJ. Classes are named in the vocabulary of
// the protocol, as CPython's fix_imports has it. Texts that occur twice are
// written once, as if they were one object. Extension codes and persistent ids
// keep their opcodes, which all Pythons read in any protocol.
//
// The error wraps [ErrUnsupported] for what the protocol cannot say, such as
// the name of a class that has a newline in it, and for values that no pickle
// makes, and [ErrLimit] for values that nest more than 20,000 deep. On an
// error dst comes back as it was.
//
// It is safe for concurrent use as long as nobody changes v.
func Append(dst []byte, v pyvalue.Value, proto int) ([]byte, error) {
	if proto < 0 || proto > maxProtocol {
		return dst, unsupported("protocol " + strconv.Itoa(proto))
	}
	e := encoders.Get().(*encoder)
	e.out, e.proto, e.frame = dst, proto, noFrame
	if proto >= 2 {
		e.out = append(e.out, opProto, byte(proto))
	}
	e.openFrame()
	err := e.save(v)
	if err == nil {
		e.out = append(e.out, opStop)
		e.commitFrame()
		dst = e.out
	}
	e.release()
	return dst, err
}

// encoders holds encoders at rest, so that their tables are used again.
var encoders = sync.Pool{New: func() any { return &encoder{texts: newTextTable()} }}

type encoder struct {
	out     []byte
	proto   int
	frame   int // where the open frame begins in out, or noFrame
	depth   int
	memoN   int32
	again   int // items of recursive tuples that were written again
	texts   textTable
	objects objectTable
	rare    objectTable // what Python does not memoise, by pointer
	globals map[pyvalue.Global]int32
}

func (e *encoder) release() {
	// Each of them is to be reset, whatever the others say.
	texts, objects, rare := e.texts.reset(), e.objects.reset(), e.rare.reset()
	if !texts || !objects || !rare || len(e.globals) > keepSlots {
		return
	}
	clear(e.globals)
	*e = encoder{texts: e.texts, objects: e.objects, rare: e.rare, globals: e.globals}
	encoders.Put(e)
}

// Frames (protocol 4): CPython groups opcodes into frames of 64 KiB or a little
// more and leaves longer texts outside.

const (
	noFrame     = -1
	frameHead   = 9
	frameTarget = 64 << 10
	frameMin    = 4
)

func (e *encoder) openFrame() {
	if e.proto >= 4 {
		e.frame = len(e.out)
		e.out = append(e.out, opFrame, 0, 0, 0, 0, 0, 0, 0, 0)
	}
}

func (e *encoder) commitFrame() {
	if e.frame == noFrame {
		return
	}
	start := e.frame + frameHead
	if n := len(e.out) - start; n >= frameMin {
		binary.LittleEndian.PutUint64(e.out[e.frame+1:], uint64(n))
	} else {
		e.out = append(e.out[:e.frame], e.out[start:]...)
	}
	e.frame = noFrame
}

// boundary begins a new frame if the open one is full. CPython asks before it
// writes a value, and only then.
func (e *encoder) boundary() {
	if e.frame != noFrame && len(e.out)-e.frame-frameHead >= frameTarget {
		e.commitFrame()
		e.openFrame()
	}
}

// payload writes a long text outside of frames. head holds opcode and length.
func (e *encoder) payload(s string, head ...byte) {
	if len(s) < frameTarget {
		e.out = append(append(e.out, head...), s...)
		return
	}
	e.commitFrame()
	e.out = append(append(e.out, head...), s...)
	e.openFrame()
}

// The memo.

func (e *encoder) put() int32 {
	n := e.memoN
	e.memoN++
	switch {
	case e.proto >= 4:
		e.out = append(e.out, opMemoize)
	case e.proto == 0:
		e.out = strconv.AppendInt(append(e.out, opPut), int64(n), 10)
		e.out = append(e.out, '\n')
	case n < 256:
		e.out = append(e.out, opBinPut, byte(n))
	default:
		e.out = binary.LittleEndian.AppendUint32(append(e.out, opLongBinPut), uint32(n))
	}
	return n
}

func (e *encoder) get(n int32) {
	switch {
	case e.proto == 0:
		e.out = strconv.AppendInt(append(e.out, opGet), int64(n), 10)
		e.out = append(e.out, '\n')
	case n < 256:
		e.out = append(e.out, opBinGet, byte(n))
	default:
		e.out = binary.LittleEndian.AppendUint32(append(e.out, opLongBinGet), uint32(n))
	}
}

// save writes one value.
func (e *encoder) save(v pyvalue.Value) error {
	e.boundary()
	switch v := v.(type) {
	case pyvalue.Str:
		return e.saveStr(string(v))
	case *pyvalue.Int:
		return e.saveInt(v)
	case pyvalue.Float:
		e.saveFloat(float64(v))
		return nil
	case pyvalue.None:
		e.out = append(e.out, opNone)
		return nil
	case pyvalue.Bool:
		e.saveBool(bool(v))
		return nil
	case pyvalue.Py2Str:
		return e.savePy2Str(string(v))
	case pyvalue.Bytes:
		return e.saveBytes(string(v))
	case pyvalue.Complex:
		return e.saveComplex(complex128(v))
	case *pyvalue.Global:
		return e.saveGlobal(v)
	case pyvalue.Extension:
		return e.saveExtension(uint32(v))
	}
	if e.depth >= maxAppendDepth {
		return tooMuch("value is nested too deeply")
	}
	e.depth++
	err := e.saveNested(v)
	e.depth--
	return err
}

// saveNested writes what can be shared and can hold other values.
func (e *encoder) saveNested(v pyvalue.Value) error {
	switch v := v.(type) {
	case *pyvalue.Dict:
		if v != nil {
			return e.saveDict(v)
		}
	case *pyvalue.List:
		if v != nil {
			return e.saveList(v)
		}
	case *pyvalue.Tuple:
		if v != nil {
			return e.saveTuple(v)
		}
	case *pyvalue.Set:
		if v != nil {
			return e.saveSet(v)
		}
	case *pyvalue.FrozenSet:
		if v != nil {
			return e.saveFrozenSet(v)
		}
	case *pyvalue.ByteArray:
		if v != nil {
			return e.saveByteArray(v)
		}
	case *pyvalue.Object:
		if v != nil && v.Args != nil {
			return e.saveObject(v)
		}
	case *pyvalue.Persistent:
		if v != nil {
			return e.savePersistent(v)
		}
	}
	return unsupported("nil value")
}

// Scalars.

func (e *encoder) saveBool(b bool) {
	switch {
	case e.proto < 2 && b:
		e.out = append(e.out, "I01\n"...)
	case e.proto < 2:
		e.out = append(e.out, "I00\n"...)
	case b:
		e.out = append(e.out, opNewTrue)
	default:
		e.out = append(e.out, opNewFalse)
	}
}

func (e *encoder) saveInt(i *pyvalue.Int) error {
	if i == nil {
		return unsupported("nil value")
	}
	n, small := i.Int64()
	switch {
	case i.IsPy2Int(), small && n == int64(int32(n)) && !i.IsLong():
		e.saveInt32(n)
	case e.proto >= 2 && small:
		var b [9]byte
		e.saveLong1(appendTwos(b[:0], n))
	default:
		return e.saveBig(i)
	}
	return nil
}

// saveInt32 writes an int that Python 2 has as int too. Beyond 32 bits there is
// only the text form for those.
func (e *encoder) saveInt32(n int64) {
	switch {
	case e.proto == 0 || n != int64(int32(n)):
		e.out = strconv.AppendInt(append(e.out, opInt), n, 10)
		e.out = append(e.out, '\n')
	case 0 <= n && n <= 0xff:
		e.out = append(e.out, opBinInt1, byte(n))
	case 0 <= n && n <= 0xffff:
		e.out = append(e.out, opBinInt2, byte(n), byte(n>>8))
	default:
		e.out = binary.LittleEndian.AppendUint32(append(e.out, opBinInt), uint32(n))
	}
}

func (e *encoder) saveLong1(b []byte) {
	e.out = append(append(e.out, opLong1, byte(len(b))), b...)
}

// rareBits is the size from which on an integer is remembered, so that many
// references to one large integer do not grow into many copies.
const rareBits = 512

func (e *encoder) saveBig(i *pyvalue.Int) error {
	if i.BitLen() < rareBits {
		return e.writeBig(i)
	}
	return e.onlyTwice(i, func() error { return e.writeBig(i) })
}

func (e *encoder) writeBig(i *pyvalue.Int) error {
	if e.proto < 2 {
		e.out = append(append(append(e.out, opLong), i.String()...), 'L', '\n')
		return nil
	}
	b := bigTwos(i.Big())
	if len(b) < 256 {
		e.saveLong1(b)
		return nil
	}
	if len(b) > math.MaxInt32 {
		return unsupported("integer is too long")
	}
	e.out = binary.LittleEndian.AppendUint32(append(e.out, opLong4), uint32(len(b)))
	e.out = append(e.out, b...)
	return nil
}

// onlyTwice writes what Python does not memoise. It is written a second time
// at most: from then on it is memoised all the same.
func (e *encoder) onlyTwice(v pyvalue.Value, write func() error) error {
	at, before := e.rare.meet(v)
	if n := e.rare.met[at].memo; n != notYet {
		e.get(n)
		return nil
	}
	if err := write(); err != nil {
		return err
	}
	if before && e.rare.met[at].memo == notYet {
		e.rare.met[at].memo = e.put()
	}
	return nil
}

// appendTwos appends the shortest little-endian two's complement; that of 0 is
// empty.
func appendTwos(dst []byte, n int64) []byte {
	for n != 0 {
		b := byte(n)
		dst = append(dst, b)
		n >>= 8
		if n == 0 && b < 0x80 || n == -1 && b >= 0x80 {
			return dst
		}
		if n == 0 {
			return append(dst, 0)
		}
	}
	return dst
}

// bigTwos is appendTwos for any size.
func bigTwos(n *big.Int) []byte {
	length := n.BitLen()/8 + 1 // with room for the sign
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*length)))
	}
	b := n.FillBytes(make([]byte, length))
	slices.Reverse(b)
	if n := len(b); n > 1 && b[n-1] == 0xff && b[n-2] >= 0x80 {
		b = b[:n-1]
	}
	return b
}

func (e *encoder) saveFloat(f float64) {
	if e.proto > 0 {
		e.out = binary.BigEndian.AppendUint64(append(e.out, opBinFloat), math.Float64bits(f))
		return
	}
	e.out = append(pyvalue.AppendReprFloat(append(e.out, opFloat), f), '\n')
}

func (e *encoder) saveComplex(c complex128) error {
	if err := e.saveBuiltin("complex"); err != nil {
		return err
	}
	e.openArgs()
	e.saveFloat(real(c))
	e.boundary()
	e.saveFloat(imag(c))
	e.closeArgs(2)
	e.out = append(e.out, opReduce)
	e.put()
	return nil
}

// Texts.

func (e *encoder) saveStr(s string) error {
	e.boundary()
	n, hash, ok := e.texts.find(kindStr, s)
	if ok {
		e.get(n)
		return nil
	}
	if !validText(s) {
		return unsupported("text is not UTF-8")
	}
	switch {
	case e.proto == 0:
		e.out = append(appendRawEscaped(append(e.out, opUnicode), s), '\n')
	case len(s) <= 0xff && e.proto >= 4:
		e.out = append(append(e.out, opShortBinUnicode, byte(len(s))), s...)
	case len(s) < frameTarget:
		e.out = binary.LittleEndian.AppendUint32(append(e.out, opBinUnicode), uint32(len(s)))
		e.out = append(e.out, s...)
	default:
		if err := e.long(s, opBinUnicode, opBinUnicode8); err != nil {
			return err
		}
	}
	e.texts.add(kindStr, s, hash, e.put())
	return nil
}

// long writes a text by the opcode with a length of 4 bytes or, in protocol 4,
// that with 8.
func (e *encoder) long(s string, op4, op8 byte) error {
	n := uint64(len(s))
	switch {
	case n <= math.MaxUint32:
		e.payload(s, op4, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	case e.proto >= 4:
		var head [9]byte
		head[0] = op8
		binary.LittleEndian.PutUint64(head[1:], n)
		e.payload(s, head[:]...)
	default:
		return unsupported("text of 4 GiB or more")
	}
	return nil
}

// appendRawEscaped appends Python's raw-unicode-escape of s, with what pickle
// escapes besides so that the line stays one line.
func appendRawEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for len(s) > 0 {
		r, size := decodeRune(s)
		s = s[size:]
		switch {
		case r > 0xffff:
			dst = append(dst, '\\', 'U', '0', '0', hex[r>>20&15], hex[r>>16&15],
				hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		case r > 0xff, r == '\\', r == 0, r == '\n', r == '\r', r == 0x1a:
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = append(dst, byte(r))
		}
	}
	return dst
}

func (e *encoder) savePy2Str(s string) error {
	e.boundary()
	n, hash, ok := e.texts.find(kindPy2Str, s)
	if ok {
		e.get(n)
		return nil
	}
	switch {
	case e.proto == 0:
		e.out = append(appendPy2Repr(append(e.out, opString), s), '\n')
	case len(s) <= 0xff:
		e.out = append(append(e.out, opShortBinStr, byte(len(s))), s...)
	case len(s) <= math.MaxInt32:
		n := len(s)
		e.payload(s, opBinString, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	default:
		return unsupported("8-bit string of 2 GiB or more")
	}
	e.texts.add(kindPy2Str, s, hash, e.put())
	return nil
}

// appendPy2Repr appends Python 2's repr of a str.
func appendPy2Repr(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	quote := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		quote = '"'
	}
	dst = append(dst, quote)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c < ' ' || c >= 0x7f:
			dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, quote)
}

func (e *encoder) saveBytes(s string) error {
	n, hash, ok := e.texts.find(kindBytes, s)
	if ok {
		e.get(n)
		return nil
	}
	switch {
	case e.proto < 3:
		if err := e.bytesCall(s); err != nil {
			return err
		}
	case len(s) <= 0xff:
		e.out = append(append(e.out, opShortBinBytes, byte(len(s))), s...)
	default:
		if err := e.long(s, opBinBytes, opBinBytes8); err != nil {
			return err
		}
	}
	e.texts.add(kindBytes, s, hash, e.put())
	return nil
}

// bytesCall writes bytes as Python 3 does where there is no opcode for them.
func (e *encoder) bytesCall(s string) error {
	if s == "" {
		if err := e.saveBuiltin("bytes"); err != nil {
			return err
		}
		e.noArgs()
		e.out = append(e.out, opReduce)
		return nil
	}
	if err := e.saveGlobal(&pyvalue.Global{Module: "_codecs", Name: "encode"}); err != nil {
		return err
	}
	e.openArgs()
	if err := e.saveStr(fromLatin1(s)); err != nil {
		return err
	}
	if err := e.saveStr("latin1"); err != nil {
		return err
	}
	e.closeArgs(2)
	e.out = append(e.out, opReduce)
	return nil
}

func fromLatin1(s string) string {
	if pyvalue.IsASCII(s) {
		return s
	}
	out := make([]byte, 0, len(s)+len(s)/2)
	for i := 0; i < len(s); i++ {
		out = appendRune(out, rune(s[i]))
	}
	return string(out)
}
