package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/survey"
)

const statsLong = `Stats reads every session of a store and counts: how many there are, in which states and
forms, how large they are, when they were last accessed, who probably wrote them,
and which classes their pickles name. That tells what an upgrade of Beaker or Python, or
a move to JSON, is about. Nothing of what is in them is shown but the names of
classes, and nothing is written. The memory that it needs does not grow with the store.

The states are those of "gobeaker ls". Sizes below the largest are right up to a few percent.

` + storeHelp + `

` + keyHelp

func newStats(env Environment) *cobra.Command {
	flags := storeFlags{plaintext: true, looks: true}
	var asJSON bool
	var top int
	c := &cobra.Command{
		Use:   "stats",
		Short: "Count the sessions of a store by state, form, size, age, writer and class",
		Long:  statsLong,
		Example: `  gobeaker stats --ini production.ini
  gobeaker stats --config gobeaker.toml --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runStats(&flags, asJSON, top, env) },
	}
	flags.register(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().IntVar(&top, "top", 20, "the greatest `number` of writers and classes that the text shows")
	return c
}

func runStats(flags *storeFlags, asJSON bool, top int, env Environment) error {
	ctx, stop := interruptible()
	defer stop()
	s, err := flags.openThere("stats", env)
	if err != nil {
		return err
	}
	defer s.close()
	codec := s.keys.Codec(s.options.EncryptNonceBits)
	count := survey.New()
	if err := s.each(ctx, "stats", func(r records.Record) bool {
		rec := survey.Record{Size: r.Size, Accessed: r.Accessed, State: r.Is}
		if r.Err == nil && r.Value != nil && r.Is != records.Empty {
			if d, err := inspect.Stored(r.Value, codec); err == nil {
				rec.Decoded = &d
			}
		}
		if r.Err != nil {
			count.Errors++
		}
		count.Add(rec, env.now())
		return true
	}); err != nil {
		return err
	}
	count.Finish()
	out := statsText(count, s.where, top)
	if asJSON {
		if out, err = json.Marshal(count); err != nil {
			return fail(exitNo, err)
		}
		out = append(out, '\n')
	}
	if _, err := env.Stdout.Write(out); err != nil {
		return fail(exitNo, err)
	}
	return nil
}

func statsText(s *survey.Survey, where string, top int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, %s in %s\n", where, survey.Bytes(s.Bytes), sessions(int(s.Sessions)))
	if s.Sessions == 0 {
		return b.Bytes()
	}
	fmt.Fprintf(&b, "sizes: median %s, 90%% up to %s, 99%% up to %s, largest %s\n",
		survey.Bytes(s.Size.P50), survey.Bytes(s.Size.P90), survey.Bytes(s.Size.P99), survey.Bytes(s.Size.Most))
	part := func(title string, of map[string]int64) {
		names := survey.Top(of)
		if len(names) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for i, name := range names {
			if i == max(top, 1) {
				fmt.Fprintf(&b, "  %10s  %d more: --top shows more, --json all\n", "…", len(names)-i)
				break
			}
			fmt.Fprintf(&b, "  %10d  %s\n", of[name], name)
		}
	}
	part("states", s.States)
	part("forms", s.Forms)
	b.WriteString("\nlast accessed, up to so long ago\n")
	for _, a := range s.Ages {
		if a.Sessions > 0 {
			fmt.Fprintf(&b, "  %10d  %s\n", a.Sessions, a.Name)
		}
	}
	part("probably written by", s.Writers)
	part("classes in pickles, and how many sessions name them", s.Classes)
	return []byte(printable(b.String()))
}
