package pickle_test

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// fuzzLimits keep one run short.
var fuzzLimits = pickle.Limits{MaxBytes: 1 << 16, MaxNodes: 20_000, MaxDepth: 500}

// FuzzDecode asserts that whatever can be read can be written, in its own
// protocol and in 2, and comes back the same, identities included; see
// normaliser for what a protocol has in another form. The only failures to
// write are ErrUnsupported for the name of a class that the protocol has no
// place for, and ErrLimit for recursive tuples that lie deeper, or have to be
// written again more often, in the order of writing.
func FuzzDecode(f *testing.F) {
	for _, s := range corpus(f) {
		f.Add(s.data)
	}
	for _, s := range hostileSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pickle.Decode(data, fuzzLimits)
		info, err2 := pickle.Inspect(data, fuzzLimits)
		require.Equal(t, err == nil, err2 == nil)
		if err != nil {
			var e *pickle.Error
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, e.Offset, len(data))
			return
		}
		require.LessOrEqual(t, info.Length, len(data))
		for _, proto := range []int{info.Protocol, 2} {
			roundTrip(t, v, proto)
		}
	})
}

// hostileSeeds are more for the fuzzer to begin with.
var hostileSeeds = []string{
	"(((.", ")\x85\x85.", "]q\x00h\x00a.", "(lp0\n(g0\ntp1\na.", "}(NNu.", "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94h\x00a.",
	"c__builtin__\nset\n(]q\x00K\x01atR.", "cm\nA\n)\x81}b.", "(cm\nA\nK\x01o}b.", "(K\x01im\nA\n}b.", "\x82\x01.", "Ppid\n.", "NQ.",
	"\x80\x04\x8c\x01m\x8c\x01A\x93)}\x92.", "S'a\\x00'\n.", "V\\ud800\n.", "I5000000000\n.", "L5L\n.", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.",
	"]q\x00(h\x00K\x01tq\x01ah\x01.", "c_codecs\nencode\n(X\x02\x00\x00\x00\xc3\xbfX\x06\x00\x00\x00latin1tR.",
}

// roundTrip writes v, reads it again and asserts that it is what it was.
func roundTrip(t testing.TB, v pyvalue.Value, proto int) {
	out, err := pickle.Append(nil, v, proto)
	if errors.Is(err, pickle.ErrUnsupported) || errors.Is(err, pickle.ErrLimit) {
		return
	}
	require.NoError(t, err)
	want, odd := normal(v, proto)
	if odd {
		return
	}
	again, err := pickle.Decode(out, pickle.Limits{})
	require.NoError(t, err, "protocol %d: %q", proto, out)
	require.True(t, pyvalue.Same(want, again), "protocol %d: %q", proto, out)
	once, err := pickle.Append(nil, again, proto)
	require.NoError(t, err)
	twice, err := pickle.Append(nil, again, proto)
	require.NoError(t, err)
	require.Equal(t, once, twice)
}

// TestRandomValues writes values of all kinds, shared and recursive ones
// included, in all protocols.
func TestRandomValues(t *testing.T) {
	for seed := range uint64(1500) {
		g := &generator{r: rand.New(rand.NewPCG(seed, 7)), left: 60}
		v := g.value()
		for proto := range 6 {
			out, err := pickle.Append(nil, v, proto)
			require.NoError(t, err)
			want, odd := normal(v, proto)
			require.False(t, odd)
			again, err := pickle.Decode(out, pickle.Limits{})
			require.NoError(t, err, "seed %d, protocol %d: %q", seed, proto, out)
			require.True(t, pyvalue.Same(want, again), "seed %d, protocol %d: %q", seed, proto, out)
		}
	}
}

// generator makes values, some of them out of those that it made before.
type generator struct {
	r    *rand.Rand
	left int             // values that may still be made
	made []pyvalue.Value // those that can be referred to
}

func (g *generator) value() pyvalue.Value {
	g.left--
	if g.left < 0 {
		return g.scalar()
	}
	if len(g.made) > 0 && g.r.IntN(6) == 0 {
		return g.made[g.r.IntN(len(g.made))]
	}
	switch g.r.IntN(14) {
	case 0:
		l := &pyvalue.List{}
		g.made = append(g.made, l)
		l.Items = g.values()
		return l
	case 1:
		d := &pyvalue.Dict{}
		g.made = append(g.made, d)
		for range g.r.IntN(5) {
			d.Put(g.key(), g.value())
		}
		return d
	case 2:
		return g.keep(&pyvalue.Tuple{Items: g.values()})
	case 3:
		s := &pyvalue.Set{}
		for range g.r.IntN(4) {
			s.Put(g.key())
		}
		return g.keep(s)
	case 4:
		s := &pyvalue.FrozenSet{}
		for range g.r.IntN(4) {
			s.Put(g.key())
		}
		return g.keep(s)
	case 5:
		return g.keep(&pyvalue.ByteArray{Data: []byte(g.text())})
	case 6, 7:
		return g.object()
	case 8:
		return &pyvalue.Persistent{ID: g.scalar()}
	}
	return g.scalar()
}

func (g *generator) keep(v pyvalue.Value) pyvalue.Value {
	g.made = append(g.made, v)
	return v
}

func (g *generator) values() []pyvalue.Value {
	var out []pyvalue.Value
	for range g.r.IntN(6) {
		out = append(out, g.value())
	}
	return out
}

func (g *generator) key() pyvalue.Value {
	switch g.r.IntN(8) {
	case 0:
		return g.keep(pyvalue.NewTuple(g.scalar(), g.scalar()))
	case 1: // perhaps one that is being made, and will hold what has it as a key
		for range 4 {
			if len(g.made) == 0 {
				break
			}
			if o, ok := g.made[g.r.IntN(len(g.made))].(*pyvalue.Object); ok {
				return o
			}
		}
	}
	return g.scalar()
}

func (g *generator) object() pyvalue.Value {
	o := &pyvalue.Object{
		How:   pyvalue.Construction(g.r.IntN(5)),
		Class: &pyvalue.Global{Module: "app.models", Name: string(rune('A' + g.r.IntN(4)))},
		Args:  &pyvalue.Tuple{Items: g.values()},
	}
	if o.How == pyvalue.NewObjEx {
		o.Kwargs = pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: g.value()})
	}
	g.made = append(g.made, o)
	last := pyvalue.OpKind(255)
	for range g.r.IntN(4) {
		op := pyvalue.Op{Kind: pyvalue.OpKind(g.r.IntN(4))}
		switch op.Kind {
		case pyvalue.Build:
			op.Values = []pyvalue.Value{g.value()}
		case pyvalue.SetItems:
			op.Values = []pyvalue.Value{g.key(), g.value(), g.key(), g.value()}
		default:
			op.Values = []pyvalue.Value{g.value()}
		}
		if op.Kind != last || op.Kind == pyvalue.Build { // adjacent ones are one
			o.Ops = append(o.Ops, op)
		}
		last = op.Kind
	}
	return o
}

func (g *generator) text() string {
	all := []string{"", "a", "key", "Grüße\n", "\\u0041", "\x00\r\x1a", "日本", "\U0001f600", "\xed\xa0\x80", "it's", "long enough to be no short text at all"}
	return all[g.r.IntN(len(all))]
}

func (g *generator) scalar() pyvalue.Value {
	switch g.r.IntN(12) {
	case 0:
		return pyvalue.None{}
	case 1:
		return pyvalue.Bool(g.r.IntN(2) == 0)
	case 2:
		return pyvalue.NewInt(int64(g.r.Uint64()) >> g.r.IntN(64))
	case 3:
		n := new(big.Int).Lsh(big.NewInt(int64(g.r.Uint64())), uint(g.r.IntN(2500)))
		if g.r.IntN(2) == 0 {
			return pyvalue.NewBigInt(n)
		}
		return pyvalue.NewLong(n)
	case 4:
		i := pyvalue.MakePy2Int(int64(g.r.Uint64()))
		return &i
	case 5:
		return pyvalue.Float(math.Float64frombits(g.r.Uint64()))
	case 6:
		return pyvalue.Complex(complex(g.r.Float64(), math.Inf(-1)))
	case 7:
		return pyvalue.Py2Str("\xff" + g.text())
	case 8:
		return pyvalue.Bytes("\x80" + g.text())
	case 9:
		return &pyvalue.Global{Module: "collections", Name: "OrderedDict", Py2: g.r.IntN(2) == 0}
	case 10:
		return pyvalue.Extension(1 + g.r.Uint32()>>1>>g.r.IntN(31)&^1)
	}
	return pyvalue.Str(g.text())
}
