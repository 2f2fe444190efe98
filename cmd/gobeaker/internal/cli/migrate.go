package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/convert"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/migrate"
)

const migrateLong = `Migrate copies the sessions of one store to another: from any back end, form and keys
to any other, as the Python at the destination reads them.

--from and --to are an ini ("production.ini" or "production.ini#app") or a
gobeaker.toml each. Without --to the settings are those of --from; --to-type,
--to-data-dir, --to-url, --to-peer, --to-serializer and the key files say what differs:

  gobeaker migrate --from production.ini --to redis.toml
  gobeaker migrate --from production.ini --to-type ext:redis --to-url redis://10.0.0.5/0

--to-peer is the Beaker that has to read them ("beaker-1.13"); with "auto" sessions
keep their form, but for serializer and encryption. With the Python in it
("beaker-1.13/python3") sessions are not copied that this Python could not load; dates and
times of Python 2 are rewritten so that Python 3 loads them.

With --in-place the records of one store are converted where they are, each under
its lock: before an upgrade from Beaker 1.11 to 1.13 (--to-peer beaker-1.13), from
pickle to JSON (--to-serializer json), or to new keys. The Python that runs meanwhile
no longer reads what has been converted: stop it first, or start the new one at once.
Run "gobeaker gc" before it: what has expired is not converted, and stays as it is.
Afterwards the same command again is the check: it has nothing to convert any more; "gobeaker
stats" with the new settings says which forms there are.

A session that is at the destination already is replaced only if the one at the source
was accessed later, so a pass can be broken off and made again, and a second pass brings
what changed since the first. What has expired is left out (--all takes it), and
what a logout left is not copied; a session that was logged out at the source since the
last pass is removed from the destination, unless --keep-logged-out. One that is there in
another form than the destination's settings say (a pass was made without --to-peer, say) is
converted.

A logout is known by the record without a session that it leaves at the source. Do not
run "gobeaker gc" there between the passes, or "gobeaker rm", or delete sessions there
by Go alone: what is not there any more stays at the destination.

The cookies stay with the browsers: the destination has to have the same secret and
cookie name (key), or the old secret in old_secrets, or everybody is logged out.

The source is not changed. With --move each record is removed there after it
was read back from the destination, if it was not written meanwhile.

What cannot be copied is told: the first few on standard error, all of them in --report,
a JSON object on each line: the hash of the id, the reason, and which key it is of
which type, never its value. Reasons: unreadable, encrypted, plaintext, form (JSON
cannot hold it, or --verify found it in a form that is not the destination's), unfit (its Python cannot load it), refused, destination (it has a record that cannot be read), different,
missing.

While everything runs: make passes until there is little left to do, then stop the
Python applications, make a last one, and start them with the new settings. With
--state FILE a pass that was broken off goes on where it was, and says so (the last one
has to be a whole one: then make another), and --delta leaves out
what was not modified since the last one began, where the store tells.

--verify compares both sides afterwards, record by record; --verify-only does nothing else.
--report refuses a file that there is, unless it is empty; with --state it is added to.
The exit code is 0 only if all was copied, and found so; 5 if a store was not available or
it was interrupted.

Go services can use both stores meanwhile (package stores/tiered); passes are then made with
--online, and with --keep-logged-out as soon as there is Python on the new store.

Keys come from the configurations, from the files of --from-encrypt-key-file,
--from-validate-key-file, --to-encrypt-key-file, --to-validate-key-file, and from the
environment: GOBEAKER_FROM_ENCRYPT_KEY, GOBEAKER_TO_ENCRYPT_KEY and so on. URLs with a password
come from a configuration, or GOBEAKER_FROM_URL and GOBEAKER_TO_URL.`

type migrateFlags struct {
	from, to             storeFlags
	fromFile, toFile     string
	peer, serializer     string
	inPlace, online      bool
	dryRun, verify       bool
	verifyOnly           bool
	all, raw, move, keep bool
	json, showIDs, delta bool
	report, state        string
	rate                 float64
	batch, workers       int
}

func newMigrate(env Environment) *cobra.Command {
	o := &migrateFlags{from: storeFlags{prefix: "from-"}, to: storeFlags{prefix: "to-"}}
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Copy all sessions to another store, or convert them to another form or other keys",
		Long:  migrateLong,
		Example: `  gobeaker migrate --from production.ini#main --to new.toml --dry-run
  gobeaker migrate --from production.ini --to new.toml --state m.state --report m.report --verify
  gobeaker migrate --from production.ini --in-place --to-peer beaker-1.13`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runMigrate(o, env) },
	}
	o.register(c.Flags())
	return c
}

func (o *migrateFlags) register(f *pflag.FlagSet) {
	f.StringVar(&o.fromFile, "from", "", "the source: an ini `file`[#application] or a gobeaker.toml")
	f.StringVar(&o.toFile, "to", "", "the destination, likewise a `file`")
	for _, s := range []*storeFlags{&o.from, &o.to} {
		s.registerPlace(f)
		f.StringArrayVar(&s.keys.validate, s.prefix+"validate-key-file", nil, "a `file` whose first line is the validate_key")
		f.StringArrayVar(&s.keys.encrypt, s.prefix+"encrypt-key-file", nil, "a `file` whose first line is the encrypt_key")
	}
	f.StringVar(&o.peer, "to-peer", "", "the `Beaker` at the destination, as beaker-1.13")
	f.StringVar(&o.serializer, "to-serializer", "", "`pickle` or json")
	f.BoolVar(&o.inPlace, "in-place", false, "convert the records of --from where they are")
	f.BoolVar(&o.dryRun, "dry-run", false, "write nothing, and say what would be written")
	f.BoolVar(&o.verify, "verify", false, "compare both sides afterwards")
	f.BoolVar(&o.verifyOnly, "verify-only", false, "compare both sides, and copy nothing")
	f.BoolVar(&o.all, "all", false, "take expired sessions too")
	f.BoolVar(&o.raw, "raw", false, "copy what is stored without looking into it; form and keys are to be the same")
	f.BoolVar(&o.move, "move", false, "remove from the source what was copied")
	f.BoolVar(&o.keep, "keep-logged-out", false, "leave sessions at the destination that were logged out at the source")
	f.BoolVar(&o.online, "online", false, "look again at the source after writing, for what Go services over both stores delete meanwhile")
	f.StringVar(&o.report, "report", "", "write what could not be copied to this new `file`; with --state add it to one that there is")
	f.BoolVar(&o.showIDs, "show-ids", false, "show ids in the report, not only their hashes")
	f.StringVar(&o.state, "state", "", "remember in this `file` how far it is, and go on from there")
	f.BoolVar(&o.delta, "delta", false, "leave out what was not modified since the last pass of --state")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.Float64Var(&o.rate, "rate", 0, "at most this `number` of records in a second")
	f.IntVar(&o.batch, "batch", 0, "the `number` of records that are written at once (default 128)")
	f.IntVar(&o.workers, "workers", 0, "the `number` of batches that are under way at a time (default 4)")
}

// check refuses flags that do not go together, and settles where each side is.
func (o *migrateFlags) check(getenv func(string) string) error {
	switch {
	case o.fromFile == "" && o.from.kind == "" && o.from.dataDir == "" && o.from.url == "" && getenv("GOBEAKER_FROM_URL") == "":
		return usage("migrate: from where? give --from, or --from-type with --from-data-dir or --from-url")
	case o.delta && o.state == "":
		return usage("migrate: --delta: it needs --state, in which the time of the last pass is")
	case o.verifyOnly && (o.dryRun || o.move || o.inPlace):
		return usage("migrate: --verify-only compares; it does not go with --dry-run, --move or --in-place")
	case o.inPlace && (o.move || o.verify || o.to.kind != "" || o.to.dataDir != "" || o.to.url != ""):
		return usage("migrate: --in-place is about one store; it does not go with --move, --verify, --to-type, --to-data-dir or --to-url")
	case o.verify && o.move:
		return usage("migrate: --verify does not go with --move: what was moved is not at the source any more to be compared with (--move reads each record back before it removes it)")
	case o.verify && o.dryRun:
		return usage("migrate: --verify does not go with --dry-run, which writes nothing that could be compared; --verify-only compares what is there")
	case o.dryRun && o.state != "":
		return usage("migrate: --dry-run does nothing that --state could remember")
	}
	setFile(&o.from.keys, o.fromFile)
	if setFile(&o.to.keys, o.toFile); o.toFile == "" {
		setFile(&o.to.keys, o.fromFile)
		o.to.inherit(&o.from)
	}
	var p compat.Peer
	var err error
	if o.peer != "" {
		if p, err = compat.ParsePeer(o.peer); err != nil {
			return fail(exitUsage, fmt.Errorf("migrate: --to-peer: %w", err))
		}
	}
	if o.serializer != "" && o.serializer != "pickle" && o.serializer != "json" {
		return usage("migrate: --to-serializer %s: use pickle or json", o.serializer)
	}
	o.to.create = !o.dryRun && !o.verifyOnly
	o.to.change = func(opts *compat.Options) {
		if o.peer != "" {
			opts.Peer = p
		}
		if o.serializer != "" {
			opts.DataSerializer = o.serializer
		}
	}
	return nil
}

// inherit takes over the place and the keys of another side as far as there are no own.
func (s *storeFlags) inherit(other *storeFlags) {
	if s.dataDir == "" && s.kind == "" {
		s.kind = other.kind
	}
	if s.dataDir == "" && s.url == "" && s.kind == other.kind {
		s.dataDir, s.url = other.dataDir, other.url
	}
	if len(s.keys.encrypt) == 0 {
		s.keys.encrypt = other.keys.encrypt
	}
	if len(s.keys.validate) == 0 {
		s.keys.validate = other.keys.validate
	}
}

// setFile tells an ini from a gobeaker.toml.
func setFile(k *keyFlags, file string) {
	if strings.HasSuffix(strings.ToLower(file), ".toml") {
		k.config = file
		return
	}
	k.ini = file
}

// ofSide makes of GOBEAKER_ENCRYPT_KEY and its like those of one side.
func ofSide(env Environment, names ...string) Environment {
	getenv := env.Getenv
	env.Getenv = func(key string) string {
		rest, ours := strings.CutPrefix(key, "GOBEAKER_")
		if !ours {
			return getenv(key)
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "FROM_"), "TO_")
		for _, side := range names {
			if v := getenv("GOBEAKER_" + side + "_" + rest); v != "" {
				return v
			}
		}
		return ""
	}
	return env
}

func runMigrate(o *migrateFlags, env Environment) (err error) {
	if err := o.check(env.Getenv); err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	from, to, err := o.open(env)
	if err != nil {
		return err
	}
	defer func() { _ = from.close(); _ = to.close() }()
	r, err := newMigration(o, env, from, to)
	if err != nil {
		return err
	}
	err = r.run(ctx)
	if e := r.finish(); err == nil {
		err = e
	}
	return err
}

// open opens both sides, which are one and the same in place.
func (o *migrateFlags) open(env Environment) (from, to *openStore, err error) {
	if from, err = o.from.openThere("migrate", ofSide(env, "FROM")); err != nil {
		return nil, nil, err
	}
	names := []string{"TO"}
	if o.toFile == "" {
		names = append(names, "FROM")
	}
	if to, err = o.to.open("migrate", ofSide(env, names...)); err != nil {
		_ = from.close()
		return nil, nil, err
	}
	same := from.where == to.where && from.options.URL == to.options.URL && maps.Equal(from.options.Extra, to.options.Extra)
	switch {
	case o.inPlace && !same:
		err = usage("migrate: --in-place: --from and --to are different stores: %s, %s", from.where, to.where)
	case !o.inPlace && same:
		err = usage("migrate: --from and --to are the same store, %s: to convert the records there say --in-place", from.where)
	}
	if err != nil {
		_, _ = from.close(), to.close()
		return nil, nil, err
	}
	return from, to, nil
}

// migration is a run of the command.
type migration struct {
	o        *migrateFlags
	env      Environment
	from, to *openStore
	opts     migrate.Options
	state    *migrateState
	report   *problemReport
	bar      *progressbar.ProgressBar
	resumed  *time.Time // when the pass began that this one goes on with
}

func newMigration(o *migrateFlags, env Environment, from, to *openStore) (*migration, error) {
	m := &migration{o: o, env: env, from: from, to: to}
	m.opts = migrate.Options{
		From: migrate.Side{Store: from.store, Manager: from.manager}, To: migrate.Side{Store: to.store, Manager: to.manager},
		All: o.all, Raw: o.raw, Online: o.online, KeepLoggedOut: o.keep, Move: o.move, DryRun: o.dryRun, Batch: o.batch, Workers: o.workers, Rate: o.rate,
	}
	if o.inPlace {
		m.opts.To.Store = from.store
	}
	if python := to.options.Peer.Python; to.options.DataSerializer != "json" {
		m.opts.Check = func(session *pyvalue.Dict) error { return convert.Loadable(session, python) }
	}
	if o.batch < 0 || o.workers < 0 || o.rate < 0 {
		return nil, usage("migrate: --batch, --workers and --rate cannot be negative")
	}
	var err error
	if o.state != "" {
		if m.state, err = openState(o.state, from, to, env.now()); err != nil {
			return nil, fail(exitUsage, err)
		}
		if m.state.begin(&m.opts, o.delta); m.opts.Cursor != "" && !o.verifyOnly {
			m.resumed = &m.state.Began
			fmt.Fprintf(env.Stderr, "gobeaker: migrate: note: this goes on with the pass of %s; what has changed since then where it had been already, the next pass brings\n",
				m.state.Began.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		m.opts.Checkpoint = func(cursor string, c migrate.Counts) error { return m.state.reached(cursor, c, env.now()) }
	}
	m.warnOfCookies()
	if m.report, err = openReport(o.report, o.showIDs, o.state != "", env.Stderr); err != nil {
		return nil, fail(exitUsage, err)
	}
	m.opts.Problem = m.report.problem
	if isTerminal(env.Stderr) {
		m.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(env.Stderr), progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("records"), progressbar.OptionClearOnFinish())
		m.opts.Progress = func(c migrate.Counts) { _ = m.bar.Set64(c.Listed) }
	}
	return m, nil
}

// migrated is what the command prints.
type migrated struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	DryRun   bool            `json:"dry_run,omitempty"`
	Resumed  *time.Time      `json:"resumed,omitempty"` // when the pass began that was broken off
	Copied   *migrate.Counts `json:"copied,omitempty"`
	Verified *migrate.Counts `json:"verified,omitempty"`
	Error    string          `json:"error,omitempty"`
}

func (m *migration) run(ctx context.Context) error {
	out := migrated{From: m.from.where, To: m.to.where, DryRun: m.o.dryRun, Resumed: m.resumed}
	var err error
	if !m.o.verifyOnly {
		var c migrate.Counts
		c, err = migrate.Run(ctx, m.opts)
		out.Copied = &c
		if m.state != nil {
			err = m.state.ended(c, err)
		}
	}
	if err == nil && (m.o.verify || m.o.verifyOnly) {
		var c migrate.Counts
		again := m.opts
		again.Checkpoint, again.Cursor = nil, ""
		c, err = migrate.Verify(ctx, again)
		out.Verified = &c
	}
	if m.bar != nil {
		_ = m.bar.Finish()
	}
	switch {
	case errors.Is(err, migrate.ErrOptions):
		return fail(exitUsage, err)
	case err != nil:
		out.Error = err.Error()
	}
	if e := m.print(&out); err == nil && e != nil {
		return fail(exitNo, e)
	}
	m.warnOfNothing(&out, err)
	switch {
	case errors.Is(err, context.Canceled):
		return fail(exitUnavailable, errors.New("migrate: interrupted; what was copied is there, and another pass does the rest"))
	case err != nil:
		return fail(storeCode(err), err)
	case out.Copied != nil && out.Copied.Failed > 0 || out.Verified != nil && out.Verified.Failed > 0:
		return fail(exitNo, nil)
	}
	return nil
}

func (m *migration) finish() error {
	if err := m.report.close(m.o.report); err != nil {
		return fail(exitNo, err)
	}
	return nil
}

func (m *migration) print(out *migrated) error {
	if m.o.json {
		enc := json.NewEncoder(m.env.Stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(out)
	}
	arrow := out.From + " → " + out.To
	if m.o.inPlace {
		arrow = out.From + ", in place"
	}
	if out.DryRun {
		arrow += " (dry run: nothing was written)"
	}
	if _, err := fmt.Fprintln(m.env.Stdout, arrow); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		c     *migrate.Counts
	}{{"copied", out.Copied}, {"verified", out.Verified}} {
		if part.c == nil {
			continue
		}
		if _, err := fmt.Fprintln(m.env.Stdout, countsText(part.title, part.c, m.o.inPlace)); err != nil {
			return err
		}
	}
	return nil
}

func countsText(title string, c *migrate.Counts, inPlace bool) string {
	parts := []string{fmt.Sprintf("%d listed", c.Listed)}
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(c.Copied, "written")
	if inPlace {
		add(c.Replaced, "converted")
	} else {
		add(c.Replaced, "written over older ones")
	}
	add(c.Reformed, "converted at the destination")
	if title == "verified" {
		add(c.Done, "the same")
	} else {
		add(c.Done, "there already")
	}
	add(c.Later, "later at the destination")
	add(c.Expired, "expired")
	add(c.Empty, "without a session")
	add(c.LoggedOut, "logged out at the destination")
	add(c.Gone, "gone meanwhile")
	add(c.Unchanged, "not modified")
	add(c.Removed, "removed from the source")
	parts = append(parts, fmt.Sprintf("%d failed", c.Failed))
	return title + ": " + strings.Join(parts, ", ")
}
