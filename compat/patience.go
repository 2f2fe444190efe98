package compat

import (
	"context"
	"sync"
	"time"
)

// patience is a context that ends at a time, or when the one around it does. It makes a
// timer when somebody first waits for it: nearly every read of a session in a file finds
// no lock in its way, and waits for nobody.
type patience struct {
	context.Context
	until time.Time

	mu    sync.Mutex
	timed context.Context // nil: nobody has waited yet
	stop  context.CancelFunc
	ended bool
}

func withPatience(ctx context.Context, d time.Duration) *patience {
	return &patience{Context: ctx, until: time.Now().Add(d)}
}

func (p *patience) waited() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timed == nil {
		p.timed, p.stop = context.WithDeadline(p.Context, p.until)
		if p.ended {
			p.stop()
		}
	}
	return p.timed
}

// Deadline implements [context.Context].
func (p *patience) Deadline() (time.Time, bool) {
	if earlier, ok := p.Context.Deadline(); ok && earlier.Before(p.until) {
		return earlier, true
	}
	return p.until, true
}

// Done implements [context.Context].
func (p *patience) Done() <-chan struct{} { return p.waited().Done() }

// Err implements [context.Context].
func (p *patience) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.timed != nil:
		return p.timed.Err()
	case p.Context.Err() != nil:
		return p.Context.Err()
	case p.ended:
		return context.Canceled
	case !time.Now().Before(p.until):
		return context.DeadlineExceeded
	}
	return nil
}

// AfterFunc spares contexts that are made of this one a goroutine each (package context,
// propagateCancel).
func (p *patience) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(p.waited(), f) }

// end frees the timer. The context is not used any more.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.stop != nil {
		p.stop()
	}
}
