package main

import (
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// fileFloor makes the system calls that a file session needs.
type fileFloor struct{ dir string }

// paths of the record and the lock file behind a Cookie header. The signature
// is not looked at: the floor is about files.
func (f fileFloor) paths(header string) (data, lock string) {
	_, value, _ := strings.Cut(header, "=")
	id := value[beakerfmt.SignatureLen:]
	return filepath.Join(f.dir, "container_file", beakerfmt.DataPath(id)), filepath.Join(f.dir, "container_file_lock", beakerfmt.LockPath(id))
}

func (f fileFloor) load(header string) error {
	_, err := f.read(header)
	return err
}

func (f fileFloor) read(header string) (*pyvalue.Dict, error) {
	data, lock := f.paths(header)
	var c *pyvalue.Dict
	err := locked(lock, syscall.O_RDONLY, syscall.LOCK_SH, func() error {
		raw, err := readFile(data)
		if err != nil {
			return err
		}
		c, err = beakerfmt.DecodeContainer(raw, pickle.Limits{})
		return err
	})
	if err != nil {
		return nil, err
	}
	v, _ := c.GetStr(beakerfmt.SessionKey)
	d, _, err := new(beakerfmt.Codec).DecodeValue(v)
	return d, err
}

// bareSave reads the record once more under the exclusive lock, as it must to
// lose nobody's changes, and replaces it.
func (f fileFloor) save(header string) error {
	d, err := f.read(header)
	if err != nil {
		return err
	}
	data, lock := f.paths(header)
	return locked(lock, syscall.O_WRONLY, syscall.LOCK_EX, func() error {
		raw, err := readFile(data)
		if err != nil {
			return err
		}
		c, err := beakerfmt.DecodeContainer(raw, pickle.Limits{})
		if err != nil {
			return err
		}
		d.SetStr("n", pyvalue.NewInt(1))
		v, err := new(beakerfmt.Codec).EncodeValue(d, beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: pickle.DefaultProtocol})
		if err != nil {
			return err
		}
		c.SetStr(beakerfmt.SessionKey, v)
		out, err := beakerfmt.AppendContainer(raw[:0], c, pickle.DefaultProtocol)
		if err != nil {
			return err
		}
		if err := writeFile(data+".temp", out); err != nil {
			return err
		}
		return syscall.Rename(data+".temp", data)
	})
}

func locked(path string, flags, how int, work func() error) error {
	fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.Flock(fd, how); err != nil {
		return err
	}
	return work()
}

func readFile(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	buf := make([]byte, 4096)
	n, err := syscall.Read(fd, buf) // one call is enough for these records
	return buf[:max(n, 0)], err
}

func writeFile(path string, data []byte) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o666)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	_, err = syscall.Write(fd, data)
	return err
}
