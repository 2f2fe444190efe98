package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/survey"
)

const lsLong = `Ls lists the sessions of a store, one on a line, in the store's own order: the hash of
the id, the state, the size, when it was last accessed, how long ago that is, and the
form. --ids shows the ids themselves: who has one has the session.

The states:

  live        a session
  expired     past the timeout
  empty       no session in it, as a logout leaves
  encrypted   no key that is known opens it
  unreadable  corrupt, too large, or a file that may not be read

` + storeHelp + `

` + keyHelp

type lsFlags struct {
	store       storeFlags
	ids, json   bool
	limit       int
	states      []string
	forms       []string
	idleText    string
	idle        time.Duration
	expiredOnly bool
}

func newLs(env Environment) *cobra.Command {
	o := lsFlags{store: storeFlags{plaintext: true, looks: true}}
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the sessions of a store",
		Long:  lsLong,
		Example: `  gobeaker ls --ini production.ini
  gobeaker ls --data-dir data --expired --limit 10
  gobeaker ls --config gobeaker.toml --form dict --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runLs(&o, env) },
	}
	f := c.Flags()
	o.store.register(f)
	f.BoolVar(&o.ids, "ids", false, "show the ids themselves")
	f.BoolVar(&o.json, "json", false, "one JSON object per session")
	f.IntVar(&o.limit, "limit", 0, "end after this `number` of sessions")
	f.BoolVar(&o.expiredOnly, "expired", false, "only those that have expired; the same as --state expired")
	f.StringSliceVar(&o.states, "state", nil, "only those in this `state`")
	f.StringSliceVar(&o.forms, "form", nil, "only those in whose `form` these words are: dict, text, pickle, json, aes-ctr …")
	f.StringVar(&o.idleText, "idle", "", "only those that were not accessed for so `long`: 2d, 36h")
	return c
}

func (o *lsFlags) check() error {
	if o.expiredOnly {
		o.states = append(o.states, records.Expired)
	}
	for _, s := range o.states {
		if !slices.Contains(records.States(), s) {
			return usage("ls: --state %s: use %s", s, strings.Join(records.States(), ", "))
		}
	}
	if o.limit < 0 {
		return usage("ls: --limit cannot be negative")
	}
	var err error
	o.idle, err = parseAge("ls", "idle", o.idleText)
	return err
}

// wants reports whether a record is to be listed.
func (o *lsFlags) wants(r *records.Record, now time.Time) bool {
	if len(o.states) > 0 && !slices.Contains(o.states, r.Is) {
		return false
	}
	if o.idle > 0 && (r.Accessed.IsZero() || now.Sub(r.Accessed) < o.idle) {
		return false
	}
	words := strings.Fields(r.Kind())
	return !slices.ContainsFunc(o.forms, func(f string) bool { return !slices.Contains(words, f) })
}

func runLs(o *lsFlags, env Environment) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	s, err := o.store.openThere("ls", env)
	if err != nil {
		return err
	}
	defer s.close()
	w := bufio.NewWriter(env.Stdout)
	n, print := 0, o.text
	if o.json {
		print = o.object
	}
	var bad error
	err = s.each(ctx, "ls", func(r records.Record) bool {
		if !o.wants(&r, env.now()) {
			return true
		}
		bad = print(w, &r, env.now())
		n++
		return bad == nil && (o.limit == 0 || n < o.limit)
	})
	if flushed := w.Flush(); bad == nil {
		bad = flushed
	}
	if err == nil && bad != nil {
		err = fail(exitNo, bad)
	}
	return err
}

func (o *lsFlags) name(r *records.Record) string {
	if o.ids {
		return r.ID
	}
	return r.Hash()
}

func (o *lsFlags) text(w io.Writer, r *records.Record, now time.Time) error {
	accessed, age, form := "-", "-", r.Kind()
	if !r.Accessed.IsZero() {
		accessed, age = r.Accessed.UTC().Format("2006-01-02T15:04:05Z"), ago(now.Sub(r.Accessed))
	}
	if form == "" {
		form = "-"
	}
	_, err := fmt.Fprintf(w, "%s  %-10s  %10s  %-20s  %6s  %s\n", o.name(r), r.Is, survey.Bytes(r.Size), accessed, age, form)
	return err
}

// ago writes how long ago something was, roughly.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "ahead"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func (o *lsFlags) object(w io.Writer, r *records.Record, _ time.Time) error {
	out := struct {
		Session  string     `json:"session"`
		ID       string     `json:"id,omitempty"`
		State    string     `json:"state"`
		Size     int64      `json:"size"`
		Accessed *time.Time `json:"accessed,omitempty"`
		Created  *time.Time `json:"created,omitempty"`
		Modified *time.Time `json:"modified,omitempty"`
		Form     string     `json:"form,omitempty"`
		Error    string     `json:"error,omitempty"`
	}{Session: r.Hash(), State: r.Is, Size: r.Size, Accessed: known(r.Accessed), Created: known(r.Created), Modified: known(r.Modified), Form: r.Kind()}
	if o.ids {
		out.ID = r.ID
	}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
