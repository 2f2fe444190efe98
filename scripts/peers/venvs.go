package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Venv is a Python with a Beaker, made by scripts/setup-peers.
type Venv struct {
	Name        string            `json:"name"`        // "py3.13-beaker1.14.1"
	Group       string            `json:"group"`       // "test", "stores", "frameworks" or "fixtures"
	Python      string            `json:"python"`      // "3.13.0"
	Beaker      string            `json:"beaker"`      // "1.14.1"
	PasteDeploy string            `json:"pastedeploy"` // "3.1.0", or "" if it has none
	Exe         string            `json:"exe"`         // its interpreter
	Packages    map[string]string `json:"packages"`    // versions of all distributions, by their names in lower case
}

// Python2 reports whether it is a Python 2.
func (v Venv) Python2() bool { return strings.HasPrefix(v.Python, "2.") }

// Peer is the venv's Beaker, with its client of memcached, by the name that
// compat.ParsePeer reads, such as "beaker-1.11/python2".
func (v Venv) Peer() string {
	parts := strings.SplitN(v.Beaker, ".", 3)
	name := "beaker-" + strings.Join(parts[:min(2, len(parts))], ".")
	if v.Python2() {
		name += "/python2"
	} else {
		name += "/python3"
	}
	if client := v.memcached(); client != "" {
		name += "/" + client
	}
	return name
}

// memcached is the client library that Beaker takes, "" if there is none.
func (v Venv) memcached() string {
	old := regexp.MustCompile(`^1\.[0-5]?\d(\.|$)`)
	switch version := v.Packages["python-memcached"]; {
	case v.Packages["pylibmc"] != "":
		return "pylibmc"
	case version == "":
		return ""
	case old.MatchString(version):
		return "python-memcached-1.59"
	}
	return "python-memcached"
}

// index is peers.json of scripts/setup-peers.
type index struct {
	Peers   []Venv `json:"peers"`
	Missing []lack `json:"missing"`
}

// lack is an environment that is not there. Packages are those that it would
// have been given.
type lack struct {
	Name     string            `json:"name"`
	Group    string            `json:"group"`
	Reason   string            `json:"reason"`
	Optional bool              `json:"optional"` // the machine need not have it
	Packages map[string]string `json:"packages"`
}

// Beakers returns the environments of the live tests with nothing but a Beaker of
// 1.6 or later, whose sessions have every verb, those of Python 3 first. If
// there is none the test is skipped; if GOBEAKER_REQUIRE_PEERS is 1 the test fails
// when any is missing (old Pythons are wanted only where the machine has them).
func Beakers(t testing.TB) []Venv {
	t.Helper()
	return choose(t, "a Beaker", func(v Venv) bool { return plain(v) && !strings.HasPrefix(v.Beaker, "1.5.") })
}

// AllBeakers is Beakers with those before 1.6, and with those that encrypt by
// nss.
func AllBeakers(t testing.TB) []Venv {
	t.Helper()
	return choose(t, "a Beaker", func(v Venv) bool { return v.Group == "test" })
}

// Stores returns the environments with the client libraries of Beaker's back ends, as
// Beakers does.
func Stores(t testing.TB) []Venv {
	t.Helper()
	return choose(t, "the clients of back ends", func(v Venv) bool { return v.Group == "stores" })
}

// WithPackage returns the environments, of Beakers and of frameworks, that have
// a distribution, such as "turbogears2"; names are in lower case. Where there is
// none it does as Beakers.
func WithPackage(t testing.TB, distribution string) []Venv {
	t.Helper()
	return choose(t, distribution, func(v Venv) bool {
		_, has := v.Packages[distribution]
		return has && v.Group != "fixtures"
	})
}

// plain reports whether a venv is one of the live tests without the module nss,
// which Beaker would take before any other.
func plain(v Venv) bool {
	_, nss := v.Packages["python-nss"]
	return v.Group == "test" && !nss
}

// choose returns the environments that a test wants, as Beakers says.
func choose(t testing.TB, what string, wanted func(Venv) bool) []Venv {
	t.Helper()
	all, err := read()
	if err != nil {
		Missing(t, err)
	}
	venvs, lacking := all.split()
	venvs = slices.DeleteFunc(venvs, func(v Venv) bool { return !wanted(v) })
	lacking = slices.DeleteFunc(lacking, func(l lack) bool {
		return !wanted(Venv{Group: l.Group, Packages: l.Packages, Beaker: l.Packages["beaker"]})
	})
	err = tell(lacking)
	required := slices.ContainsFunc(lacking, func(l lack) bool { return !l.Optional })
	switch {
	case required && os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1":
		t.Fatalf("peers are required: %v", err)
	case len(venvs) == 0:
		if err == nil {
			err = fmt.Errorf("none with %s: run scripts/setup-peers", what)
		}
		Missing(t, err)
	case err != nil:
		t.Logf("some Python peers are left out: %v", err)
	}
	return venvs
}

// Missing ends a test for which there is no peer: it is skipped, or fails if
// GOBEAKER_REQUIRE_PEERS is 1.
func Missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1" {
		t.Fatalf("peers are required: %v", err)
	}
	t.Skipf("no peers: %v", err)
}

// Load returns the environments that are there, of all groups, and an error that
// names those that are not.
func Load() ([]Venv, error) {
	all, err := read()
	if err != nil {
		return nil, err
	}
	venvs, lacking := all.split()
	return venvs, tell(lacking)
}

func read() (index, error) {
	dir, err := Dir()
	if err != nil {
		return index{}, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "peers.json"))
	if errors.Is(err, os.ErrNotExist) {
		return index{}, errors.New("run scripts/setup-peers first")
	}
	if err != nil {
		return index{}, err
	}
	var all index
	if err := json.Unmarshal(data, &all); err != nil {
		return index{}, errors.New("peers.json is not what scripts/setup-peers writes; run it again")
	}
	return all, nil
}

// split tells the environments that are there from those that are not, or no more.
func (all index) split() ([]Venv, []lack) {
	var there []Venv
	lacking := slices.Clone(all.Missing)
	for _, v := range all.Peers {
		if _, err := os.Stat(v.Exe); err != nil {
			lacking = append(lacking, lack{
				Name: v.Name, Group: v.Group, Packages: v.Packages, Reason: "gone; run scripts/setup-peers",
			})
			continue
		}
		there = append(there, v)
	}
	return there, lacking
}

// tell names what is missing, by reason; nil if nothing is.
func tell(lacking []lack) error {
	names := map[string][]string{}
	for _, l := range lacking {
		names[l.Reason] = append(names[l.Reason], l.Name)
	}
	var errs []error
	for _, reason := range slices.Sorted(maps.Keys(names)) {
		errs = append(errs, fmt.Errorf("%s: %s", strings.Join(names[reason], ", "), reason))
	}
	return errors.Join(errs...)
}

// Dir is where scripts/setup-peers puts the environments.
func Dir() (string, error) {
	if dir := os.Getenv("GOBEAKER_PEERS_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "gobeaker", "peers"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no home directory: set GOBEAKER_PEERS_DIR")
	}
	return filepath.Join(home, ".cache", "gobeaker", "peers"), nil
}

// Script returns the path of a file of the folder scripts, such as
// "peerapp.py": tests run in their own package's folder, so the module's root
// is looked for above the working directory.
func Script(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "scripts", filepath.FromSlash(name))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}
