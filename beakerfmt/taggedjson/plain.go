package taggedjson

import (
	"errors"
	"fmt"
	"math"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Envelope is the name of the only member of a JSON object that stands for a value in
// tagged JSON; see [AppendPlain].
const Envelope = "$py"

// Causes of errors of [ParsePlain], besides those of [Parse].
var (
	// ErrNotData means a tagged value that is more than data: an object of a class, a
	// class or function, a persistent id. Python would run what such a value names.
	ErrNotData = errors.New("a value of this kind is not taken: Python would call what it names")
	// ErrUnhashable means a member of a set or a key of a dict that Python cannot hash.
	ErrUnhashable = errors.New("python cannot hash it")
)

// maxPlainInt is up to where every reader of JSON has the same integer (RFC 7493, 2.2).
const maxPlainInt = 1<<53 - 1

// AppendPlain appends v as plain JSON where Python's == finds no difference to what
// that reads as, and as tagged JSON in an envelope where it would:
//
//	None, True, "text"         null, true, "text"
//	Python 2 str of ASCII      "text"
//	42, Python 2's 42L         42, up to 2^53-1; beyond {"$py":{"t":"int","v":"9007199254740992"}}
//	1.0, 1e300                 1.0, 1e+300
//	inf                        {"$py":{"hex":"inf","t":"float","v":"inf"}}
//	[1, 2]                     [1,2]
//	(1, 2)                     {"$py":{"t":"tuple","v":[…]}}
//	{"a": 1}                   {"a":1}
//	{1: "a"}, {"$py": 1}       {"$py":{"t":"dict","v":[[…]]}}
//	b"\x00", a datetime …      {"$py":{"hex":"00","t":"bytes"}}, {"$py":{"t":"datetime",…}}
//
// Within an envelope everything is tagged, in the dialect that [Guess] gives of v. The
// text is ASCII without spaces. Errors are those of [Append].
func AppendPlain(dst []byte, v pyvalue.Value) ([]byte, error) {
	e := &encoder{buf: dst, limit: len(dst) + maxBytes, nodes: maxNodes, work: maxWork, dialect: Guess(v)}
	if err := e.plain(v); err != nil {
		return dst, fmt.Errorf("taggedjson: encode: %w", err)
	}
	return e.buf, nil
}

// plain writes a value as AppendPlain says. Its recursion ends at maxDepth.
func (e *encoder) plain(v pyvalue.Value) error {
	if d, ok := v.(*pyvalue.Dict); ok && hasPlainKeys(d) {
		return e.plainParts(v, func() error { return e.plainDict(d) })
	}
	if l, ok := v.(*pyvalue.List); ok {
		return e.plainParts(v, func() error { return e.plainList(l) })
	}
	if !isPlain(v) {
		e.text(`{"` + Envelope + `":`)
		if err := e.value(v); err != nil {
			return err
		}
		e.text(`}`)
		return nil
	}
	if err := e.part(); err != nil {
		return err
	}
	switch v := v.(type) {
	case pyvalue.Str:
		return e.quoted(string(v))
	case pyvalue.Py2Str:
		return e.quoted(string(v))
	}
	buf, err := pyjson.Append(e.buf, v)
	e.buf = buf
	return err
}

// part counts one value.
func (e *encoder) part() error {
	if e.nodes--; e.nodes < 0 {
		return e.tooMuch()
	}
	return e.room(0)
}

func (e *encoder) plainParts(v pyvalue.Value, write func() error) error {
	if err := e.part(); err != nil {
		return err
	}
	if err := e.enter(v); err != nil {
		return err
	}
	defer func() { e.path = e.path[:len(e.path)-1] }()
	return write()
}

func (e *encoder) plainList(l *pyvalue.List) error {
	e.text(`[`)
	for i, item := range l.Items {
		if i > 0 {
			e.text(`,`)
		}
		if err := e.plain(item); err != nil {
			return err
		}
	}
	e.text(`]`)
	return nil
}

func (e *encoder) plainDict(d *pyvalue.Dict) error {
	e.text(`{`)
	for i, entry := range d.Entries() {
		if i > 0 {
			e.text(`,`)
		}
		if err := e.plain(entry.Key); err != nil {
			return err
		}
		e.text(`:`)
		if err := e.plain(entry.Value); err != nil {
			return err
		}
	}
	e.text(`}`)
	return nil
}

// isPlain reports whether JSON has a word for a value that is no container.
func isPlain(v pyvalue.Value) bool {
	switch v := v.(type) {
	case pyvalue.None, pyvalue.Bool, pyvalue.Str:
		return true
	case pyvalue.Py2Str:
		return pyvalue.IsASCII(string(v))
	case *pyvalue.Int:
		n, ok := v.Int64()
		return ok && n >= -maxPlainInt && n <= maxPlainInt
	case pyvalue.Float:
		return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
	}
	return false
}

// hasPlainKeys reports whether the keys of a dict can be the names of a JSON object:
// texts, each of which is there once, and none that is taken for an envelope.
func hasPlainKeys(d *pyvalue.Dict) bool {
	for _, entry := range d.Entries() {
		switch k := entry.Key.(type) {
		case pyvalue.Str:
			if k == Envelope {
				return false
			}
		case pyvalue.Py2Str:
			if k == Envelope || !pyvalue.IsASCII(string(k)) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// ParsePlain reads what AppendPlain writes, of strangers: it takes data only. A tagged
// value that names a class, a function or anything else that Python would look up or
// call when it unpickles it is ErrNotData; datetime, date, time, timedelta, Decimal and
// UUID are data. What Python cannot hash is no member of a set and no key: ErrUnhashable.
//
// A number without a fraction and an exponent is an int, any other a float: 1 and 1.0
// are not the same. NaN and Infinity are words of Python, not of JSON, and are refused:
// ErrNotTagged. The other errors are those of [Parse].
func ParsePlain(data []byte) (pyvalue.Value, error) {
	doc, err := pyjson.Decode(data, limits)
	if err != nil {
		return nil, fmt.Errorf("taggedjson: parse: %w", err)
	}
	return FromPlain(doc)
}

// FromPlain is ParsePlain of a document that pyjson.Decode has read. The document is
// used up.
func FromPlain(doc pyvalue.Value) (pyvalue.Value, error) {
	v, err := (&parser{nodes: maxNodes, data: true}).plain(doc)
	if err != nil {
		return nil, fmt.Errorf("taggedjson: parse: %w", err)
	}
	return v, nil
}

// plain turns a document, whose depth its decoder has bounded, into the value.
func (p *parser) plain(doc pyvalue.Value) (pyvalue.Value, error) {
	switch doc := doc.(type) {
	case pyvalue.Float:
		if math.IsNaN(float64(doc)) || math.IsInf(float64(doc), 0) {
			return nil, bad("a number that JSON does not have")
		}
	case *pyvalue.Int:
		if n, ok := doc.Int64(); ok { // a Python 2 int has 64 bits and stays one
			i := pyvalue.MakePy2Int(n)
			return &i, nil
		}
	case *pyvalue.List:
		for i, item := range doc.Items {
			v, err := p.plain(item)
			if err != nil {
				return nil, err
			}
			doc.Items[i] = v
		}
	case *pyvalue.Dict:
		return p.plainDict(doc)
	}
	return doc, nil
}

func (p *parser) plainDict(doc *pyvalue.Dict) (pyvalue.Value, error) {
	if tagged, ok := doc.GetStr(Envelope); ok {
		if doc.Len() != 1 {
			return nil, bad("an envelope with other members beside it")
		}
		return p.value(tagged)
	}
	d := &pyvalue.Dict{}
	d.Grow(doc.Len())
	for k, v := range doc.All() {
		v, err := p.plain(v)
		if err != nil {
			return nil, err
		}
		d.Put(k, v)
	}
	return d, nil
}

// isCode reports whether a tag is of what Python looks up or calls.
func isCode(t string) bool {
	switch t {
	case "object", "global", "extension", "persistent":
		return true
	}
	return false
}

// hashable reports whether Python can hash a value that is data. Depth is bounded as
// that of the document is.
func hashable(v pyvalue.Value) bool {
	switch v := v.(type) {
	case *pyvalue.List, *pyvalue.Dict, *pyvalue.Set, *pyvalue.ByteArray:
		return false
	case *pyvalue.Tuple:
		for _, item := range v.Items {
			if !hashable(item) {
				return false
			}
		}
	}
	return true
}
