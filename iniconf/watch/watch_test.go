package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
)

// patience ends a test that waits for what does not come.
const patience = 20 * time.Second

// wait receives from c.
func wait[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "waited in vain for "+what)
		panic("unreachable")
	}
}

// request is a call of After.
type request struct {
	d    time.Duration
	fire chan time.Time
}

const (
	settleTime  = time.Second
	pollTime    = 2 * time.Second
	recheckTime = 3 * time.Second
)

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// watching is a Watcher that runs.
type watching struct {
	*Watcher
	changed chan struct{} // one for each call
	asked   chan request  // of a clock that stands
	log     *lockedBuffer
	stop    func()
}

// begin runs a Watcher until the test ends; prepare may change it before.
func begin(t *testing.T, o Options, prepare func(*Watcher)) *watching {
	t.Helper()
	r := &watching{changed: make(chan struct{}, 1000), asked: make(chan request, 1000), log: &lockedBuffer{}}
	o.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	if o.Poll == pollTime {
		o.After = func(d time.Duration) <-chan time.Time {
			fire := make(chan time.Time, 1)
			r.asked <- request{d, fire}
			return fire
		}
	}
	w, err := New(o)
	require.NoError(t, err)
	if prepare != nil {
		prepare(w)
	}
	r.Watcher = w
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, func() { r.changed <- struct{}{} }) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		require.ErrorIs(t, wait(t, done, "the end of Run"), context.Canceled)
	})
	t.Cleanup(r.stop)
	return r
}

// live runs a Watcher that only notifications wake up.
func live(t *testing.T, files ...string) *watching {
	t.Helper()
	r := begin(t, Options{Files: files, Settle: time.Millisecond, Recheck: time.Hour}, nil)
	wait(t, r.changed, "the first call")
	return r
}

// byHand runs a Watcher with a clock that stands, up to the end of its first look.
func byHand(t *testing.T, prepare func(*Watcher), files ...string) (*watching, request) {
	t.Helper()
	r := begin(t, Options{Files: files, Settle: settleTime, Poll: pollTime, Recheck: recheckTime}, prepare)
	calls, next := r.quiet(t)
	require.Equal(t, 1, calls, "the first call")
	return r, next
}

// quiet lets all settle until the files were looked at and there was nothing new in them.
// It returns how often changed was called, and what the Watcher waits for now.
func (r *watching) quiet(t *testing.T) (calls int, next request) {
	t.Helper()
	for looks := 0; ; {
		next = wait(t, r.asked, "a look")
		if next.d == settleTime {
			next.fire <- time.Time{}
			continue
		}
		looks++
		for ; len(r.changed) > 0; calls++ {
			<-r.changed
		}
		if looks > calls { // one after each call
			return calls, next
		}
	}
}

// expect is quiet where it is known how often changed is called.
func (r *watching) expect(t *testing.T, calls int) request {
	t.Helper()
	got, next := r.quiet(t)
	require.Equal(t, calls, got)
	return next
}

// sent returns a prepare by which events come from a channel: who sends on it knows that
// they were taken.
func sent(t *testing.T, events chan fsnotify.Event) func(*Watcher) {
	return func(w *Watcher) {
		w.open = func() (*fsnotify.Watcher, error) {
			n := unheard(t)
			n.Events = events
			return n, nil
		}
	}
}

// unheard returns notifications of which nobody gets any, until Close.
func unheard(t *testing.T) *fsnotify.Watcher {
	n, err := fsnotify.NewWatcher()
	require.NoError(t, err)
	n.Events = nil
	return n
}

func put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// replace writes a new file and renames it, as vim, sed -i and others do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	put(t, path+".new", text)
	require.NoError(t, os.Rename(path+".new", path))
}

// link makes a symlink, or turns an existing one in one step.
func link(t *testing.T, target, path string) {
	t.Helper()
	require.NoError(t, os.Symlink(target, path+".tmp"))
	require.NoError(t, os.Rename(path+".tmp", path))
}

// Each step leaves the file with another content, which has to be told of.
func TestEveryWayToChangeAFile(t *testing.T) {
	type step struct {
		do   func(t *testing.T, dir string)
		want string // the content; "" is no file
	}
	const file = "conf/app.ini"
	for name, c := range map[string]struct {
		before func(t *testing.T, dir string)
		steps  []step
	}{
		"written in place": {
			func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") },
			[]step{
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "2") }, "2"},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "3") }, "3"},
			},
		},
		"same size and time": {
			func(t *testing.T, dir string) {
				put(t, dir+"/"+file, "1")
				require.NoError(t, os.Chtimes(dir+"/"+file, time.Unix(1, 0), time.Unix(1, 0)))
			},
			[]step{{func(t *testing.T, dir string) {
				put(t, dir+"/"+file, "2")
				require.NoError(t, os.Chtimes(dir+"/"+file, time.Unix(1, 0), time.Unix(1, 0)))
			}, "2"}},
		},
		"replaced": {
			func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") },
			[]step{
				{func(t *testing.T, dir string) { replace(t, dir+"/"+file, "2") }, "2"},
				{func(t *testing.T, dir string) { replace(t, dir+"/"+file, "3") }, "3"},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "4") }, "4"},
			},
		},
		"moved to a backup and written anew": { // emacs, vim with backupcopy=no
			func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") },
			[]step{
				{func(t *testing.T, dir string) {
					require.NoError(t, os.Rename(dir+"/"+file, dir+"/"+file+"~"))
					put(t, dir+"/"+file, "2")
				}, "2"},
				{func(t *testing.T, dir string) {
					require.NoError(t, os.Rename(dir+"/"+file, dir+"/"+file+"~"))
					put(t, dir+"/"+file, "3")
				}, "3"},
			},
		},
		"deleted and back": {
			func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") },
			[]step{
				{func(t *testing.T, dir string) { require.NoError(t, os.Remove(dir+"/"+file)) }, ""},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") }, "1"},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "2") }, "2"},
			},
		},
		"not there at first": {
			func(*testing.T, string) {},
			[]step{
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") }, "1"},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "2") }, "2"},
			},
		},
		"directory gone and back": {
			func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") },
			[]step{
				{func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir+"/conf")) }, ""},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "2") }, "2"},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "3") }, "3"},
			},
		},
		"directory replaced": {
			func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") },
			[]step{
				{func(t *testing.T, dir string) {
					put(t, dir+"/next/app.ini", "2")
					require.NoError(t, os.Rename(dir+"/conf", dir+"/last"))
					require.NoError(t, os.Rename(dir+"/next", dir+"/conf"))
				}, "2"},
				{func(t *testing.T, dir string) { put(t, dir+"/"+file, "3") }, "3"},
			},
		},
		"directory above moved away and back": {
			func(t *testing.T, dir string) { put(t, dir+"/a/b/"+file, "1"); link(t, dir+"/a/b/conf", dir+"/conf") },
			[]step{
				{func(t *testing.T, dir string) { require.NoError(t, os.Rename(dir+"/a", dir+"/z")) }, ""},
				{func(t *testing.T, dir string) { put(t, dir+"/z/b/"+file, "2") }, ""},
				{func(t *testing.T, dir string) { require.NoError(t, os.Rename(dir+"/z", dir+"/a")) }, "2"},
				{func(t *testing.T, dir string) { put(t, dir+"/a/b/"+file, "3") }, "3"},
			},
		},
		"Kubernetes": {
			func(t *testing.T, dir string) {
				put(t, dir+"/conf/..1/app.ini", "1")
				link(t, "..1", dir+"/conf/..data")
				link(t, "..data/app.ini", dir+"/conf/app.ini")
			},
			[]step{
				{func(t *testing.T, dir string) {
					put(t, dir+"/conf/..2/app.ini", "2")
					link(t, "..2", dir+"/conf/..data")
					require.NoError(t, os.RemoveAll(dir+"/conf/..1"))
				}, "2"},
				{func(t *testing.T, dir string) {
					put(t, dir+"/conf/..1/app.ini", "3")
					link(t, "..1", dir+"/conf/..data")
					require.NoError(t, os.RemoveAll(dir+"/conf/..2"))
				}, "3"},
				{func(t *testing.T, dir string) { put(t, dir+"/conf/..1/app.ini", "4") }, "4"},
			},
		},
		"symlinks elsewhere": {
			func(t *testing.T, dir string) {
				put(t, dir+"/releases/1/app.ini", "1")
				put(t, dir+"/releases/2/app.ini", "2")
				link(t, dir+"/releases/1", dir+"/current")
				put(t, dir+"/conf/other", "")
				link(t, "../current/app.ini", dir+"/conf/app.ini")
			},
			[]step{
				{func(t *testing.T, dir string) { put(t, dir+"/releases/1/app.ini", "3") }, "3"},
				{func(t *testing.T, dir string) { link(t, dir+"/releases/2", dir+"/current") }, "2"},
				{func(t *testing.T, dir string) { replace(t, dir+"/releases/2/app.ini", "4") }, "4"},
				{func(t *testing.T, dir string) { replace(t, dir+"/conf/app.ini", "5") }, "5"},
				{func(t *testing.T, dir string) { link(t, "nowhere", dir+"/conf/app.ini") }, ""},
				{func(t *testing.T, dir string) { put(t, dir+"/conf/nowhere", "6") }, "6"},
				{func(t *testing.T, dir string) { link(t, "app.ini", dir+"/conf/app.ini") }, ""},
				{func(t *testing.T, dir string) { replace(t, dir+"/conf/app.ini", "7") }, "7"},
			},
		},
		"a directory in its place": {
			func(t *testing.T, dir string) { put(t, dir+"/"+file, "1") },
			[]step{
				{func(t *testing.T, dir string) {
					require.NoError(t, os.Remove(dir+"/"+file))
					require.NoError(t, os.Mkdir(dir+"/"+file, 0o755))
				}, ""},
				{func(t *testing.T, dir string) {
					require.NoError(t, os.Remove(dir+"/"+file))
					put(t, dir+"/"+file, "2")
				}, "2"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.before(t, dir)
			path := filepath.Join(dir, file)
			r := live(t, path)
			last := ""
			if data, err := os.ReadFile(path); err == nil {
				last = string(data)
			}
			for i, s := range c.steps {
				s.do(t, dir)
				if s.want == last { // nothing to tell
					continue
				}
				for last != s.want {
					wait(t, r.changed, fmt.Sprint("step ", i))
					data, err := os.ReadFile(path)
					if last = string(data); err != nil {
						last = ""
					}
				}
			}
			r.stop()
			require.Empty(t, r.log.String())
		})
	}
}

func TestManyChangesAreOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	put(t, path, "0")
	events := make(chan fsnotify.Event)
	r, _ := byHand(t, sent(t, events), path)
	for i := range 100 {
		put(t, path, fmt.Sprint(i))
		events <- fsnotify.Event{Name: path, Op: fsnotify.Write}
	}
	require.Empty(t, r.changed)
	r.expect(t, 1)
}

// While it is never quiet, the files are looked at all the same.
func TestChangesThatDoNotEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	put(t, path, "0")
	events := make(chan fsnotify.Event)
	r, _ := byHand(t, sent(t, events), path)
	put(t, path, "1")
	write := fsnotify.Event{Name: path, Op: fsnotify.Write}
	events <- write
	for range maxRounds + 1 {
		settle := wait(t, r.asked, "the time to settle")
		require.Equal(t, settleTime, settle.d)
		events <- write
		require.Empty(t, r.changed)
		settle.fire <- time.Time{}
	}
	r.expect(t, 1)
}

// Kubernetes' swap is told of as soon as a change of a file is: a directory on the way that
// has to be watched anew does not put it off.
func TestSwapSettlesOnce(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/..1/app.ini", "1")
	link(t, "..1", dir+"/..data")
	link(t, "..data/app.ini", dir+"/app.ini")
	events := make(chan fsnotify.Event)
	r, _ := byHand(t, sent(t, events), dir+"/app.ini")
	put(t, dir+"/..2/app.ini", "2")
	link(t, "..2", dir+"/..data")
	events <- fsnotify.Event{Name: dir + "/..data", Op: fsnotify.Create}
	wait(t, r.asked, "the time to settle").fire <- time.Time{}
	wait(t, r.asked, "what comes next")
	require.Len(t, r.changed, 1)
}

// What a call of changed reads may be there for so short a time that no look sees it.
func TestChangeDuringTheCall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	put(t, path, "0")
	events := make(chan fsnotify.Event)
	r, _ := byHand(t, sent(t, events), path)
	write := fsnotify.Event{Name: path, Op: fsnotify.Write}
	put(t, path, "1")
	events <- write
	wait(t, r.asked, "the time to settle").fire <- time.Time{}
	for len(r.changed) == 0 {
		runtime.Gosched()
	}
	events <- write // "2", say, was read; now it is "1" again
	r.expect(t, 2)
	events <- write // after that time it is nothing
	r.expect(t, 0)
}

// The same where it is a directory that was away, and nobody told of it.
func TestDirectoryMovedDuringTheCall(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "conf", "app.ini")
	put(t, path, "0")
	r := begin(t, Options{Files: []string{path}, Settle: settleTime, Poll: pollTime, Recheck: recheckTime}, sent(t, nil))
	for len(r.changed) == 0 {
		runtime.Gosched()
	}
	require.NoError(t, os.Rename(filepath.Dir(path), filepath.Join(dir, "away")))
	put(t, path, "0")
	next := r.expect(t, 2)
	require.NoError(t, os.Rename(filepath.Dir(path), filepath.Join(dir, "again")))
	put(t, path, "0")
	next.fire <- time.Time{}
	r.expect(t, 0) // long after the call it is no change
}

func TestWhatIsNoChange(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.ini")
	put(t, path, "1")
	r, _ := byHand(t, nil, path)

	put(t, filepath.Join(dir, "other"), "x") // not even a look
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	_, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, do := range map[string]func(){
		"touched":             func() { require.NoError(t, os.Chtimes(path, time.Unix(9, 0), time.Unix(9, 0))) },
		"the same once more":  func() { put(t, path, "1") },
		"replaced by a copy":  func() { replace(t, path, "1") },
		"its mode is another": func() { require.NoError(t, os.Chmod(path, 0o640)) },
	} {
		do()
		calls, _ := r.quiet(t)
		if name != "the same once more" { // it is empty for a moment
			require.Zero(t, calls, name)
		}
	}
}

func TestRecheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	put(t, path, "1")
	r, next := byHand(t, sent(t, nil), path)
	require.Equal(t, recheckTime, next.d)
	put(t, path, "2")
	next.fire <- time.Time{}
	next = r.expect(t, 1)
	next.fire <- time.Time{}
	r.expect(t, 0)
}

// What failed is tried again at each recheck, until it does not fail: it may not be the
// files that were wrong.
func TestFailureIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	put(t, path, "1")
	r, next := byHand(t, sent(t, nil), path)
	require.NoError(t, r.Update([]string{path}, errors.New("no store")))
	for range 3 {
		_, next = r.quiet(t) // the Update stirs it
		next.fire <- time.Time{}
		next = r.expect(t, 1)
		require.NoError(t, r.Update([]string{path}, errors.New("no store")))
	}
	require.NoError(t, r.Update([]string{path}, nil))
	_, next = r.quiet(t)
	next.fire <- time.Time{}
	r.expect(t, 0)
}

// Where there are no notifications the files are polled, the log says so once, and
// notifications are tried again.
func TestPolling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conf", "app.ini")
	closed := unheard(t)
	require.NoError(t, closed.Close())
	closed.Errors = nil
	for name, broken := range map[string]func() (*fsnotify.Watcher, error){
		"no instance": func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE },
		"no watch":    func() (*fsnotify.Watcher, error) { return closed, nil },
	} {
		t.Run(name, func(t *testing.T) {
			put(t, path, "1")
			var mu sync.Mutex
			open := broken
			r, next := byHand(t, func(w *Watcher) {
				w.open = func() (*fsnotify.Watcher, error) {
					mu.Lock()
					defer mu.Unlock()
					return open()
				}
			}, path)
			for _, text := range []string{"2", "3"} {
				require.Equal(t, pollTime, next.d)
				put(t, path, text)
				next.fire <- time.Time{}
				next = r.expect(t, 1)
			}
			require.NoError(t, os.RemoveAll(filepath.Dir(path)))
			next.fire <- time.Time{}
			next = r.expect(t, 1)

			mu.Lock()
			open = fsnotify.NewWatcher
			mu.Unlock()
			next.fire <- time.Time{}
			next = r.expect(t, 0)
			require.Equal(t, recheckTime, next.d)
			put(t, path, "4")
			calls, _ := r.quiet(t)
			require.NotZero(t, calls)
			r.stop()
			log := r.log.String()
			require.Equal(t, 1, strings.Count(log, "they are read and compared instead"), log)
			require.Equal(t, 1, strings.Count(log, "tells of changed files again"), log)
			require.Equal(t, name == "no instance", strings.Contains(log, "fs.inotify.max_user_watches"))
		})
	}
}

// What got lost is looked for.
func TestOverflow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	put(t, path, "1")
	opened := make(chan *fsnotify.Watcher, 10)
	r, _ := byHand(t, func(w *Watcher) {
		w.open = func() (*fsnotify.Watcher, error) {
			n := unheard(t)
			opened <- n
			return n, nil
		}
	}, path)
	put(t, path, "2")
	(<-opened).Errors <- fsnotify.ErrEventOverflow
	r.expect(t, 1)
	require.Len(t, opened, 1, "the directories are watched anew")
	require.Contains(t, r.log.String(), "overflow")
}

func TestSet(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "sub", "b")
	put(t, a, "1")
	put(t, b, "1")
	r := live(t, a)
	require.NoError(t, r.Set([]string{a, b, a}))
	wait(t, r.changed, "the call for a new file")
	put(t, b, "2")
	wait(t, r.changed, "the call for its change")

	many := make([]string, MaxFiles+1)
	for i := range many {
		many[i] = filepath.Join(dir, fmt.Sprint(i))
	}
	require.ErrorIs(t, r.Set(many), ErrTooManyFiles)
	_, err := New(Options{Files: many})
	require.ErrorIs(t, err, ErrTooManyFiles)
	require.NoError(t, r.Set(many[1:]))
}

// After a failure, what may put it right is watched: the files of before, those of now,
// and one that is missing.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	w, err := New(Options{Files: []string{name("a"), name("b")}})
	require.NoError(t, err)
	_, missing := os.Open(name("missing"))
	require.NoError(t, w.Update([]string{name("a"), name("c")}, fmt.Errorf("load: %w", missing)))
	require.Equal(t, []string{name("a"), name("b"), name("c"), name("missing")}, w.files)
	require.NoError(t, w.Update(nil, errors.New("once more")))
	require.Equal(t, []string{name("a"), name("b")}, w.files)
	require.NoError(t, w.Update([]string{name("a"), name("d")}, nil))
	require.Equal(t, []string{name("a"), name("d")}, w.files)
	require.NoError(t, w.Update(nil, errors.New("and again")))
	require.Equal(t, []string{name("a"), name("d")}, w.files)
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	var log lockedBuffer
	loads := make(chan string, 1000)
	load := func() ([]string, error) {
		data, err := os.ReadFile(first)
		if err != nil {
			return nil, err
		}
		more, err := os.ReadFile(second)
		if err != nil && string(data) == "both" {
			loads <- "failed"
			return []string{first}, err
		}
		loads <- string(data) + string(more)
		if string(data) == "both" {
			return []string{first, second}, nil
		}
		return []string{first}, nil
	}
	o := Options{Settle: time.Millisecond, Recheck: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	require.ErrorIs(t, Follow(t.Context(), o, load), fs.ErrNotExist)

	put(t, first, "one")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Follow(ctx, o, load) }()
	until := func(want string) {
		t.Helper()
		for got := ""; got != want; {
			got = wait(t, loads, want)
		}
	}
	until("one")
	replace(t, first, "two")
	until("two")
	replace(t, first, "both")
	until("failed")
	put(t, second, "!")
	until("both!")
	replace(t, second, "?")
	until("both?")
	cancel()
	require.ErrorIs(t, wait(t, done, "the end"), context.Canceled)
	require.Contains(t, log.String(), "configuration not reloaded")
	require.Contains(t, log.String(), "second")
}

func TestNoGoroutineIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.ini")
	put(t, path, "0")
	before := runtime.NumGoroutine()
	for i := range 20 {
		r := live(t, path)
		replace(t, path, fmt.Sprint("next", i))
		wait(t, r.changed, "the call")
		r.stop()
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "goroutines are left")
	}
}

func TestStateOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.Equal(t, state{kind: other}, stateOf(pipe))
	require.Equal(t, state{kind: other}, stateOf(dir))
	require.Equal(t, state{kind: absent}, stateOf(filepath.Join(dir, "none")))
	big := filepath.Join(dir, "big")
	put(t, big, "")
	require.NoError(t, os.Truncate(big, maxRead+1))
	s := stateOf(big)
	require.NoError(t, os.Truncate(big, maxRead+2))
	require.NotEqual(t, s, stateOf(big))
}
