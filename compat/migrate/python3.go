package migrate

import (
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// forPython3 returns a session that Python 3 loads as far as that depends on Python 2's
// dates and times: what they are made of is 8 bits in a str there, which Python 3 takes
// for text. As bytes, both load it. Changed: it is a copy, for there were some.
func forPython3(session *pyvalue.Dict) (d *pyvalue.Dict, changed bool, err error) {
	w := dates{seen: map[pyvalue.Value]bool{}}
	if w.value(session); w.found == 0 {
		return session, false, nil
	}
	data, err := pickle.Append(nil, session, pickle.DefaultProtocol)
	if err != nil {
		return nil, false, err
	}
	v, err := pickle.Decode(data, pickle.OwnLimits())
	if err != nil {
		return nil, false, err
	}
	w = dates{seen: map[pyvalue.Value]bool{}, change: true}
	w.value(v)
	return v.(*pyvalue.Dict), true, nil
}

// dates looks for dates and times of Python 2.
type dates struct {
	seen   map[pyvalue.Value]bool // the same value can be there many times, in itself too
	change bool
	found  int
}

func (w *dates) value(v pyvalue.Value) {
	switch v.(type) {
	case *pyvalue.List, *pyvalue.Tuple, *pyvalue.Dict, *pyvalue.Set, *pyvalue.FrozenSet, *pyvalue.Object:
		if w.seen[v] {
			return
		}
		w.seen[v] = true
	}
	switch v := v.(type) {
	case *pyvalue.List:
		w.all(v.Items)
	case *pyvalue.Tuple:
		w.all(v.Items)
	case *pyvalue.Dict:
		for key, item := range v.All() {
			w.value(key)
			w.value(item)
		}
	case *pyvalue.Set:
		for item := range v.All() {
			w.value(item)
		}
	case *pyvalue.FrozenSet:
		for item := range v.All() {
			w.value(item)
		}
	case *pyvalue.Object:
		w.object(v)
	}
}

func (w *dates) all(items []pyvalue.Value) {
	for _, item := range items {
		w.value(item)
	}
}

func (w *dates) object(o *pyvalue.Object) {
	if state, ok := python2Date(o); ok {
		if w.found++; w.change {
			items := append([]pyvalue.Value{pyvalue.Bytes(state)}, o.Args.Items[1:]...)
			o.Args = pyvalue.NewTuple(items...) // the tuple may be that of others, too
		}
	}
	w.value(o.Args)
	if o.Kwargs != nil {
		w.value(o.Kwargs)
	}
	for _, op := range o.Ops {
		w.all(op.Values)
	}
}

// python2Date returns what a date or time of Python 2 is made of, by its length; a
// timedelta has numbers.
func python2Date(o *pyvalue.Object) (state string, ok bool) {
	g, isGlobal := o.Class.(*pyvalue.Global)
	if !isGlobal || o.How != pyvalue.Reduce || len(o.Args.Items) == 0 {
		return "", false
	}
	s, ok := o.Args.Items[0].(pyvalue.Py2Str)
	switch {
	case !ok:
		return "", false
	case g.Is("datetime", "datetime"):
		return string(s), len(s) == 10
	case g.Is("datetime", "date"):
		return string(s), len(s) == 4
	case g.Is("datetime", "time"):
		return string(s), len(s) == 6
	}
	return "", false
}
