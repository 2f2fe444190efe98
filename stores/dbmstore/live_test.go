//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// How long a condition is waited for, and how often it is looked at.
const (
	hangs = 30 * time.Second
	tick  = 5 * time.Millisecond
)

// pythonPeer has Beaker's sessions of type dbm. It gets a command, an id and a value
// on a line.
const pythonPeer = `
import sys
from beaker.session import Session

def session(id):
    return Session({}, id=id, use_cookies=False, type='dbm', data_dir=sys.argv[1], invalidate_corrupt=False)

def write(id, value):
    s = session(id)
    s['v'] = value
    s.save()
    return 'saved'

def read(id):
    return str(session(id).get('v', 'nothing'))

def look(id):
    s = session(id)
    return 'new' if s.is_new else 'known'

def modules():
    found = []
    for name in ('dbm.gnu', 'gdbm', 'dbm.sqlite3'):
        try:
            __import__(name)
            found.append(name)
        except ImportError:
            pass
    return ' '.join(found)

commands = {'write': write, 'read': read, 'look': look, 'modules': modules}
for line in iter(sys.stdin.readline, ''):
    words = line.rstrip('\n').split('\t')
    try:
        print(commands[words[0]](*words[1:]))
    except Exception as e:
        print(repr(e))
    sys.stdout.flush()
`

// peer is a Python that answers a line with a line.
type peer struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startPeer(t *testing.T, exe, dir string) *peer {
	t.Helper()
	cmd := exec.Command(exe, "-c", pythonPeer, dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		timer.Stop()
		_ = in.Close()
		_ = cmd.Wait() // its status says nothing: its input ended
	})
	return &peer{t, in, bufio.NewScanner(out)}
}

func (p *peer) ask(words ...string) string {
	p.t.Helper()
	_, err := fmt.Fprintln(p.in, strings.Join(words, "\t"))
	require.NoError(p.t, err)
	require.True(p.t, p.out.Scan(), "the process has ended")
	return p.out.Text()
}

// session is a session as Beaker 1.11 keeps it, the dict itself, or as 1.12 does.
type session struct {
	dict *pyvalue.Dict
	text bool
}

func open11(t *testing.T, v pyvalue.Value) session {
	t.Helper()
	if d, ok := v.(*pyvalue.Dict); ok {
		return session{d, false}
	}
	data, err := base64.StdEncoding.DecodeString(nativeText(v))
	require.NoError(t, err)
	inner, err := pickle.Decode(data, pickle.OwnLimits())
	require.NoError(t, err)
	return session{inner.(*pyvalue.Dict), true}
}

func nativeText(v pyvalue.Value) string {
	switch v := v.(type) {
	case pyvalue.Str:
		return string(v)
	case pyvalue.Py2Str:
		return string(v)
	}
	return ""
}

func (s session) value(t *testing.T) pyvalue.Value {
	t.Helper()
	if !s.text {
		return s.dict
	}
	data, err := pickle.Append(nil, s.dict, 2)
	require.NoError(t, err)
	return pyvalue.Str(base64.StdEncoding.EncodeToString(data))
}

// TestLive: what Python writes is read and changed here, and the reverse.
func TestLive(t *testing.T) {
	wanted := []string{"1.11", "1.13", "1.14"}
	for _, venv := range peers.AllBeakers(t) {
		release := strings.Join(strings.SplitN(venv.Beaker, ".", 3)[:2], ".")
		if !slices.Contains(wanted, release) {
			continue
		}
		t.Run(venv.Name, func(t *testing.T) {
			s := open(t, Options{})
			python := startPeer(t, venv.Exe, s.dataDir())
			t.Run("python first", func(t *testing.T) { testPythonFirst(t, s, python) })
			modules := python.ask("modules")
			gnu, sqlite := strings.Contains(modules, "gnu"), strings.Contains(modules, "sqlite3")
			for f, reads := range map[Format]bool{
				Dumb:   release != "1.14" || !gnu,
				GNU:    gnu,
				SQLite: sqlite && release != "1.14",
			} {
				if reads {
					t.Run("go first, "+f.String(), func(t *testing.T) {
						testGoFirst(t, open(t, Options{DataDir: s.dataDir(), Format: f}), python, release != "1.11")
					})
				}
			}
		})
	}
}

func testPythonFirst(t *testing.T, s *Store, python *peer) {
	const id = "00000000000000000000000000000001"
	require.Equal(t, "known", strings.Replace(python.ask("look", id), "new", "known", 1))
	_, err := s.Get(t.Context(), id)
	require.Error(t, err, "Python made an empty database, which is no record")
	require.Equal(t, "saved", python.ask("write", id, "of Python"))
	for n := range 5 {
		require.NoError(t, s.Update(t.Context(), id, func(old pyvalue.Value) (pyvalue.Value, error) {
			opened := open11(t, old)
			v, _ := opened.dict.GetStr("v")
			require.Contains(t, nativeText(v), "of Python")
			opened.dict.SetStr("v", pyvalue.Str(fmt.Sprint("of Go, once of Python ", strings.Repeat("x", n*n*100))))
			return opened.value(t), nil
		}))
		require.Equal(t, fmt.Sprint("of Go, once of Python ", strings.Repeat("x", n*n*100)), python.ask("read", id))
		require.Equal(t, "saved", python.ask("write", id, "of Python again"+strings.Repeat("y", n*300)))
	}
	require.NoError(t, s.Delete(t.Context(), id))
	require.Equal(t, "nothing", python.ask("read", id))
	require.Equal(t, "saved", python.ask("write", id, "once more"))
	v, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	text, _ := open11(t, v).dict.GetStr("v")
	require.Equal(t, "once more", nativeText(text))
}

func testGoFirst(t *testing.T, s *Store, python *peer, text bool) {
	id := fmt.Sprintf("%032x", 100+int(s.format))
	d := pyvalue.NewDict()
	d.SetStr("v", pyvalue.Str("of Go"))
	d.SetStr("_accessed_time", pyvalue.Float(1700000000.25))
	d.SetStr("_creation_time", pyvalue.Float(1700000000.25))
	require.NoError(t, s.Put(t.Context(), id, session{d, text}.value(t)))
	require.Equal(t, "of Go", python.ask("read", id))
	for n := range 5 {
		want := fmt.Sprint("of Python ", strings.Repeat("x", n*n*300))
		require.Equal(t, "saved", python.ask("write", id, want))
		v, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		opened := open11(t, v)
		got, _ := opened.dict.GetStr("v")
		require.Equal(t, want, nativeText(got))
		opened.dict.SetStr("v", pyvalue.Str(fmt.Sprint("of Go ", strings.Repeat("y", n*n*200))))
		require.NoError(t, s.Put(t.Context(), id, opened.value(t)))
		require.Equal(t, fmt.Sprint("of Go ", strings.Repeat("y", n*n*200)), python.ask("read", id))
	}
}

// gdbmPeer reads a database with the real gdbm, and adds to it.
const gdbmPeer = `
import sys
try:
    import dbm.gnu as gdbm
except ImportError:
    import gdbm
db = gdbm.open(sys.argv[1], 'w')
for n in range(150):
    assert len(db['key%d' % n]) == n * 40, n
assert len(db.keys()) == 151, len(db.keys())
for n in range(150, 1500):
    db['key%d' % n] = 'v' * (n * 3)
for n in range(0, 1500, 2):
    del db['key%d' % n]
db.close()
`

// TestGDBM: a file of many keys that was written here is one that gdbm goes on with,
// splits, and leaves in a shape that is read here.
func TestGDBM(t *testing.T) {
	venvs := peers.AllBeakers(t)
	at := slices.IndexFunc(venvs, func(v peers.Venv) bool { return exec.Command(v.Exe, "-c", "import dbm.gnu").Run() == nil })
	if at < 0 {
		peers.Missing(t, errors.New("no Python has gdbm (Debian: python3-gdbm)"))
	}
	s := open(t, Options{Format: GNU})
	all := []gnuEntry{{gnuHash("session"), []byte("session"), []byte("N.")}}
	for n := range 150 {
		key := fmt.Sprint("key", n)
		all = append(all, gnuEntry{gnuHash(key), []byte(key), make([]byte, n*40)})
	}
	file, err := appendGNU(nativeGNU(), all)
	require.NoError(t, err)
	lay(t, s, map[string]string{"": string(file)})
	out, err := exec.Command(venvs[at].Exe, "-c", gdbmPeer, s.base(testID)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, pyvalue.None{}, v)
	require.NoError(t, withGNU(s.base(testID), func(f *gnuFile) error {
		for n := 1; n < 1500; n += 2 {
			want := n * 3
			if n < 150 {
				want = n * 40
			}
			v, err := f.get(fmt.Sprint("key", n), 1<<20)
			require.NoError(t, err)
			require.Len(t, v, want)
			gone, err := f.get(fmt.Sprint("key", n-1), 1<<20)
			require.NoError(t, err)
			require.Nil(t, gone)
		}
		all, err := f.all(1 << 30)
		require.Len(t, all, 751)
		return err
	}))
	require.ErrorIs(t, s.Put(t.Context(), testID, pyvalue.Str("x")), errGNUKeys, "the other keys are not lost")
}
