package beakerfmt_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

const (
	liveSeed   = 20231114
	liveSecret = "sekrit"
)

// liveHeaders is how many headers the first and the last of the Pythons are
// asked about. The others, and variants, get a part of them.
func liveHeaders() int {
	if testing.Short() {
		return 4_000
	}
	return 100_000
}

// ask puts questions to one run of scripts/cookies/parse.py and returns the
// answers.
func ask[A any](t *testing.T, python, script string, questions []string, args ...string) []A {
	t.Helper()
	var in, stderr bytes.Buffer
	for _, q := range questions {
		in.WriteString(hex.EncodeToString([]byte(q)) + "\n")
	}
	cmd := exec.Command(python, append([]string{script}, args...)...)
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	answers := make([]A, 0, len(questions))
	for line := range bytes.Lines(out) {
		var a A
		require.NoError(t, json.Unmarshal(line, &a))
		answers = append(answers, a)
	}
	require.Len(t, answers, len(questions))
	return answers
}

// Python itself is asked about the same headers, and about the same values to be
// sent. There must not be a single difference, for any name in any header.
func TestCookiesAgainstPython(t *testing.T) {
	pythons := peers.Pythons(t)
	script := peers.Script(t, "cookies/parse.py")
	all := newHeaderMaker(t, liveSeed).many(liveHeaders())
	values := randomValues(2_000)
	for i, py := range pythons {
		t.Run(py.Name(), func(t *testing.T) {
			headers := all
			if i != 0 && i != len(pythons)-1 {
				headers = all[:len(all)/20]
			}
			c := comparison{t: t, exe: py.Exe, script: script, refuses: refusesControls(t, py.Exe, script)}
			walk := beakerfmt.CookieWalk{Partitioned: py.Major == 3 && py.Minor >= 14}
			if py.Major == 2 {
				walk.Dialect = beakerfmt.Python2
			}
			found := c.walk(headers, walk)
			t.Logf("%s, version %s: %d headers of seed %d, %d cookies, refuses control characters: %t",
				py.Exe, version(t, py.Exe), len(headers), liveSeed, found, c.refuses)

			few := headers[len(headers)-len(headers)/10:]
			strict, plain, partitioned := walk, walk, walk
			strict.StrictNames = true
			c.walk(few, strict, "strict")
			if py.Major == 2 || py.Minor < 8 {
				plain.PlainSameSite = true
				c.walk(few, plain, "plain-samesite")
				strict.PlainSameSite = true
				c.walk(few, strict, "strict", "plain-samesite")
			}
			partitioned.Partitioned = true
			c.walk(few, partitioned, "partitioned")
			compareQuoting(t, py.Exe, script, values, walk.Dialect)
		})
	}
}

func version(t *testing.T, python string) string {
	t.Helper()
	out, err := exec.Command(python, "-c", "import platform; print(platform.python_version())").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// refusesControls: the http.cookies of Pythons with the patches of 2026 takes no
// control characters, even quoted ones.
func refusesControls(t *testing.T, python, script string) bool {
	t.Helper()
	return ask[*latin1](t, python, script, []string{"\x01"}, "quote")[0] == nil
}

// hasControls: a header in which such a Python may find less.
func hasControls(header string) bool {
	return strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
}

type comparison struct {
	t           *testing.T
	exe, script string
	refuses     bool
}

// walk compares the walk with a run of the script, and returns how many cookies
// there were.
func (c comparison) walk(headers []string, walk beakerfmt.CookieWalk, args ...string) (cookies int) {
	c.t.Helper()
	some := 0
	for i, want := range ask[jar](c.t, c.exe, c.script, headers, append([]string{"walk"}, args...)...) {
		n := want.require(c.t, walk, headers[i], c.refuses && hasControls(headers[i]))
		cookies += n
		some += min(n, 1)
	}
	require.Greater(c.t, some, len(headers)/5, "too few headers have a cookie for this to be a test")
	require.Less(c.t, some, len(headers)*19/20)
	return cookies
}

// What Beaker itself finds, in the classes in which it looks for its session. It
// differs from http.cookies, and between its versions.
func TestCookiesAgainstBeaker(t *testing.T) {
	headers := newHeaderMaker(t, liveSeed+1).many(500 + liveHeaders()/40)
	script := peers.Script(t, "cookies/parse.py")
	for _, venv := range peers.AllBeakers(t) {
		t.Run(venv.Name, func(t *testing.T) {
			walk := walkOf(t, venv)
			refuses := refusesControls(t, venv.Exe, script)
			cookies, signed := 0, 0
			for i, both := range ask[[2]json.RawMessage](t, venv.Exe, script, headers, "beaker", liveSecret) {
				lessFound := refuses && hasControls(headers[i])
				var simple jar
				require.NoError(t, json.Unmarshal(both[0], &simple))
				cookies += simple.require(t, walk, headers[i], lessFound)
				signed += requireSigned(t, venv, walk, headers[i], both[1], lessFound)
			}
			require.Greater(t, cookies, len(headers))
			require.Greater(t, signed, len(headers)/500)
			t.Logf("Beaker %s, Python %s: %d headers of seed %d, %d cookies, %d signed ones",
				venv.Beaker, venv.Python, len(headers), liveSeed+1, cookies, signed)
		})
	}
}

// walkOf is how that Beaker reads a header.
func walkOf(t *testing.T, venv peers.Venv) beakerfmt.CookieWalk {
	t.Helper()
	minor := func(version string) int {
		n, err := strconv.Atoi(strings.Split(version, ".")[1])
		require.NoError(t, err)
		return n
	}
	walk := beakerfmt.CookieWalk{
		StrictNames:   minor(venv.Beaker) < 8,
		PlainSameSite: minor(venv.Beaker) < 10 && (venv.Python2() || minor(venv.Python) < 8),
		Partitioned:   !venv.Python2() && minor(venv.Python) >= 14,
	}
	if venv.Python2() {
		walk.Dialect = beakerfmt.Python2
	}
	return walk
}

// requireSigned compares with what a session with a secret takes from the header:
// every cookie that is there, and which of them are signed, which it counts.
func requireSigned(t *testing.T, venv peers.Venv, walk beakerfmt.CookieWalk, header string, answer []byte, lessFound bool) (signed int) {
	t.Helper()
	var failure string
	if json.Unmarshal(answer, &failure) == nil {
		// A signature is made of every cookie, and Python 2 cannot encode what is
		// not ASCII: such a request fails in Beaker, whatever else is in it.
		require.True(t, venv.Python2(), "%s: %q", failure, header)
		require.Equal(t, "UnicodeDecodeError", failure, "%q", header)
		return 0
	}
	var cookies map[string][2]*latin1
	require.NoError(t, json.Unmarshal(answer, &cookies))
	for name, pair := range cookies {
		coded, ok := walk.Find(header, name)
		require.True(t, ok, "%q in %q", name, header)
		require.Equal(t, *pair[0], latin1(strings.Trim(coded, `"`)), "%q in %q", name, header)
		payload, _, err := beakerfmt.Verify([][]byte{[]byte(liveSecret)}, coded)
		if pair[1] == nil {
			require.ErrorIs(t, err, beakerfmt.ErrBadSignature, "%q in %q", name, header)
			continue
		}
		require.NoError(t, err, "%q in %q", name, header)
		require.Equal(t, *pair[1], latin1(payload), "%q in %q", name, header)
		signed++
	}
	for _, name := range namesIn(header) {
		if _, ok := walk.Find(header, name); ok && !lessFound {
			require.Contains(t, cookies, name, "%q", header)
		}
	}
	return signed
}

func compareQuoting(t *testing.T, python, script string, values []string, dialect beakerfmt.Dialect) {
	t.Helper()
	compared := 0
	for i, want := range ask[*latin1](t, python, script, values, "quote") {
		if want == nil {
			continue
		}
		c := beakerfmt.SetCookie{Name: "sid", Value: values[i], Unsigned: true, Path: "/", Secure: true, HTTPOnly: true}
		require.Equal(t, string(*want), string(c.Append(nil, dialect)), "%q", values[i])
		compared++
	}
	require.Greater(t, compared, len(values)/10)
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
	return slices.Compact(out)
}
