//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package upkeep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

const day = 24 * time.Hour

var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func files(t *testing.T) (s *filestore.Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	return s, dir
}

func manager(t *testing.T, s stores.Store, timeout time.Duration, change func(*compat.Options)) *compat.Manager {
	t.Helper()
	o := compat.Defaults()
	o.Timeout = timeout
	if change != nil {
		change(&o)
	}
	m, err := compat.New(o, s, compat.Environment{Now: clock})
	require.NoError(t, err)
	return m
}

// session is one that was last used so long ago; negative: it does not tell.
func session(ago time.Duration) *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("user", pyvalue.Str("somebody"))
	if ago >= 0 {
		at := pyvalue.Float(float64(now.Add(-ago).Unix()))
		d.SetStr("_creation_time", at)
		d.SetStr("_accessed_time", at)
	}
	return d
}

// put writes a record as of so long ago.
func put(t *testing.T, s stores.Store, dir, id string, v pyvalue.Value, ago time.Duration) {
	t.Helper()
	require.NoError(t, s.Put(t.Context(), id, v))
	if dir != "" {
		age(t, dir, id, ago)
	}
}

func age(t *testing.T, dir, id string, ago time.Duration) {
	t.Helper()
	at := now.Add(-ago)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "container_file", beakerfmt.DataPath(id)), at, at))
}

func collect(t *testing.T, m *compat.Manager, s stores.Store, o Options) Result {
	t.Helper()
	o.Now = clock
	c, err := New(m, s, o)
	require.NoError(t, err)
	r, err := c.Run(t.Context())
	require.NoError(t, err)
	require.True(t, r.Complete)
	r.Bytes = 0
	return r
}

func ids(t *testing.T, s stores.Lister) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		all[info.ID] = true
	}
	return all
}

// datedStore says that all its records were written a day ago.
type datedStore struct{ *memstore.Store }

func (s datedStore) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		for info, err := range s.Store.List(ctx, from) {
			info.Modified = now.Add(-day)
			if !yield(info, err) {
				return
			}
		}
	}
}

// TestTrust: of many records that were written lately some are looked into, and all
// as soon as one of them had expired.
func TestTrust(t *testing.T) {
	const many = firstLooks + 20*batchRecords*thenLooks
	s := datedStore{memstore.New()}
	id := func(n int) string { return fmt.Sprintf("%06d", n) }
	for n := range many {
		require.NoError(t, s.Put(t.Context(), id(n), session(day)))
	}
	m := manager(t, s, 10*day, nil)
	r := collect(t, m, s, Options{Workers: 1})
	require.EqualValues(t, many, r.Listed)
	require.EqualValues(t, (many-firstLooks)/thenLooks*(thenLooks-1), r.Recent)
	require.Equal(t, r.Listed, r.Live+r.Recent)
	require.Zero(t, collect(t, m, s, Options{Workers: 1, All: true}).Recent)

	first := firstLooks + thenLooks - firstLooks%thenLooks - 1 // the first after those that are all looked into
	require.NoError(t, s.Put(t.Context(), id(first), session(20*day)))
	last := id(many - 2)
	require.NoError(t, s.Put(t.Context(), last, session(20*day)))
	r = collect(t, m, s, Options{Workers: 1})
	require.EqualValues(t, 2, r.Expired)
	require.False(t, ids(t, s)[last], "the other one led to it")
}

// deleted is what Beaker from 1.11 on leaves of a session.
func deleted() *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("_domain", pyvalue.None{})
	d.SetStr("_path", pyvalue.Str("/"))
	return d
}

func TestVerdicts(t *testing.T) {
	const timeout = 10 * day
	for name, test := range map[string]struct {
		value    pyvalue.Value
		written  time.Duration // ago
		timeout  time.Duration
		options  Options
		want     Result
		survives bool
	}{
		"used lately":                          {session(day), day, timeout, Options{}, Result{Live: 1}, true},
		"at the timeout":                       {session(timeout), timeout, timeout, Options{}, Result{Live: 1}, true},
		"past it":                              {session(timeout + time.Second), timeout + time.Second, timeout, Options{}, Result{Expired: 1}, false},
		"the file is older than the use":       {session(day), 20 * day, timeout, Options{}, Result{Live: 1}, true},
		"the file is younger than the use":     {session(20 * day), day, timeout, Options{}, Result{Expired: 1}, false},
		"no timeout":                           {session(900 * day), 900 * day, compat.NoTimeout, Options{}, Result{Live: 1}, true},
		"no timeout, older than":               {session(31 * day), 31 * day, compat.NoTimeout, Options{OlderThan: 30 * day}, Result{Older: 1}, false},
		"no timeout, not older than":           {session(29 * day), 31 * day, compat.NoTimeout, Options{OlderThan: 30 * day}, Result{Live: 1}, true},
		"timeout, not older than":              {session(20 * day), 20 * day, timeout, Options{OlderThan: 30 * day}, Result{Expired: 1}, false},
		"tells no use":                         {session(-1), 900 * day, timeout, Options{}, Result{Live: 1}, true},
		"tells no use, older than":             {session(-1), 31 * day, compat.NoTimeout, Options{OlderThan: 30 * day}, Result{Older: 1}, false},
		"tells no use, written lately":         {session(-1), 29 * day, compat.NoTimeout, Options{OlderThan: 30 * day, All: true}, Result{Live: 1}, true},
		"deleted":                              {deleted(), 20 * day, timeout, Options{}, Result{Dead: 1}, false},
		"deleted, no timeout":                  {deleted(), 0, compat.NoTimeout, Options{}, Result{Dead: 1}, false},
		"unreadable":                           {pyvalue.NewList(pyvalue.NewInt(1)), 20 * day, timeout, Options{}, Result{Corrupt: 1}, true},
		"unreadable, asked for":                {pyvalue.NewList(pyvalue.NewInt(1)), 20 * day, timeout, Options{Corrupt: true}, Result{Broken: 1}, false},
		"unreadable, asked for, young":         {pyvalue.NewList(pyvalue.NewInt(1)), 9 * day, timeout, Options{Corrupt: true, All: true}, Result{Corrupt: 1}, true},
		"unreadable, no timeout, young":        {pyvalue.NewList(pyvalue.NewInt(1)), day / 2, compat.NoTimeout, Options{Corrupt: true}, Result{Corrupt: 1}, true},
		"encrypted":                            {encrypted(t), 900 * day, timeout, Options{Corrupt: true}, Result{Undecryptable: 1}, true},
		"encrypted, asked for":                 {encrypted(t), 900 * day, timeout, Options{Undecryptable: true}, Result{Broken: 1}, false},
		"dry run":                              {session(20 * day), 20 * day, timeout, Options{DryRun: true}, Result{Expired: 1}, true},
		"everything at once, and a rate limit": {session(20 * day), 20 * day, timeout, Options{Rate: 1e6, Workers: 5, Sweep: &filestore.SweepOptions{}}, Result{Expired: 1, Sweep: filestore.SweepResult{Locks: 1}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := files(t)
			put(t, s, dir, "id", test.value, test.written)
			test.want.Listed, test.want.Complete = 1, true
			r := collect(t, manager(t, s, test.timeout, nil), s, test.options)
			require.Equal(t, test.want, r)
			require.Equal(t, test.survives, ids(t, s)["id"])
		})
	}
}

func encrypted(t *testing.T) pyvalue.Value {
	m := manager(t, memstore.New(), compat.NoTimeout, func(o *compat.Options) {
		o.EncryptKey, o.ValidateKey = "sixteen letters!", "another key"
	})
	v, err := m.Encode(session(20*day), beakerfmt.Form{})
	require.NoError(t, err)
	return v
}

// TestCorruptRecords: what the store itself cannot read goes only when asked for, old,
// and under its lock.
func TestCorruptRecords(t *testing.T) {
	s, dir := files(t)
	m := manager(t, s, 10*day, nil)
	path := filepath.Join(dir, "container_file", beakerfmt.DataPath("id"))
	put(t, s, dir, "id", session(0), 0)
	require.NoError(t, os.WriteFile(path, []byte("garbage"), 0o666))
	age(t, dir, "id", 20*day)
	require.Equal(t, Result{Listed: 1, Corrupt: 1, Complete: true}, collect(t, m, s, Options{}))
	require.Equal(t, Result{Listed: 1, Broken: 1, Complete: true}, collect(t, m, s, Options{Corrupt: true, DryRun: true}))
	age(t, dir, "id", 9*day)
	require.Equal(t, Result{Listed: 1, Corrupt: 1, Complete: true}, collect(t, m, s, Options{Corrupt: true, All: true}))
	age(t, dir, "id", 20*day)
	require.FileExists(t, path)
	require.Equal(t, Result{Listed: 1, Broken: 1, Complete: true}, collect(t, m, s, Options{Corrupt: true}))
	require.NoFileExists(t, path)

	require.NoError(t, os.WriteFile(path, make([]byte, filestore.DefaultMaxBytes+1), 0o666))
	age(t, dir, "id", 20*day)
	require.Equal(t, Result{Listed: 1, Corrupt: 1, Complete: true}, collect(t, m, s, Options{Corrupt: true}), "Python may be able to read it")
}

// TestCaches: a cache's container lies among the sessions', and is none of ours.
func TestCaches(t *testing.T) {
	s, dir := files(t)
	put(t, s, dir, "id", session(0), 0)
	path := filepath.Join(dir, "container_file", beakerfmt.DataPath("id"))
	require.NoError(t, os.WriteFile(path, []byte("\x80\x02}q\x00X\x03\x00\x00\x00keyq\x01K\x01s."), 0o666))
	age(t, dir, "id", 900*day)
	r := collect(t, manager(t, s, 10*day, nil), s, Options{Corrupt: true, Undecryptable: true, OlderThan: day})
	require.Equal(t, Result{Listed: 1, Other: 1, Complete: true}, r)
	require.FileExists(t, path)
}

// TestOtherStores: a store without files, without times of its records.
func TestOtherStores(t *testing.T) {
	s := memstore.New()
	put(t, s, "", "old", session(20*day), 0)
	put(t, s, "", "new", session(day), 0)
	put(t, s, "", "untold", session(-1), 0)
	r := collect(t, manager(t, s, 10*day, nil), s, Options{OlderThan: 5 * day})
	require.Equal(t, Result{Listed: 3, Expired: 1, Live: 2, Complete: true}, r)
	require.Equal(t, map[string]bool{"new": true, "untold": true}, ids(t, s))
}

// flaky is a store in which some updates fail.
type flaky struct {
	*memstore.Store
	update func(id string) error
	list   error
	ping   error
}

func (f *flaky) Update(ctx context.Context, id string, g func(pyvalue.Value) (pyvalue.Value, error)) error {
	if f.update != nil {
		if err := f.update(id); err != nil {
			return err
		}
	}
	return f.Store.Update(ctx, id, g)
}

func (f *flaky) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		for info, err := range f.Store.List(ctx, from) {
			if !yield(info, err) {
				return
			}
		}
		if f.list != nil {
			yield(stores.Info{}, f.list)
		}
	}
}

func (f *flaky) Ping(context.Context) error { return f.ping }

func many(t *testing.T, n int) *flaky {
	t.Helper()
	s := &flaky{Store: memstore.New()}
	for i := range n {
		put(t, s, "", fmt.Sprintf("id%05d", i), session(20*day), 0)
	}
	return s
}

func TestFailures(t *testing.T) {
	s := many(t, 300)
	s.update = func(id string) error {
		if id[len(id)-1] == '7' {
			return fmt.Errorf("%w: only this one", stores.ErrUnavailable)
		}
		return nil
	}
	told := 0
	r := collect(t, manager(t, s, 10*day, nil), s, Options{Failure: func(error) { told++ }})
	require.Equal(t, Result{Listed: 300, Expired: 270, Failed: 30, Complete: true}, r)
	require.Equal(t, 30, told)
}

// TestBrokenOff: a run that ends early keeps its place, and the next one goes on there.
func TestBrokenOff(t *testing.T) {
	down := fmt.Errorf("%w: connection refused", stores.ErrUnavailable)
	path := filepath.Join(t.TempDir(), "state")
	s := many(t, 1000)
	m := manager(t, s, 10*day, nil)
	s.update = func(id string) error {
		if id >= "id00500" {
			s.ping = down
			return down
		}
		return nil
	}
	run := func() (Result, error) {
		state, err := OpenState(path, "store")
		require.NoError(t, err)
		defer func() { require.NoError(t, state.Close()) }()
		c, err := New(m, s, Options{State: state, Now: clock, Workers: 1})
		require.NoError(t, err)
		return c.Run(t.Context())
	}
	r, err := run()
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.False(t, r.Complete)
	left := len(ids(t, s))
	require.GreaterOrEqual(t, left, 500)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	s.update, s.ping = nil, nil
	r, err = run()
	require.NoError(t, err)
	require.True(t, r.Complete)
	require.True(t, r.Resumed)
	require.EqualValues(t, left, r.Expired)
	require.Empty(t, ids(t, s))
	r, err = run()
	require.NoError(t, err)
	require.False(t, r.Resumed)
}

func TestListFails(t *testing.T) {
	s := many(t, 10)
	s.list = fmt.Errorf("%w: connection lost", stores.ErrUnavailable)
	c, err := New(manager(t, s, 10*day, nil), s, Options{Now: clock})
	require.NoError(t, err)
	r, err := c.Run(t.Context())
	require.ErrorIs(t, err, stores.ErrUnavailable)
	require.False(t, r.Complete)
}

func TestEnds(t *testing.T) {
	s := many(t, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	s.update = func(string) error { cancel(); return nil }
	m := manager(t, s, 10*day, nil)
	c, err := New(m, s, Options{Now: clock})
	require.NoError(t, err)
	r, err := c.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, r.Complete)

	s.update = nil
	c, err = New(m, s, Options{Now: clock, MaxDuration: 1})
	require.NoError(t, err)
	r, err = c.Run(t.Context())
	require.NoError(t, err, "the time being up is no failure")
	require.False(t, r.Complete)
}

func TestOptions(t *testing.T) {
	s := memstore.New()
	m := manager(t, s, compat.NoTimeout, nil)
	_, err := New(m, struct{ stores.Store }{s}, Options{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = New(m, struct {
		stores.Store
		stores.Lister
	}{s, s}, Options{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	for _, o := range []Options{{OlderThan: -1}, {Rate: -1}, {MaxDuration: -1}, {Workers: -1}} {
		_, err = New(m, s, o)
		require.ErrorContains(t, err, "negative")
	}
}

func TestProgress(t *testing.T) {
	s := many(t, 500)
	last := Result{}
	r := collect(t, manager(t, s, 10*day, nil), s, Options{Progress: func(r Result) {
		require.GreaterOrEqual(t, r.Listed, last.Listed)
		last = r
	}})
	require.Equal(t, r.Removed(), last.Removed())
}

func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	open := func(store string) *State {
		s, err := OpenState(path, store)
		require.NoError(t, err)
		return s
	}
	s := open("a")
	require.Empty(t, s.cursor())
	_, err := OpenState(path, "a")
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, s.save("a long cursor"))
	require.NoError(t, s.save("short"))
	require.NoError(t, s.Close())
	s = open("a")
	require.Equal(t, "short", s.cursor())
	require.NoError(t, s.Close())
	s = open("b")
	require.Empty(t, s.cursor(), "another store's")
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(path, []byte(`{"store":"a","cur`), 0o600))
	s = open("a")
	require.Empty(t, s.cursor(), "cut short")
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(path, []byte("[app:main]\n"), 0o600))
	_, err = OpenState(path, "a")
	require.ErrorContains(t, err, "another kind of file")
	_, err = OpenState(filepath.Dir(path), "a")
	require.Error(t, err)
	require.NoError(t, (*State)(nil).Close())
	require.NoError(t, (*State)(nil).save("x"))
}
