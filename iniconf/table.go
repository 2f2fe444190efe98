package iniconf

import (
	"maps"
	"slices"
	"strings"
)

// Setting is one option of a file with the place where it stands.
type Setting struct {
	Key   string
	Value string // interpolated, except inside the parser
	Position
	// Section is the section that sets it; "DEFAULT" is ConfigParser's.
	Section string
	// Via are the lines that led from the file that was asked for to this one's
	// section ("use = config:…", "next", "pipeline" …), the first one first.
	Via []Position

	spots []spot // of a value as written: where its lines begin
}

// spot is where a line of a value begins: line and column of the file.
type spot struct{ line, column int }

// at returns where byte i of a value as written stands in its file; for any other
// value, where the setting stands.
func (s Setting) at(i int) Position {
	if len(s.spots) == 0 {
		return s.Position
	}
	before := s.Value[:i]
	line := s.spots[strings.Count(before, "\n")]
	return Position{s.File, line.line, line.column + i - 1 - strings.LastIndexByte(before, '\n')}
}

// String returns "file:line:col: key = value", without a value that may be a
// secret, so that a setting can be printed.
func (s Setting) String() string {
	return s.Position.String() + ": " + s.Key + " = " + shown(s.Key, s.Value)
}

// table is an ordered dict of settings: a key that is set again keeps its place,
// as in Python.
type table struct {
	items []Setting
	index map[string]int // key → place in items
}

// newTable has room for what an ordinary section holds.
func newTable() *table {
	return &table{items: make([]Setting, 0, 8), index: make(map[string]int, 8)}
}

func (t *table) get(key string) (Setting, bool) {
	i, ok := t.index[key]
	if !ok {
		return Setting{}, false
	}
	return t.items[i], true
}

func (t *table) has(key string) bool {
	_, ok := t.index[key]
	return ok
}

// set returns the place of the setting.
func (t *table) set(s Setting) int {
	i, ok := t.index[s.Key]
	if !ok {
		i = len(t.items)
		t.index[s.Key] = i
		t.items = append(t.items, s)
	}
	t.items[i] = s
	return i
}

// setAs sets s under another key.
func (t *table) setAs(key string, s Setting) {
	s.Key = key
	t.set(s)
}

// pop removes a key and returns what it was.
func (t *table) pop(key string) (Setting, bool) {
	i, ok := t.index[key]
	if !ok {
		return Setting{}, false
	}
	s := t.items[i]
	t.items = slices.Delete(t.items, i, i+1)
	delete(t.index, key)
	for j, later := range t.items[i:] {
		t.index[later.Key] = i + j
	}
	return s, true
}

// update is dict.update.
func (t *table) update(other *table) {
	for _, s := range other.items {
		t.set(s)
	}
}

func (t *table) clone() *table {
	return &table{items: slices.Clone(t.items), index: maps.Clone(t.index)}
}

// equal reports whether two tables have the same keys with the same values in the
// same order.
func (t *table) equal(other *table) bool {
	return slices.EqualFunc(t.items, other.items, func(a, b Setting) bool { return a.Key == b.Key && a.Value == b.Value })
}

// list returns the settings in order.
func (t *table) list() []Setting { return slices.Clone(t.items) }
