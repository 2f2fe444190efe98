//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sysfile

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// What root makes in the directory of somebody else is given to the owner of that
// directory: the Python application could not open root's lock files, nor write root's
// records.

// asRoot reports whether this process may give files away.
func asRoot() bool { return os.Geteuid() == 0 }

// Create is [Open] with O_CREAT.
func Create(path string, flags int, mode uint32) (int, error) {
	if !asRoot() {
		return Open(path, flags|syscall.O_CREAT, mode)
	}
	for {
		fd, err := create(path, flags, mode)
		if err != syscall.EEXIST {
			return fd, err
		}
		// Without O_CREAT, so that it is known who made the file.
		if fd, err = Open(path, flags, 0); err != syscall.ENOENT {
			return fd, err
		}
		if link, err := isLink(path); link || err != nil { // to nothing
			return Open(path, flags|syscall.O_CREAT, mode)
		}
	}
}

// create makes a file that is not there yet.
func create(path string, flags int, mode uint32) (int, error) {
	fd, err := Open(path, flags|syscall.O_CREAT|syscall.O_EXCL, mode)
	if err != nil {
		return fd, err
	}
	if err := handOver(fd, filepath.Dir(path), mode); err != nil {
		_ = syscall.Unlink(path)
		_ = Close(fd)
		return -1, err
	}
	return fd, nil
}

// createTemp makes the file that is to replace another one. In somebody else's directory
// root does not write into what it finds there: that has an owner, or is a symbolic link
// to a file that is none of theirs.
func createTemp(path string) (int, error) {
	const flags, mode = syscall.O_WRONLY | syscall.O_TRUNC, 0o666
	var dir syscall.Stat_t
	if !asRoot() || Stat(filepath.Dir(path), &dir) == nil && dir.Uid == 0 {
		return Open(path, flags|syscall.O_CREAT, mode)
	}
	fd, err := create(path, flags, mode)
	if err != syscall.EEXIST {
		return fd, err
	}
	if err := Unlink(path); err != nil {
		return -1, err
	}
	return create(path, flags, mode)
}

func isLink(path string) (bool, error) {
	var st syscall.Stat_t
	err := syscall.Lstat(path, &st)
	if err == syscall.ENOENT || err == syscall.EINTR {
		return false, nil
	}
	return st.Mode&syscall.S_IFMT == syscall.S_IFLNK, err
}

// makeDirs is os.MkdirAll of root.
func makeDirs(path string) error {
	if there, err := Exists(path); there || err != nil {
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := syscall.Mkdir(path, 0o777); err != nil {
		return err
	}
	fd, err := Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	err = handOver(fd, parent, 0o777)
	if e := Close(fd); err == nil {
		err = e
	}
	return err
}

// withoutOwners are the answers of file systems that have no owners, or do not know
// this one.
var withoutOwners = []error{syscall.EPERM, syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP}

// handOver gives a new file of root's to the owner and the group of its directory, if
// these are others, with the permissions among mode that the directory gives: root's
// umask is not that of the application.
func handOver(fd int, dir string, mode uint32) error {
	var to, is syscall.Stat_t
	if err := Stat(dir, &to); err != nil {
		return err
	}
	if to.Uid == 0 {
		return nil
	}
	err := syscall.Fchown(fd, int(to.Uid), int(to.Gid))
	if err == nil {
		err = Fstat(fd, &is)
	}
	if more := uint32(to.Mode) & mode & 0o777 &^ uint32(is.Mode); err == nil && more != 0 {
		err = syscall.Fchmod(fd, uint32(is.Mode)&0o7777|more)
	}
	if slices.Contains(withoutOwners, err) {
		return nil
	}
	return err
}
