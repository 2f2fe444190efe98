// Package tree makes of a Python value what a person can read: a tree of lines
// with Python's types, bounded in depth, number and width. The text output of
// "gobeaker inspect" and the page of "gobeaker serve" are made of it.
package tree

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
)

// Node is one value of the tree.
type Node struct {
	Label    string // key or index as Python writes it; "" for the root
	Type     string // Python's type
	Text     string // the value, or how many it holds
	Note     string // what a person would like to know beside it
	Hidden   bool   // by [Options.Hide]; Text says so
	Children []Node
}

// Options bound a tree. Zero numbers mean the defaults in the comments.
type Options struct {
	MaxDepth int // 32 levels
	MaxNodes int // 10,000 nodes
	MaxText  int // 96 characters of each value
	// Hide tells of which keys the values are not to be shown, at any depth: of dicts, of
	// the state of objects, and of pairs that begin with one; nil: none. See [Secret].
	Hide func(key string) bool
}

// New returns the tree of v.
func New(v pyvalue.Value, o Options) Node {
	b := newBuilder(v, o)
	return b.node("", v, 0)
}

func newBuilder(v pyvalue.Value, o Options) *builder {
	if o.MaxDepth <= 0 {
		o.MaxDepth = 32
	}
	if o.MaxNodes <= 0 {
		o.MaxNodes = 10_000
	}
	if o.MaxText <= 0 {
		o.MaxText = 96
	}
	return &builder{Options: o, dialect: taggedjson.Guess(v), left: o.MaxNodes, work: maxWork, above: map[pyvalue.Value]string{}}
}

type builder struct {
	Options
	dialect taggedjson.Dialect
	left    int                      // nodes
	work    int                      // parts that may be looked at: the same large value can be there many times
	above   map[pyvalue.Value]string // containers that the current one is in, with their labels
}

func (b *builder) node(label string, v pyvalue.Value, depth int) Node {
	b.left--
	n := Node{Label: label, Type: b.typeName(v), Text: b.text(v)}
	if n.Text != "" {
		n.Note = note(label, v)
		return n
	}
	if name, ok := b.above[v]; ok {
		n.Text = "… (it contains itself: see " + name + " above)"
		return n
	}
	if b.work -= size(v); b.work < 0 {
		n.Text = "… (too much to show)"
		return n
	}
	kids := children(v)
	n.Text = count(v, kids)
	if len(kids) > 0 && depth >= b.MaxDepth {
		n.Text += " … (too deep to show)"
		return n
	}
	name := label
	if name == "" {
		name = "the top"
	}
	b.above[v] = name
	defer delete(b.above, v)
	for i, k := range kids {
		if b.left <= 0 {
			n.Children = append(n.Children, Node{Label: "…", Text: fmt.Sprintf("%d more not shown", len(kids)-i)})
			break
		}
		n.Children = append(n.Children, b.child(k, depth))
	}
	return n
}

func (b *builder) child(k kid, depth int) Node {
	if k.key != nil {
		k.label = b.key(k.key)
	}
	if b.hides(k) {
		b.left--
		return Node{Label: k.label, Type: b.typeName(k.value), Text: "(hidden)", Hidden: true}
	}
	return b.node(k.label, k.value, depth+1)
}

// key writes a dict key on one line.
func (b *builder) key(k pyvalue.Value) string {
	if s := b.text(k); s != "" {
		return s
	}
	return b.clip(pyvalue.Repr(k))
}

// text returns the value of a leaf, or "" for what has children.
func (b *builder) text(v pyvalue.Value) string {
	switch v := v.(type) {
	case pyvalue.None, pyvalue.Bool, pyvalue.Float, pyvalue.Complex, *pyvalue.Int:
		return b.clip(pyvalue.Repr(v))
	case pyvalue.Str:
		return b.quoted(string(v), pyvalue.ReprStr)
	case pyvalue.Py2Str:
		return b.quoted(string(v), func(s string) string { return pyvalue.ReprBytes(s)[1:] })
	case pyvalue.Bytes:
		return b.quoted(string(v), pyvalue.ReprBytes)
	case *pyvalue.ByteArray:
		return b.quoted(string(v.Data), pyvalue.ReprBytes)
	case *pyvalue.Global:
		return b.clip(v.Dotted())
	case pyvalue.Extension:
		return strconv.FormatUint(uint64(v), 10)
	case *pyvalue.Object:
		return b.wellKnown(v)
	case nil:
		return "(nothing)"
	}
	return ""
}

func (b *builder) wellKnown(o *pyvalue.Object) string {
	if t, naive, ok := pyvalue.AsTime(o); ok {
		if naive {
			return t.Format("2006-01-02T15:04:05.999999")
		}
		return t.Format("2006-01-02T15:04:05.999999-07:00")
	}
	if d, ok := pyvalue.AsDate(o); ok {
		return d.String()
	}
	if t, ok := pyvalue.AsTimeOfDay(o); ok {
		return t.String()
	}
	if d, ok := pyvalue.AsTimedelta(o); ok {
		return fmt.Sprintf("%d days, %d seconds, %d microseconds", d.Days, d.Seconds, d.Microseconds)
	}
	if u, ok := pyvalue.AsUUID(o); ok {
		return u.String()
	}
	if d, ok := pyvalue.AsDecimal(o); ok {
		return b.clip(string(d))
	}
	return ""
}

// quoted cuts s before repr, so that a huge text is not written out to be
// thrown away.
func (b *builder) quoted(s string, repr func(string) string) string {
	if utf8.RuneCountInString(s[:min(len(s), 4*b.MaxText+1)]) <= b.MaxText && len(s) <= 4*b.MaxText {
		return repr(s)
	}
	cut := cutRunes(s, b.MaxText)
	return fmt.Sprintf("%s… (%d bytes in all)", repr(cut), len(s))
}

func (b *builder) clip(s string) string {
	if cut := cutRunes(s, b.MaxText); len(cut) < len(s) {
		return cut + "…"
	}
	return s
}

// cutRunes returns the first n characters of s.
func cutRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// typeName is pyvalue.TypeName in the words of the Python that has the value:
// only Python 2 tells long from int.
func (b *builder) typeName(v pyvalue.Value) string {
	if _, ok := v.(*pyvalue.Int); ok && b.dialect == taggedjson.Python3 {
		return "int"
	}
	return pyvalue.TypeName(v)
}

// kid is a child before it is a Node.
type kid struct {
	label string
	key   pyvalue.Value // of a dict; the label is made of it
	first pyvalue.Value // of a pair, for the value after it
	value pyvalue.Value
}

// maxWork is room for a few values of the largest size that decoders admit.
const maxWork = 8 << 20

// size is how many parts there are to look at in v.
func size(v pyvalue.Value) int {
	switch v := v.(type) {
	case *pyvalue.List:
		return len(v.Items)
	case *pyvalue.Tuple:
		return len(v.Items)
	case *pyvalue.Dict:
		return v.Len()
	case *pyvalue.Set:
		return v.Len()
	case *pyvalue.FrozenSet:
		return v.Len()
	case *pyvalue.Object:
		return v.Weight()
	}
	return 1
}

func children(v pyvalue.Value) []kid {
	switch v := v.(type) {
	case *pyvalue.List:
		return indexed(v.Items)
	case *pyvalue.Tuple:
		return indexed(v.Items)
	case *pyvalue.Dict:
		return entries(v)
	case *pyvalue.Set:
		return members(v.Len(), v.At)
	case *pyvalue.FrozenSet:
		return members(v.Len(), v.At)
	case *pyvalue.Persistent:
		return []kid{{label: "id", value: v.ID}}
	case *pyvalue.Object:
		return objectParts(v)
	}
	return nil
}

func indexed(items []pyvalue.Value) []kid {
	kids := make([]kid, len(items))
	for i, v := range items {
		kids[i] = kid{label: strconv.Itoa(i), value: v}
	}
	if len(items) == 2 {
		kids[1].first = items[0]
	}
	return kids
}

func entries(d *pyvalue.Dict) []kid {
	kids := make([]kid, 0, d.Len())
	for k, v := range d.All() {
		kids = append(kids, kid{key: k, value: v})
	}
	return kids
}

func members(n int, at func(int) pyvalue.Value) []kid {
	kids := make([]kid, n)
	for i := range kids {
		kids[i] = kid{label: "-", value: at(i)}
	}
	return kids
}

// objectParts shows a dict subclass as its entries, and any other object as
// its arguments and what was done to it.
func objectParts(o *pyvalue.Object) []kid {
	if d, ok := pyvalue.AsDict(o); ok {
		return entries(d)
	}
	var kids []kid
	if reconstructed(o) {
		kids = append(kids, baseParts(o.Args.Items[2])...)
	} else if len(o.Args.Items) > 0 {
		kids = append(kids, kid{label: "args", value: o.Args})
	}
	if o.Kwargs != nil {
		kids = append(kids, kid{label: "kwargs", value: o.Kwargs})
	}
	for _, op := range o.Ops {
		kids = append(kids, opParts(op)...)
	}
	return kids
}

// reconstructed reports whether the arguments name the class, its base and the
// value of the base, as pickles of protocol 0 and 1 have it.
func reconstructed(o *pyvalue.Object) bool {
	g, ok := o.Class.(*pyvalue.Global)
	return ok && o.How == pyvalue.Reduce && g.Is("copyreg", "_reconstructor") && len(o.Args.Items) == 3
}

// baseParts shows what an object has of its base class, a dict or a list.
func baseParts(v pyvalue.Value) []kid {
	switch v := v.(type) {
	case pyvalue.None:
		return nil
	case *pyvalue.Dict:
		return entries(v)
	case *pyvalue.List:
		return indexed(v.Items)
	}
	return []kid{{label: "value", value: v}}
}

func opParts(op pyvalue.Op) []kid {
	switch op.Kind {
	case pyvalue.Build:
		if d, ok := op.Values[0].(*pyvalue.Dict); ok {
			return entries(d)
		}
		return []kid{{label: "state", value: op.Values[0]}}
	case pyvalue.SetItems:
		var kids []kid
		for i := 0; i+1 < len(op.Values); i += 2 {
			kids = append(kids, kid{key: op.Values[i], value: op.Values[i+1]})
		}
		return kids
	}
	return indexed(op.Values)
}

func count(v pyvalue.Value, kids []kid) string {
	unit := [2]string{"item", "items"}
	switch v.(type) {
	case *pyvalue.Dict:
		unit = [2]string{"key", "keys"}
	case *pyvalue.Object:
		unit = [2]string{"part", "parts"}
	}
	if len(kids) == 1 {
		return "1 " + unit[0]
	}
	return strconv.Itoa(len(kids)) + " " + unit[1]
}

// note reads Beaker's own times for people.
func note(label string, v pyvalue.Value) string {
	if label != "'_accessed_time'" && label != "'_creation_time'" {
		return ""
	}
	f, ok := v.(pyvalue.Float)
	if !ok || !(f > 0 && f < 1e11) {
		return ""
	}
	return time.UnixMilli(int64(f * 1000)).UTC().Format("2006-01-02 15:04:05 UTC")
}
