package compat_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/metered"
	"github.com/gobeaker/gobeaker/stores/tiered"
)

const cacheTime = 20 * time.Second

func cached(o *compat.Options) { o.CacheTime = cacheTime }

// peek returns the text under "k" as another request sees it, "" for a new session.
func (s *site) peek() string {
	s.t.Helper()
	v, err := s.manager.Open(s.header()).Peek(ctx())
	require.NoError(s.t, err)
	got, ok := v.Get("k")
	require.Equal(s.t, !ok, v.IsNew())
	t, _ := pyvalue.Text(got)
	return t
}

// byPeer changes the record past the manager, as Python does.
func (s *site) byPeer(value string) {
	s.t.Helper()
	d := s.record(s.id())
	d.SetStr("k", pyvalue.Str(value))
	v, err := new(beakerfmt.Codec).EncodeValue(d, beakerfmt.Form{Text: beakerfmt.TextStr})
	require.NoError(s.t, err)
	require.NoError(s.t, s.store.Put(ctx(), s.id(), v))
}

func TestCache(t *testing.T) {
	s := newSite(t, cached)
	s.login()
	s.told()
	require.Equal(t, "v", s.peek())
	for range 5 {
		s.now = s.now.Add(4 * time.Second)
		require.Equal(t, "v", s.peek())
	}
	require.Equal(t, 1, s.store.reads)
	require.Equal(t, []string{"load live", "cache miss", "cache hit", "cache hit", "cache hit", "cache hit", "cache hit"}, s.told())

	s.now = s.now.Add(time.Millisecond)
	require.Equal(t, "v", s.peek())
	require.Equal(t, []string{"cache same"}, s.told(), "it is read again, and has not changed")
	require.Equal(t, 2, s.store.reads)
	require.Equal(t, "v", s.peek())
	require.Equal(t, []string{"cache hit"}, s.told())

	s.byPeer("w")
	s.store.reset()
	require.Equal(t, "v", s.peek())
	s.now = s.now.Add(cacheTime)
	require.Equal(t, "v", s.peek())
	s.now = s.now.Add(1)
	require.Equal(t, "w", s.peek(), "and not a moment longer")

	s.now = s.now.Add(-time.Hour)
	s.told()
	require.Equal(t, "w", s.peek())
	require.Equal(t, []string{"cache same"}, s.told(), "a clock that was set back makes nothing last")
}

// TestCacheForgetsOwnWrites: what is written here is seen here at once.
func TestCacheForgetsOwnWrites(t *testing.T) {
	save := func(x *compat.Session) {
		_ = x.Set("k", "own")
		x.Save()
	}
	for name, tc := range map[string]struct {
		do   func(s *site)
		want string
	}{
		"save":   {func(s *site) { s.request(save) }, "own"},
		"delete": {func(s *site) { c := s.cookie; s.request((*compat.Session).Delete); s.cookie = c }, ""},
		"invalidate": {func(s *site) {
			c := s.cookie
			s.request(func(x *compat.Session) { _ = x.Invalidate() })
			s.cookie = c
		}, ""},
		"regenerate": {func(s *site) {
			c := s.cookie
			s.request(func(x *compat.Session) { _ = x.RegenerateID() })
			require.Equal(s.t, "v", s.peek())
			s.cookie = c
		}, ""},
		"by id": {func(s *site) {
			x, err := s.manager.GetByID(ctx(), s.id())
			require.NoError(s.t, err)
			save(x)
			require.NoError(s.t, x.Persist(ctx()))
		}, "own"},
		"past the manager": {func(s *site) {
			s.byPeer("peer")
			require.Equal(s.t, "v", s.peek())
			s.manager.Forget(s.id())
		}, "peer"},
		"a write that failed": {func(s *site) {
			s.byPeer("perhaps")
			s.store.fail = fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrUncertain)
			x, err := s.manager.GetByID(ctx(), s.id())
			require.ErrorIs(s.t, err, stores.ErrUnavailable)
			require.Nil(s.t, x)
			o := s.manager.Open(s.header())
			s.store.fail = nil
			x, err = o.Session(ctx())
			require.NoError(s.t, err)
			s.store.fail = fmt.Errorf("%w: %w", stores.ErrUnavailable, stores.ErrUncertain)
			save(x)
			require.NoError(s.t, x.Set("n", 1))
			require.ErrorIs(s.t, o.Persist(ctx()), stores.ErrUncertain)
			s.store.fail = nil
		}, "perhaps"},
	} {
		for _, way := range []string{"updater", "compare and set", "neither"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				s := newSite(t, cached)
				s.openOtherwise(way, cached)
				s.login()
				require.Equal(t, "v", s.peek())
				tc.do(s)
				require.Equal(t, tc.want, s.peek())
			})
		}
	}
	t.Run("touch", func(t *testing.T) {
		s := newSite(t, cached)
		s.login()
		s.now = s.now.Add(time.Hour)
		s.touch()
		v, err := s.manager.Open(s.header()).Peek(ctx())
		require.NoError(t, err)
		last, _ := v.LastAccessed()
		require.Equal(t, s.now.Unix(), last.Unix())
	})
}

// TestCacheAndReadUnderWay: a read that began before a write is not kept, nor waited for
// by those who come after the write.
func TestCacheAndReadUnderWay(t *testing.T) {
	s := newSite(t)
	gate := &gatedStore{Store: memstore.New()}
	o := compat.Defaults()
	o.Secret, o.CacheTime = "sekrit", cacheTime
	s.openWith(o, gate)
	s.login()
	begun, goOn := make(chan struct{}), make(chan struct{})
	gate.get = func(context.Context) error {
		close(begun)
		<-goOn
		return nil
	}
	slow := make(chan string)
	go func() { slow <- s.peek() }()
	<-begun
	gate.mu.Lock()
	gate.get = nil
	gate.mu.Unlock()
	s.request(func(x *compat.Session) {
		_ = x.Set("k", "w")
		x.Save()
	})
	require.Equal(t, "w", s.peek())
	s.manager.Forget(s.id())
	close(goOn)
	require.Equal(t, "v", <-slow, "it was so when it was read")
	require.Equal(t, "w", s.peek())
}

// TestCacheBurst: many requests at once cost one read, and one that is broken off costs
// the others nothing.
func TestCacheBurst(t *testing.T) {
	s := newSite(t)
	gate := &gatedStore{Store: memstore.New()}
	o := compat.Defaults()
	o.Secret, o.CacheTime = "sekrit", cacheTime
	s.openWith(o, gate)
	s.login()
	s.told()
	begun, goOn := make(chan struct{}), make(chan struct{})
	gate.get = func(ctx context.Context) error {
		close(begun)
		<-goOn
		return ctx.Err()
	}
	leader, leave := context.WithCancel(ctx())
	left := make(chan error)
	go func() {
		_, err := s.manager.Open(s.header()).Peek(leader)
		left <- err
	}()
	<-begun
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() { require.Equal(t, "v", s.peek()) })
	}
	close(goOn)
	wg.Wait()
	require.Equal(t, 1, gate.reads)
	counts := map[string]int{}
	for _, told := range s.told() {
		counts[told]++
	}
	require.Equal(t, map[string]int{"load live": 1, "cache miss": 1, "cache hit": 30}, counts)
	_, err := s.manager.Open(s.header()).Peek(leader)
	require.NoError(t, err, "what is at hand is shown")
}

func TestCacheAndTimeout(t *testing.T) {
	timeout := func(o *compat.Options) { o.Timeout, o.CacheTime = time.Minute, time.Hour }
	t.Run("store", func(t *testing.T) {
		s := newSite(t, timeout)
		s.login()
		require.Equal(t, "v", s.peek())
		s.now = start.Add(time.Minute)
		require.Equal(t, "v", s.peek(), "valid exactly at the timeout")
		require.Equal(t, 1, s.store.reads)
		s.now = s.now.Add(time.Millisecond)
		require.Empty(t, s.peek())
		require.Empty(t, s.peek())
	})
	t.Run("used by Python meanwhile", func(t *testing.T) {
		s := newSite(t, timeout)
		s.login()
		require.Equal(t, "v", s.peek())
		s.now = start.Add(2 * time.Minute)
		require.NoError(t, s.store.Put(ctx(), s.id(), dictOf("k", "x", "_accessed_time", float64(s.now.Unix()-1))))
		require.Equal(t, "x", s.peek(), "nobody is logged out by what is only kept")
	})
	t.Run("cookie", func(t *testing.T) {
		s := newSite(t, cookieOnly, timeout)
		s.login()
		s.told()
		require.Equal(t, "v", s.peek())
		require.Equal(t, "v", s.peek())
		s.now = start.Add(time.Minute + time.Millisecond)
		require.Empty(t, s.peek())
		require.Equal(t, []string{"load live", "cache miss", "cache hit", "cache hit"}, s.told())
	})
}

// TestCacheKeepsNoAbsence: who has just logged in at Python is known at once.
func TestCacheKeepsNoAbsence(t *testing.T) {
	s := newSite(t, cached)
	s.login()
	kept, err := s.store.Get(ctx(), s.id())
	require.NoError(t, err)
	for _, v := range []pyvalue.Value{nil, pyvalue.NewDict(), pyvalue.Str("?")} {
		if v == nil {
			require.NoError(t, s.store.Delete(ctx(), s.id()))
		} else {
			require.NoError(t, s.store.Put(ctx(), s.id(), v))
		}
		s.manager.Forget(s.id())
		require.Empty(t, s.peek())
		require.NoError(t, s.store.Put(ctx(), s.id(), kept))
		require.Equal(t, "v", s.peek())
	}
}

// TestCacheAndOutage: what is kept is shown for CacheTime, and then it is 503.
func TestCacheAndOutage(t *testing.T) {
	s := newSite(t, cached)
	s.login()
	require.Equal(t, "v", s.peek())
	s.store.fail = fmt.Errorf("down: %w", stores.ErrUnavailable)
	s.now = s.now.Add(cacheTime)
	require.Equal(t, "v", s.peek())
	s.now = s.now.Add(1)
	for range 3 {
		_, err := s.manager.Open(s.header()).Peek(ctx())
		require.ErrorIs(t, err, stores.ErrUnavailable)
	}
	s.store.fail = nil
	s.told()
	require.Equal(t, "v", s.peek())
	require.Equal(t, []string{"cache same"}, s.told())
}

// TestCacheOfFiles: what Python does to a file is seen at once, also through a store
// around it.
func TestCacheOfFiles(t *testing.T) {
	for _, around := range []bool{false, true} {
		s := newSite(t)
		dir := t.TempDir()
		files, err := filestore.New(filestore.Options{DataDir: dir})
		require.NoError(t, err)
		reads := 0
		var store stores.Store = countedFiles{files, &reads}
		if around {
			store = metered.New(store, metered.Options{})
		}
		o := compat.Defaults()
		o.Secret, o.CacheTime = "sekrit", time.Hour
		s.openWith(o, store)
		s.login()
		path := filepath.Join(dir, "container_file", beakerfmt.DataPath(s.id()))
		old := time.Now().Add(-time.Hour)
		settle := func() { require.NoError(t, os.Chtimes(path, old, old)) }
		byPeer := func(value string) {
			require.NoError(t, files.Put(ctx(), s.id(), dictOf("k", value)))
		}
		settle()
		for range 5 {
			require.Equal(t, "v", s.peek())
		}
		require.Equal(t, 1, reads)
		for n := range 20 { // of the same size, and at the same time as far as can be seen
			byPeer(string(rune('a' + n)))
			require.Equal(t, string(rune('a'+n)), s.peek())
		}
		byPeer("w")
		settle()
		require.Equal(t, "w", s.peek())
		reads = 0
		require.Equal(t, "w", s.peek())
		require.Zero(t, reads)
		require.NoError(t, os.Remove(path))
		require.Empty(t, s.peek())
		byPeer("back")
		settle()
		require.Equal(t, "back", s.peek())
		s.now = s.now.Add(time.Hour + 1)
		reads = 0
		require.Equal(t, "back", s.peek())
		require.Equal(t, 1, reads, "not longer than CacheTime, whatever the file system says")
	}
}

// TestCacheOfTwoStores: a store over two others tells no versions, so its sessions are kept
// for CacheTime and no longer.
func TestCacheOfTwoStores(t *testing.T) {
	s := newSite(t)
	files, err := filestore.New(filestore.Options{DataDir: t.TempDir()})
	require.NoError(t, err)
	both, err := tiered.New(s.store, files, tiered.Options{Read: tiered.ReadNewFirst})
	require.NoError(t, err)
	o := compat.Defaults()
	o.Secret, o.CacheTime = "sekrit", cacheTime
	s.openWith(o, both)
	s.login()
	require.Equal(t, "v", s.peek())
	s.byPeer("w")
	require.Equal(t, "v", s.peek())
	s.now = s.now.Add(cacheTime + 1)
	require.Equal(t, "w", s.peek())
	s.request(func(x *compat.Session) {
		_ = x.Set("k", "own")
		x.Save()
	})
	require.Equal(t, "own", s.peek())
}

type countedFiles struct {
	*filestore.Store
	reads *int
}

func (c countedFiles) Look(ctx context.Context, id string) (pyvalue.Value, error) {
	*c.reads++
	return c.Store.Look(ctx, id)
}

func TestCacheOfCookies(t *testing.T) {
	s := newSite(t, cookieOnly, encrypted, cached)
	s.login()
	s.told()
	require.Equal(t, "v", s.peek())
	require.Equal(t, "v", s.peek())
	require.Equal(t, []string{"load live", "cache miss", "cache hit"}, s.told())
	old := s.cookie
	s.request(func(x *compat.Session) {
		_ = x.Set("k", "w")
		x.Save()
	})
	require.Equal(t, "w", s.peek())
	s.cookie = old
	require.Equal(t, "v", s.peek(), "each cookie is a session of its own")
	s.cookie = old[:len(old)-4] + "AAA="
	s.told()
	v, err := s.manager.Open(s.header()).Peek(ctx())
	require.NoError(t, err)
	require.True(t, v.IsNew())
	require.Equal(t, []string{"refusal refused", "load refused"}, s.told(), "nothing is looked up for a forged one")
	s.cookie = old
	s.now = s.now.Add(cacheTime + 1)
	s.told()
	require.Equal(t, "v", s.peek())
	require.Equal(t, []string{"load live", "cache miss"}, s.told())
}

// TestCacheIsBounded: by the number of sessions, and by their size.
func TestCacheIsBounded(t *testing.T) {
	s := newSite(t, cached, func(o *compat.Options) { o.CacheSessions = 16 })
	visit := func(k string) string {
		s.cookie = ""
		s.request(func(x *compat.Session) {
			_ = x.Set("k", k)
			x.Save()
		})
		require.Equal(t, k, s.peek())
		return s.cookie
	}
	isKept := func(cookie string) bool {
		s.cookie = cookie
		s.told()
		s.peek()
		return slices.Contains(s.told(), "cache hit")
	}
	first := visit("v")
	require.True(t, isKept(first))
	s.told()
	for range 16 {
		visit("v")
	}
	require.Contains(t, s.told(), "cache evicted")
	require.False(t, isKept(first))

	// 16 of 8 KiB are 128 KiB; one session may take a sixteenth of that.
	large := visit(strings.Repeat("x", 9<<10))
	require.False(t, isKept(large))
	some := visit(strings.Repeat("x", 2<<10))
	require.True(t, isKept(some))
}

func TestCacheOptions(t *testing.T) {
	for fails, change := range map[string]func(*compat.Options){
		"cache_time":     func(o *compat.Options) { o.CacheTime = -1 },
		"cache_sessions": func(o *compat.Options) { o.CacheTime, o.CacheSessions = 1, 0 },
	} {
		o := compat.Defaults()
		change(&o)
		_, err := compat.New(o, memstore.New(), compat.Environment{})
		require.ErrorContains(t, err, fails)
	}
}

// TestCacheAndPanic: a panic of a store is one of the request, not of the process.
func TestCacheAndPanic(t *testing.T) {
	s := newSite(t)
	gate := &gatedStore{Store: memstore.New()}
	o := compat.Defaults()
	o.Secret, o.CacheTime = "sekrit", cacheTime
	s.openWith(o, gate)
	s.login()
	gate.get = func(context.Context) error { panic("broken") }
	object := s.manager.Open(s.header())
	require.Panics(t, func() { _, _ = object.Peek(ctx()) })
	gate.get = func(context.Context) error { return errors.New("broken") }
	_, err := object.Peek(ctx())
	require.ErrorContains(t, err, "broken")
}
