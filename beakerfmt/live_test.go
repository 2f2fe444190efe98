package beakerfmt_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

const liveHeaders = 20_000

// ask puts questions to one run of scripts/cookies/parse.py, all in hex, and
// returns the answers as they are.
func ask(t *testing.T, python, script string, questions []string, args ...string) []string {
	t.Helper()
	var in, stderr bytes.Buffer
	for _, q := range questions {
		in.WriteString(hex.EncodeToString([]byte(q)) + "\n")
	}
	cmd := exec.Command(python, append([]string{script}, args...)...)
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	require.Len(t, answers, len(questions))
	return answers
}

// Python itself is asked about the same headers, and about the same values to be
// sent. There must not be a single difference.
func TestCookiesAgainstPython(t *testing.T) {
	all := randomHeaders(liveHeaders)
	values := randomValues(2_000)
	for _, py := range peers.Pythons(t) {
		t.Run(py.Name(), func(t *testing.T) {
			dialect, headers := beakerfmt.Python3, all
			if py.Major == 2 {
				dialect = beakerfmt.Python2
			}
			script := peers.Script(t, "cookies/parse.py")
			if refusesControls(t, py.Exe, script) {
				t.Log("this Python refuses cookies with control characters: headers with any are left out")
				headers = slices.DeleteFunc(slices.Clone(all), hasControls)
			}
			walk := beakerfmt.CookieWalk{Dialect: dialect}
			compareWalk(t, py.Exe, script, headers, walk)
			few := headers[:len(headers)/4]
			walk.StrictNames = true
			compareWalk(t, py.Exe, script, few, walk, "strict")
			if py.Major == 2 || py.Minor < 8 {
				walk = beakerfmt.CookieWalk{Dialect: dialect, PlainSameSite: true}
				compareWalk(t, py.Exe, script, few, walk, "plain-samesite")
			}
			compareQuoting(t, py.Exe, script, values, dialect)
		})
	}
}

// refusesControls: the newest http.cookies takes no control characters, even
// quoted ones. Beaker passes over such cookies, which are never its own.
func refusesControls(t *testing.T, python, script string) bool {
	t.Helper()
	return ask(t, python, script, []string{"\x01"}, "quote")[0] == "-"
}

func hasControls(header string) bool {
	return strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
}

func compareWalk(t *testing.T, python, script string, headers []string, walk beakerfmt.CookieWalk, args ...string) {
	t.Helper()
	found := 0
	for i, want := range ask(t, python, script, headers, append([]string{"walk", "sid"}, args...)...) {
		got := "-"
		if coded, ok := walk.Find(headers[i], "sid"); ok {
			got = hex.EncodeToString([]byte(coded)) + " " + hex.EncodeToString([]byte(beakerfmt.Unquote(coded)))
			found++
		}
		if want != got {
			require.Equal(t, want, got, "%+v: %q", walk, headers[i])
		}
	}
	require.Greater(t, found, len(headers)/10, "too few headers have a cookie for this to be a test")
	require.Less(t, found, len(headers)*9/10)
}

func compareQuoting(t *testing.T, python, script string, values []string, dialect beakerfmt.Dialect) {
	t.Helper()
	compared := 0
	for i, want := range ask(t, python, script, values, "quote") {
		if want == "-" {
			continue
		}
		c := beakerfmt.SetCookie{Name: "sid", Value: values[i], Unsigned: true, Path: "/", Secure: true, HTTPOnly: true}
		require.Equal(t, want, hex.EncodeToString(c.Append(nil, dialect)), "%q", values[i])
		compared++
	}
	require.Greater(t, compared, len(values)/10)
}

// What headers are put together from: what browsers send, what they should not,
// and what lies at the edges of the pattern.
var (
	headerParts = []string{
		"sid=S1", "sid=S2", "sid", "sid=", `sid="S"`, `sid="a\141\"b"`, `sid=""`, "sid = S", "sid==", `sid=="S"`, `sid= "S"x`,
		"a=b", "a", "a=", "=a", "=", "a=b=c", "a b=c", `a="b c; d"`, `a="b`, `a=b"`, `a={"x":1}`, "a[0]=1", "a=[1]", `a=b\c`,
		"a@b=1", "a:b=1", "a/b", "a,b=c", "(x)=y", "caf\xc3\xa9=1", "a=caf\xe9", "a=\"caf\xc3\xa9\"",
		"path=/", "PATH", "domain=x", "expires=Tue, 14-Nov-2023 22:18:20 GMT", "expires=Tue, 4 Nov 2023 22:18:20 GMT",
		"Expires=Tue, 14-Nov-23 22:18:20 GMT", "expires=never", "max-age=1", "secure", "HttpOnly", "secure=1", "httponly=",
		"version=1", "comment=x", "samesite=Lax", "SameSite",
		"$Version=1", "$Path=/", "$Unknown=1", "$", "$=", "$sid=S",
		"sid=Tue, 14-Nov-2023 22:18:20 GMT", "sid=Tue, 14_Nov 2023\t22:18:20 GMT", "sid=Tue,\v4-Nov-2023\f22:18:20\vGMT",
	}
	separators = []string{"; ", "; ", "; ", "; ", ";", ";;", ", ", ",", " ", "\t", ";\r\n ", " ; ", "", "\v", "\f;"}
	edges      = " \t\n\v\f\r;=\"\\,:$sid[]{}@/\x00\x01\x1c\x7f\x80\x85\xa0\xb5\xff-09aGMT_'"
)

// randomHeaders is the same sequence on every run.
func randomHeaders(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]string, n)
	for i := range out {
		var b []byte
		for range 1 + r.IntN(5) {
			b = append(b, headerParts[r.IntN(len(headerParts))]...)
			b = append(b, separators[r.IntN(len(separators))]...)
		}
		for range max(0, r.IntN(6)-2) {
			b = mutate(r, b)
		}
		out[i] = string(b)
	}
	return out
}

func mutate(r *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	at, edge := r.IntN(len(b)), edges[r.IntN(len(edges))]
	switch r.IntN(4) {
	case 0:
		b[at] = edge
	case 1:
		return append(b[:at], b[at+1:]...)
	case 2:
		return append(b[:at:at], append([]byte{edge}, b[at:]...)...)
	default:
		return append(b[:at:at], b[r.IntN(len(b)):]...)
	}
	return b
}

func randomValues(n int) []string {
	r := rand.New(rand.NewPCG(3, 4))
	out := make([]string, n)
	for i := range out {
		b := make([]byte, r.IntN(6))
		for j := range b {
			b[j] = byte(r.IntN(256))
			if r.IntN(2) == 0 {
				b[j] = "abc019:!*'.-_~|"[r.IntN(15)]
			}
		}
		out[i] = string(b)
	}
	return out
}
