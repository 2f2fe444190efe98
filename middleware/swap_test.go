package middleware_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A request keeps the manager that it began with, and the old one is idle when
// the last such request has ended.
func TestSwap(t *testing.T) {
	first, second := newManager(t, memstore.New()), newManager(t, memstore.New())
	sessions := middleware.NewSessions(first, middleware.SessionsOptions{})
	arrived, release := make(chan struct{}), make(chan struct{})
	handler := sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			close(arrived)
			<-release
		}
		n, err := count(r)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, n)
	}))
	ask := func(path, cookie string) (body, newCookie string) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Body.String(), w.Header().Get("Set-Cookie")
	}
	_, cookie := ask("/", "")

	late := make(chan string)
	go func() {
		body, _ := ask("/wait", cookie)
		late <- body
	}()
	<-arrived
	old, idle := sessions.Swap(second)
	require.Same(t, first, old)
	require.False(t, closed(idle))
	body, other := ask("/", cookie)
	require.Equal(t, "1", body, "the new manager's store does not know that session")
	require.NotEmpty(t, other)
	require.False(t, closed(idle))
	close(release)
	require.Equal(t, "2", <-late, "it began with the old manager")
	<-idle

	old, idle = sessions.Swap(first)
	require.Same(t, second, old)
	require.True(t, closed(idle), "there was nobody")
}

// A handler that panics has ended, too.
func TestSwapAfterAPanic(t *testing.T) {
	sessions := middleware.NewSessions(newManager(t, memstore.New()), middleware.SessionsOptions{})
	handler := sessions.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("handler") }))
	require.Panics(t, func() { handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)) })
	_, idle := sessions.Swap(newManager(t, memstore.New()))
	require.True(t, closed(idle))
}

// openStore fails once it is closed.
type openStore struct {
	*memstore.Store
	closed atomic.Bool
	misuse *atomic.Int64
}

func (s *openStore) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if s.closed.Load() {
		s.misuse.Add(1)
	}
	v, err := s.Store.Get(ctx, id)
	if s.closed.Load() {
		s.misuse.Add(1)
	}
	return v, err
}

// However requests and swaps meet, no store is closed under a request.
func TestSwapUnderLoad(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	var misuse, answered atomic.Int64
	one := func() (*openStore, *compat.Manager) {
		s := &openStore{Store: memstore.New(), misuse: &misuse}
		return s, newManager(t, s)
	}
	store, manager := one()
	sessions := middleware.NewSessions(manager, middleware.SessionsOptions{})
	handler := sessions.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := count(r); err != nil {
			t.Error(err)
		}
		io.WriteString(w, "ok")
	}))
	const cookie = "beaker.session.id=0b7537318ee4673feac234feaffdaf6b0b76f06ad136ad9c54f548d9a31887286abff980"
	end := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !closed(end) {
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Cookie", cookie)
				handler.ServeHTTP(httptest.NewRecorder(), r)
				answered.Add(1)
			}
		})
	}
	var closers sync.WaitGroup
	for range rounds {
		before := store
		store, manager = one()
		_, idle := sessions.Swap(manager)
		closers.Go(func() {
			<-idle
			before.closed.Store(true)
		})
	}
	for answered.Load() < 100 {
		runtime.Gosched()
	}
	close(end)
	clients.Wait()
	closers.Wait()
	require.Zero(t, misuse.Load())
}

// named is a handler that answers with its name.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, name+" "+r.URL.EscapedPath())
	})
}

func TestSwitch(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := middleware.NewSwitch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "old")
	}))
	srv := httptest.NewServer(s)
	defer srv.Close()
	free := sync.OnceFunc(func() { close(release) })
	defer free()
	late := make(chan string, 1)
	go func() {
		res, err := http.Get(srv.URL)
		if err != nil {
			late <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		late <- string(body)
	}()
	<-arrived
	idle := s.Swap(named("new"))
	_, body := get(t, srv.Client(), srv.URL)
	require.Equal(t, "new /", body)
	require.False(t, closed(idle))
	free()
	require.Equal(t, "old", <-late)
	<-idle
}
