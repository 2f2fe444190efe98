package taggedjson

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

type (
	value = pyvalue.Value
	none  = pyvalue.None
	str   = pyvalue.Str
)

func global(module, name string) *pyvalue.Global {
	return &pyvalue.Global{Module: module, Name: name}
}

func py2(module, name string) *pyvalue.Global {
	return &pyvalue.Global{Module: module, Name: name, Py2: true}
}

func object(how pyvalue.Construction, class value, args []value, ops ...pyvalue.Op) *pyvalue.Object {
	return &pyvalue.Object{How: how, Class: class, Args: pyvalue.NewTuple(args...), Ops: ops}
}

func op(kind pyvalue.OpKind, values ...value) pyvalue.Op {
	return pyvalue.Op{Kind: kind, Values: values}
}

func dict(kv ...value) *pyvalue.Dict { return dictOf(kv) }

func fromGo(t *testing.T, v any) value {
	t.Helper()
	p, err := pyvalue.FromGo(v)
	require.NoError(t, err)
	return p
}

func write(t *testing.T, v value, d Dialect) string {
	t.Helper()
	text, err := Append(nil, v, d)
	require.NoError(t, err)
	return string(text)
}

// user is an instance as each protocol and each Python spells it.
var (
	state = dict(str("id"), pyvalue.NewInt(7))
	user  = global("app", "User")
)

func reconstructor(class, base *pyvalue.Global, content value, ops ...pyvalue.Op) value {
	return object(pyvalue.Reduce, py2("copy_reg", "_reconstructor"), []value{class, base, content}, ops...)
}

const userText = `{"class":"app.User","state":{"t":"dict","v":[[{"t":"str","v":"id"},{"t":"int","v":"7"}]]},"t":"object"}`

func TestAppend(t *testing.T) {
	moment := time.Date(2023, 11, 14, 22, 13, 20, 123456000, time.UTC)
	one, two := pyvalue.NewInt(1), pyvalue.NewInt(2)
	const oneText, twoText = `{"t":"int","v":"1"}`, `{"t":"int","v":"2"}`
	ex := object(pyvalue.NewObjEx, user, []value{one})
	ex.Kwargs = dict(str("k"), two)
	for _, c := range []struct {
		v    value
		want string
	}{
		{none{}, `{"t":"none"}`},
		{pyvalue.Bool(true), `{"t":"bool","v":true}`},
		{pyvalue.NewInt(-42), `{"t":"int","v":"-42"}`},
		{pyvalue.NewLong(big.NewInt(42)), `{"t":"int","v":"42"}`},
		{pyvalue.NewBigInt(new(big.Int).Lsh(big.NewInt(1), 70)), `{"t":"int","v":"1180591620717411303424"}`},
		{pyvalue.Float(1e300), `{"hex":"0x1.7e43c8800759cp+996","t":"float","v":"1e+300"}`},
		{pyvalue.Float(math.Inf(-1)), `{"hex":"-inf","t":"float","v":"-inf"}`},
		{pyvalue.Complex(complex(1.5, -2)), `{"im":"-2.0","re":"1.5","t":"complex"}`},
		{str("h\u00e9\"\U0001f36a\xed\xa0\xbc"), `{"t":"str","v":"h\u00e9\"\ud83c\udf6a\ud83c"}`},
		{pyvalue.Bytes("\x00a"), `{"hex":"0061","t":"bytes"}`},
		{&pyvalue.ByteArray{Data: []byte("a")}, `{"hex":"61","t":"bytearray"}`},
		{pyvalue.NewList(one, pyvalue.NewList()), `{"t":"list","v":[` + oneText + `,{"t":"list","v":[]}]}`},
		{pyvalue.NewTuple(one), `{"t":"tuple","v":[` + oneText + `]}`},
		{pyvalue.NewSet(str("x"), two, one), `{"t":"set","v":[` + oneText + `,` + twoText + `,{"t":"str","v":"x"}]}`},
		{pyvalue.NewFrozenSet(), `{"t":"frozenset","v":[]}`},
		{dict(one, two), `{"t":"dict","v":[[` + oneText + `,` + twoText + `]]}`},
		{fromGo(t, pyvalue.NaiveTime{Time: moment}), `{"t":"datetime","tz":null,"v":"2023-11-14T22:13:20.123456"}`},
		{fromGo(t, moment), `{"t":"datetime","tz":"0:00:00","v":"2023-11-14T22:13:20.123456+00:00"}`},
		{fromGo(t, moment.Truncate(time.Second).In(time.FixedZone("", 7200))), `{"t":"datetime","tz":"2:00:00","v":"2023-11-15T00:13:20+02:00"}`},
		{fromGo(t, moment.In(time.FixedZone("", -18030))), `{"t":"datetime","tz":"-1 day, 18:59:30","v":"2023-11-14T17:12:50.123456-05:00:30"}`},
		{fromGo(t, pyvalue.Date{Year: 2024, Month: 2, Day: 29}), `{"t":"date","v":"2024-02-29"}`},
		{fromGo(t, pyvalue.TimeOfDay{Hour: 1, Minute: 2, Second: 3, Microsecond: 4}), `{"t":"time","v":"01:02:03.000004"}`},
		{fromGo(t, pyvalue.Timedelta{Days: -1, Seconds: 5, Microseconds: 7}), `{"days":-1,"microseconds":7,"seconds":5,"t":"timedelta"}`},
		{fromGo(t, pyvalue.Decimal("1.10")), `{"t":"decimal","v":"1.10"}`},
		{fromGo(t, pyvalue.UUID{0x12, 15: 1}), `{"t":"uuid","v":"12000000-0000-0000-0000-000000000001"}`},
		{pyvalue.Extension(240), `{"t":"extension","v":240}`},
		{global("os.path", "join"), `{"t":"global","v":"os.path.join"}`},
		{py2("__builtin__", "list"), `{"t":"global","v":"builtins.list"}`},
		{global("app", "Outer.Inner"), `{"module":"app","name":"Outer.Inner","t":"global"}`},
		{&pyvalue.Persistent{ID: str("id"), Text: true}, `{"t":"persistent","text":true,"v":{"t":"str","v":"id"}}`},
		{&pyvalue.Persistent{ID: one}, `{"t":"persistent","v":` + oneText + `}`},

		{object(pyvalue.NewObj, user, nil, op(pyvalue.Build, state)), userText},
		{reconstructor(user, py2("__builtin__", "object"), none{}, op(pyvalue.Build, state)), userText},
		{object(pyvalue.Reduce, global("copyreg", "__newobj__"), []value{user}, op(pyvalue.Build, state)), userText},
		{object(pyvalue.Obj, user, nil, op(pyvalue.Build, state)), strings.Replace(userText, `"state"`, `"how":"OBJ","state"`, 1)},
		{object(pyvalue.NewObj, user, []value{one}), `{"args":[` + oneText + `],"class":"app.User","t":"object"}`},
		{object(pyvalue.Reduce, user, []value{one}), `{"args":[` + oneText + `],"class":"app.User","how":"REDUCE","t":"object"}`},
		{ex, `{"args":[` + oneText + `],"class":"app.User","kwargs":{"t":"dict","v":[[{"t":"str","v":"k"},` + twoText + `]]},"t":"object"}`},
		{object(pyvalue.Reduce, global("copyreg", "__newobj_ex__"), []value{user, pyvalue.NewTuple(one), dict(str("k"), two)}),
			`{"args":[` + oneText + `],"class":"app.User","kwargs":{"t":"dict","v":[[{"t":"str","v":"k"},` + twoText + `]]},"t":"object"}`},
		{reconstructor(user, py2("__builtin__", "int"), one), `{"args":[` + oneText + `],"base":"builtins.int","class":"app.User","t":"object"}`},
		{reconstructor(user, global("app", "A.B"), one), `{"args":[` + oneText + `],"base":{"module":"app","name":"A.B","t":"global"},"class":"app.User","t":"object"}`},
		{reconstructor(user, py2("__builtin__", "dict"), dict(one, two)), `{"class":"app.User","dict":[[` + oneText + `,` + twoText + `]],"t":"object"}`},
		{object(pyvalue.NewObj, user, nil, op(pyvalue.SetItems, one, two)), `{"class":"app.User","dict":[[` + oneText + `,` + twoText + `]],"t":"object"}`},
		{reconstructor(user, py2("__builtin__", "list"), pyvalue.NewList(one, two)), `{"class":"app.User","items":[` + oneText + `,` + twoText + `],"t":"object"}`},
		{object(pyvalue.NewObj, user, nil, op(pyvalue.Append, one), op(pyvalue.Append, two)), `{"class":"app.User","items":[` + oneText + `,` + twoText + `],"t":"object"}`},
		{object(pyvalue.NewObj, user, nil, op(pyvalue.AddItems, one), op(pyvalue.Build, none{})),
			`{"add":[` + oneText + `],"class":"app.User","state":{"t":"none"},"t":"object"}`},
		{object(pyvalue.NewObj, user, nil, op(pyvalue.Build, one), op(pyvalue.Append, two)),
			`{"class":"app.User","ops":[["BUILD",[` + oneText + `]],["APPENDS",[` + twoText + `]]],"t":"object"}`},
		{object(pyvalue.NewObj, pyvalue.Extension(5), nil), `{"class":{"t":"extension","v":5},"t":"object"}`},
		{object(pyvalue.NewObj, global("app", "A.B"), nil), `{"class":{"module":"app","name":"A.B","t":"global"},"t":"object"}`},

		{pyvalue.NewOrderedDict(dict(one, two)), `{"class":"collections.OrderedDict","dict":[[` + oneText + `,` + twoText + `]],"t":"object"}`},
		{object(pyvalue.Reduce, global("collections", "OrderedDict"), []value{pyvalue.NewList(pyvalue.NewList(one, two))}),
			`{"class":"collections.OrderedDict","dict":[[` + oneText + `,` + twoText + `]],"t":"object"}`},
		{pyvalue.NewCounter(dict(one, two)), `{"class":"collections.Counter","dict":[[` + oneText + `,` + twoText + `]],"t":"object"}`},
		{pyvalue.NewDefaultDict(global("builtins", "list"), &pyvalue.Dict{}),
			`{"args":[{"t":"global","v":"builtins.list"}],"class":"collections.defaultdict","dict":[],"t":"object"}`},
		{pyvalue.NewDeque([]value{one}, -1), `{"args":[{"t":"list","v":[` + oneText + `]}],"class":"collections.deque","t":"object"}`},
	} {
		got := write(t, c.v, Python3)
		require.Equal(t, c.want, got)
		back, err := Parse([]byte(got))
		require.NoError(t, err, got)
		require.Equal(t, got, write(t, back, Python3))
		same, err := Equal([]byte(got), []byte(" "+strings.ReplaceAll(got, ",", " ,\n")))
		if !strings.Contains(got, "-1 day,") {
			require.NoError(t, err)
			require.True(t, same)
		}
	}
}

func TestDialects(t *testing.T) {
	for _, c := range []struct {
		v            value
		two, three   string
		guessIsThree bool
	}{
		{pyvalue.Py2Str("ab"), `{"ascii":"ab","hex":"6162","t":"py2str"}`, `{"t":"str","v":"ab"}`, false},
		{pyvalue.Py2Str("a\n"), `{"ascii":null,"hex":"610a","t":"py2str"}`, `{"t":"str","v":"a\n"}`, false},
		{pyvalue.Py2Str("\xff"), `{"ascii":null,"hex":"ff","t":"py2str"}`, `{"ascii":null,"hex":"ff","t":"py2str"}`, false},
		{pyvalue.NewLong(big.NewInt(5)), `{"t":"long","v":"5"}`, `{"t":"int","v":"5"}`, true},
		{py2("__builtin__", "set"), `{"t":"global","v":"__builtin__.set"}`, `{"t":"global","v":"builtins.set"}`, true},
		{object(pyvalue.Reduce, py2("exceptions", "ValueError"), []value{none{}}),
			`{"args":[{"t":"none"}],"class":"exceptions.ValueError","how":"REDUCE","t":"object"}`,
			`{"args":[{"t":"none"}],"class":"builtins.ValueError","how":"REDUCE","t":"object"}`, true},
	} {
		require.Equal(t, c.two, write(t, c.v, Python2))
		require.Equal(t, c.three, write(t, c.v, Python3))
		require.Equal(t, c.guessIsThree, Guess(c.v) == Python3)
		for _, text := range []string{c.two, c.three} {
			back, err := Parse([]byte(text))
			require.NoError(t, err)
			require.Equal(t, text, write(t, back, Python2))
		}
	}
}

func TestGuess(t *testing.T) {
	loop := pyvalue.NewList()
	loop.Items = []value{loop}
	ex := object(pyvalue.NewObjEx, user, nil)
	ex.Kwargs = dict(str("k"), pyvalue.Py2Str("x"))
	two := pyvalue.Py2Str("x")
	for _, v := range []value{
		pyvalue.NewTuple(loop, two), dict(two, none{}), dict(none{}, two), pyvalue.NewSet(two), pyvalue.NewFrozenSet(two), ex,
		&pyvalue.Persistent{ID: two}, object(pyvalue.NewObj, user, nil, op(pyvalue.Build, two)), object(pyvalue.Reduce, user, []value{two}),
	} {
		require.Equal(t, Python2, Guess(v))
	}
	for _, v := range []value{loop, none{}, str("x"), &pyvalue.Persistent{ID: two, Text: true}} {
		require.Equal(t, Python3, Guess(v))
	}
}

func TestAppendRefuses(t *testing.T) {
	loop := pyvalue.NewList()
	loop.Items = []value{pyvalue.NewInt(1), pyvalue.NewTuple(loop)}
	ring := object(pyvalue.NewObj, user, nil)
	ring.Ops = []pyvalue.Op{op(pyvalue.Build, dict(str("me"), ring))}
	var deep value = none{}
	for range 1_000_000 {
		deep = pyvalue.NewTuple(deep)
	}
	laughs := pyvalue.NewList(str("ha"))
	for range 60 {
		laughs = pyvalue.NewList(laughs, laughs)
	}
	repeated := func(v value) value {
		l := pyvalue.NewList()
		for range 100 {
			l.Items = append(l.Items, v)
		}
		return l
	}
	long := strings.Repeat("x", 1<<20)
	bad := str("\xff")
	decimal, err := pyvalue.NewDecimal(pyvalue.Decimal(strings.Repeat("1", 1<<20)))
	require.NoError(t, err)
	ex := object(pyvalue.NewObjEx, user, nil)
	ex.Kwargs = dict(bad, none{})
	for name, c := range map[string]struct {
		v     value
		cause error
	}{
		"list": {loop, ErrCircular}, "object": {ring, ErrCircular}, "deep": {deep, ErrTooLarge}, "laughs": {laughs, ErrTooLarge},
		"str": {repeated(str(long)), ErrTooLarge}, "bytes": {repeated(pyvalue.Bytes(long)), ErrTooLarge},
		"py2str": {repeated(pyvalue.Py2Str(long + "\xff")), ErrTooLarge}, "name": {repeated(global(long, "x")), ErrTooLarge},
		"decimal": {repeated(decimal), ErrTooLarge},
		"int":     {pyvalue.NewBigInt(new(big.Int).Lsh(big.NewInt(1), 1<<20)), ErrTooLarge},
		"text":    {bad, pyjson.ErrUnsupported}, "key": {dict(bad, none{}), pyjson.ErrUnsupported},
		"value": {dict(none{}, bad), pyjson.ErrUnsupported}, "member": {pyvalue.NewSet(bad), pyjson.ErrUnsupported},
		"tuple": {pyvalue.NewTuple(bad), pyjson.ErrUnsupported}, "persistent": {&pyvalue.Persistent{ID: bad}, pyjson.ErrUnsupported},
		"module": {global("\xff", ""), pyjson.ErrUnsupported}, "class": {object(pyvalue.NewObj, bad, nil), pyjson.ErrUnsupported},
		"qualname": {global("m", "a.\xff"), pyjson.ErrUnsupported}, "global": {global("m", "\xff"), pyjson.ErrUnsupported},
		"args": {object(pyvalue.NewObj, user, []value{bad}), pyjson.ErrUnsupported}, "kwargs": {ex, pyjson.ErrUnsupported},
		"base":  {reconstructor(user, global("b", "\xff"), pyvalue.NewInt(1)), pyjson.ErrUnsupported},
		"state": {object(pyvalue.NewObj, user, nil, op(pyvalue.Build, bad)), pyjson.ErrUnsupported},
		"items": {object(pyvalue.NewObj, user, nil, op(pyvalue.Append, bad)), pyjson.ErrUnsupported},
		"pairs": {object(pyvalue.NewObj, user, nil, op(pyvalue.SetItems, bad, bad)), pyjson.ErrUnsupported},
		"add":   {object(pyvalue.NewObj, user, nil, op(pyvalue.AddItems, bad)), pyjson.ErrUnsupported},
		"ops":   {object(pyvalue.NewObj, user, nil, op(pyvalue.AddItems, bad), op(pyvalue.Append, bad)), pyjson.ErrUnsupported},
		"nil":   {nil, ErrNotTagged},
	} {
		got, err := Append([]byte("kept"), c.v, Python3)
		require.ErrorIs(t, err, c.cause, name)
		require.Equal(t, "kept", string(got))
	}
}

func TestOddOperations(t *testing.T) {
	one := pyvalue.NewInt(1)
	for _, ops := range [][]pyvalue.Op{
		{op(pyvalue.Append)},
		{op(pyvalue.SetItems, one)},
		{op(pyvalue.Build, one, one)},
		{op(pyvalue.Build, one), op(pyvalue.Build, one)},
	} {
		require.Contains(t, write(t, object(pyvalue.NewObj, user, nil, ops...), Python3), `"ops":[[`)
	}
	odd := reconstructor(user, py2("__builtin__", "dict"), none{}).(*pyvalue.Object)
	require.Contains(t, write(t, odd, Python3), `{"args":[{"t":"none"}],"base":"builtins.dict","class":"app.User"`)
	odd.Args.Items = odd.Args.Items[:2]
	require.Contains(t, write(t, odd, Python3), `"class":"copyreg._reconstructor"`)
	odd.Args.Items[0] = none{}
	require.Contains(t, write(t, odd, Python3), `"class":"copyreg._reconstructor"`)
	odd.Args = nil
	require.Equal(t, `{"class":"copyreg._reconstructor","how":"REDUCE","t":"object"}`, write(t, odd, Python3))
	require.NotContains(t, write(t, object(pyvalue.Reduce, global("copyreg", "__newobj_ex__"), []value{user, none{}, none{}}), Python3), "kwargs")
}

func TestEqual(t *testing.T) {
	const a, b = `{"t":"int","v":"1"}`, `{"t":"int","v":"2"}`
	pairs := func(text string) string { return `{"t":"dict","v":[` + text + `]}` }
	object := func(text string) string { return `{"t":"object","class":"a.B",` + text + `}` }
	nested := func(first, second string) string {
		return pairs(`[` + a + `,` + pairs(`[`+first+`,`+a+`],[`+second+`,`+b+`]`) + `],[` + b + `,{"t":"set","v":[` + first + `,` + second + `]}]`)
	}
	for name, c := range map[string]struct {
		x, y string
		want bool
	}{
		"same":                  {a, ` {"v":"1", "t":"int"} `, true},
		"other value":           {a, b, false},
		"other tag":             {a, `{"t":"long","v":"1"}`, false},
		"field more":            {a, `{"t":"int","v":"1","x":1}`, false},
		"field less":            {`{"t":"int","v":"1","x":1}`, a, false},
		"order of a dict":       {pairs(`[` + a + `,` + b + `],[` + b + `,` + a + `]`), pairs(`[` + b + `,` + a + `],[` + a + `,` + b + `]`), true},
		"values swapped":        {pairs(`[` + a + `,` + a + `],[` + b + `,` + b + `]`), pairs(`[` + a + `,` + b + `],[` + b + `,` + a + `]`), false},
		"nested":                {nested(a, b), `{"t":"dict","v":[[` + b + `,{"t":"set","v":[` + b + `,` + a + `]}],[` + a + `,` + pairs(`[`+b+`,`+b+`],[`+a+`,`+a+`]`) + `]]}`, true},
		"nested otherwise":      {nested(a, b), nested(b, a), false},
		"order of a list":       {`{"t":"list","v":[` + a + `,` + b + `]}`, `{"t":"list","v":[` + b + `,` + a + `]}`, false},
		"length":                {`{"t":"list","v":[]}`, `{"t":"list","v":[` + b + `]}`, false},
		"kind":                  {a, `[]`, false},
		"list and scalar":       {`[]`, `1`, false},
		"how":                   {object(`"how":"INST","state":` + a), object(`"state":` + a), true},
		"other how":             {object(`"how":"INST","state":` + a), object(`"how":"REDUCE","state":` + a), true},
		"base":                  {object(`"base":"x.Y","args":[1]`), object(`"args":[1]`), true},
		"state":                 {object(`"state":` + a), object(`"state":` + b), false},
		"args unknown":          {object(`"state":` + a + `,"args":[` + a + `]`), object(`"state":` + a), true},
		"args unknown, turned":  {object(`"state":` + a), object(`"state":` + a + `,"args":[` + a + `]`), true},
		"args differ":           {object(`"state":` + a + `,"args":[` + a + `]`), object(`"state":` + a + `,"args":[` + b + `]`), false},
		"args alone":            {object(`"args":[` + a + `]`), `{"t":"object","class":"a.B"}`, false},
		"empty state":           {object(`"state":` + pairs("")), `{"t":"object","class":"a.B"}`, true},
		"full state":            {object(`"state":` + a), `{"t":"object","class":"a.B"}`, false},
		"odd state":             {object(`"state":{"t":"dict","v":1}`), `{"t":"object","class":"a.B"}`, false},
		"empty dict":            {object(`"dict":[]`), `{"t":"object","class":"a.B"}`, true},
		"full dict":             {object(`"dict":[[` + a + `,` + a + `]]`), `{"t":"object","class":"a.B"}`, false},
		"state of a dict":       {object(`"dict":[],"state":` + a), object(`"dict":[]`), true},
		"order of its entries":  {object(`"dict":[[` + a + `,` + b + `],[` + b + `,` + a + `]]`), object(`"dict":[[` + b + `,` + a + `],[` + a + `,` + b + `]]`), true},
		"items":                 {object(`"items":[` + a + `]`), `{"t":"object","class":"a.B"}`, false},
		"set of objects":        {`{"t":"set","v":[` + object(`"args":[1]`) + `,` + object(`"args":[2]`) + `]}`, `{"t":"set","v":[` + object(`"args":[2]`) + `,` + object(`"args":[1]`) + `]}`, true},
		"floats":                {`1.5`, `1.5`, true},
		"big ints":              {`123456789012345678901234567890`, `123456789012345678901234567891`, false},
		"order in OrderedDict":  {`{"t":"object","class":"collections.OrderedDict","dict":[1,2]}`, `{"t":"object","class":"collections.OrderedDict","dict":[2,1]}`, false},
		"nothing beyond a text": {`"a"`, `"a"`, true},
	} {
		for _, turn := range [][2]string{{c.x, c.y}, {c.y, c.x}} {
			got, err := Equal([]byte(turn[0]), []byte(turn[1]))
			require.NoError(t, err)
			require.Equal(t, c.want, got, name)
		}
	}
	for _, turn := range [][2]string{{"x", a}, {a, "x"}} {
		_, err := Equal([]byte(turn[0]), []byte(turn[1]))
		require.ErrorIs(t, err, pyjson.ErrSyntax)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		`1`, `[]`, `{}`, `{"t":1}`, `{"t":"x"}`, `{"t":"bool","v":1}`, `{"t":"int","v":1}`, `{"t":"int","v":"x"}`, `{"t":"int","v":""}`,
		`{"t":"int","v":"-"}`, `{"t":"int","v":"1-"}`, `{"t":"int","v":"0x1"}`, `{"t":"long"}`, `{"t":"int","v":"` + strings.Repeat("1", 100002) + `"}`,
		`{"t":"float"}`, `{"t":"float","v":"x"}`, `{"t":"complex","re":"1"}`, `{"t":"str"}`, `{"t":"bytes"}`, `{"t":"bytes","hex":"0"}`,
		`{"t":"py2str","hex":1}`, `{"t":"extension","v":-1}`, `{"t":"extension","v":4294967296}`, `{"t":"extension","v":"1"}`,
		`{"t":"datetime","v":"2023-11-14T22:13:20"}`, `{"t":"datetime","tz":null,"v":"x"}`, `{"t":"datetime","tz":null,"v":"0000-11-14T22:13:20"}`,
		`{"t":"datetime","tz":"2:00:00","v":"2023-11-14T22:13:20"}`, `{"t":"datetime","tz":"3:00:00","v":"2023-11-14T22:13:20+02:00"}`,
		`{"t":"datetime","tz":null}`, `{"t":"date","v":"2023-02-29"}`, `{"t":"time","v":"25:00:00"}`, `{"t":"timedelta","days":1}`,
		`{"t":"timedelta","days":1,"seconds":86400,"microseconds":0}`, `{"t":"timedelta","days":9999999999,"seconds":0,"microseconds":0}`,
		`{"t":"decimal","v":"x"}`, `{"t":"decimal"}`, `{"t":"uuid","v":"x"}`, `{"t":"uuid","v":"12345678123456781234567812345678"}`,
		`{"t":"list"}`, `{"t":"list","v":[1]}`, `{"t":"set","v":{}}`, `{"t":"dict"}`, `{"t":"dict","v":[1]}`, `{"t":"dict","v":[[]]}`, `{"t":"dict","v":[[1,2]]}`,
		`{"t":"global"}`, `{"t":"global","v":"x"}`, `{"t":"global","v":".x"}`, `{"t":"global","v":"x."}`, `{"t":"global","module":"x"}`, `{"t":"persistent"}`,
		`{"t":"object"}`, `{"t":"object","class":"x"}`, `{"t":"object","class":1}`, `{"t":"object","class":"a.B","how":"x"}`,
		`{"t":"object","class":"a.B","how":"REDUCE","kwargs":{"t":"dict","v":[]}}`, `{"t":"object","class":"a.B","how":"NEWOBJ_EX"}`,
		`{"t":"object","class":"a.B","kwargs":1}`, `{"t":"object","class":"a.B","kwargs":{"t":"none"}}`,
		`{"t":"object","class":"a.B","base":1}`, `{"t":"object","class":"a.B","base":"a.C"}`, `{"t":"object","class":"a.B","base":{"t":"none"},"args":[{"t":"none"}]}`,
		`{"t":"object","class":{"t":"none"},"base":"a.C","args":[{"t":"none"}]}`,
		`{"t":"object","class":"a.B","args":[1]}`, `{"t":"object","class":"a.B","items":[1]}`, `{"t":"object","class":"a.B","dict":[1]}`,
		`{"t":"object","class":"a.B","add":[1]}`, `{"t":"object","class":"a.B","state":1}`,
		`{"t":"object","class":"a.B","ops":[1]}`, `{"t":"object","class":"a.B","ops":[["BUILD"]]}`, `{"t":"object","class":"a.B","ops":[["BUILD",1]]}`,
		`{"t":"object","class":"a.B","ops":[["BUILD",[]]]}`, `{"t":"object","class":"a.B","ops":[["SETITEMS",[{"t":"none"}]]]}`,
		`{"t":"object","class":"a.B","ops":[["x",[]]]}`, `{"t":"object","class":"a.B","ops":[["APPENDS",[1]]]}`,
	} {
		v, err := Parse([]byte(text))
		require.ErrorIs(t, err, ErrNotTagged, text)
		require.Nil(t, v)
	}
	_, err := Parse([]byte("x"))
	require.ErrorIs(t, err, pyjson.ErrSyntax)
	_, err = Parse([]byte(`{"t":"list","v":[` + strings.Repeat(`{"t":"none"},`, maxNodes) + `{"t":"none"}]}`))
	require.ErrorIs(t, err, ErrTooLarge)
	deep := strings.Repeat(`{"t":"list","v":[`, 5000)
	_, err = Parse([]byte(deep))
	require.ErrorIs(t, err, pyjson.ErrLimit)
}

// TestParseMakesWhatPythonPickles: the well-known classes come back as their
// constructors make them.
func TestParseMakesWhatPythonPickles(t *testing.T) {
	d := dict(str("z"), pyvalue.NewInt(1), str("a"), pyvalue.NewInt(2))
	for _, v := range []value{
		fromGo(t, time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)), fromGo(t, -time.Hour), fromGo(t, pyvalue.UUID{1}),
		pyvalue.NewOrderedDict(d), pyvalue.NewCounter(d), pyvalue.NewDefaultDict(global("builtins", "list"), d), pyvalue.NewDeque([]value{d}, 3),
		object(pyvalue.NewObj, user, nil, op(pyvalue.Build, state)), pyvalue.Complex(complex(math.Inf(1), -0.5)),
		pyvalue.NewSet(str("a"), str("b")), pyvalue.NewFrozenSet(str("a")), &pyvalue.ByteArray{Data: []byte{1}}, pyvalue.NewLong(big.NewInt(1)),
	} {
		back, err := Parse([]byte(write(t, v, Python2)))
		require.NoError(t, err)
		require.True(t, pyvalue.Equal(v, back), "%v\n%v", v, back)
	}
	v, err := Parse([]byte(`{"t":"float","v":"1e-05"}`))
	require.NoError(t, err)
	require.Equal(t, value(pyvalue.Float(1e-5)), v)
	v, err = Parse([]byte(`{"t":"int","v":"4294967296"}`))
	require.NoError(t, err)
	require.True(t, v.(*pyvalue.Int).IsPy2Int())
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		userText, `{"t":"dict","v":[[{"t":"str","v":"\ud800"},{"t":"set","v":[{"t":"int","v":"1"}]}]]}`,
		`{"t":"datetime","tz":"-1 day, 19:00:00","v":"2023-11-14T22:13:20-05:00"}`, `{"t":"float","v":"1e999","hex":"-0x1p+2"}`,
		`{"class":{"t":"extension","v":5},"ops":[["BUILD",[{"t":"none"}]],["SETITEMS",[{"t":"none"},{"t":"none"}]]],"t":"object"}`,
		`{"class":"collections.Counter","dict":[[{"t":"none"},{"t":"none"}]],"t":"object"}`, `{"t":"py2str","hex":"ff","ascii":null}`,
		`{"args":[{"t":"global","v":"__builtin__.list"}],"class":"collections.defaultdict","how":"REDUCE","t":"object"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		v, err := Parse(data)
		if err != nil {
			return
		}
		for _, d := range []Dialect{Python2, Python3} {
			once, err := Append(nil, v, d)
			require.NoError(t, err)
			require.True(t, pyvalue.IsASCII(string(once)))
			back, err := Parse(once)
			require.NoError(t, err)
			twice, err := Append(nil, back, d)
			require.NoError(t, err)
			require.Equal(t, string(once), string(twice))
			same, err := Equal(once, twice)
			require.NoError(t, err)
			require.True(t, same)
		}
	})
}
