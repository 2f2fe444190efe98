package idlock

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAcquireExcludes(t *testing.T) {
	var l Locks
	var wg sync.WaitGroup
	counts := map[string]*int{"a": new(int), "b": new(int)} // the race detector watches them
	for range 8 {
		for id, n := range counts {
			wg.Go(func() {
				for range 100 {
					if l.Acquire(t.Context(), id) == nil {
						*n++
						l.Release(id)
					}
				}
			})
		}
	}
	wg.Wait()
	require.Equal(t, 800, *counts["a"])
	require.Equal(t, 800, *counts["b"])
	require.Empty(t, l.taken, "an id that nobody locks takes no memory")
}

func TestOrderOfArrival(t *testing.T) {
	var l Locks
	require.NoError(t, l.Acquire(t.Context(), "a"))
	first, second, third := l.join("a"), l.join("a"), l.join("a")
	l.quit("a", second)
	l.Release("a")
	<-first
	l.Release("a")
	<-third
	l.Release("a")
	require.Empty(t, l.taken)
}

// TestQuitAfterHandOver: who gets the lock and gives up in the same moment
// passes it on.
func TestQuitAfterHandOver(t *testing.T) {
	var l Locks
	require.NoError(t, l.Acquire(t.Context(), "a"))
	first, second := l.join("a"), l.join("a")
	l.Release("a")
	<-first
	l.quit("a", first)
	<-second
	l.quit("a", second)
	require.Empty(t, l.taken)
}

func TestAcquireEndsWithContext(t *testing.T) {
	var l Locks
	require.NoError(t, l.Acquire(t.Context(), "a"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Acquire(ctx, "a") }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.ErrorIs(t, l.Acquire(ctx, "free"), context.Canceled)
	l.Release("a")
	require.Empty(t, l.taken)
}

func TestHeldLastsUntilAllLeft(t *testing.T) {
	var l, other Locks
	released := 0
	bad := errors.New("bad")
	ctx, unlock := l.Carry(t.Context(), "a", func() error { released++; return bad })
	require.Nil(t, l.Enter(ctx, "b"), "another id")
	require.Nil(t, other.Enter(ctx, "a"), "another store")
	require.Nil(t, l.Enter(t.Context(), "a"), "another context")

	h := l.Enter(ctx, "a")
	require.NotNil(t, h)
	again := l.Again(ctx, "a")
	require.NoError(t, unlock())
	require.NoError(t, unlock())
	require.NoError(t, h.Leave())
	require.Zero(t, released)
	require.Equal(t, bad, again())
	require.Equal(t, 1, released)
	require.Nil(t, l.Enter(ctx, "a"), "given back")
	require.Nil(t, l.Again(ctx, "a"))
}

func TestBeginExcludes(t *testing.T) {
	var l Locks
	held, unlock := l.Carry(t.Context(), "a", func() error { return nil })
	h := l.Enter(held, "a")
	require.NoError(t, h.Begin(held))
	ctx, cancel := context.WithCancel(held)
	done := make(chan error)
	go func() { done <- h.Begin(ctx) }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	h.End()
	require.ErrorIs(t, h.Begin(ctx), context.Canceled)
	require.NoError(t, h.Begin(held))
	h.End()
	require.NoError(t, h.Leave())
	require.NoError(t, unlock())
}
