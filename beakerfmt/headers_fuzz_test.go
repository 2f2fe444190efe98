package beakerfmt

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The pattern itself, for Go's regexp, which finds what Python's would. Its \s
// has no \v and its $ does not match before a last line feed; neither makes a
// difference in the pattern as it is spelled here.
const (
	patternSpace = `[ \t\n\v\f\r]`
	patternName  = `[\w!#%&'~_` + "`" + `><@,:/$*+\-.^|)(?}{=]`
	patternValue = `[\w!#%&'~_` + "`" + `><@,:/$*+\-.^|)(?}{=\[\]]`
)

var patternCookie = regexp.MustCompile(`^` + strings.NewReplacer(`\s`, patternSpace, `NAME`, patternName, `VALUE`, patternValue).Replace(
	`\s*(NAME+?)(\s*=\s*("(?:[^\\"]|\\.)*"|\w{3},\s(?:[\w\-]|\s){9,11}\s[\d:]{8}\sGMT|VALUE*))?\s*(?:\s+|;|$)`))

// matchPattern is matchCookie by the regular expression.
func matchPattern(s string, pos int) (cookieMatch, bool) {
	m := patternCookie.FindStringSubmatchIndex(s[pos:])
	if m == nil {
		return cookieMatch{}, false
	}
	out := cookieMatch{name: s[pos+m[2] : pos+m[3]], end: pos + m[1]}
	if m[6] >= 0 {
		out.value, out.hasValue = s[pos+m[6]:pos+m[7]], true
	}
	return out, true
}

// reading is what the walk makes of a header, told the other way round: the
// pattern cuts it up, and then all cookies are collected, as http.cookies does.
type reading struct {
	jar      map[string]string
	complete bool // it was read to its end, without an error
}

var legalNames = map[Dialect]*regexp.Regexp{
	Python2: regexp.MustCompile("^[\\w!#$%&'*+.^`|~-]+$"),
	Python3: regexp.MustCompile("^[\\w!#$%&'*+.^`|~:-]+$"),
}

func (w CookieWalk) reference(header string) reading {
	flags := []string{"secure", "httponly"}
	words := []string{"path", "domain", "expires", "max-age", "version", "comment"}
	if !w.PlainSameSite {
		words = append(words, "samesite")
	}
	if w.Partitioned {
		flags = append(flags, "partitioned")
	}
	words = append(words, flags...)
	is := func(name string, words []string) bool { return slices.Contains(words, strings.ToLower(name)) }

	out := reading{jar: map[string]string{}}
	failed := reading{}
	morsel := false
	for pos := 0; pos < len(header); {
		m, ok := matchPattern(header, pos)
		if !ok {
			return out
		}
		pos = m.end
		if word, dollar := strings.CutPrefix(m.name, "$"); dollar {
			if morsel && !is(word, words) {
				return failed
			}
			continue
		}
		attribute := is(m.name, words)
		if w.Dialect == Python3 && (attribute && !morsel || !m.hasValue && !(attribute && is(m.name, flags))) {
			return failed
		}
		if attribute || !m.hasValue {
			continue
		}
		morsel = true
		switch {
		case legalNames[w.Dialect].MatchString(m.name):
			out.jar[m.name] = m.value
		case w.StrictNames:
			return failed
		}
	}
	out.complete = true
	return out
}

var allWalks = func() (walks []CookieWalk) {
	for _, d := range []Dialect{Python2, Python3} {
		for bits := range 8 {
			walks = append(walks, CookieWalk{Dialect: d, StrictNames: bits&1 > 0, PlainSameSite: bits&2 > 0, Partitioned: bits&4 > 0})
		}
	}
	return walks
}()

func FuzzFindCookie(f *testing.F) {
	data, err := os.ReadFile("../testdata/cookies/headers.txt")
	require.NoError(f, err)
	headers := append(strings.Split(string(data), "\n"), typicalHeader)
	for _, c := range walkCases {
		headers = append(headers, c.header)
	}
	for i, header := range headers {
		f.Add(header, "sid", uint8(i))
	}
	f.Fuzz(func(t *testing.T, header, name string, variant uint8) {
		requireSameMatches(t, header)
		w := allWalks[int(variant)%len(allWalks)]
		want := w.reference(header)
		for known, value := range want.jar {
			coded, ok := w.Find(header, known)
			require.True(t, ok, "%q by %+v in %q", known, w, header)
			require.Equal(t, value, coded, "%q by %+v in %q", known, w, header)
			again, ok := w.Find(known+"="+coded, known)
			require.True(t, ok, "%q alone", coded)
			require.Equal(t, coded, again, "alone")
			require.LessOrEqual(t, len(Unquote(coded)), len(coded))
			requireSubset(t, w, header, known)
		}
		coded, ok := w.Find(header, name)
		if _, known := want.jar[name]; known != ok {
			require.Fail(t, "only one of the two finds it", "%q (%q) by %+v in %q", name, coded, w, header)
		}
		requireLast(t, w, header, want.complete)
	})
}

// requireSameMatches: the matcher is the pattern, at every place where the walk
// comes.
func requireSameMatches(t *testing.T, header string) {
	t.Helper()
	for pos := 0; pos < len(header); {
		want, wantOK := matchPattern(header, pos)
		got, ok := matchCookie(header, pos)
		require.Equal(t, wantOK, ok, "%q at %d", header, pos)
		if !ok {
			return
		}
		require.Equal(t, want, got, "%q at %d", header, pos)
		require.Greater(t, got.end, pos)
		pos = got.end
	}
}

// requireSubset: who is stricter finds less, but never anything else.
func requireSubset(t *testing.T, w CookieWalk, header, name string) {
	t.Helper()
	coded, ok := w.Find(header, name)
	if !ok {
		return
	}
	require.Contains(t, header, coded)
	milder := w
	milder.StrictNames = false
	walks := []CookieWalk{milder}
	if w.Dialect == Python3 && !strings.Contains(name, ":") && !w.StrictNames {
		milder.Dialect = Python2
		walks = append(walks, milder)
	}
	w.Lenient = true
	for _, w := range append(walks, w) {
		same, ok := w.Find(header, name)
		require.True(t, ok, "%+v", w)
		require.Equal(t, coded, same, "%+v", w)
	}
}

// requireLast: after a header that was read to its end there may come another
// cookie, which is the one that counts.
func requireLast(t *testing.T, w CookieWalk, header string, complete bool) {
	t.Helper()
	if !complete {
		return
	}
	separator := "; "
	if header == "" || strings.HasSuffix(header, ";") {
		separator = " "
	}
	coded, ok := w.Find(header+separator+`sid="the \"last\""`, "sid")
	require.True(t, ok, "%+v: %q", w, header)
	require.Equal(t, `the "last"`, Unquote(coded))
}
