package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// closingStore counts how often it is closed.
type closingStore struct {
	*memstore.Store
	closed int
}

func (c *closingStore) Close() error {
	c.closed++
	return nil
}

// A store is closed when the last state that uses it is given back, also if that was
// never put in place.
func TestStoreIsClosedOnce(t *testing.T) {
	s, err := New(t.Context(), settings.Default(), Environment{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	first := s.now.Load()
	store := &closingStore{Store: memstore.New()}
	first.store.Store = store

	next := func(change func(*settings.Config)) (*state, error) {
		c := settings.Default()
		change(&c)
		n, err := s.resolve(c)
		require.NoError(t, err)
		return n, s.build(context.Background(), n, first, false)
	}
	second, err := next(func(*settings.Config) {})
	require.NoError(t, err)
	require.Same(t, first.store, second.store)
	_, err = next(func(c *settings.Config) {
		c.Routes = []settings.Route{{Prefix: "/", Upstream: settings.BuiltinSession}, {Prefix: "wrong", Upstream: settings.BuiltinSession}}
	})
	require.ErrorIs(t, err, settings.ErrConfig)
	other, err := next(func(c *settings.Config) {
		c.Session = &tomlconf.Session{Options: map[string]any{"data_dir": t.TempDir()}}
	})
	require.NoError(t, err)
	require.NotSame(t, first.store, other.store)

	s.release(first)
	require.Zero(t, store.closed)
	s.release(second)
	require.Equal(t, 1, store.closed)
}

// A read that has ended is not in the way of the next one.
func TestReadsFollowEachOther(t *testing.T) {
	s, err := New(t.Context(), settings.Default(), Environment{
		Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" },
		Reload: func() (settings.Config, error) { return settings.Default(), nil },
	})
	require.NoError(t, err)
	for range 5000 {
		_, err := s.read(t.Context())
		require.NoError(t, err)
	}
}

// An upstream that could not be connected to is passed over for a while, whatever
// configuration there is by then.
func TestReloadKeepsWhoWasPassedOver(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer up.Close()
	c := settings.Default()
	c.Routes = []settings.Route{{Upstreams: []string{"unix:" + t.TempDir() + "/nobody", up.URL}, Retries: 1}}
	at := time.Now()
	s, err := New(t.Context(), c, Environment{
		Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }, Now: func() time.Time { return at },
	})
	require.NoError(t, err)
	// ask returns how often nobody was connected to, by then.
	ask := func(n *state) (refused string) {
		for range 4 {
			w := httptest.NewRecorder()
			n.handlers[mainPlace].ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			require.Equal(t, http.StatusNoContent, w.Code)
		}
		w := httptest.NewRecorder()
		s.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		for line := range strings.Lines(w.Body.String()) {
			if strings.HasPrefix(line, "gobeaker_upstream_attempts_total{") && strings.Contains(line, `outcome="connect"`) {
				refused += line[strings.LastIndex(line, "}")+1:]
			}
		}
		return refused
	}
	first := s.now.Load()
	require.Equal(t, " 1\n", ask(first))
	next, err := s.resolve(c)
	require.NoError(t, err)
	require.NoError(t, s.build(t.Context(), next, first, false))
	s.replace(first, next)
	require.Equal(t, " 1\n", ask(next))
	s.release(next)
}
