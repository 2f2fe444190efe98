package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// testVersion: a version that stays the same means that the record does, and any write
// changes it, however small and quick.
func testVersion(t *testing.T, s stores.Store, settle func(*testing.T, stores.Store, string)) {
	v, ok := stores.As[stores.Versioner](s)
	if !ok {
		t.Skip("the store is no stores.Versioner")
	}
	ctx := t.Context()
	version := func() stores.Version {
		t.Helper()
		got, err := v.Version(ctx, id(1))
		require.NoError(t, err)
		return got
	}
	settled := func() stores.Version {
		t.Helper()
		if settle != nil {
			settle(t, s, id(1))
		}
		got := version()
		require.NotZero(t, got)
		return got
	}
	_, err := v.Version(ctx, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.NotContains(t, err.Error(), id(1))
	_, err = v.Version(ctx, "a/b")
	require.ErrorIs(t, err, stores.ErrInvalidID)

	require.NoError(t, s.Put(ctx, id(1), dict(1)))
	require.NoError(t, s.Put(ctx, id(2), dict(1)))
	one := settled()
	requireSame(t, dict(1), get(t, ctx, s, id(1)))
	require.NoError(t, s.Put(ctx, id(2), dict(2)))
	require.Equal(t, one, version(), "to read it, or to write another one, changes nothing")

	// Of the same size, at once and one after the other.
	seen := map[stores.Version]int64{one: 1}
	for n := range int64(50) {
		require.NoError(t, s.Put(ctx, id(1), dict(2+n)))
		now := version()
		if now != (stores.Version{}) {
			require.NotContains(t, seen, now)
			seen[now] = n
		}
	}
	two := settled()
	require.NotContains(t, seen, two)
	if u, ok := stores.As[stores.Updater](s); ok {
		require.NoError(t, u.Update(ctx, id(1), func(pyvalue.Value) (pyvalue.Value, error) { return nil, nil }))
		require.Equal(t, two, version(), "nothing was written")
		require.NoError(t, u.Update(ctx, id(1), func(pyvalue.Value) (pyvalue.Value, error) { return dict(7), nil }))
		require.NotEqual(t, two, version())
		require.NotEqual(t, two, settled())
	}
	require.NoError(t, s.Delete(ctx, id(1)))
	_, err = v.Version(ctx, id(1))
	require.ErrorIs(t, err, stores.ErrNotExist)
	require.NoError(t, s.Put(ctx, id(1), dict(1)))
	require.NotEqual(t, one, version(), "it has been away")

	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = v.Version(ended, id(1))
	require.ErrorIs(t, err, context.Canceled)
}
