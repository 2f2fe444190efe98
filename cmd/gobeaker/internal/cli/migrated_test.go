package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
)

// place copies a record to where it belongs in a data_dir, and returns the id.
func place(t *testing.T, record, dataDir string) string {
	t.Helper()
	id := strings.TrimSuffix(filepath.Base(record), ".cache")
	to := filepath.Join(dataDir, "container_file", filepath.FromSlash(beakerfmt.DataPath(id)))
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	data, err := os.ReadFile(record)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o644))
	return id
}

// What migrate writes for a peer is what that Beaker reads, whichever wrote it, by way of
// a Redis.
func TestMigratedForBeaker(t *testing.T) {
	redis := servers.Redis(t)
	url := "redis://" + redis.Addr()
	scripts, script := peers.Script(t, ""), filepath.Join("testdata", "python", "converted.py")
	for _, peer := range peers.Beakers(t) {
		by := "py3.6"
		if peer.Python2() {
			by = "py2.7"
		}
		t.Run(peer.Name, func(t *testing.T) {
			src, there, back := t.TempDir(), t.TempDir(), t.TempDir()
			ids := map[string]string{}
			for _, beaker := range []string{"1.11.0", "1.13.0"} {
				original := record(t, "file-b"+beaker+"-"+by+"-pickle-none-rich")
				ids[place(t, original, src)] = original
			}
			gobeaker(t, "", "migrate", "--from-data-dir", src, "--to-type", "ext:redis", "--to-url", url, "--to-peer", "beaker-1.13", "--verify")
			out := gobeaker(t, "", "migrate", "--from-type", "ext:redis", "--from-url", url, "--to-data-dir", there, "--to-peer", peer.Peer(), "--move")
			require.Contains(t, out, "copied: 2 listed, 2 written, 2 removed from the source, 0 failed")
			gobeaker(t, "", "migrate", "--from-data-dir", there, "--to-data-dir", back, "--to-peer", "beaker-1.11")
			for id, original := range ids {
				require.Equal(t, "same", python(t, peer.Exe, script, scripts, "beaker", original, there, id))
			}
		})
	}
	require.Empty(t, gobeaker(t, "", "ls", "--type", "ext:redis", "--url", url))
}

// A session of Python 2 with dates and times is the same to Beaker on Python 3.
func TestMigratedPython2Dates(t *testing.T) {
	const dates = `
import datetime, pickle, base64, sys
d = {"when": datetime.datetime(2026, 1, 2, 3, 4, 5, 6), "day": datetime.date(2026, 1, 2), "time": datetime.time(23, 59, 58, 999999), "ascii": datetime.time(1, 2, 3), "delta": datetime.timedelta(-1, 2, 3)}
d["list"] = [d["when"], (d["day"],)]
`
	const write = dates + `
from beaker.session import Session
s = Session({}, type="file", data_dir=sys.argv[1])
s.update(d)
s.save()
sys.stdout.write(s.id)
`
	const read = dates + `
from beaker.session import Session
s = Session({}, id=sys.argv[2], type="file", data_dir=sys.argv[1], invalidate_corrupt=False)
got = dict((k, s[k]) for k in s if not k.startswith("_"))
assert got == d, got
print("same")
`
	all := peers.Beakers(t)
	src, id := t.TempDir(), ""
	for _, peer := range all {
		if peer.Python2() {
			id = python(t, peer.Exe, "-c", write, src)
			break
		}
	}
	if id == "" {
		t.Skip("no Beaker on Python 2")
	}
	for _, peer := range all {
		if peer.Python2() {
			continue
		}
		t.Run(peer.Name, func(t *testing.T) {
			to := t.TempDir()
			out := gobeaker(t, "", "migrate", "--from-data-dir", src, "--to-data-dir", to, "--to-peer", peer.Peer(), "--verify")
			require.Contains(t, out, "verified: 1 listed, 1 the same, 0 failed")
			require.Equal(t, "same", python(t, peer.Exe, "-c", read, to, id))
		})
	}
}
