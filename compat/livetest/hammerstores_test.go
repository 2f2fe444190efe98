package livetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// runHammer is TestHammer, but for its length, in another back end. Most of them have
// no lock that Python takes, so what can be promised is:
//
//   - alone: only Go processes write, and Python looks on. Every update is there, and
//     no counter ever goes back.
//   - locked, where Beaker has a lock: every update of every process is there.
//   - plain: Python processes write as well, as applications do. What is missing was
//     erased by one of them.
func runHammer(t *testing.T, kind livestores.Kind, h *hammer) {
	t.Run("alone", func(t *testing.T) { h.alone(t) })
	if kind.Type == "dbm" {
		t.Run("locked", func(t *testing.T) {
			h.send(t, h.all(), "locked")
			h.requireAll(t, collect(t, h.python, "finish"), collect(t, h.gopher, "finish"))
		})
	}
	t.Run("plain", func(t *testing.T) {
		h.send(t, h.all(), "plain")
		h.requireInnocent(t, collect(t, h.python, "finish"), collect(t, h.gopher, "finish"))
	})
}

// visits is how many times each process changes a session.
func visits() int {
	if testing.Short() {
		return 15
	}
	return 60
}

// newestWith is a Python 3 with a kind, and the newest Beaker that has it.
func newestWith(t *testing.T, kind livestores.Kind) (newest peers.Venv) {
	t.Helper()
	for _, v := range peers.Stores(t) {
		if v.Python2() || newest.Name != "" && release(t, v).Compare(release(t, newest)) <= 0 || !kind.On(t, v) {
			continue
		}
		newest = v
	}
	switch {
	case newest.Name != "":
	case kind.Rare:
		t.Skipf("no environment with %s", kind.Name)
	default:
		peers.Missing(t, fmt.Errorf("none with %s", kind.Name))
	}
	return newest
}

// send lets processes loose.
func (h *hammer) send(t *testing.T, processes []*peers.Process, how string) {
	t.Helper()
	for _, p := range processes {
		p.Ask(t, fmt.Sprintf("%s %d", how, visits()), &struct{}{})
	}
}

func (h *hammer) alone(t *testing.T) {
	reader := h.python[:1]
	reader[0].Ask(t, "read", &struct{}{})
	h.send(t, h.gopher, "plain")
	gopher := collect(t, h.gopher, "finish")
	h.requireAll(t, collect(t, reader, "pause"), gopher)
	updates := 0
	for _, r := range gopher {
		updates += r.Updates
	}
	require.Equal(t, updates, h.sum(t, gopher))
}
