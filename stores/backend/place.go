package backend

import (
	"cmp"
	"path/filepath"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

// Place names the store of o for people: its kind, and where it is, without a user or
// a password.
func Place(o compat.Options) string {
	kind := o.Type
	if kind == "" {
		kind = defaultType(o)
	}
	switch kind {
	case "memory":
		return "memory of this process"
	case "cookie":
		return "cookies of the browsers"
	case "file", "dbm":
		dir := cmp.Or(o.FileDir, filepath.Join(o.DataDir, "container_file"))
		if kind == "dbm" {
			dir = cmp.Or(o.Extra["dbm_dir"], filepath.Join(o.DataDir, "container_dbm"))
		}
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		return kind + " in " + dir
	}
	address := cmp.Or(o.URL, o.Extra["sa.url"], o.Extra["urls"])
	scheme, rest, _ := strings.Cut(address, "://")
	user, server := "", rest
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		user, server = rest[:i], rest[i+1:]
	}
	server, _, _ = strings.Cut(server, "?")
	if strings.HasPrefix(scheme, "sqlite") {
		server = strings.TrimPrefix(server, "/")
	}
	switch {
	case server != "" && !strings.ContainsAny(user, "?#"): // an @ in a query may be in a password
		return kind + " at " + server
	case address != "" && !strings.ContainsAny(address, "@/?"): // memcached's host:port;host:port
		return kind + " at " + address
	}
	return kind
}
