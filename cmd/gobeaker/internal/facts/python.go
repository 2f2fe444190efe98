package facts

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/compat"
)

//go:embed probe.py
var probeScript string

// defaultProbeTime is how long a Python may take, for all that it is asked.
const defaultProbeTime = 30 * time.Second

// maxAnswer bounds what a Python may say, in bytes.
const maxAnswer = 1 << 20

// ProbeOptions say which Python [ProbePython] asks, and for which options.
type ProbeOptions struct {
	// Exe is the interpreter: a path, a name on the PATH, or the directory of a virtual
	// environment.
	Exe string
	// Options are those of the Go side, and Python those of the Python side, which are
	// the same for a side that both read.
	Options, Python compat.Options
	// Go: Options are those of a Go program, which writes for the peer that they name and,
	// with auto, for none. Otherwise auto stands for the Python that is asked.
	Go bool
	// NoTrip: only what Python tells, no session.
	NoTrip bool
	// Time bounds all of it; 0: 30 seconds.
	Time time.Duration
}

// ProbePython runs a Python and has it tell which Beaker and which libraries it has.
// Then, if it has a Beaker, a session goes from Python to Go and back, with these options,
// in a temporary directory of its own. The application is not imported. Keys go over
// pipes. What goes wrong is in Probe.Problem and Probe.Trip.
func ProbePython(ctx context.Context, o ProbeOptions) *Probe {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.Time, defaultProbeTime))
	defer cancel()
	p := &Probe{Exe: o.Exe, Crypto: []Module{}, Memcached: []Module{}, Packages: []Module{}}
	dir, err := os.MkdirTemp("", "gobeaker-doctor-") // mode 0700
	if err != nil {
		p.Problem = problem(fmt.Errorf("doctor: no temporary directory: %w", err))
		return p
	}
	defer func() { _ = os.RemoveAll(dir) }()
	exe, err := interpreter(o.Exe)
	var py *python
	if err == nil {
		py, err = startPython(ctx, exe, dir)
	}
	if err == nil {
		defer py.end()
		err = p.tell(py, o.Python)
	}
	if err == nil && p.Beaker != "" && !o.NoTrip {
		p.Trip = takeTrip(ctx, py, dir, o, p.Peer)
	}
	if p.Problem == nil {
		p.Problem = problem(err)
	}
	return p
}

// AskPython has a Python tell which Beaker and which libraries it has, as those are taken
// without any options: what decides how an ini is read. No session is made.
func AskPython(ctx context.Context, exe string) *Probe {
	return ProbePython(ctx, ProbeOptions{Exe: exe, NoTrip: true})
}

// interpreter finds the program: that of a virtual environment, or one on the PATH. It is
// absolute, for it is run in another directory.
func interpreter(exe string) (string, error) {
	if info, err := os.Stat(exe); err == nil && info.IsDir() {
		inside := filepath.Join(exe, "Scripts", "python.exe")
		if _, err := os.Stat(inside); err != nil {
			inside = filepath.Join(exe, "bin", "python")
		}
		exe = inside
	}
	if filepath.Base(exe) != exe { // else a name, which LookPath looks for on the PATH alone
		absolute, err := filepath.Abs(exe)
		if err != nil {
			return "", fmt.Errorf("doctor: python: it cannot be started: %w", err)
		}
		exe = absolute
	}
	found, err := exec.LookPath(exe)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return "", fmt.Errorf("doctor: python: it cannot be started: %w", err)
	}
	return found, nil
}

// python is a running probe.py.
type python struct {
	ctx  context.Context
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	pipe *os.File // behind out
	errs *tail
	over chan struct{} // closed when it has ended
}

// startPython starts the script in a directory in which there is nothing to import.
func startPython(ctx context.Context, exe, dir string) (*python, error) {
	cmd := exec.CommandContext(ctx, exe, "-B", "-c", probeScript)
	cmd.Dir = dir
	cmd.Env = []string{}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOBEAKER_") { // there may be keys in them, which are none of its business
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore", "PWD="+dir)
	cmd.WaitDelay = afterwards
	inGroup(cmd)
	p := &python{ctx: ctx, cmd: cmd, errs: &tail{}, over: make(chan struct{})}
	cmd.Stderr = p.errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("doctor: python: %w", err)
	}
	out, write, err := os.Pipe() // StdoutPipe cannot be waited for while it is read
	if err != nil {
		return nil, fmt.Errorf("doctor: python: %w", err)
	}
	cmd.Stdout = write
	p.in, p.pipe, p.out = in, out, bufio.NewReader(io.LimitReader(out, maxAnswer))
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("doctor: python: it cannot be started: %w", err)
	}
	go func() {
		_ = cmd.Wait()
		_ = cmd.Cancel() // what it started and left running
		_ = out.SetReadDeadline(time.Now().Add(afterwards))
		close(p.over)
	}()
	return p, nil
}

// afterwards is how long what a Python started may keep its pipes open when it has ended.
const afterwards = 500 * time.Millisecond

// end stops the script, which has nothing to finish, and all that it started.
func (p *python) end() {
	_ = p.in.Close()
	select {
	case <-p.over: // its number may be another one's by now
	default:
		_ = p.cmd.Cancel()
		<-p.over
	}
	_ = p.pipe.Close()
}

// await waits for the end of a script that says no more.
func (p *python) await() {
	_ = p.in.Close()
	<-p.over
}

// errPython: the Python is none, or has none of what the script needs.
var errPython = errors.New("it does not answer as a Python 2.7 or 3 does")

// ask puts a question and decodes the answer.
func (p *python) ask(question map[string]any, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("doctor: python: %w", err)
	}
	_, wrote := p.in.Write(append(line, '\n'))
	text, err := p.out.ReadBytes('\n')
	switch {
	case p.ctx.Err() != nil:
		return fmt.Errorf("doctor: python: %w", p.ctx.Err())
	case (err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded)) && len(text) < maxAnswer:
		p.await()
		return fmt.Errorf("doctor: python: %w%s", errPython, p.errs.lastLine())
	case wrote != nil || err != nil:
		return fmt.Errorf("doctor: python: %w", errPython)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("doctor: python: %w", errPython)
	}
	return nil
}

// tail keeps the beginning of what a Python complains about.
type tail struct{ kept bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	const most = 16 << 10
	t.kept.Write(p[:min(len(p), max(most-t.kept.Len(), 0))])
	return len(p), nil
}

// onlyKind is the last line of a traceback, the name of the exception alone.
var onlyKind = regexp.MustCompile(`^[A-Za-z_.]+(Error|Exception|Exit|Interrupt)\b`)

// lastLine tells the kind of the exception, as there may be anything else in the line.
func (t *tail) lastLine() string {
	lines := strings.Split(strings.TrimSpace(t.kept.String()), "\n")
	if kind := onlyKind.FindString(lines[len(lines)-1]); kind != "" {
		return " (" + kind + ")"
	}
	return ""
}

// told is what the script tells.
type told struct {
	Python, Beaker, From, Error, Failed string
	Time                                float64
	Takes                               string
	TakesNot                            string `json:"takes_not"`
	Libraries, Clients                  []struct {
		Name  string
		There bool
		Error string
	}
	Client   string
	Packages map[string]string
}

// tell asks what there is.
func (p *Probe) tell(py *python, o compat.Options) error {
	var t told
	asked := time.Now()
	err := py.ask(map[string]any{"do": "tell", "crypto_type": o.CryptoType, "memcache_module": o.Extra["memcache_module"]}, &t)
	if err != nil {
		return err
	}
	took := time.Since(asked)
	if t.Time < 0 || t.Time > latest {
		return fmt.Errorf("doctor: python: %w", errPython)
	}
	p.Python, p.Beaker, p.From, p.Takes, p.TakesNot = t.Python, t.Beaker, t.From, t.Takes, t.TakesNot
	p.Skew = unixTime(t.Time).Sub(asked.Add(took / 2))
	p.skewWithin = took / 2
	switch {
	case t.Failed != "":
		p.Problem = &Problem{Failed, "doctor: python: " + t.Failed}
	case t.Error != "":
		p.Problem = &Problem{Missing, "doctor: python: Beaker cannot be imported: " + t.Error}
	case t.Beaker == "" && t.From != "":
		p.Problem = &Problem{Failed, "doctor: python: its Beaker does not tell its version"}
	}
	p.modules(t)
	p.Peer, err = peerOf(t)
	p.Name = p.Peer.String()
	if err != nil && p.Problem == nil {
		p.Problem = &Problem{Failed, err.Error()}
	}
	return nil
}

// latest is a time of Python, the year 9999, beyond which nothing can be reckoned.
const latest = 253402300800

// unixTime is time.time() of Python.
func unixTime(seconds float64) time.Time { return time.UnixMicro(int64(seconds * 1e6)) }

// distributions are those that a module comes from.
var distributions = map[string][]string{
	"nss": {"python-nss"}, "pycryptopp": {"pycryptopp"}, "pycrypto": {"pycryptodome", "pycrypto"}, "cryptography": {"cryptography"},
	"pylibmc": {"pylibmc"}, "memcache": {"python-memcached"}, "bmemcached": {"python-binary-memcached"},
}

// ofEra says whether a Beaker can use a library at all.
func ofEra(beaker, library string) bool {
	name := "beaker-" + releaseOf(beaker) + "/" + library
	_, err := compat.ParsePeer(name)
	return err == nil
}

// modules takes over which libraries there are.
func (p *Probe) modules(t told) {
	shown := map[string]bool{"beaker": true}
	module := func(name string) Module {
		m := Module{Name: name}
		for _, d := range distributions[name] {
			if v := t.Packages[d]; v != "" && m.Version == "" {
				m.Name, m.Version = d, v
			}
			shown[d] = true
		}
		return m
	}
	for _, l := range t.Libraries {
		m := module(l.Name)
		m.Usable, m.Error = l.There && ofEra(t.Beaker, l.Name), l.Error
		if l.There || l.Error != "" || m.Version != "" {
			p.Crypto = append(p.Crypto, m)
		}
	}
	for _, c := range t.Clients {
		m := module(c.Name)
		m.Usable, m.Error = c.Name == t.Client, c.Error
		p.Memcached = append(p.Memcached, m)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Packages)) {
		if !shown[name] {
			p.Packages = append(p.Packages, Module{Name: name, Version: t.Packages[name], Usable: true})
		}
	}
}

var threeNumbers = regexp.MustCompile(`^(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?`)

// releaseOf takes the numbers out of a version: of "1.6.5.post1" it is 1.6.5.
func releaseOf(version string) string {
	m := threeNumbers.FindStringSubmatch(version)
	if m == nil {
		return ""
	}
	return m[1] + "." + m[2] + "." + cmp.Or(m[3], "0")
}

// peerOf makes a peer of what a Python tells.
func peerOf(t told) (compat.Peer, error) {
	if t.Beaker == "" {
		return compat.Peer{}, nil
	}
	name := "beaker-" + releaseOf(t.Beaker)
	if major, _, _ := strings.Cut(t.Python, "."); major == "2" || major == "3" {
		name += "/python" + major
	}
	if t.Takes != "" && ofEra(t.Beaker, t.Takes) {
		name += "/" + t.Takes
	}
	switch version := t.Packages["python-memcached"]; {
	case t.Client == "pylibmc":
		name += "/pylibmc"
	case t.Client == "memcache" && isOldMemcached(version):
		name += "/python-memcached-1.59"
	case t.Client == "memcache":
		name += "/python-memcached"
	}
	peer, err := compat.ParsePeer(name)
	if err != nil {
		return peer, fmt.Errorf("doctor: python: %w", err)
	}
	return peer, nil
}

// isOldMemcached: up to 1.59 it does some things otherwise.
func isOldMemcached(version string) bool {
	m := threeNumbers.FindStringSubmatch(version)
	return m != nil && m[1] == "1" && len(m[2]) <= 2 && m[2] < "60"
}
