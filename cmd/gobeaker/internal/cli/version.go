package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(env Environment) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and which formats it reads and writes",
		Example: `  gobeaker version`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			printVersion(env.Stdout, info)
			return nil
		},
	}
}

func printVersion(w io.Writer, info *debug.BuildInfo) {
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	fmt.Fprintf(w, "gobeaker %s\n", version)
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if r := settings["vcs.revision"]; r != "" {
		if settings["vcs.modified"] == "true" {
			r += " (modified)"
		}
		fmt.Fprintf(w, "revision %s %s\n", r, settings["vcs.time"])
	}
	fmt.Fprintf(w, "%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprint(w, `reads    pickle protocols 0-5, JSON; the dict itself (Beaker up to 1.11) and base64 text (1.12 on);
         AES-256 in modes GCM, CBC, CTR and ECB behind nonces of every size
writes   the same forms; pickle protocol 2 unless told otherwise; ECB only if told
sessions file, memory, cookie-only
not yet  dbm, memcached, Redis, MongoDB, SQL
`)
}
