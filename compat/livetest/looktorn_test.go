package livetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
)

// pythonWriter saves one session again and again, as fast as Beaker can. It is told its
// options, and then on each line how, and how often; it answers how often it has saved.
//
//	new     makes the session, and answers its id
//	now     saves
//	before  saves, and then dates the record back to a second of its own, long ago: a
//	        reader finds what it would find if hours had gone by between two saves
//	hold    keeps Beaker's lock of the session until the next line
//
// A save has its number in it everywhere, and runs of saves are of one size, from less
// than a hundred bytes to more than a write(2) takes.
const pythonWriter = `
import json, os, sys

from beaker.session import Session

SIZES = [1, 1, 500, 500, 500, 1800, 1800, 4300, 4300, 4300, 7]

options = dict((str(k), str(v)) for k, v in json.loads(sys.argv[1]).items())
session, saved, held = Session({}, use_cookies=False, **options), 0, False

def save(back):
    global saved
    saved += 1
    number = '%06d' % saved
    many = SIZES[saved % len(SIZES)]
    session['first'], session['many'], session['last'] = number, '%06d' % many, number
    session['filler'] = (number + ',') * many
    session.save()
    if back:
        os.utime(session.namespace.file, (1000000000 + saved, 1000000000 + saved))

for line in iter(sys.stdin.readline, ''):
    how, _, times = line.strip().partition(' ')
    if held:
        session.unlock()
    held = how == 'hold'
    if held:
        session.lock()
    for _ in range(int(times or 1) if how in ('new', 'now', 'before') else 0):
        save(how == 'before')
    sys.stdout.write(json.dumps({'id': session.id, 'saved': saved}) + '\n')
    sys.stdout.flush()
`

// TestLookIsNeverTorn: while Python saves a session as fast as it can, in place (Beaker
// up to 1.9.0) or by a rename, whoever only looks at it sees one save whole, and none
// that is older than the one seen before. "now" takes the lock, as a rule: the record is
// always a new one. "before" does without, as a rule.
func TestLookIsNeverTorn(t *testing.T) {
	times := 500
	if testing.Short() {
		times = 100
	}
	for _, peer := range onePerWay(t) {
		t.Run(peer.Name, func(t *testing.T) {
			w := startWriter(t, peer)
			for _, how := range []string{"now", "before"} {
				t.Run(how, func(t *testing.T) { w.storm(t, how, times) })
			}
			// The record is of long ago now. Nobody waits for who has the lock.
			var at answer
			w.python.Ask(t, "hold", &at)
			for _, look := range w.looks(t) {
				n, err := look(t.Context())
				require.NoError(t, err)
				require.Equal(t, at.Saved, n)
			}
		})
	}
}

// onePerWay are the oldest Beaker that writes in place and the newest one that renames;
// unless time is short, the newest and the oldest of these as well.
func onePerWay(t *testing.T) (chosen []peers.Venv) {
	all := peers.Beakers(t)
	slices.SortStableFunc(all, func(a, b peers.Venv) int { return release(t, a).Compare(release(t, b)) })
	renames := slices.IndexFunc(all, func(p peers.Venv) bool {
		return release(t, p).Compare(compat.Release{Major: 1, Minor: 9, Patch: 1}) >= 0
	})
	if renames < 0 {
		renames = len(all)
	}
	inPlace, renaming := all[:renames], all[renames:]
	if len(inPlace) > 0 {
		chosen = append(chosen, inPlace[0])
	}
	if n := len(renaming); n > 0 {
		chosen = append(chosen, renaming[n-1])
	}
	if n := len(inPlace); n > 1 && !testing.Short() {
		chosen = append(chosen, inPlace[n-1])
	}
	if len(renaming) > 1 && !testing.Short() {
		chosen = append(chosen, renaming[0])
	}
	return chosen
}

// writer is the Python process, and where its session is.
type writer struct {
	python *peers.Process
	peer   compat.Peer
	place  livestores.Place
	id     string
}

// answer is what a pythonWriter says.
type answer struct {
	ID    string
	Saved int
}

func startWriter(t *testing.T, peer peers.Venv) *writer {
	t.Helper()
	w := &writer{place: livestores.Files(t)}
	var err error
	w.peer, err = compat.ParsePeer(peer.Peer())
	require.NoError(t, err)
	options, err := json.Marshal(w.place.Beaker(nil))
	require.NoError(t, err)
	w.python = peers.Start(t, nil, peer.Exe, "-c", pythonWriter, string(options))
	var made answer
	w.python.Ask(t, "new", &made)
	w.id = made.ID
	return w
}

// looks are the ways to look at the session, each of which returns the number of the
// save that it saw.
func (w *writer) looks(t *testing.T) map[string]func(context.Context) (int, error) {
	t.Helper()
	o := w.place.Options(t, w.peer, nil)
	o.Key, o.Secret, o.InvalidateCorrupt = cookieName, "", false
	store := openStore(t, o)
	peek := func(o compat.Options) func(context.Context) (int, error) {
		m, err := compat.New(o, store, compat.Environment{ReadTimeout: time.Minute})
		require.NoError(t, err)
		return func(ctx context.Context) (int, error) {
			v, err := m.Open(cookieName + "=" + w.id).Peek(ctx)
			if err != nil {
				return 0, err
			}
			return saveOf(v.Dict())
		}
	}
	cached := o
	cached.CacheTime = time.Minute
	return map[string]func(context.Context) (int, error){
		"peek": peek(o), "cached": peek(cached),
		"look": func(ctx context.Context) (int, error) {
			record, err := stores.Look(ctx, store, w.id)
			if err != nil {
				return 0, err
			}
			values, _, err := new(beakerfmt.Codec).DecodeValue(record)
			if err != nil {
				return 0, err
			}
			return saveOf(values)
		},
	}
}

// saveOf returns the number of a save, of which all parts must be.
func saveOf(d *pyvalue.Dict) (int, error) {
	text := func(key string) string { s, _ := natural(d, key).(string); return s }
	var n, many int
	if _, err := fmt.Sscanf(text("first")+" "+text("many"), "%06d %06d", &n, &many); err != nil {
		return 0, fmt.Errorf("of %d keys: %w", d.Len(), err)
	}
	if text("last") != text("first") || text("filler") != strings.Repeat(text("first")+",", many) {
		return 0, fmt.Errorf("save %d is mixed with another one", n)
	}
	return n, nil
}

// storm has Python save that often while each look is done over and over.
func (w *writer) storm(t *testing.T, how string, times int) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all errgroup.Group
	for name, look := range w.looks(t) {
		all.Go(func() error {
			seen, changes, count := 0, 0, 0
			for ; ctx.Err() == nil; count++ {
				n, err := look(context.WithoutCancel(ctx))
				switch {
				case err != nil:
					return fmt.Errorf("%s, after save %d: %w", name, seen, err)
				case n < seen:
					return fmt.Errorf("%s: save %d was seen after save %d", name, n, seen)
				case n > seen:
					changes++
				}
				seen = n
			}
			t.Logf("%s: %d looks, %d saves seen", name, count, changes)
			return nil
		})
	}
	var at answer
	w.python.Ask(t, fmt.Sprintf("%s %d", how, times), &at)
	stop()
	require.NoError(t, all.Wait())
	for name, look := range w.looks(t) {
		n, err := look(t.Context())
		require.NoError(t, err)
		require.Equal(t, at.Saved, n, name)
	}
}
