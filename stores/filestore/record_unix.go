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
)

// tempSuffix is what Beaker appends to the name of the file that it writes
// (util.py, safe_write). It is fixed: the exclusive lock guards it.
const tempSuffix = ".temp"

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
	fd, err := openFile(path, syscall.O_RDONLY, 0)
	if err == syscall.ENOENT {
		return stores.ErrNotExist
	}
	if err != nil {
		return err
	}
	err = s.readAll(fd, buf)
	return errors.Join(err, closeFile(fd))
}

func (s *Store) readAll(fd int, buf *buffer) error {
	buf.b = buf.b[:0]
	for {
		if len(buf.b) == cap(buf.b) {
			if err := s.makeRoom(fd, buf); err != nil {
				return err
			}
		}
		n, err := readSome(fd, buf.b[len(buf.b):cap(buf.b)])
		switch {
		case err == syscall.EISDIR:
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
	if err := fstat(fd, &st); err != nil {
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
		err := s.replace(path, temp, data)
		if err == nil {
			return s.settleDir(path)
		}
		if err != syscall.ENOENT {
			return err
		}
		if err := mkdirAll(filepath.Dir(path)); err != nil && err != syscall.ENOENT {
			return err
		}
	}
	return errVanishing
}

// replace writes the temporary file and renames it. After an error there is no
// temporary file, and the record is as it was.
func (s *Store) replace(path, temp string, data []byte) error {
	fd, err := openFile(temp, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	err = writeAll(fd, data)
	if err == nil && s.fsync {
		err = fsync(fd)
	}
	if e := closeFile(fd); err == nil {
		err = e
	}
	if err == nil {
		err = syscall.Rename(temp, path)
	}
	if err != nil {
		_ = syscall.Unlink(temp)
	}
	return err
}

// settleDir makes a change of the record's name durable, if that is wanted.
func (s *Store) settleDir(path string) error {
	if !s.fsync {
		return nil
	}
	return fsyncDir(filepath.Dir(path))
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
