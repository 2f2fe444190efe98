package convert

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
)

func session(v pyvalue.Value) *inspect.Decoded {
	return &inspect.Decoded{Session: pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("k"), Value: v})}
}

func entry(k, v pyvalue.Value) pyvalue.Entry { return pyvalue.Entry{Key: k, Value: v} }

func toJSON(v pyvalue.Value) (Result, error) {
	return Encode(session(v), inspect.Elsewhere, Target{Kind: JSON, Protocol: -1}, new(beakerfmt.Codec))
}

func TestWhatJSONDoesNotHold(t *testing.T) {
	one := pyvalue.NewInt(1)
	uuid := pyvalue.NewUUID(pyvalue.UUID{})
	for name, c := range map[string]struct {
		value pyvalue.Value
		want  string
	}{
		"bytes":         {pyvalue.Bytes("x"), `session["k"]: bytes cannot be JSON`},
		"in a list":     {pyvalue.NewList(one, uuid), `session["k"][1]: uuid.UUID cannot be JSON`},
		"in a tuple":    {pyvalue.NewTuple(pyvalue.Complex(1)), `session["k"][0]: complex cannot be JSON`},
		"a set":         {pyvalue.NewSet(one), `session["k"]: set cannot be JSON`},
		"deep":          {pyvalue.NewDict(entry(pyvalue.NewInt(7), pyvalue.NewDict(entry(pyvalue.Str("a\n"), uuid)))), `session["k"][7]["a\n"]: uuid.UUID`},
		"a tuple key":   {pyvalue.NewDict(entry(pyvalue.NewTuple(one), one)), `session["k"]: a key of type tuple cannot be JSON`},
		"a bytes key":   {pyvalue.NewDict(entry(pyvalue.Bytes("b"), one)), `session["k"]: a key of type bytes cannot be JSON`},
		"same text":     {pyvalue.NewDict(entry(pyvalue.Bool(true), one), entry(pyvalue.Str("true"), one)), `two keys become the same text, "true"`},
		"None and text": {pyvalue.NewDict(entry(pyvalue.None{}, one), entry(pyvalue.Str("null"), one)), `two keys become the same text, "null"`},
		"not UTF-8":     {pyvalue.Py2Str("\xe9"), `session["k"]: a value of type str (Python 2) that is not UTF-8 cannot be JSON`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := toJSON(c.value)
			require.ErrorIs(t, err, ErrCannot)
			require.ErrorContains(t, err, c.want)
		})
	}
	r, err := toJSON(pyvalue.NewList(pyvalue.NewTuple(one), pyvalue.NewTuple(), pyvalue.NewDict(entry(one, pyvalue.Py2Str("x")))))
	require.NoError(t, err)
	require.Equal(t, `{"k": [[1], [], {"1": "x"}]}`, string(r.Data))
	require.Equal(t, []string{
		`session["k"][0]: tuple becomes a list (and 1 more)`,
		`session["k"][2]: the key 1 becomes text`,
		`session["k"][2][1]: str of Python 2 becomes unicode`,
	}, r.Notes)
}

// What cannot be JSON is named once, not by its parts.
func TestObjectsAreNotTakenApart(t *testing.T) {
	date := &pyvalue.Object{Class: &pyvalue.Global{Module: "datetime", Name: "date"}, How: pyvalue.Reduce, Args: pyvalue.NewTuple(pyvalue.Bytes("\x07\xe5\x03\x04"))}
	_, err := toJSON(date)
	require.EqualError(t, err, `convert: cannot be converted: session["k"]: datetime.date cannot be JSON`)
	_, err = toJSON(pyvalue.NewSet(pyvalue.Bytes("x")))
	require.EqualError(t, err, `convert: cannot be converted: session["k"]: set cannot be JSON`)
}

// What Python 2 does not have would cost the session there.
func TestNotInPython2(t *testing.T) {
	to := func(v pyvalue.Value, peer string, kind Kind) (Result, error) {
		p, err := compat.ParsePeer(peer)
		require.NoError(t, err)
		return Encode(session(v), inspect.Elsewhere, Target{Kind: kind, Protocol: -1, Peer: p}, new(beakerfmt.Codec))
	}
	class := func(module, name string) *pyvalue.Global { return &pyvalue.Global{Module: module, Name: name} }
	made := func(of *pyvalue.Global, args ...pyvalue.Value) pyvalue.Value {
		return &pyvalue.Object{Class: of, How: pyvalue.Reduce, Args: pyvalue.NewTuple(args...)}
	}
	utc := made(class("datetime", "timezone"), made(class("datetime", "timedelta"), pyvalue.NewInt(0), pyvalue.NewInt(0), pyvalue.NewInt(0)))
	aware := made(class("datetime", "datetime"), pyvalue.Bytes("\x07\xe4\x01\x01\x00\x00\x00\x00\x00\x00"), utc)
	for name, c := range map[string]struct {
		value pyvalue.Value
		want  string
	}{
		"in an object": {aware, `session["k"]: datetime.timezone: Python 2 does not have it`},
		"in a list":    {pyvalue.NewList(utc), `session["k"][0]: datetime.timezone: Python 2 does not have it`},
		"a module":     {made(class("zoneinfo", "ZoneInfo._unpickle"), pyvalue.Str("UTC")), `zoneinfo.ZoneInfo._unpickle: Python 2 does not have it`},
		"a class":      {class("collections", "ChainMap"), `collections.ChainMap`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := to(c.value, "beaker-1.11/python2", Record)
			require.ErrorIs(t, err, ErrCannot)
			require.ErrorContains(t, err, c.want)
			_, err = to(c.value, "beaker-1.11/python3", Record)
			require.NoError(t, err)
		})
	}
	for _, v := range []pyvalue.Value{class("builtins", "range"), class("collections", "OrderedDict"), class("app.statistics", "Mean"), class("http.cookies", "Morsel")} {
		_, err := to(v, "beaker-1.11/python2", Record)
		require.NoError(t, err)
	}
	r, err := to(made(class("pathlib", "PurePosixPath"), pyvalue.Str("/")), "beaker-1.11/python2", Record)
	require.NoError(t, err)
	require.Contains(t, r.Notes, `session["k"]: pathlib.PurePosixPath: Python 2 has it only if its backport is installed there`)
}

// A small value with endlessly many paths, and one that contains itself, end.
func TestWalkEnds(t *testing.T) {
	bush := pyvalue.NewList(pyvalue.Bytes("x"))
	for range 40 {
		bush = pyvalue.NewList(bush, bush)
	}
	_, err := toJSON(bush)
	require.ErrorIs(t, err, ErrCannot)
	loop := pyvalue.NewList()
	loop.Items = append(loop.Items, loop)
	_, err = toJSON(loop)
	require.ErrorContains(t, err, "circular")
}

// Nothing that was encrypted, or is to be, comes out in clear unless that is said.
func TestNothingInClearByMistake(t *testing.T) {
	keys := inspect.Keys{Encrypt: []inspect.Key{{Key: "e"}}, Validate: []inspect.Key{{Key: "v"}}}
	none, ctr := beakerfmt.AESNone, beakerfmt.CTR
	d := session(pyvalue.Str("x"))
	old, err := compat.ParsePeer("beaker-1.6.1")
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		target Target
		codec  *beakerfmt.Codec
		fails  bool
		sealed bool
	}{
		{"key, mode", Target{Kind: Text, AES: &ctr, NonceBits: 128}, keys.Codec(128), false, true},
		{"key, none", Target{Kind: Text, AES: &none}, keys.Codec(128), false, false},
		{"key, dict", Target{Kind: Dict, NonceBits: 128}, keys.Codec(128), true, false},
		{"no key, mode", Target{Kind: Text, AES: &ctr}, new(beakerfmt.Codec), true, false},
		{"no key", Target{Kind: Text}, new(beakerfmt.Codec), false, false},
		{"a peer that encrypts no records", Target{Kind: Record, Peer: old, NonceBits: 128}, keys.Codec(128), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.target.Protocol = -1
			r, err := Encode(d, inspect.Elsewhere, c.target, c.codec)
			if c.fails {
				require.Error(t, err)
				require.Empty(t, r.Data)
				return
			}
			require.NoError(t, err)
			again, err := inspect.File(r.Data, keys.Codec(128))
			require.NoError(t, err)
			require.Equal(t, c.sealed, again.Form.AES != beakerfmt.AESNone)
			require.True(t, pyvalue.Equal(d.Session, again.Session))
		})
	}
}
