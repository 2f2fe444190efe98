//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/filelock"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

// The id, and the path that Beaker gives it.
const (
	testID   = "1e4c684fb206494191440c2cc28cbc22"
	testData = "container_dbm/1/1e/1e4c684fb206494191440c2cc28cbc22.dbm"
	testLock = "container_dbm_lock/e/ea/ea3d89fda618c8da2f207c9eb5b22c34bc514db8.lock"
)

var formats = []Format{Dumb, GNU, SQLite}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	s, err := New(o)
	require.NoError(t, err)
	return s
}

// dataDir is the DataDir of a store that open made.
func (s *Store) dataDir() string { return filepath.Dir(s.dbmDir) }

// valueFile is the file that has the values of a format.
func valueFile(s *Store, f Format) string {
	if f == Dumb {
		return s.base(testID) + ".dat"
	}
	return s.base(testID)
}

func TestConformance(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) {
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) stores.Store { return open(t, Options{Format: f}) },
				Corrupt: func(t *testing.T, s stores.Store, id string) {
					base := s.(*Store).base(id)
					if f == Dumb {
						require.NoError(t, os.WriteFile(base+".dir", []byte("'session', (0, 51"), 0o666))
						return
					}
					require.NoError(t, os.Truncate(base, 8200))
				},
			})
		})
	}
	t.Run("fsync", func(t *testing.T) {
		storetest.Run(t, storetest.Harness{New: func(t *testing.T) stores.Store { return open(t, Options{Fsync: true, Protocol: 5}) }})
	})
}

// TestPipes: where a pipe has taken the place of a file nobody is waited for, and a new
// session goes in its place.
func TestPipes(t *testing.T) {
	for _, pipes := range [][]string{{""}, {".dat", ".dir"}, {".dir"}, {".dat"}} {
		s := open(t, Options{})
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("v")))
		for _, suffix := range []string{".dat", ".dir"} {
			if pipes[0] == "" || slices.Contains(pipes, suffix) {
				require.NoError(t, os.Remove(s.base(testID)+suffix))
			}
		}
		for _, suffix := range pipes {
			require.NoError(t, syscall.Mkfifo(s.base(testID)+suffix, 0o666))
		}
		_, err := s.Get(t.Context(), testID)
		require.ErrorIs(t, err, stores.ErrCorrupt, pipes)
		if slices.Contains(pipes, ".dat") { // which is written in place
			continue
		}
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("w")), pipes)
		v, err := s.Get(t.Context(), testID)
		require.NoError(t, err)
		require.Equal(t, pyvalue.Str("w"), v)
	}
}

func TestLayout(t *testing.T) {
	umask := syscall.Umask(0o022)
	defer syscall.Umask(umask)
	for f, want := range map[Format][]string{
		Dumb: {testData + ".dat", testData + ".dir"}, GNU: {testData}, SQLite: {testData},
	} {
		s := open(t, Options{Format: f})
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
		var got []string
		require.NoError(t, filepath.WalkDir(s.dbmDir, func(path string, d fs.DirEntry, err error) error {
			if !d.IsDir() {
				rel, _ := filepath.Rel(s.dataDir(), path)
				got = append(got, rel)
				info, err := d.Info()
				require.NoError(t, err)
				require.EqualValues(t, 0o644, info.Mode())
			}
			return err
		}))
		require.ElementsMatch(t, want, got, f)
		require.FileExists(t, filepath.Join(s.dataDir(), testLock))
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("y")))
		require.NoError(t, s.Delete(t.Context(), testID))
		left, err := os.ReadDir(filepath.Dir(s.base(testID)))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

// TestUnknownID: ids that clients make up leave nothing behind.
func TestUnknownID(t *testing.T) {
	s := open(t, Options{})
	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.NoError(t, s.Delete(t.Context(), testID))
	left, err := os.ReadDir(s.dataDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestFormatStays: a record is written in the format that it has.
func TestFormatStays(t *testing.T) {
	dir := t.TempDir()
	for _, was := range formats {
		require.NoError(t, open(t, Options{DataDir: dir, Format: was}).Put(t.Context(), testID, pyvalue.Str("old")))
		for _, o := range formats {
			s := open(t, Options{DataDir: dir, Format: o})
			require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) {
				return old.(pyvalue.Str) + "+", nil
			}))
			kind, err := detect(s.base(testID))
			require.NoError(t, err)
			require.Equal(t, isDumb+kind0(was), kind)
		}
		s := open(t, Options{DataDir: dir})
		v, err := s.Get(t.Context(), testID)
		require.NoError(t, err)
		require.Equal(t, pyvalue.Str("old+++"), v)
		require.NoError(t, s.Delete(t.Context(), testID))
	}
}

func kind0(f Format) kind { return kind(f) }

// TestUnreadable: what is there and cannot be read is corrupt and stays, until it is
// replaced.
func TestUnreadable(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"garbage":           {"": strings.Repeat("garbage ", 4)},
		"short":             {"": "abc"},
		"a cut SQLite":      {"": sqliteMagic + "\x10\x00\x02\x02"},
		"a cut GNU":         {"": "\xcf\x9a\x57\x13" + strings.Repeat("\x00", 60)},
		"no index":          {".dir": "garbage", ".dat": ""},
		"a cut index":       {".dir": "'session', (0, ", ".dat": "xxxxx"},
		"beyond the end":    {".dir": "'session', (0, 6)\n", ".dat": "xxxxx"},
		"far beyond":        {".dir": "'session', (512, 5)\n", ".dat": "xxxxx"},
		"negative":          {".dir": "'session', (-1, 1)\n", ".dat": "xxxxx"},
		"too large a value": {".dir": "'session', (0, 99999999999)\n", ".dat": "xxxxx"},
		"no pickle":         {".dir": "'session', (0, 5)\n", ".dat": "xxxxx"},
		"an empty value":    {".dir": "'session', (0, 0)\n", ".dat": ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			lay(t, s, files)
			_, err := s.Get(t.Context(), testID)
			require.ErrorIs(t, err, stores.ErrCorrupt)
			requireDiscreet(t, s, err)
			require.ErrorIs(t, s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { panic("called") }), stores.ErrCorrupt)
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
			v, err := s.Get(t.Context(), testID)
			require.NoError(t, err)
			require.Equal(t, pyvalue.Str("new"), v)
		})
	}
}

// TestHalfMade: Python makes an empty database for every id that it is asked for,
// without a lock.
func TestHalfMade(t *testing.T) {
	_, gnuHead := freshGNU(t)
	for name, files := range map[string]map[string]string{
		"a dumb .dat":       {".dat": ""},
		"a dumb .dir":       {".dir": ""},
		"an empty dumb":     {".dat": "", ".dir": ""},
		"an empty file":     {"": ""},
		"the header of GNU": {"": gnuHead[:gnuBlockSize]},
		"less of GNU":       {"": gnuHead[:30]},
		"another key only":  {".dat": "x", ".dir": "'other', (0, 1)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			lay(t, s, files)
			_, err := s.Get(t.Context(), testID)
			require.ErrorIs(t, err, stores.ErrNotExist)
			require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) {
				assert.Nil(t, old)
				return pyvalue.Str("new"), nil
			}))
			v, err := s.Get(t.Context(), testID)
			require.NoError(t, err)
			require.Equal(t, pyvalue.Str("new"), v)
		})
	}
}

// TestForeign: what only Python can read is refused, and not taken for nothing.
func TestForeign(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"Berkeley DB":            {"": strings.Repeat("\x00", 12) + "\x61\x15\x06\x00" + strings.Repeat("\x00", 100)},
		"Berkeley DB 1.85":       {"": "\x00\x06\x15\x61" + strings.Repeat("\x00", 100)},
		"ndbm":                   {".dir": "", ".pag": "x"},
		"ndbm by Berkeley DB":    {".db": "x"},
		"Berkeley DB big-endian": {"": strings.Repeat("\x00", 12) + "\x00\x06\x15\x61" + strings.Repeat("\x00", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			lay(t, s, files)
			_, err := s.Get(t.Context(), testID)
			for _, err := range []error{
				err, s.Put(t.Context(), testID, pyvalue.Str("new")),
				s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { panic("called") }),
			} {
				require.ErrorIs(t, err, stores.ErrUnavailable)
				require.ErrorContains(t, err, "gobeaker migrate")
				requireDiscreet(t, s, err)
			}
			require.NoError(t, s.Delete(t.Context(), testID))
			_, err = s.Get(t.Context(), testID)
			require.ErrorIs(t, err, stores.ErrNotExist)
		})
	}
}

// lay puts files with those suffixes in the place of a record.
func lay(t *testing.T, s *Store, files map[string]string) {
	t.Helper()
	base := s.base(testID)
	require.NoError(t, os.MkdirAll(filepath.Dir(base), 0o777))
	for suffix, text := range files {
		require.NoError(t, os.WriteFile(base+suffix, []byte(text), 0o666))
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(s.locks.Path(testID)), 0o777))
	require.NoError(t, os.WriteFile(s.locks.Path(testID), nil, 0o777))
}

// requireDiscreet: no error tells an id or a path below the store's directories.
func requireDiscreet(t *testing.T, s *Store, err error) {
	t.Helper()
	require.NotContains(t, err.Error(), testID)
	require.NotContains(t, err.Error(), "/1e")
	require.Contains(t, err.Error(), beakerfmt.HashID(testID))
}

// TestTruncated: of a file that was cut off anywhere, a session is whole or is not
// read.
func TestTruncated(t *testing.T) {
	want := pyvalue.Str(strings.Repeat("value ", 2000))
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) {
			s := open(t, Options{Format: f})
			require.NoError(t, s.Put(t.Context(), testID, want))
			whole, err := os.ReadFile(valueFile(s, f))
			require.NoError(t, err)
			corrupt := 0
			for n := len(whole); n >= 0; n -= 509 {
				require.NoError(t, os.WriteFile(valueFile(s, f), whole[:n], 0o666))
				v, err := s.Get(t.Context(), testID)
				if err == nil {
					require.Equal(t, want, v)
					continue
				}
				if !errors.Is(err, stores.ErrNotExist) {
					require.ErrorIs(t, err, stores.ErrCorrupt, "%d of %d", n, len(whole))
					corrupt++
				}
			}
			require.Greater(t, corrupt, 10)
		})
	}
}

// TestOtherKeys: keys that somebody else put there stay.
func TestOtherKeys(t *testing.T) {
	t.Run("dumb", func(t *testing.T) {
		s := open(t, Options{})
		lay(t, s, map[string]string{".dat": "other value", ".dir": "'other\\xff', (0, 5)\n\"it's\", (6, 5)\n"})
		for n := range 5 {
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("x", 400*n))))
			index, err := s.dumbIndex(s.base(testID))
			require.NoError(t, err)
			require.Equal(t, dumbEntry{"other\xff", 0, 5}, index[0])
			require.Equal(t, dumbEntry{"it's", 6, 5}, index[1])
			text, err := os.ReadFile(s.base(testID) + ".dat")
			require.NoError(t, err)
			require.Equal(t, "other value", string(text[:11]))
			require.Less(t, len(text), 512+2*2048)
		}
	})
	t.Run("gnu", func(t *testing.T) {
		s := open(t, Options{})
		for _, l := range allLayouts() {
			other := gnuEntry{gnuHash("other"), []byte("other"), []byte(strings.Repeat("v", 5000))}
			file, err := appendGNU(l, []gnuEntry{other, {gnuHash(beakerfmt.SessionKey), []byte(beakerfmt.SessionKey), []byte("N.")}})
			require.NoError(t, err)
			lay(t, s, map[string]string{"": string(file)})
			require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
			require.NoError(t, withGNU(s.base(testID), func(f *gnuFile) error {
				require.Equal(t, l, f.gnuLayout, "the layout stays")
				v, err := f.get("other", 1<<20)
				require.Equal(t, other.value, v)
				all, _ := f.all(1 << 20)
				require.Len(t, all, 2)
				return err
			}))
		}
	})
	t.Run("sqlite3", func(t *testing.T) {
		s := open(t, Options{Format: SQLite})
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
		db, err := openSQLite(s.base(testID), "rw")
		require.NoError(t, err)
		_, err = db.Exec(sqliteStore, "other", []byte("v"))
		require.NoError(t, err)
		require.NoError(t, db.Close())
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("y")))
		db, err = openSQLite(s.base(testID), "ro")
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		var n int
		require.NoError(t, db.QueryRow("SELECT count(*) FROM Dict").Scan(&n))
		require.Equal(t, 2, n)
	})
}

// TestDumbCrash: at every moment of writing, what is there is whole.
func TestDumbCrash(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("a", 3000))))
	for n, size := range []int{100, 5000, 10, 3000, 600, 600, 600} {
		index, err := os.ReadFile(s.base(testID) + ".dir")
		require.NoError(t, err)
		before, err := s.Get(t.Context(), testID)
		require.NoError(t, err)
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("b", size+n))))
		after, err := os.ReadFile(s.base(testID) + ".dir")
		require.NoError(t, err)
		backup, err := os.ReadFile(s.base(testID) + ".bak")
		require.NoError(t, err)
		require.Equal(t, index, backup)

		require.NoError(t, os.WriteFile(s.base(testID)+".dir", index, 0o666)) // as if the rename had not happened
		v, err := s.Get(t.Context(), testID)
		require.NoError(t, err)
		require.Equal(t, before, v)
		require.NoError(t, os.WriteFile(s.base(testID)+".dir", after, 0o666))
	}
	st, err := os.Stat(s.base(testID) + ".dat")
	require.NoError(t, err)
	require.LessOrEqual(t, st.Size(), int64(4*1024), "what is not used is given back")
}

// TestDumbLeavesNoGarbage: the file does not grow without a bound.
func TestDumbLeavesNoGarbage(t *testing.T) {
	s := open(t, Options{})
	for n := range 200 {
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("x", n*7%1500))))
	}
	st, err := os.Stat(s.base(testID) + ".dat")
	require.NoError(t, err)
	require.LessOrEqual(t, st.Size(), int64(3*2048))
}

func TestTooLarge(t *testing.T) {
	for _, f := range formats {
		s := open(t, Options{Format: f})
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("x", 5000))))
		small := open(t, Options{DataDir: s.dataDir(), Format: f, MaxBytes: 1000})
		_, err := small.Get(t.Context(), testID)
		require.ErrorIs(t, err, stores.ErrTooLarge, f)
		require.ErrorIs(t, err, stores.ErrCorrupt, f)
		err = small.Put(t.Context(), testID, pyvalue.Str(strings.Repeat("x", 1000)))
		require.ErrorIs(t, err, stores.ErrTooLarge, f)
		require.NotErrorIs(t, err, stores.ErrUnavailable, f)
		require.NoError(t, small.Put(t.Context(), testID, pyvalue.Str("x")), f)
	}
}

// TestTwoStores: two Stores of one directory exclude each other as two
// processes do.
func TestTwoStores(t *testing.T) {
	for _, f := range formats {
		dir := t.TempDir()
		all := []*Store{open(t, Options{DataDir: dir, Format: f}), open(t, Options{DataDir: dir, Format: f})}
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				for range 25 {
					assert.NoError(t, all[n%2].Update(t.Context(), testID, increment))
				}
			})
		}
		wg.Wait()
		v, err := all[0].Get(t.Context(), testID)
		require.NoError(t, err)
		require.Equal(t, pyvalue.Str(strings.Repeat("+", 100)), v)
	}
}

func increment(old pyvalue.Value) (pyvalue.Value, error) {
	s, _ := old.(pyvalue.Str)
	return s + "+", nil
}

// TestVanishingDirectories removes every level of the directories again and
// again while the store is used.
func TestVanishingDirectories(t *testing.T) {
	for _, f := range []Format{Dumb, GNU} {
		s := open(t, Options{Format: f})
		stop := make(chan struct{})
		var users, remover sync.WaitGroup
		remover.Go(func() {
			levels := []string{".", "container_dbm", "container_dbm_lock", "container_dbm/1", "container_dbm/1/1e", testLock}
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					os.RemoveAll(filepath.Join(s.dataDir(), levels[n%len(levels)])) // may fail: others make what it removes
				}
			}
		})
		for range 4 {
			users.Go(func() {
				for range 50 {
					assert.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
					_, err := s.Get(t.Context(), testID)
					if !errors.Is(err, stores.ErrNotExist) {
						assert.NoError(t, err)
					}
					assert.NoError(t, s.Delete(t.Context(), testID))
				}
			})
		}
		users.Wait()
		close(stop)
		remover.Wait()
	}
}

// TestForeignLocks: readers do not exclude each other, writers do.
func TestForeignLocks(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
	others := filelock.New(s.lockDir, s.recordExists)
	waits := make(chan struct{}, 10)
	s.locks.Waiting = func() { waits <- struct{}{} }
	g, err := others.Acquire(t.Context(), testID, filelock.Shared, filelock.MakeLock)
	require.NoError(t, err)
	_, err = s.Get(t.Context(), testID)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- s.Update(t.Context(), testID, increment) }()
	<-waits
	require.NoError(t, g.Release())
	require.NoError(t, <-done)
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no directory": {}, "no lock directory": {DBMDir: "x"}, "a format": {DataDir: "x", Format: 3},
		"a protocol": {DataDir: "x", Protocol: 6}, "a negative size": {DataDir: "x", MaxBytes: -1},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, "dbmstore: options: ", name)
	}
	s, err := New(Options{DBMDir: "a", LockDir: "b"})
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(s.dbmDir) && filepath.IsAbs(s.lockDir))
	for _, f := range formats {
		parsed, err := ParseFormat(f.String())
		require.NoError(t, err)
		require.Equal(t, f, parsed)
	}
	_, err = ParseFormat("ndbm")
	require.ErrorContains(t, err, "dumb, gnu or sqlite3")
}

// TestModified: an empty database, as Python makes one for each id that it is asked for,
// has a time and no session.
func TestModified(t *testing.T) {
	s := open(t, Options{})
	_, err := s.Modified(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrNotExist)
	_, err = s.Modified(t.Context(), "../x")
	require.ErrorIs(t, err, stores.ErrInvalidID)
	require.NoError(t, os.MkdirAll(filepath.Dir(s.base(testID)), 0o777))
	for _, suffix := range []string{".dat", ".dir"} {
		require.NoError(t, os.WriteFile(s.base(testID)+suffix, nil, 0o666))
	}
	_, err = s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrNotExist)
	modified, err := s.Modified(t.Context(), testID)
	require.NoError(t, err)
	require.False(t, modified.IsZero())
}
