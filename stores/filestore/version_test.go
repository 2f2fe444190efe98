//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// TestVersionInPlace: Beaker up to 1.9.0 writes into the file that is there.
func TestVersionInPlace(t *testing.T) {
	s := open(t, Options{})
	path := s.recordPath(testID)
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("gAJ9cQEu")))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	version := func(age time.Duration) stores.Version {
		t.Helper()
		at := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, at, at))
		v, err := s.Version(t.Context(), testID)
		require.NoError(t, err)
		return v
	}
	for age, told := range map[time.Duration]bool{0: false, time.Second: false, 3 * time.Second: true, 24 * time.Hour: true, -time.Hour: false} {
		require.Equal(t, told, version(age) != stores.Version{}, age)
	}
	before := version(time.Hour)
	for range 100 { // within one tick of the clock, most of them
		require.NoError(t, os.WriteFile(path, data, 0o644))
		now, err := s.Version(t.Context(), testID)
		require.NoError(t, err)
		require.Zero(t, now, "it was written just now")
	}
	require.NotEqual(t, before, version(time.Minute))
}

// TestVersionWithoutLock: who holds the lock is not waited for.
func TestVersionWithoutLock(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Put(t.Context(), testID, pyvalue.Str("x")))
	settle(t, s, testID)
	_, unlock, err := s.Lock(t.Context(), testID)
	require.NoError(t, err)
	v, err := s.Version(t.Context(), testID)
	require.NoError(t, err)
	require.NotZero(t, v)
	require.NoError(t, unlock())
}
