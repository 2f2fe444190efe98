//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
	"github.com/gobeaker/gobeaker/stores/internal/filelock"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// Store is a file store. It implements [stores.Store], [stores.Updater],
// [stores.Locker], [stores.Lister], [stores.Pinger], [stores.Looker] and
// [stores.Versioner], and is safe for concurrent use, together with other Stores and
// processes on the same directories.
type Store struct {
	settings
	ids   beakerfmt.IDRule
	fsync bool
	locks *filelock.Locks
	place place
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Locker
	stores.Lister
	stores.Pinger
	stores.Looker
	stores.Versioner
} = (*Store)(nil)

// New returns a file store, or an error that says which option is wrong. It
// does not touch the disk: [Store.Ping] tells whether the directories work.
func New(o Options) (*Store, error) {
	c, err := o.settle()
	if err != nil {
		return nil, err
	}
	s := &Store{settings: c, ids: o.IDs, fsync: o.Fsync}
	s.place.dir = c.fileDir
	s.locks = filelock.New(c.lockDir, s.recordExists)
	return s, nil
}

// Get implements [stores.Store]. It waits for writers of the same id.
func (s *Store) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if err := s.check(ctx, id); err != nil {
		return nil, failed("get", id, err)
	}
	buf := takeBuffer()
	defer buf.giveBack()
	if err := s.getBytes(ctx, id, buf); err != nil {
		return nil, failed("get", id, err)
	}
	c, err := s.decode(buf.b)
	if err != nil {
		return nil, failed("get", id, err)
	}
	v, ok := c.GetStr(beakerfmt.SessionKey)
	if !ok {
		return nil, failed("get", id, stores.ErrNotExist)
	}
	return v, nil
}

// getBytes reads the record of id into buf. The lock is held for no longer.
func (s *Store) getBytes(ctx context.Context, id string, buf *buffer) error {
	g, err := s.locks.Acquire(ctx, id, filelock.Shared, filelock.Sparse)
	if err != nil {
		return err
	}
	err = sysfile.In(s.fileDir, s.readRecord(s.recordPath(id), buf))
	return errors.Join(err, g.Release())
}

// Put implements [stores.Store]. The other keys of the container are kept; a
// container that cannot be decoded is replaced. v must not be nil.
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	if v == nil {
		return failed("put", id, fault.Permanent(errors.New("nil is not a Python value")))
	}
	return s.change(ctx, "put", id, func(c *pyvalue.Dict, err error) (pyvalue.Value, error) {
		if errors.Is(err, stores.ErrCorrupt) {
			err = nil
		}
		return v, err
	})
}

// Update implements [stores.Updater]. f runs once, under the exclusive lock of
// id, and must not use the store for the same id. An error of f is returned as
// it is.
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	return s.change(ctx, "update", id, func(c *pyvalue.Dict, err error) (pyvalue.Value, error) {
		if err != nil {
			return nil, err
		}
		old, _ := c.GetStr(beakerfmt.SessionKey)
		v, err := f(old)
		if err != nil && !errors.Is(err, stores.ErrRemove) {
			err = ownError{err}
		}
		if err != nil {
			return nil, err
		}
		return v, nil
	})
}

// ownError is an error of the caller's function, on its way through.
type ownError struct{ error }

// change reads the container of id under the exclusive lock, and writes it
// again with the session value that edit returns, unless that is nil. edit gets
// the container, or an empty one and the error for which it could not be read.
func (s *Store) change(ctx context.Context, op, id string, edit func(c *pyvalue.Dict, err error) (pyvalue.Value, error)) (err error) {
	defer func() {
		if own, ok := err.(ownError); ok {
			err = own.error
		} else if err != nil {
			err = failed(op, id, err)
		}
	}()
	if err := s.checkWrite(ctx, id); err != nil {
		return err
	}
	g, err := s.locks.Acquire(ctx, id, filelock.Exclusive, filelock.MakeLock)
	if err != nil {
		return err
	}
	defer func() {
		if e := g.Release(); err == nil {
			err = e
		}
	}()
	buf := takeBuffer()
	defer buf.giveBack()
	path := s.recordPath(id)
	c, err := s.readContainer(path, buf)
	v, err := edit(c, err)
	switch {
	case errors.Is(err, stores.ErrRemove):
		return sysfile.In(s.fileDir, s.removeRecord(path))
	case v == nil || err != nil:
		return err
	}
	c.SetStr(beakerfmt.SessionKey, v)
	if buf.b, err = beakerfmt.AppendContainer(buf.b[:0], c, s.protocol); err != nil {
		return fault.Permanent(err)
	}
	return sysfile.In(s.fileDir, s.writeRecord(path, buf.b))
}

// readContainer reads and decodes a record. It never returns a nil Dict; of a
// record that is missing, or is no container, the Dict is empty.
func (s *Store) readContainer(path string, buf *buffer) (*pyvalue.Dict, error) {
	err := s.readRecord(path, buf)
	if err == nil {
		var c *pyvalue.Dict
		if c, err = s.decode(buf.b); err == nil {
			return c, nil
		}
	}
	if errors.Is(err, stores.ErrNotExist) {
		err = nil
	}
	return pyvalue.NewDict(), sysfile.In(s.fileDir, err)
}

// Delete implements [stores.Store]: it removes the record, with all the keys of
// its container, and what a crash left of writing it. The lock file stays.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.check(ctx, id); err != nil {
		return failed("delete", id, err)
	}
	g, err := s.locks.Acquire(ctx, id, filelock.Exclusive, filelock.Sparse)
	if errors.Is(err, filelock.ErrAbsent) {
		return nil
	}
	if err != nil {
		return failed("delete", id, err)
	}
	err = sysfile.In(s.fileDir, s.removeRecord(s.recordPath(id)))
	if e := g.Release(); err == nil {
		err = e
	}
	return failed("delete", id, err)
}

// Lock implements [stores.Locker]: it takes the lock that Beaker's
// session.lock() takes. With a context that carries the lock of id already, it
// returns that context; the lock then lasts until every unlock was called.
func (s *Store) Lock(ctx context.Context, id string) (held context.Context, unlock func() error, err error) {
	if err := s.checkWrite(ctx, id); err != nil {
		return nil, nil, failed("lock", id, err)
	}
	held, unlock, err = s.locks.Lock(ctx, id)
	return held, unlock, failed("lock", id, err)
}

// check refuses what must not get near a path.
func (s *Store) check(ctx context.Context, id string) error {
	if !s.ids.Valid(id) {
		return stores.ErrInvalidID
	}
	return ctx.Err()
}

// checkWrite is check for what makes directories that are missing: those that have gone
// must not be made anew.
func (s *Store) checkWrite(ctx context.Context, id string) error {
	if err := s.check(ctx, id); err != nil {
		return err
	}
	return sysfile.In(s.fileDir, s.place.check())
}

// recordPath is made without filepath.Join, which would only cost time: the
// directory is clean already, and what is below it is so by construction.
func (s *Store) recordPath(id string) string { return s.fileDir + "/" + beakerfmt.DataPath(id) }

func (s *Store) recordExists(id string) (bool, error) {
	there, err := sysfile.Exists(s.recordPath(id))
	if !there && err == nil {
		err = s.place.check()
	}
	return there, sysfile.In(s.fileDir, err)
}

// failed says what failed, and wraps the sentinel on which callers decide.
func failed(op, id string, err error) error {
	switch {
	case errors.Is(err, syscall.ENAMETOOLONG):
		err = fmt.Errorf("%w: %w", stores.ErrInvalidID, syscall.ENAMETOOLONG) // no room for ".cache.temp"
	case errors.Is(err, filelock.ErrAbsent):
		err = stores.ErrNotExist
	}
	return fault.Wrap("filestore", op, id, err)
}
