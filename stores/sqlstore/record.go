package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

// row is what the table has for an id.
type row struct {
	there bool
	size  int64
	data  []byte // nil if there are more than are read
}

// edit makes a session value out of the one that was found, which is nil if there is
// none, or out of the error for which it could not be read.
type edit func(old pyvalue.Value, err error) (pyvalue.Value, error)

// fetch reads the row of id.
func (s *Store) fetch(ctx context.Context, id string) (r row, err error) {
	err = s.with(ctx, func(c *sql.Conn) error {
		r, err = s.read(ctx, c, s.sql.get, id)
		return err
	})
	return r, err
}

// read is fetch by a given statement.
func (s *Store) read(ctx context.Context, c *sql.Conn, statement, id string) (row, error) {
	var r row
	err := s.query(ctx, c, func(rows *sql.Rows) error {
		var found row
		var name string
		if err := rows.Scan(&name, &found.size, &found.data); err != nil {
			return err
		}
		if name == id && !r.there {
			r = found
			r.there = true
		}
		return nil
	}, statement, s.key(id)...)
	return r, err
}

// container decodes a row. It never returns a nil Dict; of a row that is missing, or
// is no container, the Dict is empty.
func (s *Store) container(r row) (*pyvalue.Dict, error) {
	switch {
	case !r.there:
		return pyvalue.NewDict(), nil
	case r.data == nil && r.size > s.maxBytes:
		return pyvalue.NewDict(), fmt.Errorf("%w: %w: it has %d bytes", stores.ErrCorrupt, stores.ErrTooLarge, r.size)
	}
	c, err := beakerfmt.DecodeContainer(r.data, s.limits)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, beakerfmt.ErrNoSession):
		return pyvalue.NewDict(), nil
	}
	return pyvalue.NewDict(), fmt.Errorf("%w: %w", stores.ErrCorrupt, err)
}

// session is the session value of a row; nil if it has none.
func (s *Store) session(r row) (pyvalue.Value, error) {
	c, err := s.container(r)
	if err != nil {
		return nil, err
	}
	v, _ := c.GetStr(beakerfmt.SessionKey)
	return v, nil
}

// swapped edits a row by compare and swap: if another writer was faster it is to be
// done again. No connection is held while f runs.
func (s *Store) swapped(ctx context.Context, id string, f edit) error {
	r, err := s.fetch(ctx, id)
	if err != nil {
		return err
	}
	w, err := s.edited(r, f)
	if w == nil || err != nil {
		return err
	}
	return s.with(ctx, func(c *sql.Conn) error { return w(ctx, c, writing, id) })
}

// errNoLocks: rows cannot be locked on this server.
var errNoLocks = errors.New("no locks")

// locked edits a row in a transaction that holds its lock. Where there is no row there
// is nothing to lock, and it is to be done again if another writer made one.
func (s *Store) locked(ctx context.Context, id string, f edit) error {
	return s.with(ctx, func(c *sql.Conn) (err error) {
		if s.noLocks != nil && s.noLocks() {
			return errNoLocks
		}
		done := false
		defer func() {
			if !done { // f may have panicked
				s.rollback(ctx, c)
			}
		}()
		if _, err := s.exec(ctx, c, inTransaction, s.begin); err != nil {
			return err
		}
		r, err := s.read(ctx, c, s.sql.lock, id)
		if err != nil {
			return err
		}
		w, err := s.edited(r, f)
		if w == nil || err != nil {
			return err
		}
		if err := w(ctx, c, inTransaction, id); err != nil {
			return err
		}
		_, err = s.exec(ctx, c, writing, "COMMIT")
		done = err == nil
		return err
	})
}

// write writes what an edit came to, if the row is still as it was.
type write func(ctx context.Context, c *sql.Conn, m mode, id string) error

// edited runs f on what a row holds; nil if there is nothing to write.
func (s *Store) edited(r row, f edit) (write, error) {
	c, err := s.container(r)
	old, _ := c.GetStr(beakerfmt.SessionKey)
	v, err := f(old, err)
	switch {
	case errors.Is(err, stores.ErrRemove):
		if old == nil {
			return nil, nil // what the row holds is another's
		}
		return func(ctx context.Context, c *sql.Conn, m mode, id string) error {
			return s.change(ctx, c, m, s.sql.removeSame, append(s.key(id), r.data)...)
		}, nil
	case v == nil || err != nil:
		return nil, err
	}
	c.SetStr(beakerfmt.SessionKey, v)
	data, err := s.encode(c)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, c *sql.Conn, m mode, id string) error {
		switch {
		case !r.there:
			return s.insertRow(ctx, c, m, id, data)
		case r.data == nil: // too large to compare
			return s.change(ctx, c, m, s.sql.update, s.key(id, data, s.timestamp())...)
		}
		return s.change(ctx, c, m, s.sql.swap, append(s.key(id, data, s.timestamp()), r.data)...)
	}, nil
}

// encode makes the column data.
func (s *Store) encode(c *pyvalue.Dict) ([]byte, error) {
	data, err := beakerfmt.AppendContainer(nil, c, s.protocol)
	if err != nil {
		return nil, fault.Permanent(err)
	}
	if int64(len(data)) > s.maxBytes {
		return nil, fmt.Errorf("%w: it would have %d bytes", stores.ErrTooLarge, len(data))
	}
	return data, nil
}

// errAgain: another writer was faster.
var errAgain = &failure{kind: again, text: "another writer was faster"}

// change is exec for a statement that changes the row, if it is still as it was.
func (s *Store) change(ctx context.Context, c *sql.Conn, m mode, statement string, args ...any) error {
	n, err := s.exec(ctx, c, m, statement, args...)
	if err == nil && n == 0 {
		return errAgain
	}
	return err
}

// insertRow writes the first row of id.
func (s *Store) insertRow(ctx context.Context, c *sql.Conn, m mode, id string, data []byte) error {
	now := s.timestamp()
	err := s.change(ctx, c, m, s.sql.insert, id, now, now, data)
	var f *failure
	if !errors.As(err, &f) || f.kind != exists {
		return err
	}
	if err := s.distinct(ctx, c, id); err != nil {
		return err
	}
	return errAgain
}

// distinct tells whether the row that is in the way of id is that of another id, which
// the column's collation takes for the same.
func (s *Store) distinct(ctx context.Context, c *sql.Conn, id string) error {
	var other bool
	err := s.query(ctx, c, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		other = other || name != id
		return err
	}, s.sql.look, id)
	if err == nil && other {
		return fmt.Errorf("%w: the table's collation does not tell it from the id of another record", stores.ErrInvalidID)
	}
	return err
}
