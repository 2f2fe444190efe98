// Package livestores are the places where the live tests keep sessions: every back
// end of Beaker, on a real server where it has one, and the options by which a
// Python and gobeaker come to the same place.
package livestores

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// Set is every kind of place. Servers are started when they are first needed, and
// stop when the test that made the set ends.
type Set struct {
	owner  testing.TB
	shared map[string]*server
	tables atomic.Int64 // so far
}

// New returns a set whose servers last as long as t.
func New(t testing.TB) *Set {
	s := &Set{owner: t, shared: map[string]*server{}}
	for name := range starters {
		s.shared[name] = &server{}
	}
	return s
}

// Kind is a back end, and the client by which Beaker comes to it.
type Kind struct {
	Name string
	// Type is Beaker's: "ext:redis".
	Type string
	// Rare is a kind that not every machine can have an environment for.
	Rare bool

	needs [][]string              // one of each of these distributions
	since compat.Release          // Beaker's; zero: any that the tests have
	until compat.Release          // the first that has it no more
	has   func(v peers.Venv) bool // what else it takes, if not nil
	place func(t testing.TB, s *Set, v peers.Venv) Place
}

// Kinds are all kinds, or with -short one of each type; the files as the control first.
func Kinds() []Kind { return few(slices.Clone(kinds)) }

// few are, with -short, the first of each type; ext:sqla is much like ext:database.
func few(all []Kind) []Kind {
	if !testing.Short() {
		return all
	}
	seen := map[string]bool{"ext:sqla": true}
	return slices.DeleteFunc(all, func(k Kind) bool {
		before := seen[k.Type]
		seen[k.Type] = true
		return before
	})
}

// Of are the kinds that an environment is there for: all that it has, or, where it was
// made for pylibmc or is the machine's own Python, what the others lack.
func Of(t testing.TB, v peers.Venv) []Kind {
	t.Helper()
	_, special := v.Packages["pylibmc"]
	return few(slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return special && !k.Rare || !k.On(t, v) }))
}

// On reports whether this Python has what it takes.
func (k Kind) On(t testing.TB, v peers.Venv) bool {
	peer, err := compat.ParsePeer("beaker-" + v.Beaker)
	if err != nil {
		t.Fatal(err)
	}
	if peer.Release().Compare(k.since) < 0 || k.until.Major > 0 && peer.Release().Compare(k.until) >= 0 {
		return false
	}
	for _, some := range k.needs {
		if !slices.ContainsFunc(some, func(name string) bool { return v.Packages[name] != "" }) {
			return false
		}
	}
	return k.has == nil || k.has(v)
}

// Place makes a new place, for the environment that shares it with Go.
func (s *Set) Place(t testing.TB, k Kind, v peers.Venv) Place {
	t.Helper()
	p := k.place(t, s, v)
	p.Kind = k
	return p
}

// Files returns a new directory for files, which every Python can use.
func Files(t testing.TB) Place {
	p := inDirectory(t, nil, peers.Venv{})
	p.Kind = kinds[0]
	return p
}

// Place is where a test keeps its sessions.
type Place struct {
	Kind Kind
	// Servers are the addresses of the servers behind it.
	Servers []string

	both, python, gopher options
}

// options as an ini has them, without a prefix.
type options map[string]string

// Beaker are the options for the Python of the place, and more. Those that no ini can
// hold (a Table) are made by scripts/beakeroptions.py.
func (p Place) Beaker(more map[string]any) map[string]any {
	all := map[string]any{"type": p.Kind.Type}
	for _, some := range []options{p.both, p.python} {
		for name, value := range some {
			all[name] = value
		}
	}
	maps.Copy(all, more)
	return all
}

// Ini writes an ini for gobeaker, with more options, and returns its path.
func (p Place) Ini(t testing.TB, more map[string]string) string {
	t.Helper()
	all := options{"type": p.Kind.Type}
	for _, some := range []map[string]string{p.both, p.gopher, more} {
		maps.Copy(all, some)
	}
	var text strings.Builder
	text.WriteString("[app:main]\nuse = egg:live\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "beaker.session.%s = %s\n", name, strings.ReplaceAll(all[name], "%", "%%"))
	}
	path := filepath.Join(t.TempDir(), "live.ini")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Options are what gobeaker reads in that ini, with this peer.
func (p Place) Options(t testing.TB, peer compat.Peer, more map[string]string) compat.Options {
	t.Helper()
	o, err := ReadIni(p.Ini(t, more))
	if err != nil {
		t.Fatal(err)
	}
	o.Peer = peer
	return o
}

// ReadIni reads what Ini wrote.
func ReadIni(path string) (compat.Options, error) {
	conf, err := iniconf.Load(path, iniconf.LoadOptions{})
	if err != nil {
		return compat.Options{}, err
	}
	o, _, err := conf.Session()
	return o, err
}

// server is one that the tests of a set share.
type server struct {
	mu      sync.Mutex
	running *running
}

// running is what there is to know of servers that run.
type running struct {
	addresses []string
	url       string // "" if the addresses say it all
}

// start returns the servers of a name, and starts them if need be.
func (s *Set) start(t testing.TB, name string) *running {
	t.Helper()
	one := s.shared[name]
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.running == nil {
		one.running = starters[name](lasting{t, s.owner})
	}
	return one.running
}

// lasting is a test that skips and fails for itself, while what it cleans up lasts as
// long as its owner.
type lasting struct {
	testing.TB
	owner testing.TB
}

func (l lasting) Cleanup(f func()) { l.owner.Cleanup(f) }
func (l lasting) TempDir() string  { return l.owner.TempDir() }
