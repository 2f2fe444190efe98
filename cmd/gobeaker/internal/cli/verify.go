package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/fixture"
)

const verifyLong = `Verify reads every session of a fixture directory (manifest.jsonl) as a live
request would, and compares it with what Python says is in it.

  pass     it decodes to the manifest's "expected", in the form that its Beaker
           writes, and its files and cookies are those that the manifest names;
           an encrypted one opens with its keys and its mode of AES alone, and
           with no others. Or it is broken, and what happened agrees with what
           Beaker was observed to do
  fail     it does not; the reason is on the line
  skip     it is of another back end, which this version cannot read
  decoded, refused
           the manifest does not say what is right; neither passed nor failed

A negative line without files tells of a save that left nothing: a session that was
saved and never touched, or one too long for a cookie. Both are done again.

Of memcached, Redis and MongoDB a fixture has the value, and what the server knew
beside it (key, flags, lifetime); of SQL a SQLite file, of DBM the database. No server
is asked. What is known beside the value must be what gobeaker's store would write.

Pickles that gopickle, another decoder, can read too must come out the same.
The directory is not written to. The last line is the sum; the exit code is 0
only if nothing failed.

With --rewrite OUT every decoded session is encoded again in its own form, under
the same path in OUT, so that the Python that wrote it can be asked to read it.
What was encrypted is encrypted again; what Beaker kept in clear for want of an
AES library is encrypted too. A cookie-only session that filled its cookie may not fit
when it is encoded again, and is then passed over.`

func newVerify(env Environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check that sessions that Python wrote are read right",
		Long:  verifyLong,
		Example: `  gobeaker verify testdata/fixtures
  gobeaker verify --json testdata/fixtures | head -1
  gobeaker verify --rewrite /tmp/again testdata/fixtures`,
		Args: cobra.ExactArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, "one JSON object per fixture")
	out := c.Flags().String("rewrite", "", "encode every decoded session again, into this `directory`")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return verify(context.Background(), args[0], *out, *asJSON, env.Stdout)
	}
	return c
}

func verify(ctx context.Context, path, outPath string, asJSON bool, stdout io.Writer) error {
	dir, err := os.OpenRoot(path)
	if err != nil {
		return usage("verify: %w; give a directory with a %s", err, fixture.ManifestName)
	}
	defer dir.Close()
	all, err := fixture.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return usage("verify: no %s in %s: give a fixture directory, in which that file lists what Python wrote (to look at one session: gobeaker inspect)", fixture.ManifestName, path)
	}
	if err != nil {
		return fail(exitCorrupt, fmt.Errorf("verify: %s: %w", path, err))
	}
	out, err := openOut(path, outPath)
	if err != nil {
		return fail(exitUsage, err)
	}
	if out != nil {
		defer out.Close()
	}
	w := bufio.NewWriter(stdout)
	sum := runAll(ctx, fixture.NewRunner(dir, out, all), all, resultPrinter(w, asJSON))
	if !asJSON {
		fmt.Fprintf(w, "second opinion: gopickle agrees on %d of %d, %d are out of its reach\n", sum.agreed, sum.asked, sum.asked-sum.answered)
	}
	if n := sum.status[fixture.Decoded] + sum.status[fixture.Refused]; n > 0 && !asJSON {
		fmt.Fprintf(w, "%d decoded, %d refused: the manifest does not say what is right\n", sum.status[fixture.Decoded], sum.status[fixture.Refused])
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", sum.status[fixture.Pass], sum.status[fixture.Fail], sum.status[fixture.Skip])
	if err := w.Flush(); err != nil {
		return fail(exitNo, err)
	}
	if sum.status[fixture.Fail] > 0 {
		return fail(exitNo, nil)
	}
	return nil
}

// openOut makes the directory of --rewrite. It must not be the one that is read.
func openOut(dir, out string) (*os.Root, error) {
	if out == "" {
		return nil, nil
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("verify: rewrite: %w", err)
	}
	a, err1 := os.Stat(dir)
	b, err2 := os.Stat(out)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("verify: rewrite: %w", err)
	}
	if os.SameFile(a, b) {
		return nil, errors.New("verify: rewrite: that is the directory that is read; give another one")
	}
	root, err := os.OpenRoot(out)
	if err != nil {
		return nil, fmt.Errorf("verify: rewrite: %w", err)
	}
	return root, nil
}

// totals counts outcomes and second opinions.
type totals struct {
	status                  map[fixture.Status]int
	asked, answered, agreed int
}

func runAll(ctx context.Context, r *fixture.Runner, all []fixture.Fixture, print func(fixture.Result)) totals {
	sum := totals{status: map[fixture.Status]int{}}
	for i := range all {
		res := r.Run(ctx, &all[i])
		sum.status[res.Status]++
		asked, answered, agrees := res.Opinion()
		for _, c := range []struct {
			yes bool
			n   *int
		}{{asked, &sum.asked}, {answered, &sum.answered}, {agrees, &sum.agreed}} {
			if c.yes {
				*c.n++
			}
		}
		print(res)
	}
	return sum
}

func resultPrinter(w io.Writer, asJSON bool) func(fixture.Result) {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return func(r fixture.Result) { enc.Encode(r) }
	}
	return func(r fixture.Result) {
		line := fmt.Sprintf("%-7s %s", r.Status, r.ID)
		if r.Error != nil && r.Status != fixture.Pass {
			line += ": " + *r.Error
		}
		fmt.Fprintln(w, line)
	}
}
