// Package storetest is the suite that every store passes: what the comments of
// package stores promise, put to the test. What a store does not implement is
// skipped, in so many words.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// Harness is what the suite must know of a store.
type Harness struct {
	// New returns an empty store, with the zero rule of ids. What it holds is
	// released by t.Cleanup. Stores of several calls are used at the same time.
	New func(t *testing.T) stores.Store
	// Corrupt puts something that cannot be read in place of the record of id.
	// nil: records of this store cannot be corrupt.
	Corrupt func(t *testing.T, s stores.Store, id string)
	// Settle has the record of id be one that was written long enough ago for its
	// version to be told, and for a look at it to need no lock. nil: any is.
	Settle func(t *testing.T, s stores.Store, id string)
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, stores.Store){
		"get, put, delete":            testBasics,
		"ids":                         testIDs,
		"hostile ids":                 testHostileIDs,
		"values":                      testValues,
		"values are not shared":       testIsolation,
		"not a value":                 testNil,
		"ended context":               testEndedContext,
		"readers see whole records":   testWholeRecords,
		"update":                      testUpdate,
		"update by many":              testUpdateByMany,
		"update, ids are independent": testUpdateIndependent,
		"lock excludes":               testLockExcludes,
		"lock makes others wait":      testLockMakesOthersWait,
		"lock and context":            testLockContext,
		"lock twice":                  testLockTwice,
		"lock, ids are independent":   testLockIndependent,
		"lock shared by goroutines":   testLockShared,
		"waiting ends with context":   testWaitingEnds,
		"update removes":              testUpdateRemoves,
		"insert":                      testInsert,
		"list":                        testList,
		"ping":                        testPing,
	} {
		t.Run(name, func(t *testing.T) { test(t, h.New(t)) })
	}
	t.Run("look", func(t *testing.T) { testLook(t, h.New(t), h.Settle) })
	t.Run("version", func(t *testing.T) { testVersion(t, h.New(t), h.Settle) })
	t.Run("corrupt record", func(t *testing.T) {
		if h.Corrupt == nil {
			t.Skip("records of this store cannot be corrupt")
		}
		testCorrupt(t, h.New(t), h.Corrupt)
	})
}

// id returns a session id as Beaker makes them.
func id(n int) string { return fmt.Sprintf("%012x4%019x", n, n) }

// spread is id for ids that begin differently.
func spread(n int) string { return fmt.Sprintf("%02x%s", n*37%256, id(n)[2:]) }

func dict(n int64) *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("n", pyvalue.NewInt(n))
	return d
}

// number returns what dict put into a dict.
func number(t *testing.T, v pyvalue.Value) int64 {
	t.Helper()
	require.IsType(t, &pyvalue.Dict{}, v)
	n, ok := v.(*pyvalue.Dict).GetStr("n")
	require.True(t, ok)
	i, _ := n.(*pyvalue.Int).Int64()
	return i
}

// requireSame compares values by their pickles: equal ones, shared and
// recursive parts included, have equal pickles.
func requireSame(t *testing.T, want, got pyvalue.Value) {
	t.Helper()
	w, err := pickle.Append(nil, want, pickle.DefaultProtocol)
	require.NoError(t, err)
	g, err := pickle.Append(nil, got, pickle.DefaultProtocol)
	require.NoError(t, err)
	if !bytes.Equal(w, g) {
		t.Fatalf("not the same value: a %s with a pickle of %d bytes for a %s with one of %d",
			pyvalue.TypeName(got), len(g), pyvalue.TypeName(want), len(w))
	}
}

func get(t *testing.T, ctx context.Context, s stores.Store, id string) pyvalue.Value {
	t.Helper()
	v, err := s.Get(ctx, id)
	require.NoError(t, err)
	return v
}

func testBasics(t *testing.T, s stores.Store) {
	ctx := t.Context()
	v, err := s.Get(ctx, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.Nil(t, v)
	require.NotContains(t, err.Error(), id(1), "no error may hold a session id")
	require.NoError(t, s.Delete(ctx, id(1)), "deleting what is not there is no error")

	require.NoError(t, s.Put(ctx, id(1), dict(1)))
	require.NoError(t, s.Put(ctx, id(2), pyvalue.Str("gAJ9cQEu")))
	requireSame(t, dict(1), get(t, ctx, s, id(1)))
	requireSame(t, pyvalue.Str("gAJ9cQEu"), get(t, ctx, s, id(2)))

	require.NoError(t, s.Put(ctx, id(1), dict(3)))
	requireSame(t, dict(3), get(t, ctx, s, id(1)))

	require.NoError(t, s.Delete(ctx, id(1)))
	_, err = s.Get(ctx, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
	requireSame(t, pyvalue.Str("gAJ9cQEu"), get(t, ctx, s, id(2)))
	require.NoError(t, s.Put(ctx, id(1), dict(4)))
	requireSame(t, dict(4), get(t, ctx, s, id(1)))
}

// testIDs: ids that differ in little are different ids, and all those that
// Beaker ever made are accepted.
func testIDs(t *testing.T, s stores.Store) {
	ids := []string{
		"4e987548c72f64bcf727f2470921ec08", "882e0dabc11b4d21a6c3efed0c975557",
		"Kv-0mZ_1uHqk8xYb2dWc3eXf4gA", "a", "b", "ab", "A", "_", "-", "--", strings.Repeat("a", 128),
	}
	for n, id := range ids {
		require.NoError(t, s.Put(t.Context(), id, dict(int64(n))))
	}
	for n, id := range ids {
		requireSame(t, dict(int64(n)), get(t, t.Context(), s, id))
	}
}

func testHostileIDs(t *testing.T, s stores.Store) {
	ctx := t.Context()
	for _, id := range []string{
		"", ".", "..", "/", "a/b", "../../etc/passwd", "/etc/passwd", "..\\x", "a\x00b", "\x00",
		"a b", "a\nb", "a\r\nset x", "a:b", "a*", "a'b", "ab\x7f", "gr\u00fcn", "a.cache", "a%2fb",
		strings.Repeat("a", 129), strings.Repeat("a", 300),
	} {
		_, err := s.Get(ctx, id)
		require.ErrorIs(t, err, stores.ErrInvalidID, "%q", id)
		require.ErrorIs(t, s.Put(ctx, id, dict(1)), stores.ErrInvalidID, "%q", id)
		require.ErrorIs(t, s.Delete(ctx, id), stores.ErrInvalidID, "%q", id)
		if u, ok := stores.As[stores.Updater](s); ok {
			err := u.Update(ctx, id, func(pyvalue.Value) (pyvalue.Value, error) {
				t.Errorf("update of %q calls its function", id)
				return nil, nil
			})
			require.ErrorIs(t, err, stores.ErrInvalidID, "%q", id)
		}
		if l, ok := stores.As[stores.Locker](s); ok {
			_, _, err := l.Lock(ctx, id)
			require.ErrorIs(t, err, stores.ErrInvalidID, "%q", id)
		}
	}
}

func testNil(t *testing.T, s stores.Store) {
	require.NoError(t, s.Put(t.Context(), id(1), dict(1)))
	require.Error(t, s.Put(t.Context(), id(1), nil))
	requireSame(t, dict(1), get(t, t.Context(), s, id(1)))
}

func testEndedContext(t *testing.T, s stores.Store) {
	require.NoError(t, s.Put(t.Context(), id(1), dict(1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, op := range operations(s, id(1)) {
		require.ErrorIs(t, op(ctx), context.Canceled, name)
	}
	requireSame(t, dict(1), get(t, t.Context(), s, id(1)))
}

// operations returns everything that can be done to a record.
func operations(s stores.Store, id string) map[string]func(context.Context) error {
	ops := map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, id); return err },
		"put":    func(ctx context.Context) error { return s.Put(ctx, id, dict(-1)) },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, id) },
	}
	if u, ok := stores.As[stores.Updater](s); ok {
		ops["update"] = func(ctx context.Context) error {
			return u.Update(ctx, id, func(pyvalue.Value) (pyvalue.Value, error) { return dict(-1), nil })
		}
	}
	if l, ok := stores.As[stores.Locker](s); ok {
		ops["lock"] = func(ctx context.Context) error {
			_, unlock, err := l.Lock(ctx, id)
			if err == nil {
				err = errors.Join(errors.New("locked"), unlock())
			}
			return err
		}
	}
	return ops
}

func testCorrupt(t *testing.T, s stores.Store, corrupt func(*testing.T, stores.Store, string)) {
	ctx := t.Context()
	require.NoError(t, s.Put(ctx, id(1), dict(1)))
	corrupt(t, s, id(1))
	for range 2 { // reading it does not make it go away
		v, err := s.Get(ctx, id(1))
		require.ErrorIs(t, err, stores.ErrCorrupt)
		require.NotErrorIs(t, err, stores.ErrNotExist)
		require.Nil(t, v)
		require.NotContains(t, err.Error(), id(1))
		require.Contains(t, err.Error(), beakerfmt.HashID(id(1)))
		if u, ok := stores.As[stores.Updater](s); ok {
			err := u.Update(ctx, id(1), func(pyvalue.Value) (pyvalue.Value, error) {
				t.Error("update of a corrupt record calls its function")
				return dict(2), nil
			})
			require.ErrorIs(t, err, stores.ErrCorrupt)
		}
	}
	require.NoError(t, s.Put(ctx, id(1), dict(3)), "put replaces a corrupt record")
	requireSame(t, dict(3), get(t, ctx, s, id(1)))
	corrupt(t, s, id(1))
	require.NoError(t, s.Delete(ctx, id(1)))
	_, err := s.Get(ctx, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
}

func testList(t *testing.T, s stores.Store) {
	l, ok := stores.As[stores.Lister](s)
	if !ok {
		t.Skip("the store is no stores.Lister")
	}
	want := map[string]bool{}
	require.Empty(t, listed(t, l))
	for n := range 40 {
		require.NoError(t, s.Put(t.Context(), spread(n), dict(int64(n))))
		want[spread(n)] = true
	}
	require.NoError(t, s.Delete(t.Context(), spread(7)))
	delete(want, spread(7))
	require.Equal(t, want, listed(t, l))

	for range l.List(t.Context(), "") {
		break // the caller may stop
	}
	testListFrom(t, l, want)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range l.List(ctx, "") {
		require.ErrorIs(t, err, context.Canceled)
	}
}

// testListFrom lists in pieces: nothing is left out, wherever it was broken off.
func testListFrom(t *testing.T, l stores.Lister, want map[string]bool) {
	const piece = 9
	seen, from := map[string]bool{}, ""
	for range len(want) { // each piece has something new
		n := 0
		for info, err := range l.List(t.Context(), from) {
			require.NoError(t, err)
			seen[info.ID] = true
			n++
			if info.Cursor != from && n >= piece {
				from = info.Cursor
				break
			}
		}
		if n < piece {
			break
		}
	}
	require.Equal(t, want, seen)
}

func listed(t *testing.T, l stores.Lister) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for info, err := range l.List(t.Context(), "") {
		require.NoError(t, err)
		require.GreaterOrEqual(t, info.Size, int64(0))
		require.False(t, ids[info.ID], "a record is listed twice")
		ids[info.ID] = true
	}
	return ids
}

func testPing(t *testing.T, s stores.Store) {
	p, ok := stores.As[stores.Pinger](s)
	if !ok {
		t.Skip("the store is no stores.Pinger")
	}
	require.NoError(t, p.Ping(t.Context()))
}

func testInsert(t *testing.T, s stores.Store) {
	in, ok := stores.As[stores.Inserter](s)
	if !ok {
		t.Skip("the store is no stores.Inserter")
	}
	ctx := t.Context()
	require.Empty(t, in.Insert(ctx, nil))
	require.NoError(t, s.Put(ctx, id(2), dict(100)))
	errs := in.Insert(ctx, []stores.Record{
		{ID: id(1), Value: dict(1)}, {ID: id(2), Value: dict(2)}, {ID: "a/b", Value: dict(3)},
		{ID: id(4), Value: nil}, {ID: id(5), Value: pyvalue.Str("gAJ9cQEu")},
	})
	require.Len(t, errs, 5)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], stores.ErrExist)
	require.NotContains(t, errs[1].Error(), id(2))
	require.ErrorIs(t, errs[2], stores.ErrInvalidID)
	require.Error(t, errs[3])
	require.NoError(t, errs[4])
	requireSame(t, dict(1), get(t, ctx, s, id(1)))
	requireSame(t, dict(100), get(t, ctx, s, id(2)))
	_, err := s.Get(ctx, id(4))
	require.ErrorIs(t, err, stores.ErrNotExist)
	requireSame(t, pyvalue.Str("gAJ9cQEu"), get(t, ctx, s, id(5)))
}

func testLook(t *testing.T, s stores.Store, settle func(*testing.T, stores.Store, string)) {
	look := func(id string) (pyvalue.Value, error) { return stores.Look(t.Context(), s, id) }
	_, err := look(id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
	_, err = look("a/b")
	require.ErrorIs(t, err, stores.ErrInvalidID)
	for n := range int64(3) {
		require.NoError(t, s.Put(t.Context(), id(1), dict(n)))
		for range 2 { // just now, and a while ago
			v, err := look(id(1))
			require.NoError(t, err)
			requireSame(t, dict(n), v)
			if settle != nil {
				settle(t, s, id(1))
			}
		}
	}
	if l, ok := stores.As[stores.Locker](s); ok {
		held, unlock, err := l.Lock(t.Context(), id(1))
		require.NoError(t, err)
		require.NoError(t, s.Put(held, id(1), dict(7)))
		v, err := stores.Look(held, s, id(1))
		require.NoError(t, err)
		requireSame(t, dict(7), v)
		require.NoError(t, unlock())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = stores.Look(ctx, s, id(1))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Delete(t.Context(), id(1)))
	_, err = look(id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
}
