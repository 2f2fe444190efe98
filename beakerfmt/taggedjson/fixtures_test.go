package taggedjson_test

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
)

const fixtures = "../../testdata/fixtures"

type fixture struct {
	ID, Kind, Backend, Crypto, Python string
	Artefacts                         []string
	Expected                          json.RawMessage
}

// TestFixtures holds this package against what Python's own description of
// real sessions says.
func TestFixtures(t *testing.T) {
	f, err := os.Open(filepath.Join(fixtures, "manifest.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<24)
	tested := 0
	for scanner.Scan() {
		var m fixture
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &m))
		if m.Kind != "positive" || m.Backend != "file" || m.Crypto != "none" {
			continue
		}
		tested++
		t.Run(m.ID, func(t *testing.T) { requireExpected(t, m) })
	}
	require.NoError(t, scanner.Err())
	require.Greater(t, tested, 20)
}

func requireExpected(t *testing.T, m fixture) {
	t.Helper()
	session, isJSON := load(t, m)
	dialect := taggedjson.Python3
	if strings.HasPrefix(m.Python, "2.") {
		dialect = taggedjson.Python2
	}
	got, err := taggedjson.Append(nil, session, dialect)
	require.NoError(t, err)
	if isJSON {
		m.Expected = throughJSON(t, m.Expected)
	}
	same, err := taggedjson.Equal(m.Expected, got)
	require.NoError(t, err)
	require.True(t, same, "want %s\n got %s", m.Expected, got)

	again, err := taggedjson.Parse(got)
	require.NoError(t, err)
	twice, err := taggedjson.Append(nil, again, dialect)
	require.NoError(t, err)
	require.Equal(t, string(got), string(twice))
}

// throughJSON is what is left of a session that Beaker serialized as JSON.
func throughJSON(t *testing.T, tagged []byte) []byte {
	t.Helper()
	v, err := taggedjson.Parse(tagged)
	require.NoError(t, err)
	text, err := pyjson.Append(nil, v)
	require.NoError(t, err)
	v, err = pyjson.Decode(text, pyjson.Limits{})
	require.NoError(t, err)
	tagged, err = taggedjson.Append(nil, v, taggedjson.Python3)
	require.NoError(t, err)
	return tagged
}

// load returns the session dict of a fixture of the file back end, and whether
// it was serialized as JSON.
func load(t *testing.T, m fixture) (session pyvalue.Value, isJSON bool) {
	t.Helper()
	for _, name := range m.Artefacts {
		if !strings.HasSuffix(name, ".cache") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(fixtures, name))
		require.NoError(t, err)
		container, err := pickle.Decode(data, pickle.Limits{})
		require.NoError(t, err)
		session, ok := container.(*pyvalue.Dict).GetStr("session")
		require.True(t, ok)
		text, ok := pyvalue.Text(session)
		if !ok {
			return session, false
		}
		payload, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		return deserialized(t, payload)
	}
	require.FailNow(t, "no record")
	return nil, false
}

func deserialized(t *testing.T, payload []byte) (session pyvalue.Value, isJSON bool) {
	t.Helper()
	if payload[0] != 'x' {
		v, err := pickle.Decode(payload, pickle.Limits{})
		require.NoError(t, err)
		return v, false
	}
	z, err := zlib.NewReader(bytes.NewReader(payload))
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	v, err := pyjson.Decode(text, pyjson.Limits{})
	require.NoError(t, err)
	return v, true
}
