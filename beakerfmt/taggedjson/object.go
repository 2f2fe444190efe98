package taggedjson

import (
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// shape is an object as its document tells it, whichever of the ways to make
// the same object the pickle's protocol chose.
type shape struct {
	class  pyvalue.Value
	base   *pyvalue.Global // whose __new__ makes it, if not the class's own; or nil
	how    pyvalue.Construction
	args   []pyvalue.Value
	kwargs pyvalue.Value // or nil
	items  []pyvalue.Value
	dict   []pyvalue.Value // in pairs
	isDict bool            // even if it is empty
	add    []pyvalue.Value
	state  pyvalue.Value // or nil
	ops    []pyvalue.Op  // all of them, if the fields above cannot tell
}

func shapeOf(o *pyvalue.Object) shape {
	s := shape{class: o.Class, how: o.How, kwargs: o.Kwargs}
	if o.Args != nil {
		s.args = o.Args.Items
	}
	s.seeThrough()
	s.known(o)
	if !s.apply(o.Ops) {
		s.items, s.dict, s.add, s.state, s.ops = nil, nil, nil, nil, o.Ops
	}
	return s
}

// seeThrough undoes the calls of copyreg by which protocols 0 and 1 make what
// later ones make with an opcode of their own.
func (s *shape) seeThrough() {
	g, ok := s.class.(*pyvalue.Global)
	if !ok || s.how != pyvalue.Reduce || len(s.args) == 0 {
		return
	}
	class, ok := s.args[0].(*pyvalue.Global)
	if !ok {
		return
	}
	switch {
	case g.Is("copyreg", "__newobj__"):
		s.class, s.how, s.args = class, pyvalue.NewObj, s.args[1:]
	case g.Is("copyreg", "__newobj_ex__") && len(s.args) == 3:
		if args, ok := s.args[1].(*pyvalue.Tuple); ok {
			s.class, s.how, s.args, s.kwargs = class, pyvalue.NewObjEx, args.Items, s.args[2]
		}
	case g.Is("copyreg", "_reconstructor") && len(s.args) == 3:
		if base, ok := s.args[1].(*pyvalue.Global); ok {
			s.reconstruct(class, base, s.args[2])
		}
	}
}

// reconstruct is copyreg._reconstructor: base.__new__(class, content), and the
// same of base.__init__. Nearly always that is what the class itself would do;
// it is kept where base is more than an empty object or container.
func (s *shape) reconstruct(class, base *pyvalue.Global, content pyvalue.Value) {
	s.class, s.how, s.args = class, pyvalue.NewObj, nil
	switch content := content.(type) {
	case pyvalue.None:
		if base.Is("builtins", "object") {
			return
		}
	case *pyvalue.Dict:
		if base.Is("builtins", "dict") {
			s.isDict = true
			for key, value := range content.All() {
				s.dict = append(s.dict, key, value)
			}
			return
		}
	case *pyvalue.List:
		if base.Is("builtins", "list") {
			s.items = append(s.items, content.Items...)
			return
		}
	}
	s.base, s.args = base, []pyvalue.Value{content}
}

// known takes the entries of the dicts of module collections out of their
// arguments.
func (s *shape) known(o *pyvalue.Object) {
	if len(s.args) > 0 {
		bare := &pyvalue.Object{How: o.How, Class: o.Class, Args: o.Args}
		d, ok := pyvalue.AsOrderedDict(bare)
		if !ok {
			d, ok = pyvalue.AsCounter(bare)
		}
		if ok {
			s.args = nil
			for key, value := range d.All() {
				s.dict = append(s.dict, key, value)
			}
		}
	}
	s.isDict = s.isDict || isCollection(s.class, "OrderedDict", "defaultdict", "Counter")
}

func isCollection(class pyvalue.Value, names ...string) bool {
	g, ok := class.(*pyvalue.Global)
	if !ok {
		return false
	}
	for _, name := range names {
		if g.Is("collections", name) {
			return true
		}
	}
	return false
}

// apply sorts the operations into fields. It fails if they are not such as
// Python's own pickler writes them: items, then entries, then members, then one
// state.
func (s *shape) apply(ops []pyvalue.Op) bool {
	rank := 0
	for _, op := range ops {
		r := map[pyvalue.OpKind]int{pyvalue.Append: 1, pyvalue.SetItems: 2, pyvalue.AddItems: 3, pyvalue.Build: 4}[op.Kind]
		if r < rank || len(op.Values) == 0 || s.state != nil {
			return false
		}
		rank = r
		switch op.Kind {
		case pyvalue.Append:
			s.items = append(s.items, op.Values...)
		case pyvalue.SetItems:
			if len(op.Values)%2 != 0 {
				return false
			}
			s.isDict = true
			s.dict = append(s.dict, op.Values...)
		case pyvalue.AddItems:
			s.add = append(s.add, op.Values...)
		case pyvalue.Build:
			if len(op.Values) != 1 {
				return false
			}
			s.state = op.Values[0]
		}
	}
	return true
}

// chosen is how Parse makes an object of which nothing is said.
func chosen(class pyvalue.Value, kwargs pyvalue.Value) pyvalue.Construction {
	switch {
	case isCollection(class, "OrderedDict", "defaultdict", "Counter", "deque"):
		return pyvalue.Reduce
	case kwargs != nil:
		return pyvalue.NewObjEx
	}
	return pyvalue.NewObj
}

// object writes an object: its fields in alphabetical order.
func (e *encoder) object(o *pyvalue.Object) error {
	if err := e.effort(o.Weight()); err != nil {
		return err
	}
	if e.known(o) {
		return nil
	}
	s := shapeOf(o)
	e.text(`{`)
	if err := e.before(s); err != nil {
		return err
	}
	if s.how != chosen(s.class, s.kwargs) {
		e.text(`,"how":"` + s.how.String() + `"`)
	}
	if len(s.items) > 0 {
		if err := e.field(`,"items":`, s.items); err != nil {
			return err
		}
	}
	if s.kwargs != nil {
		e.text(`,"kwargs":`)
		if err := e.value(s.kwargs); err != nil {
			return err
		}
	}
	if s.ops != nil {
		if err := e.ops(s.ops); err != nil {
			return err
		}
	}
	if s.state != nil {
		e.text(`,"state":`)
		if err := e.value(s.state); err != nil {
			return err
		}
	}
	e.text(`,"t":"object"}`)
	return nil
}

// before writes the fields up to "dict".
func (e *encoder) before(s shape) error {
	if len(s.add) > 0 {
		if err := e.field(`"add":`, s.add); err != nil {
			return err
		}
		e.text(`,`)
	}
	if len(s.args) > 0 {
		if err := e.field(`"args":`, s.args); err != nil {
			return err
		}
		e.text(`,`)
	}
	if s.base != nil {
		e.text(`"base":`)
		if err := e.class(s.base); err != nil {
			return err
		}
		e.text(`,`)
	}
	e.text(`"class":`)
	if err := e.class(s.class); err != nil {
		return err
	}
	if s.isDict {
		e.text(`,"dict":`)
		return e.pairs(s.dict)
	}
	return nil
}

func (e *encoder) field(name string, items []pyvalue.Value) error {
	e.text(name)
	return e.items(items)
}

func (e *encoder) class(class pyvalue.Value) error {
	if g, ok := class.(*pyvalue.Global); ok {
		if s, ok := dotted(e.dialect.names(g)); ok {
			return e.quoted(s)
		}
	}
	return e.value(class)
}

func (e *encoder) ops(ops []pyvalue.Op) error {
	e.text(`,"ops":[`)
	for i, op := range ops {
		if i > 0 {
			e.text(`,`)
		}
		e.text(`["` + op.Kind.String() + `",`)
		if err := e.items(op.Values); err != nil {
			return err
		}
		e.text(`]`)
	}
	e.text(`]`)
	return nil
}
