package pickle

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"sync"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Decode reads the pickle at the start of data, as pickle.loads does: up to
// the STOP opcode, whatever follows. Errors are of type *[Error].
//
// The value holds no reference to data; its texts share one copy of it, which
// stays in memory as long as any of them.
//
// Some of what Python writes as a call, for want of an opcode in the protocol,
// comes back as what it is: bytes, bytearray, set, frozenset, complex. All
// other calls stay a [pyvalue.Object]. Keys and members that Python could not
// hash (lists, dicts, sets) are refused; nothing else is checked about them.
//
// It is safe for concurrent use.
func Decode(data []byte, lim Limits) (pyvalue.Value, error) {
	return decode(data, lim, nil)
}

// decode is Decode that notes in info, if not nil, what it comes across.
func decode(data []byte, lim Limits, info *inspection) (pyvalue.Value, error) {
	lim = lim.resolved()
	if len(data) > lim.MaxBytes {
		return nil, &Error{Detail: "input of " + strconv.Itoa(len(data)) + " bytes", Err: ErrLimit}
	}
	m := machines.Get().(*machine)
	m.in, m.lim, m.info = string(data), lim, info
	m.arena.Expect(len(data) / bytesPerText)
	v, err := m.run()
	if err == nil && !m.shallow() {
		err = checkDepth(v, lim.MaxDepth)
	}
	if err != nil {
		v, err = nil, m.failure(err)
	} else if info != nil {
		info.Length = m.pos
	}
	m.release()
	return v, err
}

// machines holds machines at rest, so that their stacks are used again.
var machines = sync.Pool{New: func() any {
	return &machine{
		stack: make([]pyvalue.Value, 0, 64),
		memo:  make([]pyvalue.Value, 0, 64),
	}
}}

// machine is pickle's stack machine. Between two pickles it is empty but for
// the room in its slices.
type machine struct {
	in    string
	pos   int // next byte to read
	at    int // where the opcode in hand stands
	proto int
	lim   Limits
	info  *inspection

	stack []pyvalue.Value
	marks []int // height of the stack at each open mark
	fence int   // the last of marks: nothing below it can be popped
	high  int   // stack[:high] may hold values that were popped
	memo  []pyvalue.Value
	memoN int                      // entries in memo and far; each is in one of them
	far   map[uint32]pyvalue.Value // memo entries too far off for a slice

	arena   pyvalue.Arena
	empty   *pyvalue.Tuple // Python has one empty tuple
	nodes   int            // values made so far
	open    int            // of them, containers that can change after they were made
	closed  int            // and those that cannot
	keyWork int64          // bytes of long keys that were looked up
	copied  int64          // bytes that calls in the pickle had read or copied
}

// bytesPerText is how much of a session's pickle there is to each text in it,
// opcodes, memo and other values included.
const bytesPerText = 12

// Room that a machine may keep between two pickles, in values.
const (
	keepStack = 4096
	memoGap   = 64 // a memo slice may be this much longer than twice its entries
)

func (m *machine) release() {
	m.cut(0)
	if cap(m.stack) > keepStack || cap(m.memo) > keepStack || cap(m.marks) > keepStack {
		return
	}
	clear(m.stack[:m.high])
	clear(m.memo)
	stack, memo, marks := m.stack[:0], m.memo[:0], m.marks[:0]
	*m = machine{stack: stack, memo: memo, marks: marks}
	machines.Put(m)
}

// failure says where in the input err happened.
func (m *machine) failure(err error) error {
	e := &Error{Offset: m.at, Detail: err.Error(), Err: ErrSyntax}
	var f *fault
	if errors.As(err, &f) {
		e.Err = f.err
	}
	if m.at < len(m.in) {
		e.Op = opName(m.in[m.at])
	}
	return e
}

func (m *machine) run() (pyvalue.Value, error) {
	for {
		m.at = m.pos
		if m.pos >= len(m.in) {
			return nil, syntax("input ends without STOP")
		}
		op := m.in[m.pos]
		m.pos++
		if m.info != nil {
			m.info.opcode(op)
		}
		if op == opStop {
			return m.pop()
		}
		if err := m.step(op); err != nil {
			return nil, err
		}
		if m.nodes > m.lim.MaxNodes {
			return nil, limit("too many values")
		}
	}
}

// step carries out one opcode. The order of the cases is that of how often
// they occur in sessions; it does not matter otherwise.
func (m *machine) step(op byte) error {
	switch op {
	case opBinUnicode:
		return m.text(4)
	case opShortBinUnicode:
		return m.text(1)
	case opBinPut:
		return m.putN(1)
	case opMemoize:
		return m.put(uint32(m.memoN))
	case opBinGet:
		return m.getN(1)
	case opBinInt1:
		return m.int(1)
	case opBinInt2:
		return m.int(2)
	case opBinInt:
		return m.int(4)
	case opBinFloat:
		return m.float()
	case opNone:
		m.push(pyvalue.None{})
	case opNewTrue:
		m.push(pyvalue.Bool(true))
	case opNewFalse:
		m.push(pyvalue.Bool(false))
	case opMark:
		return m.mark()
	case opEmptyDict:
		m.push(&pyvalue.Dict{})
		m.open++
	case opEmptyList:
		m.push(&pyvalue.List{})
		m.open++
	case opEmptyTuple:
		m.push(m.emptyTuple())
	case opEmptySet:
		m.push(&pyvalue.Set{})
		m.open++
	case opSetItem:
		return m.setItem()
	case opSetItems:
		return m.setItems()
	case opAppend:
		return m.append()
	case opAppends:
		return m.appends()
	case opAddItems:
		return m.addItems()
	case opTuple1:
		return m.tupleN(1)
	case opTuple2:
		return m.tupleN(2)
	case opTuple3:
		return m.tupleN(3)
	case opTuple, opList, opDict, opFrozenSet:
		return m.fromMark(op)
	case opShortBinStr:
		return m.string8(1)
	case opBinString:
		return m.string8(4)
	case opShortBinBytes:
		return m.bytes(1)
	case opBinBytes:
		return m.bytes(4)
	case opBinBytes8:
		return m.bytes(8)
	case opBinUnicode8:
		return m.text(8)
	case opByteArray8:
		return m.byteArray()
	case opLong1:
		return m.long(1)
	case opLong4:
		return m.long(4)
	case opLongBinPut:
		return m.putN(4)
	case opLongBinGet:
		return m.getN(4)
	case opProto:
		return m.setProto()
	case opFrame:
		return m.frame()
	case opPop, opPopMark, opDup:
		return m.shuffle(op)
	case opInt, opLong, opFloat, opString, opUnicode, opPut, opGet, opPersID:
		return m.line(op)
	case opGlobal, opStackGlobal, opExt1, opExt2, opExt4:
		return m.name(op)
	case opReduce, opNewObj, opNewObjEx, opInst, opObj, opBuild, opBinPersID:
		return m.object(op)
	case opNextBuffer, opReadonlyBuffer:
		return &fault{ErrBuffers, "needs a buffer that is not in the input"}
	default:
		return syntax("byte is no opcode")
	}
	return nil
}

// The stack.

func (m *machine) push(v pyvalue.Value) {
	m.stack = append(m.stack, v)
	m.nodes++
}

// cut lowers the stack to n values.
func (m *machine) cut(n int) {
	m.high = max(m.high, len(m.stack))
	m.stack = m.stack[:n]
}

// need reports whether n values can be popped.
func (m *machine) need(n int) bool { return len(m.stack)-m.fence >= n }

func (m *machine) pop() (pyvalue.Value, error) {
	if !m.need(1) {
		return nil, errUnderflow
	}
	v := m.stack[len(m.stack)-1]
	m.cut(len(m.stack) - 1)
	return v, nil
}

var errUnderflow = syntax("nothing on the stack")

func (m *machine) mark() error {
	if len(m.marks) >= m.lim.MaxMarks {
		return limit("too many open marks")
	}
	m.fence = len(m.stack)
	m.marks = append(m.marks, m.fence)
	return nil
}

// popMark closes the last mark and returns what stands above it. The slice is
// good until the next push.
func (m *machine) popMark() ([]pyvalue.Value, error) {
	if len(m.marks) == 0 {
		return nil, syntax("no mark on the stack")
	}
	items := m.stack[m.fence:]
	m.cut(m.fence)
	m.dropMark()
	return items, nil
}

func (m *machine) dropMark() {
	m.marks = m.marks[:len(m.marks)-1]
	m.fence = 0
	if n := len(m.marks); n > 0 {
		m.fence = m.marks[n-1]
	}
}

func (m *machine) shuffle(op byte) error {
	switch {
	case op == opPopMark:
		_, err := m.popMark()
		return err
	case op == opPop && len(m.marks) > 0 && m.fence == len(m.stack):
		m.dropMark() // POP takes a mark too, if that is what lies on top
	case !m.need(1):
		return errUnderflow
	case op == opPop:
		m.cut(len(m.stack) - 1)
	default:
		m.push(m.stack[len(m.stack)-1])
	}
	return nil
}

// The memo.

func (m *machine) put(key uint32) error {
	if !m.need(1) {
		return errUnderflow
	}
	v := m.stack[len(m.stack)-1]
	if int64(key) < int64(len(m.memo)) && m.memo[key] != nil {
		m.memo[key] = v
		return nil
	}
	if m.far != nil && m.far[key] != nil {
		m.far[key] = v
		return nil
	}
	if m.memoN >= m.lim.MaxMemo {
		return limit("too many memo entries")
	}
	m.memoN++
	if int64(key) > 2*int64(m.memoN)+memoGap {
		if m.far == nil {
			m.far = map[uint32]pyvalue.Value{}
		}
		m.far[key] = v
		return nil
	}
	for int(key) >= len(m.memo) {
		m.memo = append(m.memo, nil)
	}
	m.memo[key] = v
	return nil
}

func (m *machine) get(key uint32) error {
	var v pyvalue.Value
	if int64(key) < int64(len(m.memo)) {
		v = m.memo[key]
	}
	if v == nil {
		v = m.far[key]
	}
	if v == nil {
		return syntax("no memo entry of that number")
	}
	m.push(v)
	return nil
}

func (m *machine) putN(width int) error {
	key, err := m.uint(width)
	if err != nil {
		return err
	}
	return m.put(uint32(key))
}

func (m *machine) getN(width int) error {
	key, err := m.uint(width)
	if err != nil {
		return err
	}
	return m.get(uint32(key))
}

// Reading.

var errShort = syntax("input ends in the middle")

// uint reads a little-endian number of 1, 2, 4 or 8 bytes.
func (m *machine) uint(width int) (uint64, error) {
	if len(m.in)-m.pos < width {
		return 0, errShort
	}
	b := m.in[m.pos : m.pos+width]
	m.pos += width
	switch width {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(b[0]) | uint64(b[1])<<8, nil
	}
	var n uint64
	for i := width - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n, nil
}

// counted reads a length of the given width and that many bytes.
func (m *machine) counted(width int) (string, error) {
	n, err := m.uint(width)
	if err != nil {
		return "", err
	}
	if n > uint64(len(m.in)-m.pos) {
		return "", syntax("length goes beyond the end of the input")
	}
	s := m.in[m.pos : m.pos+int(n)]
	m.pos += int(n)
	return s, nil
}

func (m *machine) setProto() error {
	n, err := m.uint(1)
	if err != nil {
		return err
	}
	if n > maxProtocol {
		return syntax("protocol is not known")
	}
	m.proto = int(n)
	if m.info != nil {
		m.info.Protocol = m.proto
	}
	return nil
}

// frame checks that the frame's bytes are there. Like CPython's C unpickler it
// does not mind where the frame ends.
func (m *machine) frame() error {
	start := m.pos + 8
	_, err := m.counted(8)
	m.pos = min(start, len(m.in))
	return err
}

// Scalars.

func (m *machine) text(width int) error {
	s, err := m.counted(width)
	if err != nil {
		return err
	}
	if !validText(s) {
		return syntax("text is not UTF-8")
	}
	m.push(m.arena.Str(s))
	return nil
}

func (m *machine) string8(width int) error {
	s, err := m.counted(width)
	if err != nil {
		return err
	}
	if int64(len(s)) > math.MaxInt32 {
		return syntax("length is negative")
	}
	m.py2str(s)
	return nil
}

func (m *machine) py2str(s string) {
	if m.info != nil {
		m.info.Python2 = true
	}
	m.push(m.arena.Py2Str(s))
}

func (m *machine) bytes(width int) error {
	s, err := m.counted(width)
	if err != nil {
		return err
	}
	m.push(m.arena.Bytes(s))
	return nil
}

func (m *machine) byteArray() error {
	s, err := m.counted(8)
	if err != nil {
		return err
	}
	m.push(&pyvalue.ByteArray{Data: []byte(s)})
	return nil
}

func (m *machine) int(width int) error {
	n, err := m.uint(width)
	if err != nil {
		return err
	}
	i := int64(n)
	if width == 4 {
		i = int64(int32(n))
	}
	m.push(m.arena.Int(i, false))
	return nil
}

func (m *machine) float() error {
	if len(m.in)-m.pos < 8 {
		return errShort
	}
	var b [8]byte
	copy(b[:], m.in[m.pos:])
	m.pos += 8
	m.push(m.arena.Float(math.Float64frombits(binary.BigEndian.Uint64(b[:]))))
	return nil
}

func (m *machine) long(width int) error {
	s, err := m.counted(width)
	if err != nil {
		return err
	}
	if len(s) > m.lim.MaxIntBits/8+1 {
		return limit("integer is too long")
	}
	if len(s) > 8 {
		m.push(bigLong(s))
		return nil
	}
	var n uint64
	for i := len(s) - 1; i >= 0; i-- {
		n = n<<8 | uint64(s[i])
	}
	if unused := 64 - 8*len(s); unused < 64 {
		n = uint64(int64(n<<unused) >> unused) // carry the sign up
	}
	m.push(m.arena.Int(int64(n), true))
	return nil
}
