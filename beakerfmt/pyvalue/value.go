package pyvalue

import (
	"math"
	"strings"
)

// Value is a Python value: one of the types in the table of the package
// documentation, and no other. A nil Value is not a valid one; Python's None
// is [None].
type Value interface{ pyValue() }

// None is Python's None.
type None struct{}

// Bool is Python's True or False.
type Bool bool

// Float is Python's float.
type Float float64

// Complex is Python's complex.
type Complex complex128

// Str is text: Python 3's str, Python 2's unicode. It holds UTF-8 in which a
// lone surrogate (which Python allows) stands as the three bytes that Python's
// "surrogatepass" error handler gives it.
type Str string

// Py2Str is Python 2's str: eight-bit characters whose encoding is not known.
type Py2Str string

// Bytes is Python 3's bytes.
type Bytes string

// ByteArray is Python's bytearray.
type ByteArray struct{ Data []byte }

// List is Python's list.
type List struct{ Items []Value }

// Tuple is Python's tuple. Treat it as immutable once it is shared.
type Tuple struct{ Items []Value }

// Global is a class or function, named by its module and qualified name.
// Py2 says that the name is in the vocabulary of Python 2, as pickles of
// protocol 0 to 2 have it ("__builtin__", "copy_reg"); see [Global.Python2] and
// [Global.Python3].
type Global struct {
	Module string
	Name   string
	Py2    bool
}

// Extension is a class or function named by its code in copyreg's extension
// registry.
type Extension uint32

// Persistent is a persistent id of pickle: a reference to something outside.
// Text tells the text form (opcode PERSID, whose id is a line of ASCII).
type Persistent struct {
	ID   Value
	Text bool
}

// Construction says how Python makes an [Object].
type Construction uint8

// The ways in which a pickle makes an object.
const (
	Reduce   Construction = iota // Class(*Args)
	NewObj                       // Class.__new__(Class, *Args)
	NewObjEx                     // Class.__new__(Class, *Args, **Kwargs)
	Inst                         // Python 2 instance, opcode INST: Class(*Args), or no call at all if Args is empty
	Obj                          // the same by opcode OBJ
)

// String gives the name of the pickle opcode.
func (c Construction) String() string {
	return [...]string{"REDUCE", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ"}[c]
}

// Object is any Python object that has no type of its own here: how it was
// made, with what, and what was then done to it, in order.
type Object struct {
	How    Construction
	Class  Value  // the callable or class: usually a *Global
	Args   *Tuple // never nil
	Kwargs Value  // NewObjEx only: a *Dict
	Ops    []Op
}

// OpKind says what was done to an object after it was made.
type OpKind uint8

// What a pickle does to an object.
const (
	Build    OpKind = iota // __setstate__ or __dict__.update, with one value
	Append                 // append each of the values
	SetItems               // obj[key] = value for the values in pairs
	AddItems               // add each of the values (set subclasses)
)

// String gives the name of the pickle opcode.
func (k OpKind) String() string {
	return [...]string{"BUILD", "APPENDS", "SETITEMS", "ADDITEMS"}[k]
}

// Op is one thing done to an object.
type Op struct {
	Kind   OpKind
	Values []Value
}

// State returns the argument of the object's last BUILD.
func (o *Object) State() (Value, bool) {
	for i := len(o.Ops) - 1; i >= 0; i-- {
		if o.Ops[i].Kind == Build {
			return o.Ops[i].Values[0], true
		}
	}
	return nil, false
}

func (None) pyValue()        {}
func (Bool) pyValue()        {}
func (*Int) pyValue()        {}
func (Float) pyValue()       {}
func (Complex) pyValue()     {}
func (Str) pyValue()         {}
func (Py2Str) pyValue()      {}
func (Bytes) pyValue()       {}
func (*ByteArray) pyValue()  {}
func (*List) pyValue()       {}
func (*Tuple) pyValue()      {}
func (*Dict) pyValue()       {}
func (*Set) pyValue()        {}
func (*FrozenSet) pyValue()  {}
func (*Global) pyValue()     {}
func (Extension) pyValue()   {}
func (*Persistent) pyValue() {}
func (*Object) pyValue()     {}

// NaN returns the NaN of Python's float("nan"); Go's has another bit pattern.
func NaN() float64 { return math.Float64frombits(0x7ff8000000000000) }

// NewList returns a list of the given values.
func NewList(items ...Value) *List { return &List{Items: items} }

// NewTuple returns a tuple of the given values.
func NewTuple(items ...Value) *Tuple { return &Tuple{Items: items} }

// Text returns the text of a [Str], or of a [Py2Str] or [Bytes] that is ASCII:
// what Python 3 would have as str after reading either Python's pickle. It
// reports false for everything else.
func Text(v Value) (string, bool) {
	switch v := v.(type) {
	case Str:
		return string(v), true
	case Py2Str:
		return string(v), IsASCII(string(v))
	case Bytes:
		return string(v), IsASCII(string(v))
	}
	return "", false
}

// IsASCII reports whether s has only bytes below 0x80.
func IsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// TypeName returns Python's name of the value's type, for messages: "str",
// "list", for an Object the dotted name of its class.
func TypeName(v Value) string {
	switch v := v.(type) {
	case None:
		return "NoneType"
	case Bool:
		return "bool"
	case *Int:
		if v.IsLong() {
			return "long"
		}
		return "int"
	case Float:
		return "float"
	case Complex:
		return "complex"
	case Str:
		return "str"
	case Py2Str:
		return "str (Python 2)"
	case Bytes:
		return "bytes"
	case *ByteArray:
		return "bytearray"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case *FrozenSet:
		return "frozenset"
	case *Global:
		return "global " + v.Dotted()
	case Extension:
		return "extension"
	case *Persistent:
		return "persistent id"
	case *Object:
		return v.ClassName()
	}
	return "nil"
}

// Dotted returns "module.Name" as it stands in the pickle.
func (g *Global) Dotted() string { return g.Module + "." + g.Name }

// Is reports whether g is the class or function that Python 3 calls by the
// given module and name, in whichever vocabulary g is spelled.
func (g *Global) Is(module, name string) bool {
	m, n := g.Python3()
	return m == module && n == name
}

// ClassName returns the dotted name of the class of which o is an instance, as
// far as the pickle tells: copyreg's reconstructors are seen through.
func (o *Object) ClassName() string {
	if g := o.class(); g != nil {
		return g.Dotted()
	}
	return "object"
}

// class is nil if the class is not told by name.
func (o *Object) class() *Global {
	g, ok := o.Class.(*Global)
	if !ok {
		return nil
	}
	if o.How == Reduce && strings.HasPrefix(g.Module, "copy") && len(o.Args.Items) > 0 {
		if g.Is("copyreg", "_reconstructor") || g.Is("copyreg", "__newobj__") || g.Is("copyreg", "__newobj_ex__") {
			if c, ok := o.Args.Items[0].(*Global); ok {
				return c
			}
		}
	}
	return g
}
