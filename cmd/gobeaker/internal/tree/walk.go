package tree

import "github.com/gobeaker/gobeaker/beakerfmt/pyvalue"

// Leaf is what [Find] looks at: a value that has a key, at any depth.
type Leaf struct {
	Key string
	// Text of a value that has no parts; texts and bytes as they are, others as Python
	// writes them.
	Text   string
	Parts  bool // it has parts instead
	Hidden bool // by [Options.Hide]: Text is empty, and its parts are not looked at
}

// Find reports whether f returns true for a value with a key in v: an entry of a dict or
// of the state of an object. What it looks at is bounded as a tree is.
func Find(v pyvalue.Value, o Options, f func(Leaf) bool) bool {
	b := newBuilder(v, o)
	return b.find(v, 0, f)
}

func (b *builder) find(v pyvalue.Value, depth int, f func(Leaf) bool) bool {
	if _, seen := b.above[v]; seen || depth > b.MaxDepth {
		return false
	}
	if b.work -= size(v); b.work < 0 {
		return false
	}
	b.above[v] = ""
	defer delete(b.above, v)
	for _, k := range children(v) {
		if b.left--; b.left < 0 {
			return false
		}
		hidden, text := b.hides(k), b.text(k.value)
		if k.key != nil {
			leaf := Leaf{Key: name(k.key), Hidden: hidden, Parts: text == ""}
			if !hidden && text != "" {
				leaf.Text = text
				if raw, ok := rawText(k.value); ok {
					leaf.Text = raw
				}
			}
			if f(leaf) {
				return true
			}
		}
		if !hidden && text == "" && b.find(k.value, depth+1, f) {
			return true
		}
	}
	return false
}
