//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// recordSuffix ends the name of every record (container.py,
// FileNamespaceManager.__init__).
const recordSuffix = ".cache"

// listBatch is how many names are read from a directory of records at once.
const listBatch = 256

// List implements [stores.Lister], directory by directory in the order of their
// names. It takes no locks and does not look into the files: a record that Get
// calls corrupt, or absent because it has no session in it, is listed. Files
// whose names are no acceptable ids, or that are not where the record of that id
// belongs, are not. A cursor is a directory, "1/1e", which is listed again.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		w := walk{store: s, ctx: ctx, yield: yield}
		if err := sysfile.RecordDirs(ctx, s.fileDir, from, w.records); err != nil && !errors.Is(err, errStop) {
			yield(stores.Info{}, failed("list", "", sysfile.In(s.fileDir, err)))
		}
	}
}

// errStop: the caller has seen enough.
var errStop = errors.New("stop")

type walk struct {
	store *Store
	ctx   context.Context
	yield func(stores.Info, error) bool
}

// records visits the records of a directory, in whatever order they come.
func (w *walk) records(rel string) error {
	d, err := os.Open(filepath.Join(w.store.fileDir, rel))
	if err != nil {
		return sysfile.UnlessGone(err)
	}
	defer func() { _ = d.Close() }()
	fd := int(d.Fd())
	for {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		names, err := d.Readdirnames(listBatch)
		for _, name := range names {
			if err := w.record(fd, rel, name); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return sysfile.UnlessGone(err)
		}
	}
}

// record visits a file of the open directory dir, of which the path is rel.
func (w *walk) record(dir int, rel, name string) error {
	id, ok := strings.CutSuffix(name, recordSuffix)
	if !ok || !w.store.ids.Valid(id) || rel != id[:1]+"/"+id[:min(2, len(id))] { // beakerfmt.DataPath
		return nil
	}
	var st unix.Stat_t
	switch err := fstatat(dir, name, &st); err {
	case nil:
		if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
			return nil // who opens a FIFO waits for its writer
		}
		return w.tell(stores.Info{ID: id, Modified: time.Unix(st.Mtim.Unix()), Size: st.Size, Cursor: rel}, nil)
	case unix.ENOENT:
		return nil
	default:
		return w.tell(stores.Info{ID: id}, failed("list", id, sysfile.In(w.store.fileDir, err)))
	}
}

func fstatat(dir int, name string, st *unix.Stat_t) error {
	for {
		if err := unix.Fstatat(dir, name, st, 0); err != unix.EINTR {
			return err
		}
	}
}

func (w *walk) tell(i stores.Info, err error) error {
	if !w.yield(i, err) {
		return errStop
	}
	return nil
}

// Ping implements [stores.Pinger]: it makes the two directories if they are
// missing, unless they were there and have gone, and in each a file for a moment, to
// which it writes and which it locks.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.place.check(); err != nil {
		return failed("ping", "", sysfile.In(s.fileDir, err))
	}
	for _, dir := range []string{s.fileDir, s.lockDir} {
		if err := ctx.Err(); err != nil {
			return failed("ping", "", err)
		}
		if err := sysfile.Probe(dir); err != nil {
			return failed("ping", "", sysfile.In(dir, err))
		}
	}
	return failed("ping", "", sysfile.In(s.fileDir, s.place.check()))
}
