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

// What one INSERT holds at most.
const (
	batchRows  = 200
	batchBytes = 1 << 20
)

// fresh is a record on its way into the table.
type fresh struct {
	at   int // its place in what Insert was given
	id   string
	data []byte
}

// Insert implements [stores.Inserter]. A row without a session in it gets one, and
// keeps its other keys. One that cannot be read is ErrExist.
func (s *Store) Insert(ctx context.Context, records []stores.Record) []error {
	errs := make([]error, len(records))
	var batch []fresh
	bytes := 0
	flush := func() {
		if len(batch) > 0 {
			s.insertBatch(ctx, batch, errs)
		}
		batch, bytes = batch[:0], 0
	}
	for n, r := range records {
		data, err := s.first(ctx, r)
		if err != nil {
			errs[n] = err
			continue
		}
		if len(batch) == batchRows || bytes+len(data) > batchBytes {
			flush()
		}
		batch, bytes = append(batch, fresh{n, r.ID, data}), bytes+len(data)
	}
	flush()
	for n, err := range errs {
		errs[n] = failed("insert", records[n].ID, err)
	}
	return errs
}

// first encodes a record that has no row yet.
func (s *Store) first(ctx context.Context, r stores.Record) ([]byte, error) {
	if err := s.check(ctx, r.ID); err != nil {
		return nil, err
	}
	if r.Value == nil {
		return nil, fault.Permanent(errors.New("nil is not a Python value"))
	}
	c := pyvalue.NewDict()
	c.SetStr(beakerfmt.SessionKey, r.Value)
	return s.encode(c)
}

// insertBatch inserts what has no row, and looks closer at what has one.
func (s *Store) insertBatch(ctx context.Context, batch []fresh, errs []error) {
	var there []fresh
	err := s.persist(ctx, func() error {
		return s.with(ctx, func(c *sql.Conn) (err error) {
			if s.returning != "" {
				there, err = s.insertReturning(ctx, c, batch)
			} else {
				there, err = s.insertLooking(ctx, c, batch)
			}
			return err
		})
	})
	if err != nil {
		for _, r := range batch {
			errs[r.at] = err
		}
		return
	}
	for _, r := range there {
		errs[r.at] = s.persist(ctx, func() error { return s.insertOne(ctx, r) })
	}
}

// values are the parameters of an INSERT of many rows.
func (s *Store) values(batch []fresh) []any {
	now := s.timestamp()
	args := make([]any, 0, 4*len(batch))
	for _, r := range batch {
		args = append(args, r.id, now, now, r.data)
	}
	return args
}

// insertReturning inserts a batch, and returns what the database passed over.
func (s *Store) insertReturning(ctx context.Context, c *sql.Conn, batch []fresh) ([]fresh, error) {
	written, err := s.names(ctx, c, writing, s.sql.insertMany+s.rows(len(batch), 4)+s.passOver+s.returning, s.values(batch)...)
	return without(batch, written), err
}

// insertLooking is insertReturning for MySQL, where one row that is there fails the
// whole INSERT: such are looked for first.
func (s *Store) insertLooking(ctx context.Context, c *sql.Conn, batch []fresh) ([]fresh, error) {
	args := make([]any, len(batch))
	for n, r := range batch {
		args[n] = r.id
	}
	found, err := s.names(ctx, c, reading, s.sql.lookMany+s.rows(1, len(batch)), args...)
	if err != nil {
		return nil, err
	}
	absent := without(batch, found)
	if len(absent) == 0 {
		return batch, nil
	}
	_, err = s.exec(ctx, c, writing, s.sql.insertMany+s.rows(len(absent), 4), s.values(absent)...)
	var f *failure
	if errors.As(err, &f) && (f.kind == exists || f.kind == tooLong) {
		return batch, nil // one of them: each by itself
	}
	written := map[string]bool{}
	for _, r := range absent {
		written[r.id] = true
	}
	return without(batch, written), err
}

// names runs a statement that returns namespaces.
func (s *Store) names(ctx context.Context, c *sql.Conn, m mode, statement string, args ...any) (map[string]bool, error) {
	names := map[string]bool{}
	err := s.queryAs(ctx, c, m, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names[name] = true
		return err
	}, statement, args...)
	return names, err
}

// without returns the records whose ids are not among names.
func without(batch []fresh, names map[string]bool) []fresh {
	var rest []fresh
	for _, r := range batch {
		if !names[r.id] {
			rest = append(rest, r)
		}
	}
	return rest
}

// insertOne inserts a record that may have a row, which may have no session in it.
func (s *Store) insertOne(ctx context.Context, r fresh) error {
	c, err := beakerfmt.DecodeContainer(r.data, s.limits)
	if err != nil {
		return fault.Permanent(err)
	}
	v, _ := c.GetStr(beakerfmt.SessionKey)
	return s.swapped(ctx, r.id, func(old pyvalue.Value, err error) (pyvalue.Value, error) {
		if errors.Is(err, stores.ErrCorrupt) {
			return nil, fmt.Errorf("%w: it cannot be read", stores.ErrExist)
		}
		if old != nil {
			return nil, stores.ErrExist
		}
		return v, err
	})
}
