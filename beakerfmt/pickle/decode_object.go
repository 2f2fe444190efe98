package pickle

import (
	"slices"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Containers.

func (m *machine) emptyTuple() *pyvalue.Tuple {
	if m.empty == nil {
		m.empty = &pyvalue.Tuple{}
	}
	return m.empty
}

func (m *machine) tuple(items []pyvalue.Value) *pyvalue.Tuple {
	if len(items) == 0 {
		return m.emptyTuple()
	}
	m.closed++
	return &pyvalue.Tuple{Items: slices.Clone(items)}
}

func (m *machine) tupleN(n int) error {
	if !m.need(n) {
		return errUnderflow
	}
	at := len(m.stack) - n
	t := m.tuple(m.stack[at:])
	m.cut(at)
	m.push(t)
	return nil
}

func (m *machine) fromMark(op byte) error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	switch op {
	case opTuple:
		m.push(m.tuple(items))
	case opList:
		m.open++
		m.push(&pyvalue.List{Items: slices.Clone(items)})
	case opDict:
		d := &pyvalue.Dict{}
		if err := m.fill(d, items); err != nil {
			return err
		}
		m.open++
		m.push(d)
	default:
		s, err := m.frozenSet(items)
		if err != nil {
			return err
		}
		m.push(s)
	}
	return nil
}

func (m *machine) frozenSet(items []pyvalue.Value) (*pyvalue.FrozenSet, error) {
	m.closed++
	s := &pyvalue.FrozenSet{}
	s.Grow(len(items))
	for _, v := range items {
		if err := m.key(v); err != nil {
			return nil, err
		}
		s.Put(v)
	}
	return s, nil
}

// fill puts keys and values, which alternate in items, into d.
func (m *machine) fill(d *pyvalue.Dict, items []pyvalue.Value) error {
	if len(items)%2 != 0 {
		return errOdd
	}
	d.Grow(len(items) / 2)
	for i := 0; i < len(items); i += 2 {
		if err := m.key(items[i]); err != nil {
			return err
		}
		d.Put(items[i], items[i+1])
	}
	return nil
}

var errOdd = syntax("odd number of keys and values")

// key checks that v can be a key, as far as its own type tells, and that the
// pickle does not have us look up a few long keys over and over.
func (m *machine) key(v pyvalue.Value) error {
	n := 0
	switch v := v.(type) {
	case pyvalue.Str:
		n = len(v)
	case pyvalue.Py2Str:
		n = len(v)
	case pyvalue.Bytes:
		n = len(v)
	case *pyvalue.Int:
		if _, small := v.Int64(); !small {
			n = v.BitLen() / 2 // looked up by a copy of its bytes
		}
	case *pyvalue.List, *pyvalue.Dict, *pyvalue.Set, *pyvalue.ByteArray:
		return syntax("key or member of a type that cannot be hashed")
	}
	if n > longKey {
		if m.keyWork += int64(n); m.keyWork > keyWorkFactor*int64(m.lim.MaxBytes) {
			return limit("too many long keys")
		}
	}
	return nil
}

// under returns the value below the n topmost ones.
func (m *machine) under(n int) (pyvalue.Value, error) {
	if !m.need(n + 1) {
		return nil, errUnderflow
	}
	return m.stack[len(m.stack)-1-n], nil
}

func (m *machine) setItem() error {
	target, err := m.under(2)
	if err != nil {
		return err
	}
	err = m.setItemsOf(target, m.stack[len(m.stack)-2:])
	m.cut(len(m.stack) - 2)
	return err
}

func (m *machine) setItems() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	target, err := m.under(0)
	if err != nil || len(items) == 0 { // Python minds nothing then
		return err
	}
	return m.setItemsOf(target, items)
}

func (m *machine) setItemsOf(target pyvalue.Value, items []pyvalue.Value) error {
	switch t := target.(type) {
	case *pyvalue.Dict:
		return m.fill(t, items)
	case *pyvalue.Object:
		if len(items)%2 != 0 {
			return errOdd
		}
		record(t, pyvalue.SetItems, items)
		return nil
	}
	return syntax("items set on what is neither a dict nor an object")
}

func (m *machine) append() error {
	target, err := m.under(1)
	if err != nil {
		return err
	}
	err = appendTo(target, m.stack[len(m.stack)-1:])
	m.cut(len(m.stack) - 1)
	return err
}

func (m *machine) appends() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	target, err := m.under(0)
	if err != nil || len(items) == 0 {
		return err
	}
	return appendTo(target, items)
}

func appendTo(target pyvalue.Value, items []pyvalue.Value) error {
	switch t := target.(type) {
	case *pyvalue.List:
		t.Items = append(t.Items, items...)
	case *pyvalue.Object:
		record(t, pyvalue.Append, items)
	default:
		return syntax("values appended to what is neither a list nor an object")
	}
	return nil
}

func (m *machine) addItems() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	target, err := m.under(0)
	if err != nil || len(items) == 0 {
		return err
	}
	switch t := target.(type) {
	case *pyvalue.Set:
		t.Grow(len(items))
		for _, v := range items {
			if err := m.key(v); err != nil {
				return err
			}
			t.Put(v)
		}
	case *pyvalue.Object:
		record(t, pyvalue.AddItems, items)
	default:
		return syntax("members added to what is neither a set nor an object")
	}
	return nil
}

// record notes what was done to an object. Python hands out many items in
// batches, which are one operation to us.
func record(o *pyvalue.Object, kind pyvalue.OpKind, items []pyvalue.Value) {
	if len(items) == 0 {
		return
	}
	if n := len(o.Ops); n > 0 && o.Ops[n-1].Kind == kind && kind != pyvalue.Build {
		o.Ops[n-1].Values = append(o.Ops[n-1].Values, items...)
		return
	}
	o.Ops = append(o.Ops, pyvalue.Op{Kind: kind, Values: slices.Clone(items)})
}

// Names.

func (m *machine) name(op byte) error {
	switch op {
	case opGlobal:
		module, err := m.readLine()
		if err != nil {
			return err
		}
		name, err := m.readLine()
		if err != nil {
			return err
		}
		return m.pushGlobal(module, name)
	case opStackGlobal:
		return m.stackGlobal()
	case opExt1:
		return m.extension(1)
	case opExt2:
		return m.extension(2)
	}
	return m.extension(4)
}

func (m *machine) stackGlobal() error {
	if !m.need(2) {
		return errUnderflow
	}
	module, ok := nameText(m.stack[len(m.stack)-2])
	name, ok2 := nameText(m.stack[len(m.stack)-1])
	if !ok || !ok2 {
		return syntax("name of a global is not text")
	}
	m.cut(len(m.stack) - 2)
	return m.pushGlobal(module, name)
}

func nameText(v pyvalue.Value) (string, bool) {
	if _, ok := v.(pyvalue.Bytes); ok {
		return "", false
	}
	return pyvalue.Text(v)
}

func (m *machine) pushGlobal(module, name string) error {
	g, err := m.global(module, name)
	if err != nil {
		return err
	}
	m.push(g)
	return nil
}

func (m *machine) global(module, name string) (*pyvalue.Global, error) {
	if module == "" || name == "" || !utf8.ValidString(module) || !utf8.ValidString(name) {
		return nil, syntax("name of a global is empty or not UTF-8")
	}
	if len(module) > maxName || len(name) > maxName {
		return nil, limit("name of a global is too long")
	}
	g := &pyvalue.Global{Module: module, Name: name, Py2: m.proto < 3}
	if m.info != nil {
		m.info.note(g)
	}
	return g, nil
}

func (m *machine) extension(width int) error {
	code, err := m.uint(width)
	if err != nil {
		return err
	}
	if code == 0 || code > 1<<31-1 {
		return syntax("extension code out of range")
	}
	m.push(pyvalue.Extension(code))
	return nil
}

// Objects.

func (m *machine) object(op byte) error {
	switch op {
	case opReduce, opNewObj:
		return m.construct(op)
	case opNewObjEx:
		return m.newObjEx()
	case opInst:
		return m.inst()
	case opObj:
		return m.obj()
	case opBuild:
		return m.build()
	}
	id, err := m.pop()
	if err != nil {
		return err
	}
	m.closed++
	m.push(&pyvalue.Persistent{ID: id})
	return nil
}

func (m *machine) construct(op byte) error {
	class, err := m.under(1)
	if err != nil {
		return err
	}
	args, ok := m.stack[len(m.stack)-1].(*pyvalue.Tuple)
	if !ok {
		return errNoTuple
	}
	if !callable(class) {
		return errNoClass
	}
	m.cut(len(m.stack) - 2)
	var v pyvalue.Value
	if op == opReduce {
		if v, err = m.known(class, args.Items); err != nil {
			return err
		}
	}
	if v == nil {
		how := pyvalue.Reduce
		if op == opNewObj {
			how = pyvalue.NewObj
		}
		m.open++
		v = &pyvalue.Object{How: how, Class: class, Args: args}
	}
	m.push(v)
	return nil
}

var (
	errNoTuple = syntax("arguments are not a tuple")
	errNoClass = syntax("call of what can be neither a class nor a function")
)

// callable reports whether v may be a class or a function, as far as its own
// type tells. Calls can return some, and so can whatever knows persistent ids.
func callable(v pyvalue.Value) bool {
	switch v.(type) {
	case *pyvalue.Global, pyvalue.Extension, *pyvalue.Object, *pyvalue.Persistent:
		return true
	}
	return false
}

func (m *machine) newObjEx() error {
	class, err := m.under(2)
	if err != nil {
		return err
	}
	args, ok := m.stack[len(m.stack)-2].(*pyvalue.Tuple)
	if !ok {
		return errNoTuple
	}
	kwargs, ok := m.stack[len(m.stack)-1].(*pyvalue.Dict)
	if !ok {
		return syntax("keyword arguments are not a dict")
	}
	if !callable(class) {
		return errNoClass
	}
	m.cut(len(m.stack) - 3)
	m.open++
	m.push(&pyvalue.Object{How: pyvalue.NewObjEx, Class: class, Args: args, Kwargs: kwargs})
	return nil
}

func (m *machine) inst() error {
	module, err := m.readLine()
	if err != nil {
		return err
	}
	name, err := m.readLine()
	if err != nil {
		return err
	}
	class, err := m.global(module, name)
	if err != nil {
		return err
	}
	args, err := m.popMark()
	if err != nil {
		return err
	}
	m.open++
	m.push(&pyvalue.Object{How: pyvalue.Inst, Class: class, Args: m.tuple(args)})
	return nil
}

func (m *machine) obj() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	if len(items) == 0 || !callable(items[0]) {
		return errNoClass
	}
	m.open++
	m.push(&pyvalue.Object{How: pyvalue.Obj, Class: items[0], Args: m.tuple(items[1:])})
	return nil
}

func (m *machine) build() error {
	target, err := m.under(1)
	if err != nil {
		return err
	}
	o, ok := target.(*pyvalue.Object)
	if !ok {
		return syntax("state given to what is not an object")
	}
	record(o, pyvalue.Build, m.stack[len(m.stack)-1:])
	m.cut(len(m.stack) - 1)
	return nil
}

// known returns the value of a call by which Python writes a type that has no
// opcode in the protocol, or nil if the call is another.
func (m *machine) known(class pyvalue.Value, args []pyvalue.Value) (pyvalue.Value, error) {
	g, ok := class.(*pyvalue.Global)
	if !ok || len(args) > 2 {
		return nil, nil
	}
	builtin := g.Module == "builtins" && !g.Py2 || g.Module == "__builtin__" && g.Py2
	switch {
	case g.Name == "encode" && g.Module == "_codecs":
		if s, ok := latin1Args(args); ok && !isPy2Str(args[1]) {
			return m.latin1(s)
		}
	case !builtin:
	case g.Name == "bytes" && len(args) == 0:
		return m.arena.Bytes(""), nil
	case g.Name == "bytearray":
		return m.byteArrayCall(args)
	case g.Name == "set" && len(args) == 1:
		return m.setCall(args[0])
	case g.Name == "frozenset" && len(args) == 1:
		if l, ok := args[0].(*pyvalue.List); ok {
			m.nodes += len(l.Items)
			return nilOr(m.frozenSet(l.Items))
		}
	case g.Name == "complex" && len(args) == 2:
		re, ok := args[0].(pyvalue.Float)
		im, ok2 := args[1].(pyvalue.Float)
		if ok && ok2 {
			return pyvalue.Complex(complex(re, im)), nil
		}
	}
	return nil, nil
}

// nilOr keeps a nil pointer from becoming a Value that is not nil.
func nilOr(s *pyvalue.FrozenSet, err error) (pyvalue.Value, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (m *machine) setCall(arg pyvalue.Value) (pyvalue.Value, error) {
	l, ok := arg.(*pyvalue.List)
	if !ok {
		return nil, nil
	}
	m.open++
	m.nodes += len(l.Items)
	s := &pyvalue.Set{}
	if m.nodes > m.lim.MaxNodes {
		return s, nil // the machine stops at once
	}
	s.Grow(len(l.Items))
	for _, v := range l.Items {
		if err := m.key(v); err != nil {
			return nil, err
		}
		s.Put(v)
	}
	return s, nil
}

// byteArrayCall knows bytearray(), bytearray(b"...") of Python 3.8 and later,
// and bytearray(u"...", "latin-1") of all before.
func (m *machine) byteArrayCall(args []pyvalue.Value) (pyvalue.Value, error) {
	data := ""
	switch len(args) {
	case 1:
		b, ok := args[0].(pyvalue.Bytes)
		if !ok {
			return nil, nil
		}
		data = string(b)
	case 2:
		s, ok := latin1Args(args)
		if !ok {
			return nil, nil
		}
		b, err := m.latin1(s)
		if b == nil || err != nil {
			return nil, err
		}
		data = string(b.(pyvalue.Bytes))
	}
	if err := m.copying(len(data)); err != nil {
		return nil, err
	}
	return &pyvalue.ByteArray{Data: []byte(data)}, nil
}

// latin1Args takes the text from arguments (text, "latin-1").
func latin1Args(args []pyvalue.Value) (string, bool) {
	if len(args) != 2 {
		return "", false
	}
	encoding := ""
	switch v := args[1].(type) {
	case pyvalue.Str:
		encoding = string(v)
	case pyvalue.Py2Str:
		encoding = string(v)
	}
	s, ok := args[0].(pyvalue.Str)
	return string(s), ok && (encoding == "latin1" || encoding == "latin-1")
}

func isPy2Str(v pyvalue.Value) bool {
	_, ok := v.(pyvalue.Py2Str)
	return ok
}

// latin1 encodes s; the result is nil if Latin-1 does not have all of it.
func (m *machine) latin1(s string) (pyvalue.Value, error) {
	if err := m.copying(len(s)); err != nil {
		return nil, err
	}
	if pyvalue.IsASCII(s) {
		return m.arena.Bytes(s), nil
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, nil
		}
		out = append(out, byte(r))
	}
	return m.arena.Bytes(string(out)), nil
}

// copying counts bytes that a call in the pickle has us read and copy: a few
// bytes of input can repeat such a call on the same long text.
func (m *machine) copying(n int) error {
	if m.copied += int64(n); m.copied > copyFactor*int64(m.lim.MaxBytes) {
		return limit("too many bytes read by calls")
	}
	return nil
}
