package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/upkeep"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

const gcLong = `Gc removes the sessions of a store that nobody can use any more, which Beaker itself
never does: those that are past the timeout of the configuration, those that were not
used for --older-than (for applications without a timeout), and what a logout leaves.
The applications, Python's and others, may run meanwhile: whether a session goes is
decided under the lock that they take too, by what is in it at that moment.

What cannot be read stays and is counted. --corrupt removes it (a cache that shares the
directory may have such files, too), if it was written longer
ago than the timeout and --older-than, or than a day if there is neither; --undecryptable
those that no key opens. Of sessions that were written more recently than the timeout,
and so should not have expired, the first thousand are looked into and then some; all,
if one of these had expired, or with --all.

In a directory of sessions gc also removes the lock files of which there is no session,
and what crashed writers left (*.temp), if they are older than --grace. A lock file that
anybody holds, waits for or is about to open stays: Linux tells, for local file systems,
if gc runs as the owner of the files or as root. Elsewhere the lock files stay
("locks_kept"); --no-locks leaves them anyway. --empty-dirs removes empty directories,
too. A running Beaker can then fail with "No such file or directory" in one request,
because it makes a session's directory long before it writes there: use it when the
applications stand still.

A run that was broken off, by --max-duration or a signal, goes on at the next call. Its
place is kept in --state, which is also what keeps two runs from working at the same
time: by default gobeaker-gc-file.state in the data_dir, or a file in the cache directory
of the user; if it cannot be kept there, a run begins at the beginning, and says so.
"--state none" does without.

On a terminal there is a progress bar; else, and with --json, the summary is JSON.
With --quiet there is neither, unless something failed.

Exit codes for cron: 0 done, or the time of --max-duration is up ("complete" tells); 1 it
is done, and some records could not be handled; 2 the command line or the configuration
is wrong; 5 the store is unavailable, another gc is at work, or a signal ended it.

` + storeHelp + `

` + keyHelp

type gcFlags struct {
	store     storeFlags
	olderThan string
	dryRun    bool
	corrupt   bool
	noKey     bool
	all       bool
	noLocks   bool
	emptyDirs bool
	grace     string
	rate      float64
	workers   int
	max       time.Duration
	state     string
	json      bool
	quiet     bool
}

func newGC(env Environment) *cobra.Command {
	var o gcFlags
	c := &cobra.Command{
		Use:   "gc",
		Short: "Remove expired sessions, and the lock files of none",
		Long:  gcLong,
		Example: `  gobeaker gc --ini production.ini
  gobeaker gc --ini production.ini --dry-run
  gobeaker gc --data-dir /var/lib/app/sessions --older-than 30d
  17 3 * * *  www-data  gobeaker gc --config /etc/gobeaker.toml --rate 2000 --max-duration 1h --state /var/lib/gobeaker/shop.state --quiet`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runGC(&o, env) },
	}
	f := c.Flags()
	o.store.register(f)
	f.StringVar(&o.olderThan, "older-than", "", "also remove sessions that were not used for this `time`: 30d, 12h")
	f.BoolVar(&o.dryRun, "dry-run", false, "remove nothing, and tell what would be removed")
	f.BoolVar(&o.corrupt, "corrupt", false, "also remove old records that cannot be read")
	f.BoolVar(&o.noKey, "undecryptable", false, "also remove old records that no key opens")
	f.BoolVar(&o.all, "all", false, "look into all records, however recently they were written")
	f.BoolVar(&o.noLocks, "no-locks", false, "leave the lock files")
	f.BoolVar(&o.emptyDirs, "empty-dirs", false, "also remove empty directories; see above")
	f.StringVar(&o.grace, "grace", "1h", "leave lock files and *.temp files up to this `age`")
	f.Float64Var(&o.rate, "rate", 0, "at most `N` records in a second (0: no limit)")
	f.IntVar(&o.workers, "workers", 0, "look at `N` records at a time (0: one for each processor, and at least 2)")
	f.DurationVar(&o.max, "max-duration", 0, "stop after this `time`; the next run goes on")
	f.StringVar(&o.state, "state", "", "the `file` that keeps the place, or none")
	f.BoolVar(&o.json, "json", false, "print the summary as JSON on a terminal, too")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print no summary unless something failed")
	return c
}

// parseAge reads a time as people give it for sessions: with days and weeks.
func parseAge(command, flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[len(text)-1]]
	d, err := time.ParseDuration(text)
	if unit != 0 {
		var n float64
		if n, err = strconv.ParseFloat(text[:len(text)-1], 64); n*float64(unit) < 1<<62 {
			d = time.Duration(n * float64(unit))
		} else {
			d = -1
		}
	}
	if err != nil || d < 0 {
		return 0, usage("%s: --%s %s: give a time such as 30d, 2w, 12h or 90m", command, flag, text)
	}
	return d, nil
}

func runGC(o *gcFlags, env Environment) error {
	ctx, stop := interruptible()
	defer stop()
	s, err := o.store.open("gc", env)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.lister("gc"); err != nil {
		return err
	}
	options, err := o.options(s, env)
	if err != nil {
		return err
	}
	if err := s.there("gc"); err != nil {
		return err
	}
	if options.State, err = o.openState(s.options, env.Stderr); err != nil {
		return err
	}
	defer options.State.Close()
	return o.collect(ctx, s, options, env)
}

func (o *gcFlags) options(s *openStore, env Environment) (upkeep.Options, error) {
	olderThan, err := parseAge("gc", "older-than", o.olderThan)
	if err != nil {
		return upkeep.Options{}, err
	}
	grace, err := parseAge("gc", "grace", o.grace)
	switch {
	case err != nil:
		return upkeep.Options{}, err
	case o.rate < 0, o.workers < 0, o.max < 0:
		return upkeep.Options{}, usage("gc: --rate, --workers and --max-duration cannot be negative")
	case grace == 0:
		grace = -1 // none
	}
	if olderThan == 0 && s.options.Timeout == compat.NoTimeout {
		fmt.Fprintln(env.Stderr, "gobeaker: gc: note: there is no timeout, so only what a logout leaves is removed; see --older-than")
	}
	return upkeep.Options{
		OlderThan: olderThan, Corrupt: o.corrupt, Undecryptable: o.noKey, All: o.all, DryRun: o.dryRun,
		Workers: o.workers, Rate: o.rate, MaxDuration: o.max, Now: env.now,
		Sweep: &filestore.SweepOptions{Grace: grace, KeepLocks: o.noLocks, Directories: o.emptyDirs},
	}, nil
}

// openState opens the state file; nil if there is to be none, or none can be had at the
// place that nobody asked for: a cron job may have neither a home nor may it write into
// the data_dir.
func (o *gcFlags) openState(options compat.Options, stderr io.Writer) (*upkeep.State, error) {
	if o.state == "none" || o.dryRun {
		return nil, nil
	}
	name, path := storeName(options), o.state
	var err error
	if path == "" {
		path, err = defaultState(options, name)
	}
	var state *upkeep.State
	if err == nil {
		state, err = upkeep.OpenState(path, name)
	}
	switch {
	case err == nil:
		return state, nil
	case errors.Is(err, upkeep.ErrBusy):
		return nil, fail(exitUnavailable, fmt.Errorf("gc: %w", err))
	case o.state != "":
		return nil, usage("gc: --state %s: the place cannot be kept there: %w", o.state, err)
	}
	fmt.Fprintf(stderr, "gobeaker: gc: note: no state can be kept, so the next run begins at the beginning, and nothing tells that another gc is at work; give --state: %s\n", printable(err.Error()))
	return nil, nil
}

// storeName tells stores apart, and nothing about them.
func storeName(o compat.Options) string {
	h := sha256.New()
	for _, part := range []string{o.Type, absolute(o.DataDir), absolute(o.FileDir), absolute(o.LockDir), o.URL} {
		fmt.Fprintf(h, "%q", part)
	}
	for _, key := range slices.Sorted(maps.Keys(o.Extra)) { // tables, sentinels, dbm_dir …
		fmt.Fprintf(h, "%q=%q", key, o.Extra[key])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func defaultState(o compat.Options, name string) (string, error) {
	if o.Type == "file" || o.Type == "dbm" {
		dir := o.DataDir
		if dir == "" {
			dir = o.FileDir
		}
		return filepath.Join(dir, "gobeaker-gc-"+o.Type+".state"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "gobeaker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, "gc-"+name+".state"), nil
}

// gcPercent lets the heap grow, but to no more than gcMemory: however many records there
// are, the filter of the lock files has 16 MiB.
const (
	gcPercent = 400
	gcMemory  = 40 << 20
)

// maxFailures is how many records that could not be handled are told of one by one.
const maxFailures = 10

func (o *gcFlags) collect(ctx context.Context, s *openStore, options upkeep.Options, env Environment) error {
	failures := 0
	options.Failure = func(err error) {
		if failures++; failures <= maxFailures {
			fmt.Fprintf(env.Stderr, "gobeaker: gc: %s\n", printable(err.Error()))
		}
	}
	done := func() {}
	if isTerminal(env.Stderr) && !o.quiet {
		options.Progress, done = gcBar(env.Stderr)
	}
	c, err := upkeep.New(s.manager, s.store, options)
	if err != nil {
		return fail(exitUsage, fmt.Errorf("gc: %w", err))
	}
	// Little is alive at any time, and much is made: collect it less often than at the
	// double of little.
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(min(gcMemory, debug.SetMemoryLimit(-1))))
	began := env.now()
	result, err := c.Run(ctx)
	done()
	report := newGCReport(result, o.dryRun, env.now().Sub(began))
	if o.quiet && err == nil && result.Failed+result.Sweep.Failed == 0 {
		return nil
	}
	if isTerminal(env.Stdout) && !o.json {
		report.text(env.Stdout, s.where)
	} else if e := json.NewEncoder(env.Stdout).Encode(report); e != nil {
		return fail(exitNo, fmt.Errorf("gc: %w", e))
	}
	switch {
	case err != nil:
		return fail(exitUnavailable, fmt.Errorf("gc: %w", err))
	case result.Failed+result.Sweep.Failed > 0:
		return fail(exitNo, fmt.Errorf("gc: %d records or files could not be handled", result.Failed+result.Sweep.Failed))
	}
	return nil
}

// gcBar shows how far it is. How many records there are, nobody knows before.
func gcBar(w io.Writer) (tell func(upkeep.Result), done func()) {
	bar := progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("gc"), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("sessions"), progressbar.OptionThrottle(200*time.Millisecond),
		progressbar.OptionSpinnerType(14), progressbar.OptionClearOnFinish())
	tell = func(r upkeep.Result) {
		bar.Describe(fmt.Sprintf("gc: %d removed of", r.Removed()))
		_ = bar.Set64(r.Listed)
	}
	return tell, func() { _ = bar.Finish() }
}

// gcReport is the summary as JSON.
type gcReport struct {
	Complete bool    `json:"complete"`
	Resumed  bool    `json:"resumed"`
	DryRun   bool    `json:"dry_run"`
	Seconds  float64 `json:"seconds"`

	Listed  int64 `json:"listed"`
	Recent  int64 `json:"recent"`
	Live    int64 `json:"live"`
	Removed int64 `json:"removed"`
	Bytes   int64 `json:"bytes"`
	Expired int64 `json:"expired"`
	Older   int64 `json:"older"`
	Dead    int64 `json:"dead"`
	Broken  int64 `json:"broken"`

	Corrupt       int64 `json:"corrupt_left"`
	Undecryptable int64 `json:"undecryptable_left"`
	Other         int64 `json:"without_session"`
	Failed        int64 `json:"failed"`

	Locks       int64 `json:"locks_removed"`
	LocksBusy   int64 `json:"locks_busy"`
	LocksRecent int64 `json:"locks_recent"`
	LocksKept   int64 `json:"locks_kept"`
	LocksLate   int64 `json:"locks_late"`
	Temps       int64 `json:"temps_removed"`
	TempsRecent int64 `json:"temps_recent"`
	Directories int64 `json:"directories_removed"`
	SweepFailed int64 `json:"files_failed"`
}

func newGCReport(r upkeep.Result, dryRun bool, took time.Duration) gcReport {
	return gcReport{
		Complete: r.Complete, Resumed: r.Resumed, DryRun: dryRun, Seconds: took.Round(time.Millisecond).Seconds(),
		Listed: r.Listed, Recent: r.Recent, Live: r.Live, Removed: r.Removed(), Bytes: r.Bytes,
		Expired: r.Expired, Older: r.Older, Dead: r.Dead, Broken: r.Broken,
		Corrupt: r.Corrupt, Undecryptable: r.Undecryptable, Other: r.Other, Failed: r.Failed,
		Locks: r.Sweep.Locks, LocksBusy: r.Sweep.LocksBusy, LocksRecent: r.Sweep.LocksRecent, LocksKept: r.Sweep.LocksKept, LocksLate: r.Sweep.LocksLate,
		Temps: r.Sweep.Temps, TempsRecent: r.Sweep.TempsRecent, Directories: r.Sweep.Directories, SweepFailed: r.Sweep.Failed,
	}
}

// text prints the summary for people.
func (r gcReport) text(w io.Writer, where string) {
	removed := "removed"
	if r.DryRun {
		removed = "would be removed"
	}
	fmt.Fprintf(w, "%s: %d sessions looked through, %d %s (%d expired, %d not used for long, %d logged out, %d unreadable), %d bytes\n",
		where, r.Listed, r.Removed, removed, r.Expired, r.Older, r.Dead, r.Broken, r.Bytes)
	var notes []string
	for _, note := range []struct {
		n    int64
		text string
	}{
		{r.Locks, "lock files without a session " + removed},
		{r.Temps, "temporary files " + removed},
		{r.Directories, "empty directories " + removed},
		{r.LocksKept, "lock files left: it cannot be told here who uses them"},
		{r.Corrupt, "records left that cannot be read"},
		{r.Undecryptable, "records left that no key opens"},
		{r.Failed + r.SweepFailed, "could not be handled"},
	} {
		if note.n != 0 {
			notes = append(notes, fmt.Sprintf("%d %s", note.n, note.text))
		}
	}
	if !r.Complete {
		notes = append(notes, "not at the end yet: the next run goes on")
	}
	if len(notes) != 0 {
		fmt.Fprintln(w, strings.Join(notes, "\n"))
	}
}
