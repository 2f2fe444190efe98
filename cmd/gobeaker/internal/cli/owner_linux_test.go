package cli_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
)

// TestRootLeavesNothingOfItsOwn: what root's commands make in the data_dir of somebody
// else, the Python application can open and write.
func TestRootLeavesNothingOfItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const someone = 54321
	own := func(dir string) {
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			require.NoError(t, err)
			return os.Chown(path, someone, someone)
		}))
	}
	owned := func(dir string) (files int) {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := d.Info()
			require.NoError(t, err)
			st := info.Sys().(*syscall.Stat_t)
			require.Equal(t, []int{someone, someone}, []int{int(st.Uid), int(st.Gid)}, path)
			if !d.IsDir() {
				files++
			}
			return nil
		}))
		return files
	}
	run := func(args ...string) {
		var out bytes.Buffer
		code := cli.Main(args, cli.Environment{Stdin: bytes.NewReader(nil), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }})
		require.Zero(t, code, "%v: %s", args, out.String())
	}
	const tree = "file/file-b1.11.0-py2.7-pickle-none-class/tree/container_file"
	src := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(src, "container_file"), os.DirFS(filepath.Join(testdata(t), tree))))
	own(src)

	run("ls", "--data-dir", src)
	run("stats", "--data-dir", src)
	run("gc", "--data-dir", src, "--older-than", "30d", "--dry-run")
	run("migrate", "--from-data-dir", src, "--in-place", "--to-peer", "beaker-1.13")
	require.Equal(t, 2, owned(src), "the record and its lock file")
	for _, format := range []string{"dumb", "gnu", "sqlite3"} {
		dst := t.TempDir()
		own(dst)
		toml := filepath.Join(t.TempDir(), "to.toml")
		require.NoError(t, os.WriteFile(toml, []byte("[session]\ntype = \"dbm\"\ndata_dir = \""+dst+"\"\nsecret = \"s\"\n[session.extra]\ndbm_format = \""+format+"\"\n"), 0o600))
		run("migrate", "--from-data-dir", src, "--to", toml, "--to-peer", "beaker-1.13")
		require.GreaterOrEqual(t, owned(dst), 2)
	}
	files := t.TempDir()
	own(files)
	run("migrate", "--from-data-dir", src, "--to-type", "file", "--to-data-dir", files, "--to-peer", "beaker-1.13")
	require.Equal(t, 2, owned(files))
	run("gc", "--data-dir", files, "--older-than", "30d", "--all", "--state", "none", "--quiet")
	owned(files)
}
