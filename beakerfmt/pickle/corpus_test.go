package pickle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// TestForeignCorpus encodes every pickle of a directory again, at its own
// protocol and at 2, and leaves the results in a directory beside it, for the
// Python that wrote them to judge. It runs when asked for:
//
//	GOBEAKER_PICKLE_CORPUS=dir GOBEAKER_PICKLE_OUT=out go test -run ForeignCorpus
//
// It writes out/own and out/p2.
func TestForeignCorpus(t *testing.T) {
	dir, out := os.Getenv("GOBEAKER_PICKLE_CORPUS"), os.Getenv("GOBEAKER_PICKLE_OUT")
	if dir == "" || out == "" {
		t.Skip("GOBEAKER_PICKLE_CORPUS and GOBEAKER_PICKLE_OUT are not set")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.pkl"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	require.NoError(t, os.MkdirAll(filepath.Join(out, "own"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(out, "p2"), 0o755))
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		info, err := pickle.Inspect(data, pickle.Limits{})
		require.NoError(t, err, file)
		v, err := pickle.Decode(data, pickle.Limits{})
		require.NoError(t, err, file)
		for name, proto := range map[string]int{"own": info.Protocol, "p2": 2} {
			again, err := pickle.Append(nil, v, proto)
			require.NoError(t, err, file)
			require.NoError(t, os.WriteFile(filepath.Join(out, name, filepath.Base(file)), again, 0o644))
		}
	}
	t.Logf("%d pickles", len(files))
}

// TestCorpus writes each committed pickle again in every protocol and reads the
// result: it must be the same value. What CPython 3.13 wrote of plain types
// must come out byte for byte.
func TestCorpus(t *testing.T) {
	for _, s := range corpus(t) {
		v, err := pickle.Decode(s.data, pickle.Limits{})
		require.NoError(t, err, "%s %s", s.Python, s.File)
		info, err := pickle.Inspect(s.data, pickle.Limits{})
		require.NoError(t, err)
		require.Equal(t, len(s.data), info.Length)
		if s.Protocol >= 2 {
			require.Equal(t, s.Protocol, info.Protocol)
		}
		require.True(t, pyvalue.Same(v, v))
		for proto := range 6 {
			roundTrip(t, v, proto)
			if s.plain() && proto == s.Protocol && strings.HasPrefix(s.Python, "3.13.") {
				out, err := pickle.Append(nil, v, proto)
				require.NoError(t, err)
				require.Equal(t, s.data, out, s.File)
			}
		}
	}
}
