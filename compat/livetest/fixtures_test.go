package livetest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// Every value of the fixtures, put into a session by the Python application,
// survives a change that Go makes to another key: the application compares with
// what it was sent, types included.
func TestFixtureValuesSurvive(t *testing.T) {
	sets := map[string][]string{"2": fixtureValues(t, "2"), "3": fixtureValues(t, "3")}
	for _, peer := range peers.Beakers(t) {
		values := sets[peer.Python[:1]]
		require.NotEmpty(t, values)
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, peer, setup{secret: "s"})
			for _, body := range values {
				b := w.newBrowser(t, true)
				b.inPython("POST", "/update", body, nil)
				require.Empty(t, b.differ("POST", "/compare", body), "before Go has seen it")
				b.inGo(put(map[string]any{"of go": "text"}))
				require.Empty(t, b.differ("POST", "/compare", body))
				require.Equal(t, "text", b.pyGet("of go"))
			}
		})
	}
}

// fixtureValues returns the distinct session dicts of the fixtures that were
// written by this Python major version, as tagged JSON. Classes of the
// application that wrote them are left out: those of peerapp.py stand for them.
func fixtureValues(t *testing.T, python string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(peers.Script(t, ".."), "testdata", "fixtures", "manifest.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	var found []string
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var fixture struct {
			Kind, Python, Serializer string
			Expected                 struct {
				V [][2]json.RawMessage
			}
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &fixture))
		if fixture.Kind != "positive" || !strings.HasPrefix(strings.TrimPrefix(fixture.Python, "sys"), python) {
			continue
		}
		body, ok := portable(t, fixture.Expected.V)
		if ok && !seen[body] {
			seen[body] = true
			found = append(found, body)
		}
	}
	require.NoError(t, lines.Err())
	return found
}

// portable is a tagged dict without what only the writing application can
// make, and without Beaker's own keys.
func portable(t *testing.T, pairs [][2]json.RawMessage) (string, bool) {
	t.Helper()
	var kept []string
	for _, pair := range pairs {
		key, err := taggedjson.Parse(pair[0])
		require.NoError(t, err)
		name, _ := pyvalue.Text(key)
		text := string(pair[1])
		aware := strings.Contains(text, `"t": "datetime"`) && !strings.Contains(text, `"tz": null`)
		if strings.HasPrefix(name, "_") || strings.Contains(text, `"t": "object"`) || aware {
			continue
		}
		kept = append(kept, "["+string(pair[0])+","+text+"]")
	}
	return `{"t": "dict", "v": [` + strings.Join(kept, ",") + `]}`, len(kept) > 0
}
