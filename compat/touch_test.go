package compat_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// touch is a request that only looks at its session, and counts as a use.
func (s *site) touch() (setCookie string) {
	s.t.Helper()
	o := s.manager.Open(s.header())
	require.NoError(s.t, o.Touch(ctx()))
	require.NoError(s.t, o.Persist(ctx()))
	require.False(s.t, o.Accessed())
	require.True(s.t, o.Touched())
	setCookie, _ = o.SetCookie()
	return setCookie
}

// accessed is the access time in the record of the browser's session, in seconds after
// the start.
func (s *site) accessed() float64 {
	v, ok := s.record(s.id()).GetStr("_accessed_time")
	require.True(s.t, ok)
	return float64(v.(pyvalue.Float)) - 1700000000.25
}

func TestTouch(t *testing.T) {
	for _, tc := range []struct {
		timeout, interval, age time.Duration
		off                    bool // save_accessed_time
		told                   string
	}{
		{timeout: time.Hour, interval: -1, age: 60 * time.Second},
		{timeout: time.Hour, interval: -1, age: 61 * time.Second, told: "touch ok"},
		{timeout: 100 * time.Second, interval: -1, age: 10 * time.Second},
		{timeout: 100 * time.Second, interval: -1, age: 11 * time.Second, told: "touch ok"},
		{timeout: 100 * time.Second, interval: -1, age: 101 * time.Second},
		{timeout: compat.NoTimeout, interval: -1, age: 61 * time.Second, told: "touch ok"},
		{timeout: compat.NoTimeout, interval: -1, age: time.Hour, off: true},
		{timeout: time.Hour, interval: 0, age: time.Millisecond, told: "touch ok"},
		{timeout: time.Hour, interval: 5 * time.Second, age: 5 * time.Second},
		{timeout: time.Hour, interval: 5 * time.Second, age: 6 * time.Second, told: "touch ok"},
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			s := newSite(t, func(o *compat.Options) {
				o.Timeout, o.TouchInterval, o.SaveAccessedTime = tc.timeout, tc.interval, !tc.off
			})
			s.login()
			before := s.record(s.id())
			s.now = start.Add(tc.age)
			s.told()
			require.Empty(t, s.touch(), "the browser needs no new cookie")
			told := strings.Join(s.told()[1:], ", ")
			require.Equal(t, tc.told, told)
			if tc.told == "" {
				require.Zero(t, s.store.writes)
				require.Zero(t, s.accessed())
				return
			}
			require.Equal(t, 1, s.store.writes)
			require.InDelta(t, tc.age.Seconds(), s.accessed(), 1e-6)
			after := s.record(s.id())
			before.DeleteStr("_accessed_time")
			after.DeleteStr("_accessed_time")
			require.Equal(t, before.Entries(), after.Entries(), "nothing else has changed")
		})
	}
}

// TestTouchAfterOthers: what happened to the record since it was looked at stays.
func TestTouchAfterOthers(t *testing.T) {
	timedOut := func(s *site) pyvalue.Value {
		d := s.record(s.id())
		d.SetStr("_accessed_time", pyvalue.Float(1600000000))
		return d
	}
	for name, tc := range map[string]struct {
		do   func(s *site) pyvalue.Value // nil: delete
		told string
	}{
		"deleted":                 {func(*site) pyvalue.Value { return nil }, "touch ended"},
		"deleted by Beaker":       {func(*site) pyvalue.Value { return dictOf("_domain", nil, "_path", "/") }, "touch ended"},
		"deleted by an older one": {func(*site) pyvalue.Value { return pyvalue.NewDict() }, "touch ended"},
		"timed out":               {timedOut, "touch ended"},
		"not readable any more":   {func(*site) pyvalue.Value { return pyvalue.Str("?") }, "touch failed"},
		"of an odd time":          {func(*site) pyvalue.Value { return dictOf("_accessed_time", "x", "k", "v") }, "touch failed"},
		"just used":               {func(s *site) pyvalue.Value { return dictOf("_accessed_time", float64(s.now.Unix()), "k", "v") }, "touch current"},
		"used by a clock ahead":   {func(s *site) pyvalue.Value { return dictOf("_accessed_time", float64(s.now.Unix()+5), "k", "v") }, "touch current"},
	} {
		for _, way := range []string{"updater", "compare and set", "neither"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				s := newSite(t, func(o *compat.Options) { o.Timeout = time.Hour })
				s.openOtherwise(way, func(o *compat.Options) { o.Timeout = time.Hour })
				s.login()
				s.now = s.now.Add(10 * time.Minute)
				o := s.manager.Open(s.header())
				_, err := o.Peek(ctx())
				require.NoError(t, err)
				now := tc.do(s)
				if now == nil {
					require.NoError(t, s.store.Delete(ctx(), s.id()))
				} else {
					require.NoError(t, s.store.Put(ctx(), s.id(), now))
				}
				s.store.reset()
				s.told()
				require.NoError(t, o.Touch(ctx()))
				require.Equal(t, []string{tc.told}, s.told())
				require.Zero(t, s.store.writes)
				_, set := o.SetCookie()
				require.False(t, set)
			})
		}
	}
	t.Run("changed", func(t *testing.T) {
		s := newSite(t)
		s.login()
		s.now = s.now.Add(time.Hour)
		o := s.manager.Open(s.header())
		_, err := o.Peek(ctx())
		require.NoError(t, err)
		require.NoError(t, s.store.Put(ctx(), s.id(), dictOf("k", "of another request", "_accessed_time", 1700000000.0, "more", "x")))
		require.NoError(t, o.Touch(ctx()))
		d := s.record(s.id())
		require.Equal(t, "of another request", text(t, d, "k"))
		require.Equal(t, 3, d.Len(), "not even a time of creation is added")
		require.Equal(t, s.now.Sub(start).Seconds(), s.accessed())
	})
}

func dictOf(pairs ...any) *pyvalue.Dict {
	d := pyvalue.NewDict()
	for i := 0; i < len(pairs); i += 2 {
		var v pyvalue.Value = pyvalue.None{}
		switch x := pairs[i+1].(type) {
		case string:
			v = pyvalue.Str(x)
		case float64:
			v = pyvalue.Float(x)
		}
		d.SetStr(pairs[i].(string), v)
	}
	return d
}

func (s *site) openOtherwise(way string, change func(*compat.Options)) {
	o := compat.Defaults()
	o.Secret = "sekrit"
	change(&o)
	switch way {
	case "compare and set":
		s.openWith(o, swapStore{s.store})
	case "neither":
		s.openWith(o, plainStore{s.store})
	}
}

// TestTouchOfNone: what is not there is not made by it.
func TestTouchOfNone(t *testing.T) {
	for name, cookie := range map[string]string{"no cookie": "", "unknown": "1e4c684fb206494191440c2cc28cbc22", "forged": "x"} {
		s := newSite(t, func(o *compat.Options) { o.Auto = true })
		s.login()
		if cookie = strings.TrimSpace(cookie); len(cookie) > 1 {
			cookie = string(beakerfmt.AppendSigned(nil, []byte("sekrit"), cookie))
		}
		s.cookie = cookie
		s.now = s.now.Add(time.Hour)
		require.Empty(t, s.touch(), name)
		require.Zero(t, s.store.writes, name)
	}
	s := newSite(t)
	o := s.manager.Open("")
	x, err := o.Session(ctx())
	require.NoError(t, err)
	require.NoError(t, o.Touch(ctx()))
	require.False(t, o.Accessed(), "a new session that nobody uses")
	x.Save()
	require.NoError(t, o.Persist(ctx()))
	require.Zero(t, s.store.writes)
}

// gatedStore is a store whose updates and reads can be held up.
type gatedStore struct {
	*memstore.Store
	mu             sync.Mutex
	reads, updates int
	update, get    func(ctx context.Context) error
}

func (g *gatedStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	v, err := g.Store.Get(ctx, id)
	if f := g.count(&g.reads, &g.get); f != nil {
		if err := f(ctx); err != nil {
			return nil, err
		}
	}
	return v, err
}

func (g *gatedStore) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	if gate := g.count(&g.updates, &g.update); gate != nil {
		if err := gate(ctx); err != nil {
			return err
		}
	}
	return g.Store.Update(ctx, id, f)
}

func (g *gatedStore) count(n *int, gate *func(context.Context) error) func(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	*n++
	return *gate
}

// TestTouchBurst: thirty images of one page whose access time is due cost one write, and
// only one of the requests waits for it.
func TestTouchBurst(t *testing.T) {
	s := newSite(t)
	gate := &gatedStore{Store: memstore.New()}
	s.openOver(gate)
	s.login()
	s.now = s.now.Add(time.Hour)
	var objects []*compat.SessionObject
	for range 30 {
		o := s.manager.Open(s.header())
		_, err := o.Peek(ctx())
		require.NoError(t, err)
		objects = append(objects, o)
	}
	begun, goOn := make(chan struct{}), make(chan struct{})
	gate.update = func(context.Context) error {
		close(begun) // twice would panic
		<-goOn
		return nil
	}
	s.told()
	first := make(chan error)
	go func() { first <- objects[0].Touch(ctx()) }()
	<-begun
	for _, o := range objects[1:] {
		require.NoError(t, o.Touch(ctx()))
	}
	close(goOn)
	require.NoError(t, <-first)
	require.Equal(t, []string{"touch ok"}, s.told())
	for range 30 { // and those who looked before it, but come after it
		o := objects[0]
		objects = append(objects[1:], s.manager.Open(s.header()))
		require.NoError(t, o.Touch(ctx()))
	}
	require.Empty(t, s.told())
	require.Equal(t, 1, gate.updates)

	s.now = s.now.Add(61 * time.Second)
	gate.update = nil
	s.touch()
	require.Equal(t, []string{"load live", "touch ok"}, s.told(), "it is due again")
}

// TestTouchOfLockedRecord: a lock that a slow request holds is not waited for longer than
// a second, and that the client has left does not end it before.
func TestTouchOfLockedRecord(t *testing.T) {
	s := newSite(t)
	gate := &gatedStore{Store: memstore.New()}
	s.openOver(gate)
	s.login()
	s.now = s.now.Add(time.Hour)
	left, leave := context.WithCancel(ctx())
	gate.update = func(ctx context.Context) error {
		leave()
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.LessOrEqual(t, time.Until(deadline), time.Second)
		require.NoError(t, ctx.Err())
		return context.DeadlineExceeded
	}
	s.told()
	o := s.manager.Open(s.header())
	err := o.Touch(left)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotContains(t, err.Error(), s.id())
	require.Equal(t, []string{"load live", "touch busy"}, s.told())

	gate.update = func(context.Context) error { panic("the lock was waited for again at once") }
	s.touch()
	require.Equal(t, []string{"load live"}, s.told())

	gate.update = nil
	s.now = s.now.Add(6 * time.Second)
	s.touch()
	require.Equal(t, []string{"load live", "touch ok"}, s.told(), "a later request does it")
}

// TestTouchOfLockedFile is that with a real lock, of another process as far as can be told.
func TestTouchOfLockedFile(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a second")
	}
	s := newSite(t)
	dir := t.TempDir()
	ours, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	theirs, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	s.openOver(ours)
	s.login()
	s.now = s.now.Add(time.Hour)
	o := s.manager.Open(s.header())
	_, err = o.Peek(ctx())
	require.NoError(t, err)
	_, unlock, err := theirs.Lock(ctx(), s.id())
	require.NoError(t, err)
	s.told()
	require.ErrorIs(t, o.Touch(ctx()), context.DeadlineExceeded)
	require.Equal(t, []string{"touch busy"}, s.told())
	require.NoError(t, o.Touch(ctx()))
	require.Empty(t, s.told(), "it is left alone for a moment")
	require.NoError(t, unlock())
	s.now = s.now.Add(6 * time.Second)
	require.NoError(t, o.Touch(ctx()))
	require.Equal(t, []string{"touch ok"}, s.told())
}

// TestReadTimeout: a session whose lock somebody holds is an outage after a while, not a
// request that never ends and not a logout.
func TestReadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, options := range map[string]func(*compat.Options){
			"plain": func(*compat.Options) {}, "cached": func(o *compat.Options) { o.CacheTime = time.Second },
		} {
			o := compat.Defaults()
			options(&o)
			m, err := compat.New(o, hungStore{memstore.New()}, compat.Environment{ReadTimeout: 5 * time.Second})
			require.NoError(t, err)
			begun := time.Now()
			_, err = m.Open("beaker.session.id=0123456789abcdef0123456789abcdef").Peek(t.Context())
			require.ErrorIs(t, err, stores.ErrUnavailable, name)
			require.ErrorIs(t, err, stores.ErrTimeout, name)
			require.Equal(t, 5*time.Second, time.Since(begun), name)
			_, err = m.Open("beaker.session.id=0123456789abcdef0123456789abcdef").Session(t.Context())
			require.ErrorIs(t, err, stores.ErrUnavailable, name)

			ended, end := context.WithTimeout(t.Context(), time.Second)
			_, err = m.Open("beaker.session.id=0123456789abcdef0123456789abcdef").Session(ended)
			end()
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.NotErrorIs(t, err, stores.ErrUnavailable, "the caller left")
		}
	})
}

// hungStore never answers.
type hungStore struct{ stores.Store }

func (hungStore) Get(ctx context.Context, _ string) (pyvalue.Value, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("store: %w", ctx.Err())
}

func TestTouchAndOutage(t *testing.T) {
	s := newSite(t)
	s.login()
	s.now = s.now.Add(time.Hour)
	o := s.manager.Open(s.header())
	_, err := o.Peek(ctx())
	require.NoError(t, err)
	s.store.fail = fmt.Errorf("down: %w", stores.ErrUnavailable)
	s.told()
	require.ErrorIs(t, o.Touch(ctx()), stores.ErrUnavailable)
	require.Equal(t, []string{"touch unavailable"}, s.told())
	require.ErrorIs(t, s.manager.Open(s.header()).Touch(ctx()), stores.ErrUnavailable)
	_, set := o.SetCookie()
	require.False(t, set, "nobody is logged out by it")
	s.store.fail = nil
	s.touch()
	require.Equal(t, 1, s.store.writes)
}

// TestSlidingTimeout: who reads every few seconds is never logged out, and costs few
// writes.
func TestSlidingTimeout(t *testing.T) {
	for _, cached := range []time.Duration{0, 20 * time.Second} {
		for _, kind := range []string{"store", "cookie"} {
			t.Run(fmt.Sprint(kind, cached), func(t *testing.T) {
				s := newSite(t, func(o *compat.Options) {
					if kind == "cookie" {
						cookieOnly(o)
					}
					o.Timeout, o.CacheTime = 100*time.Second, cached
				})
				s.login()
				cookies := 0
				for range 300 {
					s.now = s.now.Add(7 * time.Second)
					o := s.manager.Open(s.header())
					v, err := o.Peek(ctx())
					require.NoError(t, err)
					require.False(t, v.IsNew())
					require.NoError(t, o.Touch(ctx()))
					if text, ok := o.SetCookie(); ok {
						s.obey(text)
						cookies++
					}
				}
				if kind == "cookie" {
					require.InDelta(t, 150, cookies, 2)
				} else {
					require.InDelta(t, 150, s.store.writes, 2)
					require.Zero(t, cookies)
				}
				s.now = s.now.Add(101 * time.Second)
				v, err := s.manager.Open(s.header()).Peek(ctx())
				require.NoError(t, err)
				require.True(t, v.IsNew())
			})
		}
	}
}

func TestTouchCookieOnly(t *testing.T) {
	for name, change := range map[string]func(*compat.Options){"plain": cookieOnly, "encrypted": func(o *compat.Options) { cookieOnly(o); encrypted(o) }} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, change)
			s.login()
			before, _ := s.payload()
			require.Empty(t, s.touch(), "not due yet")
			s.now = s.now.Add(time.Hour)
			s.told()
			set := s.touch()
			require.Equal(t, []string{"load live", "touch ok"}, s.told())
			s.obey(set)
			after, _ := s.payload()
			at, _ := after.GetStr("_accessed_time")
			require.InDelta(t, s.now.Sub(start).Seconds(), float64(at.(pyvalue.Float))-1700000000.25, 1e-6)
			for _, d := range []*pyvalue.Dict{before, after} {
				d.DeleteStr("_accessed_time")
			}
			require.Equal(t, before.Entries(), after.Entries(), "nothing else has changed, its id least of all")
			require.Empty(t, s.touch())

			o := s.manager.Open(s.header())
			s.now = s.now.Add(time.Hour)
			require.NoError(t, o.Touch(ctx()))
			v, err := o.Peek(ctx())
			require.NoError(t, err)
			last, _ := v.LastAccessed()
			require.NotEqual(t, s.now.Unix(), last.Unix(), "what was looked at does not change")
			x, err := o.Session(ctx())
			require.NoError(t, err)
			require.True(t, o.Touched())
			x.Delete()
			require.NoError(t, o.Persist(ctx()))
			require.False(t, o.Touched())
			text, _ := o.SetCookie()
			require.Contains(t, text, "expires=Tue, 15-Nov-2022", "what a handler does goes before")
		})
	}
}

// TestTouchAfterTheKeysChanged: the cookie gets the signature of the present key.
func TestTouchAfterTheKeysChanged(t *testing.T) {
	t.Run("store", func(t *testing.T) {
		s := newSite(t)
		s.login()
		s.open(func(o *compat.Options) { o.Secret, o.OldSecrets = "next", []string{"sekrit"} })
		old, id := s.cookie, s.id()
		s.obey(s.touch())
		require.Zero(t, s.store.writes)
		require.NotEqual(t, old, s.cookie)
		now, key, err := beakerfmt.Verify([][]byte{[]byte("next")}, s.cookie)
		require.NoError(t, err)
		require.Equal(t, id, now)
		require.Zero(t, key)
		require.Empty(t, s.touch())

		s.cookie = old
		require.NoError(t, s.store.Delete(ctx(), id))
		require.Empty(t, s.touch(), "of a session that has gone there is no new cookie")
	})
	t.Run("cookie", func(t *testing.T) {
		s := newSite(t, cookieOnly)
		s.login()
		s.open(cookieOnly, func(o *compat.Options) { o.ValidateKey, o.OldValidateKeys = "next", []string{"validate-key"} })
		s.obey(s.touch())
		_, _, err := beakerfmt.Verify([][]byte{[]byte("next")}, s.cookie)
		require.NoError(t, err)
		require.Empty(t, s.touch())
	})
}

// TestTouchOfUsedSession: Persist does it all, once.
func TestTouchOfUsedSession(t *testing.T) {
	s := newSite(t)
	s.login()
	s.now = s.now.Add(time.Hour)
	s.told()
	o := s.manager.Open(s.header())
	x, err := o.Session(ctx())
	require.NoError(t, err)
	require.NoError(t, o.Touch(ctx()))
	require.True(t, o.Accessed())
	require.NoError(t, o.Persist(ctx()))
	require.Equal(t, []string{"load live", "touch ok"}, s.told())
	require.NoError(t, x.Set("k", "w"))
	x.Save()
	require.NoError(t, o.Touch(ctx()))
	require.NoError(t, o.Persist(ctx()))
	require.Equal(t, []string{"save ok"}, s.told()[:1])
	require.Equal(t, "w", text(t, s.record(s.id()), "k"))
}
