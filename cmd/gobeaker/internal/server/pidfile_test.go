package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The file goes with the process whose number is in it, and with no other one.
func TestPIDFile(t *testing.T) {
	for name, c := range map[string]struct {
		then  func(pidFile) error // after 41 was written
		text  string
		after bool // it is there when 41 has ended
	}{
		"the process ends":      {func(pidFile) error { return nil }, "41\n", false},
		"another one took over": {func(f pidFile) error { return f.write(42) }, "42\n", true},
		"of the same beginning": {func(f pidFile) error { return f.write(412) }, "412\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := pidFile(filepath.Join(dir, "pid"))
			require.NoError(t, f.write(41))
			require.NoError(t, c.then(f))
			text, err := os.ReadFile(string(f))
			require.NoError(t, err)
			require.Equal(t, c.text, string(text))
			info, err := os.Stat(string(f))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o644), info.Mode().Perm())
			f.remove(41)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Equal(t, c.after, len(left) == 1)
		})
	}
	none := pidFile("")
	require.NoError(t, none.write(41))
	none.remove(41)
	require.ErrorIs(t, pidFile(filepath.Join(t.TempDir(), "nowhere", "pid")).write(41), os.ErrNotExist)
}
