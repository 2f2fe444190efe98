package build

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	bare := of("", &debug.BuildInfo{})
	require.Equal(t, "(devel)", bare.Version)
	require.NotEmpty(t, bare.Go)
	require.Contains(t, bare.Platform, "/")

	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	full := of("", info)
	require.Equal(t, "v1.2.3", full.Version, "go install of a release knows its version")
	require.Equal(t, "0123abcd", full.Commit)
	require.Equal(t, "2026-01-02T03:04:05Z", full.Time)
	require.True(t, full.Modified)
	require.Equal(t, "v2.0.0", of("v2.0.0", info).Version, "what the build was asked for comes first")
}
