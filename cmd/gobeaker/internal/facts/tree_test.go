package facts

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores/dbmstore"
)

// openDir makes a directory that everybody can get to, if the test's own can be.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gobeaker-tree-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func touch(t *testing.T, path string, mode fs.FileMode, modified time.Time) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	require.NoError(t, os.Chmod(path, mode))
	require.NoError(t, os.Chtimes(path, modified, modified))
}

func TestTree(t *testing.T) {
	dir, now := openDir(t), written
	record := func(n int) string { return filepath.Join(dir, "container_file", beakerfmt.DataPath(id(n))) }
	lock := func(n int) string { return filepath.Join(dir, "container_file_lock", beakerfmt.LockPath(id(n))) }
	day := 24 * time.Hour
	touch(t, record(1), 0o644, now)
	touch(t, record(2), 0o666, now.Add(-2*time.Hour))
	touch(t, record(3), 0o600, now.Add(-30*day))
	touch(t, record(4)+".temp", 0o600, now)
	touch(t, filepath.Join(filepath.Dir(record(1)), "misplaced.cache"), 0o644, now)
	touch(t, filepath.Join(dir, "container_file", "stray"), 0o644, now)
	require.NoError(t, os.Symlink(record(1), filepath.Join(filepath.Dir(record(1)), filepath.Base(record(1))[:2]+"link.cache")))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "container_file", "x")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "container_file", "z"), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(dir, "container_file", "z"), 0o777))
	touch(t, lock(1), 0o600, now.Add(-30*day))
	touch(t, lock(5), 0o600, now.Add(-30*day))
	touch(t, lock(6), 0o600, now)
	for _, odd := range []string{"mine.lock", "0/00/mine.lock", "0/00/0011.lock", "0/00/" + strings.Repeat("1", 40) + ".lock", "0/00/" + strings.Repeat("0z", 20) + ".lock"} {
		touch(t, filepath.Join(dir, "container_file_lock", odd), 0o600, now.Add(-30*day)) // gc leaves them alone
	}
	ini := filepath.Join(dir, "production.ini")
	touch(t, ini, 0o640, now)
	require.NoError(t, os.Symlink(ini, filepath.Join(dir, "gobeaker.toml")))
	before := snapshot(t, dir)

	o := options(func(o *compat.Options) { o.DataDir, o.Timeout = dir, time.Hour })
	w := WalkTree(t.Context(), TreeOptions{
		Options: o, Records: true, Now: at(now),
		Files: []string{ini, filepath.Join(dir, "gobeaker.toml"), filepath.Join(dir, "none")},
	})
	require.Nil(t, w.Problem)
	require.False(t, w.Estimate)
	require.Equal(t, before, snapshot(t, dir))
	require.EqualValues(t, 3, w.Records)
	require.EqualValues(t, 3, w.Bytes)
	require.EqualValues(t, 3, w.Locks)
	require.EqualValues(t, 1, w.StaleLocks)
	require.EqualValues(t, 1, w.Temps)
	require.EqualValues(t, 2, w.Old)
	require.EqualValues(t, 0, w.PerDay)
	require.EqualValues(t, 2, w.WorldRead)
	require.EqualValues(t, 1, w.WorldWrite)
	require.EqualValues(t, 1, w.GroupWrite)
	require.EqualValues(t, 2, w.Symlinks)
	require.EqualValues(t, 1, w.OpenDirs)
	require.Zero(t, w.OtherOwner)
	require.Equal(t, []int{os.Getuid()}, w.MixedOwners)
	require.Zero(t, w.Unreadable)
	require.True(t, w.NewestRecord.Equal(now))

	require.Equal(t, []string{"data_dir", "records", "locks"}, roles(w.Dirs))
	require.Equal(t, []string{"ini", "toml", "secret"}, roles(w.Files))
	require.Equal(t, fs.FileMode(0o640), w.Files[0].Mode)
	require.True(t, w.Files[0].Reachable)
	require.Equal(t, os.Getuid(), w.Files[0].UID)
	require.True(t, w.Files[1].Symlink)
	require.Equal(t, Missing, w.Files[2].Problem.Kind)
	require.Len(t, w.System, 1)
	require.NotZero(t, w.System[0].Size)
	require.False(t, w.System[0].Network)

	t.Run("nobody gets there", func(t *testing.T) {
		require.NoError(t, os.Chmod(dir, 0o700))
		w := WalkTree(t.Context(), TreeOptions{Options: o, Records: true, Now: at(now), Files: []string{ini}})
		require.Zero(t, w.WorldRead+w.WorldWrite+w.OpenDirs)
		require.EqualValues(t, 1, w.GroupWrite)
		require.False(t, w.Files[0].Reachable)
	})
	t.Run("files alone", func(t *testing.T) {
		w := WalkTree(t.Context(), TreeOptions{Options: o, Files: []string{ini}})
		require.Len(t, w.Files, 1)
		require.Empty(t, w.Dirs)
		require.Zero(t, w.Records)
	})
	t.Run("limits", func(t *testing.T) {
		w := WalkTree(t.Context(), TreeOptions{Options: o, Records: true, Entries: 3})
		require.True(t, w.Estimate)
		require.Contains(t, w.Problem.Text, "limit")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w = WalkTree(ctx, TreeOptions{Options: o, Records: true})
		require.True(t, w.Estimate)
		require.Equal(t, TimedOut, w.Problem.Kind)
	})
}

func roles(places []Place) (out []string) {
	for _, p := range places {
		out = append(out, p.Role)
	}
	return out
}

// TestTreeRate: what was written in the last week, by days.
func TestTreeRate(t *testing.T) {
	dir, now := openDir(t), written
	for n := range 70 {
		touch(t, filepath.Join(dir, "container_file", beakerfmt.DataPath(id(n+1))), 0o600, now.Add(-time.Duration(n)*3*time.Hour))
	}
	w := WalkTree(t.Context(), TreeOptions{Options: options(func(o *compat.Options) { o.DataDir = dir }), Records: true, Now: at(now)})
	require.EqualValues(t, 57/7, w.PerDay)
	require.Zero(t, w.Old, "without a timeout nothing is too old")
}

// TestTreeOwners: records of another owner than the directory.
func TestTreeOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := openDir(t)
	path := filepath.Join(dir, "container_file", beakerfmt.DataPath(id(1)))
	touch(t, path, 0o600, written)
	require.NoError(t, os.Chown(path, 54321, 54321))
	w := WalkTree(t.Context(), TreeOptions{Options: options(func(o *compat.Options) { o.DataDir = dir }), Records: true})
	require.EqualValues(t, 1, w.OtherOwner)
	require.Equal(t, []int{54321}, w.MixedOwners)
}

// TestTreeDBM: a database of several files is one record.
func TestTreeDBM(t *testing.T) {
	dir := openDir(t)
	s, err := dbmstore.New(dbmstore.Options{DataDir: dir})
	require.NoError(t, err)
	for n := range 3 {
		require.NoError(t, s.Put(t.Context(), id(n+1), session(written, "n", pyvalue.NewInt(1))))
	}
	o := options(func(o *compat.Options) { o.Type, o.DataDir = "dbm", dir })
	w := WalkTree(t.Context(), TreeOptions{Options: o, Records: true})
	require.Nil(t, w.Problem)
	require.EqualValues(t, 3, w.Records)
	require.EqualValues(t, 3, w.Locks)
	require.Zero(t, w.StaleLocks)
	sample := TakeSample(t.Context(), SampleOptions{Options: o, Now: at(written)})
	require.Nil(t, sample.Problem)
	require.EqualValues(t, 3, sample.States["live"].Sessions)
	require.Empty(t, sample.Containers)
}

// TestTreeMissing: no directory, no facts.
func TestTreeMissing(t *testing.T) {
	w := WalkTree(t.Context(), TreeOptions{Options: options(), Records: true})
	require.Equal(t, Missing, w.Problem.Kind)
	require.Len(t, w.Dirs, 3)
	w = WalkTree(t.Context(), TreeOptions{Options: options(func(o *compat.Options) { o.Type, o.URL = "ext:redis", "redis://x" }), Records: true})
	require.Nil(t, w.Problem)
	require.Empty(t, w.Dirs)
	require.False(t, isReachable("/nowhere/at/all"))
}

func TestRoleOf(t *testing.T) {
	roles := func(o TreeOptions) (out string) {
		for _, file := range []string{"a.INI", "a", "k.key", "g.toml", "x.cfg"} {
			out += " " + o.roleOf(file)
		}
		return out
	}
	require.Equal(t, " ini secret secret toml ini", roles(TreeOptions{}))
	require.Equal(t, " ini file secret toml secret", roles(TreeOptions{Secrets: []string{"k.key", "x.cfg"}}))
}

// TestReach: who gets to a file goes by where it is, not by where a link to it is; and who
// may write to its directory may put another one there.
func TestReach(t *testing.T) {
	dir := openDir(t)
	secret := filepath.Join(dir, "private", "secret")
	touch(t, secret, 0o644, written)
	require.NoError(t, os.Chmod(filepath.Dir(secret), 0o700))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(secret, link))
	p := placeOf("secret", link)
	require.False(t, p.Reachable)
	require.False(t, p.Replaceable)

	require.NoError(t, os.Chmod(filepath.Dir(secret), 0o777))
	p = placeOf("secret", link)
	require.True(t, p.Reachable)
	require.True(t, p.Replaceable)
	require.NoError(t, os.Chmod(filepath.Dir(secret), 0o777|fs.ModeSticky))
	require.False(t, placeOf("secret", secret).Replaceable)
	require.NoError(t, os.Chmod(dir, 0o777))
	require.True(t, placeOf("secret", link).Replaceable)
	require.NoError(t, os.Chmod(dir, 0o700))
	require.False(t, placeOf("secret", secret).Reachable)
}
