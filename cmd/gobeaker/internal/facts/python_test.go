package facts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// script makes a program that stands in for a Python which is none.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700))
	return path
}

// TestNoPython: what is no Python is told, without what it says.
func TestNoPython(t *testing.T) {
	for name, c := range map[string]struct {
		exe  string
		kind ProblemKind
		says string
	}{
		"not there":           {"/nowhere/python", Missing, "cannot be started"},
		"not on the path":     {"python-of-nobody", Missing, "cannot be started"},
		"no program":          {"testdata", Missing, "cannot be started"},
		"it ends":             {script(t, "exit 3"), Failed, "does not answer as a Python"},
		"it complains":        {script(t, "echo 'ImportError: kept-secret-1' >&2; exit 1"), Failed, "(ImportError)"},
		"it says much":        {script(t, "head -c 5000000 /dev/zero | tr '\\0' x"), Failed, "does not answer"},
		"it says nonsense":    {script(t, "read x; echo hello"), Failed, "does not answer"},
		"a broken Beaker":     {script(t, `read x; echo '{"python": "3.9.1", "error": "SyntaxError"}'`), Missing, "cannot be imported: SyntaxError"},
		"no version":          {script(t, `read x; echo '{"python": "3.9.1", "from": "/x"}'`), Failed, "does not tell its version"},
		"a Beaker of 2040":    {script(t, `read x; echo '{"python": "3.9.1", "beaker": "2.0"}'; read y`), Failed, "peer"},
		"a time beyond all":   {script(t, `read x; echo '{"python": "3.9.1", "time": 1e300}'`), Failed, "does not answer"},
		"a time before all":   {script(t, `read x; echo '{"python": "3.9.1", "time": -1e300}'`), Failed, "does not answer"},
		"it leaves a child":   {script(t, "sleep 90 & exit 3"), Failed, "does not answer"},
		"the script stumbles": {script(t, `read x; echo '{"failed": "KeyError"}'`), Failed, "KeyError"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.exe == "testdata" {
				c.exe = t.TempDir()
			}
			p := probe(t, c.exe, options(signed))
			require.NotNil(t, p.Problem)
			if name != "no program" {
				require.Equal(t, c.kind, p.Problem.Kind, p.Problem.Text)
			}
			require.Contains(t, p.Problem.Text, c.says)
			requireDiscreet(t, p)
		})
	}
}

// TestNoBeaker: a Python without one is no problem, but there is no round trip.
func TestNoBeaker(t *testing.T) {
	for _, py := range peers.Pythons(t) {
		p := probe(t, py.Exe, options(signed))
		if p.Beaker != "" { // somebody has installed it there
			continue
		}
		require.Nil(t, p.Problem)
		require.True(t, strings.HasPrefix(p.Python, py.Name()+"."))
		require.Equal(t, "auto", p.Name)
		require.Nil(t, p.Trip)
	}
}

// TestSlowPython: one that hangs is given up.
func TestSlowPython(t *testing.T) {
	p := ProbePython(t.Context(), ProbeOptions{Exe: script(t, "exec sleep 600"), Options: options(), Python: options(), Time: 50 * time.Millisecond})
	require.Equal(t, TimedOut, p.Problem.Kind)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = ProbePython(ctx, ProbeOptions{Exe: script(t, "exec sleep 600"), Options: options(), Python: options()})
	require.Equal(t, TimedOut, p.Problem.Kind)
}

// TestNoTemporaryDirectory: without one nothing is tried.
func TestNoTemporaryDirectory(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere")
	p := ProbePython(t.Context(), ProbeOptions{Exe: "python", Options: options(), Python: options()})
	require.Equal(t, Missing, p.Problem.Kind)
	require.Contains(t, p.Problem.Text, "temporary directory")
}

// TestBeakerStumbles: what a Beaker says when it cannot write or read is told.
func TestBeakerStumbles(t *testing.T) {
	exe := script(t, `read x; echo '{"python": "3.9.1", "beaker": "1.13.0"}'
read x; echo '{"failed": "InvalidCryptoBackendError: said"}'
read x; echo '{"failed": "ValueError: it is kept-secret-1"}'`)
	p := probe(t, exe, options(signed))
	require.Nil(t, p.Problem)
	require.Equal(t, Leg{Why: "Beaker does not write a session: InvalidCryptoBackendError: said"}, p.Trip.ToGo)
	require.Equal(t, "text pickle", p.Trip.ToPython.Form)
	require.Equal(t, "it failed, and a key stands in what was said about it", p.Trip.ToPython.Why)

	p = probe(t, script(t, `read x; echo '{"python": "3.9.1", "beaker": "1.13.0"}'
read x; echo '{"cookie": ""}'
read x; echo '{"values": {"text": "x"}}'`), options(signed))
	require.Equal(t, "Beaker has sent no cookie", p.Trip.ToGo.Why)
	require.Contains(t, p.Trip.ToPython.Why, `under "text" is something else`)

	p = probe(t, script(t, `read x; echo '{"python": "3.9.1", "beaker": "1.13.0"}'; read y`), options(cookieOnly))
	require.Contains(t, p.Trip.ToGo.Why, "does not answer")
	require.Contains(t, p.Trip.ToPython.Why, "does not answer")
	require.Equal(t, "text pickle", p.Trip.ToPython.Form)
}

// TestEnvironmentIsKept: Python gets no keys by its arguments or its environment.
func TestEnvironmentIsKept(t *testing.T) {
	t.Setenv("GOBEAKER_SECRET", testSecret)
	seen := filepath.Join(t.TempDir(), "seen")
	probe(t, script(t, `(env; echo "$@") > `+seen), options(signed, sealed))
	text, err := os.ReadFile(seen)
	require.NoError(t, err)
	require.Contains(t, string(text), "PYTHONDONTWRITEBYTECODE=1")
	for _, key := range []string{testSecret, testValidate, testEncrypt} {
		require.NotContains(t, string(text), key)
	}
}

func TestPeerOf(t *testing.T) {
	for _, c := range []struct {
		told told
		want string
	}{
		{told{Python: "2.7.18", Beaker: "1.6.5.post1", Takes: "pycryptopp"}, "beaker-1.6/python2/pycryptopp"},
		{told{Python: "3.13.0", Beaker: "1.14.1", Takes: "cryptography", Client: "memcache", Packages: map[string]string{"python-memcached": "1.62"}}, "beaker-1.14/python3/cryptography/python-memcached"},
		{told{Python: "2.7.18", Beaker: "1.11", Client: "memcache", Packages: map[string]string{"python-memcached": "1.59"}}, "beaker-1.11/python2/python-memcached-1.59"},
		{told{Python: "3.9.1", Beaker: "1.13.0", Takes: "jcecrypto", Client: "pylibmc"}, "beaker-1.13/python3/pylibmc"},
		{told{Python: "3.9.1", Beaker: "1.13.0", Client: "bmemcached"}, "beaker-1.13/python3"},
		{told{}, "auto"},
	} {
		p, err := peerOf(c.told)
		require.NoError(t, err)
		require.Equal(t, c.want, p.String())
	}
	_, err := peerOf(told{Beaker: "0.9"})
	require.ErrorContains(t, err, "doctor: python: ")
	require.Empty(t, releaseOf("dev"))
	require.True(t, isOldMemcached("1.48"))
	require.False(t, isOldMemcached(""))
}

func TestProblem(t *testing.T) {
	require.Nil(t, problem(nil))
	require.Equal(t, Failed, problem(errors.New("x")).Kind)
	require.Equal(t, NotAllowed, problem(errNotAllowed).Kind)
	require.Equal(t, Missing, problem(os.ErrNotExist).Kind)
}

// TestNoChildren: what a Python started ends with it.
func TestNoChildren(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pid")
	probe(t, script(t, "sleep 90 & echo $! > "+pids+"; exit 3"), options(signed))
	text, err := os.ReadFile(pids)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a zombie until init has waited for it
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 10*time.Second, 10*time.Millisecond)
}

// TestTells: a key is found in a text however it is written there.
func TestTells(t *testing.T) {
	const key = "corr\u00e9ct/horse \"battery\" staple"
	encoded, err := json.Marshal(key)
	require.NoError(t, err)
	for _, shown := range []string{
		key, fmt.Sprintf("%q", key), fmt.Sprintf("%+q", key), string(encoded), url.QueryEscape(key), fmt.Sprintf("%x", key),
		fmt.Sprintf("%X", key), base64.StdEncoding.EncodeToString([]byte(key)), base64.URLEncoding.EncodeToString([]byte(key)),
		"…/horse \"batt…", strings.ToUpper(key), "staple\" " + key[3:22],
	} {
		require.True(t, tells("ValueError: bad: "+shown+".", key), shown)
	}
	require.True(t, tells("no secrets here", "secret"))
	require.False(t, tells("a horse and a staple", key))
	require.False(t, tells("abc", "abc"), "that may be anything")
}

// TestInterpreter: a virtual environment stands for its Python, and whatever it is, it is
// found from another directory.
func TestInterpreter(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	python := filepath.Join(dir, "env", "bin", "python")
	require.NoError(t, os.MkdirAll(filepath.Dir(python), 0o700))
	_, err := interpreter("env")
	require.Error(t, err)
	require.NoError(t, os.WriteFile(python, nil, 0o700))
	t.Setenv("PATH", filepath.Dir(python))
	for _, exe := range []string{filepath.Join(dir, "env"), "env", "./env", "env/bin/python", "./env/bin/python", python, "python"} {
		got, err := interpreter(exe)
		require.NoError(t, err, exe)
		require.Equal(t, python, got, exe)
	}
	_, err = interpreter("python7")
	require.Equal(t, Missing, problem(err).Kind)
}
