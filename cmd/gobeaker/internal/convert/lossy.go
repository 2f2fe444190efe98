package convert

import (
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Loss is something in a session that JSON does not hold as it is.
type Loss struct {
	Key     string // of the session; as [Losses] found it, which may be data
	Type    string // of the value, or of a part of it
	Becomes string // what JSON makes of it; "": it cannot be JSON
}

// Losses tells what JSON would not hold of a session, a few for each key, and which of
// them are the keys' own. Each is told once.
func Losses(session *pyvalue.Dict) []Loss {
	var out []Loss
	seen := map[Loss]bool{}
	left := walkNodes
	for k, v := range session.All() {
		name, ok := pyvalue.Text(k)
		if !ok {
			name = pyvalue.TypeName(k)
		}
		note := func(w *walk, v pyvalue.Value, key bool) {
			failed, noted := len(w.errors), len(w.order)
			lookForJSON(w, v, key)
			l := Loss{Key: name, Type: pyvalue.TypeName(v)}
			switch {
			case len(w.errors) > failed:
			case len(w.order) > noted:
				_, l.Becomes, _ = strings.Cut(w.order[noted], " becomes ")
			default:
				return
			}
			if !seen[l] {
				seen[l] = true
				out = append(out, l)
			}
		}
		w := &walk{look: note, left: left, notes: map[string]int{}}
		note(w, k, true)
		w.value(v)
		left = w.left
	}
	return out
}
