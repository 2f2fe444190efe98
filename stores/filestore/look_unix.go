//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// settled is how long ago a file was last written if its time is to tell whether it was
// written again: much longer than a tick of the kernel's clock.
const settled = time.Second

// Look implements [stores.Looker]. It is Get for those who read and do not write: they need
// not see what is being written at that moment, nor wait for who has locked the session. It
// takes no lock where it can do without, in half of the system calls, and leaves no lock
// file behind. A record that was replaced by a rename is whole; one that is written in place
// (Beaker up to 1.9.0) shows by its size or times, or is a pickle without an end: between
// open(O_TRUNC) and the first write it is empty, and seems to be old. In doubt it is Get.
func (s *Store) Look(ctx context.Context, id string) (pyvalue.Value, error) {
	if err := s.check(ctx, id); err != nil {
		return nil, failed("look", id, err)
	}
	buf := takeBuffer()
	defer buf.giveBack()
	if s.readSettled(s.recordPath(id), buf) {
		if c, err := s.decode(buf.b); err == nil {
			if v, ok := c.GetStr(beakerfmt.SessionKey); ok {
				return v, nil
			}
		}
	}
	return s.Get(ctx, id)
}

// readSettled reads a record that nobody writes meanwhile, and reports whether it did.
func (s *Store) readSettled(path string, buf *buffer) bool {
	fd, err := sysfile.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer func() { _ = sysfile.Close(fd) }()
	var before, after unix.Stat_t
	if unix.Fstat(fd, &before) != nil || before.Mode&unix.S_IFMT != unix.S_IFREG || before.Size > s.maxBytes {
		return false
	}
	size := int(before.Size)
	buf.b = slices.Grow(buf.b[:0], size+1)
	n, err := sysfile.Read(fd, buf.b[:size+1]) // the byte more would show that it has grown
	if err != nil || n != size || unix.Fstat(fd, &after) != nil {
		return false
	}
	buf.b = buf.b[:n]
	return after.Size == before.Size && after.Mtim == before.Mtim && after.Ctim == before.Ctim && time.Since(time.Unix(after.Mtim.Unix())) > settled
}
