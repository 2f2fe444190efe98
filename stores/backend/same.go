package backend

import (
	"maps"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

// Same reports whether [Open] makes equal stores of a and b, so that an open store of the
// one may serve the other.
func Same(a, b compat.Options) bool {
	kind := func(o compat.Options) string {
		if o.Type == "" {
			return defaultType(o)
		}
		return o.Type
	}
	if kind(a) != kind(b) || a.IDs.String() != b.IDs.String() {
		return false
	}
	switch kind(a) {
	case "memory", "cookie":
		return true // nothing else is looked at
	}
	if strings.HasPrefix(kind(a), "ext:redis") && a.Timeout != b.Timeout { // its keys live that long
		return false
	}
	return a.DataDir == b.DataDir && a.FileDir == b.FileDir && a.LockDir == b.LockDir && a.URL == b.URL &&
		a.Peer == b.Peer && maps.Equal(a.Extra, b.Extra)
}
