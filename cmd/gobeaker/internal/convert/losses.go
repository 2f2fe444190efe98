package convert

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Bounds of a walk, which are those of pyjson, and of what it reports.
const (
	walkDepth  = 1000
	walkNodes  = 1 << 20
	mostErrors = 10
)

// walk goes through a value and names its parts as Python would:
// session["cart"][2]. Look is called for every part and every key of a dict.
type walk struct {
	root   string
	look   func(w *walk, v pyvalue.Value, key bool)
	path   []byte
	left   int
	depth  int
	errors []error
	notes  map[string]int
	order  []string
}

func (w *walk) value(v pyvalue.Value) {
	if w.left--; w.left < 0 || w.depth > walkDepth || len(w.errors) >= mostErrors {
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	failed := len(w.errors)
	w.look(w, v, false)
	if _, ok := v.(*pyvalue.Dict); !ok && len(w.errors) > failed {
		return // what is in it cannot be either, or does not matter
	}
	switch v := v.(type) {
	case *pyvalue.List:
		w.items(v.Items)
	case *pyvalue.Tuple:
		w.items(v.Items)
	case *pyvalue.Dict:
		w.dict(v)
	case *pyvalue.Set:
		for m := range v.All() {
			w.at("{…}", m)
		}
	case *pyvalue.FrozenSet:
		for m := range v.All() {
			w.at("{…}", m)
		}
	case *pyvalue.Object:
		w.object(v)
	}
}

func (w *walk) object(o *pyvalue.Object) {
	if d, ok := pyvalue.AsDict(o); ok {
		w.dict(d)
		return
	}
	if w.left -= o.Weight(); w.left < 0 {
		return
	}
	w.value(o.Class)
	for _, v := range o.Args.Items { // they have no names
		w.value(v)
	}
	for _, op := range o.Ops {
		for _, v := range op.Values {
			w.value(v)
		}
	}
}

func (w *walk) items(items []pyvalue.Value) {
	for i, v := range items {
		w.at("["+strconv.Itoa(i)+"]", v)
	}
}

func (w *walk) dict(d *pyvalue.Dict) {
	for k, v := range d.All() {
		w.look(w, k, true)
		w.at("["+keyName(k)+"]", v)
	}
}

func (w *walk) at(step string, v pyvalue.Value) {
	n := len(w.path)
	w.path = append(w.path, step...)
	w.value(v)
	w.path = w.path[:n]
}

// fail notes what cannot be; says begins with the type.
func (w *walk) fail(format string, args ...any) {
	if len(w.errors) < mostErrors {
		w.errors = append(w.errors, fmt.Errorf("%s%s: %s", w.root, w.path, fmt.Sprintf(format, args...)))
	}
}

// note counts what becomes something else; the text is the same for all.
func (w *walk) note(text string) {
	if w.notes[text] == 0 {
		w.order = append(w.order, fmt.Sprintf("%s%s: %s", w.root, w.path, text))
	}
	w.notes[text]++
}

// keyName writes the key of a dict, short and on one line: never more of it than
// that, it may be data.
func keyName(k pyvalue.Value) string {
	const most = 40
	s, ok := pyvalue.Text(k)
	if !ok {
		switch k.(type) {
		case *pyvalue.Int, pyvalue.Bool, pyvalue.None, pyvalue.Float:
			return pyvalue.Repr(k)
		}
		return "a " + pyvalue.TypeName(k)
	}
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}

func (e *encoder) walk(v pyvalue.Value, look func(*walk, pyvalue.Value, bool)) *walk {
	root := "session"
	if _, ok := v.(*pyvalue.Dict); !ok {
		root = "value"
	}
	w := &walk{root: root, look: look, left: walkNodes, notes: map[string]int{}}
	w.value(v)
	for i, text := range w.order {
		_, what, _ := strings.Cut(text, ": ")
		if n := w.notes[what]; n > 1 {
			w.order[i] = fmt.Sprintf("%s (and %d more)", text, n-1)
		}
		e.note(w.order[i])
	}
	return w
}

// forJSON says what JSON does not hold, and what it changes.
func (e *encoder) forJSON(v pyvalue.Value) error {
	_, err := pyjson.Append(nil, v)
	if errors.Is(err, pyjson.ErrCircular) || errors.Is(err, pyjson.ErrLimit) {
		return fmt.Errorf("convert: %w: %w", ErrCannot, err)
	}
	w := e.walk(v, lookForJSON)
	switch {
	case len(w.errors) > 0:
		return fmt.Errorf("convert: %w: %w", ErrCannot, errors.Join(w.errors...))
	case err != nil:
		return fmt.Errorf("convert: %w: %w", ErrCannot, err)
	}
	return nil
}

func lookForJSON(w *walk, v pyvalue.Value, key bool) {
	if key {
		lookAtJSONKey(w, v)
		return
	}
	switch v := v.(type) {
	case *pyvalue.Dict:
		sameText(w, v)
	case *pyvalue.Tuple:
		w.note("tuple becomes a list")
	case pyvalue.Py2Str:
		jsonPy2(w, v, "value")
	case pyvalue.None, pyvalue.Bool, *pyvalue.Int, pyvalue.Float, pyvalue.Str, *pyvalue.List:
	case *pyvalue.Object:
		if d, ok := pyvalue.AsDict(v); ok {
			sameText(w, d)
			w.note(pyvalue.TypeName(v) + " becomes a dict")
			return
		}
		w.fail("%s cannot be JSON", pyvalue.TypeName(v))
	default:
		w.fail("%s cannot be JSON", pyvalue.TypeName(v))
	}
}

func lookAtJSONKey(w *walk, k pyvalue.Value) {
	switch k := k.(type) {
	case pyvalue.Str:
	case pyvalue.Py2Str:
		jsonPy2(w, k, "key")
	case pyvalue.None, pyvalue.Bool, *pyvalue.Int, pyvalue.Float:
		w.note("the key " + pyvalue.Repr(k) + " becomes text")
	default:
		w.fail("a key of type %s cannot be JSON", pyvalue.TypeName(k))
	}
}

func jsonPy2(w *walk, s pyvalue.Py2Str, what string) {
	switch {
	case !pyvalue.ValidText(string(s)):
		w.fail("a %s of type %s that is not UTF-8 cannot be JSON", what, pyvalue.TypeName(s))
	case what == "value":
		w.note("str of Python 2 becomes unicode")
	}
}

// sameText finds keys that are different in Python and the same in JSON.
func sameText(w *walk, d *pyvalue.Dict) {
	seen := map[string]bool{}
	for k := range d.All() {
		name, ok := pyvalue.Text(k)
		if !ok {
			text, err := pyjson.Append(nil, k)
			if err != nil {
				continue // it is reported as a key
			}
			name = string(text)
		}
		if seen[name] {
			w.fail("two keys become the same text, %s", keyName(pyvalue.Str(name)))
		}
		seen[name] = true
	}
}
