//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

// The id, and the paths that Beaker gives it.
const (
	testID   = "1e4c684fb206494191440c2cc28cbc22"
	testData = "container_file/1/1e/1e4c684fb206494191440c2cc28cbc22.cache"
	testLock = "container_file_lock/e/ea/ea3d89fda618c8da2f207c9eb5b22c34bc514db8.lock"
)

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
func (s *Store) dataDir() string { return filepath.Dir(s.fileDir) }

func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{
		"defaults":   {},
		"protocol 5": {Protocol: 5},
		"fsync":      {Fsync: true},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, storetest.Harness{
				New:     func(t *testing.T) stores.Store { return open(t, o) },
				Corrupt: corrupt,
				Settle:  settle,
			})
		})
	}
}

func corrupt(t *testing.T, s stores.Store, id string) {
	t.Helper()
	require.NoError(t, os.WriteFile(s.(*Store).recordPath(id), []byte("\x80\x02}q\x00X\x07\x00\x00\x00ses"), 0o666))
}

// settle makes a record look as if it was written a while ago.
func settle(t *testing.T, s stores.Store, id string) {
	t.Helper()
	at := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(s.(*Store).recordPath(id), at, at))
}

// TestTwoStores: two Stores of one directory exclude each other as two
// processes do.
func TestTwoStores(t *testing.T) {
	dir := t.TempDir()
	all := []*Store{open(t, Options{DataDir: dir}), open(t, Options{DataDir: dir})}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 50 {
				assert.NoError(t, all[n%2].Update(t.Context(), testID, increment("n")))
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 400, counters(t, all[0], testID)["n"])
}

// increment adds one to a key of the session.
func increment(key string) func(pyvalue.Value) (pyvalue.Value, error) {
	return func(old pyvalue.Value) (pyvalue.Value, error) {
		d, _ := old.(*pyvalue.Dict)
		if d == nil {
			d = pyvalue.NewDict()
		}
		n := int64(0)
		if v, ok := d.GetStr(key); ok {
			n, _ = v.(*pyvalue.Int).Int64()
		}
		d.SetStr(key, pyvalue.NewInt(n+1))
		return d, nil
	}
}

// counters returns the session of id as numbers by key.
func counters(t testing.TB, s *Store, id string) map[string]int64 {
	t.Helper()
	v, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	all := map[string]int64{}
	for k, v := range v.(*pyvalue.Dict).All() {
		n, _ := v.(*pyvalue.Int).Int64()
		all[string(k.(pyvalue.Str))] = n
	}
	return all
}

func TestLayoutAndModes(t *testing.T) {
	umask := syscall.Umask(0o022)
	defer syscall.Umask(umask)
	for mask, modes := range map[int]struct{ dir, data, lock fs.FileMode }{
		0o022: {0o755, 0o644, 0o755},
		0o002: {0o775, 0o664, 0o775},
		0o000: {0o777, 0o666, 0o777},
	} {
		syscall.Umask(mask)
		s := open(t, Options{})
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
		for path, want := range map[string]fs.FileMode{
			testData: modes.data, testLock: modes.lock,
			"container_file/1/1e": modes.dir, "container_file_lock/e": modes.dir, "container_file": modes.dir,
		} {
			info, err := os.Stat(filepath.Join(s.dataDir(), path))
			require.NoError(t, err)
			require.Equal(t, want, info.Mode().Perm(), "%s under umask %o", path, mask)
		}
		lock, err := os.Stat(filepath.Join(s.dataDir(), testLock))
		require.NoError(t, err)
		require.Zero(t, lock.Size())
		require.NoFileExists(t, filepath.Join(s.dataDir(), testData+tempSuffix))
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		options Options
		fails   string
	}{
		"none":              {Options{}, "data_dir or file_dir is required"},
		"file_dir only":     {Options{FileDir: dir}, "data_dir or lock_dir is required"},
		"protocol 6":        {Options{DataDir: dir, Protocol: 6}, "no pickle protocol 6"},
		"protocol -2":       {Options{DataDir: dir, Protocol: -2}, "no pickle protocol -2"},
		"negative MaxBytes": {Options{DataDir: dir, MaxBytes: -1}, "size limit is negative"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.options)
			require.ErrorContains(t, err, test.fails)
		})
	}
	s := open(t, Options{FileDir: dir + "/f", LockDir: dir + "/l"})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	require.FileExists(t, dir+"/f"+strings.TrimPrefix(testData, "container_file"))
	require.FileExists(t, dir+"/l"+strings.TrimPrefix(testLock, "container_file_lock"))

	t.Chdir(dir)
	s = open(t, Options{DataDir: "here"})
	t.Chdir(t.TempDir())
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	require.FileExists(t, filepath.Join(dir, "here", testData))
}

func TestProtocol(t *testing.T) {
	for option, want := range map[int]int{0: 2, Protocol0: 0, 1: 1, 2: 2, 4: 4, 5: 5} {
		s := open(t, Options{Protocol: option})
		v := pyvalue.Str("x")
		require.NoError(t, s.Put(t.Context(), testID, v))
		c := pyvalue.NewDict()
		c.SetStr("session", v)
		bytes, err := pickle.Append(nil, c, want)
		require.NoError(t, err)
		require.Equal(t, string(bytes), readFile(t, s, testData))
	}
}

func readFile(t testing.TB, s *Store, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dataDir(), path))
	require.NoError(t, err)
	return string(data)
}

// plant writes a record past the store.
func plant(t testing.TB, s *Store, data []byte) {
	t.Helper()
	path := filepath.Join(s.dataDir(), testData)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, data, 0o666))
}

func pickled(t testing.TB, v pyvalue.Value) []byte {
	t.Helper()
	data, err := pickle.Append(nil, v, 2)
	require.NoError(t, err)
	return data
}

func TestSiblingsAreKept(t *testing.T) {
	s := open(t, Options{})
	c := pyvalue.NewDict()
	c.SetStr("before", pyvalue.NewInt(1))
	c.SetStr("session", pyvalue.Str("old"))
	c.Set(pyvalue.NewInt(7), pyvalue.Str("after"))
	plant(t, s, pickled(t, c))

	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("new")))
	c.SetStr("session", pyvalue.Str("new"))
	require.Equal(t, string(pickled(t, c)), readFile(t, s, testData))
	require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) {
		return old.(pyvalue.Str) + "er", nil
	}))
	c.SetStr("session", pyvalue.Str("newer"))
	require.Equal(t, string(pickled(t, c)), readFile(t, s, testData))
}

// TestNoSession: what Beaker takes for an absent session is one, to Get and to
// Update alike, and what is in the container is kept.
func TestNoSession(t *testing.T) {
	sibling := pyvalue.NewDict()
	sibling.SetStr("other", pyvalue.NewInt(1))
	for name, v := range map[string]pyvalue.Value{
		"empty container": pyvalue.NewDict(), "other keys only": sibling, "a list": pyvalue.NewList(), "none": pyvalue.None{},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			plant(t, s, pickled(t, v))
			_, err := s.Get(t.Context(), testID)
			require.ErrorIs(t, err, stores.ErrNotExist)
			require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) {
				assert.Nil(t, old)
				return pyvalue.Str("x"), nil
			}))
			want := pyvalue.NewDict()
			if d, ok := v.(*pyvalue.Dict); ok {
				want = d
			}
			want.SetStr("session", pyvalue.Str("x"))
			require.Equal(t, string(pickled(t, want)), readFile(t, s, testData))
		})
	}
	s := open(t, Options{})
	c := pyvalue.NewDict()
	c.SetStr("session", pyvalue.None{})
	plant(t, s, pickled(t, c))
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.None{}, v)
}

func TestCorruptFiles(t *testing.T) {
	whole := pickled(t, pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("session"), Value: pyvalue.Str("secret-payload")}))
	for name, data := range map[string][]byte{
		"empty": {}, "truncated": whole[:len(whole)-3], "garbage": []byte("garbage"), "text": []byte("<html>"),
		"zeros": make([]byte, 100), "too large": bytes.Repeat([]byte("x"), 5001),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{MaxBytes: 5000})
			plant(t, s, data)
			_, err := s.Get(t.Context(), testID)
			require.ErrorIs(t, err, stores.ErrCorrupt)
			require.NotErrorIs(t, err, stores.ErrUnavailable)
			require.Equal(t, len(data) > 5000, errors.Is(err, stores.ErrTooLarge))
			requireDiscreet(t, s, err)
			require.ErrorIs(t, s.Update(t.Context(), testID, increment("n")), stores.ErrCorrupt)
			require.Equal(t, string(data), readFile(t, s, testData))
		})
	}
	s := open(t, Options{})
	require.NoError(t, os.MkdirAll(s.recordPath(testID), 0o777))
	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrCorrupt)
}

// requireDiscreet: an error names a record by the hash of its id only. It may
// name the store's directories, which are configured, and nothing below them.
func requireDiscreet(t *testing.T, s *Store, err error) {
	t.Helper()
	require.Contains(t, err.Error(), beakerfmt.HashID(testID))
	text := err.Error()
	for _, dir := range []string{s.lockDir, s.fileDir} { // the first is a longer name of the second
		text = strings.ReplaceAll(text, "in "+dir+": ", "")
	}
	for _, secret := range []string{testID, "secret-payload", filepath.Dir(testData), s.dataDir(), "ea3d89"} {
		require.NotContains(t, text, secret)
	}
}

func TestSizeLimit(t *testing.T) {
	s := open(t, Options{MaxBytes: 20000})
	fits := pyvalue.Str(strings.Repeat("x", 19900))
	require.NoError(t, s.Put(t.Context(), testID, fits))
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, fits, v)
	err = s.Put(t.Context(), testID, fits+fits)
	require.ErrorIs(t, err, stores.ErrTooLarge)
	require.NotErrorIs(t, err, stores.ErrUnavailable, "to try again does not help")
	v, err = s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, fits, v)
}

// TestGrowingFile: the limit holds for files that grow while they are read, and
// whatever the size of the buffer.
func TestGrowingFile(t *testing.T) {
	s := open(t, Options{MaxBytes: 5000})
	plant(t, s, bytes.Repeat([]byte("x"), 5001))
	err := s.readRecord(s.recordPath(testID), &buffer{make([]byte, 0, 1<<16)})
	require.ErrorIs(t, err, stores.ErrTooLarge)
	big := &buffer{make([]byte, 0, keepBuffer+1)}
	big.giveBack() // is not kept, which nobody can see
}

// TestNoLitter: ids that somebody makes up leave nothing on the disk.
// An id for whose temporary file the file system has no name is refused as an
// id: the store is not to blame.
func TestLongID(t *testing.T) {
	ids, err := beakerfmt.NewIDRule("[a-z]+")
	require.NoError(t, err)
	s := open(t, Options{DataDir: t.TempDir(), IDs: ids})
	require.NoError(t, s.Put(t.Context(), strings.Repeat("a", 244), pyvalue.NewDict()))
	require.ErrorIs(t, s.Put(t.Context(), strings.Repeat("a", 245), pyvalue.NewDict()), stores.ErrInvalidID)
}

func TestNoLitter(t *testing.T) {
	s := open(t, Options{})
	_, err := s.Get(t.Context(), testID)
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.NoError(t, s.Delete(t.Context(), testID))
	entries, err := os.ReadDir(s.dataDir())
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestDelete(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		s := open(t, Options{Fsync: fsync})
		require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
		temp := filepath.Join(s.dataDir(), testData+tempSuffix)
		require.NoError(t, os.WriteFile(temp, []byte("left by a crash"), 0o666))
		require.NoError(t, s.Delete(t.Context(), testID))
		require.NoFileExists(t, filepath.Join(s.dataDir(), testData))
		require.NoFileExists(t, temp)
		require.FileExists(t, filepath.Join(s.dataDir(), testLock))
		require.NoError(t, s.Delete(t.Context(), testID))
	}
}

// TestRecordWithoutLockFile: a record that somebody copied here is read and
// deleted like any other.
func TestRecordWithoutLockFile(t *testing.T) {
	s := open(t, Options{})
	c := pickled(t, pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Py2Str("session"), Value: pyvalue.Py2Str("x")}))
	plant(t, s, c)
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.Py2Str("x"), v)
	require.NoError(t, os.RemoveAll(s.lockDir))
	require.NoError(t, s.Delete(t.Context(), testID))
	require.NoFileExists(t, filepath.Join(s.dataDir(), testData))
}

func TestPanicReleasesLock(t *testing.T) {
	s := open(t, Options{})
	require.Panics(t, func() {
		s.Update(t.Context(), testID, func(pyvalue.Value) (pyvalue.Value, error) { panic("in f") })
	})
	require.NoError(t, s.Update(t.Context(), testID, increment("n")))
}

func TestList(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.NewDict()))
	require.NoError(t, s.Put(t.Context(), "a", pyvalue.NewDict()))
	outside := t.TempDir()
	require.NoError(t, os.MkdirAll(outside+"/zz", 0o777))
	require.NoError(t, os.WriteFile(outside+"/zz/zz.cache", nil, 0o666))
	require.NoError(t, os.Symlink(outside, s.fileDir+"/z"))
	for _, name := range []string{
		"1/1e/" + testID + ".cache.temp", "1/1e/1e.txt", "1/1e/1ea b.cache", "1/1e/2e4c.cache", "1/1e/.cache",
		"1/file", "file", ".cache", "...cache",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(s.fileDir, name), nil, 0o666))
	}
	require.NoError(t, os.MkdirAll(s.fileDir+"/1/1e/1e00.cache", 0o777))    // is corrupt, and is told of
	require.NoError(t, syscall.Mkfifo(s.fileDir+"/1/1e/1e03.cache", 0o666)) // who opens it waits for ever
	require.NoError(t, os.Symlink("nowhere", s.fileDir+"/1/1e/1e01.cache"))
	require.NoError(t, os.Symlink("1e02.cache", s.fileDir+"/1/1e/1e02.cache"))

	want, err := os.Stat(s.recordPath(testID))
	require.NoError(t, err)
	ids, failures := map[string]bool{}, map[string]error{}
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			failures[info.ID] = err
			continue
		}
		ids[info.ID] = true
		if info.ID == testID {
			require.Equal(t, stores.Info{ID: testID, Modified: want.ModTime(), Size: want.Size(), Cursor: "1/1e"}, info)
		}
	}
	require.Equal(t, map[string]bool{testID: true, "a": true, "zz": true, "1e00": true}, ids)
	require.Len(t, failures, 1)
	require.ErrorIs(t, failures["1e02"], stores.ErrUnavailable)
}

func TestListTroubles(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, os.WriteFile(s.fileDir, nil, 0o666))
	for range s.List(t.Context(), "") {
		t.Error("there is nothing to list")
	}
	require.NoError(t, os.Remove(s.fileDir))
	require.NoError(t, os.Symlink("container_file", s.fileDir))
	var got error
	for _, err := range s.List(t.Context(), "") {
		got = err
	}
	require.ErrorIs(t, got, stores.ErrUnavailable)

	s = open(t, Options{})
	for _, id := range []string{"a", "b", "c"} {
		require.NoError(t, s.Put(t.Context(), id, pyvalue.NewDict()))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range s.List(ctx, "") {
		if n++; n == 2 {
			require.ErrorIs(t, err, context.Canceled)
		}
		cancel()
	}
	require.Equal(t, 2, n)
}

func TestPing(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Ping(t.Context()))
	for _, dir := range []string{s.fileDir, s.lockDir} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Ping(ctx), context.Canceled)
	require.NoError(t, os.Remove(s.lockDir))
	require.NoError(t, os.WriteFile(s.lockDir, nil, 0o666))
	require.ErrorIs(t, s.Ping(t.Context()), stores.ErrUnavailable)
}
