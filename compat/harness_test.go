package compat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// site is an application with one browser: a manager over a store, a clock
// that only moves when told, and the cookie that the browser holds.
type site struct {
	t       *testing.T
	store   *watchedStore
	manager *compat.Manager
	now     time.Time
	random  io.Reader
	cookie  string
	log     bytes.Buffer

	events struct {
		mu  sync.Mutex
		all []compat.Event
	}
}

// told returns what was observed since the last call, as "kind outcome".
func (s *site) told() []string {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	var told []string
	for _, e := range s.events.all {
		told = append(told, string(e.Kind)+" "+string(e.Outcome))
		require.Contains(s.t, compat.EventKinds(), e.Kind)
		require.Contains(s.t, compat.Outcomes(e.Kind), e.Outcome, e.Kind)
	}
	s.events.all = nil
	return told
}

var start = time.Unix(1700000000, 250_000_000)

func newSite(t *testing.T, change ...func(*compat.Options)) *site {
	t.Helper()
	s := &site{t: t, store: &watchedStore{Store: memstore.New()}, now: start, random: rand.NewChaCha8([32]byte{})}
	s.open(change...)
	return s
}

// open makes a manager over the site's store, as a restart with other options would.
func (s *site) open(change ...func(*compat.Options)) {
	s.t.Helper()
	o := compat.Defaults()
	o.Secret = "sekrit"
	for _, f := range change {
		f(&o)
	}
	switch {
	case o.Type == "cookie":
		s.openWith(o, nil)
	case lockless:
		s.openWith(o, swapStore{s.store})
	default:
		s.openWith(o, s.store)
	}
}

// openOver makes a manager over another store.
func (s *site) openOver(store stores.Store) {
	s.t.Helper()
	o := compat.Defaults()
	o.Secret = "sekrit"
	s.openWith(o, store)
}

func (s *site) openWith(o compat.Options, store stores.Store) {
	s.t.Helper()
	m, err := compat.New(o, store, compat.Environment{
		Now:    func() time.Time { return s.now },
		Random: s.random,
		Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		Observe: func(e compat.Event) {
			s.events.mu.Lock()
			defer s.events.mu.Unlock()
			s.events.all = append(s.events.all, e)
		},
	})
	require.NoError(s.t, err)
	s.manager = m
}

// beaker turns off what gobeaker does otherwise than Beaker.
func beaker(o *compat.Options) {
	o.DeleteRecords = false
	o.TouchInterval = 0
	o.AdoptUnknownIDs = true
	o.Write = compat.WriteReplace
}

func (s *site) header() string {
	if s.cookie == "" {
		return ""
	}
	return "beaker.session.id=" + s.cookie
}

// request runs one request: f may be nil for one that does not ask for the
// session. It returns the Set-Cookie text, "" for none, which the browser obeys.
func (s *site) request(f func(*compat.Session)) string {
	s.t.Helper()
	o := s.manager.Open(s.header())
	if f != nil {
		session, err := o.Session(context.Background())
		require.NoError(s.t, err)
		f(session)
	}
	require.NoError(s.t, o.Persist(context.Background()))
	require.NoError(s.t, o.Close())
	text, ok := o.SetCookie()
	require.Equal(s.t, ok, text != "")
	if ok {
		s.obey(text)
	}
	return text
}

func (s *site) obey(text string) {
	require.True(s.t, strings.HasPrefix(text, " beaker.session.id="), text)
	pair, attrs, _ := strings.Cut(text, ";")
	_, s.cookie, _ = strings.Cut(pair, "=")
	if strings.Contains(attrs, "expires=Mon, 14-Nov-2022") {
		s.cookie = ""
	}
}

// id is the session id in the browser's cookie.
func (s *site) id() string {
	s.t.Helper()
	id, _, err := beakerfmt.Verify([][]byte{[]byte("sekrit")}, s.cookie)
	require.NoError(s.t, err)
	return id
}

// record is what the store has under id.
func (s *site) record(id string) *pyvalue.Dict {
	s.t.Helper()
	v, err := s.store.Get(context.Background(), id)
	require.NoError(s.t, err)
	d, _, err := new(beakerfmt.Codec).DecodeValue(v)
	require.NoError(s.t, err)
	return d
}

func (s *site) stored(id string) bool {
	s.t.Helper()
	_, err := s.store.Get(context.Background(), id)
	if errors.Is(err, stores.ErrNotExist) {
		return false
	}
	require.NoError(s.t, err)
	return true
}

// login makes a session with k = v in it and moves the clock on by 10 seconds.
func (s *site) login() {
	s.t.Helper()
	require.NotEmpty(s.t, s.request(func(x *compat.Session) {
		require.NoError(s.t, x.Set("k", "v"))
		x.Save()
	}))
	s.now = s.now.Add(10 * time.Second)
	s.store.reset()
}

// lockless has the sites of a test stand on a swapStore.
var lockless bool

// swapStore is a store that works by compare-and-set and has no locks. It always
// loses the race once.
type swapStore struct{ *watchedStore }

func (s swapStore) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	if old, err := s.Store.Get(ctx, id); err == nil {
		_, _ = f(old)
	}
	return s.watchedStore.Update(ctx, id, f)
}

// Lock hides that of the store inside.
func (s swapStore) Lock() {}

// watchedStore counts what reaches the store, and can be made to fail.
type watchedStore struct {
	*memstore.Store
	reads, writes, deletes int
	fail                   error
}

func (w *watchedStore) reset() { w.reads, w.writes, w.deletes = 0, 0, 0 }

func (w *watchedStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	w.reads++
	if w.fail != nil {
		return nil, w.fail
	}
	return w.Store.Get(ctx, id)
}

func (w *watchedStore) Put(ctx context.Context, id string, v pyvalue.Value) error {
	w.writes++
	if w.fail != nil {
		return w.fail
	}
	return w.Store.Put(ctx, id, v)
}

func (w *watchedStore) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	if w.fail != nil {
		return w.fail
	}
	return w.Store.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) {
		v, err := f(old)
		if v != nil && err == nil {
			w.writes++
		}
		return v, err
	})
}

func (w *watchedStore) Delete(ctx context.Context, id string) error {
	w.deletes++
	if w.fail != nil {
		return w.fail
	}
	return w.Store.Delete(ctx, id)
}
