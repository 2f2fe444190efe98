// Package build says which build of gobeaker this is.
package build

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// stamp is the version that scripts/build writes into the binary: what it was asked for,
// also where the sources came without their history.
var stamp string

// Info is what is known of a build.
type Info struct {
	// Version is that of the release, or "(devel)".
	Version string `json:"version"`
	// Commit and Time (RFC 3339) are of the commit; "" if it is not known. Modified: the
	// sources were not quite that commit.
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"` // "linux/amd64"
}

// Read returns what this binary says of itself.
func Read() Info {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return of(stamp, info)
}

func of(stamp string, info *debug.BuildInfo) Info {
	i := Info{
		Version: cmp.Or(stamp, info.Main.Version, "(devel)"),
		Go:      runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = s.Value
		case "vcs.time":
			i.Time = s.Value
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	return i
}
