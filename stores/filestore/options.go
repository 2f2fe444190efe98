package filestore

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
)

// DefaultMaxBytes is the [Options.MaxBytes] of who sets none.
const DefaultMaxBytes = 16 << 20

// Protocol0 is the [Options.Protocol] that stands for pickle protocol 0, the
// one of Python 2.
const Protocol0 = -1

// Options are the options of a file store. Beaker's names of the first three
// are data_dir, file_dir and lock_dir.
type Options struct {
	// DataDir holds container_file and container_file_lock. It is needed
	// unless FileDir and LockDir are both set.
	DataDir string
	// FileDir and LockDir replace those two directories.
	FileDir, LockDir string
	// IDs says which ids are acceptable; no path is formed from any other.
	IDs beakerfmt.IDRule
	// Protocol is the pickle protocol of the records that are written. 0
	// means 2, which every Python reads; see also [Protocol0].
	Protocol int
	// Fsync makes a write durable before it is reported done. Beaker has no
	// such option.
	Fsync bool
	// MaxBytes is the size of the largest record that is read or written. 0
	// means [DefaultMaxBytes].
	MaxBytes int64
	// Limits bounds the decoding of records.
	Limits pickle.Limits
}

// settings are Options with every default filled in.
type settings struct {
	fileDir, lockDir string
	protocol         int
	maxBytes         int64
	limits           pickle.Limits
}

func (o Options) settle() (settings, error) {
	fileDir, err := o.directory("file_dir", o.FileDir, "container_file")
	if err != nil {
		return settings{}, err
	}
	lockDir, err := o.directory("lock_dir", o.LockDir, "container_file_lock")
	if err != nil {
		return settings{}, err
	}
	c := settings{fileDir: fileDir, lockDir: lockDir, protocol: o.Protocol, maxBytes: o.MaxBytes, limits: o.Limits}
	switch {
	case o.Protocol == 0:
		c.protocol = pickle.DefaultProtocol
	case o.Protocol == Protocol0:
		c.protocol = 0
	case o.Protocol < 0 || o.Protocol > 5:
		return settings{}, fmt.Errorf("filestore: options: no pickle protocol %d", o.Protocol)
	}
	switch {
	case o.MaxBytes == 0:
		c.maxBytes = DefaultMaxBytes
	case o.MaxBytes < 0:
		return settings{}, errors.New("filestore: options: the size limit is negative")
	}
	if c.limits.MaxBytes == 0 {
		c.limits.MaxBytes = int(c.maxBytes)
	}
	return c, nil
}

// directory returns the absolute path of one of the store's two directories,
// so that a later chdir does not move the store.
func (o Options) directory(name, own, below string) (string, error) {
	if own == "" {
		if o.DataDir == "" {
			return "", fmt.Errorf("filestore: options: data_dir or %s is required", name)
		}
		own = filepath.Join(o.DataDir, below)
	}
	path, err := filepath.Abs(own)
	if err != nil {
		return "", fmt.Errorf("filestore: options: %s: %w", name, err)
	}
	return path, nil
}
