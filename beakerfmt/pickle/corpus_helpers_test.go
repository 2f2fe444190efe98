package pickle_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// corpus reads the pickles in testdata/pickles.
func corpus(t testing.TB) []specimen {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pickles", "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	var out []specimen
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var s struct {
				specimen
				Data string `json:"data"`
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &s))
			s.data, err = base64.StdEncoding.DecodeString(s.Data)
			require.NoError(t, err)
			out = append(out, s.specimen)
		}
	}
	require.Greater(t, len(out), 1000)
	return out
}
