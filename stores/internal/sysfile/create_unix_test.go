//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sysfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// someone is a user and group that nobody here is.
const someone = 54321

// TestOwner: what root makes belongs to the owner of the directory that it is in.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o770))
	require.NoError(t, os.Chown(root, someone, someone+1))
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("kept"), 0o600))

	require.NoError(t, MkdirAll(root+"/a/b"))
	require.NoError(t, MkdirAll(root+"/a/b"))
	for range 2 { // the second time it is there
		fd, err := Create(root+"/a/b/lock", syscall.O_WRONLY, 0o777)
		require.NoError(t, err)
		require.NoError(t, Close(fd))
	}
	require.NoError(t, os.Symlink(secret, root+"/a/record.temp"))
	require.NoError(t, Replace(root+"/a/record", root+"/a/record.temp", []byte("new"), false))
	require.NoError(t, Probe(root+"/probed"))

	data, err := os.ReadFile(secret)
	require.NoError(t, err)
	require.Equal(t, "kept", string(data))
	modes := map[string]fs.FileMode{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		st := info.Sys().(*syscall.Stat_t)
		require.Equal(t, []int{someone, someone + 1}, []int{int(st.Uid), int(st.Gid)}, path)
		modes[path[len(root):]] = info.Mode().Perm() & 0o070 // whatever the umask is
		return nil
	}))
	require.Equal(t, map[string]fs.FileMode{"": 0o070, "/a": 0o070, "/a/b": 0o070, "/a/b/lock": 0o070, "/a/record": 0o060, "/probed": 0o070}, modes)
}

// TestCreateDangling: a symbolic link to nothing is followed, as open(2) does.
func TestCreateDangling(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("target", dir+"/link"))
	fd, err := Create(dir+"/link", syscall.O_WRONLY, 0o777)
	require.NoError(t, err)
	require.NoError(t, Close(fd))
	require.FileExists(t, dir+"/target")
	_, err = Create(dir+"/none/file", syscall.O_WRONLY, 0o777)
	require.Equal(t, syscall.ENOENT, err)
}
