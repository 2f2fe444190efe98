package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/build"
)

func newVersion(env Environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and which formats it reads and writes",
		Example: `  gobeaker version
  gobeaker version --json`,
		Args: cobra.NoArgs,
	}
	asJSON := c.Flags().Bool("json", false, "print the build as JSON")
	c.RunE = func(*cobra.Command, []string) error {
		if *asJSON {
			return json.NewEncoder(env.Stdout).Encode(build.Read())
		}
		printVersion(env.Stdout, build.Read())
		return nil
	}
	return c
}

func printVersion(w io.Writer, b build.Info) {
	fmt.Fprintf(w, "gobeaker %s\n", b.Version)
	if b.Commit != "" {
		modified := ""
		if b.Modified {
			modified = " (modified)"
		}
		fmt.Fprintf(w, "commit   %s%s %s\n", b.Commit, modified, b.Time)
	}
	fmt.Fprintf(w, "built    by %s for %s\n", b.Go, b.Platform)
	fmt.Fprint(w, `reads    pickle protocols 0-5, JSON; the dict itself (Beaker up to 1.11) and base64 text (1.12 on);
         AES-256 in modes GCM, CBC, CTR and ECB behind nonces of every size
writes   the same forms; pickle protocol 2 unless told otherwise; ECB only if told
sessions in files, DBM files, memcached, Redis, SQL, MongoDB, memory, and in their cookies
`)
}
