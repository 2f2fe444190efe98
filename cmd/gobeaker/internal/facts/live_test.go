package facts

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// TestLookLive: sessions in every back end on a real server are seen, its clock is read,
// and a server that has gone is a fact.
func TestLookLive(t *testing.T) {
	set := livestores.New(t)
	venvs := peers.Stores(t)
	done := map[string]bool{}
	for _, k := range livestores.Kinds() {
		for _, v := range venvs {
			if done[k.Type] || !k.On(t, v) || v.Python2() {
				continue
			}
			done[k.Type] = true
			t.Run(k.Name, func(t *testing.T) { lookAt(t, set.Place(t, k, v)) })
		}
	}
	require.NotEmpty(t, done)
}

func lookAt(t *testing.T, place livestores.Place) {
	o := place.Options(t, compat.Peer{}, map[string]string{"secret": testSecret})
	writer := o
	writer.Extra = maps.Clone(o.Extra)
	if o.Type == "ext:sqla" { // there it is the application that makes the table
		writer.Extra["create_table"] = "true"
	}
	store, err := backend.Open(writer)
	require.NoError(t, err)
	const n = 40
	for i := range n {
		require.NoError(t, store.Put(t.Context(), id(i+1), session(time.Now().Add(-time.Minute))))
	}
	closeStore(store)
	f := Look(t.Context(), LookOptions{Options: o, Store: true, Crawl: true, Sample: 15, Now: time.Now})
	require.Nil(t, f.Sample.Problem)
	require.GreaterOrEqual(t, f.Sample.Listed, int64(n))
	require.EqualValues(t, 15, f.Sample.Looked)
	require.EqualValues(t, 15, f.Sample.States["live"].Sessions+f.Sample.States["empty"].Sessions)
	require.True(t, f.Sample.Complete)
	require.Nil(t, f.Python)
	requireDiscreet(t, f)
	if !hasServer(o) {
		require.EqualValues(t, n, f.Tree.Records)
		require.Empty(t, f.Clocks.Clocks)
		return
	}
	if strings.HasPrefix(o.URL+o.Extra["sa.url"], "sqlite") {
		require.Empty(t, f.Clocks.Clocks)
		return
	}
	require.Len(t, f.Clocks.Clocks, 1)
	require.Nil(t, f.Clocks.Clocks[0].Problem)
	require.Less(t, f.Clocks.Clocks[0].Skew.Abs(), time.Minute)
	require.NotZero(t, f.Clocks.Clocks[0].Within)
}

// TestLook: what is not asked for is not looked at, files are in any case.
func TestLook(t *testing.T) {
	ini := filepath.Join(t.TempDir(), "production.ini")
	require.NoError(t, os.WriteFile(ini, nil, 0o600))
	f := Look(t.Context(), LookOptions{Options: options(signed), Files: []string{ini}})
	require.Nil(t, f.Sample)
	require.Nil(t, f.Python)
	require.Nil(t, f.Clocks)
	require.Len(t, f.Tree.Files, 1)
	require.Nil(t, f.Tree.Problem)

	other := options(signed)
	f = Look(t.Context(), LookOptions{Options: options(signed), PythonOptions: &other, Store: true, Python: "/nowhere/python", Timeout: time.Minute})
	require.Equal(t, Missing, f.Sample.Problem.Kind)
	require.Equal(t, Missing, f.Python.Problem.Kind)
	require.Empty(t, f.Clocks.Clocks)
	require.Equal(t, Missing, f.Tree.Problem.Kind)
}

// TestWithin: a look that hangs in a call of the system is left behind.
func TestWithin(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		most time.Duration
	}{{ctx, time.Hour}, {t.Context(), time.Nanosecond}} {
		hangs := make(chan *Sample)
		got := within(c.ctx, c.most, func(context.Context) *Sample { return <-hangs }, func(p *Problem) *Sample { return &Sample{Problem: p} })
		require.Equal(t, TimedOut, got.Problem.Kind)
		close(hangs)
	}
	seen := &Sample{}
	require.Same(t, seen, within(t.Context(), time.Hour, func(context.Context) *Sample { return seen }, nil))
}
