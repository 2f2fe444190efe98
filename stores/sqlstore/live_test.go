package sqlstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

const sessionID = "882e0dabc11b4d21a6c3efed0c975557"

// zone is the time zone of the Pythons of the tests.
const zone = "America/New_York"

type peerAnswer struct {
	IsNew  bool           `json:"is_new"`
	Before map[string]any `json:"before"`
}

// peer is a Beaker that runs.
type peer struct {
	in   *json.Encoder
	out  *json.Decoder
	errs *bytes.Buffer
	b    *base
	dir  string
}

func start(t *testing.T, v peers.Venv, b *base) *peer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), v.Exe, "testdata/peer.py")
	cmd.Env = append(cmd.Environ(), "TZ="+zone, "PYTHONWARNINGS=ignore")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &peer{json.NewEncoder(in), json.NewDecoder(out), &errs, b, t.TempDir()}
}

// session has Beaker open the session, and save it with what is to be set.
func (p *peer) session(t *testing.T, kind, table string, set map[string]any) peerAnswer {
	t.Helper()
	var answer peerAnswer
	require.NoError(t, p.in.Encode(map[string]any{"type": kind, "url": p.b.url, "table": table, "id": sessionID, "set": set, "dir": p.dir}))
	require.NoError(t, p.out.Decode(&answer), p.errs)
	return answer
}

// testLive: Python writes, Go reads and changes, Python reads; and both make the same
// table. It is done with one Beaker for each SQLAlchemy on each major Python.
func testLive(t *testing.T, b *base) {
	local, err := time.LoadLocation(zone)
	require.NoError(t, err)
	seen := map[string]bool{}
	for n, v := range peers.WithPackage(t, "sqlalchemy") {
		name := "SQLAlchemy " + v.Packages["sqlalchemy"] + " Python " + v.Python[:1]
		if seen[name] {
			continue
		}
		seen[name] = true
		t.Run(name+" "+v.Name, func(t *testing.T) {
			p := start(t, v, b)
			for kind, sqla := range map[string]bool{"ext:database": false, "ext:sqla": true} {
				t.Run(kind, func(t *testing.T) {
					o := Options{URL: b.url, Sqla: sqla, Create: true, Location: local}
					o.Table = fmt.Sprintf("live%d%s", n, kind[4:])
					live(t, p, kind, o)
				})
			}
		})
	}
}

func live(t *testing.T, p *peer, kind string, o Options) {
	began := time.Now()
	require.True(t, p.session(t, kind, o.Table, map[string]any{"from": "python", "n": 1}).IsNew)
	s := open(t, o)
	require.NoError(t, s.Update(t.Context(), sessionID, func(old pyvalue.Value) (pyvalue.Value, error) {
		return addKey(t, old, "go", 2), nil
	}))
	got := p.session(t, kind, o.Table, nil)
	require.False(t, got.IsNew)
	require.Equal(t, map[string]any{"from": "python", "n": 1.0, "go": 2.0}, got.Before)

	p.session(t, kind, o.Table, map[string]any{"n": 3})
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.Equal(t, sessionID, info.ID)
		require.WithinRange(t, info.Modified, began.Add(-time.Second), time.Now().Add(time.Second))
	}
	value, err := s.Get(t.Context(), sessionID)
	require.NoError(t, err)

	// Now the other way round: Go makes the table and the session.
	mine := o
	mine.Table += "go"
	s = open(t, mine)
	s.now = func() time.Time { return time.Unix(1700000000, 250e6) }
	require.NoError(t, s.Put(t.Context(), sessionID, value))
	require.Equal(t, strings.ReplaceAll(schema(t, p.b, s, o.Table), o.Table, "T"), strings.ReplaceAll(schema(t, p.b, s, mine.Table), mine.Table, "T"))
	got = p.session(t, kind, mine.Table, map[string]any{"n": 4})
	require.Equal(t, 3.0, got.Before["n"])
	value, err = s.Get(t.Context(), sessionID)
	require.NoError(t, err)
	require.NotNil(t, addKey(t, value, "x", 0))
	requireTimes(t, p.b, s)
}

// requireTimes: created is what Go wrote, and kept by Python; accessed is what Python
// wrote, in the same form.
func requireTimes(t *testing.T, b *base, s *Store) {
	t.Helper()
	column := map[string]string{"postgres": "%s::text", "mariadb": "%s", "sqlite": "CAST(%s AS TEXT)"}[b.name]
	created := rowsOf(t, s, "SELECT "+fmt.Sprintf(column, "created")+" FROM "+tableOf(s))
	want := map[string]string{"postgres": "2023-11-14 17:13:20.25", "mariadb": "2023-11-14 17:13:20", "sqlite": "2023-11-14 17:13:20.250000"}[b.name]
	require.Equal(t, want+"|\n", created)
	accessed := rowsOf(t, s, "SELECT "+fmt.Sprintf(column, "accessed")+" FROM "+tableOf(s))
	require.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\|\n$`, accessed)
}

// addKey sets a key of a session in any of its forms without encryption.
func addKey(t *testing.T, v pyvalue.Value, key string, n int64) pyvalue.Value {
	t.Helper()
	text := func(encoded string) string {
		data, err := base64.StdEncoding.DecodeString(encoded)
		require.NoError(t, err)
		d, err := pickle.Decode(data, pickle.Limits{})
		require.NoError(t, err)
		d.(*pyvalue.Dict).SetStr(key, pyvalue.NewInt(n))
		data, err = pickle.Append(nil, d, 2)
		require.NoError(t, err)
		return base64.StdEncoding.EncodeToString(data)
	}
	switch v := v.(type) {
	case *pyvalue.Dict:
		v.SetStr(key, pyvalue.NewInt(n))
		return v
	case pyvalue.Str:
		return pyvalue.Str(text(string(v)))
	case pyvalue.Py2Str:
		return pyvalue.Py2Str(text(string(v)))
	case pyvalue.Bytes:
		return pyvalue.Bytes(text(string(v)))
	}
	t.Fatalf("a session is a %s", pyvalue.TypeName(v))
	return nil
}

// schema describes a table in the words of its database.
func schema(t *testing.T, b *base, s *Store, table string) string {
	t.Helper()
	switch b.name {
	case "postgres":
		return rowsOf(t, s, `SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
			FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position`, table) +
			rowsOf(t, s, `SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::regclass
			AND contype <> 'n' ORDER BY 1`, table)
	case "mariadb":
		text := rowsOf(t, s, "SHOW CREATE TABLE "+s.name(table))
		return regexp.MustCompile(` AUTO_INCREMENT=\d+`).ReplaceAllString(text, "")
	}
	text := rowsOf(t, s, "SELECT sql FROM sqlite_master WHERE name = ?", table)
	return regexp.MustCompile(`\s+`).ReplaceAllString(strings.ReplaceAll(text, `"`, ""), " ")
}

func rowsOf(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	rows, err := s.db.Query(query, args...)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var text strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for n := range values {
			values[n] = new([]byte)
		}
		require.NoError(t, rows.Scan(values...))
		for _, v := range values {
			fmt.Fprintf(&text, "%s|", *v.(*[]byte))
		}
		text.WriteString("\n")
	}
	require.NoError(t, rows.Err())
	return text.String()
}
