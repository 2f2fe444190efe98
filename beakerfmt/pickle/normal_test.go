package pickle_test

import (
	"math"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// normaliser tells what comes back when a value was written in a protocol and
// read again. It copies the value and changes what the protocol has in another
// form:
//
//   - names of classes are in the protocol's vocabulary
//   - an int beyond 32 bits that is not known to be Python 2's int is a long
//   - NEWOBJ and NEWOBJ_EX are calls where the protocol has no opcode for them
//   - INST is for protocol 0, OBJ for the others
//   - protocol 0 has only one NaN
type normaliser struct {
	proto int
	done  map[pyvalue.Value]pyvalue.Value
	odd   bool // the value has parts of which it cannot be told what comes back
}

func normal(v pyvalue.Value, proto int) (out pyvalue.Value, odd bool) {
	n := &normaliser{proto: proto, done: map[pyvalue.Value]pyvalue.Value{}}
	out = n.value(v)
	return out, n.odd
}

// callsOfBuiltins are the functions whose calls Decode knows.
var callsOfBuiltins = []string{"encode", "bytes", "bytearray", "set", "frozenset", "complex"}

func (n *normaliser) value(v pyvalue.Value) pyvalue.Value {
	switch v := v.(type) {
	case *pyvalue.Int:
		i, small := v.Int64()
		if !v.IsPy2Int() && (!small || i != int64(int32(i))) {
			return pyvalue.NewLong(v.Big())
		}
		return v
	case pyvalue.Float:
		return pyvalue.Float(n.float(float64(v)))
	case pyvalue.Complex:
		return pyvalue.Complex(complex(n.float(real(v)), n.float(imag(v))))
	case *pyvalue.Global:
		return n.global(v)
	}
	if out, ok := n.done[v]; ok {
		return out
	}
	switch v := v.(type) {
	case *pyvalue.ByteArray:
		out := &pyvalue.ByteArray{Data: slices.Clone(v.Data)}
		n.done[v] = out
		return out
	case *pyvalue.List:
		out := &pyvalue.List{}
		n.done[v] = out
		out.Items = n.values(v.Items)
		return out
	case *pyvalue.Tuple:
		out := &pyvalue.Tuple{}
		n.done[v] = out
		out.Items = n.values(v.Items)
		return out
	case *pyvalue.Dict:
		out := &pyvalue.Dict{}
		n.done[v] = out
		for k, item := range v.All() {
			out.Put(n.value(k), n.value(item))
		}
		return out
	case *pyvalue.Set:
		out := &pyvalue.Set{}
		n.done[v] = out
		for item := range v.All() {
			out.Put(n.value(item))
		}
		return out
	case *pyvalue.FrozenSet:
		out := &pyvalue.FrozenSet{}
		n.done[v] = out
		for item := range v.All() {
			out.Put(n.value(item))
		}
		return out
	case *pyvalue.Persistent:
		out := &pyvalue.Persistent{Text: v.Text}
		n.done[v] = out
		out.ID = n.value(v.ID)
		return out
	case *pyvalue.Object:
		out := &pyvalue.Object{How: v.How}
		n.done[v] = out
		n.object(v, out)
		return out
	}
	return v
}

func (n *normaliser) values(items []pyvalue.Value) []pyvalue.Value {
	out := make([]pyvalue.Value, len(items))
	for i, v := range items {
		out[i] = n.value(v)
	}
	return out
}

func (n *normaliser) float(f float64) float64 {
	if n.proto == 0 && math.IsNaN(f) {
		return math.Float64frombits(0x7ff8000000000000)
	}
	return f
}

func (n *normaliser) global(g *pyvalue.Global) pyvalue.Value {
	if n.proto >= 3 {
		module, name := g.Python3()
		n.odd = n.odd || n.proto == 3 && strings.Contains(name, ".")
		return &pyvalue.Global{Module: module, Name: name}
	}
	n.odd = n.odd || !g.Py2 && strings.Contains(g.Name, ".")
	module, name := g.Python2()
	return &pyvalue.Global{Module: module, Name: name, Py2: true}
}

func (n *normaliser) named(module, name string) pyvalue.Value {
	return n.global(&pyvalue.Global{Module: module, Name: name})
}

func (n *normaliser) object(in, out *pyvalue.Object) {
	if g, ok := in.Class.(*pyvalue.Global); ok {
		// In the other vocabulary it may become a call that Decode knows.
		n.odd = n.odd || g.Py2 != (n.proto < 3) && slices.Contains(callsOfBuiltins, g.Name)
	}
	class := n.value(in.Class)
	switch {
	case in.How == pyvalue.NewObj && n.proto < 2:
		out.How, out.Class = pyvalue.Reduce, n.named("copyreg", "__newobj__")
		out.Args = pyvalue.NewTuple(append([]pyvalue.Value{class}, n.values(in.Args.Items)...)...)
	case in.How == pyvalue.NewObjEx && n.proto < 2:
		out.How, out.Class = pyvalue.Reduce, n.named("copyreg", "__newobj_ex__")
		out.Args = pyvalue.NewTuple(class, n.value(in.Args), n.value(in.Kwargs))
	case in.How == pyvalue.NewObjEx && n.proto < 4:
		function := &pyvalue.Object{Class: n.named("builtins", "getattr"), Args: pyvalue.NewTuple(class, pyvalue.Str("__new__"))}
		args := pyvalue.NewTuple(append([]pyvalue.Value{class}, n.values(in.Args.Items)...)...)
		state := pyvalue.NewTuple(function, args, n.value(in.Kwargs), pyvalue.None{})
		out.How, out.Args = pyvalue.Reduce, pyvalue.NewTuple()
		out.Class = &pyvalue.Object{Class: n.named("functools", "partial"), Args: pyvalue.NewTuple(function),
			Ops: []pyvalue.Op{{Kind: pyvalue.Build, Values: []pyvalue.Value{state}}}}
	default:
		out.Class = class
		out.Args = n.value(in.Args).(*pyvalue.Tuple)
		if in.Kwargs != nil {
			out.Kwargs = n.value(in.Kwargs)
		}
	}
	if in.How == pyvalue.Inst || in.How == pyvalue.Obj {
		out.How = pyvalue.Obj
		if _, named := in.Class.(*pyvalue.Global); named && n.proto == 0 {
			out.How = pyvalue.Inst
		}
	}
	for _, op := range in.Ops {
		out.Ops = append(out.Ops, pyvalue.Op{Kind: op.Kind, Values: n.values(op.Values)})
	}
}
