package tomlconf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
)

// everyKind is a document with each kind of key and value, and the line of each in it.
const everyKind = `# a comment with [brackets] = "x"
"quoted key" = 1
'literal.key' = 2
"\u0061\tb\"c" = 3
a.b . "c d" = 4 # a.b = 5
text = "a # = [x] \" \\"
literal = 'C:\'
long = """
fake = 1
[fake]
x = \""" 2"""""
raw = '''
fake = '1'
\'''
quotes = """"""
list = [ # a comment with ]
  1, "]", [2, '[']
  ,
]
tables = [ { k = 1 }, { k = [ {
  deep.x = 1 } ], l = 1979-05-27 07:32:00 } ]
inline = { a = 1, b.c = { "d" = "}" }, e = [1,
  2] }

[ table . "x.y" ]
inside = true
[table.z]
[[route]]
prefix = "/a"
[route.sub]
n = 1
[[route]]
prefix = "/b"
  [[route.deep]]
  n = 1
  [[route.deep]]
  n = 2
[[route]]
prefix = '/c'`

func TestLine(t *testing.T) {
	require.NoError(t, toml.Unmarshal([]byte(everyKind), &map[string]any{}))
	m := &Meta{Path: "x.toml", text: everyKind, marks: scan(everyKind)}
	for _, c := range []struct {
		line int
		key  []string
	}{
		{2, []string{"quoted key"}},
		{3, []string{"literal.key"}},
		{4, []string{"a\tb\"c"}},
		{5, []string{"a", "b", "c d"}},
		{5, []string{"a", "b"}},
		{5, []string{"a"}},
		{6, []string{"text"}},
		{7, []string{"literal"}},
		{8, []string{"long"}},
		{0, []string{"fake"}},
		{12, []string{"raw"}},
		{15, []string{"quotes"}},
		{16, []string{"list"}},
		{17, []string{"list", "2", "1"}},
		{20, []string{"tables", "0", "k"}},
		{20, []string{"tables", "k"}},
		{20, []string{"tables", "1", "k"}},
		{21, []string{"tables", "1", "k", "0", "deep", "x"}},
		{21, []string{"tables", "1", "l"}},
		{22, []string{"inline", "b", "c", "d"}},
		{23, []string{"inline", "e", "1"}},
		{25, []string{"table", "x.y"}},
		{25, []string{"table"}},
		{26, []string{"table", "x.y", "inside"}},
		{27, []string{"table", "z"}},
		{28, []string{"route"}},
		{28, []string{"route", "0"}},
		{29, []string{"route", "prefix"}},
		{29, []string{"route", "0", "prefix"}},
		{31, []string{"route", "0", "sub", "n"}},
		{32, []string{"route", "1"}},
		{33, []string{"route", "1", "prefix"}},
		{35, []string{"route", "1", "deep", "0", "n"}},
		{37, []string{"route", "1", "deep", "1", "n"}},
		{39, []string{"route", "2", "prefix"}},
		{0, []string{"route", "3"}},
		{0, []string{"nothing"}},
	} {
		require.Equal(t, c.line, m.Line(c.key...), "%q", c.key)
	}
	var none *Meta
	require.Zero(t, none.Line("a"))
	require.False(t, none.Has("a"))
	require.Equal(t, "a/b", none.Relative("a/b"))
}

// checkMarks compares with what the library found, key by key, and checks that the
// file up to each mark is a whole file.
func checkMarks(t *testing.T, text string) {
	t.Helper()
	var all map[string]any
	md, err := toml.Decode(text, &all)
	if err != nil {
		return
	}
	var want, got []string
	for _, k := range md.Keys() {
		want = append(want, fmt.Sprintf("%q", []string(k)))
	}
	text = withoutBOM(text)
	marks := scan(text)
	for _, k := range marks {
		if k.defines {
			got = append(got, fmt.Sprintf("%q", k.key))
		}
		require.LessOrEqual(t, k.line, strings.Count(text, "\n")+1)
	}
	require.Equal(t, want, got)
	if len(marks) > 100 {
		return
	}
	for _, k := range marks {
		_, err := toml.Decode(text[:k.end]+k.closers, &map[string]any{})
		require.NoError(t, err, "%q", text[:k.end]+k.closers)
	}
}

// What is nested beyond reason has no marks of its own, and costs no more than its length.
func TestScanDeep(t *testing.T) {
	const n = 20_000
	marks := scan("a = " + strings.Repeat("[{b=", n) + "1" + strings.Repeat("}]", n) + "\nc = 1")
	require.Less(t, len(marks), 4*maxDepth)
	require.Equal(t, []string{"c"}, marks[len(marks)-1].key)
}

func FuzzScan(f *testing.F) {
	f.Add(everyKind)
	for _, text := range []string{
		"", "a = 1", "\ufeffa = 1\r\n[b]\r\nc = '''\r\n'''\r\n", "a=\"\\\\\"\nb=\"\"\"\\\n \"\"\"\nc=1",
		"\"\" = 1\n'' . a = 2", "a = {}\nb = []\nc = [[], [{}], ]", "[a]\n[a.b.c]\n[[a.d]]\n[[a.d.e]]\n[a.d.e.f]",
		"a = 07:32:00 # x\nb = +1_000.5e-3\nc = inf", "a.b = 1\na.c = 2\n", "a = [ '''x''' , \"\"\"]\"\"\" ]",
	} {
		f.Add(text)
	}
	f.Fuzz(checkMarks)
}
