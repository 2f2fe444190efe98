package facts

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Identity names a file or directory so that two paths to one and the same are equal,
// through symbolic links, bind mounts and "/./". What does not exist is named by the
// directory that it would be in. It is not for people.
func Identity(file string) string {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return filepath.Clean(file)
	}
	below := ""
	for dir := absolute; ; {
		info, err := os.Stat(dir)
		if err == nil {
			return filepath.Join(identityOf(dir, info), below)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return absolute
		}
		dir, below = parent, filepath.Join(filepath.Base(dir), below)
	}
}

// identityOf is the device and inode where the system has such, else the path without links.
func identityOf(dir string, info fs.FileInfo) string {
	if name, ok := inodeOf(info); ok {
		return name
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}
