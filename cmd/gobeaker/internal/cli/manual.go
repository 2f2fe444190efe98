package cli

import (
	"cmp"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/build"
)

func newManual(env Environment) *cobra.Command {
	return &cobra.Command{
		Use:   "manual DIR",
		Short: "Write the manual pages into a directory",
		Long: `Manual writes a page of section 1 for each command into DIR, which is made if
it is not there: gobeaker.1, gobeaker-serve.1 and so on. Their date is that of the
commit, so that the same sources give the same pages.`,
		Example: `  gobeaker manual /usr/local/share/man/man1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fail(exitUsage, err)
			}
			b := build.Read()
			date, err := time.Parse(time.RFC3339, b.Time)
			if err != nil {
				date = env.now()
			}
			root := newRoot(env)
			verbatim(root)
			header := &doc.GenManHeader{
				Section: "1", Source: "gobeaker " + b.Version, Manual: "gobeaker", Date: &date,
			}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fail(exitUsage, err)
			}
			return nil
		},
	}
}

// verbatim keeps the layout of the long texts, which is made for a terminal: the
// generator would take them for Markdown.
func verbatim(c *cobra.Command) {
	c.DisableAutoGenTag = true
	c.Long = "```\n" + strings.TrimSpace(cmp.Or(c.Long, c.Short)) + "\n```"
	c.InitDefaultHelpFlag()
	for _, below := range c.Commands() {
		verbatim(below)
	}
}
