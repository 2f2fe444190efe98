//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sysfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gobeaker/gobeaker/stores"
)

// Open opens a file that is not inherited by children.
func Open(path string, flags int, mode uint32) (fd int, err error) {
	for {
		fd, err = syscall.Open(path, flags|syscall.O_CLOEXEC, mode)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

// Flock is flock(2).
func Flock(fd, how int) error {
	for {
		if err := syscall.Flock(fd, how); err != syscall.EINTR {
			return err
		}
	}
}

// Read reads what there is, up to len(p) bytes; none at the end of the file.
func Read(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

// Write writes all of p.
func Write(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := syscall.Write(fd, p)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Fsync is fsync(2).
func Fsync(fd int) error {
	for {
		if err := syscall.Fsync(fd); err != syscall.EINTR {
			return err
		}
	}
}

// FsyncDir makes the names in a directory durable.
func FsyncDir(path string) error {
	fd, err := Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	err = Fsync(fd)
	return errors.Join(err, Close(fd))
}

// Close is not repeated after EINTR: the descriptor is free by then, and
// maybe somebody else's.
func Close(fd int) error {
	if err := syscall.Close(fd); err != syscall.EINTR {
		return err
	}
	return nil
}

// Exists reports whether there is a file of that path.
func Exists(path string) (bool, error) {
	var st syscall.Stat_t
	switch err := Stat(path, &st); err {
	case nil:
		return true, nil
	case syscall.ENOENT:
		return false, nil
	default:
		return false, err
	}
}

// Stat is stat(2).
func Stat(path string, st *syscall.Stat_t) error {
	for {
		if err := syscall.Stat(path, st); err != syscall.EINTR {
			return err
		}
	}
}

// Fstat is fstat(2).
func Fstat(fd int, st *syscall.Stat_t) error {
	for {
		if err := syscall.Fstat(fd, st); err != syscall.EINTR {
			return err
		}
	}
}

// MkdirAll makes a directory and those above it, with Beaker's mode: 0777 less
// the umask. That a name exists is no error, for it may be a directory that
// vanished a moment ago; if it is anything else, the next open tells.
func MkdirAll(path string) error {
	var err error
	if asRoot() {
		err = makeDirs(filepath.Clean(path))
	} else {
		err = Bare(os.MkdirAll(path, 0o777))
	}
	if err == syscall.EEXIST {
		return nil
	}
	return err
}

// Bare takes the path out of an error.
func Bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Names reports whether path still names the open file fd.
func Names(path string, fd int) (bool, error) {
	var byPath, byFD syscall.Stat_t
	if err := Fstat(fd, &byFD); err != nil {
		return false, err
	}
	if err := Stat(path, &byPath); err != nil {
		if err == syscall.ENOENT {
			err = nil
		}
		return false, err
	}
	return byPath.Dev == byFD.Dev && byPath.Ino == byFD.Ino, nil
}

// ErrVanishing: directories or files vanish faster than they are made.
var ErrVanishing = errors.New("directories or lock files keep vanishing")

// dirError is an error of the system in one of a store's directories. It names that
// directory, which is configured and no secret, and never what is below: the id is
// in that.
type dirError struct {
	dir string
	err error
}

// In says in which directory an error of the system came up. It leaves other errors,
// those that say that a record is corrupt, and those of which that is known, as they
// are.
func In(dir string, err error) error {
	if err == nil || errors.Is(err, stores.ErrCorrupt) || errors.As(err, new(dirError)) {
		return err
	}
	if errors.As(err, new(syscall.Errno)) || errors.Is(err, ErrVanishing) {
		return dirError{dir, err}
	}
	return err
}

func (e dirError) Error() string {
	text := "in " + e.dir + ": " + e.err.Error()
	if errors.Is(e.err, fs.ErrPermission) {
		text += "; run the service as the same user or group as the Python application, with a umask that lets both write (such as 0002)"
	}
	return text
}

func (e dirError) Unwrap() error { return e.err }

// Replace writes a file anew: to temp, which it then renames. After an error there is
// no temp, and path is as it was.
func Replace(path, temp string, data []byte, durable bool) error {
	fd, err := createTemp(temp)
	if err != nil {
		return err
	}
	err = Write(fd, data)
	if err == nil && durable {
		err = Fsync(fd)
	}
	if e := Close(fd); err == nil {
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

// Unlink removes a file, if there is one.
func Unlink(path string) error {
	if err := syscall.Unlink(path); err != syscall.ENOENT {
		return err
	}
	return nil
}

// File is an open file that is read and written at offsets.
type File int

// ReadAt implements [io.ReaderAt].
func (f File) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := syscall.Pread(int(f), p[n:], off+int64(n))
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return n, err
		case m == 0:
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// WriteAt implements [io.WriterAt].
func (f File) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := syscall.Pwrite(int(f), p[n:], off+int64(n))
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// Size is the size of the file.
func (f File) Size() (int64, error) {
	var st syscall.Stat_t
	if err := Fstat(int(f), &st); err != nil {
		return 0, err
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return 0, syscall.EISDIR
	}
	return st.Size, nil
}

// Close closes the file.
func (f File) Close() error { return Close(int(f)) }

// Probe reports whether files can be made, written, locked and removed in a directory,
// which it makes if it is missing.
func Probe(dir string) error {
	if err := MkdirAll(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".ping-*.temp")
	if err != nil {
		return err
	}
	_, err = f.Write([]byte{0})
	if err == nil {
		err = Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	err = errors.Join(err, f.Close())
	if e := os.Remove(f.Name()); !errors.Is(e, fs.ErrNotExist) { // somebody may remove the directory
		err = errors.Join(err, e)
	}
	return err
}
