// Package framing settles the options that are the same in every store that puts a
// pickle around a session.
package framing

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
)

// DefaultMaxBytes is the size of the largest record of who says nothing.
const DefaultMaxBytes = 16 << 20

// Protocol0 stands for pickle protocol 0, the one of Python 2, where 0 means the
// default.
const Protocol0 = -1

// Frame says how records are written, and how large they may be.
type Frame struct {
	Protocol int
	MaxBytes int64
	Limits   pickle.Limits
}

// Settle fills in the defaults: protocol 2, [DefaultMaxBytes], and a limit on pickles
// to match. Largest is what MaxBytes may be at most; 0 is no bound. The error does not
// name the package.
func (f Frame) Settle(largest int64) (Frame, error) {
	switch {
	case f.Protocol == 0:
		f.Protocol = pickle.DefaultProtocol
	case f.Protocol == Protocol0:
		f.Protocol = 0
	case f.Protocol < 0 || f.Protocol > 5:
		return f, fmt.Errorf("no pickle protocol %d", f.Protocol)
	}
	switch {
	case f.MaxBytes == 0:
		f.MaxBytes = DefaultMaxBytes
	case f.MaxBytes < 0 || largest > 0 && f.MaxBytes > largest:
		return f, errors.New("the size limit is negative or larger than a record can be")
	}
	if f.Limits.MaxBytes == 0 {
		f.Limits.MaxBytes = int(f.MaxBytes)
	}
	return f, nil
}

// Directory returns the absolute path of a directory, so that a later chdir does not
// move the store: own, the option name, or else below in dataDir.
func Directory(name, own, dataDir, below string) (string, error) {
	if own == "" {
		if dataDir == "" {
			return "", fmt.Errorf("data_dir or %s is required", name)
		}
		own = filepath.Join(dataDir, below)
	}
	path, err := filepath.Abs(own)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return path, nil
}
