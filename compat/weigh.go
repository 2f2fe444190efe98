package compat

import (
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// nodeWeight is about what an interface and what is behind it take.
const nodeWeight = 64

// weigh returns about how many bytes of memory a session takes, or more than most. It
// looks at no more values than fit into that: a list that holds itself has no end.
func (k kept) weigh(most int) int {
	s := scale{weight: 4 * nodeWeight, most: most}
	s.text(k.base.text)
	s.add(k.values)
	for len(s.todo) > 0 && s.weight <= most {
		v := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		s.open(v)
	}
	return s.weight
}

// scale weighs values.
type scale struct {
	weight, most int
	todo         []pyvalue.Value
}

// add puts values on the scale, as long as it is not full.
func (s *scale) add(values ...pyvalue.Value) {
	if s.weight += nodeWeight * len(values); s.weight <= s.most {
		s.todo = append(s.todo, values...)
	}
}

// open adds what is in a value.
func (s *scale) open(v pyvalue.Value) {
	switch v := v.(type) {
	case pyvalue.Str, pyvalue.Py2Str, pyvalue.Bytes:
		s.text(v)
	case *pyvalue.ByteArray:
		s.weight += len(v.Data)
	case *pyvalue.Int:
		if _, small := v.Int64(); !small {
			s.weight += v.Big().BitLen() / 8
		}
	case *pyvalue.List:
		s.add(v.Items...)
	case *pyvalue.Tuple:
		s.add(v.Items...)
	case *pyvalue.Dict:
		for key, value := range v.All() {
			s.add(key, value)
		}
	case *pyvalue.Set:
		for member := range v.All() {
			s.add(member)
		}
	case *pyvalue.FrozenSet:
		for member := range v.All() {
			s.add(member)
		}
	case *pyvalue.Global:
		s.weight += len(v.Module) + len(v.Name)
	case *pyvalue.Persistent:
		s.add(v.ID)
	case *pyvalue.Object:
		s.add(v.Class, v.Args, v.Kwargs)
		for _, op := range v.Ops {
			s.add(op.Values...)
		}
	}
}

func (s *scale) text(v pyvalue.Value) {
	switch v := v.(type) {
	case pyvalue.Str:
		s.weight += len(v)
	case pyvalue.Py2Str:
		s.weight += len(v)
	case pyvalue.Bytes:
		s.weight += len(v)
	}
}
