//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
	"github.com/gobeaker/gobeaker/stores/internal/idlock"
)

// Store is a file store. It implements [stores.Store], [stores.Updater],
// [stores.Locker], [stores.Lister] and [stores.Pinger], and is safe for
// concurrent use, together with other Stores and processes on the same
// directories.
type Store struct {
	settings
	ids     beakerfmt.IDRule
	fsync   bool
	locks   idlock.Locks
	blocked chan struct{} // one element for each goroutine in a blocking flock
	waiting func()        // for tests: called when a lock is found taken by another process
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Locker
	stores.Lister
	stores.Pinger
} = (*Store)(nil)

// New returns a file store, or an error that says which option is wrong. It
// does not touch the disk: [Store.Ping] tells whether the directories work.
func New(o Options) (*Store, error) {
	c, err := o.settle()
	if err != nil {
		return nil, err
	}
	return &Store{settings: c, ids: o.IDs, fsync: o.Fsync, blocked: make(chan struct{}, maxBlocked)}, nil
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
	g, err := s.acquire(ctx, id, shared, sparse)
	if err != nil {
		return err
	}
	err = under(s.fileDir, s.readRecord(s.recordPath(id), buf))
	return errors.Join(err, g.release())
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
	if err := s.check(ctx, id); err != nil {
		return err
	}
	g, err := s.acquire(ctx, id, exclusive, makeLock)
	if err != nil {
		return err
	}
	defer func() {
		if e := g.release(); err == nil {
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
		return under(s.fileDir, s.removeRecord(path))
	case v == nil || err != nil:
		return err
	}
	c.SetStr(beakerfmt.SessionKey, v)
	if buf.b, err = beakerfmt.AppendContainer(buf.b[:0], c, s.protocol); err != nil {
		return fault.Permanent(err)
	}
	return under(s.fileDir, s.writeRecord(path, buf.b))
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
	return pyvalue.NewDict(), under(s.fileDir, err)
}

// Delete implements [stores.Store]: it removes the record, with all the keys of
// its container, and what a crash left of writing it. The lock file stays.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.check(ctx, id); err != nil {
		return failed("delete", id, err)
	}
	g, err := s.acquire(ctx, id, exclusive, sparse)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return failed("delete", id, err)
	}
	err = under(s.fileDir, s.removeRecord(s.recordPath(id)))
	if e := g.release(); err == nil {
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
	if unlock := s.locks.Again(ctx, id); unlock != nil {
		return ctx, unlock, nil
	}
	g, err := s.acquire(ctx, id, exclusive, makeLock)
	if err != nil {
		return nil, nil, failed("lock", id, err)
	}
	held, unlock = s.locks.Carry(ctx, id, g.release)
	return held, unlock, nil
}

// check refuses what must not get near a path.
func (s *Store) check(ctx context.Context, id string) error {
	if !s.ids.Valid(id) {
		return stores.ErrInvalidID
	}
	return ctx.Err()
}

// The directories are clean already, and the paths below them are short and
// clean by construction: filepath.Join would only cost time.

func (s *Store) recordPath(id string) string { return s.fileDir + "/" + beakerfmt.DataPath(id) }

func (s *Store) lockPath(id string) string { return s.lockDir + "/" + beakerfmt.LockPath(id) }

// dirError is an error of the system in one of the store's two directories. It
// names that directory, which is configured and no secret, and never what is
// below: the id is in that.
type dirError struct {
	dir string
	err error
}

// under says in which directory an error of the system came up. It leaves other
// errors, and those of which that is known, as they are.
func under(dir string, err error) error {
	if err == nil || errors.Is(err, stores.ErrCorrupt) || errors.As(err, new(dirError)) {
		return err
	}
	if errors.As(err, new(syscall.Errno)) || errors.Is(err, errVanishing) {
		return dirError{dir, err}
	}
	return err
}

func (e dirError) Error() string {
	text := "in " + e.dir + ": " + e.err.Error()
	if errors.Is(e.err, fs.ErrPermission) {
		text += "; run the service as the same user or group as the Python application, with a umask that lets both write (such as 0002)"
	}
	return text
}

func (e dirError) Unwrap() error { return e.err }

// failed says what failed, and wraps the sentinel on which callers decide.
func failed(op, id string, err error) error {
	switch {
	case errors.Is(err, syscall.ENAMETOOLONG):
		err = fmt.Errorf("%w: %w", stores.ErrInvalidID, syscall.ENAMETOOLONG) // no room for ".cache.temp"
	case errors.Is(err, errAbsent):
		err = stores.ErrNotExist
	}
	return fault.Wrap("filestore", op, id, err)
}
