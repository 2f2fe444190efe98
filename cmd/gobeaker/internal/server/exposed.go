package server

import (
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// exposedFile is a file with a secret that is open to others than its owner.
type exposedFile struct {
	option, path string
	mode         fs.FileMode
}

// openToOthers are the permissions that a file with a secret should not give: anything to
// everybody, and to its group more than reading, which is how services share one.
const openToOthers = 0o027

// findExposed returns the files with secrets that others can read or change, by what the
// configuration names. Where modes say nothing there is none.
func findExposed(c *settings.Config) (out []exposedFile) {
	if runtime.GOOS == "windows" {
		return nil
	}
	look := func(paths []string, key ...string) {
		for _, path := range paths {
			path = c.Relative(strings.Join(key, "."), path)
			info, err := os.Stat(path)
			if err != nil {
				continue // there is none, or whoever reads it says so
			}
			if mode := info.Mode().Perm(); mode&openToOthers != 0 {
				out = append(out, exposedFile{c.Name(key...), path, mode})
			}
		}
	}
	look(c.Assertion.KeyFiles, "assertion", "key_files")
	look(c.API.TokenFiles, "api", "token_files")
	look(c.Admin.TokenFiles, "admin", "token_files")
	look([]string{c.Server.TLSKey}, "server", "tls_key")
	for i := range c.Routes {
		if t := c.Routes[i].TLS; t != nil {
			look([]string{t.KeyFile}, "route", strconv.Itoa(i), "tls", "key_file")
		}
	}
	if c.Session == nil {
		return out
	}
	for _, option := range slices.Sorted(maps.Keys(c.Session.Files)) {
		look([]string{c.Session.Files[option]}, "session", option+"_file")
	}
	for _, option := range slices.Sorted(maps.Keys(c.Session.OlderFiles)) {
		look(c.Session.OlderFiles[option], "session", strings.TrimSuffix(option, "s")+"_files")
	}
	return out
}
