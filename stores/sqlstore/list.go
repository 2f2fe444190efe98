package sqlstore

import (
	"context"
	"database/sql"
	"iter"

	"github.com/gobeaker/gobeaker/stores"
)

// listPage is how many rows are asked for, and held, at once.
const listPage = 500

// List implements [stores.Lister], in the order that the database gives to namespaces,
// page by page. It does not look into the rows: one that Get calls corrupt, or absent
// because it has no session in it, is listed. Namespaces that are no acceptable ids are
// not. A cursor is the namespace.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		for {
			page, last, err := s.page(ctx, from)
			if err != nil {
				yield(stores.Info{}, failed("list", "", err))
				return
			}
			for _, info := range page {
				if err := ctx.Err(); err != nil {
					yield(stores.Info{}, failed("list", "", err))
					return
				}
				if !yield(info, nil) {
					return
				}
			}
			if last == "" {
				return
			}
			from = last
		}
	}
}

// page reads the rows after a namespace, and the namespace after which there may be
// more. No connection is held when it returns.
func (s *Store) page(ctx context.Context, from string) (page []stores.Info, last string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	count := 0
	err = s.persist(ctx, func() error {
		page, last, count = page[:0], "", 0
		return s.with(ctx, func(c *sql.Conn) error {
			return s.query(ctx, c, func(rows *sql.Rows) error {
				var accessed sql.NullString
				var info stores.Info
				if err := rows.Scan(&info.ID, &accessed, &info.Size); err != nil {
					return err
				}
				count++
				repeated := info.ID == last // there is no unique constraint
				last = info.ID
				if s.ids.Valid(info.ID) && !repeated {
					info.Modified, info.Cursor = s.parseTime(accessed.String), info.ID
					page = append(page, info)
				}
				return nil
			}, s.sql.list, from)
		})
	})
	if count < listPage {
		last = ""
	}
	return page, last, err
}
