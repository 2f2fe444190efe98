package server

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

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
	s, err := New(t.Context(), Default(), Environment{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	first := s.now.Load()
	store := &closingStore{Store: memstore.New()}
	first.page.Store = store

	next := func(change func(*Config)) (*state, error) {
		c := Default()
		change(&c)
		n, err := s.resolve(c)
		require.NoError(t, err)
		return n, s.build(context.Background(), n, first, false)
	}
	second, err := next(func(*Config) {})
	require.NoError(t, err)
	require.Same(t, first.page, second.page)
	_, err = next(func(c *Config) {
		c.Routes = []Route{{Prefix: "/", Upstream: BuiltinSession}, {Prefix: "wrong", Upstream: BuiltinSession}}
	})
	require.ErrorIs(t, err, ErrConfig)
	other, err := next(func(c *Config) {
		c.Session = &tomlconf.Session{Options: map[string]any{"data_dir": t.TempDir()}}
	})
	require.NoError(t, err)
	require.NotSame(t, first.page, other.page)

	s.release(first)
	require.Zero(t, store.closed)
	s.release(second)
	require.Equal(t, 1, store.closed)
}

// A read that has ended is not in the way of the next one.
func TestReadsFollowEachOther(t *testing.T) {
	s, err := New(t.Context(), Default(), Environment{
		Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" },
		Reload: func() (Config, error) { return Default(), nil },
	})
	require.NoError(t, err)
	for range 5000 {
		_, err := s.read(t.Context())
		require.NoError(t, err)
	}
}
