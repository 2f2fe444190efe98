package taggedjson

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Equal reports whether two documents tell of the same value. The order of
// fields, of the entries of a dict and of the members of a set does not count.
//
// Of an object some know more than others: whoever looks at the object in
// Python sees its state, or its entries if it is a dict, while a pickle tells
// also how it is made. So "how" and "base" never count, "args" and "kwargs" count if both
// documents have them or neither has anything else, the "state" of a dict if
// both have it, and an empty state or dict is as good as none.
func Equal(a, b []byte) (bool, error) {
	x, err := pyjson.Decode(a, limits)
	if err != nil {
		return false, fmt.Errorf("taggedjson: equal: %w", err)
	}
	y, err := pyjson.Decode(b, limits)
	if err != nil {
		return false, fmt.Errorf("taggedjson: equal: %w", err)
	}
	order(x)
	order(y)
	return equal(x, y), nil
}

type digest = [sha256.Size]byte

// order sorts what has no order of its own, by a digest of the parts that
// always count. Depth is bounded by the decoder.
func order(doc pyvalue.Value) digest {
	switch doc := doc.(type) {
	case *pyvalue.List:
		h := sha256.New()
		h.Write([]byte("list"))
		for _, d := range orderItems(doc) {
			h.Write(d[:])
		}
		return digest(h.Sum(nil))
	case *pyvalue.Dict:
		return orderFields(doc)
	}
	return sha256.Sum256([]byte(pyvalue.TypeName(doc) + "\x00" + scalarText(doc)))
}

// scalarText is the whole text of a scalar of JSON.
func scalarText(doc pyvalue.Value) string {
	switch doc := doc.(type) {
	case pyvalue.Str:
		return string(doc)
	case *pyvalue.Int:
		return doc.String()
	}
	return pyvalue.Repr(doc)
}

func orderItems(l *pyvalue.List) []digest {
	digests := make([]digest, len(l.Items))
	for i, item := range l.Items {
		digests[i] = order(item)
	}
	return digests
}

func orderFields(d *pyvalue.Dict) digest {
	t := tagOf(d)
	sorted := map[string]string{"dict": "v", "set": "v", "frozenset": "v", "object": "dict"}[t]
	names := make([]string, 0, d.Len())
	digests := make(map[string]digest, d.Len())
	for key, value := range d.All() {
		name := scalarText(key)
		names = append(names, name)
		l, ok := value.(*pyvalue.List)
		if ok && name == sorted && !(t == "object" && tagged(d, "class", "collections.OrderedDict")) {
			digests[name] = sortItems(l)
			continue
		}
		digests[name] = order(value)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		if t == "object" && !always(d, name) {
			continue
		}
		sum := digests[name]
		fmt.Fprintf(h, "%d:%s", len(name), name)
		h.Write(sum[:])
	}
	return digest(h.Sum(nil))
}

// always reports whether a field of an object always counts; see [Equal].
func always(d *pyvalue.Dict, name string) bool {
	_, hasDict := d.GetStr("dict")
	_, hasState := d.GetStr("state")
	switch name {
	case "class", "dict":
		return true
	case "args":
		return !hasDict && !hasState
	}
	return false
}

func sortItems(l *pyvalue.List) digest {
	type item struct {
		value pyvalue.Value
		sum   digest
	}
	items := make([]item, len(l.Items))
	for i, sum := range orderItems(l) {
		items[i] = item{l.Items[i], sum}
	}
	slices.SortStableFunc(items, func(a, b item) int { return bytes.Compare(a.sum[:], b.sum[:]) })
	h := sha256.New()
	for i, it := range items {
		l.Items[i] = it.value
		h.Write(it.sum[:])
	}
	return digest(h.Sum(nil))
}

func tagOf(d *pyvalue.Dict) string {
	v, _ := d.GetStr("t")
	s, _ := v.(pyvalue.Str)
	return string(s)
}

func tagged(d *pyvalue.Dict, field, value string) bool {
	v, ok := d.GetStr(field)
	return ok && v == pyvalue.Value(pyvalue.Str(value))
}

func equal(a, b pyvalue.Value) bool {
	switch a := a.(type) {
	case *pyvalue.List:
		b, ok := b.(*pyvalue.List)
		return ok && slices.EqualFunc(a.Items, b.Items, equal)
	case *pyvalue.Dict:
		b, ok := b.(*pyvalue.Dict)
		return ok && equalFields(a, b)
	}
	return pyvalue.Equal(a, b)
}

func equalFields(a, b *pyvalue.Dict) bool {
	object := tagOf(a) == "object"
	for key, x := range a.All() {
		name := scalarText(key)
		y, ok := b.GetStr(name)
		switch {
		case object && isHint(name):
		case !ok && object && mayLack(a, b, name, x):
		case !ok || !equal(x, y):
			return false
		}
	}
	for key, y := range b.All() {
		name := scalarText(key)
		_, ok := a.GetStr(name)
		if !ok && !(object && (isHint(name) || mayLack(b, a, name, y))) {
			return false
		}
	}
	return true
}

func isHint(name string) bool { return name == "how" || name == "base" }

// mayLack reports whether it is no difference that less lacks a field of more.
func mayLack(more, less *pyvalue.Dict, name string, value pyvalue.Value) bool {
	_, moreDict := more.GetStr("dict")
	_, lessDict := less.GetStr("dict")
	_, lessState := less.GetStr("state")
	switch name {
	case "args", "kwargs":
		return lessDict || lessState
	case "state":
		return isEmptyDict(value) || moreDict && lessDict
	case "dict":
		l, ok := value.(*pyvalue.List)
		return ok && len(l.Items) == 0
	}
	return false
}

func isEmptyDict(doc pyvalue.Value) bool {
	d, ok := doc.(*pyvalue.Dict)
	if !ok || tagOf(d) != "dict" {
		return false
	}
	v, _ := d.GetStr("v")
	l, ok := v.(*pyvalue.List)
	return ok && len(l.Items) == 0
}
