package server

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// pidFile is where a process writes its number; "" is nowhere. It stands there as a line,
// for whoever reads the file line by line.
type pidFile string

func line(pid int) []byte { return append(strconv.AppendInt(nil, int64(pid), 10), '\n') }

// write puts the number there in one step: others read the file at any time.
func (f pidFile) write(pid int) error {
	if f == "" {
		return nil
	}
	t, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f)))
	if err != nil {
		return err
	}
	_, err = t.Write(line(pid))
	for _, then := range []func() error{
		func() error { return t.Chmod(0o644) }, // for who watches the server as another user
		t.Close,
		func() error { return os.Rename(t.Name(), string(f)) },
	} {
		if err != nil {
			break
		}
		err = then()
	}
	if err != nil {
		t.Close()
		os.Remove(t.Name())
	}
	return err
}

// remove takes the file away if this number is in it, and not that of a process that took
// over.
func (f pidFile) remove(pid int) {
	if f == "" {
		return
	}
	if text, err := os.ReadFile(string(f)); err == nil && bytes.Equal(text, line(pid)) {
		_ = os.Remove(string(f))
	}
}
