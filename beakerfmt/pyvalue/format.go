package pyvalue

import (
	"fmt"
	"strconv"
)

// What fmt prints of a value is bounded, whatever the value: recursion, depth
// and shared parts that would multiply are cut.
const (
	formatBytes = 4 << 10 // of the whole text, roughly
	formatDepth = 24
	formatBits  = 4096 // of an int that is printed in digits
	ellipsis    = "…"
)

// Repr returns v much as Python's repr would: 'text', b'bytes', [1, 2],
// {'k': None}. Python 2's str is py2'text', an object of a class is
// <module.Class (args) state=…>. What refers to itself is [...], and what is
// long or deep is cut with "…": the text is for people, at most a few KiB.
func Repr(v Value) string {
	p := &printer{}
	p.value(v)
	return string(p.buf)
}

// printer writes one value. Its recursion ends at formatDepth.
type printer struct {
	buf  []byte
	path []Value // the containers around the current value
}

func (p *printer) text(s string) { p.buf = append(p.buf, s...) }

// room returns how many bytes of a text may still be written.
func (p *printer) room() int { return max(formatBytes-len(p.buf), 0) }

func (p *printer) value(v Value) {
	switch v := v.(type) {
	case nil:
		p.text("<nil>")
	case None:
		p.text("None")
	case Bool:
		p.bool(v)
	case *Int:
		p.int(v)
	case Float:
		p.buf = AppendReprFloat(p.buf, float64(v))
	case Complex:
		p.buf = reprComplex(p.buf, complex128(v))
	case Str:
		p.buf = appendReprStr(p.buf, string(v), p.room())
	case Py2Str:
		p.text("py2")
		p.buf = appendReprBytes(p.buf, string(v), p.room())
	case Bytes:
		p.text("b")
		p.buf = appendReprBytes(p.buf, string(v), p.room())
	case Extension:
		p.text("<extension " + strconv.FormatUint(uint64(v), 10) + ">")
	default:
		p.pointer(v)
	}
}

func (p *printer) bool(b Bool) {
	if b {
		p.text("True")
		return
	}
	p.text("False")
}

func (p *printer) int(i *Int) {
	switch {
	case i == nil:
		p.text("<nil>")
	case i.BitLen() > formatBits:
		p.text("<int of " + strconv.Itoa(i.BitLen()) + " bits>")
	default:
		p.text(i.String())
	}
}

// brackets gives the signs around a container, and what stands for one that
// contains itself.
func brackets(v Value) (open, close, again string) {
	switch v.(type) {
	case *List:
		return "[", "]", "[...]"
	case *Tuple:
		return "(", ")", "(...)"
	case *Dict:
		return "{", "}", "{...}"
	case *Set:
		return "{", "}", "{...}"
	case *FrozenSet:
		return "frozenset({", "})", "frozenset({...})"
	}
	return "<", ">", "<...>"
}

func (p *printer) pointer(v Value) {
	if isNilPointer(v) {
		p.text("<nil>")
		return
	}
	open, end, again := brackets(v)
	for _, around := range p.path {
		if around == v {
			p.text(again)
			return
		}
	}
	if len(p.path) >= formatDepth || p.room() == 0 {
		p.text(open + ellipsis + end)
		return
	}
	p.path = append(p.path, v)
	p.parts(v, open, end)
	p.path = p.path[:len(p.path)-1]
}

func isNilPointer(v Value) bool {
	switch v := v.(type) {
	case *ByteArray:
		return v == nil
	case *List:
		return v == nil
	case *Tuple:
		return v == nil
	case *Dict:
		return v == nil
	case *Set:
		return v == nil
	case *FrozenSet:
		return v == nil
	case *Global:
		return v == nil
	case *Persistent:
		return v == nil
	case *Object:
		return v == nil
	}
	return false
}

func (p *printer) parts(v Value, open, end string) {
	switch v := v.(type) {
	case *ByteArray:
		n := min(len(v.Data), p.room()+1) // one more than fits shows that there is more
		p.text("bytearray(b")
		p.buf = appendReprBytes(p.buf, string(v.Data[:n]), min(n, p.room()))
		p.text(")")
	case *List:
		p.items(open, v.Items, end)
	case *Tuple:
		if len(v.Items) == 1 {
			end = ",)"
		}
		p.items(open, v.Items, end)
	case *Dict:
		p.entries(v)
	case *Set:
		p.set(&v.members, "set()", open, end)
	case *FrozenSet:
		p.set(&v.members, "frozenset()", open, end)
	case *Global:
		p.text("<global ")
		p.name(v)
		p.text(">")
	case *Persistent:
		p.text("<persistent ")
		p.value(v.ID)
		p.text(">")
	case *Object:
		p.object(v)
	}
}

// more writes what stands before part i and reports whether there is room for it.
func (p *printer) more(i int) bool {
	if i > 0 {
		p.text(", ")
	}
	if p.room() == 0 {
		p.text(ellipsis)
		return false
	}
	return true
}

func (p *printer) items(open string, items []Value, end string) {
	p.text(open)
	for i, v := range items {
		if !p.more(i) {
			break
		}
		p.value(v)
	}
	p.text(end)
}

func (p *printer) entries(d *Dict) {
	p.text("{")
	for i, e := range d.entries {
		if !p.more(i) {
			break
		}
		p.value(e.Key)
		p.text(": ")
		p.value(e.Value)
	}
	p.text("}")
}

func (p *printer) set(m *members, empty, open, end string) {
	if m.Len() == 0 {
		p.text(empty)
		return
	}
	p.text(open)
	for i, e := range m.dict.entries {
		if !p.more(i) {
			break
		}
		p.value(e.Key)
	}
	p.text(end)
}

func (p *printer) name(g *Global) {
	name := g.Dotted()
	if len(name) > p.room() {
		name = name[:p.room()] + ellipsis
	}
	p.text(name)
}

func (p *printer) object(o *Object) {
	p.text("<")
	if g, ok := o.Class.(*Global); ok && g != nil {
		p.name(g)
	} else {
		p.value(o.Class)
	}
	if o.Args != nil && len(o.Args.Items) > 0 {
		p.text(" ")
		p.value(o.Args)
	}
	if o.Kwargs != nil {
		p.text(" kwargs=")
		p.value(o.Kwargs)
	}
	for _, op := range o.Ops {
		if p.room() == 0 {
			p.text(ellipsis)
			break
		}
		p.op(op)
	}
	p.text(">")
}

func (p *printer) op(op Op) {
	switch {
	case op.Kind == Build && len(op.Values) == 1:
		p.text(" state=")
		p.value(op.Values[0])
	case op.Kind == SetItems:
		p.text(" items=")
		p.pairs(op.Values)
	default:
		p.text(" append=")
		p.items("[", op.Values, "]")
	}
}

func (p *printer) pairs(values []Value) {
	p.text("{")
	for i := 0; i+1 < len(values); i += 2 {
		if !p.more(i) {
			break
		}
		p.value(values[i])
		p.text(": ")
		p.value(values[i+1])
	}
	p.text("}")
}

// format answers every verb of fmt with the bounded text: fmt's own walk would
// not end on a recursive value.
func format(s fmt.State, v Value) {
	p := &printer{}
	p.value(v)
	s.Write(p.buf) //nolint:errcheck // fmt.State has nowhere to report it
}

// String returns "None".
func (None) String() string { return "None" }

// Format implements [fmt.Formatter]: an int too long to be read is named by
// its size, every other int is formatted by fmt with the verb asked for.
func (i *Int) Format(s fmt.State, verb rune) {
	if i == nil || i.BitLen() > formatBits || verb == 'v' || verb == 's' || verb == 'q' {
		format(s, i)
		return
	}
	i.Big().Format(s, verb)
}

// String is [Repr].
func (b *ByteArray) String() string { return Repr(b) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (b *ByteArray) Format(s fmt.State, _ rune) { format(s, b) }

// String is [Repr].
func (l *List) String() string { return Repr(l) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (l *List) Format(s fmt.State, _ rune) { format(s, l) }

// String is [Repr].
func (t *Tuple) String() string { return Repr(t) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (t *Tuple) Format(s fmt.State, _ rune) { format(s, t) }

// String is [Repr].
func (d *Dict) String() string { return Repr(d) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (d *Dict) Format(s fmt.State, _ rune) { format(s, d) }

// String is [Repr].
func (s *Set) String() string { return Repr(s) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (s *Set) Format(st fmt.State, _ rune) { format(st, s) }

// String is [Repr].
func (s *FrozenSet) String() string { return Repr(s) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (s *FrozenSet) Format(st fmt.State, _ rune) { format(st, s) }

// String is [Repr].
func (g *Global) String() string { return Repr(g) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (g *Global) Format(s fmt.State, _ rune) { format(s, g) }

// String is [Repr].
func (p *Persistent) String() string { return Repr(p) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (p *Persistent) Format(s fmt.State, _ rune) { format(s, p) }

// String is [Repr].
func (o *Object) String() string { return Repr(o) }

// Format implements [fmt.Formatter]: [Repr] for every verb.
func (o *Object) Format(s fmt.State, _ rune) { format(s, o) }
