package peers

import (
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
	there := `{"name": "there", "python": "3.13.0", "beaker": "1.14.1", "exe": "` + exe + `"}`

	write(`{"peers": [` + there + `], "missing": []}`)
	venvs, err := Load()
	require.NoError(t, err)
	require.Equal(t, []Venv{{Name: "there", Python: "3.13.0", Beaker: "1.14.1", Exe: exe}}, venvs)

	write(`{"peers": [` + there + `, {"name": "gone", "exe": "` + exe + `-no-more"}],
		"missing": [{"name": "a", "reason": "offline"}, {"name": "b", "reason": "offline"}]}`)
	venvs, err = Load()
	require.Len(t, venvs, 1)
	require.EqualError(t, err, "gone: gone; run scripts/setup-peers\na, b: offline")

	write(`nonsense`)
	_, err = Load()
	require.ErrorContains(t, err, "peers.json")
}
