package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeerName(t *testing.T) {
	for _, c := range []struct{ python, beaker, want string }{
		{"3.13.0", "1.14.1", "beaker-1.14/python3"},
		{"2.7.18", "1.6.4", "beaker-1.6/python2"},
		{"2.7.18", "1.6.5.post1", "beaker-1.6/python2"},
	} {
		require.Equal(t, c.want, Venv{Python: c.python, Beaker: c.beaker}.Peer())
	}
}

func TestLoadTellsWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOBEAKER_PEERS_DIR", dir)

	_, err := Load()
	require.ErrorContains(t, err, "run scripts/setup-peers")

	exe := filepath.Join(dir, "python")
	require.NoError(t, os.WriteFile(exe, nil, 0o700))
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "peers.json"), []byte(text), 0o600))
	}
	there := `{"name": "there", "group": "test", "python": "3.13.0", "beaker": "1.14.1", "exe": "` + exe + `"}`

	write(`{"peers": [` + there + `], "missing": []}`)
	venvs, err := Load()
	require.NoError(t, err)
	require.Equal(t, []Venv{{Name: "there", Group: "test", Python: "3.13.0", Beaker: "1.14.1", Exe: exe}}, venvs)

	write(`{"peers": [` + there + `, {"name": "gone", "exe": "` + exe + `-no-more"}],
		"missing": [{"name": "a", "reason": "offline"}, {"name": "b", "reason": "offline"}]}`)
	venvs, err = Load()
	require.Len(t, venvs, 1)
	require.EqualError(t, err, "gone: gone; run scripts/setup-peers\na, b: offline")

	write(`nonsense`)
	_, err = Load()
	require.ErrorContains(t, err, "peers.json")
}

// A test is told of what it wants and lacks, and of nothing else.
func TestWithPackage(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOBEAKER_PEERS_DIR", dir)
	t.Setenv("GOBEAKER_REQUIRE_PEERS", "1")
	exe := filepath.Join(dir, "python")
	require.NoError(t, os.WriteFile(exe, nil, 0o700))
	venv := func(name, group, packages string) string {
		return `{"name": "` + name + `", "group": "` + group + `", "beaker": "1.13.0", "exe": "` + exe + `",
			"packages": {"beaker": "1.13.0"` + packages + `}}`
	}
	text := `{"peers": [` + venv("plain", "test", "") + "," + venv("nss", "test", `, "python-nss": "1.0.1"`) + "," +
		venv("pyramid", "frameworks", `, "pyramid": "2.1"`) + "," + venv("of fixtures", "fixtures", `, "pyramid": "2.1"`) + `],
		"missing": [{"name": "another nss", "group": "test", "optional": true, "reason": "no nss", "packages": {"beaker": "1.11.0"}},
			{"name": "gears", "group": "frameworks", "reason": "offline", "packages": {"turbogears2": "2.5.1", "beaker": "1.13.0"}}]}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "peers.json"), []byte(text), 0o600))

	names := func(venvs []Venv) (names []string) {
		for _, v := range venvs {
			names = append(names, v.Name)
		}
		return names
	}
	require.Equal(t, []string{"plain"}, names(Beakers(t)))
	require.Equal(t, []string{"plain", "nss"}, names(AllBeakers(t)))
	require.Equal(t, []string{"pyramid"}, names(WithPackage(t, "pyramid")))

	log := &recorder{TB: t}
	require.PanicsWithValue(t, "fatal", func() { WithPackage(log, "turbogears2") })
	require.Contains(t, log.text, "gears: offline")
	require.PanicsWithValue(t, "fatal", func() { WithPackage(log, "django") })
	require.Contains(t, log.text, "none with django")
	t.Setenv("GOBEAKER_REQUIRE_PEERS", "")
	require.PanicsWithValue(t, "skip", func() { WithPackage(log, "turbogears2") })
	require.Contains(t, log.text, "gears: offline")
}

// recorder is a test that takes down how it would have ended.
type recorder struct {
	testing.TB
	text string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.text = fmt.Sprintf(format, args...)
	panic("fatal")
}
func (r *recorder) Skipf(format string, args ...any) {
	r.text = fmt.Sprintf(format, args...)
	panic("skip")
}
