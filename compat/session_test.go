package compat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

func ctx() context.Context { return context.Background() }

func TestLifeOfASession(t *testing.T) {
	s := newSite(t)
	s.request(func(x *compat.Session) {
		require.True(t, x.IsNew())
		_, ok := x.LastAccessed()
		require.False(t, ok)
		created, ok := x.Created()
		require.True(t, ok)
		require.Equal(t, start.UTC(), created)
		require.NoError(t, x.Set("user", "eve"))
		require.NoError(t, x.Set("list", []any{1, "x"}))
		x.Save()
	})
	s.now = s.now.Add(10 * time.Second)
	s.request(func(x *compat.Session) {
		require.False(t, x.IsNew())
		last, ok := x.LastAccessed()
		require.True(t, ok)
		require.Equal(t, start.UTC(), last)
		user, ok := compat.Get[string](x, "user")
		require.True(t, ok)
		require.Equal(t, "eve", user)
		_, ok = compat.Get[int](x, "user")
		require.False(t, ok)
		require.Equal(t, 6, x.Len()) // two, two times, domain and path
		v, ok := x.Pop("user")
		require.True(t, ok)
		require.Equal(t, pyvalue.Str("eve"), v)
		require.False(t, x.Remove("user"))
		l, ok := x.Get("list")
		require.True(t, ok)
		l.(*pyvalue.List).Items[0] = pyvalue.NewInt(2)
		x.Save()
		require.True(t, x.Dirty())
	})
	d := s.record(s.id())
	var keys []string
	for k := range d.All() {
		text, _ := pyvalue.Text(k)
		keys = append(keys, text)
	}
	require.Equal(t, []string{"_accessed_time", "_creation_time", "_domain", "_path", "list"}, keys)
	at, _ := d.GetStr("_accessed_time")
	require.Equal(t, pyvalue.Float(1700000010.25), at)
	l, _ := d.GetStr("list")
	require.True(t, pyvalue.Equal(pyvalue.NewList(pyvalue.NewInt(2), pyvalue.Str("x")), l))
}

func TestUntouchedSessionCostsNothing(t *testing.T) {
	s := newSite(t)
	s.login()
	o := s.manager.Open(s.header())
	require.NoError(t, o.Persist(ctx()))
	require.NoError(t, o.Close())
	_, ok := o.SetCookie()
	require.False(t, ok)
	require.False(t, o.Accessed())
	require.False(t, o.Consulted())
	require.Zero(t, s.store.reads+s.store.writes)
}

func TestPeek(t *testing.T) {
	s := newSite(t, func(o *compat.Options) { o.Timeout = time.Minute })
	s.login()
	s.now = s.now.Add(30 * time.Second)
	o := s.manager.Open(s.header())
	for range 2 {
		v, err := o.Peek(ctx())
		require.NoError(t, err)
		require.False(t, v.IsNew())
		k, ok := compat.Get[string](v, "k")
		require.True(t, ok)
		require.Equal(t, "v", k)
		created, ok := v.Created()
		require.True(t, ok)
		last, _ := v.LastAccessed()
		require.Equal(t, created, last)
		require.Equal(t, 5, v.Dict().Len())
		for range v.All() {
			break
		}
	}
	require.NoError(t, o.Persist(ctx()))
	_, ok := o.SetCookie()
	require.False(t, ok)
	require.False(t, o.Accessed())
	require.True(t, o.Consulted())
	require.Equal(t, 1, s.store.reads)
	require.Zero(t, s.store.writes)

	s.now = s.now.Add(time.Hour)
	v, err := s.manager.Open(s.header()).Peek(ctx())
	require.NoError(t, err)
	require.True(t, v.IsNew(), "timed out")
	_, ok = v.Get("k")
	require.False(t, ok)
	require.True(t, s.stored(s.id()), "a look removes nothing")

	v, err = s.manager.Open("").Peek(ctx())
	require.NoError(t, err)
	require.True(t, v.IsNew())

	// A look at a session that is in use shows its present state.
	s.request(func(x *compat.Session) {})
	o = s.manager.Open("")
	x, err := o.Session(ctx())
	require.NoError(t, err)
	require.NoError(t, x.Set("now", 1))
	v, err = o.Peek(ctx())
	require.NoError(t, err)
	_, ok = v.Get("now")
	require.True(t, ok)
}

func TestTouchInterval(t *testing.T) {
	tests := []struct {
		timeout, interval, age time.Duration
		writes                 int
	}{
		{time.Hour, -1, 60 * time.Second, 0},
		{time.Hour, -1, 61 * time.Second, 1},
		{100 * time.Second, -1, 10 * time.Second, 0},
		{100 * time.Second, -1, 11 * time.Second, 1},
		{compat.NoTimeout, -1, 60 * time.Second, 0},
		{compat.NoTimeout, -1, 61 * time.Second, 1},
		{time.Hour, 0, time.Millisecond, 1},
		{time.Hour, 5 * time.Second, 5 * time.Second, 0},
		{time.Hour, 5 * time.Second, 6 * time.Second, 1},
	}
	for _, tc := range tests {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			s := newSite(t, func(o *compat.Options) { o.Timeout, o.TouchInterval = tc.timeout, tc.interval })
			s.login()
			s.now = start.Add(tc.age)
			s.request(func(x *compat.Session) { x.Get("k") })
			require.Equal(t, tc.writes, s.store.writes)
		})
	}
}

func TestTimeout(t *testing.T) {
	s := newSite(t, func(o *compat.Options) { o.Timeout = time.Minute })
	s.login()
	old := s.id()
	s.now = start.Add(time.Minute)
	s.request(func(x *compat.Session) { require.False(t, x.IsNew(), "valid exactly at the timeout") })

	s.now = s.now.Add(time.Minute + time.Millisecond)
	s.request(func(x *compat.Session) {
		require.True(t, x.IsNew())
		require.True(t, x.WasInvalidated())
		_, ok := x.Get("k")
		require.False(t, ok)
		require.NoError(t, x.Set("n", 1))
		x.Save()
	})
	require.NotEqual(t, old, s.id())
	require.False(t, s.stored(old), "the record of a timed-out session goes away")
}

// A record that somebody used after we found it timed out is not removed.
func TestTimeoutIsLookedAtAgain(t *testing.T) {
	s := newSite(t, func(o *compat.Options) { o.Timeout = time.Minute })
	s.login()
	old := s.id()
	d := s.record(old)
	s.now = start.Add(time.Hour)
	o := s.manager.Open(s.header())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	require.True(t, x.IsNew())
	d.SetStr("_accessed_time", pyvalue.Float(float64(s.now.Unix())))
	require.NoError(t, s.store.Put(ctx(), old, d))
	require.NoError(t, o.Persist(ctx()))
	require.True(t, s.stored(old))
}

func TestTimesOfOtherTypes(t *testing.T) {
	tests := []struct {
		name    string
		at      pyvalue.Value
		expired bool
	}{
		{"int", pyvalue.NewInt(1600000000), true},
		{"recent int", pyvalue.NewInt(1700000000), false},
		{"none at all", nil, false},
		{"text", pyvalue.Str("yesterday"), true}, // as a record that cannot be read
		{"nan", pyvalue.Float(nan()), false},
		{"in the future", pyvalue.Float(1e300), false},
		{"before all times", pyvalue.Float(-1e300), true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, func(o *compat.Options) { o.Timeout = time.Minute })
			s.login()
			d := s.record(s.id())
			d.DeleteStr("_accessed_time")
			if tc.at != nil {
				d.SetStr("_accessed_time", tc.at)
			}
			require.NoError(t, s.store.Put(ctx(), s.id(), d))
			s.request(func(x *compat.Session) {
				require.Equal(t, tc.expired, x.IsNew())
				if !tc.expired {
					x.Save()
				}
			})
		})
	}
}

func nan() float64 { z := 0.0; return z / z }

func TestEndOfASession(t *testing.T) {
	tests := []struct {
		name         string
		do           func(*testing.T, *compat.Session)
		remove       bool // DeleteRecords
		oldIsThere   bool
		afterwardNew bool
		keepsData    bool
	}{
		{name: "delete", do: func(_ *testing.T, x *compat.Session) { x.Delete() }, remove: true, afterwardNew: true},
		{name: "delete as Beaker", do: func(_ *testing.T, x *compat.Session) { x.Delete() }, oldIsThere: true, afterwardNew: true},
		{name: "invalidate", do: func(t *testing.T, x *compat.Session) { require.NoError(t, x.Invalidate()) }, remove: true, afterwardNew: true},
		{name: "invalidate as Beaker", do: func(t *testing.T, x *compat.Session) { require.NoError(t, x.Invalidate()) }, oldIsThere: true, afterwardNew: true},
		{name: "regenerate", do: func(t *testing.T, x *compat.Session) { require.NoError(t, x.RegenerateID()) }, remove: true, keepsData: true},
		{name: "regenerate as Beaker", do: func(t *testing.T, x *compat.Session) { require.NoError(t, x.RegenerateID()) }, oldIsThere: true, keepsData: true},
		{
			name: "regenerate and save", remove: true, keepsData: true,
			do: func(t *testing.T, x *compat.Session) {
				require.NoError(t, x.RegenerateID())
				require.NoError(t, x.Set("more", true))
				x.Save()
			},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, func(o *compat.Options) { o.DeleteRecords = tc.remove })
			s.login()
			old := s.id()
			s.request(func(x *compat.Session) { tc.do(t, x) })
			require.Equal(t, tc.oldIsThere, s.stored(old))
			s.request(func(x *compat.Session) {
				require.Equal(t, tc.afterwardNew, x.IsNew())
				_, ok := x.Get("k")
				require.Equal(t, tc.keepsData, ok)
			})
		})
	}
}

// What Beaker from 1.11 on leaves after a delete is a new session to us, where
// Python finds one that is not new and has no creation time.
func TestDeletedByPython(t *testing.T) {
	for _, values := range []*pyvalue.Dict{
		{},
		pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Str("_domain"), Value: pyvalue.None{}}, pyvalue.Entry{Key: pyvalue.Str("_path"), Value: pyvalue.Str("/")}),
		pyvalue.NewDict(pyvalue.Entry{Key: pyvalue.Py2Str("_path"), Value: pyvalue.Py2Str("/")}, pyvalue.Entry{Key: pyvalue.Py2Str("_accessed_time"), Value: pyvalue.Float(1700000005)}),
	} {
		s := newSite(t)
		s.login()
		id := s.id()
		require.NoError(t, s.store.Put(ctx(), id, values))
		text := s.request(func(x *compat.Session) {
			require.True(t, x.IsNew())
			_, ok := x.Created()
			require.True(t, ok)
			require.NoError(t, x.Set("again", 1))
			x.Save()
		})
		require.Empty(t, text, "the browser has this id already")
		_, ok := s.record(id).GetStr("again")
		require.True(t, ok)
	}
}

func TestUnknownID(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	signed := string(beakerfmt.AppendSigned(nil, []byte("sekrit"), id))
	save := func(x *compat.Session) {
		require.True(t, x.IsNew())
		require.NoError(t, x.Set("k", "v"))
		x.Save()
	}
	s := newSite(t)
	s.cookie = signed
	require.NotEmpty(t, s.request(save))
	require.NotEqual(t, signed, s.cookie, "an id that a client made up is not taken")

	s = newSite(t, func(o *compat.Options) { o.AdoptUnknownIDs = true })
	s.cookie = signed
	require.Empty(t, s.request(save))
	require.True(t, s.stored(id))
}

func TestCookiesThatCarryNoSession(t *testing.T) {
	s := newSite(t)
	s.login()
	good := s.cookie
	headers := map[string]string{
		"no cookie":         "",
		"other cookie":      "a=b",
		"bad signature":     "beaker.session.id=" + strings.Repeat("0", 40) + good[40:],
		"unsigned":          "beaker.session.id=" + good[40:],
		"upper case":        "beaker.session.id=" + strings.ToUpper(good[:40]) + good[40:],
		"garbage last":      "beaker.session.id=" + good + "; beaker.session.id=x",
		"python drops it":   "flag; beaker.session.id=" + good,
		"path as id":        "beaker.session.id=" + string(beakerfmt.AppendSigned(nil, []byte("sekrit"), "../../etc/passwd")),
		"empty signed id":   "beaker.session.id=" + string(beakerfmt.AppendSigned(nil, []byte("sekrit"), "")),
		"signed by another": "beaker.session.id=" + string(beakerfmt.AppendSigned(nil, []byte("other"), good[40:])),
	}
	for name, header := range headers {
		t.Run(name, func(t *testing.T) {
			x, err := s.manager.Open(header).Session(ctx())
			require.NoError(t, err)
			require.True(t, x.IsNew())
		})
	}
	x, err := s.manager.Open("x=y; beaker.session.id=bad; beaker.session.id=\"" + good + "\"").Session(ctx())
	require.NoError(t, err)
	require.False(t, x.IsNew())

	s.open(func(o *compat.Options) { o.LenientCookies = true })
	x, err = s.manager.Open("flag; beaker.session.id=" + good).Session(ctx())
	require.NoError(t, err)
	require.False(t, x.IsNew())

	s.open(func(o *compat.Options) { o.Secret, o.OldSecrets = "new", []string{"older", "sekrit"} })
	x, err = s.manager.Open("beaker.session.id=" + good).Session(ctx())
	require.NoError(t, err)
	require.False(t, x.IsNew(), "an older secret is good for reading")

	s.open(func(o *compat.Options) { o.Secret = "" })
	x, err = s.manager.Open("beaker.session.id=" + good[40:]).Session(ctx())
	require.NoError(t, err)
	require.False(t, x.IsNew(), "without a secret the cookie is the id")
}

func TestCorruptRecord(t *testing.T) {
	s := newSite(t)
	s.login()
	old := s.id()
	require.NoError(t, s.store.Put(ctx(), old, pyvalue.Str("abc")))
	o := s.manager.Open(s.header())
	v, err := o.Peek(ctx())
	require.NoError(t, err)
	require.True(t, v.IsNew())
	text := s.request(func(x *compat.Session) {
		require.True(t, x.IsNew())
		require.True(t, x.WasInvalidated())
	})
	require.NotEmpty(t, text)
	require.NotEqual(t, old, s.id())
	require.True(t, s.stored(old), "what cannot be read is not removed")

	s.open(func(o *compat.Options) { o.InvalidateCorrupt = false })
	s.cookie = string(beakerfmt.AppendSigned(nil, []byte("sekrit"), old))
	o = s.manager.Open(s.header())
	_, err = o.Session(ctx())
	require.ErrorIs(t, err, stores.ErrCorrupt)
	require.NotContains(t, err.Error(), old)
	_, err = o.Peek(ctx())
	require.ErrorIs(t, err, stores.ErrCorrupt)
	require.NoError(t, o.Persist(ctx()))
}

// A store that is down logs nobody out.
func TestUnavailableStore(t *testing.T) {
	s := newSite(t)
	s.login()
	down := fmt.Errorf("no route: %w", stores.ErrUnavailable)
	s.store.fail = down
	o := s.manager.Open(s.header())
	_, err := o.Session(ctx())
	require.ErrorIs(t, err, stores.ErrUnavailable)
	_, err = o.Peek(ctx())
	require.ErrorIs(t, err, stores.ErrUnavailable)
	_, err = s.manager.GetByID(ctx(), s.id())
	require.ErrorIs(t, err, stores.ErrUnavailable)

	s.store.fail = nil
	for name, do := range map[string]func(*compat.Session){
		"save":       func(x *compat.Session) { _ = x.Set("a", 1); x.Save() },
		"delete":     (*compat.Session).Delete,
		"invalidate": func(x *compat.Session) { _ = x.Invalidate() },
		"regenerate": func(x *compat.Session) { _ = x.RegenerateID() },
		"move":       func(x *compat.Session) { _ = x.RegenerateID(); x.Save() },
	} {
		t.Run(name, func(t *testing.T) {
			s.store.fail = nil
			o := s.manager.Open(s.header())
			x, err := o.Session(ctx())
			require.NoError(t, err)
			do(x)
			s.store.fail = down
			require.ErrorIs(t, o.Persist(ctx()), stores.ErrUnavailable)
			s.store.fail = nil
			require.True(t, s.stored(s.id()), "the old record is whole")
			require.NoError(t, o.Persist(ctx()), "and can be written once the store is back")
		})
		s.cookie = ""
		s.login()
	}
}

func TestGetByID(t *testing.T) {
	s := newSite(t, func(o *compat.Options) { o.Timeout = time.Minute })
	s.login()
	x, err := s.manager.GetByID(ctx(), s.id())
	require.NoError(t, err)
	require.Equal(t, s.id(), x.ID())
	require.NoError(t, x.Set("from", "elsewhere"))
	x.Save()
	require.NoError(t, x.Persist(ctx()))
	_, ok := s.record(s.id()).GetStr("from")
	require.True(t, ok)

	_, err = s.manager.GetByID(ctx(), "ffffffffffffffffffffffffffffffff")
	require.ErrorIs(t, err, stores.ErrNotExist)
	_, err = s.manager.GetByID(ctx(), "../x")
	require.ErrorIs(t, err, stores.ErrInvalidID)
	s.now = s.now.Add(time.Hour)
	_, err = s.manager.GetByID(ctx(), s.id())
	require.ErrorIs(t, err, stores.ErrNotExist)
}

func TestRevertAndClear(t *testing.T) {
	s := newSite(t)
	s.login()
	s.request(func(x *compat.Session) {
		require.NoError(t, x.Revert(), "nothing to take back")
		require.NoError(t, x.Set("k", "other"))
		require.NoError(t, x.Set("n", 1))
		require.NoError(t, x.Revert())
		got, _ := compat.Get[string](x, "k")
		require.Equal(t, "v", got)
		_, ok := x.Get("n")
		require.False(t, ok)
		x.Clear()
		_, ok = x.Get("_creation_time")
		require.False(t, ok)
		path, ok := compat.Get[string](x, "_path")
		require.True(t, ok)
		require.Equal(t, "/", path)
	})
	s.request(func(x *compat.Session) {
		_, ok := x.Get("k")
		require.True(t, ok, "not saved, so not cleared")
		require.NoError(t, x.Set("_expires", true))
		x.Expire()
		_, ok = x.Get("_expires")
		require.False(t, ok)
	})
	o := s.manager.Open("")
	x, err := o.Session(ctx())
	require.NoError(t, err)
	require.NoError(t, x.Set("n", 1))
	require.NoError(t, x.Revert())
	_, ok := x.Get("n")
	require.False(t, ok)
}

func TestSetRefusesWhatPythonHasNoWordFor(t *testing.T) {
	s := newSite(t)
	s.request(func(x *compat.Session) {
		require.Error(t, x.Set("f", func() {}))
		require.Error(t, x.Set("\xff", 1))
		require.Equal(t, 4, x.Len())
	})
}

func TestLock(t *testing.T) {
	s := newSite(t)
	s.login()
	o1, o2 := s.manager.Open(s.header()), s.manager.Open(s.header())
	x1, err := o1.Session(ctx())
	require.NoError(t, err)
	x2, err := o2.Session(ctx())
	require.NoError(t, err)

	require.ErrorIs(t, x1.Unlock(), compat.ErrNotLocked)
	require.NoError(t, x1.Lock(ctx()))
	cancelled, cancel := context.WithCancel(ctx())
	cancel()
	require.ErrorIs(t, x2.Lock(cancelled), context.Canceled)
	require.ErrorIs(t, x1.Lock(ctx()), compat.ErrLocked)
	require.NoError(t, x1.Reload(ctx()))
	require.NoError(t, x1.Set("n", 1))
	x1.Save()
	require.NoError(t, o1.Persist(ctx()), "who holds the lock does not wait for it")
	require.NoError(t, o1.Close(), "a forgotten lock is given back")
	require.ErrorIs(t, x1.Unlock(), compat.ErrNotLocked)

	require.ErrorIs(t, x1.Lock(ctx()), compat.ErrClosed)

	limited, cancel := context.WithTimeout(ctx(), time.Hour)
	require.NoError(t, x2.Lock(limited))
	cancel() // that was for the waiting
	require.NoError(t, x2.Reload(ctx()))
	require.ErrorIs(t, x2.Reload(cancelled), context.Canceled)
	n, ok := compat.Get[int](x2, "n")
	require.True(t, ok)
	require.Equal(t, 1, n)
	require.NoError(t, x2.Unlock())
	require.NoError(t, s.manager.Open("").Close())
}

func TestReload(t *testing.T) {
	s := newSite(t)
	s.login()
	require.Empty(t, s.request(func(x *compat.Session) {
		x.Delete()
		require.NoError(t, x.Reload(ctx()))
		_, ok := x.Get("k")
		require.True(t, ok, "a delete can be taken back before it is written")
	}))
	s.request(func(x *compat.Session) {
		require.NoError(t, x.Set("k", "lost"))
		require.NoError(t, x.RegenerateID())
		id := x.ID()
		require.NoError(t, x.Reload(ctx()))
		got, _ := compat.Get[string](x, "k")
		require.Equal(t, "v", got)
		require.Equal(t, id, x.ID())
		require.NoError(t, x.Reload(ctx()))
	})
	s.request(func(x *compat.Session) {
		require.False(t, x.IsNew())
		require.NoError(t, s.store.Delete(ctx(), s.id()))
		require.NoError(t, x.Reload(ctx()))
		require.True(t, x.IsNew())
	})
	x, err := s.manager.Open("").Session(ctx())
	require.NoError(t, err)
	require.NoError(t, x.Reload(ctx()))
}

// Several goroutines of one request may use its session.
func TestGoroutinesOfOneRequest(t *testing.T) {
	s := newSite(t)
	s.login()
	o := s.manager.Open(s.header())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			x, err := o.Session(ctx())
			if err != nil {
				t.Error(err)
				return
			}
			key := fmt.Sprint("g", i)
			_ = x.Set(key, i)
			x.Get(key)
			x.Save()
			for range x.All() {
			}
			_ = x.ID()
			_, _ = o.SetCookie()
			_, _ = o.Peek(ctx())
		})
	}
	wg.Wait()
	require.NoError(t, o.Persist(ctx()))
	require.Equal(t, 5+8, s.record(s.id()).Len())
}

func TestNoRandomness(t *testing.T) {
	m, err := compat.New(compat.Defaults(), &watchedStore{}, compat.Environment{Random: brokenReader{}})
	require.NoError(t, err)
	_, err = m.Open("").Session(ctx())
	require.ErrorContains(t, err, "dry")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("dry") }

// What would look like users who are logged out for no reason is in the log,
// without anything that is theirs.
func TestLog(t *testing.T) {
	s := newSite(t)
	s.login()
	id, cookie := s.id(), s.cookie
	s.open(func(o *compat.Options) { o.Secret = "other" })
	for range 3 {
		_, err := s.manager.Open(s.header()).Session(ctx())
		require.NoError(t, err)
	}
	require.Equal(t, 1, strings.Count(s.log.String(), "another secret"), "once a minute is enough")
	s.now = s.now.Add(time.Minute)
	_, err := s.manager.Open(s.header()).Session(ctx())
	require.NoError(t, err)
	require.Contains(t, s.log.String(), "count=3")
	require.NotContains(t, s.log.String(), id)
	require.NotContains(t, s.log.String(), cookie[:40])

	for _, peer := range []compat.Peer{{}, {Major: 1, Minor: 11}} {
		s := newSite(t, func(o *compat.Options) { o.Peer = peer })
		s.login()
		require.NoError(t, s.store.Put(ctx(), s.id(), s.record(s.id()))) // as a dict
		for range 2 {
			s.request(func(x *compat.Session) { require.False(t, x.IsNew()) })
		}
		require.Equal(t, peer.IsAuto(), strings.Count(s.log.String(), "set the peer") == 1)
	}
}

func TestPending(t *testing.T) {
	s := newSite(t)
	o := s.manager.Open("")
	require.False(t, o.Pending())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	for name, do := range map[string]func(){
		"set and save": func() { _ = x.Set("a", 1); x.Save() },
		"set, saved":   func() { _ = x.Set("a", 2) },
		"invalidate":   func() { _ = x.Invalidate() },
		"regenerate":   func() { _ = x.RegenerateID() },
		"delete":       x.Delete,
	} {
		x.Save()
		require.NoError(t, o.Persist(ctx()))
		require.False(t, o.Pending(), name)
		do()
		require.True(t, o.Pending(), name)
	}
}
