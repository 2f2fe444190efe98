package tiered_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/tiered"
)

// The old Python has Beaker 1.11, which stores the dict; the new one a later Beaker,
// which stores a text. Neither reads the other's.
var (
	codec   beakerfmt.Codec
	oldForm = beakerfmt.Form{}
	newForm = beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2}
)

func inForm(f beakerfmt.Form) func(pyvalue.Value) (pyvalue.Value, error) {
	return func(v pyvalue.Value) (pyvalue.Value, error) {
		d, found, err := codec.DecodeValue(v)
		if err != nil || found.Text == f.Text {
			return v, err
		}
		return codec.EncodeValue(d, f)
	}
}

func accessed(v pyvalue.Value) (at float64, ok bool) {
	d, _, err := codec.DecodeValue(v)
	if err != nil {
		return 0, false
	}
	f, _ := d.GetStr("_accessed_time")
	t, ok := f.(pyvalue.Float)
	return float64(t), ok
}

func isDead(v pyvalue.Value) bool { _, live := accessed(v); return !live }

func newer(a, b pyvalue.Value) bool {
	x, _ := accessed(a)
	y, _ := accessed(b)
	return x > y
}

// world is a migration under way: two Pythons and Go, with one session.
type world struct {
	t        *testing.T
	old, new stores.Store
	tier     stores.Store
	clock    float64
	rand     *rand.Rand
	log      []string
	id       string
}

func newWorld(t *testing.T, seed uint64, o tiered.Options) *world {
	w := &world{t: t, old: memstore.New(), new: memstore.New(), rand: rand.New(rand.NewPCG(seed, 1)), id: fmt.Sprintf("%032x", seed)}
	w.phase(o)
	return w
}

// phase puts Go into another phase, over the same two stores.
func (w *world) phase(o tiered.Options) {
	o.ToNew, o.ToOld, o.Newer, o.Dead = inForm(newForm), inForm(oldForm), newer, isDead
	o.Report = func(err error) { w.t.Errorf("%v: %v", w.log, err) }
	w.tier = open(w.t, w.new, w.old, o)
}

func (w *world) did(what string) { w.log = append(w.log, what) }

// session is what a session holds: how often each of the three has used it. nil: there is
// none.
type session map[string]int64

func (w *world) decode(v pyvalue.Value, f beakerfmt.Form, anyForm bool) session {
	w.t.Helper()
	d, found, err := codec.DecodeValue(v)
	if errors.Is(err, beakerfmt.ErrNoSession) {
		return nil
	}
	require.NoError(w.t, err)
	require.True(w.t, anyForm || found.Text == f.Text, "%v: this Python cannot read what is there", w.log)
	if isDead(v) {
		return nil
	}
	s := session{}
	for k, v := range d.All() {
		name, _ := pyvalue.Text(k)
		if n, ok := v.(*pyvalue.Int); ok {
			s[name], _ = n.Int64()
		}
	}
	return s
}

func (w *world) encode(s session, f beakerfmt.Form) pyvalue.Value {
	w.clock++
	d := pyvalue.NewDict()
	d.SetStr("_accessed_time", pyvalue.Float(w.clock))
	for k, n := range s {
		d.SetStr(k, pyvalue.NewInt(n))
	}
	v, err := codec.EncodeValue(d, f)
	require.NoError(w.t, err)
	return v
}

// look is what a Python sees.
func (w *world) look(s stores.Store, f beakerfmt.Form) session {
	w.t.Helper()
	v, err := s.Get(w.t.Context(), w.id)
	if errors.Is(err, stores.ErrNotExist) {
		return nil
	}
	require.NoError(w.t, err)
	return w.decode(v, f, false)
}

// python makes a request to a Python: it counts, and begins a session if there is none.
func (w *world) python(name string, s stores.Store, f beakerfmt.Form) session {
	w.t.Helper()
	w.did(name)
	now := w.look(s, f)
	if now == nil {
		now = session{}
	}
	now[name]++
	require.NoError(w.t, s.Put(w.t.Context(), w.id, w.encode(now, f)))
	return now
}

// logout is Python's, as of Beaker 1.11 and later.
func (w *world) logout(s stores.Store, f beakerfmt.Form) {
	w.did("logout")
	d := pyvalue.NewDict()
	d.SetStr("_domain", pyvalue.None{})
	d.SetStr("_path", pyvalue.Str("/"))
	v, err := codec.EncodeValue(d, f)
	require.NoError(w.t, err)
	require.NoError(w.t, s.Put(w.t.Context(), w.id, v))
}

// look is what Go sees.
func (w *world) goLooks() session {
	w.t.Helper()
	v, err := w.tier.Get(w.t.Context(), w.id)
	if errors.Is(err, stores.ErrNotExist) {
		return nil
	}
	require.NoError(w.t, err)
	return w.decode(v, newForm, true)
}

// goCounts is a request to Go that changes the session, if there is one, and begins one
// otherwise.
func (w *world) goCounts(f beakerfmt.Form) session {
	w.t.Helper()
	w.did("go")
	var now session
	u, _ := stores.As[stores.Updater](w.tier)
	require.NoError(w.t, u.Update(w.t.Context(), w.id, func(v pyvalue.Value) (pyvalue.Value, error) {
		if now = nil; v != nil {
			now = w.decode(v, f, true)
		}
		if now == nil {
			now = session{}
		}
		now["go"]++
		return w.encode(now, f), nil
	}))
	return now
}

func (w *world) goDeletes() {
	w.did("go deletes")
	require.NoError(w.t, w.tier.Delete(w.t.Context(), w.id))
}

func (w *world) same(want, got session) {
	w.t.Helper()
	if len(want) == 0 {
		require.Empty(w.t, got, "%v", w.log)
		return
	}
	require.Equal(w.t, want, got, "%v", w.log)
}

const (
	seeds = 300
	steps = 30
)

func clone(s session) session {
	c := session{}
	for k, n := range s {
		c[k] = n
	}
	return c
}

// TestPhase1: Python on the old store and Go share a session as if there were nothing
// else, and what Go wrote last is in the new store.
func TestPhase1(t *testing.T) {
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, tiered.Options{Read: tiered.ReadOld})
		var want session
		for range steps {
			switch w.rand.IntN(8) {
			case 0:
				w.goDeletes()
				want = nil
				_, err := w.new.Get(t.Context(), w.id)
				require.ErrorIs(t, err, stores.ErrNotExist)
			case 1:
				w.logout(w.old, oldForm)
				want = nil
			case 2, 3, 4:
				want = w.python("old", w.old, oldForm)
			default:
				want = w.goCounts(oldForm)
				w.same(want, w.look(w.new, newForm))
			}
			want = clone(want)
			w.same(want, w.goLooks())
			w.same(want, w.look(w.old, oldForm))
		}
	}
}

// TestPhase2 through a gateway: each of the three sees what the others left, logouts
// too, wherever the session was last.
func TestPhase2(t *testing.T) {
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, tiered.Options{Read: tiered.ReadNewest})
		var want session
		for range steps {
			w.same(want, w.goLooks()) // the gateway loads the session first
			w.same(want, w.look(w.old, oldForm))
			w.same(want, w.look(w.new, newForm))
			switch w.rand.IntN(10) {
			case 0:
				w.goDeletes()
				want = nil
			case 1:
				w.logout(w.old, oldForm)
				want = nil
			case 2:
				w.logout(w.new, newForm)
				want = nil
			case 3, 4, 5:
				want = w.python("old", w.old, oldForm)
			case 6, 7:
				want = w.python("new", w.new, newForm)
			default:
				want = w.goCounts(newForm)
			}
			want = clone(want)
		}
	}
}

// TestPhase2Besides: where requests pass Go by, Go sees the last writer's session, and
// never none where there is one.
func TestPhase2Besides(t *testing.T) {
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, tiered.Options{Read: tiered.ReadNewest})
		var last session
		for range steps {
			switch w.rand.IntN(6) {
			case 0, 1:
				last = w.python("old", w.old, oldForm)
			case 2, 3:
				last = w.python("new", w.new, newForm)
			case 4:
				before := clone(last)
				last = w.goCounts(newForm)
				before["go"]++
				w.same(before, last)
			default:
				w.same(last, w.goLooks())
			}
			last = clone(last)
		}
		w.same(last, w.goLooks())
		w.same(last, w.look(w.old, oldForm))
		w.same(last, w.look(w.new, newForm))
	}
}

// TestPhase3: what only the old store has is found, what Go writes is found by Python on
// the new one, and what ended does not come back.
func TestPhase3(t *testing.T) {
	for _, o := range []tiered.Options{phases["new first"], phases["new first both"], phases["move"]} {
		for seed := range uint64(seeds) {
			w := newWorld(t, seed, o)
			want := clone(w.python("old", w.old, oldForm))
			for range steps {
				w.same(want, w.goLooks())
				copied := w.look(w.new, newForm) != nil
				switch w.rand.IntN(8) {
				case 0:
					w.goDeletes()
					want = nil
					for _, s := range []stores.Store{w.new, w.old} {
						_, err := s.Get(t.Context(), w.id)
						require.ErrorIs(t, err, stores.ErrNotExist)
					}
				case 1:
					w.logout(w.new, newForm)
					want = nil
				case 2, 3:
					if copied || want == nil { // as a pass sees to it
						want = w.python("new", w.new, newForm)
					}
				case 4, 5:
				default:
					want = w.goCounts(newForm)
					w.same(want, w.look(w.new, newForm))
				}
				want = clone(want)
			}
		}
	}
}

// TestPhases goes through all of them, with a session that everybody uses.
func TestPhases(t *testing.T) {
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, tiered.Options{Read: tiered.ReadOld})
		var want session
		few := func(python func(), f beakerfmt.Form) {
			for range w.rand.IntN(6) {
				if w.goLooks(); w.rand.IntN(2) == 0 {
					python()
				} else {
					want = w.goCounts(f)
				}
				w.same(want, w.goLooks())
			}
		}
		onOld := func() { want = w.python("old", w.old, oldForm) }
		onNew := func() { want = w.python("new", w.new, newForm) }
		few(onOld, oldForm)
		w.phase(tiered.Options{Read: tiered.ReadNewest})
		few(onOld, newForm)
		few(onNew, newForm)
		few(onOld, newForm)
		w.goLooks()
		w.phase(phases["move"])
		few(onNew, newForm)
		w.same(want, w.goLooks())
	}
}
