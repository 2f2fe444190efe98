package livetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
)

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// scenario is something that a user does across both applications.
type scenario struct {
	name string
	run  func(b *browser)
	// makes: Go makes a new session, in the form of the peer it was told of.
	makes bool
}

// scenarios run with every peer, through the gateway and beside it, with signed
// and with unsigned cookies.
var scenarios = []scenario{
	{name: "created in Python, read in Go", run: func(b *browser) {
		b.inPython("POST", "/login", `"ann"`, nil)
		before := b.cookie()
		require.NotEmpty(b.t, before)
		b.inGo(want(map[string]any{"user": "ann", "other": nil}))
		b.inGo(func(s *compat.Session) error { return equal("IsNew", s.IsNew(), false) })
		require.False(b.t, b.set, "a session that was there already needs no new cookie")
		require.Equal(b.t, before, b.cookie())
		d, _ := b.dump()
		require.False(b.t, d.IsNew)
	}},
	{name: "created in Go, read in Python", makes: true, run: func(b *browser) {
		b.inGo(put(map[string]any{"user": "bob", "n": 3}))
		require.NotEmpty(b.t, b.cookie())
		d, values := b.dump()
		require.False(b.t, b.set, "Python takes Go's cookie for its own")
		require.False(b.t, d.IsNew)
		require.Equal(b.t, "bob", natural(values, "user"))
		require.Equal(b.t, 3, natural(values, "n"))
		_, created := values.GetStr("_creation_time")
		require.True(b.t, created)
	}},
	{name: "changed and removed in Go", run: func(b *browser) {
		b.pySet("a", "one")
		b.pySet("b", "two")
		b.pySet("c", "three")
		b.inGo(put(map[string]any{"a": "uno", "b": nil, "d": 4}))
		_, values := b.dump()
		for key, v := range map[string]any{"a": "uno", "b": nil, "c": "three", "d": 4} {
			require.Equal(b.t, v, natural(values, key), key)
		}
	}},
	{name: "changed and removed in Python", makes: true, run: func(b *browser) {
		b.inGo(put(map[string]any{"a": "one", "b": "two", "c": "three"}))
		b.pySet("a", "uno")
		b.inPython("POST", "/delete?key=b", "", nil)
		b.inGo(want(map[string]any{"a": "uno", "b": nil, "c": "three"}))
	}},
	{name: "changed in turns", run: func(b *browser) {
		for i := range 5 {
			b.inPython("POST", "/increment?key=n", "", nil)
			b.inGo(func(s *compat.Session) error {
				n, _ := compat.Get[int](s, "n")
				return errors.Join(equal("n", n, 2*i+1), put(map[string]any{"n": n + 1})(s))
			})
		}
		require.Equal(b.t, 10, b.pyGet("n"))
	}},
	{name: "changed without save", run: func(b *browser) {
		b.pySet("a", "one")
		b.inGo(func(s *compat.Session) error { return s.Set("a", "lost") })
		require.Equal(b.t, "one", b.pyGet("a"))
	}},
	{name: "regenerated in Go", run: func(b *browser) {
		b.inPython("POST", "/login", `"ann"`, nil)
		old, before := b.again(), b.cookie()
		b.inGo(func(s *compat.Session) error { return errors.Join(s.RegenerateID(), put(map[string]any{"x": 1})(s)) })
		require.NotEqual(b.t, before, b.cookie())
		d, values := b.dump()
		require.False(b.t, d.IsNew)
		require.Equal(b.t, "ann", natural(values, "user"))
		require.Equal(b.t, 1, natural(values, "x"))
		require.Nil(b.t, old.pyGet("user"), "the old id is worth nothing any more")
	}},
	{name: "regenerated in Python", run: func(b *browser) {
		b.inPython("POST", "/login", `"ann"`, nil)
		before := b.cookie()
		b.inPython("POST", "/regenerate", "", nil)
		require.NotEqual(b.t, before, b.cookie())
		b.inGo(want(map[string]any{"user": "ann"}))
	}},
	{name: "invalidated in Go", makes: true, run: func(b *browser) {
		b.inPython("POST", "/login", `"ann"`, nil)
		old, before := b.again(), b.cookie()
		b.inGo(func(s *compat.Session) error { return errors.Join(s.Invalidate(), put(map[string]any{"x": 1})(s)) })
		require.NotEqual(b.t, before, b.cookie())
		_, values := b.dump()
		require.Nil(b.t, natural(values, "user"))
		require.Equal(b.t, 1, natural(values, "x"))
		require.Nil(b.t, old.pyGet("user"))
	}},
	{name: "invalidated in Python", run: func(b *browser) {
		b.inPython("POST", "/login", `"ann"`, nil)
		before := b.cookie()
		b.inPython("POST", "/invalidate", "", nil)
		require.NotEqual(b.t, before, b.cookie())
		b.inGo(want(map[string]any{"user": nil}))
	}},
	{name: "deleted in Go", run: func(b *browser) {
		b.inPython("POST", "/login", `"ann"`, nil)
		old := b.again()
		b.inGo(func(s *compat.Session) error { s.Delete(); return nil })
		require.Empty(b.t, b.cookie(), "the cookie has expired")
		require.Nil(b.t, b.pyGet("user"))
		d, values := old.dump()
		require.Nil(b.t, natural(values, "user"))
		require.True(b.t, d.IsNew)
	}},
	{name: "deleted in Python", run: func(b *browser) {
		b.inPython("POST", "/login", `"ann"`, nil)
		old := b.again()
		b.inPython("POST", "/logout", "", nil)
		require.Empty(b.t, b.cookie(), "the cookie has expired")
		old.inGo(func(s *compat.Session) error {
			return errors.Join(equal("IsNew", s.IsNew(), true), want(map[string]any{"user": nil})(s))
		})
	}},
	{name: "values of every kind survive", run: func(b *browser) {
		b.inPython("POST", b.world.samples(), "", nil)
		require.Empty(b.t, b.differ("GET", b.world.samples(), ""))
		b.inGo(put(map[string]any{"of go": "text"}))
		require.Empty(b.t, b.differ("GET", b.world.samples(), ""))
		require.Equal(b.t, "text", b.pyGet("of go"))
		b.inGo(func(s *compat.Session) error { s.Save(); return s.RegenerateID() })
		require.Empty(b.t, b.differ("GET", b.world.samples(), ""))
	}},
	{name: "objects of the application survive", run: func(b *browser) {
		b.inPython("POST", "/objects", "", nil)
		require.Empty(b.t, b.differ("GET", "/objects", ""))
		b.inGo(put(map[string]any{"of go": "text"}))
		require.Empty(b.t, b.differ("GET", "/objects", ""))
		b.inGo(func(s *compat.Session) error { s.Save(); return s.RegenerateID() })
		require.Empty(b.t, b.differ("GET", "/objects", ""))
	}},
	{name: "untouched", run: func(b *browser) {
		b.inGo(func(*compat.Session) error { return nil })
		require.False(b.t, b.set)
		b.inPython("GET", "/untouched", "", nil)
		require.Empty(b.t, b.cookie())
	}},
}

func equal[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v in Go, should be %v", what, got, want)
	}
	return nil
}

func TestOneSessionTwoLanguages(t *testing.T) {
	for _, peer := range peers.Beakers(t) {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			// Told of its peer or not, Go writes a record back as it found it;
			// only one that it makes itself needs to be told.
			for name, s := range map[string]setup{
				"signed":               {secret: "a secret, clé"},
				"unsigned":             {},
				"signed, peer unknown": {secret: "s", auto: true},
			} {
				if peer.Python2() && name == "signed" {
					s.secret = "a secret" // Python 2 has no text in its ini files
				}
				t.Run(name, func(t *testing.T) { runScenarios(t, newWorld(t, peer, s)) })
			}
		})
	}
}

func runScenarios(t *testing.T, w *world) {
	peer, err := compat.ParsePeer(w.peer.Peer())
	require.NoError(t, err)
	for _, s := range scenarios {
		if s.makes && w.setup.auto && peer.Minor < 12 {
			continue // a new session is in the form of 1.12 and later
		}
		t.Run(s.name+"/gateway", func(t *testing.T) { s.run(w.newBrowser(t, false)) })
		t.Run(s.name+"/direct", func(t *testing.T) { s.run(w.newBrowser(t, true)) })
	}
}

// A session that was not used for longer than the timeout is gone for both
// sides, whichever looks first.
func TestTimeout(t *testing.T) {
	for _, peer := range peers.Beakers(t) {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, peer, setup{secret: "s", timeout: 600})
			runTimeouts(t, w)
		})
	}
}

// runTimeouts is for a world with a timeout of 600 seconds.
func runTimeouts(t *testing.T, w *world) {
	login := func(t *testing.T, age float64) *browser {
		b := w.newBrowser(t, true)
		b.inPython("POST", "/login", `"ann"`, nil)
		d, _ := b.dump()
		w.age(t, d.ID, age)
		return b
	}
	t.Run("Python finds it in time", func(t *testing.T) {
		require.Equal(t, "ann", login(t, 500).pyGet("user"))
	})
	t.Run("Go finds it in time", func(t *testing.T) {
		login(t, 500).inGo(want(map[string]any{"user": "ann"}))
	})
	t.Run("Python finds it too late", func(t *testing.T) {
		require.Nil(t, login(t, 700).pyGet("user"))
	})
	t.Run("Go finds it too late", func(t *testing.T) {
		b := login(t, 700)
		old := b.again()
		b.inGo(want(map[string]any{"user": nil}))
		require.True(t, b.set, "a new cookie replaces the old one")
		require.Nil(t, old.pyGet("user"))
	})
	t.Run("Go keeps it alive for Python", func(t *testing.T) {
		b := login(t, 500)
		id, _ := b.dump()
		w.age(t, id.ID, 500)
		b.inGo(want(map[string]any{"user": "ann"})) // only read
		w.age(t, id.ID, 500)
		require.Equal(t, "ann", b.pyGet("user"))
	})
}

// Several Beakers that write the same form work on one directory with Go among
// them, and nobody has to be told.
func TestFleet(t *testing.T) {
	fleets := map[string][]peers.Venv{}
	for _, p := range peers.Beakers(t) {
		peer, err := compat.ParsePeer(p.Peer())
		require.NoError(t, err)
		switch {
		case p.Python2(): // cannot read the pickles of Python 3
		case peer.Minor < 12:
			fleets["up to 1.11"] = append(fleets["up to 1.11"], p)
		default:
			fleets["from 1.12 on"] = append(fleets["from 1.12 on"], p)
		}
	}
	for name, fleet := range fleets {
		t.Run(name, func(t *testing.T) {
			runFleet(t, fleet, newWorld(t, fleet[0], setup{secret: "s", auto: true}))
		})
	}
}

// runFleet has the others of a fleet join the world of its first.
func runFleet(t *testing.T, fleet []peers.Venv, w *world) {
	b := w.newBrowser(t, true)
	b.inPython("POST", w.samples(), "", nil)
	n := 0
	for _, p := range fleet {
		here := *w
		here.python = startPython(t, p, w.setup)
		b.world = &here
		b.inPython("POST", "/increment?key=n", "", nil)
		b.inGo(want(map[string]any{"n": n + 1}))
		b.inGo(put(map[string]any{"n": n + 2}))
		n += 2
		require.Equal(t, n, b.pyGet("n"), p.Name)
		require.Empty(t, b.differ("GET", w.samples(), ""), p.Name)
	}
}

// age makes a stored session look as if it had last been used that many
// seconds ago.
func (w *world) age(t *testing.T, id string, age float64) {
	t.Helper()
	updater, ok := stores.As[stores.Updater](w.store)
	require.True(t, ok)
	err := updater.Update(context.Background(), id, func(old pyvalue.Value) (pyvalue.Value, error) {
		values, form, err := new(beakerfmt.Codec).DecodeValue(old)
		if err != nil {
			return nil, err
		}
		now, ok := values.GetStr("_accessed_time")
		if !ok {
			return nil, errors.New("no _accessed_time")
		}
		values.SetStr("_accessed_time", now.(pyvalue.Float)-pyvalue.Float(age))
		return new(beakerfmt.Codec).EncodeValue(values, form)
	})
	require.NoError(t, err)
}
