// Package watch tells of changes of configuration files: written in place or replaced, as
// editors do; deleted and back again; reached through symlinks that are turned elsewhere,
// as Kubernetes does with ConfigMaps and Secrets; in directories that are moved away.
//
// A [Watcher] calls a function when the content of its files has changed; [Follow] keeps
// what was loaded from files up to date.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// MaxFiles is the largest number of files that a Watcher watches.
const MaxFiles = 256

// maxRounds bounds how often a look is put off because there are still changes.
const maxRounds = 10

// ErrTooManyFiles: more than MaxFiles.
var ErrTooManyFiles = fmt.Errorf("more than %d files", MaxFiles)

// Options are the options of [New]. Zero fields stand for their defaults.
type Options struct {
	// Files are what to watch; they need not exist. [Watcher.Set] replaces them.
	Files []string
	// Settle is how long it must have been quiet before the files are looked at, so that
	// many changes at once are one. Default: 100 milliseconds. While it is never quiet the
	// files are looked at after ten times that.
	Settle time.Duration
	// Poll is how often the files are compared where the system gives no notifications,
	// because its limits are reached for example. Default: 2 seconds.
	Poll time.Duration
	// Recheck is how often they are compared all the same: network file systems, for one,
	// tell nobody what others change. It is also when a load that failed is tried again,
	// see [Watcher.Update]. Default: 30 seconds.
	Recheck time.Duration
	// Logger is told of what keeps notifications from coming. Default: slog.Default.
	Logger *slog.Logger
	// After is the clock. Default: time.After.
	After func(time.Duration) <-chan time.Time
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Settle, 100 * time.Millisecond}, {&o.Poll, 2 * time.Second}, {&o.Recheck, 30 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.After == nil {
		o.After = time.After
	}
	return o
}

// Watcher watches files. Make one with [New], [Watcher.Run] it once. Set and Update may be
// called at any time from any goroutine.
type Watcher struct {
	opts Options
	open func() (*fsnotify.Watcher, error)
	more chan struct{} // there are files that nobody has looked at yet

	mu    sync.Mutex
	files []string // absolute, sorted, each once
	good  []string // of the last Update without an error
	again bool     // the last Update had one

	// The rest belongs to Run.
	seen   map[string]state
	notify *fsnotify.Watcher // nil: the system gives none
	plan   *plan             // what notify watches
	stale  bool              // notify may have lost a directory
	blind  bool              // not all that matters is notified
}

// New returns a Watcher over o.Files. The error is ErrTooManyFiles, or tells that a path
// cannot be made absolute.
func New(o Options) (*Watcher, error) {
	w := &Watcher{opts: o.withDefaults(), open: fsnotify.NewWatcher, more: make(chan struct{}, 1)}
	if err := w.Set(o.Files); err != nil {
		return nil, err
	}
	w.good = w.files
	return w, nil
}

// Set replaces the files that are watched. If there are any that were not watched before,
// changed is called, see [Watcher.Run].
func (w *Watcher) Set(files []string) error {
	var all []string
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		all = append(all, abs)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > MaxFiles {
		return fmt.Errorf("watch: %w", ErrTooManyFiles)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = all
	select {
	case w.more <- struct{}{}:
	default:
	}
	return nil
}

// Update sets the files by what a load of them came to. If it failed, files are those
// that it got to, and they and a file that err says is missing are watched together with
// those of the last load that did not fail: what was wrong may be put right in any. It
// need not be in the files, for a store may have been away: changed is called once more
// at each recheck until an Update has no error.
func (w *Watcher) Update(files []string, err error) error {
	w.mu.Lock()
	w.again = err != nil
	if err == nil {
		w.good = files
	} else {
		files = slices.Concat(w.good, files)
		if missing := new(fs.PathError); errors.As(err, &missing) {
			files = append(files, missing.Path)
		}
	}
	w.mu.Unlock()
	return w.Set(files)
}

// Run watches until ctx ends, whose error it returns. It calls changed, in its own
// goroutine, whenever the content of a file is another one than before, or the file has
// gone or come. It also does so for each set of files that are newly watched, at the
// beginning too, because they may have changed between their being read and the first
// look; and when anything happens to them right after a call, because what that call read
// may have been there for a moment only; and at each recheck while the last Update had an
// error. Changed may call Set and Update.
func (w *Watcher) Run(ctx context.Context, changed func()) error {
	defer w.close()
	var (
		settle, recheck <-chan time.Time
		noise           bool // something happened since settle began
		rounds          int
		fresh           bool // settle began after a call of changed
		doubt           bool // what happened since may have happened during that call
	)
	stir := func() {
		noise, doubt = true, doubt || fresh
		if settle == nil {
			settle, noise = w.opts.After(w.opts.Settle), false
		}
	}
	look := func(again bool) {
		differ, moved := w.look()
		doubt = doubt || fresh && moved // what happened there was not told of
		settle, noise, rounds, fresh = nil, false, 0, false
		if differ || doubt || again {
			doubt = false
			changed()
			settle, fresh = w.opts.After(w.opts.Settle), true
		}
		if w.stale {
			stir()
		}
		recheck = w.opts.After(w.interval())
	}
	look(false)
	for {
		var (
			events <-chan fsnotify.Event
			errs   <-chan error
		)
		if w.notify != nil {
			events, errs = w.notify.Events, w.notify.Errors
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.more:
			if settle == nil {
				settle = w.opts.After(w.opts.Settle)
			}
		case e := <-events:
			if w.concerns(e) {
				stir()
			}
		case err := <-errs:
			w.opts.Logger.Warn("notifications of changed files were lost: all of them are compared", "error", err)
			w.stale = true
			stir()
		case <-settle:
			if noise && rounds < maxRounds {
				noise, rounds = false, rounds+1
				settle = w.opts.After(w.opts.Settle)
				continue
			}
			look(false)
		case <-recheck:
			look(w.failed())
		}
	}
}

// failed reports whether the last load that Update was told of failed.
func (w *Watcher) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.again
}

// interval is how long until the files are compared without a notification.
func (w *Watcher) interval() time.Duration {
	if w.blind {
		return w.opts.Poll
	}
	return w.opts.Recheck
}

// concerns reports whether an event may be about one of the files.
func (w *Watcher) concerns(e fsnotify.Event) bool {
	last, named := w.plan.names[e.Name]
	_, itself := w.plan.dirs[e.Name]
	if (itself || named && !last) && e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 {
		w.stale = true // another directory may stand there now, even one with the same inode
	}
	return named || itself
}

// look compares all files with what they were. It reports whether they differ, and whether
// it found directories on the way to them moved.
func (w *Watcher) look() (differ, moved bool) {
	select {
	case <-w.more:
	default:
	}
	w.mu.Lock()
	files := w.files
	w.mu.Unlock()
	moved = w.renew(files)
	now := make(map[string]state, len(files))
	for _, f := range files {
		now[f] = stateOf(f)
		before, known := w.seen[f]
		differ = differ || !known || before != now[f]
	}
	w.seen = now
	return differ, moved
}

// renew sees to it that the directories on the ways to files are watched, and reports
// whether they are others than before.
func (w *Watcher) renew(files []string) (moved bool) {
	p := newPlan(files)
	same := w.plan != nil && p.sameDirs(w.plan)
	if w.notify != nil && !w.stale && !w.blind && same {
		w.plan = p
		return false
	}
	// All of it anew: a watch goes with its directory, not with the path.
	for range 5 {
		notify, err := w.watchAll(p)
		again := newPlan(files)
		w.close()
		w.notify, w.plan, w.stale = notify, again, false
		if again.sameDirs(p) {
			w.see(err)
			return !same
		}
		same, p = false, again // a directory was replaced meanwhile: it may be watched or not
	}
	w.stale = true
	return true
}

// watchAll returns notifications for all directories of p: nil if the system gives none.
// The error is about the first directory that matters and cannot be watched.
func (w *Watcher) watchAll(p *plan) (*fsnotify.Watcher, error) {
	notify, err := w.open()
	if err != nil {
		return nil, err
	}
	var failed error
	for _, dir := range slices.Sorted(maps.Keys(p.dirs)) {
		d := p.dirs[dir]
		if !d.matters && !cheapDirs {
			continue
		}
		if err := notify.Add(dir); err != nil && failed == nil && (d.matters || !errors.Is(err, fs.ErrPermission)) {
			failed = &fs.PathError{Op: "watch", Path: dir, Err: err}
		}
	}
	return notify, failed
}

// see notes whether notifications come and tells the log when that changes.
func (w *Watcher) see(err error) {
	switch {
	case err != nil && !w.blind:
		args := []any{"every", w.opts.Poll, "error", err}
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) {
			args = append(args, "hint", "raise fs.inotify.max_user_watches, fs.inotify.max_user_instances, or the limit of open files")
		}
		w.opts.Logger.Warn("the system does not tell of changed files: they are read and compared instead", args...)
	case err == nil && w.blind:
		w.opts.Logger.Info("the system tells of changed files again")
	}
	w.blind = err != nil
}

func (w *Watcher) close() {
	if w.notify != nil {
		w.notify.Close()
		w.notify = nil
	}
}
