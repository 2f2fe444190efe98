package beakerfmt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each header with what Python 2.7 and Python 3 find as "sid" ("-": nothing).
var walkCases = []struct{ header, python2, python3 string }{
	{"", "-", "-"},
	{"sid=S", "S", "S"},
	{"SID=S", "-", "-"},
	{"sid=S1; sid=S2", "S2", "S2"},
	{"sid=S; sid=", "", ""},
	{`sid=""`, `""`, `""`},
	{`sid="S"`, `"S"`, `"S"`},
	{`sid="S;T, \"x\""; a=b`, `"S;T, \"x\""`, `"S;T, \"x\""`},
	{"sid=" + `"` + `a\141"`, `"a\141"`, `"a\141"`},
	{"sid=a+b/c==", "a+b/c==", "a+b/c=="},
	{"sid=%61", "%61", "%61"},
	{"  sid=S", "S", "S"},
	{"\tsid=S", "S", "S"},
	{"\r\n sid=S", "S", "S"},
	{"a=b;\r\n sid=S", "S", "S"},
	{"\vsid=S\v;\fa=b", "S", "S"},
	{"sid=S;", "S", "S"},
	{"sid=S ;a=b", "S", "S"},
	{"sid = S", "S", "S"},
	{"sid =\tS\t; a=b", "S", "S"},
	{"a=b;sid=S", "S", "S"},
	{"a=; sid=S", "S", "S"},
	{"a=b, sid=S", "S", "S"},
	{"a=b,sid=S", "-", "-"},
	{"a=b sid=S", "S", "S"},

	// No value: Python 3 drops every cookie of the header.
	{"flag; sid=S", "S", "-"},
	{"sid=S; flag", "S", "-"},
	{"sid=S flag", "S", "-"},
	{"a=b c; sid=S", "S", "-"},
	{"sid=S; a=b c", "S", "-"},
	{"=x; sid=S", "S", "-"},
	{"sid=S; =x", "S", "-"},

	// Reserved names.
	{"path=/x; sid=S", "S", "-"},
	{"PATH=/x; sid=S", "S", "-"},
	{"domain=x; sid=S", "S", "-"},
	{"version=1; sid=S", "S", "-"},
	{"secure; sid=S", "S", "-"},
	{"sid=S; secure", "S", "S"},
	{"sid=S; HttpOnly", "S", "S"},
	{"sid=S; HTTPONLY=1", "S", "S"},
	{"sid=S; path=/x; expires=never", "S", "S"},
	{"sid=S; path", "S", "-"},
	{"sid=S; max-age; a=b", "S", "-"},
	{"sid=S; comment=x", "S", "S"},
	{"sid=S; expires=Tue, 14-Nov-2023 22:18:20 GMT; a=b", "S", "S"},
	{"sid=S; expires=Tue, 14 Nov 2023 22:18:20 GMT; flag", "S", "-"},
	{"samesite=Lax; sid=S", "S", "-"},
	{"sid=S; SameSite=Lax", "S", "S"},

	// RFC 2965.
	{"$Version=1; sid=S; $Path=/", "S", "S"},
	{`$Version="1"; sid="S"; $Path="/"; $Domain="x"`, `"S"`, `"S"`},
	{"$Unknown=1; sid=S", "S", "S"},
	{"$Unknown; sid=S; $Path", "S", "S"},
	{"sid=S; $Unknown=1", "-", "-"},
	{"sid=S; $=1", "-", "-"},
	{"$sid=S", "-", "-"},

	// A cookie that the pattern cannot read ends the walk.
	{"a=b;; sid=S", "-", "-"},
	{"sid=S;; a=b", "S", "S"},
	{"a[1]=2; sid=S", "-", "-"},
	{"sid=S; a[1]=2", "S", "S"},
	{`a"b=1; sid=S`, "-", "-"},
	{"a=caf\xc3\xa9; sid=S", "-", "-"},
	{"\xc3\xa9=1; sid=S", "-", "-"},
	{"sid=S; a=caf\xc3\xa9; sid=T", "S", "S"},
	{`a="caf` + "\xc3\xa9" + `"; sid=S`, "S", "S"},
	{`a={"x":1}; sid=S`, "-", "-"},
	{`sid=S; a={"x":1}`, "S", "S"},
	{`a="bc; sid=S`, "-", "-"},
	{`a=b\c; sid=S`, "-", "-"},
	{"a=b\x01c; sid=S", "-", "-"},
	{`a="b` + "\\\n" + `"; sid=S`, "-", "-"},
	{`a="b` + "\n" + `"; sid=S`, "S", "S"},
	{`a="b"c; sid=S`, "-", "-"},
	{`sid= "b"c`, "", ""},
	{`sid= [`, "[", "["},
	{`sid [`, "-", "-"},

	// Names that the pattern reads and http.cookies refuses are passed over.
	{"a@b=1; sid=S", "S", "S"},
	{"a/b=1; sid=S; c(d=1", "S", "S"},
	{"a{b}=1; a<b=1; a?b=1; a,b=1; sid=S", "S", "S"},
	{"a:b=1; sid=S", "S", "S"},
	{"a=b[]{}@:~|; sid=S", "S", "S"},

	// What the backtracking makes of "=" and blanks.
	{"==sid=S", "-", "-"},
	{"a==; sid=S", "S", "S"},
	{"sid==", "=", "="},
	{`a=="x"; sid=S`, "S", "S"},
	{`sid=="x"`, "-", "-"},
	{"sid= ; a=b", "", ""},
	{"sid=  é", "", ""},
	{"sid =é", "-", "-"},
	{"sid=Tue, 14-Nov-2023 22:18:20 GMT", "Tue, 14-Nov-2023 22:18:20 GMT", "Tue, 14-Nov-2023 22:18:20 GMT"},
	{"sid=Tue, 14-Nov-23 22:18:20 GMT; a=b", "Tue, 14-Nov-23 22:18:20 GMT", "Tue, 14-Nov-23 22:18:20 GMT"},
	{"sid=Tue, 4-Nov-2023 22:18:20 GMT", "Tue, 4-Nov-2023 22:18:20 GMT", "Tue, 4-Nov-2023 22:18:20 GMT"},
	{"sid=Tue, 14-Nov-2023 22:18:20 GMTx", "Tue,", "-"},
	{"sid=Tue, 14-Nov-2023 22:18:20 UTC", "Tue,", "-"},
	{"sid=Tue; 14-Nov-2023 22:18:20 GMT", "Tue", "-"},
}

func requireFound(t *testing.T, want, coded string, ok bool, header string) {
	t.Helper()
	if !ok {
		coded = "-"
	}
	require.Equal(t, want, coded, "%q", header)
}

func TestFind(t *testing.T) {
	for _, c := range walkCases {
		coded, ok := CookieWalk{Dialect: Python2}.Find(c.header, "sid")
		requireFound(t, c.python2, coded, ok, c.header)
		coded, ok = CookieWalk{Dialect: Python3}.Find(c.header, "sid")
		requireFound(t, c.python3, coded, ok, c.header)
	}
}

func TestFindOptions(t *testing.T) {
	strict2 := CookieWalk{Dialect: Python2, StrictNames: true}
	strict3 := CookieWalk{StrictNames: true}
	plain := CookieWalk{PlainSameSite: true}
	partitioned := CookieWalk{Partitioned: true}
	for _, c := range []struct {
		walk         CookieWalk
		header, want string
	}{
		{strict3, "a@b=1; sid=S", "-"},
		{strict3, "sid=S; a@b=1", "-"},
		{strict3, "a:b=1; sid=S", "S"},
		{strict2, "a:b=1; sid=S", "-"},
		{strict2, "a@b; sid=S", "S"}, // without a value it is not a cookie
		{plain, "samesite=Lax; sid=S", "S"},
		{plain, "sid=S; samesite", "-"},
		{plain, "sid=S; $SameSite=1", "-"},
		{partitioned, "Partitioned=1; sid=S", "-"},
		{partitioned, "sid=S; Partitioned", "S"},
		{partitioned, "sid=S; $partitioned", "S"},
		{CookieWalk{}, "Partitioned=1; sid=S", "S"},
		{CookieWalk{}, "sid=S; Partitioned", "-"},
		{CookieWalk{}, "sid=S; $partitioned", "-"},
	} {
		coded, ok := c.walk.Find(c.header, "sid")
		requireFound(t, c.want, coded, ok, c.header)
	}

	_, ok := CookieWalk{Dialect: Python2}.Find("a:b=S", "a:b")
	require.False(t, ok)
	coded, ok := CookieWalk{}.Find("a:b=S", "a:b")
	requireFound(t, "S", coded, ok, "a:b=S")
	coded, ok = plain.Find("samesite=S", "samesite")
	requireFound(t, "S", coded, ok, "samesite=S")
}

func TestFindLenient(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"sid=S; flag", "S"},
		{"a=b c; sid=S1; sid=S2 ", "S2"},
		{"a={\"x\":1};sid = \"S\"", `"S"`},
		{"path=/; sid=a=b", "a=b"},
		{"SID=S; flag", "-"},
		{"sid", "-"},
		{"sid=S1; \xff; sid=S2", "S1"}, // Python finds one, and so it is that one
	} {
		coded, ok := CookieWalk{Lenient: true}.Find(c.header, "sid")
		requireFound(t, c.want, coded, ok, c.header)
	}
}

func TestFindImpossibleNames(t *testing.T) {
	for _, name := range []string{"", "path", "SameSite", "$sid", "a b", "a=b", "é", "a@b"} {
		require.False(t, ValidCookieName(name), name)
		for _, w := range []CookieWalk{{}, {Lenient: true}, {Dialect: Python2}} {
			_, ok := w.Find(name+"=S", name)
			require.False(t, ok, name)
		}
	}
	for _, name := range []string{"sid", "beaker.session.id", "a:b", "my_app", "!#%&'*+-.^_`|~", "a$"} {
		require.True(t, ValidCookieName(name), name)
	}
}

// Headers on which a backtracking matcher is quadratic or worse: they end.
func TestFindIsLinear(t *testing.T) {
	const n = 1 << 18
	for _, part := range []string{"=", "a=", "a", " ", "\" ", `a="`, `\"`, "a=b ", "a=b; ", "=[", "= ", "Tue, ", "$;", "a= \" "} {
		body := strings.Repeat(part, n/len(part))
		for _, header := range []string{body, "a" + body + "\"", "a=\"" + body, "a=" + body + "\x00"} {
			for _, w := range []CookieWalk{{}, {Dialect: Python2}, {Lenient: true}} {
				w.Find(header, "sid")
			}
		}
		Unquote(`"` + body + `"`)
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() {
		CookieWalk{}.Find(typicalHeader, "beaker.session.id")
	}))
}

func TestJoinCookieHeaders(t *testing.T) {
	require.Equal(t, "", JoinCookieHeaders(nil))
	require.Equal(t, "a=b", JoinCookieHeaders([]string{"a=b"}))
	require.Equal(t, "a=b; c=d; e=f", JoinCookieHeaders([]string{"a=b; c=d", "e=f"}))
}

func TestUnquote(t *testing.T) {
	for _, c := range []struct{ coded, want string }{
		{``, ``}, {`"`, `"`}, {`""`, ``}, {`abc`, `abc`}, {`"abc"`, `abc`}, {`"abc`, `"abc`}, {`abc"`, `abc"`},
		{`"a\"b"`, `a"b`}, {`"a\\b"`, `a\b`}, {`"\x"`, `x`}, {`"a\141bc"`, `aabc`}, {`"a\057..\057b"`, `a/../b`},
		{`"\012"`, "\n"}, {`"\377"`, "\xff"}, {`"\400"`, `400`}, {`"\18"`, `18`}, {`"\1"`, `1`},
		{`"abc\"`, `abc\`}, {`"\\\141"`, `\a`}, {"\"a\\\nb\"", "a\\\nb"}, {`a\141`, `a\141`}, {`"""`, `"`},
	} {
		require.Equal(t, c.want, Unquote(c.coded), "%q", c.coded)
	}
}

const typicalHeader = "_ga=GA1.2.1203123142.1699999999; theme=dark; csrftoken=Zk3vX0pTtq9A; " +
	"beaker.session.id=" + exampleSigned + "; lang=en-GB"

func BenchmarkFind(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := (CookieWalk{}).Find(typicalHeader, "beaker.session.id"); !ok {
			b.Fatal("not found")
		}
	}
}
