package facts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIdentity: two names of one thing are equal, also where it does not exist yet.
func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	require.NoError(t, os.MkdirAll(filepath.Join(here, "data"), 0o700))
	require.NoError(t, os.Symlink(here, there))
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{here, there, true},
		{here + "/data", there + "/data", true},
		{here + "/data", here + "/./data/", true},
		{here + "/data/container_file", there + "/data/container_file", true}, // nobody made it
		{here + "/data/container_file", there + "/data/container_dbm", false},
		{here, here + "/data", false},
		{here + "/no/where", there + "/no/where", true},
	} {
		require.Equal(t, test.same, Identity(test.a) == Identity(test.b), "%s and %s", test.a, test.b)
	}
}
