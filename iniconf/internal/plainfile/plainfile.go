// Package plainfile reads small configuration files, without waiting for ever where a
// path leads to something else than a file.
package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// TooLarge is the error for a file that is larger than the limit.
type TooLarge struct{ Limit int64 }

func (e TooLarge) Error() string { return fmt.Sprintf("larger than %d bytes", e.Limit) }

var errNotFile = errors.New("it is not a regular file")

// patience is for a pipe, as a shell makes of <(command).
const patience = 5 * time.Second

// Read returns what is in a file of up to limit bytes. A directory, a device or a
// socket is an error; so is a pipe that gives nothing for some seconds.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe waits otherwise
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	pipe := err == nil && info.Mode()&fs.ModeNamedPipe != 0
	if pipe {
		err = f.SetReadDeadline(time.Now().Add(patience))
	}
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !pipe && !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errNotFile}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = TooLarge{limit}
	}
	return data, err
}
