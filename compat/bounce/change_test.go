package bounce

import (
	"encoding/json"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
)

// change is one thing that a side does to the session, as scripts/bounce/worker.py
// describes it.
type change struct {
	do    string
	path  []pyvalue.Value // begins with a text
	value pyvalue.Value   // nil for "del"
}

// MarshalJSON writes what the worker is sent.
func (c change) MarshalJSON() ([]byte, error) {
	sent := struct {
		Do    string            `json:"do"`
		Path  []json.RawMessage `json:"path"`
		Value json.RawMessage   `json:"value,omitempty"`
	}{Do: c.do}
	for _, step := range c.path {
		text, err := tagged(step)
		if err != nil {
			return nil, err
		}
		sent.Path = append(sent.Path, text)
	}
	if c.value != nil {
		var err error
		if sent.Value, err = tagged(c.value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(sent)
}

// tagged keeps all types apart.
func tagged(v pyvalue.Value) ([]byte, error) { return taggedjson.Append(nil, v, taggedjson.Python2) }

// copied is a value that has nothing in common with v.
func copied(v pyvalue.Value) (pyvalue.Value, error) {
	text, err := tagged(v)
	if err != nil {
		return nil, err
	}
	return taggedjson.Parse(text)
}

// apply makes the change in a dict.
func (c change) apply(d *pyvalue.Dict) error {
	value, err := c.copy()
	if err != nil {
		return err
	}
	return alter(d, c.do, c.path, value)
}

// applyTo makes the change in Go's session, as a handler does: by the session's
// verbs, or in place in a value that it has from there.
func (c change) applyTo(s *compat.Session) error {
	value, err := c.copy()
	if err != nil {
		return err
	}
	key, _ := pyvalue.Text(c.path[0])
	switch {
	case c.do == "set" && len(c.path) == 1:
		return s.Set(key, value)
	case c.do == "del" && len(c.path) == 1:
		if !s.Remove(key) {
			return fmt.Errorf("%s is not there to be removed", key)
		}
		return nil
	}
	found, ok := s.Get(key)
	if !ok {
		return fmt.Errorf("%s is not there", key)
	}
	return alter(found, c.do, c.path[1:], value)
}

func (c change) copy() (pyvalue.Value, error) {
	if c.value == nil {
		return nil, nil
	}
	return copied(c.value)
}

// alter does what change in scripts/bounce/worker.py does.
func alter(v pyvalue.Value, do string, path []pyvalue.Value, value pyvalue.Value) error {
	inItem := do == "set" || do == "del"
	for len(path) > 1 || len(path) == 1 && !inItem {
		next, err := item(v, path[0])
		if err != nil {
			return err
		}
		v, path = next, path[1:]
	}
	switch holder := v.(type) {
	case *pyvalue.Dict:
		switch do {
		case "set":
			holder.Set(path[0], value)
			return nil
		case "del":
			holder.Delete(path[0])
			return nil
		}
	case *pyvalue.List:
		switch do {
		case "set":
			holder.Items[index(path[0])] = value
			return nil
		case "del":
			i := index(path[0])
			holder.Items = append(holder.Items[:i], holder.Items[i+1:]...)
			return nil
		case "append":
			holder.Items = append(holder.Items, value)
			return nil
		}
	case *pyvalue.Set:
		switch do {
		case "add":
			holder.Add(value)
			return nil
		case "discard":
			holder.Remove(value)
			return nil
		}
	}
	return fmt.Errorf("no %s in a %T", do, v)
}

// item is holder[step].
func item(holder, step pyvalue.Value) (pyvalue.Value, error) {
	switch holder := holder.(type) {
	case *pyvalue.Dict:
		if v, ok := holder.Get(step); ok {
			return v, nil
		}
	case *pyvalue.List:
		if i := index(step); i < len(holder.Items) {
			return holder.Items[i], nil
		}
	case *pyvalue.Tuple:
		if i := index(step); i < len(holder.Items) {
			return holder.Items[i], nil
		}
	}
	return nil, fmt.Errorf("no item %v in a %T", step, holder)
}

func index(step pyvalue.Value) int {
	i, _ := step.(*pyvalue.Int).Int64()
	return int(i)
}
