package tiered_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/storetest"
	"github.com/gobeaker/gobeaker/stores/tiered"
)

// optimist is a store without locks, whose updates compare and set, as those of
// memcached and Redis do.
type optimist struct{ in *memstore.Store }

func (s optimist) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	return s.in.Get(ctx, id)
}
func (s optimist) Put(ctx context.Context, id string, v pyvalue.Value) error {
	return s.in.Put(ctx, id, v)
}
func (s optimist) Delete(ctx context.Context, id string) error { return s.in.Delete(ctx, id) }
func (s optimist) Ping(ctx context.Context) error              { return s.in.Ping(ctx) }
func (s optimist) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return s.in.List(ctx, from)
}

var errConflict = errors.New("conflict")

func (s optimist) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	for {
		old, err := s.in.Get(ctx, id)
		if err != nil && !errors.Is(err, stores.ErrNotExist) {
			return err
		}
		seen := dump(old)
		v, err := f(old)
		if err != nil && !errors.Is(err, stores.ErrRemove) || err == nil && v == nil {
			return err
		}
		again := s.in.Update(ctx, id, func(now pyvalue.Value) (pyvalue.Value, error) {
			if !bytes.Equal(dump(now), seen) {
				return nil, errConflict
			}
			return v, err
		})
		if !errors.Is(again, errConflict) {
			return again
		}
	}
}

func dump(v pyvalue.Value) []byte {
	if v == nil {
		return nil
	}
	data, err := pickle.Append(nil, v, pickle.DefaultProtocol)
	if err != nil {
		panic(err)
	}
	return data
}

func files(t *testing.T, dir string) stores.Store {
	t.Helper()
	s, err := filestore.New(filestore.Options{DataDir: dir})
	require.NoError(t, err)
	return s
}

// kinds make an empty store each.
var kinds = map[string]func(t *testing.T) stores.Store{
	"memory":   func(*testing.T) stores.Store { return memstore.New() },
	"optimist": func(*testing.T) stores.Store { return optimist{memstore.New()} },
	"file":     func(t *testing.T) stores.Store { return files(t, t.TempDir()) },
}

// phases are the ways in which options go together.
var phases = map[string]tiered.Options{
	"old":            {Read: tiered.ReadOld},
	"newest":         {Read: tiered.ReadNewest, Newer: func(a, b pyvalue.Value) bool { return false }},
	"new first":      {Read: tiered.ReadNewFirst, Write: tiered.WriteNewOnly},
	"new first both": {Read: tiered.ReadNewFirst},
	"move":           {Read: tiered.ReadNewFirst, Write: tiered.WriteNewOnly, Move: true},
}

func open(t *testing.T, newStore, oldStore stores.Store, o tiered.Options) stores.Store {
	t.Helper()
	s, err := tiered.New(newStore, oldStore, o)
	require.NoError(t, err)
	return s
}

func TestStore(t *testing.T) {
	for _, pair := range [][2]string{{"memory", "memory"}, {"file", "memory"}, {"optimist", "file"}, {"optimist", "optimist"}} {
		for phase, o := range phases {
			t.Run(fmt.Sprintf("%s over %s, %s", pair[0], pair[1], phase), func(t *testing.T) {
				t.Parallel()
				storetest.Run(t, storetest.Harness{New: func(t *testing.T) stores.Store {
					o.Report = func(err error) { t.Error(err) }
					return open(t, kinds[pair[0]](t), kinds[pair[1]](t), o)
				}})
			})
		}
	}
}

// TestCorrupt: what cannot be read in the store that leads is not passed over.
func TestCorrupt(t *testing.T) {
	for phase, o := range phases {
		t.Run(phase, func(t *testing.T) {
			newDir, oldDir := t.TempDir(), t.TempDir()
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) stores.Store {
					newDir, oldDir = t.TempDir(), t.TempDir()
					return open(t, files(t, newDir), files(t, oldDir), o)
				},
				Corrupt: func(t *testing.T, _ stores.Store, id string) {
					for _, dir := range []string{newDir, oldDir} {
						path := filepath.Join(dir, "container_file", filepath.FromSlash(beakerfmt.DataPath(id)))
						require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
						require.NoError(t, os.WriteFile(path, []byte("\x80\x02}"), 0o644))
					}
				},
			})
		})
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		newer, old, phase string
		locks             bool
	}{
		{"memory", "memory", "old", true}, {"optimist", "memory", "old", true}, {"memory", "optimist", "old", false},
		{"optimist", "memory", "new first", false}, {"memory", "optimist", "new first", true},
		{"optimist", "optimist", "newest", false}, {"optimist", "memory", "newest", true}, {"memory", "optimist", "newest", true},
	} {
		s := open(t, kinds[c.newer](t), kinds[c.old](t), phases[c.phase])
		_, locks := stores.As[stores.Locker](s)
		require.Equal(t, c.locks, locks, "%v", c)
		_, lists := stores.As[stores.Lister](s)
		require.True(t, lists)
		require.NoError(t, s.(interface{ Close() error }).Close())
	}
	hidden := struct {
		stores.Store
		stores.Updater
	}{memstore.New(), memstore.New()}
	for phase, lists := range map[string]bool{"old": true, "new first": false, "newest": false} {
		_, ok := stores.As[stores.Lister](open(t, hidden, memstore.New(), phases[phase]))
		require.Equal(t, lists, ok, phase)
	}
}

func TestOptions(t *testing.T) {
	a, b := memstore.New(), memstore.New()
	never := func(a, b pyvalue.Value) bool { return false }
	for want, c := range map[string]struct {
		newer, old stores.Store
		o          tiered.Options
	}{
		"missing":                 {a, nil, tiered.Options{}},
		"the same":                {a, a, tiered.Options{Newer: never}},
		"ReadNewest needs Newer":  {a, b, tiered.Options{}},
		"needs ReadNewFirst":      {a, b, tiered.Options{Read: tiered.ReadOld, Write: tiered.WriteNewOnly}},
		"Move needs WriteNewOnly": {a, b, tiered.Options{Read: tiered.ReadNewFirst, Move: true}},
		"no such way":             {a, b, tiered.Options{Read: 9}},
		"change records":          {a, struct{ stores.Store }{b}, tiered.Options{Newer: never}},
		"new store cannot change": {struct{ stores.Store }{a}, b, tiered.Options{Newer: never}},
	} {
		_, err := tiered.New(c.newer, c.old, c.o)
		require.ErrorContains(t, err, want)
	}
}
