package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

// Store is a SQL store. It implements [stores.Store], [stores.Updater],
// [stores.Inserter], [stores.Lister], [stores.Pinger] and [stores.Clock], and is safe for
// concurrent use, beside other Stores and Beakers on the same table.
type Store struct {
	settings
	*dialect
	ids beakerfmt.IDRule
	sql statements
	db  *sql.DB
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Inserter
	stores.Lister
	stores.Pinger
	stores.Clock
} = (*Store)(nil)

// New returns a SQL store, or an error that says which option is wrong. It does not
// touch the network or the database: [Store.Ping] tells whether that works.
func New(o Options) (*Store, error) {
	c, err := o.settle()
	if err != nil {
		return nil, fmt.Errorf("sqlstore: options: %w", err)
	}
	text, err := o.url()
	if err != nil {
		return nil, fmt.Errorf("sqlstore: options: %w", err)
	}
	d, err := o.open(text)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: options: url: %w", err)
	}
	if o.Table == "" {
		o.Table = DefaultTable
	}
	for _, name := range []string{o.Table, o.Schema} {
		if !validName(name) {
			return nil, errors.New("sqlstore: options: the name of the table or the schema is none")
		}
	}
	s := &Store{settings: c, dialect: d, ids: o.IDs, sql: d.statements(o, c.maxBytes), db: sql.OpenDB(d.connector)}
	c.pool.apply(s.db, d.alone)
	return s, nil
}

// Close ends the store's connections. Operations after it are ErrUnavailable.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return failed("close", "", errors.New("the connections cannot be closed"))
	}
	return nil
}

// Ping implements [stores.Pinger]. It asks for the table, and makes it if it is missing
// and Options.Create is set.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return failed("ping", "", err)
	}
	return failed("ping", "", s.persist(ctx, func() error {
		return s.with(ctx, func(c *sql.Conn) error { return s.query(ctx, c, nil, s.sql.ping) })
	}))
}

// Get implements [stores.Store].
func (s *Store) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if err := s.check(ctx, id); err != nil {
		return nil, failed("get", id, err)
	}
	var r row
	err := s.persist(ctx, func() (err error) {
		r, err = s.fetch(ctx, id)
		return err
	})
	if err != nil {
		return nil, failed("get", id, err)
	}
	v, err := s.session(r)
	if err == nil && v == nil {
		err = stores.ErrNotExist
	}
	return v, failed("get", id, err)
}

// Put implements [stores.Store]. The other keys of the container are kept; a
// container that cannot be decoded is replaced. v must not be nil.
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	if v == nil {
		return failed("put", id, fault.Permanent(errors.New("nil is not a Python value")))
	}
	if err := s.check(ctx, id); err != nil {
		return failed("put", id, err)
	}
	replace := func(_ pyvalue.Value, err error) (pyvalue.Value, error) {
		if errors.Is(err, stores.ErrCorrupt) {
			err = nil
		}
		return v, err
	}
	return failed("put", id, s.persist(ctx, func() error { return s.swapped(ctx, id, replace) }))
}

// Delete implements [stores.Store]: it removes the row, with all the keys of its
// container.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.check(ctx, id); err != nil {
		return failed("delete", id, err)
	}
	return failed("delete", id, s.persist(ctx, func() error {
		return s.with(ctx, func(c *sql.Conn) error {
			_, err := s.exec(ctx, c, writing, s.sql.remove, s.key(id)...)
			return err
		})
	}))
}

// Update implements [stores.Updater]. f runs under the lock of the row, or, on SQLite
// and where there is no row yet, once more for each writer that was faster. It must not
// use the store for the same id. An error of f is returned as it is.
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	if err := s.check(ctx, id); err != nil {
		return failed("update", id, err)
	}
	edit := func(old pyvalue.Value, err error) (pyvalue.Value, error) {
		if err != nil {
			return nil, err
		}
		v, err := f(old)
		if err != nil && !errors.Is(err, stores.ErrRemove) {
			err = ownError{err}
		}
		return v, err
	}
	err := s.persist(ctx, func() error {
		if s.begin != "" {
			if err := s.locked(ctx, id, edit); err != errNoLocks {
				return err
			}
		}
		return s.swapped(ctx, id, edit)
	})
	if own, ok := err.(ownError); ok {
		return own.error
	}
	return failed("update", id, err)
}

// check refuses what must not get near a statement.
func (s *Store) check(ctx context.Context, id string) error {
	if !s.ids.Valid(id) {
		return stores.ErrInvalidID
	}
	return ctx.Err()
}

// timeLayout is how SQLAlchemy writes a datetime into SQLite; the others read it too.
const timeLayout = "2006-01-02 15:04:05.000000"

// timestamp is datetime.now() of the Python side.
func (s *Store) timestamp() string { return s.now().In(s.location).Format(timeLayout) }

// parseTime reads a column; the zero Time is what cannot be read.
func (s *Store) parseTime(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", text, s.location)
	if err != nil {
		return time.Time{}
	}
	return t
}

// validName reports whether a name can be quoted at all.
func validName(name string) bool { return utf8.ValidString(name) && !strings.Contains(name, "\x00") }
