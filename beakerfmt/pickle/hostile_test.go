package pickle_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestAnnouncedLengths: no length is believed before the bytes are seen.
func TestAnnouncedLengths(t *testing.T) {
	long := binary.LittleEndian.AppendUint64(nil, 64<<30)
	for _, op := range []byte("\x8d\x8e\x96\x95") {
		refusesCheaply(t, append([]byte{op}, long...))
		refusesCheaply(t, append([]byte{op}, "\xff\xff\xff\xff\xff\xff\xff\xff"...))
		refusesCheaply(t, append([]byte{op}, "\xff\xff\xff\xff\xff\xff\xff\x7f"...))
	}
	for _, op := range []byte("XBT\x8b") {
		for _, length := range []string{"\xff\xff\xff\xff", "\xff\xff\xff\x7f", "\x00\x00\x00\x80", "\x01\x00\x00\x00"} {
			refusesCheaply(t, append([]byte{op}, length...))
		}
	}
	for _, op := range []byte("\x8cUC\x8a") {
		refusesCheaply(t, []byte{op, 0xff})
		refusesCheaply(t, []byte{op, 0x01})
	}
}

func refusesCheaply(t *testing.T, data []byte) {
	t.Helper()
	var err error
	n := allocated(func() { _, err = pickle.Decode(data, pickle.Limits{}) })
	require.ErrorIs(t, err, pickle.ErrSyntax, "%q", data)
	require.Less(t, n, uint64(64<<10), "%q", data)
}

// TestNesting: ten million of anything that nests, or is kept, ends in ErrLimit.
func TestNesting(t *testing.T) {
	const n = 10_000_000
	rep := strings.Repeat
	for name, data := range map[string]string{
		"marks":               rep("(", n),
		"tuples of one":       ")" + rep("\x85", n) + ".",
		"tuples":              rep(")", n) + rep("\x85", n) + ".",
		"tuples by mark":      rep("(", n) + rep("t", n) + ".",
		"lists":               rep("]", n) + rep("a", n-1) + ".",
		"lists by mark":       rep("(", n) + rep("l", n) + ".",
		"lists in pairs":      rep("](", n) + rep("e", n) + ".",
		"dicts":               rep("}N", n) + rep("s", n) + ".",
		"dict builds":         "cm\nA\n" + rep(")R}b", n) + ".",
		"calls":               "cm\nA\n" + rep(")R", n) + ".",
		"objects":             "cm\nA\n" + rep(")\x81", n) + ".",
		"persistent ids":      "N" + rep("Q", n) + ".",
		"frozensets":          rep("(", n) + rep("\x91", n) + ".",
		"sets":                rep("\x8f(", n) + rep("\x90", n) + ".",
		"dups":                "N" + rep("2", n) + ".",
		"memo":                "N" + rep("\x94", n) + ".",
		"gets":                "Nq\x00" + rep("h\x00", n) + ".",
		"states":              "cm\nA\n)R" + rep("Nb", n) + ".",
		"list of ten million": "](" + rep("N", n) + "e.",
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			bytes := allocated(func() { _, err = pickle.Decode([]byte(data), pickle.Limits{}) })
			require.ErrorIs(t, err, pickle.ErrLimit)
			require.Less(t, bytes, uint64(400<<20))
		})
	}
}

// TestDepthIsThatOfTheGraph: parts that are put into each other after they were
// made, or by way of the memo, count as deep as they lie.
func TestDepthIsThatOfTheGraph(t *testing.T) {
	const n = 20_000
	var chain bytes.Buffer // n lists, of which each is then appended to the one before
	for i := range n {
		chain.WriteString("]r")
		chain.Write(binary.LittleEndian.AppendUint32(nil, uint32(i)))
	}
	for i := range n - 1 {
		chain.WriteString("j")
		chain.Write(binary.LittleEndian.AppendUint32(nil, uint32(i)))
		chain.WriteString("j")
		chain.Write(binary.LittleEndian.AppendUint32(nil, uint32(i+1)))
		chain.WriteString("a0")
	}
	chain.WriteString("j\x00\x00\x00\x00.")
	_, err := pickle.Decode(chain.Bytes(), pickle.Limits{})
	require.ErrorIs(t, err, pickle.ErrLimit)
	_, err = pickle.Decode(chain.Bytes(), pickle.Limits{MaxDepth: 2 * n})
	require.NoError(t, err)

	for _, depth := range []int{1, 99, 100} {
		for _, data := range []string{
			strings.Repeat("]", depth) + strings.Repeat("a", depth-1),
			strings.Repeat("}N", depth-1) + "}" + strings.Repeat("s", depth-1),
			")\x85" + strings.Repeat("\x85", depth-1),
		} {
			_, err := pickle.Decode([]byte(data+"."), pickle.Limits{MaxDepth: 99})
			require.Equal(t, depth > 99, errors.Is(err, pickle.ErrLimit), "%d %v", depth, err)
		}
	}
	// All that can hold something counts, whatever is shared.
	for data, depth := range map[string]int{
		"\x8f(()\x85\x91\x90":                 3, // set, frozenset, tuple
		"((()\x91\x91\x91":                    3,
		"]NQQQa":                              4, // persistent ids of each other
		"]q\x00(h\x00K\x01t\x85\x85a":         4, // the list in itself
		"]cm\nA\n)R}N]]asba":                  5, // list, object, state, list, list
		"]cm\nA\n]]a\x85Ra":                   5, // list, object, arguments, list, list
		"]cm\nA\n)R(N}N]su(]]aea":             4, // list, object, dict, list
		"]q\x00(h\x00tq\x01ah\x01":            3, // a tuple, its list, the tuple again
		"cm\nA\n]q\x00\x85Rq\x01h\x00h\x01a0": 5, // object, arguments, list, and the first two again
	} {
		v, err := pickle.Decode([]byte(data+"."), pickle.Limits{})
		require.NoError(t, err, "%q", data)
		_, err = pickle.Decode([]byte(data+"."), pickle.Limits{MaxDepth: depth, MaxMarks: 99})
		require.NoError(t, err, "%q", data)
		_, err = pickle.Decode([]byte(data+"."), pickle.Limits{MaxDepth: depth - 1, MaxMarks: 99})
		require.ErrorIs(t, err, pickle.ErrLimit, "%q", data)
		roundTrip(t, v, 2)
	}
	// An object's own parts are one deeper than the object.
	_, err = pickle.Decode([]byte("cm\nA\n)\x81]]]]aaab."), pickle.Limits{MaxDepth: 4})
	require.ErrorIs(t, err, pickle.ErrLimit)
	v, err := pickle.Decode([]byte("cm\nA\n)\x81]]]]aaab."), pickle.Limits{MaxDepth: 5})
	require.NoError(t, err)
	roundTrip(t, v, 2)
}

// TestDeepestIsWritten: what Decode gives by default can be written.
func TestDeepestIsWritten(t *testing.T) {
	const n = 9_990
	for _, data := range []string{
		strings.Repeat("]", n) + strings.Repeat("a", n-1) + ".",
		")" + strings.Repeat("\x85", n) + ".",
		strings.Repeat("cm\nA\n", n/2) + ")R" + strings.Repeat("\x85R", n/2-1) + ".",
	} {
		v, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.NoError(t, err)
		for proto := range 6 {
			_, err := pickle.Append(nil, v, proto)
			require.NoError(t, err)
		}
	}
}

func TestTooDeepToWrite(t *testing.T) {
	var v pyvalue.Value = pyvalue.None{}
	for range 30_000 {
		v = pyvalue.NewList(v)
	}
	out, err := pickle.Append([]byte("kept"), v, 2)
	require.ErrorIs(t, err, pickle.ErrLimit)
	require.Equal(t, "kept", string(out))

	tuple := &pyvalue.Tuple{} // only a Go program can make this one
	tuple.Items = []pyvalue.Value{tuple, tuple}
	_, err = pickle.Append(nil, tuple, 2)
	require.ErrorIs(t, err, pickle.ErrLimit)
	o := &pyvalue.Object{Class: pyvalue.None{}, Args: &pyvalue.Tuple{}}
	o.Args.Items = []pyvalue.Value{o}
	_, err = pickle.Append(nil, o, 4)
	require.ErrorIs(t, err, pickle.ErrLimit)
	p := &pyvalue.Persistent{}
	p.ID = p
	_, err = pickle.Append(nil, p, 4)
	require.ErrorIs(t, err, pickle.ErrLimit)
}

// TestSmallPicklesOfLargeValues: what shares its parts is written once, and is
// read and written in time and room that grow with the pickle only.
func TestSmallPicklesOfLargeValues(t *testing.T) {
	rep := strings.Repeat
	text := func(op string, n int) string {
		return op + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) + rep("x", n)
	}
	laughs := "]q\x00"
	for i := range 100 { // a list that has the one before twice
		laughs += fmt.Sprintf("](h%ch%ceq%c", i, i, i+1)
	}
	tuples := ")\x85q\x00"
	for i := range 100 {
		tuples += fmt.Sprintf("h%ch%c\x86q%c", i, i, i+1)
	}
	names := "c" + rep("m", 4000) + "\nA\nq\x00"
	for name, data := range map[string]string{
		"lists":          laughs + ".",
		"tuples":         tuples + ".",
		"text":           text("X", 1<<20) + "q\x00](" + rep("h\x00", 100_000) + "e.",
		"8-bit text":     text("T", 1<<20) + "q\x00](" + rep("h\x00", 100_000) + "e.",
		"bytes":          text("B", 1<<20) + "q\x00](" + rep("h\x00", 100_000) + "e.",
		"names":          names + "](" + rep("h\x00", 100_000) + "e.",
		"integer":        "\x8b\x00\x20\x00\x00" + rep("\x7f", 1<<13) + "q\x00](" + rep("h\x00", 100_000) + "e.",
		"persistent ids": "N" + rep("Q", 5000) + "q\x00](" + rep("h\x00", 100_000) + "e.",
		"text id":        "P" + rep("p", 1<<20) + "\nq\x00](" + rep("h\x00", 100_000) + "e.",
	} {
		t.Run(name, func(t *testing.T) {
			v, err := pickle.Decode([]byte(data), pickle.Limits{})
			require.NoError(t, err)
			for proto := range 6 {
				out, err := pickle.Append(nil, v, proto)
				require.NoError(t, err)
				require.Less(t, len(out), 3*len(data)+1<<20, "protocol %d", proto)
			}
		})
	}
}

// TestRepeatedWork: a few bytes that have the same long thing copied or looked
// up over and over are refused before that takes long.
func TestRepeatedWork(t *testing.T) {
	rep := strings.Repeat
	mega := string(binary.LittleEndian.AppendUint32(nil, 1<<20)) + rep("x", 1<<20)
	latin := string(binary.LittleEndian.AppendUint32(nil, 1<<20)) + rep("\xc3\xbf", 1<<19)
	latin1 := "X\x06\x00\x00\x00latin1q\x01"
	for name, data := range map[string]string{
		"keys":       "X" + mega + "q\x000}" + rep("h\x00Ns", 100_000) + ".",
		"int keys":   "\x8b\x00\x20\x00\x00" + rep("\x7f", 1<<13) + "q\x000}" + rep("h\x00Ns", 300_000) + ".",
		"members":    "B" + mega + "q\x000\x8f" + rep("(h\x00\x90", 100_000) + ".",
		"bytearrays": "\x80\x03cbuiltins\nbytearray\nq\x00B" + mega + "\x85q\x01" + rep("0h\x00h\x01R", 100_000) + ".",
		"latin-1":    "c_codecs\nencode\nq\x00X" + latin + latin1 + "\x86q\x02" + rep("0h\x00h\x02R", 100_000) + ".",
		"sets":       "c__builtin__\nset\nq\x00](" + rep("K\x01", 100_000) + "e\x85q\x02" + rep("0h\x00h\x02R", 100_000) + ".",
		"frozensets": "c__builtin__\nfrozenset\nq\x00](" + rep("K\x01", 100_000) + "e\x85q\x02" + rep("0h\x00h\x02R", 100_000) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			n := allocated(func() { _, err = pickle.Decode([]byte(data), pickle.Limits{}) })
			require.ErrorIs(t, err, pickle.ErrLimit)
			require.Less(t, n, uint64(600<<20))
		})
	}
}

// TestRecursiveTuples: each meeting of a tuple inside itself is written anew,
// as Python does it, and that is bounded.
func TestRecursiveTuples(t *testing.T) {
	make := func(lists, items int) *pyvalue.Tuple {
		tuple := &pyvalue.Tuple{}
		for range lists {
			tuple.Items = append(tuple.Items, pyvalue.NewList(tuple))
		}
		for range items {
			tuple.Items = append(tuple.Items, pyvalue.None{})
		}
		return tuple
	}
	roundTrip(t, make(10, 10), 2)
	_, err := pickle.Append(nil, make(10, 10), 2)
	require.NoError(t, err)
	_, err = pickle.Append(nil, make(5_000, 5_000), 2)
	require.ErrorIs(t, err, pickle.ErrLimit)
	out, err := pickle.Append(nil, make(100, 100), 4)
	require.NoError(t, err)
	_, err = pickle.Decode(out, pickle.Limits{})
	require.NoError(t, err)
}

func TestLimits(t *testing.T) {
	digits := strings.Repeat("9", 5_000_000)
	for name, c := range map[string]struct {
		data string
		lim  pickle.Limits
	}{
		"bytes":          {"N.", pickle.Limits{MaxBytes: 1}},
		"nodes":          {"](NNNe.", pickle.Limits{MaxNodes: 3}},
		"memo":           {"Nq\x00q\x01q\x02.", pickle.Limits{MaxMemo: 2}},
		"memo, far":      {"Nr\xff\xff\xff\xffr\xff\xff\xff\xfer\xff\xff\xff\xfd.", pickle.Limits{MaxMemo: 2}},
		"marks":          {"((N.", pickle.Limits{MaxMarks: 1}},
		"depth":          {"]]]aa.", pickle.Limits{MaxDepth: 2}},
		"name":           {"c" + strings.Repeat("m", 1<<16) + "\nA\n.", pickle.Limits{}},
		"int text":       {"I" + digits + "\n.", pickle.Limits{}},
		"long text":      {"L" + digits + "L\n.", pickle.Limits{}},
		"long, negative": {"L-" + digits + "L\n.", pickle.Limits{}},
		"long bits":      {"L99999999999999999999L\n.", pickle.Limits{MaxIntBits: 64}},
		"long4":          {"\x8b\x00\x00\x01\x00" + strings.Repeat("x", 1<<16) + ".", pickle.Limits{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pickle.Decode([]byte(c.data), c.lim)
			require.ErrorIs(t, err, pickle.ErrLimit)
			_, err = pickle.Inspect([]byte(c.data), c.lim)
			require.ErrorIs(t, err, pickle.ErrLimit)
		})
	}
	for _, n := range []int{4300, 5000, 20_000} {
		v, err := pickle.Decode([]byte("L"+strings.Repeat("9", n)+"L\n."), pickle.Limits{})
		require.NoError(t, err)
		require.Len(t, v.(*pyvalue.Int).String(), n)
	}
}

func TestMalformed(t *testing.T) {
	for name, data := range map[string]string{
		"empty":                  "",
		"no STOP":                "N",
		"STOP on nothing":        ".",
		"STOP on a mark":         "N(.",
		"no opcode":              "\xff",
		"no opcode, ASCII":       "x",
		"protocol 6":             "\x80\x06N.",
		"protocol cut":           "\x80",
		"GET of nothing":         "g0\n.",
		"BINGET of nothing":      "h\x05.",
		"BINGET in a gap":        "Nq\x05h\x04.",
		"LONG_BINGET of nothing": "j\xff\xff\xff\xff.",
		"GET without number":     "gx\n.",
		"GET negative":           "Np0\ng-1\n.",
		"PUT negative":           "Np-1\n.",
		"PUT of nothing":         "p0\n.",
		"BINPUT of nothing":      "q\x00.",
		"BINPUT cut":             "Nq",
		"LONG_BINPUT cut":        "Nr\x00\x00",
		"BINGET cut":             "h",
		"MEMOIZE of nothing":     "\x94.",
		"odd SETITEMS":           "}(Nu.",
		"odd SETITEMS, object":   "cm\nA\n)R(Nu.",
		"odd DICT":               "(Nd.",
		"SETITEMS, no mark":      "}NNu.",
		"SETITEMS on nothing":    "(NNu.",
		"SETITEMS on a list":     "](NNu.",
		"SETITEM, too little":    "}Ns.",
		"SETITEM across a mark":  "}(NNs.",
		"SETITEM on a list":      "]NNs.",
		"APPEND, too little":     "]a.",
		"APPEND on a dict":       "}Na.",
		"APPENDS on a tuple":     ")(Ne.",
		"APPENDS on nothing":     "(Ne.",
		"APPENDS, no mark":       "]Ne.",
		"ADDITEMS on a list":     "](N\x90.",
		"ADDITEMS, no mark":      "\x8f\x90.",
		"ADDITEMS on nothing":    "(\x90.",
		"ADDITEMS of a list":     "\x8f(]\x90.",
		"FROZENSET of a dict":    "(}\x91.",
		"FROZENSET, no mark":     "\x91.",
		"dict key a set":         "}\x8fNs.",
		"dict key a bytearray":   "}\x96\x00\x00\x00\x00\x00\x00\x00\x00Ns.",
		"DICT key a list":        "(]Nd.",
		"set([[]])":              "c__builtin__\nset\n](]e\x85R.",
		"frozenset([[]])":        "c__builtin__\nfrozenset\n](]e\x85R.",
		"TUPLE, no mark":         "t.",
		"TUPLE3, too little":     "NN\x87.",
		"POP on nothing":         "0.",
		"POP_MARK, no mark":      "N1.",
		"DUP on nothing":         "2.",
		"REDUCE, no tuple":       "cm\nA\n]R.",
		"REDUCE, too little":     ")R.",
		"NEWOBJ, no tuple":       "cm\nA\nN\x81.",
		"NEWOBJ_EX, no tuple":    "cm\nA\nN}\x92.",
		"NEWOBJ_EX, no dict":     "cm\nA\n)N\x92.",
		"NEWOBJ_EX, too little":  ")}\x92.",
		"BUILD on a list":        "]}b.",
		"BUILD on a class":       "cm\nA\n}b.",
		"BUILD, too little":      "}b.",
		"INST, no mark":          "im\nA\n.",
		"INST, cut":              "(im\nA",
		"INST, cut in module":    "(im",
		"INST, no name":          "(im\n\n.",
		"OBJ, no mark":           "o.",
		"OBJ, no class":          "(o.",
		"BINPERSID on nothing":   "Q.",
		"GLOBAL cut":             "cm\n",
		"GLOBAL cut in module":   "cm",
		"GLOBAL not UTF-8":       "c\xff\nA\n.",
		"STACK_GLOBAL, numbers":  "K\x01K\x02\x93.",
		"STACK_GLOBAL, bytes":    "C\x01mC\x01A\x93.",
		"STACK_GLOBAL, too few":  "\x8c\x01m\x93.",
		"EXT1 of 0":              "\x82\x00.",
		"EXT1 cut":               "\x82",
		"EXT4 negative":          "\x84\xff\xff\xff\xff.",
		"INT, no number":         "Ix\n.",
		"INT, empty":             "I\n.",
		"INT, two signs":         "I--1\n.",
		"INT, octal":             "I010\n.",
		"INT, cut":               "I1",
		"LONG, leading zero":     "L07L\n.",
		"REDUCE of a number":     "K\x01)R.",
		"NEWOBJ of a list":       "])\x81.",
		"NEWOBJ_EX of None":      "N)}\x92.",
		"OBJ of a text":          "(Va\no.",
		"LONG, no number":        "L1x\n.",
		"FLOAT, no number":       "Fx\n.",
		"FLOAT, hex":             "F0x1p3\n.",
		"FLOAT, too large":       "F1e999\n.",
		"STRING, no quotes":      "Sabc\n.",
		"STRING, one quote":      "S'\n.",
		"STRING, odd quotes":     "S'a\"\n.",
		"STRING, bad \\x":        "S'\\xg0'\n.",
		"STRING, short \\x":      "S'\\x1'\n.",
		"STRING, lone backslash": "S'\\'\n.",
		"UNICODE, short \\u":     "V\\u12\n.",
		"UNICODE, bad \\U":       "V\\U00110000\n.",
		"UNICODE, cut":           "Vabc",
		"BINUNICODE, not UTF-8":  "X\x01\x00\x00\x00\xff.",
		"BINUNICODE, cut rune":   "X\x02\x00\x00\x00\xed\xa0.",
		"BINUNICODE, after it":   "X\x04\x00\x00\x00\xed\xa0\x80\xff.",
		"BININT cut":             "J\x00\x00",
		"BININT2 cut":            "M\x00",
		"BINFLOAT cut":           "G\x00",
		"LONG4 negative":         "\x8b\xff\xff\xff\xff.",
		"FRAME cut":              "\x80\x04\x95\x01",
		"FRAME too long":         "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00N.",
		"BYTEARRAY8 cut":         "\x96\x01",
	} {
		t.Run(name, func(t *testing.T) {
			v, err := pickle.Decode([]byte(data), pickle.Limits{})
			require.ErrorIs(t, err, pickle.ErrSyntax)
			require.Nil(t, v)
			var e *pickle.Error
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, e.Offset, len(data))
			require.Contains(t, err.Error(), "pickle: decode: ")
		})
	}
	for _, data := range []string{"\x80\x05\x97.", "\x80\x05N\x98."} {
		_, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.ErrorIs(t, err, pickle.ErrBuffers)
	}
}

// TestSparseMemo: numbers of memo entries cost nothing.
func TestSparseMemo(t *testing.T) {
	data := []byte("K\x07r\xff\xff\xff\xff0K\x08r\x00\x00\x00\xf00j\xff\xff\xff\xffj\x00\x00\x00\xf0\x86p4294967295\ng4294967295\n.")
	n := allocated(func() {
		v, err := pickle.Decode(data, pickle.Limits{})
		require.NoError(t, err)
		require.True(t, pyvalue.Equal(pyvalue.NewTuple(pyvalue.NewInt(7), pyvalue.NewInt(8)), v))
	})
	require.Less(t, n, uint64(1<<20))
}

// TestNothingStays: what one pickle left in the machine is not there for the next.
func TestNothingStays(t *testing.T) {
	for range 100 {
		_, err := pickle.Decode([]byte("]q\x00Nr\xff\xff\xff\xff(K\x01K\x02"), pickle.Limits{})
		require.Error(t, err)
		for _, data := range []string{"h\x00.", "j\xff\xff\xff\xff.", "t.", "0.", "a."} {
			_, err := pickle.Decode([]byte(data), pickle.Limits{})
			require.ErrorIs(t, err, pickle.ErrSyntax)
		}
		v, err := pickle.Decode([]byte("cm\nA\n."), pickle.Limits{})
		require.NoError(t, err)
		require.True(t, v.(*pyvalue.Global).Py2)
	}
}

// TestPrinting: fmt ends, whatever it is given.
func TestPrinting(t *testing.T) {
	for _, data := range []string{
		"]q\x00h\x00a.", "}q\x00Nh\x00s.", "]q\x00(h\x00tq\x01ah\x01.", "cm\nA\n)Rq\x00}Nh\x00sb.",
		"\x8fq\x00(cm\nA\n)Rq\x01h\x00b\x90.",
	} {
		v, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.NoError(t, err)
		require.NotEmpty(t, fmt.Sprintf("%v %+v %#v %s", v, v, v, v))
	}
}
