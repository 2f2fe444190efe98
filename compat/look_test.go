package compat_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/metered"
)

// TestLocksOfOthers: while somebody else has the lock of a session, who only looks at it
// is shown what was written a while ago. Who may write it waits for the lock, as does
// who looks at what was written just now; and what takes too long is an outage.
func TestLocksOfOthers(t *testing.T) {
	const (
		soon  = 20 * time.Millisecond
		ample = time.Minute
	)
	peek := func(o *compat.SessionObject) (string, error) {
		v, err := o.Peek(ctx())
		if err != nil {
			return "", err
		}
		k, _ := compat.Get[string](v, "k")
		return k, nil
	}
	session := func(o *compat.SessionObject) (string, error) {
		s, err := o.Session(ctx())
		if err != nil {
			return "", err
		}
		k, _ := compat.Get[string](s, "k")
		return k, nil
	}
	for name, c := range map[string]struct {
		written  time.Duration // before now
		cached   bool
		patience time.Duration
		read     func(*compat.SessionObject) (string, error)
		waits    bool
	}{
		"peek":                     {time.Hour, false, ample, peek, false},
		"peek, cached":             {time.Hour, true, ample, peek, false},
		"peek just now":            {-time.Hour, false, soon, peek, true},
		"peek just now, cached":    {-time.Hour, true, soon, peek, true},
		"session":                  {time.Hour, false, soon, session, true},
		"session, cached":          {time.Hour, true, soon, session, true},
		"session just now":         {-time.Hour, false, soon, session, true},
		"session just now, cached": {-time.Hour, true, soon, session, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := newSite(t)
			open := func() stores.Store {
				files, err := filestore.New(filestore.Options{DataDir: dir})
				require.NoError(t, err)
				return metered.New(files, metered.Options{}) // as programs have it
			}
			s.openOver(open())
			s.login()
			at := time.Now().Add(-c.written)
			require.NoError(t, os.Chtimes(filepath.Join(dir, "container_file", beakerfmt.DataPath(s.id())), at, at))

			o := compat.Defaults()
			o.Secret = "sekrit"
			if c.cached {
				o.CacheTime = time.Minute
			}
			read := func(patience time.Duration) (string, error) {
				m, err := compat.New(o, open(), compat.Environment{Now: func() time.Time { return s.now }, ReadTimeout: patience})
				require.NoError(t, err)
				return c.read(m.Open(s.header()))
			}
			theirs, ok := stores.As[stores.Locker](open())
			require.True(t, ok)
			_, unlock, err := theirs.Lock(ctx(), s.id())
			require.NoError(t, err)
			k, err := read(c.patience)
			if c.waits {
				require.ErrorIs(t, err, stores.ErrUnavailable)
				require.ErrorIs(t, err, stores.ErrTimeout)
			} else {
				require.NoError(t, err)
				require.Equal(t, "v", k)
			}
			require.NoError(t, unlock())
			k, err = read(ample)
			require.NoError(t, err)
			require.Equal(t, "v", k)
		})
	}
}

// TestLookPastAWait: a request that waits to write a session keeps nobody from looking
// at it.
func TestLookPastAWait(t *testing.T) {
	dir := t.TempDir()
	ours, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	theirs, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	s := newSite(t)
	s.openOver(ours)
	s.login()
	long := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "container_file", beakerfmt.DataPath(s.id())), long, long))
	_, unlock, err := theirs.Lock(ctx(), s.id())
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		_, err := s.manager.Open(s.header()).Session(ctx())
		done <- err
	}()
	for range 100 {
		v, err := s.manager.Open(s.header()).Peek(ctx())
		require.NoError(t, err)
		k, _ := compat.Get[string](v, "k")
		require.Equal(t, "v", k)
	}
	require.Empty(t, done)
	require.NoError(t, unlock())
	require.NoError(t, <-done)
}
