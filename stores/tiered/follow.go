package tiered

import (
	"context"
	"errors"
	"sync"
	"time"
)

// followTime is how long a copy may take.
const followTime = 10 * time.Second

// follow copies the record of the store that leads to the other one. It looks
// again afterwards: who copied last has copied the last record, where there are no
// locks too. Of one process, one goroutine does that for all that write the same record.
func (t *tier) follow(ctx context.Context, id string, leader, follower *side) {
	if !t.following.begin(id) {
		return
	}
	const most = 1000
	// The request has its answer: that it ends does not end the copy of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), followTime)
	defer cancel()
	if t.o.Read != ReadOld { // then copies are not read, and all others lock the new store first
		// Under the lock nobody takes a copy of what was deleted meanwhile for a session.
		held, unlock, err := t.turn(ctx, id)
		if err != nil {
			t.following.end(id)
			t.report(err)
			return
		}
		defer func() { t.report(unlock()) }()
		ctx = held
	}
	for range most {
		settled, err := t.copy(ctx, id, leader, follower)
		if err != nil {
			t.following.end(id)
			t.report(err)
			return
		}
		if settled && t.following.done(id) {
			return
		}
	}
	t.following.end(id)
	t.report(follower.wrap(errors.New("a record changes too fast to be copied")))
}

// copy copies the record once. Settled: it has not changed meanwhile.
func (t *tier) copy(ctx context.Context, id string, leader, follower *side) (settled bool, err error) {
	v, err := leader.find(ctx, id)
	switch {
	case err != nil:
	case v == nil:
		err = follower.wrap(follower.Delete(ctx, id))
	default:
		err = follower.put(ctx, id, v)
	}
	if err != nil {
		return false, err
	}
	now, err := leader.find(ctx, id)
	return same(v, now), err
}

// following knows which records are being copied, and which of those were written
// since.
type following struct {
	mu    sync.Mutex
	again map[string]bool
}

// begin is false if somebody copies that record already, who then does so again.
func (f *following) begin(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, busy := f.again[id]; busy {
		f.again[id] = true
		return false
	}
	if f.again == nil {
		f.again = map[string]bool{}
	}
	f.again[id] = false
	return true
}

// done ends it, unless there is more to do.
func (f *following) done(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.again[id] {
		f.again[id] = false
		return false
	}
	delete(f.again, id)
	return true
}

func (f *following) end(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.again, id)
}
