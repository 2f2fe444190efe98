package tree_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
)

func text(v pyvalue.Value, o tree.Options) string { return string(tree.New(v, o).AppendText(nil)) }

func TestText(t *testing.T) {
	decode := func(s string) pyvalue.Value {
		v, err := pickle.Decode([]byte(s), pickle.Limits{})
		require.NoError(t, err)
		return v
	}
	long := strings.Repeat("é", 200)
	for name, c := range map[string]struct {
		v    pyvalue.Value
		want string
	}{
		"none":       {pyvalue.None{}, "NoneType: None\n"},
		"bool":       {pyvalue.Bool(true), "bool: True\n"},
		"nan":        {pyvalue.Float(math.NaN()), "float: nan\n"},
		"str":        {pyvalue.Str("a'b\x1b[31m\u202e"), "str: \"a'b\\x1b[31m\\u202e\"\n"},
		"py2 str":    {pyvalue.Py2Str("caf\xe9"), "str (Python 2): 'caf\\xe9'\n"},
		"bytes":      {pyvalue.Bytes("\x00a"), "bytes: b'\\x00a'\n"},
		"long text":  {pyvalue.Str(long), "str: '" + long[:2*96] + "'… (400 bytes in all)\n"},
		"bytearray":  {&pyvalue.ByteArray{Data: []byte("x")}, "bytearray: b'x'\n"},
		"empty dict": {&pyvalue.Dict{}, "dict: 0 keys\n"},
		"class":      {&pyvalue.Global{Module: "app", Name: "User"}, "global app.User: app.User\n"},
		"date":       {decode("cdatetime\ndate\n(S'\\x07\\xe8\\x02\\x1d'\ntR."), "datetime.date: 2024-02-29\n"},
		"decimal":    {decode("cdecimal\nDecimal\n(S'1.10'\ntR."), "decimal.Decimal: 1.10\n"},
		"timedelta":  {decode("cdatetime\ntimedelta\n(I-1\nI5\nI7\ntR."), "datetime.timedelta: -1 days, 5 seconds, 7 microseconds\n"},
		"nested": {
			pyvalue.NewDict(
				pyvalue.Entry{Key: pyvalue.Str("a"), Value: pyvalue.NewList(pyvalue.NewInt(1), pyvalue.NewTuple())},
				pyvalue.Entry{Key: pyvalue.NewTuple(pyvalue.NewInt(1), pyvalue.Str("x")), Value: pyvalue.NewSet(pyvalue.Str("m"))},
			),
			"dict: 2 keys\n├─ 'a'  list: 2 items\n│  ├─ 0  int: 1\n│  └─ 1  tuple: 0 items\n└─ (1, 'x')  set: 1 item\n   └─ -  str: 'm'\n",
		},
		"called object":    {decode("capp\nThing\n(I1\ntR(dS'a'\nI2\nsb."), "app.Thing: 2 parts\n├─ args  tuple: 1 item\n│  └─ 0  int: 1\n└─ 'a'  int: 2\n"},
		"dict of Python 2": {decode("ccopy_reg\n_reconstructor\n(capp\nUser\nc__builtin__\ndict\n(dS'id'\nI7\nstR."), "app.User: 1 part\n└─ 'id'  int: 7\n"},
		"time":             {decode("(dS'_accessed_time'\nF1700000000.25\ns."), "dict: 1 key\n└─ '_accessed_time'  float: 1700000000.25  (2023-11-14 22:13:20 UTC)\n"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, text(c.v, tree.Options{})) })
	}
}

func TestBounds(t *testing.T) {
	loop := pyvalue.NewList()
	loop.Items = append(loop.Items, loop, pyvalue.NewList(loop))
	require.Equal(t, "list: 2 items\n├─ 0  list: … (it contains itself: see the top above)\n"+
		"└─ 1  list: 1 item\n   └─ 0  list: … (it contains itself: see the top above)\n", text(loop, tree.Options{}))

	var deep pyvalue.Value = pyvalue.NewInt(1)
	for range 100_000 {
		deep = pyvalue.NewList(deep)
	}
	out := text(deep, tree.Options{})
	require.Contains(t, out, "(too deep to show)")
	require.Equal(t, 33, strings.Count(out, "\n"))

	many := make([]pyvalue.Value, 1000)
	for i := range many {
		many[i] = pyvalue.NewInt(int64(i))
	}
	out = text(pyvalue.NewList(many...), tree.Options{MaxNodes: 11})
	require.Contains(t, out, "990 more not shown")
	require.Equal(t, 12, strings.Count(out, "\n"))
}

func TestHide(t *testing.T) {
	d := pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str("password"), Value: pyvalue.Str("hunter2")},
		pyvalue.Entry{Key: pyvalue.Str("name"), Value: pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Py2Str("password"), Value: pyvalue.Str("hunter2")})},
	)
	out := text(d, tree.Options{Hide: func(key string) bool { return key == "password" }})
	require.NotContains(t, out, "hunter2")
	require.Equal(t, 2, strings.Count(out, "(hidden)"))
}

// The same large value many times: what is shown is bounded, and so is the
// work to find it out.
func TestLargeValueManyTimes(t *testing.T) {
	large := pyvalue.NewList(make([]pyvalue.Value, 1<<20)...)
	for i := range large.Items {
		large.Items[i] = pyvalue.None{}
	}
	refs := pyvalue.NewList()
	for range 20 {
		refs.Items = append(refs.Items, large)
	}
	n := tree.New(refs, tree.Options{MaxDepth: 1})
	require.Contains(t, n.Children[0].Text, "too deep to show")
	require.Equal(t, "… (too much to show)", n.Children[19].Text)
}
