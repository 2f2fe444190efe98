//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// tempSuffix is what this package appends to the names of files that it writes. It is
// fixed: the exclusive lock guards it.
const tempSuffix = ".temp"

// suffixes are what a database's files have behind the name that dbm is given, in the
// order in which they are removed: what makes it a record goes first.
var suffixes = []string{
	".dir", "", ".dat", ".bak", ".pag", ".db", "-wal", "-shm", "-journal", tempSuffix, ".dir" + tempSuffix,
}

// recordSuffixes are those of which one shows that there may be a record.
var recordSuffixes = []string{"", ".dat", ".db", ".pag"}

// recordExists says whether there is any database of id.
func (s *Store) recordExists(id string) (bool, error) {
	base := s.base(id)
	for _, suffix := range recordSuffixes {
		there, err := sysfile.Exists(base + suffix)
		if there || err != nil {
			return there, sysfile.In(s.dbmDir, err)
		}
	}
	return false, nil
}

// kind is what a database is found to be.
type kind uint8

const (
	isAbsent kind = iota // nothing, or nothing yet
	isDumb               // these three are the formats, in their order
	isGNU
	isSQLite
	isForeign // Berkeley DB or ndbm
	isUnknown
)

// Errors about what a database is found to be.
var (
	errForeign = errors.New("the session is in a database of Berkeley DB or ndbm: have Python rewrite it with dbm.dumb, as the documentation of gobeaker's dbmstore shows; gobeaker migrate then moves it anywhere")
	errUnknown = errors.New("not a database that Python's dbm knows")
)

// Magic numbers of Berkeley DB's hash files: at the beginning up to 1.85, later behind
// 12 bytes.
const (
	berkeleyHash  = 0x00061561
	berkeleyBtree = 0x00053162
	sqliteMagic   = "SQLite format 3\x00"
)

// detect finds out what database there is, in the order of Python's whichdb
// (dbm/__init__.py).
func detect(base string) (kind, error) {
	var is [4]bool
	for i, suffix := range []string{".dir", ".pag", ".db", ".dat"} {
		var err error
		if is[i], err = sysfile.Exists(base + suffix); err != nil {
			return isUnknown, err
		}
	}
	dir, pag, db, dat := is[0], is[1], is[2], is[3]
	switch {
	case pag && dir || db:
		return isForeign, nil
	case dat && dir:
		first, err := firstBytes(base+".dir", 1)
		if errors.Is(err, errIrregular) {
			return isUnknown, nil
		}
		if err != nil || first == "" || first == "'" || first == `"` {
			return isDumb, err
		}
	}
	magic, err := firstBytes(base, 16)
	switch {
	case errors.Is(err, syscall.ENOENT) && dat && dir:
		return isDumb, nil // a damaged one
	case errors.Is(err, syscall.ENOENT):
		return isAbsent, nil
	case errors.Is(err, errIrregular):
		return isUnknown, nil
	case err != nil:
		return isUnknown, err
	}
	return kindOf(magic), nil
}

// kindOf tells a database by its first 16 bytes.
func kindOf(magic string) kind {
	if magic == "" {
		return isAbsent // it is being made
	}
	if magic == sqliteMagic {
		return isSQLite
	}
	if len(magic) < 16 {
		return isUnknown
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		first := order.Uint32([]byte(magic))
		if gnuLayouts(order, first) != nil {
			return isGNU
		}
		switch {
		case first == berkeleyHash, first == berkeleyBtree:
			return isForeign
		}
		switch order.Uint32([]byte(magic[12:])) {
		case berkeleyHash, berkeleyBtree:
			return isForeign
		}
	}
	return isUnknown
}

// firstBytes returns up to n bytes from the beginning of a file.
func firstBytes(path string, n int) (string, error) {
	f, _, err := openFile(path)
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	got, err := sysfile.Read(int(f), b)
	return string(b[:got]), errors.Join(err, f.Close())
}

// read returns the pickle of a session, under any lock. The error is
// stores.ErrNotExist, wraps stores.ErrCorrupt, or is the system's or SQLite's.
func (s *Store) read(ctx context.Context, base string) ([]byte, error) {
	data, err := s.readAny(ctx, base)
	if errors.Is(err, syscall.ENOENT) { // the directory vanished
		err = stores.ErrNotExist
	}
	return data, err
}

func (s *Store) readAny(ctx context.Context, base string) ([]byte, error) {
	kind, err := detect(base)
	if err != nil {
		return nil, err
	}
	switch kind {
	case isDumb:
		return s.readDumb(base)
	case isGNU:
		return s.readGNU(base)
	case isSQLite:
		return s.readSQLite(ctx, base)
	case isForeign:
		return nil, errForeign
	case isUnknown:
		return nil, corrupt(errUnknown)
	}
	return nil, stores.ErrNotExist
}

// maxAttempts bounds how often a write starts again because directories vanished under
// it.
const maxAttempts = 1024

// write replaces the pickle of a session, under the exclusive lock.
func (s *Store) write(ctx context.Context, base string, data []byte) error {
	for range maxAttempts {
		err := s.writeOnce(ctx, base, data)
		if err == nil && s.fsync {
			err = sysfile.FsyncDir(filepath.Dir(base))
		}
		if !errors.Is(err, syscall.ENOENT) {
			return err
		}
		if err := sysfile.MkdirAll(filepath.Dir(base)); err != nil && err != syscall.ENOENT {
			return err
		}
	}
	return sysfile.ErrVanishing
}

func (s *Store) writeOnce(ctx context.Context, base string, data []byte) error {
	kind, err := detect(base)
	if err != nil {
		return err
	}
	format := s.format
	switch kind {
	case isDumb, isGNU, isSQLite:
		format = Format(kind - isDumb)
	case isForeign:
		return errForeign
	case isUnknown: // a damaged one, which would hide the new one
		if err := s.remove(base); err != nil {
			return err
		}
	}
	switch format {
	case GNU:
		return s.writeGNU(base, data)
	case SQLite:
		return s.writeSQLite(ctx, base, data)
	}
	return s.writeDumb(base, data)
}

// remove removes a database of any format, under the exclusive lock.
func (s *Store) remove(base string) error {
	for _, suffix := range suffixes {
		if err := sysfile.Unlink(base + suffix); err != nil && err != syscall.ENOTDIR {
			return err
		}
	}
	if !s.fsync {
		return nil
	}
	if err := sysfile.FsyncDir(filepath.Dir(base)); err != syscall.ENOENT {
		return err
	}
	return nil
}

// errTooLarge: what is there is beyond the limit.
var errTooLarge = fmt.Errorf("%w: %w", stores.ErrCorrupt, stores.ErrTooLarge)

// errIrregular: there is a directory, pipe or device where a database has a file.
var errIrregular = corrupt(errors.New("it is no regular file"))

// openFile opens a file of a database to read it. It waits for nobody, as it would for
// who writes to a pipe.
func openFile(path string) (sysfile.File, int64, error) {
	fd, err := sysfile.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == syscall.ENXIO { // a socket
		return -1, 0, errIrregular
	}
	if err != nil {
		return -1, 0, err
	}
	f := sysfile.File(fd)
	var st syscall.Stat_t
	err = sysfile.Fstat(fd, &st)
	if err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		err = errIrregular
	}
	if err != nil {
		return -1, 0, errors.Join(err, f.Close())
	}
	return f, st.Size, nil
}

// readGNU reads the session of a GNU database.
func (s *Store) readGNU(base string) (data []byte, err error) {
	err = withGNU(base, func(f *gnuFile) error {
		data, err = f.get(beakerfmt.SessionKey, s.maxBytes)
		if err == nil && data == nil {
			err = stores.ErrNotExist
		}
		return err
	})
	return data, err
}

// withGNU calls f with an open file, and makes its errors those of the store.
func withGNU(base string, f func(*gnuFile) error) error {
	file, size, err := openFile(base)
	if err != nil {
		return err
	}
	opened, err := openGNU(file, size)
	if err == nil {
		err = f(opened)
	}
	switch {
	case errors.Is(err, errGNUSize):
		err = errTooLarge
	case errors.Is(err, errGNUEmpty):
		err = stores.ErrNotExist
	case errors.Is(err, errGNU):
		err = corrupt(err)
	}
	return errors.Join(err, file.Close())
}

// writeGNU writes a GNU database anew, with the other keys that it has. Those of a
// damaged one are lost.
func (s *Store) writeGNU(base string, data []byte) error {
	layout, all := nativeGNU(), []gnuEntry(nil)
	err := withGNU(base, func(f *gnuFile) (err error) {
		layout = f.gnuLayout
		all, err = f.all(2 * s.maxBytes)
		return err
	})
	if err != nil && err != syscall.ENOENT && !errors.Is(err, stores.ErrCorrupt) && !errors.Is(err, stores.ErrNotExist) {
		return err
	}
	fresh := []gnuEntry{{gnuHash(beakerfmt.SessionKey), []byte(beakerfmt.SessionKey), data}}
	for _, e := range all {
		if string(e.key) != beakerfmt.SessionKey {
			fresh = append(fresh, e)
		}
	}
	file, err := appendGNU(layout, fresh)
	if err != nil {
		return err
	}
	return sysfile.Replace(base, base+tempSuffix, file, s.fsync)
}

// nativeGNU is how gdbm lays out a file on this machine.
func nativeGNU() gnuLayout {
	if runtime.GOARCH == "386" {
		return gnuLayout{binary.NativeEndian, 8, 4}
	}
	return gnuLayout{binary.NativeEndian, 8, 8}
}

// readDumb reads the session of a dumb database. Somebody who removes its files may remove
// its lock, too; then others write while this reads, and the values are not those of the
// index that was read. What is as wrong when it is read again, is damaged.
func (s *Store) readDumb(base string) ([]byte, error) {
	var before []dumbEntry
	for range maxAttempts {
		index, err := s.dumbIndex(base)
		if err != nil {
			return nil, err
		}
		data, err := s.dumbSession(base, index)
		if !errors.Is(err, stores.ErrCorrupt) {
			return data, err
		}
		if slices.Equal(before, index) {
			return nil, err
		}
		before = index
	}
	return nil, sysfile.ErrVanishing
}

func (s *Store) dumbSession(base string, index []dumbEntry) ([]byte, error) {
	for _, e := range index {
		if e.key == beakerfmt.SessionKey {
			return s.dumbValue(base, e)
		}
	}
	return nil, stores.ErrNotExist
}

// dumbIndex reads the index of a dumb database; none is an empty one.
func (s *Store) dumbIndex(base string) ([]dumbEntry, error) {
	f, size, err := openFile(base + ".dir")
	switch {
	case err == syscall.ENOENT:
		return nil, nil
	case err != nil:
		return nil, err
	case size > s.maxBytes:
		return nil, errors.Join(errTooLarge, f.Close())
	}
	text := make([]byte, size)
	err = readAt(f, text, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	index, err := dumbIndex(text)
	if err != nil {
		return nil, corrupt(err)
	}
	return index, nil
}

func (s *Store) dumbValue(base string, e dumbEntry) ([]byte, error) {
	f, size, err := openFile(base + ".dat")
	if err != nil {
		return nil, err
	}
	switch {
	case e.size > size || e.pos > size-e.size:
		err = corrupt(errors.New("the value ends beyond its file"))
	case e.size > s.maxBytes:
		err = errTooLarge
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data := make([]byte, e.size)
	err = readAt(f, data, e.pos)
	if errors.Is(err, errGNU) {
		err = corrupt(errors.New("the value's file became shorter"))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return data, nil
}

// writeDumb writes a dumb database: the value where nothing is that the index names,
// and then, by a rename, the index. What was there is whole until then. Python's
// dbm.dumb writes in place, reads .dat only where .dir says, and never reads .bak, in
// which it leaves the last index.
func (s *Store) writeDumb(base string, data []byte) error {
	index, err := s.dumbIndex(base)
	if err != nil && !errors.Is(err, stores.ErrCorrupt) {
		return err
	}
	fresh := dumbEntry{beakerfmt.SessionKey, dumbPlace(index, int64(len(data))), int64(len(data))}
	end := fresh.end()
	for _, e := range index { // the old value stays, for .bak
		end = max(end, e.end())
	}
	if err := s.writeDumbValue(base+".dat", fresh.pos, end, data); err != nil {
		return err
	}
	known := false
	for i, e := range index {
		if e.key == fresh.key {
			index[i], known = fresh, true
		}
	}
	if !known {
		index = append(index, fresh)
	}
	dir, bak := base+".dir", base+".bak"
	_ = syscall.Unlink(bak)
	_ = syscall.Link(dir, bak) // as with Python, a backup is not essential
	return sysfile.Replace(dir, dir+tempSuffix, appendDumbIndex(nil, index), s.fsync)
}

// writeDumbValue writes a value at a place of the .dat file, of which nothing beyond end
// is of use. After an error the file is as long as it was.
func (s *Store) writeDumbValue(path string, pos, end int64, data []byte) error {
	fd, err := sysfile.Create(path, syscall.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	f := sysfile.File(fd)
	size, err := f.Size()
	if err == nil {
		if _, err = f.WriteAt(data, pos); err != nil {
			_ = syscall.Ftruncate(fd, size)
		}
	}
	if err == nil && size > end {
		err = syscall.Ftruncate(fd, end)
	}
	if err == nil && s.fsync {
		err = sysfile.Fsync(fd)
	}
	return errors.Join(err, f.Close())
}
