package pickle_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func le4(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

// TestCheapKeysBesideCostlyOnes: keys that are long or hard to compare are not
// looked at anew for each cheap one.
func TestCheapKeysBesideCostlyOnes(t *testing.T) {
	rep := strings.Repeat
	for name, key := range map[string]func(i int) string{
		"ints":    func(i int) string { return "\x8b" + le4(1<<14) + rep("k", 1<<14-1) + string(rune('A'+i)) },
		"strings": func(i int) string { return "T" + le4(1<<14) + rep("k", 1<<14-1) + string(rune('A'+i)) },
		"floats":  func(i int) string { return "G\x7f\xe0\x00\x00\x00\x00\x00" + string(rune(i)) },
		"tuples":  func(i int) string { return "U\xc8" + rep("k", 200) + "K" + string(rune(i)) + "\x86" },
	} {
		data := "}("
		for i := range 31 {
			data += key(i) + "N"
		}
		data += "u(" + rep("K\x01N", 10_000) + "u."
		var v pyvalue.Value
		n := allocated(func() {
			var err error
			v, err = pickle.Decode([]byte(data), pickle.Limits{})
			require.NoError(t, err)
		})
		require.Equal(t, 32, v.(*pyvalue.Dict).Len(), name)
		require.Less(t, n, uint64(20<<20), name)
	}
}

// TestEncodingIsCharged: text that is only looked at counts too.
func TestEncodingIsCharged(t *testing.T) {
	rep := strings.Repeat
	text := le4(1<<20) + rep("a", 1<<20)
	for name, data := range map[string]string{
		"encode":    "c_codecs\nencode\nq\x00X" + text + "X\x06\x00\x00\x00latin1\x86q\x010" + rep("h\x00h\x01R0", 200) + "N.",
		"bytearray": "\x80\x03cbuiltins\nbytearray\nq\x00X" + text + "X\x07\x00\x00\x00latin-1\x86q\x010" + rep("h\x00h\x01R0", 200) + "N.",
	} {
		_, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.ErrorIs(t, err, pickle.ErrLimit, name)
		once := strings.Replace(data, rep("h\x00h\x01R0", 200), "h\x00h\x01R0", 1)
		_, err = pickle.Decode([]byte(once), pickle.Limits{})
		require.NoError(t, err, name)
	}
	// A long name of an encoding is no encoding, whatever it says.
	_, err := pickle.Decode([]byte("c_codecs\nencode\nq\x00Va\nT"+text+"\x86q\x010"+rep("h\x00h\x01R0", 200)+"N."), pickle.Limits{})
	require.NoError(t, err)
}

// TestMemoGaps: numbers far apart do not take room for those between them.
func TestMemoGaps(t *testing.T) {
	data := []byte("N")
	const n = 100_000
	for i := range n {
		data = append(data, "r"+le4(65*i+64)...)
	}
	data = append(data, "0j"+le4(65*(n-1)+64)+"j"+le4(64)+"\x86."...)
	var v pyvalue.Value
	bytes := allocated(func() {
		var err error
		v, err = pickle.Decode(data, pickle.Limits{})
		require.NoError(t, err)
	})
	require.True(t, pyvalue.Equal(tuple(pyvalue.None{}, pyvalue.None{}), v))
	require.Less(t, bytes, uint64(30<<20))
}

// TestMemoNumbers: MEMOIZE counts each number once, wherever it is kept.
func TestMemoNumbers(t *testing.T) {
	for data, want := range map[string]int64{
		"Nr\xc8\x00\x00\x00" + strings.Repeat("\x94", 199) + "K\x07r\xc8\x00\x00\x000K\x09\x940h\xc8.": 9, // 3.13's answer
		"K\x01r\xff\xff\xff\xff0K\x02r\xff\xff\xff\xff0K\x03\x940h\x01.":                               3,
		"K\x01r\xff\xff\xff\xff0K\x02r\xff\xff\xff\xff0j\xff\xff\xff\xff.":                             2,
		"K\x01q\x050K\x02q\x050K\x03\x940h\x01.":                                                       3,
	} {
		v, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.NoError(t, err, "%q", data)
		require.Equal(t, num(want).String(), v.(*pyvalue.Int).String(), "%q", data)
	}
}

// TestEqualNestedKeys: as in Python, the last of equal keys wins.
func TestEqualNestedKeys(t *testing.T) {
	a := &pyvalue.Global{Module: "m", Name: "A", Py2: true}
	for data, want := range map[string]pyvalue.Value{
		"}(K\x01K\x02\x86K\x05K\x01K\x02\x86K\x06u.":                       dict(tuple(num(1), num(2)), num(6)),
		"}(K\x01\x85K\x05G\x3f\xf0\x00\x00\x00\x00\x00\x00\x85Nu.":         dict(tuple(num(1)), pyvalue.None{}),
		"}((K\x01\x91K\x05(K\x01\x91K\x06u.":                               dict(pyvalue.NewFrozenSet(num(1)), num(6)),
		"\x8f(K\x01\x85K\x01\x85K\x02\x85\x90.":                            pyvalue.NewSet(tuple(num(1)), tuple(num(2))),
		"}cm\nA\nNscm\nA\nK\x05s.":                                         dict(a, num(5)),
		"}cm\nA\n)Rq\x01K\x05sh\x01K\x06s.":                                dict(object(pyvalue.Reduce, a, tuple()), num(6)),
		"}(\x8c\xff" + strings.Repeat("x", 255) + "\x85q\x01Nh\x01K\x06u.": dict(tuple(str(strings.Repeat("x", 255))), num(6)),
	} {
		v, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.NoError(t, err, "%q", data)
		require.True(t, pyvalue.Equal(want, v), "%q: %v", data, v)
		roundTrip(t, v, 2)
	}
}

// TestOwnLimits: what Decode takes can be written in each protocol and read
// again, even where the protocol needs more of everything.
func TestOwnLimits(t *testing.T) {
	rep, many := strings.Repeat, 300_000
	if raceDetector {
		many = 30_000 // it makes this fifty times as slow
	}
	for name, data := range map[string]string{
		"empty sets":     "\x80\x04](" + rep("\x8f", many) + "e.",
		"frozensets":     "\x80\x04](" + rep("(\x91", many) + "e.",
		"bytearrays":     "\x80\x05](" + rep("\x96\x01\x00\x00\x00\x00\x00\x00\x00a", many) + "e.",
		"bytes":          "\x80\x04](C\x00" + rep("C\x00", many) + "e.",
		"deep NEWOBJ_EX": "\x80\x04\x8c\x01m\x8c\x01A\x93q\x00" + nestedNewObjEx(2000) + ".",
		"deep NEWOBJ":    "cm\nA\nq\x000" + rep("h\x00", 4000) + ")\x81" + rep("\x85\x81", 3999) + ".",
		"wide ints":      "\x80\x02\x8b" + le4(1<<14) + rep("\xff", 1<<14-1) + "\x7f.",
		"odd bytes":      "\x80\x04B" + le4(1<<20) + rep("\xff", 1<<20) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			v, err := pickle.Decode([]byte(data), pickle.Limits{})
			require.NoError(t, err)
			for proto := range 6 {
				out, err := pickle.Append(nil, v, proto)
				require.NoError(t, err)
				again, err := pickle.Decode(out, pickle.OwnLimits())
				require.NoError(t, err, "protocol %d", proto)
				_, err = pickle.Append(nil, again, proto)
				require.NoError(t, err, "protocol %d", proto)
			}
		})
	}
}

// nestedNewObjEx is an object whose keyword arguments have another, and so on.
func nestedNewObjEx(n int) string {
	return "0" + strings.Repeat("h\x00)}\x8c\x01k", n) + "N" + strings.Repeat("s\x92", n)
}

// TestBuiltinsOfTheOtherPython: what is no call of a builtin in one protocol
// does not become one in another.
func TestBuiltinsOfTheOtherPython(t *testing.T) {
	data, err := hex.DecodeString("80035d635f5f6275696c74696e5f5f0a7365740a285d4b0161745271006800857101613068012e")
	require.NoError(t, err)
	v, err := pickle.Decode(data, pickle.Limits{})
	require.NoError(t, err)
	py2, err := pickle.Decode([]byte("cbuiltins\nset\n(]tR."), pickle.Limits{})
	require.NoError(t, err)
	inst, err := pickle.Decode([]byte("\x80\x03(i__builtin__\nset\n."), pickle.Limits{})
	require.NoError(t, err)
	for proto := range 6 {
		t.Run(fmt.Sprint(proto), func(t *testing.T) {
			from3, from2 := proto >= 3, proto < 3
			for _, c := range []struct {
				v  pyvalue.Value
				ok bool
			}{{v, from3}, {inst, from3}, {py2, from2}} {
				out, err := pickle.Append(nil, c.v, proto)
				if !c.ok {
					require.ErrorIs(t, err, pickle.ErrUnsupported)
					continue
				}
				require.NoError(t, err)
				_, err = pickle.Decode(out, pickle.Limits{})
				require.NoError(t, err)
			}
		})
	}
}

// TestNothingAdded: like Python we do not mind to what nothing is added.
func TestNothingAdded(t *testing.T) {
	for _, data := range []string{"N(e.", "N(u.", "N(\x90.", ")(e."} {
		_, err := pickle.Decode([]byte(data), pickle.Limits{})
		require.NoError(t, err, "%q", data)
	}
}
