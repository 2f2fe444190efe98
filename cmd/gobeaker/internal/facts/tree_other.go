//go:build !unix

package facts

import "io/fs"

// ownerOf: this system has no numbers for owners.
func ownerOf(fs.FileInfo) (uid, gid int, ok bool) { return -1, -1, false }

func inodeOf(fs.FileInfo) (name string, ok bool) { return "", false }
