//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package dbmstore

import (
	"context"
	"errors"
)

// Raw is not there either: see [New].
func (s *Store) Raw(context.Context, string) (data []byte, format Format, err error) {
	return nil, 0, errors.ErrUnsupported
}
