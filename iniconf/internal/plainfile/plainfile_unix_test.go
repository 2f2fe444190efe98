//go:build unix

package plainfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("12345"), 0o600))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(file, link))
	for path, want := range map[string]string{
		file:                        "",
		link:                        "",
		dir:                         "read " + dir + ": is a directory",
		filepath.Join(dir, "none"):  "open " + dir + "/none: no such file or directory",
		filepath.Join(file, "none"): "open " + file + "/none: not a directory",
		os.DevNull:                  "read /dev/null: it is not a regular file",
	} {
		data, err := Read(path, 5)
		if want == "" {
			require.NoError(t, err, path)
			require.Equal(t, "12345", string(data))
			continue
		}
		require.EqualError(t, err, want)
		var with *fs.PathError
		require.ErrorAs(t, err, &with)
	}
	_, err := Read(file, 4)
	require.ErrorAs(t, err, &TooLarge{})
	require.EqualError(t, err, "larger than 4 bytes")
}
