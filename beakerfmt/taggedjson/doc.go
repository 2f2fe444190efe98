// Package taggedjson writes Python values as JSON in which every value carries
// its type, so that nothing is confused with anything else, and reads it back.
// It is for tools and tests: `gobeaker inspect --json`, `gobeaker verify`, and
// the same format is written and read by scripts/taggedjson.py.
//
//	None, True               {"t":"none"}, {"t":"bool","v":true}
//	int; Python 2 long       {"t":"int","v":"42"}, {"t":"long","v":"42"}
//	float                    {"hex":"0x1.8000000000000p+0","t":"float","v":"1.5"}
//	complex                  {"im":"-2.0","re":"1.5","t":"complex"}
//	str, Python 2 unicode    {"t":"str","v":"…"}
//	Python 2 str             {"ascii":"…" or null,"hex":"…","t":"py2str"}
//	bytes, bytearray         {"hex":"…","t":"bytes"}, {"hex":"…","t":"bytearray"}
//	list, tuple              {"t":"list","v":[…]}, {"t":"tuple","v":[…]}
//	set, frozenset           {"t":"set","v":[…]}, sorted by the text of the members
//	dict                     {"t":"dict","v":[[key,value],…]}
//	datetime                 {"t":"datetime","tz":null or "2:00:00","v":"2023-11-14T22:13:20"}
//	date, time               {"t":"date","v":"2024-02-29"}, {"t":"time","v":"01:02:03.000004"}
//	timedelta                {"days":-1,"microseconds":7,"seconds":5,"t":"timedelta"}
//	Decimal, UUID            {"t":"decimal","v":"1.10"}, {"t":"uuid","v":"12345678-…"}
//	an object                {"class":"module.Name","state":…,"t":"object"}
//	an object that is a dict {"class":"module.Name","dict":[[key,value],…],"t":"object"}
//
// An object may have more fields, each only if there is something in it:
//
//	"args"    the arguments with which it is made, a list
//	"kwargs"  the keyword arguments, a dict
//	"items"   what is appended to it (list subclasses, deque), a list
//	"dict"    what is set in it, pairs
//	"add"     what is added to it (set subclasses), a list
//	"ops"     all that is done to it, if the fields above cannot tell: [["BUILD",[…]],…]
//	"base"    whose __new__ makes it, if not the class's own ("builtins.tuple")
//	"how"     how it is made, if Parse would not choose that by itself: "REDUCE",
//	          "NEWOBJ", "NEWOBJ_EX", "INST". This and "base" belong to the
//	          pickle rather than to the object, so Equal does not look at them
//
// And there are values of pickles that are no objects of a class:
//
//	a class or function      {"t":"global","v":"module.Name"}; a name with dots of
//	                         its own {"module":"…","name":"…","t":"global"}
//	copyreg extension code   {"t":"extension","v":240}
//	persistent id            {"t":"persistent","v":…}, of protocol 0 with "text":true
//
// The "class" of an object whose class is no plain module.Name is such a value.
//
// The text is ASCII without spaces, the fields in alphabetical order. It is a
// tree: that two references are one object is not told, and a value that
// contains itself cannot be written.
//
// For services in other languages [AppendPlain] and [ParsePlain] write and read plain
// JSON, in which only what JSON has no word for is tagged.
package taggedjson

import (
	"errors"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Causes of errors.
var (
	// ErrTooLarge means a value deeper than 1000, of more than 2^20 parts, or a
	// text of more than 64 MiB.
	ErrTooLarge = errors.New("too deep or too large")
	// ErrCircular means a value that contains itself.
	ErrCircular = errors.New("circular reference")
	// ErrNotTagged means JSON that is no tagged JSON.
	ErrNotTagged = errors.New("not tagged json")
)

const (
	maxDepth   = 1000
	maxNodes   = 1 << 20
	maxBytes   = 64 << 20
	maxIntBits = 332200 // 100000 digits
	maxWork    = 4 << 20
)

// Dialect is the Python in whose eyes a value is written.
type Dialect uint8

// The dialects. In Python 3's a Python 2 str of ASCII is str, as its unpickler
// makes it (any other stays py2str: Python 3 cannot read it), long is int, and
// classes have Python 3's names. Python 2's keeps all that apart.
const (
	Python3 Dialect = iota
	Python2
)

// Guess returns the dialect of the Python that wrote v: Python 2 if there is a
// Python 2 str in it.
func Guess(v pyvalue.Value) Dialect {
	g := &guess{seen: map[pyvalue.Value]bool{}, todo: []pyvalue.Value{v}}
	for len(g.todo) > 0 {
		v := g.todo[len(g.todo)-1]
		g.todo = g.todo[:len(g.todo)-1]
		if _, ok := v.(pyvalue.Py2Str); ok {
			return Python2
		}
		g.parts(v)
	}
	return Python3
}

// guess looks at each object once, whatever the value's shape.
type guess struct {
	seen map[pyvalue.Value]bool
	todo []pyvalue.Value
}

func (g *guess) parts(v pyvalue.Value) {
	switch v.(type) {
	case *pyvalue.List, *pyvalue.Tuple, *pyvalue.Dict, *pyvalue.Set, *pyvalue.FrozenSet,
		*pyvalue.Object, *pyvalue.Persistent:
	default:
		return
	}
	if g.seen[v] {
		return
	}
	g.seen[v] = true
	switch v := v.(type) {
	case *pyvalue.List:
		g.todo = append(g.todo, v.Items...)
	case *pyvalue.Tuple:
		g.todo = append(g.todo, v.Items...)
	case *pyvalue.Dict:
		for key, value := range v.All() {
			g.todo = append(g.todo, key, value)
		}
	case *pyvalue.Set:
		for m := range v.All() {
			g.todo = append(g.todo, m)
		}
	case *pyvalue.FrozenSet:
		for m := range v.All() {
			g.todo = append(g.todo, m)
		}
	case *pyvalue.Persistent:
		if !v.Text {
			g.todo = append(g.todo, v.ID)
		}
	case *pyvalue.Object:
		g.todo = append(g.todo, v.Class, v.Args)
		if v.Kwargs != nil {
			g.todo = append(g.todo, v.Kwargs)
		}
		for _, op := range v.Ops {
			g.todo = append(g.todo, op.Values...)
		}
	}
}
