//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// The system calls of the store, taken directly: os.File costs an attempt to
// register each file with the poller, a cleanup and an allocation, and its
// errors hold the path, which holds the session id. They are repeated when a
// signal interrupts them, and their errors are bare errnos.

func openFile(path string, flags int, mode uint32) (fd int, err error) {
	for {
		fd, err = syscall.Open(path, flags|syscall.O_CLOEXEC, mode)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

func flock(fd, how int) error {
	for {
		if err := syscall.Flock(fd, how); err != syscall.EINTR {
			return err
		}
	}
}

func readSome(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

func writeAll(fd int, p []byte) error {
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

func fsync(fd int) error {
	for {
		if err := syscall.Fsync(fd); err != syscall.EINTR {
			return err
		}
	}
}

// fsyncDir makes the names in a directory durable.
func fsyncDir(path string) error {
	fd, err := openFile(path, syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	err = fsync(fd)
	return errors.Join(err, closeFile(fd))
}

// closeFile is not repeated after EINTR: the descriptor is free by then, and
// maybe somebody else's.
func closeFile(fd int) error {
	if err := syscall.Close(fd); err != syscall.EINTR {
		return err
	}
	return nil
}

func exists(path string) (bool, error) {
	var st syscall.Stat_t
	switch err := stat(path, &st); err {
	case nil:
		return true, nil
	case syscall.ENOENT:
		return false, nil
	default:
		return false, err
	}
}

func stat(path string, st *syscall.Stat_t) error {
	for {
		if err := syscall.Stat(path, st); err != syscall.EINTR {
			return err
		}
	}
}

func fstat(fd int, st *syscall.Stat_t) error {
	for {
		if err := syscall.Fstat(fd, st); err != syscall.EINTR {
			return err
		}
	}
}

// mkdirAll makes a directory and those above it, with Beaker's mode: 0777 less
// the umask. That a name exists is no error, for it may be a directory that
// vanished a moment ago; if it is anything else, the next open tells.
func mkdirAll(path string) error {
	err := bare(os.MkdirAll(path, 0o777))
	if err == syscall.EEXIST {
		return nil
	}
	return err
}

// bare takes the path out of an error.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
