package tiered_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/tiered"
)

// processes are several Go processes over the same two stores.
func processes(t *testing.T, n int, pair [2]string, o tiered.Options) (all []stores.Store, newStore, oldStore stores.Store) {
	newStore, oldStore = kinds[pair[0]](t), kinds[pair[1]](t)
	o.ToNew, o.ToOld, o.Newer, o.Dead = inForm(newForm), inForm(oldForm), newer, isDead
	o.Report = func(err error) { t.Error(err) }
	for range n {
		all = append(all, open(t, newStore, oldStore, o))
	}
	return all, newStore, oldStore
}

// count counts a session up; create says whether it makes one where there is none.
func count(clock *atomic.Int64, create bool) func(pyvalue.Value) (pyvalue.Value, error) {
	return func(v pyvalue.Value) (pyvalue.Value, error) {
		d := pyvalue.NewDict()
		if v != nil {
			var err error
			if d, _, err = codec.DecodeValue(v); err != nil {
				return nil, err
			}
		} else if !create {
			return nil, nil
		}
		n := int64(0)
		if old, ok := d.GetStr("n"); ok {
			n, _ = old.(*pyvalue.Int).Int64()
		}
		d.SetStr("n", pyvalue.NewInt(n+1))
		d.SetStr("_accessed_time", pyvalue.Float(float64(clock.Add(1))))
		return codec.EncodeValue(d, newForm)
	}
}

var pairs = [][2]string{{"memory", "memory"}, {"optimist", "memory"}, {"memory", "optimist"}, {"optimist", "optimist"}}

// TestProcessesCount: processes that change one session at the same time lose no change,
// and make none twice, with locks and without.
func TestProcessesCount(t *testing.T) {
	const rounds = 40
	for _, pair := range pairs {
		for phase, o := range phases {
			t.Run(fmt.Sprint(pair, phase), func(t *testing.T) {
				all, _, _ := processes(t, 4, pair, o)
				var clock atomic.Int64
				var wg sync.WaitGroup
				for _, s := range all {
					wg.Go(func() {
						u, _ := stores.As[stores.Updater](s)
						for range rounds {
							assert.NoError(t, u.Update(t.Context(), "id", count(&clock, true)))
							_, err := s.Get(t.Context(), "id")
							assert.NoError(t, err)
						}
					})
				}
				wg.Wait()
				v, err := all[0].Get(t.Context(), "id")
				require.NoError(t, err)
				d, _, err := codec.DecodeValue(v)
				require.NoError(t, err)
				n, _ := d.GetStr("n")
				require.Equal(t, fmt.Sprint(len(all)*rounds), pyvalue.Repr(n))
			})
		}
	}
}

// TestEndedStaysEnded: a session that one process deletes does not come back by those
// that read and renew it at the same time, nor by its copies.
func TestEndedStaysEnded(t *testing.T) {
	const rounds = 60
	for _, pair := range pairs {
		for phase, o := range phases {
			t.Run(fmt.Sprint(pair, phase), func(t *testing.T) {
				all, newStore, oldStore := processes(t, 3, pair, o)
				savers := all
				if pair[0] == "optimist" && (pair[1] == "optimist" || o.Write == tiered.WriteNewOnly) {
					savers = all[:1] // no lock for all: see the package's documentation
				}
				var clock atomic.Int64
				for round := range rounds {
					id := fmt.Sprintf("%032x", round)
					v, err := inForm(oldForm)(must(count(&clock, true)(nil)))
					require.NoError(t, err)
					require.NoError(t, oldStore.Put(t.Context(), id, v))
					var wg sync.WaitGroup
					for _, s := range savers {
						u, _ := stores.As[stores.Updater](s)
						wg.Go(func() {
							for range 3 {
								_, err := s.Get(t.Context(), id)
								assert.True(t, err == nil || errors.Is(err, stores.ErrNotExist), "%v", err)
								assert.NoError(t, u.Update(t.Context(), id, count(&clock, false)))
							}
						})
					}
					wg.Go(func() { assert.NoError(t, all[round%len(all)].Delete(t.Context(), id)) })
					wg.Wait()
					for _, s := range append(all, newStore, oldStore) {
						_, err := s.Get(t.Context(), id)
						require.ErrorIs(t, err, stores.ErrNotExist)
					}
				}
			})
		}
	}
}

func must(v pyvalue.Value, err error) pyvalue.Value {
	if err != nil {
		panic(err)
	}
	return v
}
