package taggedjson

import "github.com/gobeaker/gobeaker/beakerfmt/pyvalue"

func (p *parser) object(f fields) (pyvalue.Value, error) {
	class, err := p.class(f, "class")
	if err != nil {
		return nil, err
	}
	o := &pyvalue.Object{Class: class, Args: &pyvalue.Tuple{}}
	if docs, ok := f.list("args"); ok {
		if o.Args.Items, err = p.values(docs); err != nil {
			return nil, err
		}
	}
	if doc, ok := f.dict.GetStr("kwargs"); ok {
		if o.Kwargs, err = p.kwargs(doc); err != nil {
			return nil, err
		}
	}
	if err := p.construction(o, f); err != nil {
		return nil, err
	}
	if docs, ok := f.list("ops"); ok {
		o.Ops, err = p.ops(docs)
		return o, err
	}
	return o, p.content(o, f)
}

func (p *parser) class(f fields, name string) (pyvalue.Value, error) {
	if s, ok := f.str(name); ok {
		return splitGlobal(s)
	}
	doc, ok := f.dict.GetStr(name)
	if !ok {
		return nil, bad("an object without a class")
	}
	return p.value(doc)
}

func (p *parser) kwargs(doc pyvalue.Value) (pyvalue.Value, error) {
	v, err := p.value(doc)
	if err != nil {
		return nil, err
	}
	if _, ok := v.(*pyvalue.Dict); !ok {
		return nil, bad("kwargs that are no dict")
	}
	return v, nil
}

// construction sets how the object is made.
func (p *parser) construction(o *pyvalue.Object, f fields) error {
	if f.has("base") {
		return p.reconstructed(o, f)
	}
	how, ok := f.str("how")
	if !ok {
		o.How = chosen(o.Class, o.Kwargs)
		return nil
	}
	for c := pyvalue.Reduce; c <= pyvalue.Obj; c++ {
		if c.String() == how {
			o.How = c
			if (o.Kwargs != nil) != (c == pyvalue.NewObjEx) {
				return bad("kwargs that do not fit how")
			}
			return nil
		}
	}
	return bad("an unknown how")
}

// reconstructed makes the call of copyreg._reconstructor.
func (p *parser) reconstructed(o *pyvalue.Object, f fields) error {
	base, err := p.class(f, "base")
	if err != nil {
		return err
	}
	_, ok1 := base.(*pyvalue.Global)
	_, ok2 := o.Class.(*pyvalue.Global)
	if !ok1 || !ok2 || len(o.Args.Items) != 1 || o.Kwargs != nil {
		return bad("a base that does not fit")
	}
	o.How = pyvalue.Reduce
	o.Args = pyvalue.NewTuple(o.Class, base, o.Args.Items[0])
	o.Class = &pyvalue.Global{Module: "copyreg", Name: "_reconstructor"}
	return nil
}

// content adds what is done to the object, in the order in which Python's
// pickler writes it.
func (p *parser) content(o *pyvalue.Object, f fields) error {
	add := func(kind pyvalue.OpKind, values []pyvalue.Value) {
		if len(values) > 0 {
			o.Ops = append(o.Ops, pyvalue.Op{Kind: kind, Values: values})
		}
	}
	if docs, ok := f.list("items"); ok {
		items, err := p.values(docs)
		if err != nil {
			return err
		}
		add(pyvalue.Append, items)
	}
	if docs, ok := f.list("dict"); ok {
		kv, err := p.pairs(docs)
		if err != nil {
			return err
		}
		if isCollection(o.Class, "Counter") && o.How == pyvalue.Reduce && len(o.Args.Items) == 0 {
			o.Args.Items = []pyvalue.Value{dictOf(kv)}
		} else {
			add(pyvalue.SetItems, kv)
		}
	}
	if docs, ok := f.list("add"); ok {
		members, err := p.values(docs)
		if err != nil {
			return err
		}
		add(pyvalue.AddItems, members)
	}
	if doc, ok := f.dict.GetStr("state"); ok {
		state, err := p.value(doc)
		if err != nil {
			return err
		}
		add(pyvalue.Build, []pyvalue.Value{state})
	}
	return nil
}

func (p *parser) ops(docs []pyvalue.Value) ([]pyvalue.Op, error) {
	ops := make([]pyvalue.Op, 0, len(docs))
	for _, doc := range docs {
		op, err := p.op(doc)
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func (p *parser) op(doc pyvalue.Value) (pyvalue.Op, error) {
	l, ok := doc.(*pyvalue.List)
	if !ok || len(l.Items) != 2 {
		return pyvalue.Op{}, bad("an operation that is no pair")
	}
	values, ok := l.Items[1].(*pyvalue.List)
	if !ok {
		return pyvalue.Op{}, bad("an operation without values")
	}
	for kind := pyvalue.Build; kind <= pyvalue.AddItems; kind++ {
		if l.Items[0] != pyvalue.Value(pyvalue.Str(kind.String())) {
			continue
		}
		n := len(values.Items)
		if kind == pyvalue.Build && n != 1 || kind == pyvalue.SetItems && n%2 != 0 {
			return pyvalue.Op{}, bad("an operation with a wrong number of values")
		}
		items, err := p.values(values.Items)
		return pyvalue.Op{Kind: kind, Values: items}, err
	}
	return pyvalue.Op{}, bad("an unknown operation")
}
