package settings_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

func TestTypes(t *testing.T) {
	for text, want := range map[string]settings.Size{"0": 0, "12": 12, "64KiB": 64 << 10, "2 GiB": 2 << 30, "5MB": 5e6, "3kB": 3000, "7B": 7} {
		var s settings.Size
		require.NoError(t, s.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, s, text)
	}
	for _, text := range []string{"", "KiB", "-1", "1.5MiB", "9223372036854775807KiB", "1 TiB", "0x10", "1e3"} {
		var s settings.Size
		require.Error(t, s.UnmarshalText([]byte(text)), text)
	}
	for text, want := range map[time.Duration]string{0: "0s", time.Minute: "1m", 90 * time.Second: "1m30s", 2 * time.Hour: "2h", 36 * time.Second: "36s"} {
		require.Equal(t, want, settings.Duration(text).String())
	}
	for _, text := range []string{"", "8", "0o600", "1000", "rw"} {
		var m settings.FileMode
		require.Error(t, m.UnmarshalText([]byte(text)), text)
	}
	for text, want := range map[string]string{
		"127.0.0.1:80": "tcp 127.0.0.1:80", ":80": "tcp :80", "[::1]:0": "tcp [::1]:0", "localhost:http": "tcp localhost:http",
		"unix:/run/a.sock": "unix /run/a.sock", "unix:/run/../b": "unix /b",
		"unix:a": "", "unix:": "", "127.0.0.1": "", "a:b:c": "", "x:70000": "",
	} {
		network, address, err := settings.SplitAddress(text)
		if want == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, network+" "+address, text)
	}
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "127.8.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "localhost:1": true, "unix:/a": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "localhost.example.org:1": false, "127.0.0.1.example.org:1": false, "": false,
	} {
		require.Equal(t, want, settings.Local(text), text)
	}
}

// What is accepted as a size, a mode or an address comes back the same from its own text.
func FuzzTypes(f *testing.F) {
	for _, text := range []string{"64KiB", "0660", "127.0.0.1:80", "unix:/run/a", "2m", "1h0m", "9223372036854775807"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, s2 settings.Size
		if s.UnmarshalText([]byte(text)) == nil {
			require.GreaterOrEqual(t, int64(s), int64(0))
			require.NoError(t, s2.UnmarshalText([]byte(s.String())))
			require.Equal(t, s, s2)
		}
		var m, m2 settings.FileMode
		if m.UnmarshalText([]byte(text)) == nil {
			require.NoError(t, m2.UnmarshalText([]byte(m.String())))
			require.Equal(t, m, m2)
		}
		var d, d2 settings.Duration
		if d.UnmarshalText([]byte(text)) == nil {
			require.NoError(t, d2.UnmarshalText([]byte(d.String())))
			require.Equal(t, d, d2)
		}
		if network, address, err := settings.SplitAddress(text); err == nil && network == "unix" {
			require.True(t, filepath.IsAbs(address))
			require.Equal(t, filepath.Clean(address), address)
		}
	})
}
