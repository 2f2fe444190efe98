package pickle

import "github.com/gobeaker/gobeaker/beakerfmt/pyvalue"

// shallow reports whether what the machine made cannot nest too deeply,
// whatever contains what. On a path from the root each container that was
// filled after it was made stands once at most, as the encoder remembers it
// before it goes on, and between two of them each of the others once.
func (m *machine) shallow() bool {
	return (m.open+1)*(m.closed+1)+m.open <= m.lim.MaxDepth
}

// checkDepth walks v as the encoder does, depth first and into each container
// once, on a stack of its own, and refuses what is nested too deeply. It is
// the order of the walk that counts: parts that are shared or appended later
// lie as deep as the path on which they are met first.
func checkDepth(root pyvalue.Value, maxDepth int) error {
	w := walk{done: map[pyvalue.Value]bool{}, again: maxAgain}
	w.enter(root)
	for len(w.path) > 0 {
		if len(w.path) > maxDepth {
			return limit("nested too deeply")
		}
		top := &w.path[len(w.path)-1]
		v, more := top.child()
		if !more {
			w.done[top.v] = true
			w.path = w.path[:len(w.path)-1]
			continue
		}
		if top.made() {
			w.done[top.v] = true
		}
		if !w.enter(v) {
			return limit("recursive tuples are too many")
		}
	}
	return nil
}

// maxAgain bounds how many items of recursive tuples are walked or written
// again. Python writes such a tuple anew each time it meets it inside itself.
const maxAgain = 1 << 20

type walk struct {
	path  []visit
	done  map[pyvalue.Value]bool // present: met; true: need not be entered again
	again int
}

// visit is a value whose parts are being walked. For an object, next counts
// class, arguments, keyword arguments and then the values of the operation op.
type visit struct {
	v    pyvalue.Value
	next int
	op   int
}

// enter puts v on the path unless it has no parts or was entered before. It
// reports false if too much is walked again.
func (w *walk) enter(v pyvalue.Value) bool {
	n := 0
	switch v := v.(type) {
	case *pyvalue.List, *pyvalue.Dict:
		if !w.done[v] {
			w.done[v] = true
			w.path = append(w.path, visit{v: v})
		}
		return true
	case *pyvalue.Tuple:
		n = len(v.Items)
		if n == 0 {
			return true
		}
	case *pyvalue.Set:
		n = v.Len()
	case *pyvalue.FrozenSet:
		n = v.Len()
	case *pyvalue.Object, *pyvalue.Persistent:
	default:
		return true
	}
	done, met := w.done[v]
	switch {
	case done:
		return true
	case met:
		if w.again -= n + 1; w.again < 0 {
			return false
		}
	default:
		w.done[v] = false
	}
	w.path = append(w.path, visit{v: v})
	return true
}

// made reports whether the object exists by now, so that references to it are
// references: its arguments are behind us.
func (t *visit) made() bool {
	_, ok := t.v.(*pyvalue.Object)
	return ok && t.next > 3
}

// child returns the next part of the value.
func (t *visit) child() (v pyvalue.Value, more bool) {
	i := t.next
	t.next++
	switch v := t.v.(type) {
	case *pyvalue.List:
		if i < len(v.Items) {
			return v.Items[i], true
		}
	case *pyvalue.Tuple:
		if i < len(v.Items) {
			return v.Items[i], true
		}
	case *pyvalue.Dict:
		if e := v.Entries(); i/2 < len(e) {
			if i%2 == 0 {
				return e[i/2].Key, true
			}
			return e[i/2].Value, true
		}
	case *pyvalue.Set:
		if i < v.Len() {
			return v.At(i), true
		}
	case *pyvalue.FrozenSet:
		if i < v.Len() {
			return v.At(i), true
		}
	case *pyvalue.Persistent:
		return v.ID, i == 0
	case *pyvalue.Object:
		return t.objectChild(v, i)
	}
	return nil, false
}

func (t *visit) objectChild(o *pyvalue.Object, i int) (pyvalue.Value, bool) {
	switch i {
	case 0:
		return o.Class, true
	case 1:
		return o.Args, true
	case 2:
		return o.Kwargs, true // may be nil, which has no parts
	}
	i -= 3
	for t.op < len(o.Ops) {
		if values := o.Ops[t.op].Values; i < len(values) {
			return values[i], true
		}
		t.op++
		i, t.next = 0, 4
	}
	return nil, false
}
