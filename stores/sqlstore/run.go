package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/gobeaker/gobeaker/stores"
)

// mode says what it means that the connection breaks during a statement.
type mode uint8

const (
	reading       mode = iota // nothing
	inTransaction             // nothing: without its COMMIT it is undone
	writing                   // it may have been done
)

// maxDials is how often a connection is tried for, and how often what was undone by a
// broken one is done again.
const maxDials = 3

// with runs f with a connection of the pool. What f began it also ended.
func (s *Store) with(ctx context.Context, f func(c *sql.Conn) error) error {
	wait, cancel := context.WithTimeout(ctx, s.pool.wait)
	defer cancel()
	c, err := s.db.Conn(wait)
	if err != nil {
		return s.undialled(ctx, wait, err)
	}
	defer func() { _ = c.Close() }() // back to the pool
	return f(c)
}

// exec runs a statement that returns no rows, and tells how many it found.
func (s *Store) exec(ctx context.Context, c *sql.Conn, m mode, statement string, args ...any) (int64, error) {
	release, err := s.takeTurn(ctx, m)
	if err != nil {
		return 0, err
	}
	defer release()
	mine, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	result, err := c.ExecContext(mine, statement, args...)
	if err != nil {
		return 0, s.judge(ctx, mine, m, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, s.judge(ctx, mine, m, err)
	}
	return n, nil
}

// query runs a statement and gives each row to scan.
func (s *Store) query(ctx context.Context, c *sql.Conn, scan func(*sql.Rows) error, statement string, args ...any) error {
	return s.queryAs(ctx, c, reading, scan, statement, args...)
}

func (s *Store) queryAs(ctx context.Context, c *sql.Conn, m mode, scan func(*sql.Rows) error, statement string, args ...any) error {
	release, err := s.takeTurn(ctx, m)
	if err != nil {
		return err
	}
	defer release()
	mine, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := c.QueryContext(mine, statement, args...)
	if err != nil {
		return s.judge(ctx, mine, m, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return s.judge(ctx, mine, m, err)
		}
	}
	if err := rows.Err(); err != nil {
		return s.judge(ctx, mine, m, err)
	}
	return nil
}

// takeTurn keeps the writers of this store from getting in the way of each other and of
// its readers, where there is one lock for all: they would wait for it by trying again
// and again.
func (s *Store) takeTurn(ctx context.Context, m mode) (release func(), err error) {
	if s.turns == nil {
		return func() {}, nil
	}
	n := int64(1)
	if m == writing {
		n = allTurns
	}
	if err := s.turns.Acquire(ctx, n); err != nil {
		return nil, ctx.Err()
	}
	return func() { s.turns.Release(n) }, nil
}

// judge is diagnose for a statement that may have been a write.
func (s *Store) judge(ctx, mine context.Context, m mode, err error) *failure {
	f := s.diagnose(ctx, mine, err)
	switch f.kind {
	case lost:
		f.uncertain = m == writing
	case slow: // the database itself stops a statement whole
		f.uncertain = m == writing && f.text == noAnswer
	}
	return f
}

// rollback ends a transaction that has failed. If that cannot be done the connection
// is not used again.
func (s *Store) rollback(ctx context.Context, c *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	if _, err := c.ExecContext(ctx, "ROLLBACK"); err != nil {
		_ = c.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// persist runs an operation, and runs it again where that is safe and may help: after
// a conflict until ctx ends; after a lock of others until the store's time limit; a few
// times if there was no connection, or none any more before anything was done for
// good; once if the table was missing and could be made.
func (s *Store) persist(ctx context.Context, op func() error) error {
	p := patience{store: s}
	for {
		err := op()
		f, ok := err.(*failure)
		if !ok || f.uncertain {
			return err
		}
		if err := p.wait(ctx, f); err != nil {
			return err
		}
	}
}

// patience is how often an operation was tried.
type patience struct {
	store   *Store
	delay   *backoff.ExponentialBackOff
	busy    time.Time // since when others hold a lock
	dials   int
	unsent  int
	created bool
}

// wait waits before the next try. It returns the failure if there is to be none.
func (p *patience) wait(ctx context.Context, f *failure) error {
	switch f.kind {
	case unsent: // as many stale connections as the pool may hold
		p.unsent++
		if p.unsent <= p.store.pool.idle+maxDials {
			return ctx.Err()
		}
		return f
	case noDial, lost:
		p.dials++
		if p.dials >= maxDials || ctx.Err() != nil || errors.Is(f, stores.ErrAccess) {
			return f
		}
	case noTable:
		if p.created || !p.store.create {
			return f
		}
		p.created = true
		return p.store.makeTable(ctx)
	case busy:
		now := time.Now()
		if p.busy.IsZero() {
			p.busy = now
		}
		if now.Sub(p.busy) > p.store.timeout {
			return f
		}
	case again:
	default:
		return f
	}
	return p.sleep(ctx)
}

// sleep waits for a random time, so that of those who collide none starves.
func (p *patience) sleep(ctx context.Context) error {
	if p.delay == nil {
		p.delay = backoff.NewExponentialBackOff()
		p.delay.InitialInterval = 2 * time.Millisecond
		p.delay.MaxInterval = 100 * time.Millisecond
		p.delay.RandomizationFactor = 0.9
	}
	t := time.NewTimer(p.delay.NextBackOff())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// makeTable makes the table as Beaker does at its start (database.py, make_table). That
// another process made it meanwhile is no error.
func (s *Store) makeTable(ctx context.Context) error {
	p := patience{store: s, created: true}
	for {
		err := s.with(ctx, func(c *sql.Conn) error {
			_, err := s.exec(ctx, c, reading, s.sql.create)
			return err
		})
		f, ok := err.(*failure)
		if !ok || f.kind == exists {
			return nil
		}
		if err := p.wait(ctx, f); err != nil {
			return err
		}
	}
}
