package sessionvalue

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParsePath(t *testing.T) {
	for text, want := range map[string][]string{
		"user_id":    {"user_id"},
		"user.email": {"user", "email"},
		"groups.0":   {"groups", "0"},
		`repoze\.who.user`: {
			"repoze.who", "user"},
		`a\\.b`:                 {`a\`, "b"},
		`a\\\.b`:                {`a\.b`},
		"größe":                 {"größe"},
		"user id.first name":    {"user id", "first name"},
		"user._id":              {"user", "_id"},
		strings.Repeat("a", 32): {strings.Repeat("a", 32)},
	} {
		p, err := ParsePath(text)
		require.NoError(t, err, text)
		require.Equal(t, want, p.segments)
		again, err := ParsePath(p.String())
		require.NoError(t, err)
		require.True(t, p.Equal(again))
	}
	for _, text := range []string{
		"", ".", "a.", ".a", "a..b", `a\`, `a\b`, "a\nb", "a\x00", "a\xff", "_id", "_id.a", `\`,
		strings.Repeat("a", maxPath+1), strings.Repeat("a.", maxSegments) + "a",
	} {
		_, err := ParsePath(text)
		require.Error(t, err, "%q", text)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"user.email", `a\.b`, `\\`, "..", "_id", "groups.0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		require.NotEmpty(t, p.segments)
		require.NotContains(t, p.segments, "")
		require.LessOrEqual(t, len(p.segments), maxSegments)
		require.NotEqual(t, secretKey, p.segments[0])
		require.Equal(t, text, p.String(), "there is one writing of a path")
	})
}
