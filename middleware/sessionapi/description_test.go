package sessionapi

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// What is described is what there is.
func TestDescription(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background()))
	served := (&api{}).routes()
	require.Len(t, doc.Paths.Map(), len(served))
	for path, item := range doc.Paths.Map() {
		require.Len(t, item.Operations(), len(served[path]), path)
		for method, described := range item.Operations() {
			op, ok := served[path][method]
			require.True(t, ok, "%s %s", method, path)
			has := func(name string) bool { return described.Parameters.GetByInAndName("header", name) != nil }
			require.Equal(t, op.once, has("Idempotency-Key"), path)
			require.Equal(t, op.public, described.Security != nil, path)
			if op.body == "" {
				require.Nil(t, described.RequestBody, path)
			} else {
				require.NotNil(t, described.RequestBody.Value.Content[op.body], path)
			}
		}
	}
}

// kinds are all types of problems, as problem.go has them.
func kinds(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("problem.go")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`= kind\{"([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		names = append(names, m[1])
	}
	require.Greater(t, len(names), 20)
	return names
}

// Each type of problem is described, and its address leads to a paragraph of the page.
func TestProblemsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/session-api.md")
	require.NoError(t, err)
	for _, name := range kinds(t) {
		require.Contains(t, string(page), `<a id="`+name+`"></a>`)
		if !slices.Contains([]string{"not-found", "method-not-allowed"}, name) {
			require.Regexp(t, `[( ]`+name+`[,)]`, string(description))
		}
	}
}

// A request that is under way keeps its key, and nothing is remembered without a bound.
func TestAnswersAreBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := NewAnswers(func() time.Time { return now })
	kept, err := s.begin(sum{1}, sum{2})
	require.NoError(t, err)
	require.Nil(t, kept)
	_, err = s.begin(sum{1}, sum{2})
	require.Equal(t, inProgress.name, problemOf(err).Type[len(problemBase):])
	_, err = s.begin(sum{1}, sum{3})
	require.Equal(t, keyReused.name, problemOf(err).Type[len(problemBase):])
	s.end(sum{1}, sum{2}, nil)
	_, err = s.begin(sum{1}, sum{3})
	require.NoError(t, err)
	s.end(sum{1}, sum{3}, &answer{status: 200, body: []byte("x")})
	kept, err = s.begin(sum{1}, sum{3})
	require.NoError(t, err)
	require.Equal(t, "x", string(kept.body))

	body := make([]byte, 1<<20)
	for i := range 100 {
		about := digest(string(rune(i)))
		_, err := s.begin(about, sum{})
		require.NoError(t, err)
		s.end(about, sum{}, &answer{body: body})
		require.LessOrEqual(t, s.bytes, keepBytes)
	}
	require.LessOrEqual(t, s.done.Len(), 32)
	for i := range keepMost + 100 {
		about := digest("small", strings.Repeat("x", i%9), string(rune(i)))
		_, _ = s.begin(about, sum{})
		s.end(about, sum{}, &answer{})
	}
	require.LessOrEqual(t, s.done.Len(), keepMost)
	require.Empty(t, s.busy)
	s.done.Purge()
	require.Zero(t, s.bytes)
}

// Tokens are compared by digests and without a branch.
func TestTokensAreComparedInConstantTime(t *testing.T) {
	source, err := os.ReadFile("guard.go")
	require.NoError(t, err)
	require.Contains(t, string(source), "known |= subtle.ConstantTimeCompare(digest[:], a.tokens[i][:])")
}
