package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/survey"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
	"github.com/gobeaker/gobeaker/stores"
)

const showLong = `Show shows what is in a session of a store, with Python's types, as inspect does. WHICH is
its id, or its hash as logs and "gobeaker ls" name it; the first 4 digits or more of a
hash are enough if no other begins so.

The values are printed as they are: do not paste the output where others read it.
--mask hides those under keys that look like secrets. The id is not shown.

` + storeHelp + `

` + keyHelp

func newShow(env Environment) *cobra.Command {
	flags := storeFlags{plaintext: true, looks: true}
	var asJSON, mask bool
	c := &cobra.Command{
		Use:   "show WHICH",
		Short: "Show what is in a session of a store",
		Long:  showLong,
		Example: `  gobeaker show --ini production.ini 1c0fe2
  gobeaker show --data-dir data --json 1e4c684fb206494191440c2cc28cbc22`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if mask && asJSON {
				return usage("show: --mask works on the text output only")
			}
			return runShow(args[0], &flags, asJSON, mask, env)
		},
	}
	flags.register(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with the session as tagged JSON")
	c.Flags().BoolVar(&mask, "mask", false, "hide values under keys that look like secrets (text output only)")
	return c
}

func runShow(which string, flags *storeFlags, asJSON, mask bool, env Environment) error {
	ctx, stop := interruptible()
	defer stop()
	s, err := flags.openThere("show", env)
	if err != nil {
		return err
	}
	defer s.close()
	ids, err := s.resolve(ctx, "show", []string{which})
	if err != nil {
		return err
	}
	r, err := records.Look(ctx, s.store, s.manager, stores.Info{ID: ids[0]})
	if err != nil {
		return storeProblem("show", err)
	}
	switch {
	case r.Err != nil && r.Is == records.Encrypted:
		return fail(exitEncrypted, fmt.Errorf("show: session %s: %w", r.Hash(), r.Err))
	case r.Err != nil:
		return storeProblem("show", r.Err)
	case r.Value == nil || r.Is == records.Empty:
		return fail(exitNo, fmt.Errorf("show: record %s has no session in it: to Beaker this is a new session", r.Hash()))
	}
	d, err := inspect.Stored(r.Value, s.keys.Codec(s.options.EncryptNonceBits))
	if err != nil {
		return fail(exitCorrupt, fmt.Errorf("show: session %s: %w", r.Hash(), err))
	}
	v := &shownSession{Record: &r, decoded: &d, writer: d.Writer(inspect.InFile)}
	v.warnings = d.Warnings(inspect.InFile, inspect.Rules{HasEncryptKey: len(s.keys.Encrypt) > 0, Timeout: s.options.Timeout, Now: env.now()})
	out, err := v.text(mask), nil
	if asJSON {
		out, err = v.json()
	}
	if err == nil {
		_, err = env.Stdout.Write(out)
	}
	if err != nil {
		return fail(exitNo, err)
	}
	return nil
}

// shownSession is what show prints.
type shownSession struct {
	*records.Record
	decoded  *inspect.Decoded
	writer   inspect.Writer
	warnings []string
}

func (v *shownSession) text(mask bool) []byte {
	var b bytes.Buffer
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name, text)
		}
	}
	line("session", v.Hash())
	line("state", v.Is)
	if v.Size > 0 {
		line("size", survey.Bytes(v.Size))
	}
	if !v.Accessed.IsZero() {
		line("accessed", v.Accessed.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	line("encrypted", v.decoded.Encryption())
	line("form", v.decoded.StoredText())
	line("written by", "probably "+v.writer.String())
	line("because of", strings.Join(v.writer.Evidence, "; "))
	line("classes", strings.Join(v.decoded.ClassNames(), ", "))
	for _, w := range v.warnings {
		line("note", w)
	}
	o := tree.Options{}
	if mask {
		o.Hide = tree.Secret
	}
	b.WriteByte('\n')
	b.Write(tree.New(v.decoded.Session, o).AppendText(nil))
	return []byte(printable(b.String()))
}

func (v *shownSession) json() ([]byte, error) {
	tagged, err := taggedjson.Append(nil, v.decoded.Session, v.decoded.Dialect())
	if err != nil {
		return nil, fmt.Errorf("show: this value cannot be written as JSON: %w; the text output can show it", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(struct {
		Session   json.RawMessage `json:"session"`
		Form      *inspect.Form   `json:"form"`
		Hash      string          `json:"hash"`
		State     string          `json:"state"`
		Accessed  *time.Time      `json:"accessed,omitempty"`
		Created   *time.Time      `json:"created,omitempty"`
		Writer    string          `json:"writer"`
		WrittenBy inspect.Writer  `json:"written_by"`
		Classes   []string        `json:"classes,omitempty"`
		Warnings  []string        `json:"warnings,omitempty"`
	}{tagged, v.decoded.JSON(), beakerfmt.HashID(v.ID), v.Is, known(v.Accessed), known(v.Created), v.writer.String(), v.writer, v.decoded.ClassNames(), v.warnings})
	return b.Bytes(), err
}
