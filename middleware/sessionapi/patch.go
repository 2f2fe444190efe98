package sessionapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
)

// maxDepth is how deep a value may be: its lists and dicts in each other.
const maxDepth = 64

// patchLimits are those of the text of a patch. An envelope's JSON is deeper than what
// it stands for, and Python 3.11 and later read no longer ints.
var patchLimits = pyjson.Limits{MaxDepth: 5*maxDepth + 16, MaxIntDigits: 4300}

// parse reads a body in JSON. Numbers beyond JSON, NaN and the like, are refused later.
func parse(body []byte) (*pyvalue.Dict, error) {
	doc, err := pyjson.Decode(body, patchLimits)
	var where *pyjson.Error
	switch {
	case errors.Is(err, pyjson.ErrLimit):
		return nil, tooDeep.problem("A value is nested too deeply, or has too many digits.")
	case errors.As(err, &where):
		return nil, badRequest.problem(fmt.Sprintf("No JSON: %s at byte %d.", where.Reason, where.Offset))
	case err != nil:
		return nil, badRequest.problem("No JSON.")
	}
	d, ok := doc.(*pyvalue.Dict)
	if !ok {
		return nil, badRequest.problem("The body has to be a JSON object.")
	}
	return d, nil
}

// patch changes the session by a JSON Merge Patch (RFC 7396).
func (a *api) patch(c *call) (*answer, error) {
	if _, err := parse(c.body); err != nil {
		return nil, err
	}
	out, err := a.write(c, func(s *compat.Session) ([]string, error) {
		doc, err := parse(c.body) // anew for each attempt: it is used up
		if err != nil {
			return nil, err
		}
		p := patching{session: s}
		err = p.apply(doc)
		return p.dependsOn, err
	})
	if err != nil {
		return nil, err
	}
	return tell(c, out)
}

// patching is one patch on its way into a session.
type patching struct {
	session   *compat.Session
	dependsOn []string // keys into whose value something is merged
}

func (p *patching) apply(doc *pyvalue.Dict) error {
	changed := false
	for k, member := range doc.All() {
		key := string(k.(pyvalue.Str)) // what else would a name of JSON be
		if key == taggedjson.Envelope {
			return reservedKey.about(key, "A patch names keys: it is no envelope.")
		}
		present, there := p.session.Get(key)
		value, same, err := merged(key, present, member)
		if err != nil {
			return err
		}
		if same {
			continue
		}
		if key == "" || strings.HasPrefix(key, "_") {
			return reservedKey.about(key, "Keys that begin with _ are Beaker's own and the frameworks'.")
		}
		if there && isObject(member) {
			p.dependsOn = append(p.dependsOn, key)
		}
		changed = true
		if value == nil {
			p.session.Remove(key)
			continue
		}
		if err := p.session.Set(key, value); err != nil {
			return badValue.about(key, "")
		}
	}
	if changed {
		p.session.Save()
	}
	return nil
}

// merged returns what a member of a patch makes of the value that is there, or nil: of
// both, that there is none. Same: nothing changes. So a value that a client hands back
// as it was told keeps its Python type, whatever the client made of it on the way.
func merged(path string, present, member pyvalue.Value) (value pyvalue.Value, same bool, err error) {
	if _, null := member.(pyvalue.None); null {
		return nil, present == nil, nil
	}
	if depth(member, 0) > 5*maxDepth || !isEnvelope(member) && depth(member, 0) > maxDepth {
		return nil, false, tooDeep.about(path, "")
	}
	patch, ok := member.(*pyvalue.Dict)
	if !ok || isEnvelope(member) {
		if isTold(present, member) {
			return present, true, nil
		}
		value, err := taggedjson.FromPlain(member)
		if err != nil {
			return nil, false, valueError(path, err)
		}
		return value, present != nil && pyvalue.Equal(present, value), nil
	}
	into, ok := present.(*pyvalue.Dict)
	if !ok {
		if _, object := present.(*pyvalue.Object); object {
			if _, isDict := pyvalue.AsDict(present); isDict {
				p := notMergeable.about(path, "Replace it as a whole, by a tagged dict.")
				p.Class = pyvalue.TypeName(present)
				return nil, false, p
			}
		}
		into = &pyvalue.Dict{}
	}
	out, changes := into.Clone(), !ok
	for k, m := range patch.All() {
		name := string(k.(pyvalue.Str))
		old, _ := out.GetStr(name)
		v, same, err := merged(path+"."+name, old, m)
		switch {
		case err != nil:
			return nil, false, err
		case same:
			continue
		case v == nil:
			out.DeleteStr(name)
		default:
			out.SetStr(name, v)
		}
		changes = true
	}
	return out, !changes, nil
}

// valueError names the key of a value that is refused; nil if err is nil.
func valueError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, taggedjson.ErrNotData):
		return badValue.about(path, "Objects and classes are not taken: Python would call what they name.")
	case errors.Is(err, taggedjson.ErrUnhashable):
		return badValue.about(path, "A member of a set, or a key of a dict, is one that Python cannot hash.")
	}
	return badValue.about(path, "It is neither plain JSON nor tagged JSON in an envelope of its own.")
}

// isEnvelope reports whether a JSON object stands for a tagged value.
func isEnvelope(doc pyvalue.Value) bool {
	d, ok := doc.(*pyvalue.Dict)
	if !ok {
		return false
	}
	_, ok = d.GetStr(taggedjson.Envelope)
	return ok
}

// isObject reports whether a JSON object is merged, not set.
func isObject(doc pyvalue.Value) bool {
	_, ok := doc.(*pyvalue.Dict)
	return ok && !isEnvelope(doc)
}

// isTold reports whether a member of a patch is what a client is told of a value.
func isTold(present, member pyvalue.Value) bool {
	if present == nil {
		return false
	}
	text, err := taggedjson.AppendPlain(nil, present)
	if err != nil {
		return false
	}
	doc, err := pyjson.Decode(text, pyjson.Limits{})
	return err == nil && sameJSON(doc, member)
}

// sameJSON compares two documents. To many languages 1 and 1.0 are one number.
func sameJSON(a, b pyvalue.Value) bool {
	switch a := a.(type) {
	case *pyvalue.List:
		b, ok := b.(*pyvalue.List)
		return ok && slices.EqualFunc(a.Items, b.Items, sameJSON)
	case *pyvalue.Dict:
		b, ok := b.(*pyvalue.Dict)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for k, x := range a.All() {
			if y, ok := b.Get(k); !ok || !sameJSON(x, y) {
				return false
			}
		}
		return true
	}
	x, ok1 := number(a)
	y, ok2 := number(b)
	if ok1 && ok2 {
		return x == y
	}
	return pyvalue.Equal(a, b)
}

// number returns a number that is told plainly; a float holds each of them exactly.
func number(v pyvalue.Value) (float64, bool) {
	switch v := v.(type) {
	case pyvalue.Float:
		return float64(v), true
	case *pyvalue.Int:
		n, ok := v.Int64()
		return float64(n), ok && int64(float64(n)) == n
	}
	return 0, false
}

// depth is how many lists and dicts are in each other.
func depth(doc pyvalue.Value, around int) int {
	deepest := around
	switch doc := doc.(type) {
	case *pyvalue.List:
		deepest = around + 1
		for _, item := range doc.Items {
			deepest = max(deepest, depth(item, around+1))
		}
	case *pyvalue.Dict:
		deepest = around + 1
		for _, value := range doc.All() {
			deepest = max(deepest, depth(value, around+1))
		}
	}
	return deepest
}
