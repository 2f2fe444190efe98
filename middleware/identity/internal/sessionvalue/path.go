package sessionvalue

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

// Bounds of a path.
const (
	maxPath     = 512 // bytes
	maxSegments = 16
)

// secretKey is where a cookie-only session keeps its id.
const secretKey = "_id"

// Path leads to a value in a session.
type Path struct{ segments []string }

// ParsePath reads a path: keys with dots between them, and a backslash before a dot or a
// backslash that belongs to a key.
func ParsePath(text string) (Path, error) {
	var p Path
	switch {
	case text == "":
		return p, errors.New("an empty path")
	case len(text) > maxPath:
		return p, fmt.Errorf("a path of more than %d bytes", maxPath)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return p, fmt.Errorf("path %q: not printable text", text)
	}
	var segment strings.Builder
	for rest := text; ; {
		i := strings.IndexAny(rest, `.\`)
		if i < 0 {
			segment.WriteString(rest)
			break
		}
		segment.WriteString(rest[:i])
		separator := rest[i]
		rest = rest[i+1:]
		if separator == '.' {
			p.segments = append(p.segments, segment.String())
			segment.Reset()
			continue
		}
		if rest == "" || rest[0] != '.' && rest[0] != '\\' {
			return p, fmt.Errorf("path %q: a backslash stands before a dot or a backslash only", text)
		}
		segment.WriteByte(rest[0])
		rest = rest[1:]
	}
	p.segments = append(p.segments, segment.String())
	switch {
	case slices.Contains(p.segments, ""):
		return p, fmt.Errorf("path %q: a key without a name", text)
	case len(p.segments) > maxSegments:
		return p, fmt.Errorf("path %q: more than %d keys", text, maxSegments)
	case p.segments[0] == secretKey:
		return p, fmt.Errorf("path %q: the id of a session is secret", text)
	}
	return p, nil
}

// String returns the text of which ParsePath makes the same path; there is one.
func (p Path) String() string {
	escaped := make([]string, len(p.segments))
	for i, s := range p.segments {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(s)
	}
	return strings.Join(escaped, ".")
}

// Equal reports whether two paths are the same.
func (p Path) Equal(q Path) bool { return slices.Equal(p.segments, q.segments) }

// Find returns the value at the path.
func (p Path) Find(v *compat.View) (pyvalue.Value, bool) {
	value, ok := v.Get(p.segments[0])
	if !ok && !pyvalue.IsASCII(p.segments[0]) {
		value, ok = v.Dict().Get(pyvalue.Py2Str(p.segments[0]))
	}
	for _, name := range p.segments[1:] {
		if !ok {
			return nil, false
		}
		value, ok = child(value, name)
	}
	return value, ok
}

// child returns what a container has under a name, or an object for an attribute.
func child(v pyvalue.Value, name string) (pyvalue.Value, bool) {
	switch v := v.(type) {
	case *pyvalue.Dict:
		return inDict(v, name)
	case *pyvalue.List:
		return inItems(v.Items, name)
	case *pyvalue.Tuple:
		return inItems(v.Items, name)
	case *pyvalue.Object:
		return inObject(v, name)
	}
	return nil, false
}

// inDict looks for text, then for the int of these digits.
func inDict(d *pyvalue.Dict, name string) (pyvalue.Value, bool) {
	if v, ok := d.GetStr(name); ok {
		return v, true
	}
	if !pyvalue.IsASCII(name) {
		if v, ok := d.Get(pyvalue.Py2Str(name)); ok {
			return v, true
		}
	}
	if v, ok := d.Get(pyvalue.Bytes(name)); ok {
		return v, true
	}
	if n, ok := index(name); ok {
		return d.Get(pyvalue.NewInt(n))
	}
	return nil, false
}

func inItems(items []pyvalue.Value, name string) (pyvalue.Value, bool) {
	n, ok := index(name)
	if !ok || n >= int64(len(items)) {
		return nil, false
	}
	return items[n], true
}

// index reads digits without a leading zero, of which there is one writing.
func index(name string) (int64, bool) {
	if name == "" || name[0] == '0' && len(name) > 1 || strings.Trim(name, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(name, 10, 64)
	return n, err == nil
}

func inObject(o *pyvalue.Object, name string) (pyvalue.Value, bool) {
	if d, ok := dictOf(o); ok {
		if v, ok := inDict(d, name); ok {
			return v, true
		}
	}
	if items, ok := Members(o); ok {
		if v, ok := inItems(items, name); ok {
			return v, true
		}
	}
	for _, attributes := range attributesOf(o) {
		if v, ok := attributes.GetStr(name); ok {
			return v, true
		}
	}
	return nil, false
}

// dictOf returns the entries of a dict, of the dicts of Python's collections module, and
// of subclasses of dict, as far as the pickle has any.
func dictOf(v pyvalue.Value) (*pyvalue.Dict, bool) {
	if d, ok := pyvalue.AsDict(v); ok {
		return d, true
	}
	o, ok := v.(*pyvalue.Object)
	if !ok {
		return nil, false
	}
	d := &pyvalue.Dict{}
	if base, ok := baseOf(o).(*pyvalue.Dict); ok {
		d = base.Clone()
	}
	found := d.Len() > 0
	for _, op := range o.Ops {
		if op.Kind != pyvalue.SetItems {
			continue
		}
		found = true
		for i := 0; i+1 < len(op.Values); i += 2 {
			d.Put(op.Values[i], op.Values[i+1])
		}
	}
	return d, found
}

// Members returns the members of a list, tuple, set, frozenset or deque, and of
// subclasses of them, as far as the pickle has any; sets in the order of the session.
func Members(v pyvalue.Value) ([]pyvalue.Value, bool) {
	switch v := v.(type) {
	case *pyvalue.List:
		return v.Items, true
	case *pyvalue.Tuple:
		return v.Items, true
	case *pyvalue.Set:
		return slices.Collect(v.All()), true
	case *pyvalue.FrozenSet:
		return slices.Collect(v.All()), true
	}
	if items, _, ok := pyvalue.AsDeque(v); ok {
		return items, true
	}
	o, ok := v.(*pyvalue.Object)
	if !ok {
		return nil, false
	}
	var items []pyvalue.Value
	if base := baseOf(o); base != nil {
		if _, object := base.(*pyvalue.Object); !object {
			items, _ = Members(base)
		}
	}
	items = slices.Clip(items)
	for _, op := range o.Ops {
		if op.Kind == pyvalue.Append || op.Kind == pyvalue.AddItems {
			items = append(items, op.Values...)
		}
	}
	return items, len(items) > 0
}

// IsSet reports whether the order of the members means nothing.
func IsSet(v pyvalue.Value) bool {
	switch v := v.(type) {
	case *pyvalue.Set, *pyvalue.FrozenSet:
		return true
	case *pyvalue.Object:
		return slices.ContainsFunc(v.Ops, func(op pyvalue.Op) bool { return op.Kind == pyvalue.AddItems })
	}
	return false
}

// baseOf returns what a subclass of a built-in class began with, as protocols 0 and 1
// tell it (copyreg._reconstructor(class, base, state)).
func baseOf(o *pyvalue.Object) pyvalue.Value {
	g, ok := o.Class.(*pyvalue.Global)
	if !ok || o.How != pyvalue.Reduce || o.Args == nil || len(o.Args.Items) != 3 || !g.Is("copyreg", "_reconstructor") {
		return nil
	}
	return o.Args.Items[2]
}

// attributesOf returns where an object's attributes are: the dict that is its state, or
// the dicts in the pair that an object with __slots__ has (copyreg.__reduce_ex__).
func attributesOf(o *pyvalue.Object) []*pyvalue.Dict {
	state, ok := o.State()
	if !ok {
		return nil
	}
	switch state := state.(type) {
	case *pyvalue.Dict:
		return []*pyvalue.Dict{state}
	case *pyvalue.Tuple:
		if len(state.Items) != 2 {
			return nil
		}
		var dicts []*pyvalue.Dict
		for i, item := range state.Items {
			d, ok := item.(*pyvalue.Dict)
			if ok {
				dicts = append(dicts, d)
			} else if i != 0 || !IsNone(item) {
				return nil
			}
		}
		return dicts
	}
	return nil
}

// IsNone reports whether v is Python's None.
func IsNone(v pyvalue.Value) bool {
	_, ok := v.(pyvalue.None)
	return ok
}
