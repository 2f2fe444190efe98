//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// place remembers that the directory of the records was there, and on which device, so
// that one which has gone, with its file system or by another name, is not taken for one
// without sessions: that would log everybody out.
//
// A directory of records that was removed from a data_dir which is still there is no
// such thing; somebody has removed all sessions.
type place struct {
	dir  string
	seen atomic.Uint64 // its device and one more; 0: it was not there yet
}

// errGone: what was there is there no more.
var errGone = fmt.Errorf("%w: the directory of the sessions was there and has gone", stores.ErrMissing)

// check returns nil if the directory is there, or was not there yet, else what is wrong.
func (p *place) check() error {
	seen := p.seen.Load()
	st, err := stat(p.dir)
	if err == syscall.ENOENT && seen != 0 {
		st, err = stat(filepath.Dir(p.dir))
		if err == syscall.ENOENT {
			return errGone
		}
	}
	switch {
	case err == syscall.ENOENT:
		return nil
	case err != nil:
		return err
	case seen == 0:
		p.seen.Store(uint64(st.Dev) + 1)
	case uint64(st.Dev) == seen-1:
	case isRoot(st):
		return errGone // a mount point whose file system has gone
	}
	return nil
}

// isRoot reports whether a file is on the device of /. What is on another device than it
// was and not there may have been mounted anew.
func isRoot(st syscall.Stat_t) bool {
	root, err := stat("/")
	return err == nil && root.Dev == st.Dev
}

func stat(path string) (st syscall.Stat_t, err error) {
	err = sysfile.Stat(path, &st)
	return st, err
}
