package livetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
)

// pythonWorkers is how many there are at most.
const pythonWorkers = 4

// TestHammer has four Python and four Go processes change the same fifty
// sessions at the same time, each counting up keys of its own.
//
// Beaker holds no lock between loading a session and saving it, and saves the
// whole dict. So a Python process can put back what others wrote since it
// loaded, whoever they are; nothing that the others do can prevent it. The test
// has two halves, each with what can be promised in it:
//
//   - locked: the Python processes keep Beaker's lock (session.lock) from load to
//     save. Every update of every process must be there in the end.
//   - plain: the Python processes do as applications do. Every update that is
//     missing must have been erased by a Python process: no write of a Go process
//     may change a key of another process (it is compared with the record
//     that it replaces, under the lock), and an update that is missing although
//     no Python has saved since was lost by Go. What Python erased is counted
//     and reported.
//
// In both, no process may see an error, a torn record or a session that is gone.
func TestHammer(t *testing.T) {
	for _, peer := range hammerPeers(t) {
		t.Run(peer.Name, func(t *testing.T) {
			h := newHammer(t, peer, livestores.Files(t), pythonWorkers, 4, 50)
			t.Run("locked", func(t *testing.T) { h.locked(t) })
			t.Run("plain", func(t *testing.T) { h.plain(t) })
		})
	}
}

// hammerTime is how long each half lasts: together 30 seconds, 10 with -short.
func hammerTime() time.Duration {
	if testing.Short() {
		return 5 * time.Second
	}
	return 15 * time.Second
}

// hammerPeers are the newest Beaker and, unless time is short, 1.11, whose records
// have the other form.
func hammerPeers(t *testing.T) []peers.Venv {
	var newest, older peers.Venv
	for _, p := range peers.Beakers(t) {
		switch {
		case p.Python2():
		case p.Beaker == "1.11.0" && older.Name == "":
			older = p
		case newest.Name == "" || release(t, p).Compare(release(t, newest)) > 0:
			newest = p
		}
	}
	if older.Name == "" || newest.Name != "" && testing.Short() {
		return []peers.Venv{newest}
	}
	if newest.Name == "" {
		return []peers.Venv{older}
	}
	return []peers.Venv{newest, older}
}

func release(t *testing.T, v peers.Venv) compat.Release {
	t.Helper()
	peer, err := compat.ParsePeer("beaker-" + v.Beaker)
	require.NoError(t, err)
	return peer.Release()
}

type hammer struct {
	python, gopher []*peers.Process
	ids            []string
	store          stores.Store
}

// newHammer has that many processes share that many sessions in a place.
func newHammer(t *testing.T, peer peers.Venv, place livestores.Place, python, gopher, sessions int) *hammer {
	h := &hammer{}
	options := place.Beaker(map[string]any{"invalidate_corrupt": false})
	for i := range python {
		settings, err := json.Marshal(map[string]any{"worker": fmt.Sprintf("py%d", i), "options": options})
		require.NoError(t, err)
		h.python = append(h.python, peers.Start(t, nil, peer.Exe, peers.Script(t, "peerhammer.py"), string(settings)))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	ini := place.Ini(t, nil)
	for i := range gopher {
		settings, err := json.Marshal(workerSettings{Worker: fmt.Sprintf("go%d", i), Ini: ini, Peer: peer.Peer()})
		require.NoError(t, err)
		h.gopher = append(h.gopher, peers.Start(t, []string{workerEnv + "=" + string(settings)}, self))
	}
	h.python[0].Ask(t, fmt.Sprintf("create %d", sessions), &h.ids)
	require.Len(t, h.ids, sessions)
	ids, err := json.Marshal(h.ids)
	require.NoError(t, err)
	for _, p := range h.all() {
		p.Ask(t, "ids "+string(ids), &struct{}{})
	}
	h.store = openStore(t, place.Options(t, compat.Peer{}, nil))
	return h
}

func (h *hammer) all() []*peers.Process {
	return append(append([]*peers.Process{}, h.python...), h.gopher...)
}

// round lets all processes loose for a while and returns what they report.
func (h *hammer) round(t *testing.T, how string) (python, gopher []tally) {
	t.Helper()
	for _, p := range h.all() {
		p.Ask(t, how, &struct{}{})
	}
	<-time.After(hammerTime())
	return collect(t, h.python, "pause"), collect(t, h.gopher, "pause")
}

// collect ends the work of processes and returns what they report.
func collect(t *testing.T, processes []*peers.Process, how string) (all []tally) {
	t.Helper()
	for _, p := range processes {
		var r tally
		p.Ask(t, how, &r)
		require.Empty(t, r.Errors, "%s", r.Worker)
		require.Positive(t, r.Updates, "%s did nothing", r.Worker)
		all = append(all, r)
	}
	return all
}

func (h *hammer) locked(t *testing.T) {
	python, gopher := h.round(t, "locked")
	h.requireAll(t, python, gopher)
}

// requireAll: no update was lost.
func (h *hammer) requireAll(t *testing.T, python, gopher []tally) {
	t.Helper()
	for _, r := range append(python, gopher...) {
		require.Zero(t, r.Lost, "%s lost updates although all hold the lock", r.Worker)
	}
	require.Zero(t, h.missing(t, append(python, gopher...)))
	report(t, "Python", python)
	report(t, "Go", gopher)
}

func (h *hammer) plain(t *testing.T) {
	python, gopher := h.round(t, "plain")
	h.requireInnocent(t, python, gopher)
}

// requireInnocent: no update was lost by Go.
func (h *hammer) requireInnocent(t *testing.T, python, gopher []tally) {
	t.Helper()
	for _, r := range gopher {
		require.Zero(t, r.LostToGo, "%s lost updates that no Python process can have erased", r.Worker)
		require.Zero(t, r.Clobbered, "%s changed keys of others", r.Worker)
	}
	t.Logf("erased by Python and seen in the end: %d of the last updates", h.missing(t, append(python, gopher...)))
	report(t, "Python", python)
	report(t, "Go", gopher)
}

// missing counts the counters that are lower in the records than their worker
// left them. It reads every record, so it also finds a torn one.
func (h *hammer) missing(t *testing.T, tallies []tally) (n int) {
	t.Helper()
	h.counters(t, tallies, func(r tally, id string, found int) {
		if found < r.Counts[id] {
			n++
		}
	})
	return n
}

// sum adds up the counters of workers.
func (h *hammer) sum(t *testing.T, tallies []tally) (n int) {
	t.Helper()
	h.counters(t, tallies, func(_ tally, _ string, found int) { n += found })
	return n
}

// counters reads every record, and passes on what it has of each worker.
func (h *hammer) counters(t *testing.T, tallies []tally, f func(r tally, id string, found int)) {
	t.Helper()
	for _, id := range h.ids {
		record, err := h.store.Get(context.Background(), id)
		require.NoError(t, err)
		values, _, err := new(beakerfmt.Codec).DecodeValue(record)
		require.NoError(t, err)
		for _, r := range tallies {
			found, _ := natural(values, r.Worker).(int)
			f(r, id, found)
		}
	}
}

func report(t *testing.T, who string, tallies []tally) {
	t.Helper()
	var updates, lost int
	for _, r := range tallies {
		updates += r.Updates
		lost += r.Lost
	}
	t.Logf("%s: %d updates, %d of them erased by Python's saving of whole dicts", who, updates, lost)
}
