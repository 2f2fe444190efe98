package cli

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/compat"
)

// The values that a shell completes, by the flag's name. Where one name has other values
// under another command, that stands in front.
func completions() map[string][]string {
	peers := append([]string{"auto"}, compat.PeerNames()...)
	for _, e := range compat.Eras() {
		peers = append(peers, "beaker-"+e.Since.String())
	}
	kinds := []string{"file", "dbm", "ext:memcached", "ext:redis", "ext:rediscluster", "ext:database", "ext:sqla", "ext:mongodb"}
	serializers := []string{"pickle", "json"}
	return map[string][]string{
		"as":            {"cookie", "file", "id", "pickle"},
		"beaker":        peers,
		"convert to":    {"pickle", "json", "tagged-json", "record", "dict", "text", "cookie"},
		"dialect":       {"auto", "python2", "python3", "python3.9"},
		"encrypt":       {"ctr", "gcm", "cbc", "none"},
		"framework":     {"auto", "beaker", "pylons", "turbogears", "turbogears-2.4", "pyramid_beaker", "ckan", "ckan-2.9", "ckan-2.10"},
		"from-type":     kinds,
		"log-format":    {"text", "json"},
		"log-level":     {"debug", "info", "warn", "error"},
		"pastedeploy":   {"1.5", "2.1"},
		"peer":          peers,
		"serializer":    serializers,
		"state":         {compat.Live.String(), compat.Expired.String(), compat.Dead.String()},
		"to-peer":       peers,
		"to-serializer": serializers,
		"to-type":       kinds,
		"type":          kinds,
		"migrate state": nil, // a file
	}
}

// complete has a shell complete the values of the flags of c and of all commands below:
// fixed ones, inis and gobeaker.tomls, and directories.
func complete(c *cobra.Command, values map[string][]string) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		fixed, known := values[c.Name()+" "+f.Name]
		if !known {
			fixed = values[f.Name]
		}
		switch {
		case len(fixed) > 0:
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(fixed, cobra.ShellCompDirectiveNoFileComp))
		case f.Name == "config":
			_ = c.MarkFlagFilename(f.Name, "toml")
		case f.Name == "ini":
			_ = c.MarkFlagFilename(f.Name, "ini")
		case slices.Contains([]string{"data-dir", "from-data-dir", "to-data-dir"}, f.Name):
			_ = c.MarkFlagDirname(f.Name)
		}
	})
	for _, below := range c.Commands() {
		complete(below, values)
	}
}
