package upkeep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// Records are handed out in batches, so that goroutines and the state need not meet at
// each of them.
const (
	batchRecords = 64   // to look into
	batchListed  = 4096 // listed, most of them too recent
)

// maxRow is how many records may fail one after another before a store that cannot be
// asked whether it works is taken to be down.
const maxRow = 100

// errMaxDuration ends a run after MaxDuration.
var errMaxDuration = errors.New("the time is up")

// batch is a piece of the list.
type batch struct {
	number int
	infos  []stores.Info
	counts Result // of those that need not be looked into
	end    string // the cursor after it
}

// run is one run of a Collector.
type run struct {
	c     *Collector
	ctx   context.Context
	stop  context.CancelCauseFunc
	visit func(ctx context.Context, id string, f func(old pyvalue.Value) error) error
	sweep *filestore.Sweep

	recent time.Time   // what was written later should not have expired
	lied   atomic.Bool // something had, all the same

	mu     sync.Mutex
	result Result
	row    int            // failures since the last success
	done   map[int]string // the ends of finished batches that follow an unfinished one
	next   int            // the first unfinished batch
	cursor string         // the end of the one before it
	saved  time.Time
}

// Run goes through the store once, or on from where the last run was broken off. The
// error says why it did not come to the end: the context, or a store that is
// unavailable (stores.ErrUnavailable). That single records could not be handled, or
// that MaxDuration is over, is none: the Result tells.
func (c *Collector) Run(ctx context.Context) (Result, error) {
	if c.o.MaxDuration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.o.MaxDuration, errMaxDuration)
		defer cancel()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{c: c, ctx: ctx, stop: stop, done: map[int]string{}, cursor: c.o.State.cursor(), saved: c.o.Now()}
	r.result.Resumed = r.cursor != ""
	r.visit = r.update
	r.recent = c.o.Now().Add(-c.age())
	closeSweep := r.beginSweep()
	r.records()
	err := context.Cause(ctx)
	if err == nil {
		r.cursor = ""
		if r.sweep != nil {
			err = r.sweep.Litter(ctx)
		}
		r.result.Complete = err == nil
	}
	closeSweep()
	if e := c.o.State.save(r.cursor); err == nil {
		err = e
	}
	r.tell()
	if errors.Is(err, errMaxDuration) || err != nil && errors.Is(context.Cause(ctx), errMaxDuration) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("upkeep: run: %w", err)
	}
	return r.result, err
}

// sweeper is a store that has litter.
type sweeper interface {
	NewSweep(o filestore.SweepOptions) *filestore.Sweep
}

func (r *run) beginSweep() (end func()) {
	s, ok := inner[sweeper](r.c.store)
	if !ok || r.c.o.Sweep == nil {
		return func() {}
	}
	o := *r.c.o.Sweep
	o.DryRun, o.Wait, o.Now = r.c.o.DryRun, r.wait, r.c.o.Now
	if o.Workers == 0 {
		o.Workers = r.c.o.Workers
	}
	r.sweep = s.NewSweep(o)
	r.visit = r.sweep.Visit
	return func() { r.result.Sweep = r.sweep.Close() }
}

func (r *run) update(ctx context.Context, id string, f func(old pyvalue.Value) error) error {
	return r.c.updater.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) { return nil, f(old) })
}

// records lists the records and has them looked into.
func (r *run) records() {
	queues := make([]chan batch, r.c.o.Workers)
	var wg sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan batch, queued)
		wg.Go(func() {
			for b := range queues[i] {
				r.batch(b)
			}
		})
	}
	if err := r.list(queues); err != nil {
		r.stop(err)
	}
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
}

// queued is how many batches wait for each worker at most.
const queued = 16

// list fills batches with the records that may have to go. Those with one cursor, such
// as the files of a directory, go to one worker: two would wait for each other.
func (r *run) list(queues []chan batch) error {
	var b batch
	recent := 0
	worker, last := 0, ""
	send := func() error {
		if b.end != last {
			worker, last = (worker+1)%len(queues), b.end
		}
		select {
		case queues[worker] <- b:
			b = batch{number: b.number + 1, end: b.end}
			return nil
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
	for info, err := range r.c.lister.List(r.ctx, r.cursor) {
		switch {
		case err != nil && info.ID == "":
			return errors.Join(context.Cause(r.ctx), err)
		case err != nil:
			b.counts.Failed++
			r.fail(err)
			continue
		}
		b.counts.Listed++
		b.end = info.Cursor
		if info.Modified.After(r.recent) {
			recent++
		}
		if info.Modified.After(r.recent) && r.trusts(recent) {
			b.counts.Recent++
		} else {
			b.infos = append(b.infos, info)
		}
		if len(b.infos) == batchRecords || b.counts.Listed == batchListed {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := context.Cause(r.ctx); err != nil {
		return err
	}
	return send()
}

// How much is looked into of what was written too recently to be expired.
const (
	firstLooks = 1000 // these
	thenLooks  = 16   // and then one of so many
)

// trusts reports whether the nth record that was written recently need not be looked
// into. Beaker writes the time of the access with every write, so it is not older than
// the file; but a copy, a backup or an application with a clock of its own may have
// made the files. So some are looked into, and all as soon as one of them had expired.
func (r *run) trusts(n int) bool {
	return !r.c.o.All && !r.lied.Load() && n > firstLooks && n%thenLooks != 0
}

// batch looks into the records of a batch. If the run ends meanwhile, the batch does
// not count as done, and the next run begins with it.
func (r *run) batch(b batch) {
	counts := b.counts
	for i := range b.infos {
		if r.ctx.Err() != nil || r.wait(r.ctx) != nil || !r.record(b.infos[i], &counts) {
			r.finish(b, counts, false)
			return
		}
	}
	r.finish(b, counts, true)
}

func (r *run) wait(ctx context.Context) error {
	if r.c.limiter == nil {
		return nil
	}
	return r.c.limiter.Wait(ctx)
}

// record decides about one record, and does it. It returns false if the run is to end.
func (r *run) record(info stores.Info, counts *Result) (ok bool) {
	v, err := r.decide(info)
	switch {
	case err == nil:
		if (v == expired || v == older) && info.Modified.After(r.recent) {
			r.lied.Store(true)
		}
		v.count(counts, info.Size)
		r.succeed()
		return true
	case r.ctx.Err() != nil:
		return false
	}
	counts.Failed++
	r.fail(err)
	return !r.isDown(err)
}

// decide looks into a record and removes it if that is to be.
func (r *run) decide(info stores.Info) (verdict, error) {
	c := r.c
	old := c.oldness(r.ctx, info)
	v := other // if there is none
	var err error
	if c.o.DryRun {
		var value pyvalue.Value
		if value, err = stores.Look(r.ctx, c.store, info.ID); err == nil {
			v = c.judge(value, old)
		}
	} else {
		err = r.visit(r.ctx, info.ID, func(value pyvalue.Value) error {
			if v = c.judge(value, old); v.removes() {
				return stores.ErrRemove
			}
			return nil
		})
	}
	switch {
	case errors.Is(err, stores.ErrNotExist):
		return other, nil
	case errors.Is(err, stores.ErrCorrupt):
		return r.corruptRecord(info, err, old)
	}
	return v, err
}

// corruptRecord decides about a record that the store itself cannot read. One that is
// only too large for us may be whole to Python, and stays.
func (r *run) corruptRecord(info stores.Info, err error, old func(age time.Duration) bool) (verdict, error) {
	locker, ok := stores.As[stores.Locker](r.c.store)
	if !r.c.o.Corrupt || !ok || errors.Is(err, stores.ErrTooLarge) || !old(r.c.unreadableAge()) {
		return corrupt, nil
	}
	if r.c.o.DryRun {
		return broken, nil
	}
	held, unlock, err := locker.Lock(r.ctx, info.ID)
	if err != nil {
		return corrupt, err
	}
	v := other
	if _, err = r.c.store.Get(held, info.ID); errors.Is(err, stores.ErrCorrupt) && old(r.c.unreadableAge()) {
		v, err = broken, r.c.store.Delete(held, info.ID)
	}
	if errors.Is(err, stores.ErrNotExist) {
		err = nil
	}
	return v, errors.Join(err, unlock())
}

// isDown reports whether the whole store is lost, and then ends the run.
func (r *run) isDown(err error) bool {
	if !errors.Is(err, stores.ErrUnavailable) {
		return false
	}
	r.mu.Lock()
	row := r.row
	r.mu.Unlock()
	pinger, ok := stores.As[stores.Pinger](r.c.store)
	switch {
	case !ok && row < maxRow, ok && row&(row-1) != 0: // not at each of many: at the 1st, 2nd, 4th …
		return false
	case ok:
		ping := pinger.Ping(r.ctx)
		if ping == nil {
			return false
		}
		err = ping
	}
	r.stop(err)
	return true
}

func (r *run) succeed() {
	r.mu.Lock()
	r.row = 0
	r.mu.Unlock()
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.row++
	if r.c.o.Failure != nil {
		r.c.o.Failure(err)
	}
}

// saveEvery is how often the place is saved.
const saveEvery = 5 * time.Second

// finish counts a batch, and moves the place on if all before it are done.
func (r *run) finish(b batch, counts Result, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.add(counts)
	if whole {
		r.done[b.number] = b.end
	}
	for end, ok := r.done[r.next]; ok; end, ok = r.done[r.next] {
		delete(r.done, r.next)
		r.next++
		if end != "" {
			r.cursor = end
		}
	}
	if now := r.c.o.Now(); now.Sub(r.saved) >= saveEvery {
		r.saved = now
		if err := r.c.o.State.save(r.cursor); err != nil {
			r.stop(err)
		}
	}
	if r.c.o.Progress != nil {
		r.c.o.Progress(r.result)
	}
}

func (r *run) tell() {
	if r.c.o.Progress != nil {
		r.c.o.Progress(r.result)
	}
}
