package sqlstore

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
)

// sqliteFile is a database with a session in it, and its URL.
func sqliteFile(t *testing.T) (path, url string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a #%41 b.db")
	s := open(t, Options{URL: "sqlite:///" + path, Create: true})
	require.NoError(t, s.Put(t.Context(), sessionID, pyvalue.Str("v")))
	require.NoError(t, s.Close())
	require.FileExists(t, path, "no part of the path is quoted in SQLAlchemy's url")
	return path, "sqlite:///" + path
}

// TestSQLiteReadOnly: a database that can only be read is read.
func TestSQLiteReadOnly(t *testing.T) {
	path, _ := sqliteFile(t)
	plain := filepath.Join(t.TempDir(), "s.db")
	require.NoError(t, os.Rename(path, plain))
	s := open(t, Options{URL: "sqlite:///file:" + plain + "?mode=ro&uri=true", Create: true})
	requireReadOnly(t, s)
}

// TestSQLiteLooking: looking leaves the database, its log and the index of that as they
// are, whoever else has it open.
func TestSQLiteLooking(t *testing.T) {
	for _, mode := range []string{"delete", "wal"} {
		for _, open2 := range []bool{false, true} {
			t.Run(fmt.Sprint(mode, open2), func(t *testing.T) {
				path, url := sqliteFile(t)
				other := open(t, Options{URL: url})
				require.NoError(t, other.db.QueryRow("PRAGMA journal_mode="+mode).Scan(new(string)))
				require.NoError(t, other.Put(t.Context(), "more", pyvalue.Str("w")))
				if !open2 {
					require.NoError(t, other.Close())
				}
				dir := filepath.Dir(path)
				before := contents(t, dir)
				s := open(t, Options{URL: url, ReadOnly: true, Create: true})
				requireReadOnly(t, s)
				v, err := s.Get(t.Context(), "more")
				require.NoError(t, err)
				require.Equal(t, pyvalue.Str("w"), v)
				require.NoError(t, s.Close())
				require.Equal(t, before, contents(t, dir))
			})
		}
	}
	t.Run("left behind", func(t *testing.T) {
		path, url := sqliteFile(t)
		other := open(t, Options{URL: url})
		require.NoError(t, other.db.QueryRow("PRAGMA journal_mode=wal").Scan(new(string)))
		require.NoError(t, other.Put(t.Context(), "more", pyvalue.Str("w")))
		copied := filepath.Join(t.TempDir(), "s.db") // as a crash leaves them
		for _, suffix := range []string{"", "-wal", "-shm"} {
			data, err := os.ReadFile(path + suffix)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(copied+suffix, data, 0o600))
		}
		before := contents(t, filepath.Dir(copied))
		delete(before, "s.db-shm") // the index is made anew
		s := open(t, Options{URL: "sqlite:///" + copied, ReadOnly: true})
		v, err := s.Get(t.Context(), "more")
		require.NoError(t, err)
		require.Equal(t, pyvalue.Str("w"), v)
		require.NoError(t, s.Close())
		after := contents(t, filepath.Dir(copied))
		require.Contains(t, after, "s.db-shm")
		delete(after, "s.db-shm")
		require.Equal(t, before, after)
	})
	requireAll(t, open(t, Options{URL: "sqlite:///" + t.TempDir() + "/none.db", ReadOnly: true, Create: true}), stores.ErrUnavailable, stores.ErrMissing)
}

// contents are the files of a directory, but not what is in an index: readers mark there
// how far they read.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(data)
		if strings.HasSuffix(e.Name(), "-shm") {
			files[e.Name()] = ""
		}
	}
	return files
}

func requireReadOnly(t *testing.T, s *Store) {
	t.Helper()
	require.NoError(t, s.Ping(t.Context()))
	_, err := s.Get(t.Context(), sessionID)
	require.NoError(t, err)
	for _, name := range []string{"put", "delete", "update"} {
		err := operations(s)[name](t.Context())
		require.ErrorIs(t, err, stores.ErrAccess, name)
		require.ErrorIs(t, err, stores.ErrUnavailable, name)
		require.NotErrorIs(t, err, stores.ErrUncertain, name)
	}
}

// TestSQLiteForbidden: a file that belongs to somebody else.
func TestSQLiteForbidden(t *testing.T) {
	path, url := sqliteFile(t)
	for dir := filepath.Dir(path); dir != filepath.Dir(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode()&1 == 0 {
			require.NoError(t, os.Chmod(dir, info.Mode()|0o055))
			defer func() { _ = os.Chmod(dir, info.Mode()) }()
		}
	}
	if os.Getuid() == 0 {
		runtime.LockOSThread()
		require.NoError(t, syscall.Setfsuid(65534))
		t.Cleanup(func() {
			require.NoError(t, syscall.Setfsuid(0))
			runtime.UnlockOSThread()
		})
	} else {
		require.NoError(t, os.Chmod(path, 0o444))
	}
	requireReadOnly(t, open(t, Options{URL: url}))
	requireAll(t, open(t, Options{URL: "sqlite:///" + filepath.Join(filepath.Dir(path), "new.db"), Create: true}), stores.ErrUnavailable, stores.ErrAccess)
}

func TestSQLiteMissing(t *testing.T) {
	dir := t.TempDir()
	requireAll(t, open(t, Options{URL: "sqlite:///" + dir + "/none.db"}), stores.ErrUnavailable, stores.ErrMissing)
	require.NoFileExists(t, dir+"/none.db")
	requireAll(t, open(t, Options{URL: "sqlite:///" + dir + "/none/s.db", Create: true}), stores.ErrUnavailable, stores.ErrMissing)
	require.NoError(t, os.WriteFile(dir+"/empty.db", nil, 0o600))
	requireAll(t, open(t, Options{URL: "sqlite:///" + dir + "/empty.db"}), stores.ErrUnavailable, stores.ErrMissing)
	require.NoError(t, os.WriteFile(dir+"/other.db", []byte(strings.Repeat("no database ", 1000)), 0o600))
	requireAll(t, open(t, Options{URL: "sqlite:///" + dir + "/other.db", Create: true}), stores.ErrUnavailable)
}

// TestSQLiteFull fills a small file system, or, where none can be mounted, a database
// that may not grow.
func TestSQLiteFull(t *testing.T) {
	dir := t.TempDir()
	mounted := syscall.Mount("gobeaker", dir, "tmpfs", 0, "size=300k") == nil
	if mounted {
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	}
	s := open(t, Options{URL: "sqlite:///" + dir + "/s.db", Create: true})
	require.NoError(t, s.Put(t.Context(), sessionID, pyvalue.Str("v")))
	s.db.SetMaxOpenConns(1)
	if !mounted {
		require.NoError(t, s.db.QueryRow("PRAGMA max_page_count = 70").Scan(new(int)))
	}
	big := pyvalue.Str(strings.Repeat("x", 1<<19))
	err := s.Put(t.Context(), sessionID, big)
	require.ErrorIs(t, err, stores.ErrFull)
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.NotErrorIs(t, err, stores.ErrUncertain)
	v, err := s.Get(t.Context(), sessionID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Str("v"), v)
	require.NoError(t, s.Put(t.Context(), sessionID, pyvalue.Str("w")), "there is room for that")
}

// TestSQLiteBusy: somebody else's write lock is waited for, in the store's own time.
func TestSQLiteBusy(t *testing.T) {
	_, url := sqliteFile(t)
	other, s := open(t, Options{URL: url}), open(t, Options{URL: url, Timeout: 200 * time.Millisecond})
	c, err := other.db.Conn(t.Context())
	require.NoError(t, err)
	_, err = c.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	requireAll(t, s, stores.ErrUnavailable, stores.ErrTimeout)
	patient := open(t, Options{URL: url, Timeout: time.Minute})
	done := make(chan error)
	go func() { done <- patient.Update(t.Context(), sessionID, counting) }()
	_, err = c.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, <-done)
}

// TestSQLiteBesidePython: Python's sqlite3 writes to the same file all the while.
func TestSQLiteBesidePython(t *testing.T) {
	path, url := sqliteFile(t)
	const rounds = 50
	pythons := peers.Pythons(t)
	python := pythons[len(pythons)-1]
	cmd := exec.CommandContext(t.Context(), python.Exe, "-c", `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60)
for n in range(int(sys.argv[2])):
    with db:
        db.execute("INSERT INTO beaker_cache (namespace, accessed, created, data) VALUES (?, '2023-11-14 22:13:20.250000', '2023-11-14 22:13:20.250000', ?)", ("p%d" % n, b"\x80\x02}."))
`, path, strconv.Itoa(rounds))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	s := open(t, Options{URL: url, Timeout: time.Minute})
	for range rounds {
		require.NoError(t, s.Update(t.Context(), "mine", counting))
	}
	require.NoError(t, cmd.Wait())
	v, err := s.Get(t.Context(), "mine")
	require.NoError(t, err)
	require.Equal(t, pyvalue.NewInt(rounds), v)
	n := 0
	for _, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, rounds+2, n)
}
