package watch

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// cheapDirs: watching a directory costs the same however many files are in it. With
// kqueue each of them costs a descriptor.
const cheapDirs = runtime.GOOS == "linux" || runtime.GOOS == "windows"

// maxLinks bounds the symlinks on the way to a file, as Linux does.
const maxLinks = 40

// plan is what has to be watched to see all that may change what some paths lead to: the
// directory of every name on the way, from the root on and through the targets of symlinks,
// up to the file or to the first name that is missing.
type plan struct {
	dirs  map[string]*dir
	names map[string]bool // full paths, without symlinks in them; true: the file itself or what is missing
}

// dir is a directory in which such a name stands.
type dir struct {
	info    fs.FileInfo // nil if it cannot be had
	matters bool        // it holds a file, a symlink or the place of what is missing: changes in it are usual
}

func newPlan(files []string) *plan {
	p := &plan{dirs: map[string]*dir{}, names: map[string]bool{}}
	for _, f := range files {
		p.walk(f)
	}
	return p
}

// walk follows an absolute path as the system does.
func (p *plan) walk(path string) {
	root := filepath.VolumeName(path) + string(filepath.Separator)
	at, rest, links := root, components(path), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at) // at has no symlinks in it
			continue
		}
		d := p.dirs[at]
		if d == nil {
			d = &dir{}
			d.info, _ = os.Lstat(at)
			p.dirs[at] = d
		}
		here := filepath.Join(at, name)
		info, err := os.Lstat(here)
		switch {
		case err == nil && info.IsDir():
			p.names[here] = false
			at = here
		case err == nil && info.Mode()&fs.ModeSymlink != 0:
			p.names[here], d.matters = false, true
			target, err := os.Readlink(here)
			if links++; err != nil || links > maxLinks {
				return
			}
			if filepath.IsAbs(target) {
				at = root
			}
			rest = append(components(target), rest...)
		default:
			if _, also := p.names[here]; !also { // another file's way may lead through it
				p.names[here] = true
			}
			d.matters = true
			return
		}
	}
}

func components(path string) []string {
	return strings.Split(filepath.ToSlash(path[len(filepath.VolumeName(path)):]), "/")
}

// sameDirs reports whether both plans have the same directories, not just equal paths.
func (p *plan) sameDirs(q *plan) bool {
	if len(p.dirs) != len(q.dirs) {
		return false
	}
	for path, d := range p.dirs {
		o := q.dirs[path]
		if o == nil || (d.info == nil) != (o.info == nil) || d.info != nil && !os.SameFile(d.info, o.info) || d.matters && !o.matters {
			return false
		}
	}
	return true
}

// state is what is compared of a file.
type state struct {
	kind stateKind
	sum  [sha256.Size]byte // of what is read
	size int64             // where that is not all
}

type stateKind uint8

const (
	absent stateKind = iota
	unreadable
	other // no file: a directory, a pipe
	readable
)

// maxRead bounds how much of a file is read, in bytes. No configuration is longer.
const maxRead = 8 << 20

// stateOf reads the file: times and sizes may stay the same when the content does not.
func stateOf(path string) state {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return state{kind: other}
	case os.IsNotExist(err):
		return state{kind: absent}
	case err != nil:
		return state{kind: unreadable}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe by now
	if err != nil {
		return state{kind: unreadable}
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() { // a read of a pipe may never end
		return state{kind: other}
	}
	s := state{kind: readable}
	hash := sha256.New()
	n, err := io.Copy(hash, io.LimitReader(f, maxRead))
	if err != nil {
		return state{kind: unreadable}
	}
	if n == maxRead {
		s.size = info.Size()
	}
	hash.Sum(s.sum[:0])
	return s
}
