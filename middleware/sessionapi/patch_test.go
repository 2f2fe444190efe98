package sessionapi

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
)

// reference is the procedure of RFC 7396, section 2.
func reference(target, patch any) any {
	members, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out, ok := target.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for name, value := range members {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = reference(out[name], value)
		}
	}
	return out
}

// FuzzMerged: a patch makes of a value what RFC 7396 says, whatever both are, never
// changes the value that is there, and done again changes nothing more.
func FuzzMerged(f *testing.F) {
	for _, s := range [][2]string{
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`}, {`[1,2]`, `{"a":"b","c":null}`}, {`{}`, `{"a":{"bb":{"ccc":null}}}`},
		{`1.0`, `1`}, {`true`, `1`}, {`{"a":[1,null]}`, `{"a":[1.0,null]}`}, {`{"x":1}`, `{"x":{"$py":{"t":"tuple","v":[]}}}`}, {`0`, `{"a":{}}`},
	} {
		f.Add([]byte(s[0]), []byte(s[1]))
	}
	f.Fuzz(func(t *testing.T, targetText, patchText []byte) {
		if len(targetText)+len(patchText) > 1<<13 || bytes.Contains(targetText, []byte(`\u`)) || bytes.Contains(patchText, []byte(`\u`)) {
			return
		}
		target, err := taggedjson.ParsePlain(targetText)
		if err != nil {
			return
		}
		parse := func() (pyvalue.Value, error) { return pyjson.Decode(patchText, patchLimits) }
		patch, err := parse()
		if err != nil {
			return
		}
		before, err := taggedjson.AppendPlain(nil, target)
		require.NoError(t, err)
		got, same, err := merged("", target, patch)
		after, err2 := taggedjson.AppendPlain(nil, target)
		require.NoError(t, err2)
		require.Equal(t, string(before), string(after))
		if err != nil {
			var p *problem
			require.ErrorAs(t, err, &p)
			return
		}
		if got == nil {
			return
		}
		if same {
			require.True(t, pyvalue.Same(target, got) || pyvalue.Equal(target, got))
		}
		text, err := taggedjson.AppendPlain(nil, got)
		require.NoError(t, err)
		patch, err = parse()
		require.NoError(t, err)
		_, same, err = merged("", got, patch)
		require.NoError(t, err)
		require.True(t, same, "%s", text)

		var wanted, found, x any
		if bytes.Contains(text, []byte(taggedjson.Envelope)) || bytes.Contains(patchText, []byte(taggedjson.Envelope)) ||
			json.Unmarshal(targetText, &wanted) != nil || json.Unmarshal(patchText, &x) != nil {
			return
		}
		require.NoError(t, json.Unmarshal(text, &found))
		require.Equal(t, reference(wanted, x), found)
	})
}

// What Python changes by reading and writing again makes no difference, anything else does.
func TestCanonical(t *testing.T) {
	entry := func(k string, v pyvalue.Value) pyvalue.Entry { return pyvalue.Entry{Key: pyvalue.Str(k), Value: v} }
	one, two := pyvalue.NewInt(1), pyvalue.NewInt(2)
	object := func(state *pyvalue.Dict) pyvalue.Value {
		return &pyvalue.Object{
			How: pyvalue.NewObj, Class: &pyvalue.Global{Module: "app", Name: "User"}, Args: pyvalue.NewTuple(),
			Ops: []pyvalue.Op{{Kind: pyvalue.Build, Values: []pyvalue.Value{state}}},
		}
	}
	for _, same := range [][2]pyvalue.Value{
		{pyvalue.NewDict(entry("a", one), entry("b", two)), pyvalue.NewDict(entry("b", two), entry("a", one))},
		{object(pyvalue.NewDict(entry("a", one), entry("b", two))), object(pyvalue.NewDict(entry("b", two), entry("a", one)))},
		{pyvalue.Str("x"), pyvalue.Py2Str("x")},
		{pyvalue.NewInt(1), pyvalue.NewLong(big.NewInt(1))},
	} {
		a, err := canonical(same[0])
		require.NoError(t, err)
		b, err := canonical(same[1])
		require.NoError(t, err)
		require.Equal(t, string(a), string(b))
	}
	seen := map[string]pyvalue.Value{}
	for _, v := range []pyvalue.Value{
		one, two, pyvalue.Float(1), pyvalue.Bool(true), pyvalue.Str("1"), pyvalue.Bytes("1"), pyvalue.Py2Str("\xe9"), pyvalue.None{},
		pyvalue.NewList(), pyvalue.NewList(one), pyvalue.NewList(one, one), pyvalue.NewList(pyvalue.NewList(one)), pyvalue.NewList(pyvalue.NewList(), one), pyvalue.NewTuple(one),
		pyvalue.NewDict(), pyvalue.NewDict(entry("a", one)), pyvalue.NewDict(entry("a", two)), pyvalue.NewDict(entry("a", one), entry("b", one)),
		pyvalue.NewSet(one), pyvalue.NewFrozenSet(one), object(pyvalue.NewDict()), object(pyvalue.NewDict(entry("a", one))),
	} {
		text, err := canonical(v)
		require.NoError(t, err)
		require.Nil(t, seen[string(text)], "%v", v)
		seen[string(text)] = v
	}
	around := &pyvalue.List{}
	around.Items = []pyvalue.Value{around}
	_, err := canonical(around)
	require.ErrorIs(t, err, taggedjson.ErrTooLarge)
	shared := pyvalue.NewList(one)
	for range 40 {
		shared = pyvalue.NewList(shared, shared)
	}
	_, err = canonical(shared)
	require.ErrorIs(t, err, taggedjson.ErrTooLarge)
}
