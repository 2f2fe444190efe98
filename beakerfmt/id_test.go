package beakerfmt

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestDefaultIDRule(t *testing.T) {
	var rule IDRule
	for _, id := range []string{
		"882e0dabc11b4d21a6c3efed0c975557", "4e987548c72f64bcf727f2470921ec08",
		"AbC-_z0123456789AbC-_z01234", "a", strings.Repeat("x", 128),
	} {
		require.True(t, rule.Valid(id), id)
	}
	for _, id := range []string{
		"", ".", "..", "../../../etc/passwd", "a/b/c", "/abs/olute", "a b", "a.b", "a\x00b", "é",
		"a\n", "\"a\"", strings.Repeat("x", 129),
	} {
		require.False(t, rule.Valid(id), id)
	}
}

func TestNewIDRule(t *testing.T) {
	for _, c := range []struct {
		pattern string
		valid   []string
		invalid []string
	}{
		{`[a-z]+`, []string{"abc"}, []string{"abc1", "1abc", "abc\n", ""}},
		{`(?i)user:[0-9]+@host|x`, []string{"user:1@host", "USER:1@HOST", "x"}, []string{"xx", "user:1@hostx"}},
		{`a|ab`, []string{"a", "ab"}, []string{"abb"}},
		{
			`(?s).*`,
			[]string{"a", "a b", "...", "a.b", strings.Repeat("x", 249)},
			[]string{
				"", ".", "..", "a/b", "/", "a\x00", "a\r\n", "\t", "\x7f", "é", "\xff",
				strings.Repeat("x", 250),
			},
		},
	} {
		rule, err := NewIDRule(c.pattern)
		require.NoError(t, err)
		for _, id := range c.valid {
			require.True(t, rule.Valid(id), "%s admits %q", c.pattern, id)
		}
		for _, id := range c.invalid {
			require.False(t, rule.Valid(id), "%s refuses %q", c.pattern, id)
		}
	}
}

func TestNewIDRuleRefuses(t *testing.T) {
	for _, pattern := range []string{
		`[`, `a)|(b`, `(?<=x)y`, `\1`,
		strings.Repeat("(", 999) + strings.Repeat(")", 999), // as deep as it may be, and one group more
	} {
		_, err := NewIDRule(pattern)
		require.ErrorContains(t, err, "beakerfmt: session id pattern: ", "%.20s", pattern)
	}
}

func TestNewID(t *testing.T) {
	for _, c := range []struct {
		random byte
		want   string
	}{
		{0x00, "00000000000040008000000000000000"},
		{0xff, "ffffffffffff4fffbfffffffffffffff"},
	} {
		id, err := NewID(bytes.NewReader(bytes.Repeat([]byte{c.random}, 16)))
		require.NoError(t, err)
		require.Equal(t, c.want, id)
		require.True(t, IDRule{}.Valid(id))
	}

	broken := errors.New("no randomness")
	_, err := NewID(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
	_, err = NewID(strings.NewReader("short"))
	require.Error(t, err)
}

func TestHashID(t *testing.T) {
	require.Equal(t, "ba7816bf8f01", HashID("abc"))
	require.NotContains(t, HashID(exampleID), exampleID[:6])
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ id, data, lock string }{
		{
			"1e4c684fb206494191440c2cc28cbc22",
			"1/1e/1e4c684fb206494191440c2cc28cbc22.cache",
			"e/ea/ea3d89fda618c8da2f207c9eb5b22c34bc514db8.lock",
		},
		{"a", "a/a/a.cache", "8/86/86f7e437faa5a7fce15d1ddcb9eaeaea377667b8.lock"},
		{"ab", "a/ab/ab.cache", "d/da/da23614e02469a0d7c7bd1bdab5c9c474b1904dc.lock"},
		// What no IDRule admits: a slash never becomes a directory.
		{"../../../etc/passwd", "p/pa/passwd.cache", ""},
		{"a/b/c", "c/c/c.cache", ""},
		{"/abs/olute", "o/ol/olute.cache", ""},
		{"", "//.cache", "d/da/da39a3ee5e6b4b0d3255bfef95601890afd80709.lock"},
	} {
		require.Equal(t, c.data, DataPath(c.id))
		if c.lock != "" {
			require.Equal(t, c.lock, LockPath(c.id))
		}
	}
	require.NotEqual(t, LockPath("x"), LockPath("../x"), "the lock is of the whole id")
}
