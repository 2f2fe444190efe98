package filestore

import (
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/stores/internal/framing"
)

// DefaultMaxBytes is the [Options.MaxBytes] of who sets none.
const DefaultMaxBytes = framing.DefaultMaxBytes

// Protocol0 is the [Options.Protocol] that stands for pickle protocol 0, the
// one of Python 2.
const Protocol0 = framing.Protocol0

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
	fileDir, err := framing.Directory("file_dir", o.FileDir, o.DataDir, "container_file")
	if err != nil {
		return settings{}, fmt.Errorf("filestore: options: %w", err)
	}
	lockDir, err := framing.Directory("lock_dir", o.LockDir, o.DataDir, "container_file_lock")
	if err != nil {
		return settings{}, fmt.Errorf("filestore: options: %w", err)
	}
	f, err := framing.Frame{Protocol: o.Protocol, MaxBytes: o.MaxBytes, Limits: o.Limits}.Settle(0)
	if err != nil {
		return settings{}, fmt.Errorf("filestore: options: %w", err)
	}
	return settings{fileDir: fileDir, lockDir: lockDir, protocol: f.Protocol, maxBytes: f.MaxBytes, limits: f.Limits}, nil
}
