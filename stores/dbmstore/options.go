package dbmstore

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

// Format is a kind of database that can be written.
type Format uint8

// The formats.
const (
	Dumb   Format = iota // dbm.dumb, and Python 2's dumbdbm
	GNU                  // dbm.gnu, and Python 2's gdbm
	SQLite               // dbm.sqlite3
)

func (f Format) String() string {
	switch f {
	case Dumb:
		return "dumb"
	case GNU:
		return "gnu"
	case SQLite:
		return "sqlite3"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ParseFormat returns the format that Python calls dbm.<name>.
func ParseFormat(name string) (Format, error) {
	for f := Dumb; f <= SQLite; f++ {
		if name == f.String() {
			return f, nil
		}
	}
	return 0, fmt.Errorf("dbmstore: options: no format %q: it is dumb, gnu or sqlite3", name)
}

// Options are the options of a dbm store. Beaker's names of the first three are
// data_dir, dbm_dir and lock_dir.
type Options struct {
	// DataDir holds container_dbm and container_dbm_lock. It is needed unless DBMDir
	// and LockDir are both set.
	DataDir string
	// DBMDir and LockDir replace those two directories.
	DBMDir, LockDir string
	// Format is what new records are written as. Records that are there keep theirs.
	Format Format
	// IDs says which ids are acceptable; no path is formed from any other.
	IDs beakerfmt.IDRule
	// Protocol is the pickle protocol of the records that are written. 0
	// means 2, which every Python reads; see also [Protocol0].
	Protocol int
	// Fsync makes a write durable before it is reported done. Beaker has no
	// such option. Of SQLite files, writes always are as SQLite makes them.
	Fsync bool
	// MaxBytes is the size of the largest record that is read or written. 0
	// means [DefaultMaxBytes].
	MaxBytes int64
	// Limits bounds the decoding of records.
	Limits pickle.Limits
}

// settings are Options with every default filled in.
type settings struct {
	dbmDir, lockDir string
	format          Format
	ids             beakerfmt.IDRule
	fsync           bool
	protocol        int
	maxBytes        int64
	limits          pickle.Limits
}

func (o Options) settle() (settings, error) {
	dbmDir, err := framing.Directory("dbm_dir", o.DBMDir, o.DataDir, "container_dbm")
	if err != nil {
		return settings{}, fmt.Errorf("dbmstore: options: %w", err)
	}
	lockDir, err := framing.Directory("lock_dir", o.LockDir, o.DataDir, "container_dbm_lock")
	if err != nil {
		return settings{}, fmt.Errorf("dbmstore: options: %w", err)
	}
	f, err := framing.Frame{Protocol: o.Protocol, MaxBytes: o.MaxBytes, Limits: o.Limits}.Settle(largest)
	if err == nil && o.Format > SQLite {
		err = fmt.Errorf("no %v", o.Format)
	}
	if err != nil {
		return settings{}, fmt.Errorf("dbmstore: options: %w", err)
	}
	return settings{
		dbmDir: dbmDir, lockDir: lockDir, format: o.Format, ids: o.IDs, fsync: o.Fsync,
		protocol: f.Protocol, maxBytes: f.MaxBytes, limits: f.Limits,
	}, nil
}

// largest is more than any session, and less than what GNU dbm can say.
const largest = 1 << 30
