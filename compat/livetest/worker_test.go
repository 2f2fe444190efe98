package livetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// workerSettings tell a Go worker what scripts/peerhammer.py is told.
type workerSettings struct {
	Worker string
	Ini    string
	Peer   string
}

// tally is what a worker, Go or Python, answers to "pause".
type tally struct {
	Worker  string
	Updates int
	// Lost counts the visits that found fewer updates than this worker had made.
	Lost   int
	Errors []string
	Counts map[string]int
	// LostToGo counts those of Lost that no Python process can have caused: no
	// Python had saved since this worker's own last write. Go only.
	LostToGo int
	// Clobbered counts the writes of this worker that changed a key of another
	// one. Go only.
	Clobbered int
}

// worker is the Go counterpart of scripts/peerhammer.py. It changes sessions
// through package compat as a handler does, and looks from within the store's
// Update, that is under the lock, at what it finds there.
type worker struct {
	name    string
	manager *compat.Manager
	watch   *watcher
	ids     []string

	stop context.CancelFunc
	done sync.WaitGroup
	tally
}

// runWorker reads commands and answers them until in ends.
func runWorker(s workerSettings, in io.Reader, out io.Writer) error {
	w, err := newWorker(s)
	if err != nil {
		return err
	}
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		var answer any = struct{}{}
		switch command {
		case "ids":
			if err := json.Unmarshal([]byte(argument), &w.ids); err != nil {
				return err
			}
		case "locked", "plain": // the same for Go: it merges under the lock
			visits, err := strconv.Atoi(argument)
			if err != nil && argument != "" {
				return err
			}
			w.start(visits)
		case "pause", "finish":
			if command == "pause" {
				w.stop()
			}
			w.done.Wait()
			answer = w.report()
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func newWorker(s workerSettings) (*worker, error) {
	options, err := livestores.ReadIni(s.Ini)
	if err != nil {
		return nil, err
	}
	options.InvalidateCorrupt = false
	if options.Peer, err = compat.ParsePeer(s.Peer); err != nil {
		return nil, err
	}
	store, err := backend.Open(options)
	if err != nil {
		return nil, err
	}
	updater, ok := stores.As[stores.Updater](store)
	if !ok {
		return nil, errors.New("the store has no Update")
	}
	watch := &watcher{Store: store, updater: updater, name: s.Worker, seen: map[string]sighting{}}
	manager, err := compat.New(options, watch, compat.Environment{})
	return &worker{name: s.Worker, manager: manager, watch: watch}, err
}

// start begins to visit sessions, that many times or until stop; 0 has no end.
func (w *worker) start(visits int) {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.tally = tally{Worker: w.name}
	w.watch.lost, w.watch.lostToGo, w.watch.clobbered = 0, 0, 0
	w.done.Go(func() {
		for ctx.Err() == nil && len(w.Errors) < 5 && (visits == 0 || w.Updates < visits) {
			if err := w.visit(w.ids[rand.IntN(len(w.ids))]); err != nil {
				w.Errors = append(w.Errors, err.Error())
				continue
			}
			w.Updates++
		}
	})
}

// visit is one request: load, count up, save.
func (w *worker) visit(id string) error {
	ctx := context.Background()
	s, err := w.manager.GetByID(ctx, id)
	if err != nil {
		return err
	}
	n, _ := compat.Get[int](s, w.name)
	if err := s.Set(w.name, n+1); err != nil {
		return err
	}
	s.Save()
	return s.Persist(ctx)
}

func (w *worker) report() tally {
	t := w.tally
	t.Lost, t.LostToGo, t.Clobbered = w.watch.lost, w.watch.lostToGo, w.watch.clobbered
	t.Counts = map[string]int{}
	for id, s := range w.watch.seen {
		t.Counts[id] = s.count
	}
	return t
}

// sighting is what a worker knows of a session since its own last write.
type sighting struct {
	count  int           // its own counter
	stamps string        // the stamps of the Python workers, see peerhammer.py
	others *pyvalue.Dict // everything but its own counter and the access time
}

// watcher is a store that keeps an eye on one worker's counters.
type watcher struct {
	stores.Store
	updater                   stores.Updater
	name                      string
	seen                      map[string]sighting
	lost, lostToGo, clobbered int
}

// Update compares the record that is there, under the lock or before the exchange,
// with what this worker left, and notes what it leaves now.
func (w *watcher) Update(ctx context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	var found, left sighting // of the last try
	err := w.updater.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) {
		if old == nil {
			return nil, errors.New("the session is gone")
		}
		var err error
		if found, err = look(old, w.name); err != nil {
			return nil, err
		}
		v, err := f(old)
		if err != nil {
			return nil, err
		}
		left, err = look(v, w.name)
		return v, err
	})
	if err != nil {
		return err
	}
	// A stamp is never written twice, so if no stamp has changed, no
	// Python has saved since, and what is missing was lost by Go.
	if known := w.seen[id]; found.count < known.count {
		w.lost++
		if found.stamps == known.stamps {
			w.lostToGo++
		}
	}
	if !sameEntries(found.others, left.others) {
		w.clobbered++
	}
	w.seen[id] = left
	return nil
}

// Put is not how a change is merged.
func (w *watcher) Put(context.Context, string, pyvalue.Value) error {
	return errors.New("a whole record was put in place of the old one")
}

// look reads what a record says of a worker and of the others.
func look(record pyvalue.Value, name string) (sighting, error) {
	values, _, err := new(beakerfmt.Codec).DecodeValue(record)
	if err != nil {
		return sighting{}, err
	}
	number := func(key string) int {
		v, _ := natural(values, key).(int)
		return v
	}
	s := sighting{count: number(name)}
	for i := range pythonWorkers {
		s.stamps += strconv.Itoa(number(fmt.Sprintf("stamp:py%d", i))) + " "
	}
	s.others = values.Clone() // up to Beaker 1.11 the dict is the record itself
	s.others.DeleteStr(name)
	s.others.DeleteStr("_accessed_time")
	return s, nil
}

// sameEntries is Python's == of two dicts, but with types.
func sameEntries(a, b *pyvalue.Dict) bool {
	for key, v := range a.All() {
		if other, ok := b.Get(key); !ok || !pyvalue.Equal(v, other) {
			return false
		}
	}
	return a.Len() == b.Len()
}
