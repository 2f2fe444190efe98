//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/filelock"
	"github.com/gobeaker/gobeaker/stores/internal/locksweep"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// Sweep removes records together with their lock files, and what else is of no use
// any more, while Python and others use the store. How a lock file is removed
// although Beaker does not expect that, the package locksweep says. A Sweep is safe
// for concurrent use. Close it.
type Sweep struct {
	store   *Store
	o       SweepOptions
	remover *locksweep.Remover

	noLeases atomic.Bool // it cannot be told who uses a lock file
	dirs     dirCache

	nLocks, nBusy, nRecent, nKept, nTemps, nTempsRecent, nDirs, nFailed atomic.Int64
}

// NewSweep begins a sweep. It removes nothing yet.
func (s *Store) NewSweep(o SweepOptions) *Sweep {
	o = o.settle()
	w := &Sweep{store: s, o: o, remover: locksweep.NewRemover(o.Hold), dirs: dirCache{open: map[string]int{}}}
	w.noLeases.Store(!locksweep.Able(o.Hold))
	return w
}

// Close waits until it is certain that nobody opens a lock file that was removed, and
// returns what was done in all.
func (w *Sweep) Close() SweepResult {
	late := w.remover.Close()
	w.dirs.close()
	return SweepResult{
		Locks: w.nLocks.Load(), LocksBusy: w.nBusy.Load(), LocksRecent: w.nRecent.Load(), LocksLate: int64(late),
		LocksKept: w.nKept.Load(), Temps: w.nTemps.Load(), TempsRecent: w.nTempsRecent.Load(),
		Directories: w.nDirs.Load(), Failed: w.nFailed.Load(),
	}
}

// Visit calls f with the session value of id, nil if there is none, while all others
// are excluded. If f returns [stores.ErrRemove], the record is removed, and if possible
// its lock file; other errors of f are returned. It is Store.Update for who only
// removes; f may be called twice.
func (w *Sweep) Visit(ctx context.Context, id string, f func(old pyvalue.Value) error) error {
	if !w.noLeases.Load() && !w.store.fsync && w.store.ids.Valid(id) && ctx.Err() == nil {
		if done, err := w.visitLeased(id, f); done {
			return err
		}
	}
	return w.store.Update(ctx, id, func(old pyvalue.Value) (pyvalue.Value, error) { return nil, f(old) })
}

// visitLeased is Visit under a lease on the lock file, which excludes more than the
// lock does and is had by fewer calls. Not done: somebody uses the lock, there is none,
// or something else is for Store.Update to deal with.
func (w *Sweep) visitLeased(id string, f func(old pyvalue.Value) error) (done bool, err error) {
	lockDir, lock, lockPath := w.dirs.split(w.store.lockDir, beakerfmt.LockPath(id))
	recordDir, record, _ := w.dirs.split(w.store.fileDir, beakerfmt.DataPath(id))
	if lockDir < 0 || recordDir < 0 {
		return false, nil
	}
	l, err := w.take(lockDir, lock)
	if err != nil {
		return false, nil
	}
	keep := true
	defer func() {
		if keep {
			l.Release()
		}
	}()
	if _, err := l.Modified(); err != nil {
		return false, nil
	}
	old, err := w.read(recordDir, record)
	if err != nil {
		return false, nil
	}
	if err = f(old); !errors.Is(err, stores.ErrRemove) {
		return true, err
	}
	if err := unix.Unlinkat(recordDir, record, 0); err != nil && err != unix.ENOENT {
		return true, failed("sweep", id, sysfile.In(w.store.fileDir, err))
	}
	if !w.o.KeepLocks {
		keep = false
		w.unlinkLock(l, lockDir, lock, lockPath)
	}
	return true, nil
}

// dirCache keeps directories open, so that the kernel need not look up the same ones
// for each file. What is in a directory that was removed meanwhile is not found there,
// and then is for those to deal with who go by the whole path.
type dirCache struct {
	mu   sync.Mutex
	open map[string]int
}

// maxDirs is how many directories are kept open: those of the lock files are 256.
const maxDirs = 1024

// split returns the open directory of a path below root, -1 if there is none, the name
// in it, and the directory's path.
func (c *dirCache) split(root, path string) (dir int, name, dirPath string) {
	i := strings.LastIndexByte(path, '/')
	name, dirPath = path[i+1:], root+"/"+path[:i]
	c.mu.Lock()
	defer c.mu.Unlock()
	dir, ok := c.open[dirPath]
	if ok {
		return dir, name, dirPath
	}
	if len(c.open) >= maxDirs {
		return -1, name, dirPath
	}
	dir, err := sysfile.Open(dirPath, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, name, dirPath
	}
	c.open[dirPath] = dir
	return dir, name, dirPath
}

func (c *dirCache) close() {
	for _, fd := range c.open {
		_ = sysfile.Close(fd)
	}
}

// take takes a lock file, and notices where that cannot be done.
func (w *Sweep) take(dir int, name string) (locksweep.Lease, error) {
	l, err := locksweep.Take(dir, name)
	if errors.Is(err, locksweep.ErrUnsupported) {
		w.noLeases.Store(true)
	}
	return l, err
}

func (w *Sweep) unlinkLock(l locksweep.Lease, at int, name, dir string) {
	if err := w.remover.Remove(l, at, name, dir); err != nil {
		w.nFailed.Add(1)
		return
	}
	w.nLocks.Add(1)
}

// read reads the session value of a record; nil if it has none.
func (w *Sweep) read(dir int, record string) (pyvalue.Value, error) {
	fd, err := unix.Openat(dir, record, unix.O_RDONLY|unix.O_CLOEXEC|noAtime, 0)
	if err == unix.EPERM && noAtime != 0 { // somebody else's file
		fd, err = unix.Openat(dir, record, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, err
	}
	buf := takeBuffer()
	defer buf.giveBack()
	n, err := sysfile.Read(fd, buf.b[:cap(buf.b)])
	if err == nil && n == cap(buf.b) { // there may be more
		if _, err = unix.Seek(fd, 0, io.SeekStart); err == nil {
			err = w.store.readAll(fd, buf)
			n = len(buf.b)
		}
	}
	_ = sysfile.Close(fd)
	if err != nil {
		return nil, err
	}
	c, err := w.store.decode(buf.b[:n])
	if errors.Is(err, stores.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, _ := c.GetStr(beakerfmt.SessionKey)
	return v, nil
}

// Modified returns when the record of id was last written.
func (s *Store) Modified(ctx context.Context, id string) (time.Time, error) {
	if err := s.check(ctx, id); err != nil {
		return time.Time{}, failed("modified", id, err)
	}
	var st unix.Stat_t
	switch err := unix.Stat(s.recordPath(id), &st); err {
	case nil:
		return time.Unix(st.Mtim.Unix()), nil
	case unix.ENOENT:
		return time.Time{}, failed("modified", id, stores.ErrNotExist)
	default:
		return time.Time{}, failed("modified", id, sysfile.In(s.fileDir, err))
	}
}

// Litter removes the temporary files of crashed writers, the lock files of which there
// is no record, and the empty directories if that is wanted. It returns an error if it
// cannot go on; what cannot be removed is counted.
func (w *Sweep) Litter(ctx context.Context) error {
	var known filter
	err := w.leaves(ctx, w.store.fileDir, func(dir leaf, names []string) error {
		for _, name := range names {
			if id, ok := strings.CutSuffix(name, recordSuffix); ok {
				known.add(sha1.Sum([]byte(id)))
			} else if id, ok := strings.CutSuffix(name, recordSuffix+tempSuffix); ok && w.store.ids.Valid(id) {
				if err := w.temp(ctx, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && !w.o.KeepLocks {
		err = w.leaves(ctx, w.store.lockDir, func(dir leaf, names []string) error {
			for _, name := range names {
				if err := w.lock(ctx, dir, name, &known); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil && w.o.Directories && !w.o.DryRun {
		w.emptyDirectories()
	}
	return failed("sweep", "", err)
}

// lock removes a lock file of which there is no record.
func (w *Sweep) lock(ctx context.Context, dir leaf, name string, known *filter) error {
	var sum [sha1.Size]byte
	hash, ok := strings.CutSuffix(name, lockSuffix)
	if !ok || len(hash) != hex.EncodedLen(len(sum)) || !strings.HasPrefix(hash, dir.name) {
		return nil
	}
	if _, err := hex.Decode(sum[:], []byte(hash)); err != nil || known.has(sum) {
		return nil
	}
	old := w.o.Now().Add(-w.o.Grace)
	if w.noLeases.Load() || w.o.DryRun {
		return w.lockUntouched(dir, name, old)
	}
	if w.o.Wait != nil {
		if err := w.o.Wait(ctx); err != nil {
			return err
		}
	}
	l, err := w.take(dir.fd, name)
	switch {
	case errors.Is(err, locksweep.ErrUnsupported):
		return w.lockUntouched(dir, name, old)
	case errors.Is(err, locksweep.ErrBusy):
		w.nBusy.Add(1)
		return nil
	case errors.Is(err, locksweep.ErrGone):
		return nil
	case err != nil:
		w.nFailed.Add(1)
		return nil
	}
	made, err := l.Modified()
	switch {
	case err != nil:
		l.Release()
	case made.After(old):
		l.Release()
		w.nRecent.Add(1)
	default:
		w.unlinkLock(l, dir.fd, name, dir.path)
	}
	return nil
}

// lockUntouched counts a lock file that is not to be removed.
func (w *Sweep) lockUntouched(dir leaf, name string, old time.Time) error {
	var st unix.Stat_t
	if unix.Fstatat(dir.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return nil
	}
	switch {
	case time.Unix(st.Mtim.Unix()).After(old):
		w.nRecent.Add(1)
	case w.noLeases.Load():
		w.nKept.Add(1)
	default:
		w.nLocks.Add(1) // a dry run
	}
	return nil
}

// temp removes what a crash left of writing a record, under the lock that its writer
// had.
func (w *Sweep) temp(ctx context.Context, id string) error {
	path, old := w.store.recordPath(id)+tempSuffix, w.o.Now().Add(-w.o.Grace)
	abandoned := func() bool {
		var st unix.Stat_t
		return unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && !time.Unix(st.Mtim.Unix()).After(old)
	}
	if !abandoned() {
		w.nTempsRecent.Add(1)
		return nil
	}
	if w.o.DryRun {
		w.nTemps.Add(1)
		return nil
	}
	if w.o.Wait != nil {
		if err := w.o.Wait(ctx); err != nil {
			return err
		}
	}
	g, err := w.store.locks.Acquire(ctx, id, filelock.Exclusive, filelock.MakeLock)
	if err != nil {
		w.nFailed.Add(1)
		return ctx.Err()
	}
	if abandoned() {
		if err := unix.Unlink(path); err == nil {
			w.nTemps.Add(1)
		} else if err != unix.ENOENT {
			w.nFailed.Add(1)
		}
	}
	return g.Release()
}

// leaf is an open directory of files.
type leaf struct {
	fd   int
	path string
	name string // the last part of the path
}

// leaves visits the names in each directory two levels below root, a batch at a time,
// several directories at once. A directory that has vanished is empty.
func (w *Sweep) leaves(ctx context.Context, root string, visit func(dir leaf, names []string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	paths := make(chan string)
	var wg sync.WaitGroup
	for range w.o.Workers {
		wg.Go(func() {
			for path := range paths {
				if err := w.leaf(ctx, path, visit); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := belowDirs(root, sysfile.RecordLevel, func(path string) error {
		select {
		case paths <- path:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(paths)
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return sysfile.In(root, err)
}

// belowDirs visits the directories that many levels below one.
func belowDirs(path string, levels int, visit func(path string) error) error {
	if levels == 0 {
		return visit(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return sysfile.UnlessGone(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := belowDirs(filepath.Join(path, e.Name()), levels-1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Sweep) leaf(ctx context.Context, path string, visit func(dir leaf, names []string) error) error {
	d, err := os.Open(path)
	if err != nil {
		return sysfile.UnlessGone(err)
	}
	defer func() { _ = d.Close() }()
	dir := leaf{fd: int(d.Fd()), path: path, name: filepath.Base(path)}
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		names, err := d.Readdirnames(listBatch)
		if e := visit(dir, names); e != nil {
			return e
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return sysfile.UnlessGone(err)
		}
	}
}

// emptyDirectories removes those that are empty, the deeper ones first. The kernel
// refuses the others.
func (w *Sweep) emptyDirectories() {
	for _, root := range []string{w.store.fileDir, w.store.lockDir} {
		for level := sysfile.RecordLevel; level > 0; level-- {
			_ = belowDirs(root, level, func(path string) error {
				switch unix.Rmdir(path) {
				case nil:
					w.nDirs.Add(1)
				case unix.ENOTEMPTY, unix.EEXIST, unix.ENOENT:
				default:
					w.nFailed.Add(1)
				}
				return nil
			})
		}
	}
}

// lockSuffix ends the name of every lock file (synchronization.py, FileSynchronizer).
const lockSuffix = ".lock"

// filter is a Bloom filter of the hashes of the ids that have a record. It is of one
// size, however many there are: with a million of them it takes one hash of a million
// for one of theirs, with a hundred millions most. The lock file of such a hash then
// stays.
type filter struct {
	bits [1 << (filterBits - 6)]atomic.Uint64
}

// filterBits: 2 to this many bits are 16 MiB.
const filterBits = 27

// places are where a hash is. The hash is random already.
func places(sum [sha1.Size]byte) (at [4]uint32) {
	for i := range at {
		b := sum[4*i:]
		at[i] = (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24) % (1 << filterBits)
	}
	return at
}

func (f *filter) add(sum [sha1.Size]byte) {
	for _, at := range places(sum) {
		if f.bits[at/64].Load()&(1<<(at%64)) == 0 {
			f.bits[at/64].Or(1 << (at % 64))
		}
	}
}

func (f *filter) has(sum [sha1.Size]byte) bool {
	for _, at := range places(sum) {
		if f.bits[at/64].Load()&(1<<(at%64)) == 0 {
			return false
		}
	}
	return true
}
