package taggedjson

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Append appends v as tagged JSON in the given dialect. Errors are
// [ErrTooLarge] and [ErrCircular], and pyjson.ErrUnsupported for a [pyvalue.Str]
// that is no text; on an error dst is returned as it was.
func Append(dst []byte, v pyvalue.Value, d Dialect) ([]byte, error) {
	e := &encoder{buf: dst, limit: len(dst) + maxBytes, nodes: maxNodes, work: maxWork, dialect: d}
	if err := e.value(v); err != nil {
		return dst, fmt.Errorf("taggedjson: encode: %w", err)
	}
	return e.buf, nil
}

// encoder writes one value. Its recursion ends at maxDepth.
type encoder struct {
	buf     []byte
	limit   int
	nodes   int
	work    int // what is done besides writing, as Object.Weight counts it
	dialect Dialect
	path    []pyvalue.Value // the containers around the current value
}

func (e *encoder) text(s string) { e.buf = append(e.buf, s...) }

func (e *encoder) tagged(t, v string) {
	e.text(`{"t":"`)
	e.text(t)
	e.text(`","v":`)
	e.text(v)
	e.text(`}`)
}

func (e *encoder) room(n int) error {
	if len(e.buf)+n > e.limit {
		return e.tooMuch()
	}
	return nil
}

// effort counts work that shared parts can ask for again and again.
func (e *encoder) effort(n int) error {
	if e.work -= n; e.work < 0 {
		return e.tooMuch()
	}
	return nil
}

func (e *encoder) value(v pyvalue.Value) error {
	if e.nodes--; e.nodes < 0 {
		return e.tooMuch()
	}
	if err := e.room(0); err != nil {
		return err
	}
	switch v := v.(type) {
	case pyvalue.None:
		e.text(`{"t":"none"}`)
	case pyvalue.Bool:
		e.tagged("bool", strconv.FormatBool(bool(v)))
	case *pyvalue.Int:
		return e.int(v)
	case pyvalue.Float:
		e.float(float64(v))
	case pyvalue.Complex:
		e.text(`{"im":"` + pyvalue.ReprFloat(imag(v)) + `","re":"` + pyvalue.ReprFloat(real(v)) + `","t":"complex"}`)
	case pyvalue.Str:
		return e.str(string(v))
	case pyvalue.Py2Str:
		return e.py2str(string(v))
	case pyvalue.Bytes:
		return e.bytes("bytes", []byte(v))
	case *pyvalue.ByteArray:
		return e.bytes("bytearray", v.Data)
	case pyvalue.Extension:
		e.tagged("extension", strconv.FormatUint(uint64(v), 10))
	case *pyvalue.Global:
		return e.global(v)
	default:
		return e.container(v)
	}
	return nil
}

func (e *encoder) int(i *pyvalue.Int) error {
	if i.BitLen() > maxIntBits {
		return e.tooMuch()
	}
	t := "int"
	if i.IsLong() && e.dialect == Python2 {
		t = "long"
	}
	e.tagged(t, `"`+i.String()+`"`)
	return nil
}

func (e *encoder) float(f float64) {
	e.text(`{"hex":"` + pyvalue.HexFloat(f) + `","t":"float","v":"` + pyvalue.ReprFloat(f) + `"}`)
}

func (e *encoder) str(s string) error {
	e.text(`{"t":"str","v":`)
	if err := e.quoted(s); err != nil {
		return err
	}
	e.text(`}`)
	return nil
}

// quoted writes s as a JSON string, with Python's escapes.
func (e *encoder) quoted(s string) error {
	if err := e.room(len(s)); err != nil {
		return err
	}
	buf, err := pyjson.Append(e.buf, pyvalue.Str(s))
	e.buf = buf
	return err
}

func (e *encoder) py2str(s string) error {
	if e.dialect == Python3 && pyvalue.IsASCII(s) {
		return e.str(s)
	}
	e.text(`{"ascii":`)
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		e.text("null")
	} else if err := e.quoted(s); err != nil {
		return err
	}
	e.text(`,"hex":"`)
	if err := e.room(2 * len(s)); err != nil {
		return err
	}
	e.buf = hex.AppendEncode(e.buf, []byte(s))
	e.text(`","t":"py2str"}`)
	return nil
}

func (e *encoder) bytes(t string, b []byte) error {
	if err := e.room(2 * len(b)); err != nil {
		return err
	}
	e.text(`{"hex":"`)
	e.buf = hex.AppendEncode(e.buf, b)
	e.text(`","t":"` + t + `"}`)
	return nil
}

func (e *encoder) enter(v pyvalue.Value) error {
	if len(e.path) >= maxDepth {
		return e.tooMuch()
	}
	e.path = append(e.path, v)
	return nil
}

// tooMuch tells a value that contains itself, which sooner or later meets a
// bound, from one that is merely too large.
func (e *encoder) tooMuch() error {
	seen := make(map[pyvalue.Value]bool, len(e.path))
	for _, v := range e.path {
		if seen[v] {
			return ErrCircular
		}
		seen[v] = true
	}
	return ErrTooLarge
}

func (e *encoder) container(v pyvalue.Value) error {
	if err := e.enter(v); err != nil {
		return err
	}
	defer func() { e.path = e.path[:len(e.path)-1] }()
	switch v := v.(type) {
	case *pyvalue.List:
		return e.sequence("list", v.Items)
	case *pyvalue.Tuple:
		return e.sequence("tuple", v.Items)
	case *pyvalue.Set:
		return e.set("set", slices.Collect(v.All()))
	case *pyvalue.FrozenSet:
		return e.set("frozenset", slices.Collect(v.All()))
	case *pyvalue.Dict:
		e.text(`{"t":"dict","v":`)
		if err := e.dict(v); err != nil {
			return err
		}
		e.text(`}`)
		return nil
	case *pyvalue.Persistent:
		return e.persistent(v)
	case *pyvalue.Object:
		return e.object(v)
	}
	return fmt.Errorf("no value: %w", ErrNotTagged)
}

func (e *encoder) sequence(t string, items []pyvalue.Value) error {
	e.text(`{"t":"` + t + `","v":`)
	if err := e.items(items); err != nil {
		return err
	}
	e.text(`}`)
	return nil
}

func (e *encoder) items(items []pyvalue.Value) error {
	e.text(`[`)
	for i, item := range items {
		if i > 0 {
			e.text(`,`)
		}
		if err := e.value(item); err != nil {
			return err
		}
	}
	e.text(`]`)
	return nil
}

// set writes each member behind the others, then puts the texts in order.
func (e *encoder) set(t string, items []pyvalue.Value) error {
	e.text(`{"t":"` + t + `","v":[`)
	start := len(e.buf)
	ends := make([]int, 0, len(items))
	for _, item := range items {
		if err := e.value(item); err != nil {
			return err
		}
		ends = append(ends, len(e.buf)-start)
	}
	if len(items) < 2 {
		e.text(`]}`)
		return nil
	}
	if err := e.effort((len(e.buf) - start) / 64); err != nil {
		return err
	}
	written := string(e.buf[start:])
	texts, from := make([]string, 0, len(items)), 0
	for _, end := range ends {
		texts = append(texts, written[from:end])
		from = end
	}
	slices.Sort(texts)
	e.buf = append(e.buf[:start], strings.Join(texts, ",")...)
	e.text(`]}`)
	return nil
}

func (e *encoder) dict(d *pyvalue.Dict) error {
	values := make([]pyvalue.Value, 0, 2*d.Len())
	for key, value := range d.All() {
		values = append(values, key, value)
	}
	return e.pairs(values)
}

func (e *encoder) pairs(values []pyvalue.Value) error {
	e.text(`[`)
	for i := 0; i+1 < len(values); i += 2 {
		if i > 0 {
			e.text(`,`)
		}
		if err := e.items(values[i : i+2]); err != nil {
			return err
		}
	}
	e.text(`]`)
	return nil
}

func (e *encoder) persistent(p *pyvalue.Persistent) error {
	e.text(`{"t":"persistent"`)
	if p.Text {
		e.text(`,"text":true`)
	}
	e.text(`,"v":`)
	if err := e.value(p.ID); err != nil {
		return err
	}
	e.text(`}`)
	return nil
}

// names returns a global's module and name in the dialect.
func (d Dialect) names(g *pyvalue.Global) (module, name string) {
	if d == Python2 {
		return g.Module, g.Name
	}
	return g.Python3()
}

// dotted joins module and name if they can be told apart again.
func dotted(module, name string) (string, bool) {
	ok := module != "" && name != "" && !strings.Contains(name, ".")
	return module + "." + name, ok
}

func (e *encoder) global(g *pyvalue.Global) error {
	module, name := e.dialect.names(g)
	if s, ok := dotted(module, name); ok {
		e.text(`{"t":"global","v":`)
		if err := e.quoted(s); err != nil {
			return err
		}
		e.text(`}`)
		return nil
	}
	e.text(`{"module":`)
	if err := e.quoted(module); err != nil {
		return err
	}
	e.text(`,"name":`)
	if err := e.quoted(name); err != nil {
		return err
	}
	e.text(`,"t":"global"}`)
	return nil
}

// known writes an object of a class that has a tag of its own.
func (e *encoder) known(o *pyvalue.Object) bool {
	if t, naive, ok := pyvalue.AsTime(o); ok {
		e.datetime(t, naive)
	} else if d, ok := pyvalue.AsDate(o); ok {
		e.tagged("date", `"`+d.String()+`"`)
	} else if t, ok := pyvalue.AsTimeOfDay(o); ok {
		e.tagged("time", `"`+t.String()+`"`)
	} else if t, ok := pyvalue.AsTimedelta(o); ok {
		e.text(fmt.Sprintf(`{"days":%d,"microseconds":%d,"seconds":%d,"t":"timedelta"}`, t.Days, t.Microseconds, t.Seconds))
	} else if d, ok := pyvalue.AsDecimal(o); ok && e.room(len(d)) == nil {
		e.tagged("decimal", `"`+string(d)+`"`)
	} else if u, ok := pyvalue.AsUUID(o); ok {
		e.tagged("uuid", `"`+u.String()+`"`)
	} else {
		return false
	}
	return true
}

func (e *encoder) datetime(t time.Time, naive bool) {
	v := pyvalue.Date{Year: t.Year(), Month: t.Month(), Day: t.Day()}.String() + "T" +
		pyvalue.TimeOfDay{Hour: t.Hour(), Minute: t.Minute(), Second: t.Second(), Microsecond: t.Nanosecond() / 1000}.String()
	if naive {
		e.text(`{"t":"datetime","tz":null,"v":"` + v + `"}`)
		return
	}
	_, offset := t.Zone()
	e.text(`{"t":"datetime","tz":"` + offsetText(offset) + `","v":"` + v + isoOffset(offset) + `"}`)
}

// offsetText is Python's str of the timedelta: "2:00:00", "-1 day, 19:00:00".
func offsetText(offset int) string {
	days := ""
	if offset < 0 {
		days, offset = "-1 day, ", offset+86400
	}
	return fmt.Sprintf("%s%d:%02d:%02d", days, offset/3600, offset/60%60, offset%60)
}

// isoOffset is what isoformat writes behind the time: "+02:00".
func isoOffset(offset int) string {
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	s := fmt.Sprintf("%c%02d:%02d", sign, offset/3600, offset/60%60)
	if offset%60 != 0 {
		s += fmt.Sprintf(":%02d", offset%60)
	}
	return s
}
