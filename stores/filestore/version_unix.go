//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// versionSettled is how long ago a record was last written if its times are to tell
// whether it was written again: no file system's clock ticks more slowly.
const versionSettled = 2 * time.Second

// Version implements [stores.Versioner] by one stat(2), without a lock: a record that is
// replaced gets another inode, as a rule, and other times; one that is written in place
// (Beaker up to 1.9.0) gets another time than the one that it had two seconds before. A
// network file system may show the times of a while ago.
func (s *Store) Version(ctx context.Context, id string) (stores.Version, error) {
	if err := s.check(ctx, id); err != nil {
		return stores.Version{}, failed("version", id, err)
	}
	var st unix.Stat_t
	err := error(syscall.EINTR)
	for err == syscall.EINTR {
		err = unix.Stat(s.recordPath(id), &st)
	}
	if err == syscall.ENOENT {
		if err = s.place.check(); err == nil {
			err = stores.ErrNotExist
		}
	}
	switch {
	case err != nil:
		return stores.Version{}, failed("version", id, sysfile.In(s.fileDir, err))
	case time.Since(time.Unix(st.Mtim.Unix())) <= versionSettled:
		return stores.Version{}, nil
	}
	return stores.Version{uint64(st.Dev), st.Ino, uint64(st.Size), uint64(st.Mtim.Nano()), uint64(st.Ctim.Nano())}, nil
}
