package pyvalue

import "math"

// Equal reports whether a and b are the same Python value: the same types,
// numbers, texts and order, NaN equal to NaN of the same bits. It does not
// matter whether equal parts are one object or two; see [Same].
func Equal(a, b Value) bool { return (&comparison{}).run(a, b) }

// Same is [Equal] and asks too that the parts of a that are one object are one
// object in b and the reverse, so that shared and recursive references agree.
func Same(a, b Value) bool {
	return (&comparison{forward: map[Value]Value{}, back: map[Value]Value{}}).run(a, b)
}

// comparison walks two values side by side. It keeps its own stack, so depth
// is no danger to it. What it was once told to compare counts as equal from
// then on (if it is not, the answer is false anyway), and so does what is equal
// to either: there are no more comparisons than objects, so neither cycles nor
// shared parts are a danger.
type comparison struct {
	todo          [][2]Value
	equals        map[any]any     // a forest: what has one root is equal
	forward, back map[Value]Value // what stands for what; nil if sharing does not matter
}

// textRef stands for a long text in the forest.
type textRef struct {
	at  *byte
	len int
}

const longText = 256

func (c *comparison) run(a, b Value) bool {
	c.push(a, b)
	for len(c.todo) > 0 {
		p := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		if !c.step(p[0], p[1]) {
			return false
		}
	}
	return true
}

func (c *comparison) push(a, b Value) { c.todo = append(c.todo, [2]Value{a, b}) }

func (c *comparison) pushAll(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		c.push(a[i], b[i])
	}
	return true
}

// pair notes that a and b stand for each other. known: they were met before.
func (c *comparison) pair(a, b Value) (ok, known bool) {
	if c.forward != nil {
		f, inF := c.forward[a]
		r, inB := c.back[b]
		if inF || inB {
			return inF && inB && f == b && r == a, true
		}
		c.forward[a], c.back[b] = b, a
		return true, false
	}
	return true, c.join(a, b)
}

// join notes that a and b are equal, and reports whether that was known.
func (c *comparison) join(a, b any) (known bool) {
	a, b = c.root(a), c.root(b)
	if a == b {
		return true
	}
	if c.equals == nil {
		c.equals = map[any]any{}
	}
	c.equals[a] = b
	return false
}

func (c *comparison) root(v any) any {
	for {
		up, ok := c.equals[v]
		if !ok {
			return v
		}
		if next, ok := c.equals[up]; ok { // halve the way for those who come after
			c.equals[v] = next
		}
		v = up
	}
}

// texts compares two texts; long ones are read once, however often they are
// referred to.
func (c *comparison) texts(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) >= longText && c.join(textRef{TextAddress(a), len(a)}, textRef{TextAddress(b), len(b)}) {
		return true
	}
	return a == b
}

// step compares one pair and pushes the pairs of its parts.
func (c *comparison) step(a, b Value) bool {
	switch a := a.(type) {
	case *Int:
		b, ok := b.(*Int)
		if !ok || a.long != b.long {
			return false
		}
		return a.big != nil && c.join(a, b) || a.equal(b)
	case Float:
		b, ok := b.(Float)
		return ok && sameFloat(float64(a), float64(b))
	case Complex:
		b, ok := b.(Complex)
		return ok && sameFloat(real(a), real(b)) && sameFloat(imag(a), imag(b))
	case *Global:
		b, ok := b.(*Global)
		return ok && *a == *b
	case *Persistent:
		b, ok := b.(*Persistent)
		if !ok || a.Text != b.Text {
			return false
		}
		c.push(a.ID, b.ID)
		return true
	case *Tuple:
		if b, ok := b.(*Tuple); ok && len(a.Items) == 0 {
			return len(b.Items) == 0 // there is only one empty tuple
		}
	case Str:
		b, ok := b.(Str)
		return ok && c.texts(string(a), string(b))
	case Py2Str:
		b, ok := b.(Py2Str)
		return ok && c.texts(string(a), string(b))
	case Bytes:
		b, ok := b.(Bytes)
		return ok && c.texts(string(a), string(b))
	case nil, None, Bool, Extension:
		return a == b
	}
	return c.container(a, b)
}

func (c *comparison) container(a, b Value) bool {
	ok, known := c.pair(a, b)
	if !ok || known {
		return ok
	}
	switch a := a.(type) {
	case *ByteArray:
		b, ok := b.(*ByteArray)
		return ok && string(a.Data) == string(b.Data)
	case *List:
		b, ok := b.(*List)
		return ok && c.pushAll(a.Items, b.Items)
	case *Tuple:
		b, ok := b.(*Tuple)
		return ok && c.pushAll(a.Items, b.Items)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && c.entries(a, b)
	case *Set:
		b, ok := b.(*Set)
		return ok && c.entries(&a.dict, &b.dict)
	case *FrozenSet:
		b, ok := b.(*FrozenSet)
		return ok && c.entries(&a.dict, &b.dict)
	case *Object:
		b, ok := b.(*Object)
		return ok && c.object(a, b)
	}
	return false
}

func (c *comparison) entries(a, b *Dict) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i, e := range a.entries {
		c.push(e.Key, b.entries[i].Key)
		c.push(e.Value, b.entries[i].Value)
	}
	return true
}

func (c *comparison) object(a, b *Object) bool {
	if a.How != b.How || len(a.Ops) != len(b.Ops) || (a.Kwargs == nil) != (b.Kwargs == nil) {
		return false
	}
	c.push(a.Class, b.Class)
	if a.Kwargs != nil {
		c.push(a.Kwargs, b.Kwargs)
	}
	for i, op := range a.Ops {
		if op.Kind != b.Ops[i].Kind || !c.pushAll(op.Values, b.Ops[i].Values) {
			return false
		}
	}
	return c.pushAll(a.Args.Items, b.Args.Items)
}

func sameFloat(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
