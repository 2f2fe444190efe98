//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// tempSuffix is what Beaker appends to the name of the file that it writes
// (util.py, safe_write). It is fixed: the exclusive lock guards it.
const tempSuffix = ".temp"

// maxAttempts bounds how often a write starts again because directories vanished under
// it.
const maxAttempts = 1024

// Buffers start with room for a typical record; those that grew beyond
// keepBuffer are not kept.
const (
	firstBuffer = 4 << 10
	keepBuffer  = 256 << 10
)

// buffer is a pooled buffer for the bytes of a record.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, firstBuffer)} }}

func takeBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) giveBack() {
	if cap(b.b) <= keepBuffer {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// readRecord reads a record into buf. The error is stores.ErrNotExist, wraps
// stores.ErrCorrupt, or is an errno.
func (s *Store) readRecord(path string, buf *buffer) error {
	// A pipe in place of a record is not waited for; without a writer it is empty.
	fd, err := sysfile.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == syscall.ENOENT {
		if err := s.place.check(); err != nil {
			return err
		}
		return stores.ErrNotExist
	}
	if err != nil {
		return err
	}
	err = s.readAll(fd, buf)
	return errors.Join(err, sysfile.Close(fd))
}

func (s *Store) readAll(fd int, buf *buffer) error {
	buf.b = buf.b[:0]
	for {
		if len(buf.b) == cap(buf.b) {
			if err := s.makeRoom(fd, buf); err != nil {
				return err
			}
		}
		n, err := sysfile.Read(fd, buf.b[len(buf.b):cap(buf.b)])
		switch {
		case err == syscall.EISDIR, err == syscall.EAGAIN:
			return fmt.Errorf("%w: %w", stores.ErrCorrupt, err)
		case err != nil:
			return err
		case n == 0:
			return nil
		}
		buf.b = buf.b[:len(buf.b)+n]
		if int64(len(buf.b)) > s.maxBytes {
			return errCorruptSize
		}
	}
}

var errCorruptSize = fmt.Errorf("%w: %w", stores.ErrCorrupt, stores.ErrTooLarge)

// makeRoom makes room for the rest of a file that is larger than the buffer,
// and one byte more, so that the end of the file is met without another call.
func (s *Store) makeRoom(fd int, buf *buffer) error {
	var st syscall.Stat_t
	if err := sysfile.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Size > s.maxBytes {
		return errCorruptSize
	}
	more := max(int(st.Size)-len(buf.b)+1, firstBuffer)
	buf.b = slices.Grow(buf.b, more)
	return nil
}

// decode decodes a container. The pickle of anything else is an absent session,
// as it is to Beaker.
func (s *Store) decode(data []byte) (*pyvalue.Dict, error) {
	c, err := beakerfmt.DecodeContainer(data, s.limits)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, beakerfmt.ErrNoSession):
		return nil, stores.ErrNotExist
	}
	return nil, fmt.Errorf("%w: %w", stores.ErrCorrupt, err)
}

// writeRecord replaces a record. The caller has the exclusive lock.
func (s *Store) writeRecord(path string, data []byte) error {
	if int64(len(data)) > s.maxBytes {
		return stores.ErrTooLarge
	}
	temp := path + tempSuffix
	for range maxAttempts {
		err := sysfile.Replace(path, temp, data, s.fsync)
		if err == nil {
			return s.settleDir(path)
		}
		if err != syscall.ENOENT {
			return err
		}
		if err := sysfile.MkdirAll(filepath.Dir(path)); err != nil && err != syscall.ENOENT {
			return err
		}
	}
	return sysfile.ErrVanishing
}

// settleDir makes a change of the record's name durable, if that is wanted.
func (s *Store) settleDir(path string) error {
	if !s.fsync {
		return nil
	}
	return sysfile.FsyncDir(filepath.Dir(path))
}

// removeRecord removes a record and what a crash left of writing it. The caller
// has the exclusive lock.
func (s *Store) removeRecord(path string) error {
	_ = syscall.Unlink(path + tempSuffix)
	switch err := syscall.Unlink(path); err {
	case nil:
		return s.settleDir(path)
	case syscall.ENOENT:
		return nil
	default:
		return err
	}
}
