//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"context"
	"errors"

	"github.com/gobeaker/gobeaker/stores/internal/filelock"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// Raw returns the pickle of a session as it stands in its database, and which kind
// of database that is: for tools. Its errors are those of Get.
func (s *Store) Raw(ctx context.Context, id string) (data []byte, format Format, err error) {
	if err := s.check(ctx, id); err != nil {
		return nil, 0, failed("raw", id, err)
	}
	g, err := s.locks.Acquire(ctx, id, filelock.Shared, filelock.Sparse)
	if err != nil {
		return nil, 0, failed("raw", id, err)
	}
	found, err := detect(s.base(id))
	if err == nil {
		data, err = s.read(ctx, s.base(id))
	}
	if err := errors.Join(err, g.Release()); err != nil {
		return nil, 0, failed("raw", id, sysfile.In(s.dbmDir, err))
	}
	return data, Format(found - isDumb), nil
}
