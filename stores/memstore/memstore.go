// Package memstore keeps sessions in the memory of the process (type = memory).
//
// Records are kept as pickles, so that callers never share values with the store or
// with each other, and what can be kept is what the file store can keep. As
// with Beaker's, nothing is ever dropped but by Delete, there is no bound on the
// number of records, and another process sees none of it: it is for tests and
// trials.
package memstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
	"github.com/gobeaker/gobeaker/stores/internal/idlock"
)

// Store is a store in memory. It implements [stores.Store], [stores.Updater],
// [stores.Locker], [stores.Lister] and [stores.Pinger], and is safe for
// concurrent use. The zero Store is empty and ready for use; it must not be copied.
type Store struct {
	// IDs says which ids are acceptable. Set it before the store is used.
	IDs beakerfmt.IDRule

	locks   idlock.Locks
	mu      sync.Mutex
	records map[string][]byte // pickles; never changed in place
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Locker
	stores.Lister
	stores.Pinger
} = (*Store)(nil)

// New returns an empty store that accepts the ids of the zero rule.
func New() *Store { return &Store{} }

// Get implements [stores.Store].
func (s *Store) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	release, err := s.acquire(ctx, id)
	if err != nil {
		return nil, failed("get", id, err)
	}
	defer release()
	v, err := s.read(id)
	return v, failed("get", id, err)
}

// Put implements [stores.Store]. v must not be nil.
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	release, err := s.acquireToWrite(ctx, id)
	if err != nil {
		return failed("put", id, err)
	}
	defer release()
	return failed("put", id, s.write(id, v))
}

// Delete implements [stores.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	release, err := s.acquireToWrite(ctx, id)
	if err != nil {
		return failed("delete", id, err)
	}
	defer release()
	s.remove(id)
	return nil
}

func (s *Store) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, id)
}

// Update implements [stores.Updater]. f runs once, under the lock of id, and
// must not use the store for the same id. An error of f is returned as it is.
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	release, err := s.acquireToWrite(ctx, id)
	if err != nil {
		return failed("update", id, err)
	}
	defer release()
	old, err := s.read(id)
	if err != nil && !errors.Is(err, stores.ErrNotExist) {
		return failed("update", id, err)
	}
	v, err := f(old)
	switch {
	case errors.Is(err, stores.ErrRemove):
		s.remove(id)
		return nil
	case v == nil || err != nil:
		return err
	}
	return failed("update", id, s.write(id, v))
}

// Lock implements [stores.Locker]. With a context that carries the lock of id
// already, it returns that context; the lock then lasts until every unlock was
// called.
func (s *Store) Lock(ctx context.Context, id string) (held context.Context, unlock func() error, err error) {
	if !s.IDs.Valid(id) {
		return nil, nil, failed("lock", id, stores.ErrInvalidID)
	}
	if unlock := s.locks.Again(ctx, id); unlock != nil {
		return ctx, unlock, nil
	}
	if err := s.locks.Acquire(ctx, id); err != nil {
		return nil, nil, failed("lock", id, err)
	}
	held, unlock = s.locks.Carry(ctx, id, func() error {
		s.locks.Release(id)
		return nil
	})
	return held, unlock, nil
}

// List implements [stores.Lister], in the order of the ids. The store does not know
// when records were modified.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		for _, info := range s.infos(from) {
			if err := ctx.Err(); err != nil {
				yield(stores.Info{}, fmt.Errorf("memstore: list: %w", err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *Store) infos(from string) []stores.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := make([]stores.Info, 0, len(s.records))
	for id, data := range s.records {
		if id > from {
			infos = append(infos, stores.Info{ID: id, Size: int64(len(data)), Cursor: id})
		}
	}
	slices.SortFunc(infos, func(a, b stores.Info) int { return strings.Compare(a.ID, b.ID) })
	return infos
}

// Ping implements [stores.Pinger].
func (s *Store) Ping(ctx context.Context) error { return ctx.Err() }

// acquire takes the lock of id, or uses the one that ctx carries.
func (s *Store) acquire(ctx context.Context, id string) (release func(), err error) {
	if !s.IDs.Valid(id) {
		return nil, stores.ErrInvalidID
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if h := s.locks.Enter(ctx, id); h != nil {
		return func() { _ = h.Leave() }, nil
	}
	if err := s.locks.Acquire(ctx, id); err != nil {
		return nil, err
	}
	return func() { s.locks.Release(id) }, nil
}

// acquireToWrite is acquire for those who must also exclude others that have
// the same lock from their context.
func (s *Store) acquireToWrite(ctx context.Context, id string) (release func(), err error) {
	h := s.locks.Enter(ctx, id)
	if h == nil {
		return s.acquire(ctx, id)
	}
	if err := h.Begin(ctx); err != nil {
		return nil, errors.Join(err, h.Leave())
	}
	return func() { h.End(); _ = h.Leave() }, nil
}

func (s *Store) read(id string) (pyvalue.Value, error) {
	s.mu.Lock()
	data, ok := s.records[id]
	s.mu.Unlock()
	if !ok {
		return nil, stores.ErrNotExist
	}
	v, err := pickle.Decode(data, pickle.OwnLimits())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stores.ErrCorrupt, err)
	}
	return v, nil
}

func (s *Store) write(id string, v pyvalue.Value) error {
	if v == nil {
		return fault.Permanent(errors.New("nil is not a Python value"))
	}
	data, err := pickle.Append(nil, v, pickle.DefaultProtocol)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = make(map[string][]byte)
	}
	s.records[id] = data
	return nil
}

func failed(op, id string, err error) error { return fault.Wrap("memstore", op, id, err) }
