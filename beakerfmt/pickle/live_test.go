package pickle_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// specimen is a line of the manifest that scripts/pickles/make.py writes.
type specimen struct {
	Name     string `json:"name"`
	Python   string `json:"python"`
	Protocol int    `json:"protocol"`
	Pickler  string `json:"pickler"`
	File     string `json:"file"`
	Repr     string `json:"repr"`
	data     []byte
}

func readManifest(t testing.TB, dir string) []specimen {
	f, err := os.Open(filepath.Join(dir, "manifest.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	var out []specimen
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var s specimen
		require.NoError(t, json.Unmarshal(lines.Bytes(), &s))
		s.data, err = os.ReadFile(filepath.Join(dir, s.File))
		require.NoError(t, err)
		out = append(out, s)
	}
	require.NotEmpty(t, out)
	return out
}

// plain: CPython's own bytes must come out again.
func (s specimen) plain() bool { return strings.HasPrefix(s.Name, "plain_") }

// script returns the path of one of the project's scripts for pickles.
func script(t testing.TB, name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "scripts", "pickles", name))
	require.NoError(t, err)
	require.FileExists(t, path)
	return path
}

func run(t testing.TB, exe string, args ...string) (string, error) {
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8", "PYTHONHASHSEED=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// some leaves out the Pythons between the oldest and the newest 3, unless the
// whole matrix is asked for: it takes a while.
func some(pythons []peers.Python) []peers.Python {
	if os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1" {
		return pythons
	}
	var out []peers.Python
	for i, p := range pythons {
		if p.Major == 2 || i == len(pythons)-1 || i == 0 || pythons[i-1].Major == 2 {
			out = append(out, p)
		}
	}
	return out
}

// TestPythonReadsItsOwn has each Python of the machine pickle every specimen in
// every protocol, writes each again in every protocol that this Python reads,
// and has it judge whether the result is the same object.
func TestPythonReadsItsOwn(t *testing.T) {
	for _, python := range some(peers.Pythons(t)) {
		t.Run(python.Name(), func(t *testing.T) {
			originals, again := t.TempDir(), t.TempDir()
			out, err := run(t, python.Exe, script(t, "make.py"), originals)
			require.NoError(t, err, out)
			count := 0
			for _, s := range readManifest(t, originals) {
				count += reencode(t, s, python, again)
			}
			out, err = run(t, python.Exe, script(t, "compare.py"), originals, again)
			require.NoError(t, err, out)
			require.Contains(t, out, fmt.Sprintf("%d same, 0 not", count))
			t.Logf("%s", strings.TrimSpace(out))
		})
	}
}

// reencode writes s in every protocol and returns how many times that was.
func reencode(t *testing.T, s specimen, python peers.Python, dir string) int {
	v, err := pickle.Decode(s.data, pickle.Limits{})
	require.NoError(t, err, "%s %s", s.File, s.Repr)
	count := 0
	for proto := range python.HighestProtocol() + 1 {
		out, err := pickle.Append(nil, v, proto)
		if s.Name == "class_not_ascii" && proto < 3 {
			require.ErrorIs(t, err, pickle.ErrUnsupported)
			continue
		}
		require.NoError(t, err, "%s at protocol %d", s.File, proto)
		if s.plain() && proto == s.Protocol && python.Major == 3 && python.Minor >= 13 {
			require.Equal(t, s.data, out, "%s: bytes differ", s.File)
		}
		place := filepath.Join(dir, fmt.Sprintf("p%d", proto))
		require.NoError(t, os.MkdirAll(place, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(place, s.File), out, 0o644))
		count++
	}
	return count
}

// TestPythonTellsDifferences keeps the judge honest: of pickles under each
// other's names it must find that they differ.
func TestPythonTellsDifferences(t *testing.T) {
	for _, python := range some(peers.Pythons(t)) {
		t.Run(python.Name(), func(t *testing.T) {
			originals, again := t.TempDir(), t.TempDir()
			out, err := run(t, python.Exe, script(t, "make.py"), originals, "small")
			require.NoError(t, err, out)
			count := 0
			change := func(file string, proto int, edit func(pyvalue.Value) pyvalue.Value) {
				data, err := os.ReadFile(filepath.Join(originals, file))
				require.NoError(t, err)
				v, err := pickle.Decode(data, pickle.Limits{})
				require.NoError(t, err)
				data, err = pickle.Append(nil, edit(v), proto)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(again, file), data, 0o644))
				count++
			}
			change("plain_shared.p2.pkl", 2, func(v pyvalue.Value) pyvalue.Value {
				items := v.(*pyvalue.List).Items
				items[1] = pyvalue.NewList(items[0].(*pyvalue.List).Items...) // equal, but not the same
				return v
			})
			change("plain_floats.p1.pkl", 1, func(v pyvalue.Value) pyvalue.Value {
				v.(*pyvalue.List).Items[1] = pyvalue.Float(0) // was -0.0
				return v
			})
			change("objects.p2.pkl", 2, func(v pyvalue.Value) pyvalue.Value {
				state, _ := v.(*pyvalue.List).Items[0].(*pyvalue.Object).State()
				state.(*pyvalue.Dict).SetStr("x", pyvalue.NewInt(2))
				return v
			})
			change("sets.p0.pkl", 2, func(v pyvalue.Value) pyvalue.Value {
				v.(*pyvalue.List).Items[0].(*pyvalue.Set).Add(pyvalue.NewInt(99))
				return v
			})
			change("plain_bools.p2.pkl", 2, func(pyvalue.Value) pyvalue.Value {
				return pyvalue.NewList(pyvalue.NewInt(1), pyvalue.Bool(false))
			})
			out, err = run(t, python.Exe, script(t, "compare.py"), originals, again)
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit), out)
			require.Contains(t, out, fmt.Sprintf("0 same, %d not", count))
		})
	}
}
