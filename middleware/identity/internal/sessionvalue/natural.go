package sessionvalue

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

// Bounds of what an expression sees of a session: values, and bytes of text.
const (
	MaxSeenValues = 4096
	MaxSeenText   = 64 << 10
	maxSeenDepth  = 32
)

// ErrTooMuch: a session is beyond these bounds.
var ErrTooMuch = errors.New("the session is too large or too deep for an expression")

// unknown stands for a value that no expression can use. It equals nothing else.
type unknown struct{}

// See returns the session as expressions see it: the values of keys, or, if keys is nil, of
// all but the id.
func See(v *compat.View, keys []string) (map[string]any, error) {
	s := &sight{values: MaxSeenValues, text: MaxSeenText}
	if keys == nil {
		seen, err := s.dict(v.Dict(), maxSeenDepth)
		delete(seen, secretKey)
		return seen, err
	}
	seen := make(map[string]any, len(keys))
	for _, key := range keys {
		value, ok := Path{segments: []string{key}}.Find(v)
		if !ok || key == secretKey {
			continue
		}
		var err error
		if seen[key], err = s.value(value, maxSeenDepth); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// sight makes Go values for expressions, until there are too many.
type sight struct{ values, text int }

func (s *sight) value(v pyvalue.Value, depth int) (any, error) {
	if s.values--; s.values < 0 || depth == 0 {
		return nil, ErrTooMuch
	}
	switch v := v.(type) {
	case pyvalue.None:
		return nil, nil
	case pyvalue.Bool:
		return bool(v), nil
	case pyvalue.Float:
		return float64(v), nil
	case *pyvalue.Int:
		if n, ok := v.Int64(); ok && int64(int(n)) == n {
			return int(n), nil
		}
		return s.string(v)
	case pyvalue.Str, pyvalue.Py2Str, pyvalue.Bytes, *pyvalue.ByteArray:
		return s.string(v)
	case *pyvalue.Dict:
		return s.dict(v, depth)
	case *pyvalue.Object:
		return s.object(v, depth)
	}
	if members, ok := Members(v); ok {
		return s.array(members, depth)
	}
	return unknown{}, nil
}

// string returns the text of a value as a header has it.
func (s *sight) string(v pyvalue.Value) (any, error) {
	text, err := Raw(v, s.text)
	if err != nil {
		return nil, ErrTooMuch
	}
	if s.text -= len(text); s.text < 0 {
		return nil, ErrTooMuch
	}
	if !utf8.ValidString(text) {
		return unknown{}, nil
	}
	return text, nil
}

func (s *sight) array(members []pyvalue.Value, depth int) (any, error) {
	if len(members) > s.values {
		return nil, ErrTooMuch
	}
	seen := make([]any, len(members))
	for i, member := range members {
		var err error
		if seen[i], err = s.value(member, depth-1); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// dict has the keys by which a path would find them.
func (s *sight) dict(d *pyvalue.Dict, depth int) (map[string]any, error) {
	if d.Len() > s.values {
		return nil, ErrTooMuch
	}
	seen := make(map[string]any, d.Len())
	for _, kind := range []func(pyvalue.Value) bool{isText, isBytes, isInt} {
		for key, value := range d.All() {
			if !kind(key) {
				continue
			}
			name, err := Text(key, maxPath)
			if err != nil {
				continue
			}
			if _, taken := seen[name]; taken {
				continue
			}
			if s.text -= len(name); s.text < 0 {
				return nil, ErrTooMuch
			}
			if seen[name], err = s.value(value, depth-1); err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}

func isText(v pyvalue.Value) bool {
	switch v.(type) {
	case pyvalue.Str, pyvalue.Py2Str:
		return true
	}
	return false
}

func isBytes(v pyvalue.Value) bool {
	_, ok := v.(pyvalue.Bytes)
	return ok
}

func isInt(v pyvalue.Value) bool {
	_, ok := v.(*pyvalue.Int)
	return ok
}

func (s *sight) object(o *pyvalue.Object, depth int) (any, error) {
	weight := o.Weight()
	if s.values -= weight; s.values < 0 {
		return nil, ErrTooMuch
	}
	if t, _, ok := pyvalue.AsTime(o); ok {
		return t, nil
	}
	if d, ok := pyvalue.AsDate(o); ok {
		return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC), nil
	}
	if t, ok := pyvalue.AsTimedelta(o); ok {
		if d, ok := t.Duration(); ok {
			return d, nil
		}
		return unknown{}, nil
	}
	if _, err := objectText(o); err == nil {
		return s.string(o)
	}
	if d, ok := dictOf(o); ok {
		return s.dict(d, depth)
	}
	if members, ok := Members(o); ok {
		return s.array(members, depth)
	}
	attributes := attributesOf(o)
	if attributes == nil {
		return unknown{}, nil
	}
	all := &pyvalue.Dict{}
	for _, d := range attributes {
		for key, value := range d.All() {
			if _, text := pyvalue.Text(key); text {
				all.Put(key, value)
			}
		}
	}
	return s.dict(all, depth)
}
