package bounce

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// model is what the session must hold, and plans what is done to it next.
type model struct {
	values  *pyvalue.Dict
	json    bool // only what JSON brings back as it was
	python2 bool
}

func newModel(k keeping) *model {
	return &model{pyvalue.NewDict(), k.options.DataSerializer == "json", k.python2}
}

// roomy is how long the tagged JSON of a session is that may still grow: its
// pickle, which is shorter, must go into a cookie.
const roomy = 4200

// advance plans one to three changes, to a session of this size as tagged JSON,
// and makes them in the model. inPython says whose they are.
func (m *model) advance(r *rand.Rand, size int, inPython bool) (changes []change, err error) {
	for range 1 + r.IntN(3) {
		c := m.next(r, size > roomy, inPython)
		if err := c.apply(m.values); err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func (m *model) next(r *rand.Rand, full, inPython bool) change {
	n := m.values.Len()
	switch dice := r.IntN(10); {
	case n < 3 || !full && dice < 2:
		return change{do: "set", path: []pyvalue.Value{m.newKey(r, inPython)}, value: m.value(r, 2)}
	case full || dice < 3:
		return change{do: "del", path: []pyvalue.Value{m.anyKey(r)}}
	case dice < 5:
		return change{do: "set", path: []pyvalue.Value{m.anyKey(r)}, value: m.value(r, 2)}
	}
	var nested []change
	for key, v := range m.values.All() {
		nested = append(nested, m.within(r, []pyvalue.Value{key}, v)...)
	}
	if len(nested) == 0 {
		return change{do: "set", path: []pyvalue.Value{m.anyKey(r)}, value: pyvalue.NewList()}
	}
	return nested[r.IntN(len(nested))]
}

func (m *model) anyKey(r *rand.Rand) pyvalue.Value {
	return m.values.Entries()[r.IntN(m.values.Len())].Key
}

// newKey is a text; in Python 2 the application's are often str.
func (m *model) newKey(r *rand.Rand, inPython bool) pyvalue.Value {
	key := fmt.Sprintf("key%d", r.IntN(1000))
	if m.python2 && inPython && !m.json && r.IntN(2) == 0 {
		return pyvalue.Py2Str(key)
	}
	return pyvalue.Str(key)
}

// within lists changes in place, one for each container in v.
func (m *model) within(r *rand.Rand, path []pyvalue.Value, v pyvalue.Value) (all []change) {
	at := func(step pyvalue.Value) []pyvalue.Value { return append(path[:len(path):len(path)], step) }
	number := func(i int) pyvalue.Value { return pyvalue.NewInt(int64(i)) }
	items := func(items []pyvalue.Value) {
		for i, v := range items {
			all = append(all, m.within(r, at(number(i)), v)...)
		}
	}
	switch v := v.(type) {
	case *pyvalue.List:
		items(v.Items)
		n := len(v.Items)
		switch dice := r.IntN(3); {
		case n == 0 || dice == 0 && n < 6:
			all = append(all, change{do: "append", path: path, value: m.value(r, 1)})
		case dice == 1:
			all = append(all, change{do: "set", path: at(number(r.IntN(n))), value: m.value(r, 1)})
		default:
			all = append(all, change{do: "del", path: at(number(r.IntN(n)))})
		}
	case *pyvalue.Tuple:
		items(v.Items)
	case *pyvalue.Dict:
		for key, v := range v.All() {
			all = append(all, m.within(r, at(key), v)...)
		}
		if n := v.Len(); n > 0 && r.IntN(3) == 0 {
			all = append(all, change{do: "del", path: at(v.Entries()[r.IntN(n)].Key)})
		} else if n < 6 {
			all = append(all, change{do: "set", path: at(m.hashable(r)), value: m.value(r, 1)})
		}
	case *pyvalue.Set:
		if n := v.Len(); n > 0 && r.IntN(3) == 0 {
			all = append(all, change{do: "discard", path: path, value: v.At(r.IntN(n))})
		} else if n < 6 {
			all = append(all, change{do: "add", path: path, value: m.hashable(r)})
		}
	}
	return all
}

// value is any value that the serializer brings back as it was, with containers
// that many deep.
func (m *model) value(r *rand.Rand, depth int) pyvalue.Value {
	if depth == 0 || r.IntN(2) == 0 {
		return m.scalar(r)
	}
	var items []pyvalue.Value
	var keys []pyvalue.Value
	for range r.IntN(4) {
		items = append(items, m.value(r, depth-1))
		keys = append(keys, m.hashable(r))
	}
	kinds := 5
	if m.json {
		kinds = 2
	}
	switch r.IntN(kinds) {
	case 0:
		return pyvalue.NewList(items...)
	case 1:
		d := pyvalue.NewDict()
		for i, key := range keys {
			d.Set(key, items[i])
		}
		return d
	case 2:
		return pyvalue.NewTuple(items...)
	case 3:
		return pyvalue.NewSet(keys...)
	}
	return pyvalue.NewFrozenSet(keys...)
}

// hashable is a key of a dict or a member of a set.
func (m *model) hashable(r *rand.Rand) pyvalue.Value {
	if m.json || r.IntN(2) == 0 {
		return pyvalue.Str(fmt.Sprintf("k\u00e9%d", r.IntN(20)))
	}
	n := pyvalue.NewInt(r.Int64N(300))
	if r.IntN(2) == 0 {
		return n
	}
	return pyvalue.NewTuple(n, pyvalue.Str("x"))
}

func (m *model) scalar(r *rand.Rand) pyvalue.Value {
	plain := []func() pyvalue.Value{
		func() pyvalue.Value { return pyvalue.None{} },
		func() pyvalue.Value { return pyvalue.Bool(r.IntN(2) == 0) },
		func() pyvalue.Value { return pyvalue.NewInt(r.Int64N(1<<16) - 1<<15) },
		func() pyvalue.Value { return pyvalue.NewInt(r.Int64N(1<<32) - 1<<31) },
		func() pyvalue.Value { return pyvalue.Float(r.NormFloat64() * 1e6) },
		func() pyvalue.Value { return pyvalue.Float(math.Copysign(0, -1)) },
		func() pyvalue.Value { return pyvalue.Str(texts[r.IntN(len(texts))]) },
	}
	if m.json {
		return plain[r.IntN(len(plain))]()
	}
	// Microseconds, as Python has them.
	now := time.UnixMicro(r.Int64N(4e15)).UTC()
	all := append(plain,
		func() pyvalue.Value { return m.raw(r) },
		func() pyvalue.Value { return m.big(r) },
		func() pyvalue.Value { return pyvalue.Float(math.Inf(-1)) },
		func() pyvalue.Value { return pyvalue.Complex(complex(r.NormFloat64(), -2)) },
		func() pyvalue.Value { return &pyvalue.ByteArray{Data: []byte{0, 0xff, byte(r.IntN(256))}} },
		func() pyvalue.Value { return must(pyvalue.NewNaiveDatetime(now)) },
		func() pyvalue.Value {
			return must(pyvalue.NewDate(pyvalue.Date{Year: now.Year(), Month: now.Month(), Day: now.Day()}))
		},
		func() pyvalue.Value {
			return must(pyvalue.NewTimeOfDay(pyvalue.TimeOfDay{Hour: now.Hour(), Second: now.Second(), Microsecond: now.Nanosecond() / 1000}))
		},
		func() pyvalue.Value {
			return pyvalue.NewTimedelta(pyvalue.TimedeltaOf(time.Duration(r.Int64()) - 1<<62))
		},
		func() pyvalue.Value {
			return must(pyvalue.NewDecimal(pyvalue.Decimal(fmt.Sprintf("%d.%03d", r.IntN(1000), r.IntN(1000)))))
		},
		func() pyvalue.Value { return pyvalue.NewUUID(pyvalue.UUID{0: byte(r.IntN(256)), 15: 1}) },
	)
	return all[r.IntN(len(all))]()
}

var texts = []string{"", "plain", "h\u00e9llo \u4e16\u754c", "\U0001f36a", "a\x00b", "quotes \" ' \\ ;", strings.Repeat("long ", 20)}

// raw is a string of bytes, which each Python has its own kind of.
func (m *model) raw(r *rand.Rand) pyvalue.Value {
	text := string([]byte{'a', 0xe9, 0, byte(r.IntN(256))})
	if m.python2 {
		return pyvalue.Py2Str(text)
	}
	return pyvalue.Bytes(text)
}

// big has more than 64 bits, and in Python 2 a type of its own.
func (m *model) big(r *rand.Rand) pyvalue.Value {
	n := new(big.Int).Lsh(big.NewInt(r.Int64()-1<<62), 100)
	if m.python2 {
		return pyvalue.NewLong(n)
	}
	return pyvalue.NewBigInt(n)
}

// must is for values that were made to be right.
func must(v *pyvalue.Object, err error) pyvalue.Value {
	if err != nil {
		panic(err)
	}
	return v
}
