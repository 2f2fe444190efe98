package beakerfmt_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

var update = flag.Bool("update", false, "ask the Pythons of this machine anew and write testdata/cookies/answers.jsonl")

const (
	realHeaders = "../testdata/cookies/headers.txt"
	answersFile = "../testdata/cookies/answers.jsonl"

	fixtureSeed    = 20260101
	fixtureHeaders = 2_000
	fixtureLength  = 240 // longer headers are for the live test
)

// latin1 is bytes that JSON holds as the characters of these numbers.
type latin1 string

func (l latin1) MarshalText() ([]byte, error) {
	runes := make([]rune, len(l))
	for i := range len(l) {
		runes[i] = rune(l[i])
	}
	return []byte(string(runes)), nil
}

func (l *latin1) UnmarshalText(text []byte) error {
	b := make([]byte, 0, len(text))
	for _, r := range string(text) {
		b = append(b, byte(r))
	}
	*l = latin1(b)
	return nil
}

// jar is the cookies that Python finds in a header: by name the value as it
// stands there and, unless it is the same, without its quoting.
type jar map[latin1][]latin1

// shorten leaves out what is there already.
func (j jar) shorten() jar {
	for name, pair := range j {
		if len(pair) == 2 && pair[0] == pair[1] {
			j[name] = pair[:1]
		}
	}
	return j
}

// require compares the walk with what Python found, for every name that is in
// the header, and returns how many cookies there are. If Python refuses control
// characters, the walk may find more.
func (j jar) require(t *testing.T, walk beakerfmt.CookieWalk, header string, refuses bool) int {
	t.Helper()
	for name, pair := range j {
		coded, ok := walk.Find(header, string(name))
		if !ok || latin1(coded) != pair[0] || latin1(beakerfmt.Unquote(coded)) != pair[len(pair)-1] {
			require.Fail(t, "Python finds another value", "%+v finds %q (%t) as %q, and not %q, in %q", walk, coded, ok, name, pair, header)
		}
	}
	for _, name := range namesIn(header) {
		if coded, ok := walk.Find(header, name); ok && j[latin1(name)] == nil && !refuses {
			require.Fail(t, "Python finds none", "%+v finds %q as %q in %q", walk, coded, name, header)
		}
	}
	return len(j)
}

// namesIn returns everything in the header that could be the name of a cookie,
// with and without colons.
func namesIn(header string) []string {
	const token = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
	return append(
		strings.FieldsFunc(header, func(r rune) bool { return !strings.ContainsRune(token, r) }),
		strings.FieldsFunc(header, func(r rune) bool { return !strings.ContainsRune(token+":", r) })...)
}

// answers is a line of the fixture; Python3 is left out if it is the same.
type answers struct {
	Header  latin1 `json:"header"`
	Python2 jar    `json:"py2"`
	Python3 *jar   `json:"py3,omitempty"`
}

// What Python 2.7 and 3 found, for machines without them. The file is made by
//
//	go test ./beakerfmt -run TestCookieAnswers -update
func TestCookieAnswers(t *testing.T) {
	if *update {
		writeAnswers(t)
	}
	data, err := os.ReadFile(answersFile)
	require.NoError(t, err)
	headers, cookies, different := 0, 0, 0
	for line := range bytes.Lines(data) {
		var a answers
		require.NoError(t, json.Unmarshal(line, &a))
		python3 := a.Python2
		if a.Python3 != nil {
			python3 = *a.Python3
			different++
		}
		cookies += a.Python2.require(t, beakerfmt.CookieWalk{Dialect: beakerfmt.Python2}, string(a.Header), false)
		cookies += python3.require(t, beakerfmt.CookieWalk{}, string(a.Header), false)
		headers++
	}
	require.Equal(t, fixtureHeaders, headers)
	require.Greater(t, cookies, 2*headers)
	require.Greater(t, different, headers/20, "too few headers on which the Pythons differ")
}

func writeAnswers(t *testing.T) {
	pythons := peers.Pythons(t)
	oldest, newest := pythons[0], pythons[len(pythons)-1]
	require.Equal(t, 2, oldest.Major, "Python 2.7 is needed")
	require.Equal(t, 3, newest.Major, "Python 3 is needed")
	script := peers.Script(t, "cookies/parse.py")
	require.False(t, refusesControls(t, newest.Exe, script), "take a Python without the patch for control characters")
	m := newHeaderMaker(t, fixtureSeed)
	var headers []string
	for len(headers) < fixtureHeaders {
		if h := m.header(); len(h) <= fixtureLength {
			headers = append(headers, h)
		}
	}
	python2 := ask[jar](t, oldest.Exe, script, headers, "walk")
	python3 := ask[jar](t, newest.Exe, script, headers, "walk")
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i, h := range headers {
		a := answers{latin1(h), python2[i].shorten(), nil}
		if other := python3[i].shorten(); !jarsEqual(other, a.Python2) {
			a.Python3 = &other
		}
		require.NoError(t, enc.Encode(a))
	}
	require.NoError(t, os.WriteFile(answersFile, out.Bytes(), 0o644))
}

func jarsEqual(a, b jar) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// What browsers should not send, and what lies at the edges of the pattern.
var (
	headerParts = []string{
		"sid=S1", "sid=S2", "sid", "sid=", `sid="S"`, `sid="a\141\"b"`, `sid=""`, "sid = S", "sid==", `sid=="S"`, `sid= "S"x`,
		"a=b", "a", "a=", "=a", "=", "a=b=c", "a b=c", `a="b c; d"`, `a="b`, `a=b"`, `a={"x":1}`, "a[0]=1", "a=[1]", `a=b\c`,
		"a@b=1", "a:b=1", "a/b", "a,b=c", "(x)=y", "caf\xc3\xa9=1", "a=caf\xe9", "a=\"caf\xc3\xa9\"", "a=\"caf\xe9\"",
		"path=/", "PATH", "domain=x", "expires=Tue, 14-Nov-2023 22:18:20 GMT", "expires=Tue, 4 Nov 2023 22:18:20 GMT",
		"Expires=Tue, 14-Nov-23 22:18:20 GMT", "expires=never", "max-age=1", "secure", "HttpOnly", "secure=1", "httponly=",
		"version=1", "comment=x", "samesite=Lax", "SameSite", "partitioned", "Partitioned=1", `path="/a\057b"`, `comment="\001"`,
		"$Version=1", "$Path=/", "$Unknown=1", "$", "$=", "$sid=S", "$SameSite=Lax", "$secure", "$partitioned",
		"sid=Tue, 14-Nov-2023 22:18:20 GMT", "sid=Tue, 14_Nov 2023\t22:18:20 GMT", "sid=Tue,\v4-Nov-2023\f22:18:20\vGMT",
		`sid="\000\177\377\400\8"`, `sid="a\;b"`, `sid="\\"`, `sid="\"`, "sid=\"a\nb\"", "sid=\"\\\n\"", "sid=\"\x01\"", "sid=\x01",
	}
	separators = []string{"; ", "; ", "; ", "; ", ";", ";;", ", ", ",", " ", "\t", ";\r\n ", " ; ", "", "\v", "\f;"}
	edges      = " \t\n\v\f\r;=\"\\,:$sid[]{}@/\x00\x01\x1c\x7f\x80\x85\xa0\xb5\xff-09aGMT_'"
	inserts    = []string{
		`\141`, `\"`, `\\`, `\400`, `\;`, "\xc3\xa9", "\xe2\x82\xac", "\xc3", "\xed\xa0\x80", "; ", "==", `""`, " = ", "$", "; path=/", "; Secure", "; max-age", "sid=",
	}
	attributes = []string{
		"path", "domain", "expires", "max-age", "secure", "httponly", "version", "comment", "samesite", "partitioned", "priority",
	}
)

// headerMaker makes headers of real ones: the same ones from the same seed.
type headerMaker struct {
	*rand.Rand
	headers, cookies []string // as found, and the pairs in them
}

func newHeaderMaker(t *testing.T, seed uint64) *headerMaker {
	t.Helper()
	data, err := os.ReadFile(realHeaders)
	require.NoError(t, err)
	m := &headerMaker{Rand: rand.New(rand.NewPCG(seed, seed))}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "# ") {
			m.headers = append(m.headers, line)
			m.cookies = append(m.cookies, strings.Split(line, "; ")...)
		}
	}
	for _, payload := range []string{"d136ad9c54f548d9a31887286abff980", "", "a b", "gAJ9cQE="} {
		signed := "sid=" + string(beakerfmt.AppendSigned(nil, []byte(liveSecret), payload))
		m.cookies = append(m.cookies, signed, strings.Replace(signed, "=", `="`, 1)+`"`)
	}
	require.Greater(t, len(m.cookies), 300)
	return m
}

func (m *headerMaker) many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = m.header()
	}
	return out
}

func (m *headerMaker) header() string {
	var b []byte
	mutations := m.IntN(4)
	switch kind := m.IntN(10_000); {
	case kind < 3_500:
		b = []byte(pick(m, m.headers))
	case kind < 6_500:
		for range 1 + m.IntN(6) {
			b = append(b, pick(m, m.cookies)...)
			b = append(b, pick(m, separators)...)
		}
	case kind < 9_000:
		for range 1 + m.IntN(5) {
			b = append(b, pick(m, headerParts)...)
			b = append(b, pick(m, separators)...)
		}
	case kind < 9_980:
		for range m.IntN(40) {
			b = append(b, edges[m.IntN(len(edges))])
		}
	default:
		return m.huge()
	}
	for range mutations {
		b = m.mutate(b)
	}
	return string(b)
}

// huge is a header with a very long name or value.
func (m *headerMaker) huge() string {
	long := strings.Repeat(pick(m, []string{"n", "x=", "%20", "[", `\"`, " ", ",", "$", "é"}), m.IntN(1_500))
	return pick(m, []string{"", "sid=S; ", "a=\""}) + long + pick(m, []string{"=1", "; sid=T", "\"; sid=T", "=; path=/"})
}

func pick(m *headerMaker, from []string) string { return from[m.IntN(len(from))] }

func (m *headerMaker) mutate(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	at := m.IntN(len(b))
	insert := func(s string) []byte { return append(b[:at:at], append([]byte(s), b[at:]...)...) }
	switch m.IntN(9) {
	case 0:
		b[at] = edges[m.IntN(len(edges))]
	case 1:
		b[at] = byte(m.IntN(256))
	case 2:
		return append(b[:at:at], b[at+1:]...)
	case 3:
		return insert(edges[at%len(edges):][:1])
	case 4:
		return insert(pick(m, inserts))
	case 5: // repeats or cuts a stretch
		return append(b[:at:at], b[m.IntN(len(b)):]...)
	case 6: // a reserved word in any case, as a name
		word := []byte(pick(m, attributes))
		for i := range word {
			if m.IntN(3) == 0 {
				word[i] = bytes.ToUpper(word[i : i+1])[0]
			}
		}
		return append(b, "; "+pick(m, []string{"", "", "$"})+string(word)+pick(m, []string{"", "=", "=1", `="\001"`, "; sid=U"})...)
	case 7: // the same cookie again
		return append(b, "; "+pick(m, strings.Split(string(b), "; "))...)
	default: // a cookie before all others
		return append([]byte(pick(m, append(m.cookies, headerParts...))+pick(m, separators)), b...)
	}
	return b
}
