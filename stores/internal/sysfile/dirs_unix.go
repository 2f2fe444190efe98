//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sysfile

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// RecordLevel is how many directories lie above a record (Beaker: util.py,
// encoded_path).
const RecordLevel = 2

// RecordDirs calls visit with each directory of records below root, "1/1e", in the order
// of their names, beginning with from. A directory that has vanished is empty.
func RecordDirs(ctx context.Context, root, from string, visit func(rel string) error) error {
	return recordDirs(ctx, root, from, "", 0, visit)
}

func recordDirs(ctx context.Context, root, from, rel string, level int, visit func(rel string) error) error {
	if level == RecordLevel {
		return visit(rel)
	}
	entries, err := os.ReadDir(filepath.Join(root, rel))
	if err != nil {
		return UnlessGone(err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(rel, e.Name())
		if name < from && !strings.HasPrefix(from, name+"/") || !e.IsDir() && e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if err := recordDirs(ctx, root, from, name, level+1, visit); err != nil {
			return err
		}
	}
	return nil
}

// UnlessGone returns nil for the errors of a directory that is not there, or is
// none.
func UnlessGone(err error) error {
	err = Bare(err)
	if err == syscall.ENOENT || err == syscall.ENOTDIR {
		return nil
	}
	return err
}
