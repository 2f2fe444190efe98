package pyjson_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// line is a line of what scripts/pyjson/make.py writes.
type line struct {
	Value json.RawMessage `json:"value"`
	Text  *string         `json:"text"`
	Input *string         `json:"input"`
	Error bool            `json:"error"`
}

// TestCorpus holds this package against what Pythons have written.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../../testdata/json/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			requireAsPython(t, f)
		})
	}
}

// TestLivePythons does the same with the Pythons of this machine and another seed.
func TestLivePythons(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Pythons")
	}
	for _, python := range peers.Pythons(t) {
		t.Run(python.Name(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(python.Exe, "../../scripts/pyjson/make.py", "20231114", "400")
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
			out, err := cmd.Output()
			require.NoError(t, err)
			requireAsPython(t, bytes.NewReader(out))
		})
	}
}

func requireAsPython(t *testing.T, r io.Reader) {
	t.Helper()
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<24)
	var written, read, refused int
	for scanner.Scan() {
		var l line
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &l))
		switch {
		case l.Input != nil:
			requireRead(t, l)
			read++
		case l.Value != nil:
			requireWritten(t, l)
			written++
		}
		if l.Error {
			refused++
		}
	}
	require.NoError(t, scanner.Err())
	require.Greater(t, written, 100)
	require.Greater(t, read, 100)
	require.Greater(t, refused, 50)
}

func requireWritten(t *testing.T, l line) {
	t.Helper()
	v, err := taggedjson.Parse(l.Value)
	require.NoError(t, err, "%s", l.Value)
	got, err := pyjson.Append(nil, v)
	if l.Error {
		require.ErrorIs(t, err, pyjson.ErrUnsupported, "%s", l.Value)
		return
	}
	require.NoError(t, err, "%s", l.Value)
	require.Equal(t, *l.Text, string(got))

	again, err := pyjson.Decode(got, pyjson.Limits{})
	require.NoError(t, err)
	twice, err := pyjson.Append(nil, again)
	require.NoError(t, err)
	third, err := pyjson.Decode(twice, pyjson.Limits{})
	require.NoError(t, err)
	require.True(t, pyvalue.Equal(again, third))
}

func requireRead(t *testing.T, l line) {
	t.Helper()
	input, err := hex.DecodeString(*l.Input)
	require.NoError(t, err)
	v, err := pyjson.Decode(input, pyjson.Limits{})
	if l.Error {
		require.ErrorIs(t, err, pyjson.ErrSyntax, "%q", input)
		return
	}
	require.NoError(t, err, "%q", input)
	got, err := taggedjson.Append(nil, v, taggedjson.Python3)
	require.NoError(t, err)
	same, err := taggedjson.Equal(py3(l.Value), got)
	require.NoError(t, err)
	require.True(t, same, "%q\n%s\n%s", input, l.Value, got)
}

// py3 gives Python 2's long, which its json makes of an int beyond 64 bits,
// the tag that it has here.
func py3(tagged []byte) []byte {
	return bytes.ReplaceAll(tagged, []byte(`"t": "long"`), []byte(`"t": "int"`))
}
