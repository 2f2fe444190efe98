// Package idlock locks session ids within one process, and lets a context
// carry such a lock. Stores whose locks are of their own making stand on it.
package idlock

import (
	"context"
	"slices"
	"sync"
)

// Locks is a set of exclusive locks, one for each id. The zero Locks is ready
// for use; it must not be copied. An id that nobody locks takes no memory.
type Locks struct {
	mu    sync.Mutex
	taken map[string][]chan struct{} // who waits for each locked id, oldest first
}

// Acquire locks id, waiting for others in the order of arrival. It returns
// ctx.Err() if ctx ends first, and then nothing is locked.
func (l *Locks) Acquire(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	turn := l.join(id)
	if turn == nil {
		return nil
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		l.quit(id, turn)
		return ctx.Err()
	}
}

// Release unlocks id, which must be locked, or hands it to who waited longest.
func (l *Locks) Release(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.taken[id]
	if len(waiting) == 0 {
		delete(l.taken, id)
		return
	}
	l.taken[id] = waiting[1:]
	close(waiting[0])
}

// join locks a free id and returns nil, or returns what is closed when the
// lock is handed over.
func (l *Locks) join(id string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting, taken := l.taken[id]
	if !taken {
		if l.taken == nil {
			l.taken = make(map[string][]chan struct{})
		}
		l.taken[id] = nil
		return nil
	}
	turn := make(chan struct{})
	l.taken[id] = append(waiting, turn)
	return turn
}

// quit leaves the queue, or passes on a lock that was handed over meanwhile.
func (l *Locks) quit(id string, turn chan struct{}) {
	l.mu.Lock()
	i := slices.Index(l.taken[id], turn)
	if i >= 0 {
		l.taken[id] = slices.Delete(l.taken[id], i, i+1)
	}
	l.mu.Unlock()
	if i < 0 {
		l.Release(id)
	}
}

// Held is a lock that a context carries. It lasts until everybody who entered
// it has left.
type Held struct {
	turn    chan struct{} // capacity 1: full while somebody writes under the lock
	release func() error

	mu    sync.Mutex
	users int
}

// heldKey is the key under which a context carries a lock: a context can carry
// locks of several ids and of several stores.
type heldKey struct {
	locks *Locks
	id    string
}

// Carry returns a context that carries the lock of id, and the function that
// gives the lock back. The lock is given back, by release, when that function
// was called and nobody else uses the lock any more; release's error goes to
// who left last. Calling unlock again does nothing and returns the same.
func (l *Locks) Carry(ctx context.Context, id string, release func() error) (held context.Context, unlock func() error) {
	h := &Held{turn: make(chan struct{}, 1), release: release, users: 1}
	return context.WithValue(ctx, heldKey{l, id}, h), sync.OnceValue(h.Leave)
}

// Enter returns the lock of id that ctx carries, which then lasts at least
// until the caller calls Leave. It returns nil if ctx carries none, or one that
// was given back already.
func (l *Locks) Enter(ctx context.Context, id string) *Held {
	h, _ := ctx.Value(heldKey{l, id}).(*Held)
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users == 0 {
		return nil
	}
	h.users++
	return h
}

// Again returns another unlock function of the lock of id that ctx carries, or
// nil if Enter would.
func (l *Locks) Again(ctx context.Context, id string) (unlock func() error) {
	if h := l.Enter(ctx, id); h != nil {
		return sync.OnceValue(h.Leave)
	}
	return nil
}

// Leave ends one use of the lock.
func (h *Held) Leave() error {
	h.mu.Lock()
	h.users--
	last := h.users == 0
	h.mu.Unlock()
	if last {
		return h.release()
	}
	return nil
}

// Begin waits for the turn to write among those who share the lock, such as
// several goroutines of one request. It returns ctx.Err() if ctx ends first.
func (h *Held) Begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// End gives up the turn to write.
func (h *Held) End() { <-h.turn }
