package sessionvalue

import (
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// True is Python's bool(v), as far as the session tells. What the class of an object would
// say is not in the session: it is true if it has a true state or argument, or an item.
func True(v pyvalue.Value) bool {
	switch v := v.(type) {
	case nil, pyvalue.None:
		return false
	case pyvalue.Bool:
		return bool(v)
	case *pyvalue.Int:
		return v.Sign() != 0
	case pyvalue.Float:
		return v != 0
	case pyvalue.Complex:
		return v != 0
	case pyvalue.Str:
		return v != ""
	case pyvalue.Py2Str:
		return v != ""
	case pyvalue.Bytes:
		return v != ""
	case *pyvalue.ByteArray:
		return len(v.Data) > 0
	case *pyvalue.List:
		return len(v.Items) > 0
	case *pyvalue.Tuple:
		return len(v.Items) > 0
	case *pyvalue.Dict:
		return v.Len() > 0
	case *pyvalue.Set:
		return v.Len() > 0
	case *pyvalue.FrozenSet:
		return v.Len() > 0
	case *pyvalue.Object:
		return isTrueObject(v)
	}
	return true
}

func isTrueObject(o *pyvalue.Object) bool {
	if d, ok := pyvalue.AsDict(o); ok {
		return d.Len() > 0
	}
	if items, _, ok := pyvalue.AsDeque(o); ok {
		return len(items) > 0
	}
	if t, ok := pyvalue.AsTimedelta(o); ok {
		return t != pyvalue.Timedelta{}
	}
	if d, ok := pyvalue.AsDecimal(o); ok {
		return !isZero(string(d))
	}
	if o.Kwargs != nil || slices.ContainsFunc(argumentsOf(o), isTruePart) {
		return true
	}
	return slices.ContainsFunc(o.Ops, func(op pyvalue.Op) bool {
		return op.Kind != pyvalue.Build && len(op.Values) > 0 || op.Kind == pyvalue.Build && slices.ContainsFunc(op.Values, isTruePart)
	})
}

// isTruePart takes objects for true, so that nothing recurses.
func isTruePart(v pyvalue.Value) bool {
	_, object := v.(*pyvalue.Object)
	return object || True(v)
}

// argumentsOf returns what an object is made of, its class aside: a subclass of int or str
// has its value there, and an empty one of dict or list has nothing.
func argumentsOf(o *pyvalue.Object) []pyvalue.Value {
	if o.Args == nil {
		return nil
	}
	if g, ok := o.Class.(*pyvalue.Global); ok && o.How == pyvalue.Reduce {
		classes := 0
		switch {
		case g.Is("copyreg", "_reconstructor"):
			classes = 2
		case g.Is("copyreg", "__newobj__"), g.Is("copyreg", "__newobj_ex__"):
			classes = 1
		}
		return o.Args.Items[min(classes, len(o.Args.Items)):]
	}
	return o.Args.Items
}

// isZero reports whether the text of a Decimal has no digit but 0 before its exponent.
func isZero(decimal string) bool {
	digits, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(decimal, "+-")), "e")
	return strings.Trim(digits, "0.") == ""
}
