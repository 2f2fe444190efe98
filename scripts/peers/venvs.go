package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Venv is a Python with a Beaker, made by scripts/setup-peers.
type Venv struct {
	Name        string `json:"name"`        // "py3.13-beaker1.14.1"
	Python      string `json:"python"`      // "3.13.0"
	Beaker      string `json:"beaker"`      // "1.14.1"
	PasteDeploy string `json:"pastedeploy"` // "3.1.0", or "" if it has none
	Exe         string `json:"exe"`         // its interpreter
}

// Python2 reports whether it is a Python 2.
func (v Venv) Python2() bool { return strings.HasPrefix(v.Python, "2.") }

// Peer is the venv's Beaker by the name that compat.ParsePeer reads, such as
// "beaker-1.11/python2".
func (v Venv) Peer() string {
	parts := strings.SplitN(v.Beaker, ".", 3)
	name := "beaker-" + strings.Join(parts[:min(2, len(parts))], ".")
	if v.Python2() {
		return name + "/python2"
	}
	return name + "/python3"
}

// index is peers.json of scripts/setup-peers.
type index struct {
	Peers   []Venv `json:"peers"`
	Missing []struct {
		Name   string `json:"name"`
		Reason string `json:"reason"`
	} `json:"missing"`
}

// Beakers returns the environments that scripts/setup-peers has made, those of
// Python 3 first. If there is none the test is skipped; if GOBEAKER_REQUIRE_PEERS
// is 1 the test fails when any of the matrix is missing (Python 2.7 is part of
// the matrix only where the machine has one).
func Beakers(t testing.TB) []Venv {
	t.Helper()
	venvs, err := Load()
	switch {
	case err != nil && os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1":
		t.Fatalf("Python peers are required: %v", err)
	case len(venvs) == 0:
		t.Skipf("no Python peers: %v", err)
	case err != nil:
		t.Logf("some Python peers are left out: %v", err)
	}
	return venvs
}

// Load returns the environments that are there, and an error that names those
// that are not.
func Load() ([]Venv, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "peers.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("run scripts/setup-peers first")
	}
	if err != nil {
		return nil, err
	}
	var all index
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, errors.New("peers.json is not what scripts/setup-peers writes; run it again")
	}
	var venvs []Venv
	missing := map[string][]string{} // names by reason
	for _, v := range all.Peers {
		if _, err := os.Stat(v.Exe); err != nil {
			const reason = "gone; run scripts/setup-peers"
			missing[reason] = append(missing[reason], v.Name)
			continue
		}
		venvs = append(venvs, v)
	}
	for _, m := range all.Missing {
		missing[m.Reason] = append(missing[m.Reason], m.Name)
	}
	var errs []error
	for _, reason := range slices.Sorted(maps.Keys(missing)) {
		errs = append(errs, fmt.Errorf("%s: %s", strings.Join(missing[reason], ", "), reason))
	}
	return venvs, errors.Join(errs...)
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
