package pyvalue

import "time"

// Weight tells how much work it is to ask once what o is by the functions of
// this package whose names begin with As, in units of a value or 64 bytes of
// text. They do that work anew each time they are asked, so who asks about
// foreign values, which can have the same object many times, bounds the sum.
func (o *Object) Weight() int {
	n := 1
	if o.Args != nil {
		for _, arg := range o.Args.Items {
			n += weightOf(arg, 2)
		}
	}
	for _, op := range o.Ops {
		for _, v := range op.Values {
			n += weightOf(v, 0)
		}
	}
	return n
}

// weightOf looks into lists, tuples and dicts as far as depth goes.
func weightOf(v Value, depth int) int {
	n := 1 + textLen(v)/64
	if depth == 0 {
		return n
	}
	var items []Value
	switch v := v.(type) {
	case *List:
		items = v.Items
	case *Tuple:
		items = v.Items
	case *Dict:
		return n + v.Len() // copied at most
	}
	for _, item := range items {
		n += weightOf(item, depth-1)
	}
	return n
}

func textLen(v Value) int {
	switch v := v.(type) {
	case Str:
		return len(v)
	case Py2Str:
		return len(v)
	case Bytes:
		return len(v)
	case *Int:
		return v.BitLen() / 8
	}
	return 0
}

// called returns v as an object made by a call of the class that Python 3
// names module.name.
func called(v Value, module, name string) (*Object, bool) {
	o, ok := v.(*Object)
	if !ok || o.How != Reduce || o.Args == nil {
		return nil, false
	}
	g, ok := o.Class.(*Global)
	return o, ok && g.Is(module, name)
}

// packed returns the argument that holds an object of the datetime module as n
// bytes: bytes from Python 3, a str from Python 2, and a str of Latin-1 where
// such a pickle went through an unpickler with encoding="latin1".
func packed(v Value, n int) (string, bool) {
	switch v := v.(type) {
	case Bytes:
		return string(v), len(v) == n
	case Py2Str:
		return string(v), len(v) == n
	case Str:
		b := make([]byte, 0, n)
		for _, r := range string(v) {
			if r > 0xFF || len(b) == n {
				return "", false
			}
			b = append(b, byte(r))
		}
		return string(b), len(b) == n
	}
	return "", false
}

// AsTime recognises datetime.datetime. A naive one (no time zone) has its wall
// clock in UTC. Of time zones only those are known whose offset the pickle
// tells: datetime.timezone and pytz; any other gives ok = false.
func AsTime(v Value) (t time.Time, naive, ok bool) {
	o, ok := called(v, "datetime", "datetime")
	if !ok || len(o.Ops) > 0 || len(o.Args.Items) < 1 || len(o.Args.Items) > 2 {
		return time.Time{}, false, false
	}
	s, ok := packed(o.Args.Items[0], 10)
	if !ok {
		return time.Time{}, false, false
	}
	date := Date{int(s[0])<<8 | int(s[1]), time.Month(s[2] & 0x7F), int(s[3])} // bit 7 of the month is "fold"
	clock := TimeOfDay{int(s[4]), int(s[5]), int(s[6]), int(s[7])<<16 | int(s[8])<<8 | int(s[9])}
	if !date.valid() || !clock.valid() {
		return time.Time{}, false, false
	}
	zone, naive := time.UTC, true
	if len(o.Args.Items) == 2 && o.Args.Items[1] != Value(None{}) {
		if zone, ok = asZone(o.Args.Items[1]); !ok {
			return time.Time{}, false, false
		}
		naive = false
	}
	return time.Date(date.Year, date.Month, date.Day,
		clock.Hour, clock.Minute, clock.Second, clock.Microsecond*1000, zone), naive, true
}

func asZone(v Value) (*time.Location, bool) {
	if o, ok := called(v, "datetime", "timezone"); ok && len(o.Args.Items) > 0 {
		d, ok := AsTimedelta(o.Args.Items[0])
		if !ok || d.Microseconds != 0 {
			return nil, false
		}
		name := ""
		if len(o.Args.Items) > 1 {
			name = zoneName(o.Args.Items[1])
		}
		return zone(name, int64(d.Days)*86400+int64(d.Seconds))
	}
	if _, ok := called(v, "pytz", "_UTC"); ok {
		return time.UTC, true
	}
	// pytz: _p(zone, seconds from UTC, of which for summer time, name)
	if o, ok := called(v, "pytz", "_p"); ok && len(o.Args.Items) == 4 {
		name := zoneName(o.Args.Items[3])
		if n, ok := smallInt(o.Args.Items[1], 86400); ok {
			return zone(name, n)
		}
	}
	if o, ok := called(v, "pytz", "FixedOffset"); ok && len(o.Args.Items) == 1 {
		if n, ok := smallInt(o.Args.Items[0], 1440); ok {
			return zone("", n*60)
		}
	}
	return nil, false
}

// zoneName gives no name for what is no text, or longer than any name.
func zoneName(v Value) string {
	if textLen(v) > 256 {
		return ""
	}
	name, _ := Text(v)
	return name
}

func zone(name string, offset int64) (*time.Location, bool) {
	if offset <= -86400 || offset >= 86400 {
		return nil, false
	}
	if offset == 0 && (name == "" || name == "UTC") {
		return time.UTC, true
	}
	return time.FixedZone(name, int(offset)), true
}

// smallInt returns an int whose absolute value is at most limit.
func smallInt(v Value, limit int64) (int64, bool) {
	i, ok := v.(*Int)
	if !ok {
		return 0, false
	}
	n, ok := i.Int64()
	return n, ok && n >= -limit && n <= limit
}

// AsDate recognises datetime.date.
func AsDate(v Value) (Date, bool) {
	o, ok := called(v, "datetime", "date")
	if !ok || len(o.Ops) > 0 || len(o.Args.Items) != 1 {
		return Date{}, false
	}
	s, ok := packed(o.Args.Items[0], 4)
	if !ok {
		return Date{}, false
	}
	d := Date{int(s[0])<<8 | int(s[1]), time.Month(s[2]), int(s[3])}
	return d, d.valid()
}

// AsTimeOfDay recognises datetime.time without a time zone.
func AsTimeOfDay(v Value) (TimeOfDay, bool) {
	o, ok := called(v, "datetime", "time")
	if !ok || len(o.Ops) > 0 || len(o.Args.Items) != 1 {
		return TimeOfDay{}, false
	}
	s, ok := packed(o.Args.Items[0], 6)
	if !ok {
		return TimeOfDay{}, false
	}
	// bit 7 of the hour is "fold"
	t := TimeOfDay{int(s[0] & 0x7F), int(s[1]), int(s[2]), int(s[3])<<16 | int(s[4])<<8 | int(s[5])}
	return t, t.valid()
}

// AsTimedelta recognises datetime.timedelta.
func AsTimedelta(v Value) (Timedelta, bool) {
	o, ok := called(v, "datetime", "timedelta")
	if !ok || len(o.Ops) > 0 || len(o.Args.Items) > 3 {
		return Timedelta{}, false
	}
	const days, other = 999999999, 1e15
	var n [3]int64
	for i, arg := range o.Args.Items {
		limit := int64(other)
		if i == 0 {
			limit = days
		}
		if n[i], ok = smallInt(arg, limit); !ok {
			return Timedelta{}, false
		}
	}
	t := normalTimedelta(n[0], n[1], n[2])
	return t, t.Days >= -days && t.Days <= days
}

// AsDuration recognises datetime.timedelta, if it fits a Go duration.
func AsDuration(v Value) (time.Duration, bool) {
	t, ok := AsTimedelta(v)
	if !ok {
		return 0, false
	}
	return t.Duration()
}

// AsDecimal recognises decimal.Decimal and returns its text.
func AsDecimal(v Value) (Decimal, bool) {
	o, ok := called(v, "decimal", "Decimal")
	if !ok || len(o.Ops) > 0 || len(o.Args.Items) != 1 {
		return "", false
	}
	s, ok := Text(o.Args.Items[0])
	return Decimal(s), ok && Decimal(s).valid()
}

// AsUUID recognises uuid.UUID as any Python pickles it at any protocol.
func AsUUID(v Value) (UUID, bool) {
	o, ok := v.(*Object)
	if !ok || o.Args == nil || len(o.Ops) != 1 {
		return UUID{}, false
	}
	if g := o.class(); g == nil || g.Module != "uuid" || g.Name != "UUID" {
		return UUID{}, false
	}
	state, ok := o.State()
	if !ok {
		return UUID{}, false
	}
	d, ok := state.(*Dict)
	if !ok {
		return UUID{}, false
	}
	n, _ := d.GetStr("int")
	i, ok := n.(*Int)
	if !ok || i.Sign() < 0 || i.BitLen() > 128 {
		return UUID{}, false
	}
	var u UUID
	i.Big().FillBytes(u[:])
	return u, true
}

// AsOrderedDict recognises collections.OrderedDict, as Python 3 pickles it and
// as Python 2 does. Attributes that were set on it are not looked at.
func AsOrderedDict(v Value) (*Dict, bool) {
	o, ok := called(v, "collections", "OrderedDict")
	if !ok || len(o.Args.Items) > 1 {
		return nil, false
	}
	d := &Dict{}
	if len(o.Args.Items) == 1 && !putPairs(d, o.Args.Items[0]) {
		return nil, false
	}
	return d, setItems(d, o)
}

// putPairs puts Python 2's list of [key, value] lists.
func putPairs(d *Dict, v Value) bool {
	pairs, ok := v.(*List)
	if !ok {
		return false
	}
	for _, p := range pairs.Items {
		var kv []Value
		switch p := p.(type) {
		case *List:
			kv = p.Items
		case *Tuple:
			kv = p.Items
		}
		if len(kv) != 2 {
			return false
		}
		d.Put(kv[0], kv[1])
	}
	return true
}

// setItems puts what SETITEMS put. It fails on what is no dict's business.
func setItems(d *Dict, o *Object) bool {
	for _, op := range o.Ops {
		switch op.Kind {
		case Build:
		case SetItems:
			for i := 0; i+1 < len(op.Values); i += 2 {
				d.Put(op.Values[i], op.Values[i+1])
			}
		default:
			return false
		}
	}
	return true
}

// AsDefaultDict recognises collections.defaultdict. factory is what makes its
// missing values: usually a [Global], or [None].
func AsDefaultDict(v Value) (factory Value, d *Dict, ok bool) {
	o, ok := called(v, "collections", "defaultdict")
	if !ok || len(o.Args.Items) > 1 {
		return nil, nil, false
	}
	factory, d = None{}, &Dict{}
	if len(o.Args.Items) == 1 {
		factory = o.Args.Items[0]
	}
	return factory, d, setItems(d, o)
}

// AsCounter recognises collections.Counter. The result is a copy.
func AsCounter(v Value) (*Dict, bool) {
	o, ok := called(v, "collections", "Counter")
	if !ok || len(o.Args.Items) > 1 {
		return nil, false
	}
	d := &Dict{}
	if len(o.Args.Items) == 1 {
		counts, ok := o.Args.Items[0].(*Dict)
		if !ok {
			return nil, false
		}
		d = counts.Clone()
	}
	return d, setItems(d, o)
}

// AsDict returns the entries of a dict and of the dicts of Python's
// collections module: OrderedDict, defaultdict, Counter. Of a [Dict] it is the
// dict itself, of the others a copy.
func AsDict(v Value) (*Dict, bool) {
	if d, ok := v.(*Dict); ok {
		return d, true
	}
	if d, ok := AsOrderedDict(v); ok {
		return d, true
	}
	if _, d, ok := AsDefaultDict(v); ok {
		return d, true
	}
	return AsCounter(v)
}

// AsDeque recognises collections.deque. maxLen is -1 if there is no maximum.
func AsDeque(v Value) (items []Value, maxLen int, ok bool) {
	o, ok := called(v, "collections", "deque")
	if !ok || len(o.Args.Items) > 2 {
		return nil, 0, false
	}
	maxLen = -1
	if len(o.Args.Items) == 2 && o.Args.Items[1] != Value(None{}) {
		n, ok := smallInt(o.Args.Items[1], 1<<31-1)
		if !ok || n < 0 {
			return nil, 0, false
		}
		maxLen = int(n)
	}
	if len(o.Args.Items) > 0 {
		switch first := o.Args.Items[0].(type) {
		case *List:
			items = append(items, first.Items...)
		case *Tuple:
			items = append(items, first.Items...)
		default:
			return nil, 0, false
		}
	}
	for _, op := range o.Ops {
		switch op.Kind {
		case Build:
		case Append:
			items = append(items, op.Values...)
		default:
			return nil, 0, false
		}
	}
	if maxLen >= 0 && len(items) > maxLen {
		items = items[len(items)-maxLen:]
	}
	return items, maxLen, true
}

// bigOf avoids a copy where the int is small.
func bigOf(i *Int) any {
	if n, ok := i.Int64(); ok {
		return n
	}
	return i.Big()
}
