//go:build unix

package facts

import (
	"fmt"
	"io/fs"
	"syscall"
)

// ownerOf tells whose a file is.
func ownerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1, false
	}
	return int(st.Uid), int(st.Gid), true
}

// inodeOf names a file by its device and inode.
func inodeOf(info fs.FileInfo) (name string, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino), true
}
