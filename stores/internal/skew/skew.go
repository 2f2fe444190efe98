// Package skew compares the clocks of servers with that of this process.
package skew

import (
	"sync"
	"time"
)

// Widest keeps the difference of the clock that differs most. The zero Widest is ready
// for use; it is safe for concurrent use.
type Widest struct {
	mu   sync.Mutex
	most time.Duration
}

// Add compares what a clock said with the middle of the time that it took to ask.
func (w *Widest) Add(said, asked, answered time.Time) {
	by := said.Sub(asked.Add(answered.Sub(asked) / 2))
	w.mu.Lock()
	defer w.mu.Unlock()
	if by.Abs() > w.most.Abs() {
		w.most = by
	}
}

// Now is the time by that clock.
func (w *Widest) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.most).UTC()
}
