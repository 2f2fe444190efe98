package compat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type named struct{}

func TestPatience(t *testing.T) {
	outer, leave := context.WithCancel(context.WithValue(t.Context(), named{}, "v"))
	p := withPatience(outer, time.Hour)
	require.NoError(t, p.Err())
	require.Equal(t, "v", p.Value(named{}))
	require.Nil(t, p.timed, "nobody has waited")
	below, cancel := context.WithCancel(p)
	defer cancel()
	select {
	case <-p.Done():
		t.Fatal("it is over at once")
	default:
	}
	leave()
	<-p.Done()
	<-below.Done()
	require.ErrorIs(t, p.Err(), context.Canceled)
	p.end()

	for name, p := range map[string]*patience{
		"of its own":         withPatience(t.Context(), 0),
		"of the one outside": withPatience(ended(t), time.Hour),
	} {
		at, ok := p.Deadline()
		require.True(t, ok, name)
		require.False(t, at.After(time.Now()), name)
		<-p.Done()
		require.ErrorIs(t, p.Err(), context.DeadlineExceeded, name)
		require.ErrorIs(t, context.Cause(p), context.DeadlineExceeded, name)
		p.end()
	}

	for _, p := range []*patience{withPatience(ended(t), time.Hour), withPatience(t.Context(), 0)} {
		require.ErrorIs(t, p.Err(), context.DeadlineExceeded)
		require.Nil(t, p.timed)
	}
	over := withPatience(t.Context(), time.Hour)
	over.end()
	require.ErrorIs(t, over.Err(), context.Canceled)
	<-over.Done()
}

// ended is a context whose time is over.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	t.Cleanup(cancel)
	return ctx
}
