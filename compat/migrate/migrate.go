package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"golang.org/x/time/rate"

	"github.com/gobeaker/gobeaker/stores"
)

// Run makes a pass. It ends with an error if a store fails or ctx ends, and what was
// copied until then is counted; a single record that cannot be copied is no such error.
func Run(ctx context.Context, o Options) (Counts, error) {
	if err := o.check(); err != nil {
		return Counts{}, fmt.Errorf("migrate: %w: %w", ErrOptions, err)
	}
	p := newPass(&o)
	if o.Move && !o.DryRun {
		if err := p.probe(ctx); err != nil {
			return Counts{}, wrap("run", err)
		}
	}
	err := p.run(ctx, p.migrate)
	return p.counts, wrap("run", err)
}

// pass goes through the source, batch by batch.
type pass struct {
	*copier
	limiter *rate.Limiter
	lister  stores.Lister
	tell    teller

	mu       sync.Mutex
	counts   Counts
	finished map[int]batch // those behind one that is not
	next     int           // the first batch that is not finished
}

// batch is a part of the list.
type batch struct {
	number int
	infos  []stores.Info
	cursor string
	counts Counts
}

func newPass(o *Options) *pass {
	o.Batch, o.Workers = cmp.Or(o.Batch, 128), cmp.Or(o.Workers, 4)
	p := &pass{finished: map[int]batch{}, tell: teller{o: o}}
	p.copier = newCopier(o, p.tell.problem)
	p.lister, _ = stores.As[stores.Lister](o.From.Store)
	limit := rate.Inf
	if o.Rate > 0 {
		limit = rate.Limit(o.Rate)
		o.Batch = max(1, min(o.Batch, int(math.Ceil(o.Rate))))
	}
	p.limiter = rate.NewLimiter(limit, o.Batch)
	return p
}

// run has work done on each batch. The first error ends it.
func (p *pass) run(ctx context.Context, work func(context.Context, *batch) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan batch)
	var wg sync.WaitGroup
	for range p.o.Workers {
		wg.Go(func() {
			for b := range batches {
				err := work(ctx, &b)
				if err != nil {
					p.add(b.counts)
				} else {
					err = p.done(b)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	err := p.list(ctx, batches)
	close(batches)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// list cuts the list into batches.
func (p *pass) list(ctx context.Context, to chan<- batch) error {
	b := batch{infos: make([]stores.Info, 0, p.o.Batch)}
	send := func() error {
		if err := p.limiter.WaitN(ctx, len(b.infos)); err != nil {
			return err
		}
		select {
		case to <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b = batch{number: b.number + 1, infos: make([]stores.Info, 0, p.o.Batch)}
		return nil
	}
	for info, err := range p.lister.List(ctx, p.o.Cursor) {
		if err != nil {
			if info.ID == "" {
				return err
			}
			b.counts.Listed++
			b.counts.Failed++
			p.tell.problem(Problem{ID: info.ID, Reason: Unreadable, Err: err})
			continue
		}
		b.infos, b.cursor = append(b.infos, info), info.Cursor
		if len(b.infos) == p.o.Batch {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	b.cursor = "" // the end is no place to go on from
	return send()
}

// done counts a batch, and tells the cursor of the last one before which all are done.
func (p *pass) done(b batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.add(b.counts)
	b.infos = nil
	p.finished[b.number] = b
	cursor := ""
	for {
		first, ok := p.finished[p.next]
		if !ok {
			break
		}
		delete(p.finished, p.next)
		p.next++
		cursor = first.cursor
	}
	return p.tell.progress(p.counts, cursor)
}

func (p *pass) add(c Counts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.add(c)
}

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("migrate: %s: %w", op, err)
}

// fatal reports whether an error is due to the store, not to a record of it.
func fatal(err error) bool {
	return errors.Is(err, stores.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
