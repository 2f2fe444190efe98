//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// List implements [stores.Lister], directory by directory in the order of their
// names. It takes no locks and does not look into the files: an empty database is
// listed, as is a record that Get calls corrupt. Files whose names are no acceptable
// ids, or that are not where the record of that id belongs, are not. A cursor is a
// directory, "1/1e", which is listed again. In memory it has the names of one such
// directory.
func (s *Store) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		w := walk{store: s, ctx: ctx, yield: yield}
		if err := sysfile.RecordDirs(ctx, s.dbmDir, from, w.records); err != nil && !errors.Is(err, errStop) {
			yield(stores.Info{}, failed("list", "", sysfile.In(s.dbmDir, err)))
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

// records visits the records of a directory, of which each may have several files.
func (w *walk) records(rel string) error {
	entries, err := os.ReadDir(filepath.Join(w.store.dbmDir, rel))
	if err != nil {
		return sysfile.UnlessGone(err)
	}
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		if id, ok := recordOf(e.Name()); ok && w.store.ids.Valid(id) && path.Dir(relative(id)) == rel {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.record(id); err != nil {
			return err
		}
	}
	return nil
}

// recordOf returns the id of the record that has a file of that name.
func recordOf(name string) (id string, ok bool) {
	for _, suffix := range recordSuffixes {
		if id, ok := strings.CutSuffix(name, recordSuffix+suffix); ok {
			return id, true
		}
	}
	return "", false
}

func (w *walk) record(id string) error {
	info, there, err := w.store.stat(id)
	switch {
	case err != nil:
		return w.tell(stores.Info{ID: id}, failed("list", id, sysfile.In(w.store.dbmDir, err)))
	case !there:
		return nil
	}
	return w.tell(info, nil)
}

// stat looks at the files of a record.
func (s *Store) stat(id string) (info stores.Info, there bool, err error) {
	info = stores.Info{ID: id, Cursor: path.Dir(relative(id))}
	for _, suffix := range append([]string{".dir"}, recordSuffixes...) {
		st, err := os.Stat(s.base(id) + suffix)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return info, false, sysfile.Bare(err)
		}
		there = there || suffix != ".dir"
		info.Modified = latest(info.Modified, st.ModTime())
		if suffix != ".dir" {
			info.Size += st.Size()
		}
	}
	return info, there, nil
}

// Modified returns when the record of id was last written. An empty database is one, too.
func (s *Store) Modified(ctx context.Context, id string) (time.Time, error) {
	if err := s.check(ctx, id); err != nil {
		return time.Time{}, failed("modified", id, err)
	}
	info, there, err := s.stat(id)
	if err == nil && !there {
		err = stores.ErrNotExist
	}
	return info.Modified, failed("modified", id, sysfile.In(s.dbmDir, err))
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (w *walk) tell(i stores.Info, err error) error {
	if !w.yield(i, err) {
		return errStop
	}
	return nil
}

// Ping implements [stores.Pinger]: it makes the two directories if they are
// missing, and in each a file for a moment, to which it writes and which it
// locks.
func (s *Store) Ping(ctx context.Context) error {
	for _, dir := range []string{s.dbmDir, s.lockDir} {
		if err := ctx.Err(); err != nil {
			return failed("ping", "", err)
		}
		if err := sysfile.Probe(dir); err != nil {
			return failed("ping", "", sysfile.In(dir, err))
		}
	}
	return nil
}
