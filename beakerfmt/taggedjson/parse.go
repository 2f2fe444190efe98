package taggedjson

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Each Python value is up to four levels and a dozen values of JSON.
var limits = pyjson.Limits{
	MaxBytes: maxBytes + maxBytes/4,
	MaxDepth: 4*maxDepth + 16,
	MaxNodes: 12 * maxNodes,
}

// Parse reads tagged JSON. What it makes is a tree; a well-known class is made
// as the constructors of pyvalue make it, so that both Pythons read it, and any
// other object as the documentation of the package says: by "how", else by a
// call for the classes of module collections, else by __new__.
//
// The cause of an error is [ErrNotTagged], [ErrTooLarge], pyjson.ErrSyntax or
// pyjson.ErrLimit.
func Parse(data []byte) (pyvalue.Value, error) {
	doc, err := pyjson.Decode(data, limits)
	if err != nil {
		return nil, fmt.Errorf("taggedjson: parse: %w", err)
	}
	v, err := (&parser{nodes: maxNodes}).value(doc)
	if err != nil {
		return nil, fmt.Errorf("taggedjson: parse: %w", err)
	}
	return v, nil
}

// parser makes values of a decoded document, whose depth is bounded.
type parser struct {
	nodes int
	data  bool // only what ParsePlain takes
}

func bad(what string) error { return fmt.Errorf("%s: %w", what, ErrNotTagged) }

// fields is one tagged object.
type fields struct{ dict *pyvalue.Dict }

func (f fields) str(name string) (string, bool) {
	v, _ := f.dict.GetStr(name)
	s, ok := v.(pyvalue.Str)
	return string(s), ok
}

func (f fields) list(name string) ([]pyvalue.Value, bool) {
	v, _ := f.dict.GetStr(name)
	l, ok := v.(*pyvalue.List)
	if !ok {
		return nil, false
	}
	return l.Items, true
}

func (f fields) has(name string) bool {
	_, ok := f.dict.GetStr(name)
	return ok
}

func (f fields) bytes() ([]byte, bool) {
	s, ok := f.str("hex")
	if !ok {
		return nil, false
	}
	b, err := hex.DecodeString(s)
	return b, err == nil
}

func (f fields) int(name string) (int64, bool) {
	v, _ := f.dict.GetStr(name)
	i, ok := v.(*pyvalue.Int)
	if !ok {
		return 0, false
	}
	return i.Int64()
}

func (p *parser) value(doc pyvalue.Value) (pyvalue.Value, error) {
	if p.nodes--; p.nodes < 0 {
		return nil, ErrTooLarge
	}
	d, ok := doc.(*pyvalue.Dict)
	if !ok {
		return nil, bad("a value that is no json object")
	}
	f := fields{d}
	t, ok := f.str("t")
	if !ok {
		return nil, bad("a value without a tag")
	}
	if p.data && isCode(t) {
		return nil, fmt.Errorf("%s: %w", t, ErrNotData)
	}
	v, err := p.scalar(t, f)
	if v != nil || err != nil {
		return v, err
	}
	return p.container(t, f)
}

// scalar returns neither value nor error if t is no scalar's tag.
func (p *parser) scalar(t string, f fields) (v pyvalue.Value, err error) {
	ok := true
	switch t {
	case "none":
		v = pyvalue.None{}
	case "bool":
		v, _ = f.dict.GetStr("v")
		_, ok = v.(pyvalue.Bool)
	case "int", "long":
		v, ok = parseInt(f, t == "long")
	case "float":
		v, ok = parseFloat(f)
	case "complex":
		v, ok = parseComplex(f)
	case "str":
		var s string
		s, ok = f.str("v")
		v = pyvalue.Str(s)
	case "py2str", "bytes", "bytearray":
		v, ok = parseBytes(t, f)
	case "extension":
		var n int64
		n, ok = f.int("v")
		ok = ok && n >= 0 && n < 1<<32
		v = pyvalue.Extension(n)
	default:
		return parseKnown(t, f)
	}
	if !ok {
		return nil, bad("the content of " + t)
	}
	return v, nil
}

func parseInt(f fields, long bool) (pyvalue.Value, bool) {
	s, ok := f.str("v")
	if !ok || len(s) > 100001 || strings.Trim(strings.TrimPrefix(s, "-"), "0123456789") != "" {
		return nil, false
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, false
	}
	if long {
		return pyvalue.NewLong(n), true
	}
	if n.IsInt64() { // a Python 2 int has 64 bits and stays one
		i := pyvalue.MakePy2Int(n.Int64())
		return &i, true
	}
	return pyvalue.NewBigInt(n), true
}

func parseFloat(f fields) (pyvalue.Value, bool) {
	s, ok := f.str("hex")
	if !ok {
		s, ok = f.str("v")
	}
	n, err := strconv.ParseFloat(s, 64)
	return pyvalue.Float(n), ok && err == nil
}

func parseComplex(f fields) (pyvalue.Value, bool) {
	re, _ := f.str("re")
	im, _ := f.str("im")
	r, err1 := strconv.ParseFloat(re, 64)
	i, err2 := strconv.ParseFloat(im, 64)
	return pyvalue.Complex(complex(r, i)), err1 == nil && err2 == nil
}

func parseBytes(t string, f fields) (pyvalue.Value, bool) {
	b, ok := f.bytes()
	switch t {
	case "py2str":
		return pyvalue.Py2Str(b), ok
	case "bytes":
		return pyvalue.Bytes(b), ok
	}
	return &pyvalue.ByteArray{Data: b}, ok
}

// parseKnown makes the objects with a tag of their own.
func parseKnown(t string, f fields) (pyvalue.Value, error) {
	s, ok := f.str("v")
	var o *pyvalue.Object
	var err error
	switch t {
	case "datetime":
		o, err = parseDatetime(f, s)
	case "date":
		var d time.Time
		if d, err = time.Parse(time.DateOnly, s); err == nil {
			o, err = pyvalue.NewDate(pyvalue.Date{Year: d.Year(), Month: d.Month(), Day: d.Day()})
		}
	case "time":
		var d time.Time
		if d, err = time.Parse("15:04:05", s); err == nil {
			o, err = pyvalue.NewTimeOfDay(pyvalue.TimeOfDay{
				Hour: d.Hour(), Minute: d.Minute(), Second: d.Second(), Microsecond: d.Nanosecond() / 1000})
		}
	case "timedelta":
		o, err = parseTimedelta(f)
		ok = true
	case "decimal":
		o, err = pyvalue.NewDecimal(pyvalue.Decimal(s))
	case "uuid":
		o, err = parseUUID(s)
	default:
		return nil, nil
	}
	if err != nil || !ok {
		return nil, bad("the content of " + t)
	}
	return o, nil
}

func parseDatetime(f fields, s string) (*pyvalue.Object, error) {
	const layout = "2006-01-02T15:04:05"
	if !f.has("tz") {
		return nil, ErrNotTagged
	}
	tz, aware := f.str("tz")
	if !aware {
		t, err := time.Parse(layout, s)
		if err != nil {
			return nil, err
		}
		return pyvalue.NewNaiveDatetime(t)
	}
	t, err := time.Parse(layout+"-07:00", s)
	if err != nil {
		if t, err = time.Parse(layout+"-07:00:00", s); err != nil {
			return nil, err
		}
	}
	if _, offset := t.Zone(); offsetText(offset) != tz {
		return nil, ErrNotTagged
	}
	return pyvalue.NewDatetime(t)
}

func parseTimedelta(f fields) (*pyvalue.Object, error) {
	days, ok1 := f.int("days")
	seconds, ok2 := f.int("seconds")
	micros, ok3 := f.int("microseconds")
	if !ok1 || !ok2 || !ok3 || days < -999999999 || days > 999999999 ||
		seconds < 0 || seconds >= 86400 || micros < 0 || micros >= 1e6 {
		return nil, ErrNotTagged
	}
	return pyvalue.NewTimedelta(pyvalue.Timedelta{Days: int(days), Seconds: int(seconds), Microseconds: int(micros)}), nil
}

func parseUUID(s string) (*pyvalue.Object, error) {
	var u pyvalue.UUID
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || copy(u[:], b) != len(u) || u.String() != s {
		return nil, ErrNotTagged
	}
	return pyvalue.NewUUID(u), nil
}

func (p *parser) values(docs []pyvalue.Value) ([]pyvalue.Value, error) {
	out := make([]pyvalue.Value, 0, len(docs))
	for _, doc := range docs {
		v, err := p.value(doc)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// pairs returns the keys and values of a list of pairs, in turn.
func (p *parser) pairs(docs []pyvalue.Value) ([]pyvalue.Value, error) {
	out := make([]pyvalue.Value, 0, 2*len(docs))
	for _, doc := range docs {
		l, ok := doc.(*pyvalue.List)
		if !ok || len(l.Items) != 2 {
			return nil, bad("an entry that is no pair")
		}
		kv, err := p.values(l.Items)
		if err != nil {
			return nil, err
		}
		out = append(out, kv...)
	}
	return out, nil
}

func (p *parser) container(t string, f fields) (pyvalue.Value, error) {
	switch t {
	case "list", "tuple", "set", "frozenset":
		return p.sequence(t, f)
	case "dict":
		docs, ok := f.list("v")
		if !ok {
			return nil, bad("a dict without entries")
		}
		kv, err := p.pairs(docs)
		if err != nil {
			return nil, err
		}
		for i := 0; p.data && i < len(kv); i += 2 {
			if !hashable(kv[i]) {
				return nil, fmt.Errorf("a key: %w", ErrUnhashable)
			}
		}
		return dictOf(kv), nil
	case "global":
		return parseGlobal(f)
	case "persistent":
		doc, _ := f.dict.GetStr("v")
		id, err := p.value(doc)
		if err != nil {
			return nil, err
		}
		text, _ := f.dict.GetStr("text")
		return &pyvalue.Persistent{ID: id, Text: text == pyvalue.Value(pyvalue.Bool(true))}, nil
	case "object":
		return p.object(f)
	}
	return nil, bad("an unknown tag")
}

func dictOf(kv []pyvalue.Value) *pyvalue.Dict {
	d := &pyvalue.Dict{}
	d.Grow(len(kv) / 2)
	for i := 0; i+1 < len(kv); i += 2 {
		d.Put(kv[i], kv[i+1])
	}
	return d
}

func (p *parser) sequence(t string, f fields) (pyvalue.Value, error) {
	docs, ok := f.list("v")
	if !ok {
		return nil, bad("a " + t + " without members")
	}
	items, err := p.values(docs)
	if err != nil {
		return nil, err
	}
	switch t {
	case "list":
		return &pyvalue.List{Items: items}, nil
	case "tuple":
		return &pyvalue.Tuple{Items: items}, nil
	}
	if p.data && slices.ContainsFunc(items, func(v pyvalue.Value) bool { return !hashable(v) }) {
		return nil, fmt.Errorf("a member of a %s: %w", t, ErrUnhashable)
	}
	switch t {
	case "set":
		s := &pyvalue.Set{}
		for _, v := range items {
			s.Put(v)
		}
		return s, nil
	}
	s := &pyvalue.FrozenSet{}
	for _, v := range items {
		s.Put(v)
	}
	return s, nil
}

func parseGlobal(f fields) (pyvalue.Value, error) {
	if s, ok := f.str("v"); ok {
		return splitGlobal(s)
	}
	module, ok1 := f.str("module")
	name, ok2 := f.str("name")
	if !ok1 || !ok2 {
		return nil, bad("the content of global")
	}
	return globalOf(module, name), nil
}

func splitGlobal(s string) (pyvalue.Value, error) {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 || i == len(s)-1 {
		return nil, bad("a name without a module")
	}
	return globalOf(s[:i], s[i+1:]), nil
}

// globalOf tells Python 2's names from Python 3's; where both have one, it is
// Python 3's.
func globalOf(module, name string) *pyvalue.Global {
	g := &pyvalue.Global{Module: module, Name: name}
	if m, n := g.Python2(); m != module || n != name {
		return g
	}
	py2 := &pyvalue.Global{Module: module, Name: name, Py2: true}
	if m, n := py2.Python3(); m != module || n != name {
		return py2
	}
	return g
}
