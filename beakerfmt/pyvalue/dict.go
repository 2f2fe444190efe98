package pyvalue

import (
	"iter"
	"maps"
	"slices"
)

// Entry is a key of a [Dict] and its value.
type Entry struct{ Key, Value Value }

// Dict is Python's dict. It keeps the order of insertion. The zero Dict is
// empty and ready for use.
//
// Keys are compared as Python compares them: 1, 1.0 and True are one key, and
// so are an ASCII str of Python 2 and the same unicode.
type Dict struct {
	entries []Entry
	index   map[scalar]int // position by key, for many entries or costly keys
}

// Up to this many entries of short keys a scan is faster than a map.
const indexFrom = 32

// NewDict returns a dict with the given entries; of equal keys the last wins.
func NewDict(entries ...Entry) *Dict {
	d := &Dict{entries: make([]Entry, 0, len(entries))}
	for _, e := range entries {
		d.Set(e.Key, e.Value)
	}
	return d
}

// Len returns the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// All iterates over the entries in order. The dict must not be changed
// meanwhile.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for _, e := range d.entries {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// Entries returns the entries in order. The slice belongs to the dict: it is
// only to be read, and only until the dict changes.
func (d *Dict) Entries() []Entry { return d.entries }

// Get returns the value of a key.
func (d *Dict) Get(key Value) (Value, bool) {
	s, ok := scalarOf(key)
	if i := d.find(key, s, ok); i >= 0 {
		return d.entries[i].Value, true
	}
	return nil, false
}

// GetStr returns the value of the key with this text, be it a [Str] or, in
// Python 2's data, a [Py2Str].
func (d *Dict) GetStr(key string) (Value, bool) {
	if i := d.findScalar(scalar{kind: 's', text: key}); i >= 0 {
		return d.entries[i].Value, true
	}
	return nil, false
}

// Set gives key a value. As in Python, a key that is there already keeps its
// place and its own type. An object, or a tuple or frozenset that is long or has
// an object in it, is compared with every key of the dict.
func (d *Dict) Set(key, value Value) {
	s, ok := scalarOf(key)
	if i := d.find(key, s, ok); i >= 0 {
		d.entries[i].Value = value
		return
	}
	d.push(Entry{key, value}, s, ok)
}

// SetStr gives the key with this text a value; a new key is a [Str].
func (d *Dict) SetStr(key string, value Value) { d.Set(Str(key), value) }

// Put is Set for decoders of foreign input: objects, and what is long or has
// objects in it, it tells apart by their identity only, so that its cost does
// not grow with the dict. Of keys that are equal nevertheless [Dict.Get] finds
// the last.
func (d *Dict) Put(key, value Value) {
	if text, ok := key.(Str); ok && d.index == nil && len(d.entries) < indexFrom && len(text) <= shortKey {
		d.putShort(text, Entry{key, value})
		return
	}
	s, ok := scalarOf(key)
	if ok {
		if i := d.findScalar(s); i >= 0 {
			d.entries[i].Value = value
			return
		}
	}
	d.push(Entry{key, value}, s, ok)
}

// Delete removes a key and reports whether it was there.
func (d *Dict) Delete(key Value) bool {
	s, ok := scalarOf(key)
	i := d.find(key, s, ok)
	if i < 0 {
		return false
	}
	d.entries = slices.Delete(d.entries, i, i+1)
	if d.index != nil {
		d.reindex()
	}
	return true
}

// DeleteStr removes the key with this text and reports whether it was there.
func (d *Dict) DeleteStr(key string) bool { return d.Delete(Str(key)) }

// Clear removes all entries.
func (d *Dict) Clear() { d.entries, d.index = nil, nil }

// Grow makes room for n more entries.
func (d *Dict) Grow(n int) { d.entries = slices.Grow(d.entries, n) }

// Clone returns a dict with the same entries; the values are shared.
func (d *Dict) Clone() *Dict {
	return &Dict{entries: slices.Clone(d.entries), index: maps.Clone(d.index)}
}

// putShort is Put for the common case: a short text in a dict without index.
func (d *Dict) putShort(text Str, e Entry) {
	if i := d.findScalar(scalar{kind: 's', text: string(text)}); i >= 0 {
		d.entries[i].Value = e.Value
		return
	}
	d.entries = append(d.entries, e)
}

// push adds an entry whose key is not there. s is the scalar of the key.
func (d *Dict) push(e Entry, s scalar, ok bool) {
	d.entries = append(d.entries, e)
	if d.index == nil && len(d.entries) <= indexFrom && !s.costly() {
		return
	}
	if d.index == nil {
		d.reindex()
	} else if ok {
		d.index[s] = len(d.entries) - 1
	}
}

func (d *Dict) reindex() {
	d.index = make(map[scalar]int, cap(d.entries)) // decoders make the room at once
	for i, e := range d.entries {
		if s, ok := scalarOf(e.Key); ok {
			d.index[s] = i
		}
	}
}

// find returns the place of a key, whose scalar is s, or -1.
func (d *Dict) find(key Value, s scalar, ok bool) int {
	if ok {
		if i := d.findScalar(s); i >= 0 || s.kind != byIdentity {
			return i
		}
	}
	for i := len(d.entries) - 1; i >= 0; i-- {
		if Equal(d.entries[i].Key, key) {
			return i
		}
	}
	return -1
}

func (d *Dict) findScalar(s scalar) int {
	if d.index != nil {
		if i, ok := d.index[s]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if k, ok := d.entries[i].Key.(Str); ok && s.kind == 's' { // the common case
			if string(k) == s.text {
				return i
			}
			continue
		}
		if k, ok := scalarOf(d.entries[i].Key); ok && k == s {
			return i
		}
	}
	return -1
}

// Set is Python's set. The zero Set is empty and ready for use.
type Set struct{ members }

// FrozenSet is Python's frozenset. Treat it as immutable once it is shared.
type FrozenSet struct{ members }

// NewSet returns a set of the given values.
func NewSet(items ...Value) *Set {
	s := &Set{}
	s.addAll(items)
	return s
}

// NewFrozenSet returns a frozenset of the given values.
func NewFrozenSet(items ...Value) *FrozenSet {
	s := &FrozenSet{}
	s.addAll(items)
	return s
}

// members keeps the values of a set in the order of insertion.
type members struct{ dict Dict }

// Len returns the number of members.
func (m *members) Len() int { return m.dict.Len() }

// Has reports whether v is a member.
func (m *members) Has(v Value) bool {
	_, ok := m.dict.Get(v)
	return ok
}

// Add adds a member.
func (m *members) Add(v Value) { m.dict.Set(v, None{}) }

// Put is Add for decoders of foreign input; see [Dict.Put].
func (m *members) Put(v Value) { m.dict.Put(v, None{}) }

// Remove removes a member and reports whether it was there.
func (m *members) Remove(v Value) bool { return m.dict.Delete(v) }

// At returns the member at a place in the order of insertion, from 0 to Len()-1.
func (m *members) At(i int) Value { return m.dict.entries[i].Key }

// Grow makes room for n more members.
func (m *members) Grow(n int) { m.dict.Grow(n) }

// All iterates over the members in the order of insertion.
func (m *members) All() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for _, e := range m.dict.entries {
			if !yield(e.Key) {
				return
			}
		}
	}
}

func (m *members) addAll(items []Value) {
	for _, v := range items {
		m.Add(v)
	}
}
