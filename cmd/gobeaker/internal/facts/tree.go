package facts

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
)

// The defaults of TreeOptions, and what counts as left behind.
const (
	defaultTreeTime = 20 * time.Second
	defaultEntries  = 1_000_000
	forgotten       = 24 * time.Hour
	rateDays        = 7
)

// TreeOptions say what [WalkTree] looks at.
type TreeOptions struct {
	Options compat.Options
	// Files are configuration files.
	Files []string
	// Secrets are those of Files that hold nothing but keys; nil: those without an ending
	// of configuration files are taken for such.
	Secrets []string
	// Records: look at the directories of a file or dbm store, too.
	Records bool
	// Time and Entries bound the walk; 0: 20 seconds, and a million entries.
	Time    time.Duration
	Entries int64
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// WalkTree looks at the modes and owners of configuration files, and of the directories
// of a file or dbm store: what is in them, what it may be read by, and the file system. It
// follows no symbolic links below data_dir, and opens no files. What goes wrong is in
// the facts.
func WalkTree(ctx context.Context, o TreeOptions) *Tree {
	o.Time, o.Entries = cmp.Or(o.Time, defaultTreeTime), cmp.Or(o.Entries, defaultEntries)
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, o.Time)
	defer cancel()
	w := &walker{ctx: ctx, o: o, now: o.Now(), left: o.Entries, locks: map[string]bool{}, owners: map[int]bool{}}
	w.Dirs, w.System, w.MixedOwners = []Place{}, []FileSys{}, []int{}
	w.Files = []Place{}
	for _, file := range o.Files {
		w.Files = append(w.Files, placeOf(o.roleOf(file), file))
	}
	if dir := recordDir(o.Options); o.Records && dir != "" {
		w.store(dir, lockDir(o.Options))
	}
	return &w.Tree
}

// roleOf says what a configuration file is, by its name where nothing else tells.
func (o *TreeOptions) roleOf(file string) string {
	if slices.Contains(o.Secrets, file) {
		return "secret"
	}
	switch strings.ToLower(filepath.Ext(file)) {
	case ".ini", ".cfg", ".conf":
		return "ini"
	case ".toml":
		return "toml"
	}
	if o.Secrets == nil {
		return "secret"
	}
	return "file"
}

// placeOf looks at a file or directory.
func placeOf(role, file string) Place {
	p := Place{Role: role, Path: file, UID: -1, GID: -1}
	if info, err := os.Lstat(file); err == nil {
		p.Symlink = info.Mode()&fs.ModeSymlink != 0
	}
	info, err := os.Stat(file)
	if err != nil {
		p.Problem = problem(err)
		return p
	}
	p.Mode = info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSetuid | fs.ModeSticky)
	if uid, gid, ok := ownerOf(info); ok {
		p.UID, p.GID = uid, gid
	}
	// A link leads to where others may not go, and the mode is that of what is there.
	if real, err := filepath.EvalSymlinks(file); err == nil {
		p.Reachable = isReachable(filepath.Dir(real))
		p.Replaceable = isOpen(filepath.Dir(real)) || isOpen(filepath.Dir(file))
	}
	return p
}

// isOpen reports whether everybody may replace what is in a directory.
func isOpen(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode().Perm()&0o003 == 0o003 && info.Mode()&fs.ModeSticky == 0 && isReachable(dir)
}

// isReachable reports whether the directories down to this one let everybody through.
func isReachable(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	for err == nil {
		info, statErr := os.Stat(dir)
		if statErr != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
	return false
}

// walker walks through the directories of a store.
type walker struct {
	Tree
	ctx    context.Context
	o      TreeOptions
	now    time.Time
	left   int64           // entries that may still be looked at
	locks  map[string]bool // names of the lock files of the records
	owners map[int]bool    // of records
	uid    int             // of the directory of records
	recent int64           // records that were written in the last days
}

// errEnough ends a walk.
var errEnough = errors.New("the limit for entries was reached")

// store walks through records and then through locks.
func (w *walker) store(records, locks string) {
	if w.o.Options.DataDir != "" {
		w.Dirs = append(w.Dirs, placeOf("data_dir", w.o.Options.DataDir))
	}
	r := placeOf("records", records)
	w.Dirs = append(w.Dirs, r, placeOf("locks", locks))
	w.uid = r.UID
	for _, dir := range []string{records, locks} {
		if f, err := fileSystem(dir); err == nil && !slices.ContainsFunc(w.System, func(o FileSys) bool { return sameSystem(o, f) }) {
			w.System = append(w.System, f)
		}
	}
	if r.Problem != nil {
		w.Problem = r.Problem
		return
	}
	open := r.Reachable && r.Mode.Perm()&0o001 != 0
	if r.Mode.Perm()&0o002 != 0 && r.Reachable {
		w.OpenDirs++
	}
	err := w.level(records, "", 0, open, w.record)
	if err == nil {
		err = w.level(locks, "", 0, false, w.lock)
	}
	w.MixedOwners = slices.Sorted(maps.Keys(w.owners))
	w.PerDay = w.recent / rateDays
	if err != nil {
		w.Estimate = true
		w.Problem = problem(fmt.Errorf("doctor: walk through the records: %w", err))
	}
}

// sameSystem: directories of one file system have the same numbers.
func sameSystem(a, b FileSys) bool {
	a.Path, b.Path = "", ""
	return a == b
}

// recordLevel is how many directories lie above a record (Beaker: util.py, encoded_path).
const recordLevel = 2

// level walks through a directory. Open: everybody can get there.
func (w *walker) level(root, rel string, depth int, open bool, visit func(rel string, names []fs.DirEntry, open bool)) error {
	d, err := os.Open(filepath.Join(root, rel))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.Unreadable++
		}
		return nil
	}
	defer func() { _ = d.Close() }()
	for {
		entries, err := d.ReadDir(512)
		if w.left -= int64(len(entries)); w.left < 0 {
			return errEnough
		}
		if ctxErr := w.ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		if depth == recordLevel {
			visit(rel, entries, open)
		} else if err := w.below(root, rel, depth, open, entries, visit); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			w.Unreadable++
			return nil
		}
	}
}

// below goes on with the directories among some entries.
func (w *walker) below(root, rel string, depth int, open bool, entries []fs.DirEntry, visit func(string, []fs.DirEntry, bool)) error {
	for _, e := range entries {
		name := path.Join(rel, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			w.Symlinks++
			continue
		}
		if !e.IsDir() {
			continue
		}
		inside := open
		if info, err := e.Info(); err == nil {
			perm := info.Mode().Perm()
			if open && perm&0o002 != 0 {
				w.OpenDirs++
			}
			inside = open && perm&0o001 != 0
		}
		if err := w.level(root, name, depth+1, inside, visit); err != nil {
			return err
		}
	}
	return nil
}

// dbmSuffixes are those of which each stands for a record, the first one that is there.
var dbmSuffixes = []string{".dbm", ".dbm.dat", ".dbm.db", ".dbm.pag"}

// recordID is the id of the record that a file belongs to. Main: it is the one by which
// the record is counted.
func (w *walker) recordID(name string) (id string, main bool) {
	if kindOf(w.o.Options) == "file" {
		return strings.CutSuffix(name, ".cache")
	}
	for _, suffix := range dbmSuffixes {
		if id, ok := strings.CutSuffix(name, suffix); ok {
			return id, true
		}
	}
	return name, false
}

// record counts some files of a directory of records.
func (w *walker) record(rel string, entries []fs.DirEntry, open bool) {
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".temp") {
			w.Temps++
			continue
		}
		id, main := w.recordID(e.Name())
		if !main || !strings.HasPrefix(beakerfmt.DataPath(id), rel+"/") {
			continue
		}
		if e.Type()&fs.ModeSymlink != 0 {
			w.Symlinks++
			continue
		}
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			w.Unreadable++
		case info.Mode().IsRegular():
			w.locks[path.Base(beakerfmt.LockPath(id))] = true
			w.count(info, open)
		}
	}
}

// count counts a record.
func (w *walker) count(info fs.FileInfo, open bool) {
	w.Records++
	w.Bytes += info.Size()
	perm, at := info.Mode().Perm(), info.ModTime()
	for _, c := range []struct {
		is bool
		n  *int64
	}{
		{open && perm&0o004 != 0, &w.WorldRead}, {open && perm&0o002 != 0, &w.WorldWrite}, {perm&0o020 != 0, &w.GroupWrite},
		{w.o.Options.Timeout != compat.NoTimeout && w.now.Sub(at) > w.o.Options.Timeout, &w.Old},
		{w.now.Sub(at) <= rateDays*24*time.Hour, &w.recent},
	} {
		if c.is {
			*c.n++
		}
	}
	if at.After(w.NewestRecord) {
		w.NewestRecord = at
	}
	if uid, _, ok := ownerOf(info); ok {
		w.owners[uid] = true
		if uid != w.uid {
			w.OtherOwner++
		}
	}
}

// lock counts some files of a directory of locks: those that Beaker made, and that gc
// would remove (beakerfmt.LockPath).
func (w *walker) lock(rel string, entries []fs.DirEntry, _ bool) {
	for _, e := range entries {
		sum, isLock := strings.CutSuffix(e.Name(), ".lock")
		if _, err := hex.DecodeString(sum); err != nil || !isLock || len(sum) != hex.EncodedLen(sha1.Size) ||
			!strings.HasPrefix(sum, path.Base(rel)) || !e.Type().IsRegular() {
			continue
		}
		w.Locks++
		if w.locks[e.Name()] {
			continue
		}
		if info, err := e.Info(); err == nil && w.now.Sub(info.ModTime()) > forgotten {
			w.StaleLocks++
		}
	}
}
