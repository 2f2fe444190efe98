package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/gobeaker/gobeaker/stores/internal/skew"
)

// Now implements [stores.Clock]. It asks for UTC: what the database calls local is the
// session's affair, or the server's. SQLite has no clock of its own.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if s.clock == "" {
		return time.Time{}, fmt.Errorf("sqlstore: now: %w", errors.ErrUnsupported)
	}
	if err := ctx.Err(); err != nil {
		return time.Time{}, failed("now", "", err)
	}
	var clocks skew.Widest
	err := s.persist(ctx, func() error {
		clocks = skew.Widest{}
		return s.with(ctx, func(c *sql.Conn) error {
			asked, said := time.Now(), time.Time{}
			err := s.query(ctx, c, func(rows *sql.Rows) (err error) {
				var text string
				if err = rows.Scan(&text); err == nil {
					said, err = time.Parse("2006-01-02 15:04:05", text) // and a fraction
				}
				return err
			}, s.clock)
			clocks.Add(said, asked, time.Now())
			return err
		})
	})
	if err != nil {
		return time.Time{}, failed("now", "", err)
	}
	return clocks.Now(), nil
}
