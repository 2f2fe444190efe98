package taggedjson

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func TestAppendPlain(t *testing.T) {
	when, err := pyvalue.NewNaiveDatetime(time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC))
	require.NoError(t, err)
	for _, c := range []struct {
		v    value
		want string
		same bool // ParsePlain gives v itself
	}{
		{none{}, `null`, true},
		{pyvalue.Bool(true), `true`, true},
		{str("é\"\n"), `"\u00e9\"\n"`, true},
		{str("\xed\xa0\x80"), `"\ud800"`, true},
		{pyvalue.Py2Str("eve"), `"eve"`, false},
		{pyvalue.Py2Str("\xe9"), `{"$py":{"ascii":null,"hex":"e9","t":"py2str"}}`, true},
		{pyvalue.NewInt(-42), `-42`, true},
		{pyvalue.NewLong(big.NewInt(42)), `42`, false},
		{pyvalue.NewInt(maxPlainInt), `9007199254740991`, true},
		{pyvalue.NewInt(maxPlainInt + 1), `{"$py":{"t":"int","v":"9007199254740992"}}`, true},
		{pyvalue.NewInt(-maxPlainInt - 1), `{"$py":{"t":"int","v":"-9007199254740992"}}`, true},
		{pyvalue.Float(1), `1.0`, true},
		{pyvalue.Float(1e300), `1e+300`, true},
		{pyvalue.Float(math.Copysign(0, -1)), `-0.0`, true},
		{pyvalue.Float(math.Inf(-1)), `{"$py":{"hex":"-inf","t":"float","v":"-inf"}}`, true},
		{pyvalue.NewList(pyvalue.NewInt(1), pyvalue.NewList()), `[1,[]]`, true},
		{pyvalue.NewTuple(pyvalue.NewInt(1)), `{"$py":{"t":"tuple","v":[{"t":"int","v":"1"}]}}`, true},
		{pyvalue.NewDict(pyvalue.Entry{Key: str("a"), Value: none{}}), `{"a":null}`, true},
		{pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.NewInt(1), Value: none{}}), `{"$py":{"t":"dict","v":[[{"t":"int","v":"1"},{"t":"none"}]]}}`, true},
		{pyvalue.NewDict(pyvalue.Entry{Key: str("$py"), Value: none{}}), `{"$py":{"t":"dict","v":[[{"t":"str","v":"$py"},{"t":"none"}]]}}`, true},
		{pyvalue.NewDict(), `{}`, true},
		{pyvalue.Bytes("\x00"), `{"$py":{"hex":"00","t":"bytes"}}`, true},
		{when, `{"$py":{"t":"datetime","tz":null,"v":"2023-11-14T22:13:20"}}`, true},
	} {
		got, err := AppendPlain([]byte("x"), c.v)
		require.NoError(t, err)
		require.Equal(t, "x"+c.want, string(got))
		require.True(t, json.Valid(got[1:]))
		back, err := ParsePlain(got[1:])
		require.NoError(t, err)
		if c.same {
			require.True(t, pyvalue.Equal(c.v, back), "%v, %v", c.v, back)
		}
	}
}

func TestAppendPlainIsBounded(t *testing.T) {
	around := &pyvalue.List{}
	around.Items = []value{pyvalue.NewDict(pyvalue.Entry{Key: str("a"), Value: around})}
	_, err := AppendPlain(nil, around)
	require.ErrorIs(t, err, ErrCircular)
	var deep value = none{}
	for range 1001 {
		deep = pyvalue.NewList(deep)
	}
	_, err = AppendPlain(nil, deep)
	require.ErrorIs(t, err, ErrTooLarge)
	wide := pyvalue.NewList(make([]value, 1<<16)...)
	for i := range wide.Items {
		wide.Items[i] = none{}
	}
	for range 5 {
		wide = pyvalue.NewList(wide, wide, wide, wide)
	}
	_, err = AppendPlain(nil, wide)
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestParsePlainRefuses(t *testing.T) {
	for text, cause := range map[string]error{
		`{"$py":{"t":"none"},"a":1}`: ErrNotTagged,
		`{"$py":1}`:                  ErrNotTagged,
		`{"$py":{"t":"nothing"}}`:    ErrNotTagged,
		`NaN`:                        ErrNotTagged,
		`[-Infinity]`:                ErrNotTagged,
		`1e999`:                      ErrNotTagged,
		`{"a":`:                      pyjson.ErrSyntax,
		`{"$py":{"args":[{"t":"str","v":"id"}],"class":"os.system","how":"REDUCE","t":"object"}}`: ErrNotData,
		`{"$py":{"t":"list","v":[{"class":"a.B","t":"object"}]}}`:                                 ErrNotData,
		`{"a":[{"$py":{"t":"global","v":"os.system"}}]}`:                                          ErrNotData,
		`{"$py":{"t":"extension","v":240}}`:                                                       ErrNotData,
		`{"$py":{"t":"persistent","v":{"t":"int","v":"1"}}}`:                                      ErrNotData,
		`{"$py":{"t":"set","v":[{"t":"list","v":[]}]}}`:                                           ErrUnhashable,
		`{"$py":{"t":"frozenset","v":[{"t":"tuple","v":[{"t":"dict","v":[]}]}]}}`:                 ErrUnhashable,
		`{"$py":{"t":"dict","v":[[{"hex":"00","t":"bytearray"},{"t":"none"}]]}}`:                  ErrUnhashable,
	} {
		_, err := ParsePlain([]byte(text))
		require.ErrorIs(t, err, cause, text)
	}
	_, err := ParsePlain([]byte(strings.Repeat("[", 5000) + strings.Repeat("]", 5000)))
	require.ErrorIs(t, err, pyjson.ErrLimit)
}

// FuzzParsePlain: what is read is data, and is written so that it reads as the same.
func FuzzParsePlain(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,1.0,null,true,"\ud800"],"b":{"$py":{"t":"tuple","v":[{"t":"int","v":"1"}]}}}`,
		`{"$py":{"t":"dict","v":[[{"t":"str","v":"$py"},{"t":"set","v":[{"t":"int","v":"1"}]}]]}}`,
		`{"$py":{"t":"datetime","tz":null,"v":"2023-11-14T22:13:20"}}`, `[9007199254740993,1e400,-0.0]`,
		`{"$py":{"class":"os.system","t":"object"}}`, `{"$py":{"ascii":null,"hex":"ff","t":"py2str"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		v, err := ParsePlain(data)
		if err != nil {
			return
		}
		tagged, err := Append(nil, v, Python2)
		require.NoError(t, err)
		for _, code := range []string{`"t":"object"`, `"t":"global"`, `"t":"extension"`, `"t":"persistent"`} {
			require.NotContains(t, string(tagged), code)
		}
		once, err := AppendPlain(nil, v)
		require.NoError(t, err)
		require.True(t, json.Valid(once))
		back, err := ParsePlain(once)
		require.NoError(t, err)
		twice, err := AppendPlain(nil, back)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
