package pickle

import (
	"encoding/binary"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// batch is how many items CPython puts between a mark and its end.
const batch = 1000

// start notes that the parts of v are about to be written. done: v is written
// already, and a reference to it now too.
func (e *encoder) start(v pyvalue.Value, parts int) (at int, done bool, err error) {
	at, before := e.objects.meet(v)
	if !before {
		return at, false, nil
	}
	if n := e.objects.met[at].memo; n != notYet {
		e.get(n)
		return at, true, nil
	}
	// v is a tuple or the like that holds itself by way of something else.
	if e.again += parts + 1; e.again > maxAgain {
		return at, false, tooMuch("recursive tuples are too many")
	}
	return at, false, nil
}

// finish memoises the value on top of the stack. If it was written in full
// meanwhile, because it holds itself, the one on the stack gives way to that,
// and the result is false: drop says how to take it off.
func (e *encoder) finish(at int, drop ...byte) bool {
	if n := e.objects.met[at].memo; n != notYet {
		e.out = append(e.out, drop...)
		e.get(n)
		return false
	}
	e.objects.met[at].memo = e.put()
	return true
}

func (e *encoder) saveAll(items []pyvalue.Value) error {
	for _, v := range items {
		if err := e.save(v); err != nil {
			return err
		}
	}
	return nil
}

// Lists and dicts.

func (e *encoder) saveList(l *pyvalue.List) error {
	at, done, err := e.start(l, 0)
	if done || err != nil {
		return err
	}
	e.emptyList()
	e.objects.met[at].memo = e.put()
	return e.appendList(l.Items)
}

func (e *encoder) emptyList() {
	if e.proto == 0 {
		e.out = append(e.out, opMark, opList)
	} else {
		e.out = append(e.out, opEmptyList)
	}
}

// appendList writes the items of a list. CPython writes the last batch between
// marks even if it has one item only, unless the list has one item only.
func (e *encoder) appendList(items []pyvalue.Value) error {
	if e.proto == 0 || len(items) == 1 {
		return e.appendEach(items)
	}
	for len(items) > 0 {
		n := min(len(items), batch)
		if err := e.marked(items[:n], opAppends); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

func (e *encoder) appendEach(items []pyvalue.Value) error {
	for _, v := range items {
		if err := e.save(v); err != nil {
			return err
		}
		e.out = append(e.out, opAppend)
	}
	return nil
}

// marked writes items between a mark and an opcode that takes them.
func (e *encoder) marked(items []pyvalue.Value, op byte) error {
	e.out = append(e.out, opMark)
	if err := e.saveAll(items); err != nil {
		return err
	}
	e.out = append(e.out, op)
	return nil
}

func (e *encoder) saveDict(d *pyvalue.Dict) error {
	at, done, err := e.start(d, 0)
	if done || err != nil {
		return err
	}
	if e.proto == 0 {
		e.out = append(e.out, opMark, opDict)
	} else {
		e.out = append(e.out, opEmptyDict)
	}
	e.objects.met[at].memo = e.put()
	entries := d.Entries()
	switch {
	case len(entries) == 0:
		return nil
	case e.proto == 0 || len(entries) == 1:
		return e.setEach(entries)
	}
	for { // CPython ends with an empty batch after a full one
		n := min(len(entries), batch)
		e.out = append(e.out, opMark)
		if err := e.saveEntries(entries[:n]); err != nil {
			return err
		}
		e.out = append(e.out, opSetItems)
		entries = entries[n:]
		if n < batch {
			return nil
		}
	}
}

func (e *encoder) saveEntries(entries []pyvalue.Entry) error {
	for i := range entries {
		if err := e.save(entries[i].Key); err != nil {
			return err
		}
		if err := e.save(entries[i].Value); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) setEach(entries []pyvalue.Entry) error {
	for i := range entries {
		if err := e.saveEntries(entries[i : i+1]); err != nil {
			return err
		}
		e.out = append(e.out, opSetItem)
	}
	return nil
}

// Tuples and sets.

func (e *encoder) saveTuple(t *pyvalue.Tuple) error {
	n := len(t.Items)
	if n == 0 {
		e.noArgs()
		return nil
	}
	at, done, err := e.start(t, n)
	if done || err != nil {
		return err
	}
	short := n <= 3 && e.proto >= 2
	if !short {
		e.out = append(e.out, opMark)
	}
	if err := e.saveAll(t.Items); err != nil {
		return err
	}
	if e.objects.met[at].memo != notYet {
		e.finish(at, e.dropItems(n, short)...)
		return nil
	}
	e.tupleOf(n, short)
	e.finish(at)
	return nil
}

// dropItems takes the n items of a tuple off the stack, and the mark below
// them if there is one.
func (e *encoder) dropItems(n int, short bool) []byte {
	switch {
	case short:
		return []byte{opPop, opPop, opPop}[:n]
	case e.proto == 0:
		return []byte(strings.Repeat(string(rune(opPop)), n+1))
	}
	return []byte{opPopMark}
}

func (e *encoder) tupleOf(n int, short bool) {
	if short {
		e.out = append(e.out, opTuple1+byte(n-1))
	} else {
		e.out = append(e.out, opTuple)
	}
}

// openArgs and closeArgs go round the n (1 to 3) arguments of a call.
func (e *encoder) openArgs() {
	e.boundary()
	if e.proto < 2 {
		e.out = append(e.out, opMark)
	}
}

func (e *encoder) closeArgs(n int) {
	e.tupleOf(n, e.proto >= 2)
	e.put()
}

func (e *encoder) noArgs() {
	if e.proto == 0 {
		e.out = append(e.out, opMark, opTuple)
	} else {
		e.out = append(e.out, opEmptyTuple)
	}
}

func (e *encoder) saveSet(s *pyvalue.Set) error {
	at, done, err := e.start(s, s.Len())
	if done || err != nil {
		return err
	}
	if e.proto < 4 {
		return e.setCall(at, "set", members{s.Len(), s.At})
	}
	e.out = append(e.out, opEmptySet)
	e.objects.met[at].memo = e.put()
	n := s.Len()
	for i := 0; n > 0; {
		e.out = append(e.out, opMark)
		end := min(i+batch, n)
		full := end == i+batch
		for ; i < end; i++ {
			if err := e.save(s.At(i)); err != nil {
				return err
			}
		}
		e.out = append(e.out, opAddItems)
		if !full { // CPython ends with an empty batch after a full one
			return nil
		}
	}
	return nil
}

func (e *encoder) saveFrozenSet(s *pyvalue.FrozenSet) error {
	at, done, err := e.start(s, s.Len())
	if done || err != nil {
		return err
	}
	if e.proto < 4 {
		return e.setCall(at, "frozenset", members{s.Len(), s.At})
	}
	e.out = append(e.out, opMark)
	for i := range s.Len() {
		if err := e.save(s.At(i)); err != nil {
			return err
		}
	}
	if e.objects.met[at].memo != notYet {
		e.finish(at, opPopMark)
		return nil
	}
	e.out = append(e.out, opFrozenSet)
	e.finish(at)
	return nil
}

// members are those of a set or a frozenset.
type members struct {
	n  int
	at func(int) pyvalue.Value
}

// setCall writes set([...]) or frozenset([...]).
func (e *encoder) setCall(at int, name string, m members) error {
	if err := e.saveBuiltin(name); err != nil {
		return err
	}
	e.openArgs()
	e.boundary()
	e.emptyList()
	e.put()
	items := make([]pyvalue.Value, m.n)
	for i := range items {
		items[i] = m.at(i)
	}
	if err := e.appendList(items); err != nil {
		return err
	}
	e.closeArgs(1)
	e.out = append(e.out, opReduce)
	e.finish(at, opPop)
	return nil
}

func (e *encoder) saveByteArray(b *pyvalue.ByteArray) error {
	at, done, err := e.start(b, 0)
	if done || err != nil {
		return err
	}
	if e.proto >= 5 {
		var head [9]byte
		head[0] = opByteArray8
		binary.LittleEndian.PutUint64(head[1:], uint64(len(b.Data)))
		e.payload(string(b.Data), head[:]...)
		e.finish(at)
		return nil
	}
	if err := e.saveBuiltin("bytearray"); err != nil {
		return err
	}
	if len(b.Data) == 0 {
		e.noArgs()
	} else {
		e.openArgs()
		if err := e.save(pyvalue.Bytes(b.Data)); err != nil {
			return err
		}
		e.closeArgs(1)
	}
	e.out = append(e.out, opReduce)
	e.finish(at)
	return nil
}

func (e *encoder) savePersistent(p *pyvalue.Persistent) error {
	return e.onlyTwice(p, func() error {
		if !p.Text {
			if err := e.save(p.ID); err != nil {
				return err
			}
			e.out = append(e.out, opBinPersID)
			return nil
		}
		id := ""
		switch v := p.ID.(type) {
		case pyvalue.Str:
			id = string(v)
		case pyvalue.Py2Str:
			id = string(v)
		default:
			return unsupported("persistent id is not text")
		}
		if strings.IndexByte(id, '\n') >= 0 {
			return unsupported("persistent id is more than one line")
		}
		e.out = append(append(append(e.out, opPersID), id...), '\n')
		return nil
	})
}

// Objects.

func (e *encoder) saveObject(o *pyvalue.Object) error {
	at, done, err := e.start(o, len(o.Args.Items))
	if done || err != nil {
		return err
	}
	if err := e.construct(o); err != nil {
		return err
	}
	if !e.finish(at, opPop) {
		return nil
	}
	for _, op := range o.Ops {
		if err := e.saveOp(op); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) construct(o *pyvalue.Object) error {
	switch o.How {
	case pyvalue.Reduce:
		return e.call(o, opReduce)
	case pyvalue.NewObj:
		if e.proto >= 2 {
			return e.call(o, opNewObj)
		}
		return e.copyregCall("__newobj__", o, o.Args.Items)
	case pyvalue.NewObjEx:
		return e.newObjEx(o)
	case pyvalue.Inst, pyvalue.Obj:
		return e.instance(o)
	}
	return unsupported("object made in no known way")
}

func (e *encoder) call(o *pyvalue.Object, op byte) error {
	if err := e.save(o.Class); err != nil {
		return err
	}
	if err := e.save(o.Args); err != nil {
		return err
	}
	e.out = append(e.out, op)
	return nil
}

// copyregCall writes what protocols 0 and 1 have for NEWOBJ and NEWOBJ_EX: a
// function of module copyreg that gets the class and what else there is.
func (e *encoder) copyregCall(name string, o *pyvalue.Object, args []pyvalue.Value) error {
	if err := e.saveGlobal(&pyvalue.Global{Module: "copyreg", Name: name}); err != nil {
		return err
	}
	if err := e.tupleWith(o.Class, args); err != nil {
		return err
	}
	e.out = append(e.out, opReduce)
	return nil
}

// tupleWith writes the tuple (first, *rest).
func (e *encoder) tupleWith(first pyvalue.Value, rest []pyvalue.Value) error {
	e.boundary()
	n := 1 + len(rest)
	short := n <= 3 && e.proto >= 2
	if !short {
		e.out = append(e.out, opMark)
	}
	if err := e.save(first); err != nil {
		return err
	}
	if err := e.saveAll(rest); err != nil {
		return err
	}
	e.tupleOf(n, short)
	e.put()
	return nil
}

func (e *encoder) newObjEx(o *pyvalue.Object) error {
	switch {
	case e.proto < 2:
		return e.copyregCall("__newobj_ex__", o, []pyvalue.Value{o.Args, o.Kwargs})
	case e.proto < 4:
		return e.newObjPartial(o)
	}
	if err := e.save(o.Class); err != nil {
		return err
	}
	if err := e.save(o.Args); err != nil {
		return err
	}
	if err := e.save(o.Kwargs); err != nil {
		return err
	}
	e.out = append(e.out, opNewObjEx)
	return nil
}

// newObjPartial writes functools.partial(C.__new__, C, *args, **kwargs)(), as
// CPython does for NEWOBJ_EX in protocols 2 and 3. A partial is pickled as
// partial(f) and the state (f, args, kwargs, None).
func (e *encoder) newObjPartial(o *pyvalue.Object) error {
	if err := e.saveGlobal(&pyvalue.Global{Module: "functools", Name: "partial"}); err != nil {
		return err
	}
	e.openArgs()
	if err := e.saveBuiltin("getattr"); err != nil {
		return err
	}
	if err := e.tupleWith(o.Class, []pyvalue.Value{pyvalue.Str("__new__")}); err != nil {
		return err
	}
	e.out = append(e.out, opReduce)
	function := e.put()
	e.closeArgs(1)
	e.out = append(e.out, opReduce)
	e.put()
	e.out = append(e.out, opMark)
	e.get(function)
	if err := e.tupleWith(o.Class, o.Args.Items); err != nil {
		return err
	}
	if err := e.save(o.Kwargs); err != nil {
		return err
	}
	e.out = append(e.out, opNone, opTuple)
	e.put()
	e.out = append(e.out, opBuild, opEmptyTuple, opReduce)
	return nil
}

// instance writes an instance of a class of Python 2's old style.
func (e *encoder) instance(o *pyvalue.Object) error {
	e.out = append(e.out, opMark)
	g, named := o.Class.(*pyvalue.Global)
	named = named && g != nil && e.proto == 0
	if !named {
		if err := e.save(o.Class); err != nil {
			return err
		}
	}
	if err := e.saveAll(o.Args.Items); err != nil {
		return err
	}
	if named {
		module, name, err := e.spelled(g)
		if err != nil {
			return err
		}
		return e.nameLines(opInst, module, name)
	}
	e.out = append(e.out, opObj)
	return nil
}

func (e *encoder) saveOp(op pyvalue.Op) error {
	switch op.Kind {
	case pyvalue.Build:
		if len(op.Values) != 1 {
			return unsupported("state of an object is not one value")
		}
		if err := e.save(op.Values[0]); err != nil {
			return err
		}
		e.out = append(e.out, opBuild)
		return nil
	case pyvalue.Append:
		return e.batches(op.Values, 1, opAppend, opAppends)
	case pyvalue.SetItems:
		if len(op.Values)%2 != 0 {
			return unsupported("odd number of keys and values")
		}
		return e.batches(op.Values, 2, opSetItem, opSetItems)
	case pyvalue.AddItems:
		return e.batches(op.Values, 1, 0, opAddItems)
	}
	return unsupported("operation on an object is not known")
}

// batches writes items of the given width for an object. CPython writes a last
// one by itself without a mark, which there is no opcode for if one is 0.
func (e *encoder) batches(items []pyvalue.Value, width int, one, many byte) error {
	for len(items) > 0 {
		n := min(len(items), batch*width)
		if one != 0 && (n == width || e.proto == 0) {
			n = width
			if err := e.saveAll(items[:n]); err != nil {
				return err
			}
			e.out = append(e.out, one)
		} else if err := e.marked(items[:n], many); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}
