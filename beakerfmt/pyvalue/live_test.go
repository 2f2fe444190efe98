package pyvalue_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// run runs scripts/pyvalue/wellknown.py and returns its lines.
func run(t *testing.T, python peers.Python, mode, input string) []string {
	t.Helper()
	cmd := exec.Command(python.Exe, "../../scripts/pyvalue/wellknown.py", mode)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin = strings.NewReader(input)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	require.NoError(t, err, complaint.String())
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// requireTagged requires v to be what Python's document says, in the eyes of
// one Python or the other.
func requireTagged(t *testing.T, want string, v pyvalue.Value) {
	t.Helper()
	for _, d := range []taggedjson.Dialect{taggedjson.Python2, taggedjson.Python3} {
		got, err := taggedjson.Append(nil, v, d)
		require.NoError(t, err)
		same, err := taggedjson.Equal([]byte(want), got)
		require.NoError(t, err)
		if same {
			return
		}
		if d == taggedjson.Python3 {
			require.Fail(t, "not what Python has", "%s\n%s", want, got)
		}
	}
}

// TestPythons: what the Pythons of this machine pickle is recognised, and they
// read what Go makes.
func TestPythons(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Pythons")
	}
	for _, python := range peers.Pythons(t) { // looked for once: it takes a while
		t.Run(python.Name(), func(t *testing.T) {
			t.Run("recognise", func(t *testing.T) { recognise(t, python) })
			t.Run("read", func(t *testing.T) { pythonReads(t, python) })
			t.Run("read a deque", func(t *testing.T) { pythonReadsDeque(t, python) })
		})
	}
}

func recognise(t *testing.T, python peers.Python) {
	for _, text := range run(t, python, "dump", "") {
		var line struct {
			Pickle string
			Value  json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		data, err := hex.DecodeString(line.Pickle)
		require.NoError(t, err)
		v, err := pickle.Decode(data, pickle.Limits{})
		require.NoError(t, err)
		requireTagged(t, string(line.Value), v)
		g, err := pyvalue.ToGo(v)
		require.NoError(t, err)
		require.NotImplements(t, (*pyvalue.Value)(nil), g, "%s", line.Value)
	}
}

// objects are made by Go for Python to read.
func objects(t *testing.T, python2 bool) []pyvalue.Value {
	t.Helper()
	moment := time.Date(2024, 12, 31, 23, 59, 58, 999999000, time.UTC)
	list := &pyvalue.Global{Module: "builtins", Name: "list"}
	d := pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str("z"), Value: pyvalue.NewInt(1)},
		pyvalue.Entry{Key: pyvalue.Str("a"), Value: pyvalue.NewInt(2)})
	all := []pyvalue.Value{
		pyvalue.NewOrderedDict(d), pyvalue.NewOrderedDict(&pyvalue.Dict{}),
		pyvalue.NewCounter(d), pyvalue.NewDefaultDict(list, d), pyvalue.NewDefaultDict(pyvalue.None{}, d),
	}
	natural := []any{
		pyvalue.NaiveTime{Time: moment}, pyvalue.NaiveTime{Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
		pyvalue.Date{Year: 2024, Month: 2, Day: 29}, pyvalue.TimeOfDay{Hour: 23, Microsecond: 999999},
		-90 * time.Minute, pyvalue.Timedelta{Days: 999999999, Seconds: 86399, Microseconds: 999999},
		pyvalue.Decimal("-1.50E+7"), pyvalue.UUID{0: 0xff, 15: 1}, pyvalue.UUID{15: 7},
	}
	if !python2 {
		natural = append(natural, moment, moment.In(time.FixedZone("", -16200)))
	}
	for _, n := range natural {
		v, err := pyvalue.FromGo(n)
		require.NoError(t, err)
		all = append(all, v)
	}
	return all
}

// pythonReads lets Python read what Go makes at every protocol that it knows.
func pythonReads(t *testing.T, python peers.Python) {
	protocols := python.HighestProtocol() + 1
	values := objects(t, python.Major == 2)
	var input strings.Builder
	for protocol := range protocols {
		for _, v := range values {
			data, err := pickle.Append(nil, v, protocol)
			require.NoError(t, err)
			input.WriteString(hex.EncodeToString(data) + "\n")
		}
	}
	lines := run(t, python, "load", input.String())
	require.Len(t, lines, protocols*len(values))
	for i, line := range lines {
		requireTagged(t, line, values[i%len(values)])
	}
}

// pythonReadsDeque is apart because a deque has no tag of its own in Python's
// documents.
func pythonReadsDeque(t *testing.T, python peers.Python) {
	items := []pyvalue.Value{pyvalue.NewInt(1), pyvalue.NewInt(2)}
	var input strings.Builder
	for protocol := range 3 {
		data, err := pickle.Append(nil, pyvalue.NewDeque(items, 5), protocol)
		require.NoError(t, err)
		input.WriteString(hex.EncodeToString(data) + "\n")
	}
	for _, line := range run(t, python, "load", input.String()) {
		require.JSONEq(t, `{"deque": [{"t": "int", "v": "1"}, {"t": "int", "v": "2"}], "maxlen": 5}`, line)
	}
}
