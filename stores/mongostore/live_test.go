package mongostore

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/scripts/servers"
	"github.com/gobeaker/gobeaker/stores"
)

// pythonPeer has Beaker's sessions of type ext:mongodb. It gets a command, an id and a
// value on a line.
const pythonPeer = `
import sys
from beaker.session import Session

def session(id):
    return Session({}, id=id, use_cookies=False, type='ext:mongodb', url=sys.argv[1], invalidate_corrupt=False)

def write(id, value):
    s = session(id)
    s['v'] = value
    s.save()
    return 'saved'

def read(id):
    return str(session(id).get('v', 'nothing'))

commands = {'write': write, 'read': read}
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

func startPeer(t *testing.T, exe, url string) *peer {
	t.Helper()
	cmd := exec.Command(exe, "-c", pythonPeer, url)
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

// session returns the dict of a session, as Beaker 1.11 keeps it, itself, or as 1.12
// does, and what makes it such a value again.
func session(t *testing.T, v pyvalue.Value) (*pyvalue.Dict, func() pyvalue.Value) {
	t.Helper()
	if d, ok := v.(*pyvalue.Dict); ok {
		return d, func() pyvalue.Value { return d }
	}
	data, err := base64.StdEncoding.DecodeString(text(v))
	require.NoError(t, err)
	inner, err := pickle.Decode(data, pickle.OwnLimits())
	require.NoError(t, err)
	return inner.(*pyvalue.Dict), func() pyvalue.Value {
		data, err := pickle.Append(nil, inner, pickle.DefaultProtocol)
		require.NoError(t, err)
		return pyvalue.Str(base64.StdEncoding.EncodeToString(data))
	}
}

func text(v pyvalue.Value) string {
	switch v := v.(type) {
	case pyvalue.Str:
		return string(v)
	case pyvalue.Py2Str:
		return string(v)
	}
	return ""
}

// TestLive: what Python writes is read and changed here, and the reverse.
func TestLive(t *testing.T) {
	server := servers.Mongo(t)
	for _, venv := range peers.WithPackage(t, "pymongo") {
		if strings.HasPrefix(venv.Beaker, "1.6.") {
			continue // ext:mongodb is there since 1.9
		}
		t.Run(venv.Name, func(t *testing.T) {
			url := newURL(server)
			s := open(t, Options{URL: url})
			python := startPeer(t, venv.Exe, url)
			require.Equal(t, "nothing", python.ask("read", testID))
			require.Equal(t, "saved", python.ask("write", testID, "of Python"))
			for n := range 5 {
				want := fmt.Sprint("of Go, once of Python ", strings.Repeat("x", n*n*500))
				require.NoError(t, s.Update(t.Context(), testID, func(old pyvalue.Value) (pyvalue.Value, error) {
					d, again := session(t, old)
					v, _ := d.GetStr("v")
					require.Contains(t, text(v), "of Python")
					d.SetStr("v", pyvalue.Str(want))
					return again(), nil
				}))
				require.Equal(t, want, python.ask("read", testID))
				require.Equal(t, "saved", python.ask("write", testID, fmt.Sprint("of Python again ", n)))
			}
			testCopies(t, s, python)
			require.NoError(t, s.Delete(t.Context(), testID))
			require.Equal(t, "nothing", python.ask("read", testID))
		})
	}
}

// testCopies: what Put and Insert write anew, Python reads as well.
func testCopies(t *testing.T, s *Store, python *peer) {
	v, err := s.Get(t.Context(), testID)
	require.NoError(t, err)
	put, insert := strings.Replace(testID, "1", "2", 1), strings.Replace(testID, "1", "3", 1)
	require.NoError(t, s.Put(t.Context(), put, v))
	require.NoError(t, s.Insert(t.Context(), []stores.Record{{ID: insert, Value: v}})[0])
	for _, id := range []string{put, insert} {
		require.Equal(t, "of Python again 4", python.ask("read", id))
	}
	var ids []string
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		ids = append(ids, info.ID)
	}
	require.Equal(t, []string{testID, put, insert}, ids)
}
