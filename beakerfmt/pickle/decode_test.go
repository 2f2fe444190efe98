package pickle_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

type (
	str  = pyvalue.Str
	str8 = pyvalue.Py2Str
	none = pyvalue.None
)

func num(n int64) *pyvalue.Int { return pyvalue.NewInt(n) }

func long(text string) *pyvalue.Int {
	n, ok := new(big.Int).SetString(text, 0)
	if !ok {
		panic(text)
	}
	return pyvalue.NewLong(n)
}

func py2int(n int64) *pyvalue.Int {
	i := pyvalue.MakePy2Int(n)
	return &i
}

func list(items ...pyvalue.Value) *pyvalue.List   { return pyvalue.NewList(items...) }
func tuple(items ...pyvalue.Value) *pyvalue.Tuple { return pyvalue.NewTuple(items...) }
func array(data string) *pyvalue.ByteArray        { return &pyvalue.ByteArray{Data: []byte(data)} }

func dict(items ...pyvalue.Value) *pyvalue.Dict {
	d := &pyvalue.Dict{}
	for i := 0; i < len(items); i += 2 {
		d.Set(items[i], items[i+1])
	}
	return d
}

func class2(name string) *pyvalue.Global {
	return &pyvalue.Global{Module: "m", Name: name, Py2: true}
}

func object(how pyvalue.Construction, class pyvalue.Value, args *pyvalue.Tuple, ops ...pyvalue.Op) *pyvalue.Object {
	return &pyvalue.Object{How: how, Class: class, Args: args, Ops: ops}
}

func op(kind pyvalue.OpKind, values ...pyvalue.Value) pyvalue.Op {
	return pyvalue.Op{Kind: kind, Values: values}
}

// TestOpcodes has at least one pickle for each opcode.
func TestOpcodes(t *testing.T) {
	a := class2("A")
	for data, want := range map[string]pyvalue.Value{
		// scalars
		"N.":                               none{},
		"\x88.":                            pyvalue.Bool(true),
		"\x89.":                            pyvalue.Bool(false),
		"I00\n.":                           pyvalue.Bool(false),
		"I01\n.":                           pyvalue.Bool(true),
		"I0\n.":                            num(0),
		"I1\n.":                            num(1),
		"I-17\n.":                          num(-17),
		"I+17\n.":                          num(17),
		"I2147483647\n.":                   num(math.MaxInt32),
		"I2147483648\n.":                   py2int(1 << 31),
		"I-9223372036854775808\n.":         py2int(math.MinInt64),
		"I9223372036854775808\n.":          long("9223372036854775808"),
		"L0L\n.":                           long("0"),
		"L-5L\n.":                          long("-5"),
		"L5\n.":                            long("5"),
		"L123456789012345678901234567L\n.": long("123456789012345678901234567"),
		"K\xff.":                           num(255),
		"M\x01\x02.":                       num(0x201),
		"J\xff\xff\xff\xff.":               num(-1),
		"J\x00\x00\x00\x80.":               num(math.MinInt32),
		"\x8a\x00.":                        long("0"),
		"\x8a\x01\x80.":                    long("-128"),
		"\x8a\x02\xff\x00.":                long("255"),
		"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.":     long("-9223372036854775808"),
		"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.": long("9223372036854775808"),
		"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff.": long("-9223372036854775809"),
		"\x8b\x01\x00\x00\x00\x07.":                     long("7"),
		"F1.5\n.":                                       pyvalue.Float(1.5),
		"F-0.0\n.":                                      pyvalue.Float(math.Copysign(0, -1)),
		"F1e+300\n.":                                    pyvalue.Float(1e300),
		"Finf\n.":                                       pyvalue.Float(math.Inf(1)),
		"F-inf\n.":                                      pyvalue.Float(math.Inf(-1)),
		"Fnan\n.":                                       pyvalue.Float(math.Float64frombits(0x7ff8000000000000)),
		"F-nan\n.":                                      pyvalue.Float(math.Float64frombits(0xfff8000000000000)),
		"G\x3f\xf8\x00\x00\x00\x00\x00\x00.":            pyvalue.Float(1.5),
		// texts
		"S'abc'\n.":                                 str8("abc"),
		"S\"it's\"\n.":                              str8("it's"),
		"S'abc' \r\n.":                              str8("abc"),
		`S'\\\'\"\n\t\r\a\b\f\v'` + "\n.":           str8("\\'\"\n\t\r\a\b\f\v"),
		`S'\x41\xfF\101\7\1012\q\400'` + "\n.":      str8("A\xffA\aA2\\q\x00"),
		"U\x02\xff\x00.":                            str8("\xff\x00"),
		"T\x01\x00\x00\x00a.":                       str8("a"),
		"Vabc\n.":                                   str("abc"),
		"V\xe4\n.":                                  str("ä"),
		`V\u00e4\U0001f600\\u0041\x` + "\n.":        str("ä\U0001f600\\\\u0041\\x"),
		`V\ud83d\ude00` + "\n.":                     str("\xed\xa0\xbd\xed\xb8\x80"),
		"Vtrailing\\\n.":                            str("trailing\\"),
		"V\\\xe4\n.":                                str("\\ä"),
		"X\x02\x00\x00\x00\xc3\xa4.":                str("ä"),
		"X\x04\x00\x00\x00\xed\xa0\x80a.":           str("\xed\xa0\x80a"),
		"\x8c\x01a.":                                str("a"),
		"\x8d\x01\x00\x00\x00\x00\x00\x00\x00a.":    str("a"),
		"C\x01\xff.":                                pyvalue.Bytes("\xff"),
		"B\x01\x00\x00\x00\xff.":                    pyvalue.Bytes("\xff"),
		"\x8e\x01\x00\x00\x00\x00\x00\x00\x00\xff.": pyvalue.Bytes("\xff"),
		"\x96\x01\x00\x00\x00\x00\x00\x00\x00\xff.": array("\xff"),
		// containers
		"].":                          list(),
		"(NK\x01l.":                   list(none{}, num(1)),
		"]Na(K\x01K\x02e.":            list(none{}, num(1), num(2)),
		").":                          tuple(),
		"(t.":                         tuple(),
		"(NNNNt.":                     tuple(none{}, none{}, none{}, none{}),
		"N\x85.":                      tuple(none{}),
		"NN\x86.":                     tuple(none{}, none{}),
		"NNN\x87.":                    tuple(none{}, none{}, none{}),
		"}.":                          dict(),
		"(K\x01Nd.":                   dict(num(1), none{}),
		"}K\x01Ns(K\x02NK\x01K\x03u.": dict(num(1), num(3), num(2), none{}),
		"\x8f(K\x01K\x02K\x01\x90.":   pyvalue.NewSet(num(1), num(2)),
		"(K\x01\x91.":                 pyvalue.NewFrozenSet(num(1)),
		// stack, memo, framing
		"NK\x010.":          none{},
		"N(K\x011.":         none{},
		"N(0.":              none{},
		"K\x012\x86.":       tuple(num(1), num(1)),
		"K\x01p5\n0g5\n.":   num(1),
		"K\x01q\x050h\x05.": num(1),
		"K\x01r\x05\x00\x00\x000j\x05\x00\x00\x00.":      num(1),
		"K\x01\x940K\x02\x940h\x01.":                     num(2),
		"K\x01q\x00K\x02q\x000h\x00.":                    num(2),
		"\x80\x05N.":                                     none{},
		"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00N.": none{},
		"\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00N.": none{}, // not where it ends, as in CPython
		"N.rest": none{},
		// names
		"cm\nA\n.":                          a,
		"\x80\x03cm\nA\n.":                  &pyvalue.Global{Module: "m", Name: "A"},
		"\x80\x04\x8c\x01m\x8c\x03A.B\x93.": &pyvalue.Global{Module: "m", Name: "A.B"},
		"U\x01mU\x01A\x93.":                 a,
		"\x82\x01.":                         pyvalue.Extension(1),
		"\x83\x01\x02.":                     pyvalue.Extension(0x201),
		"\x84\x01\x02\x03\x04.":             pyvalue.Extension(0x4030201),
		"Pid\n.":                            &pyvalue.Persistent{ID: str("id"), Text: true},
		"P\xff\n.":                          &pyvalue.Persistent{ID: str8("\xff"), Text: true},
		"K\x01Q.":                           &pyvalue.Persistent{ID: num(1)},
		// objects
		"cm\nA\n)R.":        object(pyvalue.Reduce, a, tuple()),
		"cm\nA\nN\x85\x81.": object(pyvalue.NewObj, a, tuple(none{})),
		"(im\nA\n.":         object(pyvalue.Inst, a, tuple()),
		"(K\x01im\nA\n.":    object(pyvalue.Inst, a, tuple(num(1))),
		"(cm\nA\nK\x01o.":   object(pyvalue.Obj, a, tuple(num(1))),
		"cm\nA\n)}\x92.":    &pyvalue.Object{How: pyvalue.NewObjEx, Class: a, Args: tuple(), Kwargs: dict()},
		"cm\nA\n)R}bNb.":    object(pyvalue.Reduce, a, tuple(), op(pyvalue.Build, dict()), op(pyvalue.Build, none{})),
		"cm\nA\n)RNa(K\x01K\x02e(e(NNuNNs(N\x90.": object(pyvalue.Reduce, a, tuple(),
			op(pyvalue.Append, none{}, num(1), num(2)),
			op(pyvalue.SetItems, none{}, none{}, none{}, none{}),
			op(pyvalue.AddItems, none{})),
		// what Python writes as calls
		"c_codecs\nencode\n(X\x02\x00\x00\x00\xc3\xbfX\x06\x00\x00\x00latin1tR.": pyvalue.Bytes("\xff"),
		"c_codecs\nencode\n(Va\nVlatin-1\ntR.":                                   pyvalue.Bytes("a"),
		"c__builtin__\nbytes\n)R.":                                               pyvalue.Bytes(""),
		"c__builtin__\nbytearray\n)R.":                                           array(""),
		"c__builtin__\nbytearray\n(V\xff\nS'latin-1'\ntR.":                       array("\xff"),
		"c__builtin__\nbytearray\n(V\xff\nVlatin-1\ntR.":                         array("\xff"),
		"\x80\x03cbuiltins\nbytearray\nC\x01\xff\x85R.":                          array("\xff"),
		"c__builtin__\nset\n](K\x01K\x02e\x85R.":                                 pyvalue.NewSet(num(1), num(2)),
		"\x80\x03cbuiltins\nfrozenset\n]K\x01a\x85R.":                            pyvalue.NewFrozenSet(num(1)),
		"c__builtin__\ncomplex\n(F1.0\nF-2.5\ntR.":                               pyvalue.Complex(complex(1, -2.5)),
	} {
		got, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.NoError(t, err, "%q", data)
		require.True(t, pyvalue.Same(want, got), "%q: %v", data, got)
	}
}

// TestCallsThatStay: what is not exactly what Python writes stays a call.
func TestCallsThatStay(t *testing.T) {
	for _, data := range []string{
		"\x80\x03c__builtin__\nset\n]\x85R.", // Python 2's name in a protocol of Python 3
		"cbuiltins\nset\n]\x85R.",
		"c__builtin__\nset\n)\x85R.",
		"c__builtin__\nset\n)R.",
		"c__builtin__\nfrozenset\n)\x85R.",
		"c__builtin__\nbytes\nN\x85R.",
		"c__builtin__\nbytearray\nN\x85R.",
		"c__builtin__\nbytearray\n(Va\nVutf-8\ntR.",
		"c__builtin__\nbytearray\n(V\\u0100\nVlatin-1\ntR.",
		"c__builtin__\nbytearray\n(Va\nVlatin-1\nNtR.",
		"c_codecs\nencode\n(Va\nS'latin1'\ntR.", // a str in Python 2
		"c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.",
		"c_codecs\nencode\n(Va\nVutf-8\ntR.",
		"c_codecs\nencode\n(Va\ntR.",
		"ccodecs\nencode\n(Va\nVlatin1\ntR.",
		"c__builtin__\ncomplex\n(I1\nI2\ntR.",
	} {
		v, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.NoError(t, err, "%q", data)
		require.IsType(t, &pyvalue.Object{}, v, "%q", data)
		roundTrip(t, v, 2)
	}
}

// TestIdentity: two references to one thing are one pointer.
func TestIdentity(t *testing.T) {
	v, err := pickle.Decode([]byte("](]q\x00h\x00}q\x01h\x01Nq\x02\x85q\x03h\x03c__builtin__\nset\n]q\x06\x85Rq\x05h\x05h\x06e."), pickle.Limits{})
	require.NoError(t, err)
	items := v.(*pyvalue.List).Items
	require.Len(t, items, 9)
	for i := 0; i < 8; i += 2 {
		require.Same(t, items[i], items[i+1])
	}
	require.IsType(t, &pyvalue.Set{}, items[6])
	require.IsType(t, &pyvalue.List{}, items[8]) // of which the set was made
}

func TestDecodeKeepsNothingOfTheInput(t *testing.T) {
	data := []byte("](U\x03abcX\x03\x00\x00\x00defC\x03ghi\x96\x03\x00\x00\x00\x00\x00\x00\x00jkle.")
	v, err := pickle.Decode(data, pickle.Limits{})
	require.NoError(t, err)
	clear(data)
	require.True(t, pyvalue.Same(list(str8("abc"), str("def"), pyvalue.Bytes("ghi"), array("jkl")), v))
}

func TestInspect(t *testing.T) {
	for data, want := range map[string]pickle.Info{
		"(lp0\nI1\na.rest":            {Protocol: 0, Length: 10},
		"]q\x00K\x01a.":               {Protocol: 1, Length: 7},
		"N\x85.":                      {Protocol: 2, Length: 3},
		"C\x00.":                      {Protocol: 2, Length: 3},
		"\x80\x05N.":                  {Protocol: 5, Length: 4},
		"S'a'\n.":                     {Protocol: 0, Length: 6, Python2: true},
		"cm\nA\n(cm\nB\n(im\nA\noR.":  {},
		"(cm\nB\ncm\nA\n(im\nB\nNQt.": {Protocol: 1, Length: 21, Globals: []string{"m.B", "m.A"}},
	} {
		info, err := pickle.Inspect([]byte(data), pickle.Limits{})
		if want.Length == 0 {
			require.ErrorIs(t, err, pickle.ErrSyntax)
			require.Zero(t, info)
			continue
		}
		require.NoError(t, err, "%q", data)
		require.Equal(t, want, info, "%q", data)
	}
}

// TestErrorsNameTheOpcode: and where it stands, but nothing of the data.
func TestErrorsNameTheOpcode(t *testing.T) {
	_, err := pickle.Decode([]byte("X\x06\x00\x00\x00secretq\x00h\x01."), pickle.Limits{})
	var e *pickle.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 13, e.Offset)
	require.Equal(t, "BINGET", e.Op)
	require.Equal(t, "pickle: decode: BINGET at offset 13: no memo entry of that number: malformed pickle", err.Error())
	_, err = pickle.Decode(nil, pickle.Limits{})
	require.Equal(t, "pickle: decode: opcode at offset 0: input ends without STOP: malformed pickle", err.Error())
	seen := map[string]bool{}
	for b := range 256 {
		// On an empty stack each opcode fails, or else the end of input does.
		_, err := pickle.Decode([]byte{byte(b)}, pickle.Limits{})
		require.True(t, errors.As(err, &e))
		if e.Offset == 0 && e.Op != "" {
			require.False(t, seen[e.Op])
			seen[e.Op] = true
		}
	}
	require.Greater(t, len(seen), 50)
}
