//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
	"github.com/gobeaker/gobeaker/stores/internal/filelock"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// Store is a dbm store. It implements [stores.Store], [stores.Updater],
// [stores.Locker], [stores.Lister] and [stores.Pinger], and is safe for
// concurrent use, together with other Stores and processes on the same
// directories.
type Store struct {
	settings
	locks *filelock.Locks
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Locker
	stores.Lister
	stores.Pinger
} = (*Store)(nil)

// New returns a dbm store, or an error that says which option is wrong. It
// does not touch the disk: [Store.Ping] tells whether the directories work.
func New(o Options) (*Store, error) {
	c, err := o.settle()
	if err != nil {
		return nil, err
	}
	s := &Store{settings: c}
	s.locks = filelock.New(c.lockDir, s.recordExists)
	return s, nil
}

// Get implements [stores.Store]. It waits for writers of the same id. An empty
// database, as Python makes one for each id that it is asked for, has no record.
func (s *Store) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if err := s.check(ctx, id); err != nil {
		return nil, failed("get", id, err)
	}
	g, err := s.locks.Acquire(ctx, id, filelock.Shared, filelock.Sparse)
	if err != nil {
		return nil, failed("get", id, err)
	}
	data, err := s.read(ctx, s.base(id))
	if err := errors.Join(err, g.Release()); err != nil {
		return nil, failed("get", id, sysfile.In(s.dbmDir, err))
	}
	v, err := s.decode(data)
	return v, failed("get", id, err)
}

// Put implements [stores.Store]. The other keys of the database are kept; a database
// that cannot be read is replaced. v must not be nil.
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	if v == nil {
		return failed("put", id, fault.Permanent(errors.New("nil is not a Python value")))
	}
	return s.change(ctx, "put", id, func() (pyvalue.Value, error) { return v, nil })
}

// Update implements [stores.Updater]. f runs once, under the exclusive lock of
// id, and must not use the store for the same id. An error of f is returned as
// it is.
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	return s.change(ctx, "update", id, func() (pyvalue.Value, error) {
		old, err := s.current(ctx, id)
		if err != nil {
			return nil, err
		}
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

// current is the value of id, or nil.
func (s *Store) current(ctx context.Context, id string) (pyvalue.Value, error) {
	data, err := s.read(ctx, s.base(id))
	if errors.Is(err, stores.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, sysfile.In(s.dbmDir, err)
	}
	return s.decode(data)
}

// ownError is an error of the caller's function, on its way through.
type ownError struct{ error }

// change writes what edit returns, unless that is nil, under the exclusive lock.
func (s *Store) change(ctx context.Context, op, id string, edit func() (pyvalue.Value, error)) (err error) {
	defer func() {
		if own, ok := err.(ownError); ok {
			err = own.error
		} else if err != nil {
			err = failed(op, id, err)
		}
	}()
	if err := s.check(ctx, id); err != nil {
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
	v, err := edit()
	switch {
	case errors.Is(err, stores.ErrRemove):
		return sysfile.In(s.dbmDir, s.remove(s.base(id)))
	case v == nil || err != nil:
		return err
	}
	data, err := pickle.Append(nil, v, s.protocol)
	if err != nil {
		return fault.Permanent(err)
	}
	if int64(len(data)) > s.maxBytes {
		return stores.ErrTooLarge
	}
	return sysfile.In(s.dbmDir, s.write(ctx, s.base(id), data))
}

// Delete implements [stores.Store]: it removes the database, with all its keys and
// whatever its format, and what a crash left of writing it. The lock file stays.
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
	err = sysfile.In(s.dbmDir, s.remove(s.base(id)))
	if e := g.Release(); err == nil {
		err = e
	}
	return failed("delete", id, err)
}

// Lock implements [stores.Locker]: it takes the lock that Beaker's
// session.lock() takes. With a context that carries the lock of id already, it
// returns that context; the lock then lasts until every unlock was called.
func (s *Store) Lock(ctx context.Context, id string) (held context.Context, unlock func() error, err error) {
	if err := s.check(ctx, id); err != nil {
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

// recordSuffix ends the name that dbm is given (container.py,
// DBMNamespaceManager.__init__).
const recordSuffix = ".dbm"

// relative is the path of a record below the directory, without what dbm appends to it:
// the file store's with another suffix.
func relative(id string) string {
	path := beakerfmt.DataPath(id)
	return strings.TrimSuffix(path, filepath.Ext(path)) + recordSuffix
}

func (s *Store) base(id string) string { return s.dbmDir + "/" + relative(id) }

// decode decodes a value.
func (s *Store) decode(data []byte) (pyvalue.Value, error) {
	v, err := pickle.Decode(data, s.limits)
	if err != nil {
		return nil, corrupt(err)
	}
	return v, nil
}

func corrupt(err error) error { return fmt.Errorf("%w: %w", stores.ErrCorrupt, err) }

// failed says what failed, and wraps the sentinel on which callers decide.
func failed(op, id string, err error) error {
	switch {
	case errors.Is(err, syscall.ENAMETOOLONG):
		err = fmt.Errorf("%w: %w", stores.ErrInvalidID, syscall.ENAMETOOLONG) // no room for ".dbm.dir.temp"
	case errors.Is(err, filelock.ErrAbsent):
		err = stores.ErrNotExist
	}
	return fault.Wrap("dbmstore", op, id, err)
}
