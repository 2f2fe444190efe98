package compat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

func TestLoadEvents(t *testing.T) {
	load := func(s *site) {
		o := s.manager.Open(s.header())
		_, _ = o.Peek(ctx())
		require.Len(s.t, s.told(), 1)
		_, _ = o.Session(ctx())
	}
	for want, prepare := range map[string]func(s *site){
		"load live":    func(*site) {},
		"load none":    func(s *site) { s.cookie = "" },
		"load unknown": func(s *site) { require.NoError(s.t, s.store.Delete(ctx(), s.id())) },
		"load expired": func(s *site) { s.now = s.now.Add(time.Hour) },
		"load dead":    func(s *site) { require.NoError(s.t, s.store.Put(ctx(), s.id(), dictOf("_path", "/"))) },
		"load corrupt": func(s *site) { require.NoError(s.t, s.store.Put(ctx(), s.id(), pyvalue.Str("?"))) },
		"load undecryptable": func(s *site) {
			s.open(encrypted)
		},
		"load unavailable": func(s *site) { s.store.fail = stores.ErrUnavailable },
		"load canceled":    func(s *site) { s.store.fail = fmt.Errorf("x: %w", context.Canceled) },
		"load failed":      func(s *site) { s.store.fail = errors.New("x") },
	} {
		t.Run(want, func(t *testing.T) {
			s := newSite(t, func(o *compat.Options) { o.Timeout = 10 * time.Minute })
			s.login()
			prepare(s)
			s.told()
			load(s)
			require.Equal(t, []string{want}, s.told())
		})
	}
	t.Run("by id and again", func(t *testing.T) {
		s := newSite(t)
		s.login()
		s.told()
		x, err := s.manager.GetByID(ctx(), s.id())
		require.NoError(t, err)
		require.NoError(t, x.Reload(ctx()))
		require.Equal(t, []string{"load live", "load live"}, s.told())
	})
}

// TestRefusalEvents: a forged cookie is told of once, however often it is asked about.
func TestRefusalEvents(t *testing.T) {
	for name, change := range map[string]func(*compat.Options){"store": func(*compat.Options) {}, "cookie": cookieOnly} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, change)
			s.login()
			s.told()
			s.cookie = strings.Repeat("0", 40) + s.cookie[40:]
			o := s.manager.Open(s.header())
			require.True(t, o.Refused())
			_, ok := o.ID()
			require.False(t, ok)
			require.Equal(t, []string{"refusal refused"}, s.told())
			_, err := o.Session(ctx())
			require.NoError(t, err)
			require.True(t, o.Refused())
			require.Equal(t, []string{"load refused"}, s.told())
			require.Contains(t, s.log.String(), "signature of another")
			require.Equal(t, 1, strings.Count(s.log.String(), "\n"))
			require.Zero(t, s.store.reads)
		})
	}
}

func TestSaveEvents(t *testing.T) {
	set := func(key string) func(x *compat.Session) {
		return func(x *compat.Session) { _ = x.Set(key, "w"); x.Save() }
	}
	t.Run("store", func(t *testing.T) {
		s := newSite(t)
		s.login()
		require.Equal(t, []string{"load none", "save ok"}, s.told())
		s.request(set("k"))
		require.Equal(t, []string{"load live", "save ok"}, s.told())
		s.request(func(x *compat.Session) {
			s.byPeer("peer")
			set("other")(x)
		})
		require.Equal(t, []string{"load live", "save merged"}, s.told())
		s.request(func(x *compat.Session) {
			s.now = s.now.Add(time.Hour)
			s.touch()
			set("other")(x)
		})
		require.Equal(t, "save ok", last(s.told()), "nobody has changed anything but the access time")
		s.request(func(x *compat.Session) { _ = x.RegenerateID() })
		require.Equal(t, []string{"load live", "save ok"}, s.told())
		s.request(func(x *compat.Session) {
			require.NoError(t, s.store.Delete(ctx(), s.id()))
			set("k")(x)
		})
		require.Equal(t, []string{"load live", "save ended"}, s.told())
	})
	t.Run("what cannot be written", func(t *testing.T) {
		s := newSite(t)
		s.login()
		o := s.manager.Open(s.header())
		x, err := o.Session(ctx())
		require.NoError(t, err)
		set("k")(x)
		s.told()
		s.store.fail = stores.ErrUnavailable
		require.Error(t, o.Persist(ctx()))
		require.Equal(t, []string{"save unavailable"}, s.told())
	})
	t.Run("retries", func(t *testing.T) {
		s := newSite(t)
		s.openOtherwise("compare and set", func(*compat.Options) {})
		s.login()
		s.request(set("k"))
		e := last(s.events.all)
		require.Equal(t, compat.Event{
			Kind: compat.KindSave, Outcome: compat.OutcomeOK, Retries: 1,
			Form: e.Form, HasForm: true,
		}, e)
		require.Equal(t, beakerfmt.TextStr, e.Form.Text)
		s.now = s.now.Add(time.Hour)
		s.touch()
		e = last(s.events.all)
		require.Equal(t, compat.KindTouch, e.Kind)
		require.Equal(t, 1, e.Retries)
		require.True(t, e.HasForm)
	})
	t.Run("cookie", func(t *testing.T) {
		s := newSite(t, cookieOnly)
		s.login()
		s.request(set("k"))
		require.Equal(t, []string{"load none", "save ok", "load live", "save ok"}, s.told())
		o := s.manager.Open(s.header())
		x, err := o.Session(ctx())
		require.NoError(t, err)
		require.NoError(t, x.Set("k", strings.Repeat("x", 5000)))
		x.Save()
		require.Error(t, o.Persist(ctx()))
		require.Equal(t, []string{"load live", "save too_long"}, s.told())
	})
}

// TestOldKeyEvents: as long as they come, the older key is needed.
func TestOldKeyEvents(t *testing.T) {
	for name, tc := range map[string]struct{ before, after func(*compat.Options) }{
		"secret": {func(*compat.Options) {}, func(o *compat.Options) { o.Secret, o.OldSecrets = "next", []string{"sekrit"} }},
		"cookie": {cookieOnly, func(o *compat.Options) {
			cookieOnly(o)
			o.ValidateKey, o.OldValidateKeys = "next", []string{"validate-key"}
		}},
		"encryption": {encrypted, func(o *compat.Options) {
			encrypted(o)
			o.EncryptKey, o.OldEncryptKeys = "next", []string{"encrypt-key"}
		}},
	} {
		for _, cacheTime := range []time.Duration{0, time.Hour} {
			s := newSite(t, tc.before)
			s.login()
			s.open(tc.after, func(o *compat.Options) { o.CacheTime = cacheTime })
			load := func() compat.Event {
				s.told()
				_, err := s.manager.Open(s.header()).Peek(ctx())
				require.NoError(t, err)
				require.Equal(t, compat.OutcomeLive, s.events.all[0].Outcome, name)
				return s.events.all[0]
			}
			require.True(t, load().OldKey, name)
			s.request(func(x *compat.Session) { x.Save(); _ = x.Set("k", "w") })
			require.False(t, load().OldKey, name)
		}
	}
}

func last[T any](all []T) T { return all[len(all)-1] }

func TestEventsCostNothing(t *testing.T) {
	s := newSite(t, cached, func(o *compat.Options) { o.Secret = "" }) // the pool of MACs would be counted, too
	s.login()
	count := 0
	m, err := compat.New(s.manager.Options(), s.store, compat.Environment{
		Now:     func() time.Time { return s.now },
		Observe: func(compat.Event) { count++ },
	})
	require.NoError(t, err)
	silent, err := compat.New(s.manager.Options(), s.store, compat.Environment{Now: func() time.Time { return s.now }})
	require.NoError(t, err)
	header := s.header()
	allocs := func(m *compat.Manager) float64 {
		return testing.AllocsPerRun(100, func() { _, _ = m.Open(header).Peek(ctx()) })
	}
	require.Equal(t, allocs(silent), allocs(m))
	require.Positive(t, count)
}

func TestID(t *testing.T) {
	t.Run("store", func(t *testing.T) {
		s := newSite(t)
		s.login()
		id, ok := s.manager.Open(s.header()).ID()
		require.True(t, ok)
		require.Equal(t, s.id(), id)
		s.store.fail = stores.ErrUnavailable
		_, ok = s.manager.Open(s.header()).ID()
		require.True(t, ok, "nobody is asked")
		for _, header := range []string{"", "other=x", "beaker.session.id=", `beaker.session.id=""`, "beaker.session.id=" + id} {
			o := s.manager.Open(header)
			_, ok := o.ID()
			require.False(t, ok, header)
			require.Equal(t, strings.HasSuffix(header, id), o.Refused(), header)
		}
		s.open(func(o *compat.Options) { o.Secret, o.OldSecrets = "next", []string{"sekrit"} })
		was, ok := s.manager.Open(s.header()).ID()
		require.True(t, ok)
		require.Equal(t, id, was)
		s.open(func(o *compat.Options) { o.UseCookies = false })
		_, ok = s.manager.Open(s.header()).ID()
		require.False(t, ok)
	})
	t.Run("unsigned", func(t *testing.T) {
		s := newSite(t, func(o *compat.Options) { o.Secret = "" })
		o := s.manager.Open("beaker.session.id=abc")
		id, ok := o.ID()
		require.True(t, ok)
		require.Equal(t, "abc", id)
		require.False(t, o.Refused())
		o = s.manager.Open("beaker.session.id=../x")
		_, ok = o.ID()
		require.False(t, ok)
		require.False(t, o.Refused())
	})
	t.Run("cookie", func(t *testing.T) {
		s := newSite(t, cookieOnly, encrypted)
		s.login()
		want := text(t, func() *pyvalue.Dict { d, _ := s.payload(); return d }(), "_id")
		o := s.manager.Open(s.header())
		s.told()
		id, ok := o.ID()
		require.True(t, ok)
		require.Equal(t, want, id)
		require.False(t, o.Consulted())
		_, err := o.Peek(ctx())
		require.NoError(t, err)
		require.Equal(t, []string{"load live"}, s.told(), "it is decoded once")
		require.True(t, o.Consulted())
		_, ok = s.manager.Open("").ID()
		require.False(t, ok)
	})
}
