// Package peers finds the Pythons that the tests compare with.
package peers

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Python is an interpreter.
type Python struct {
	Exe   string // its path
	Major int
	Minor int
}

// Name is "2.7" or the like.
func (p Python) Name() string { return strconv.Itoa(p.Major) + "." + strconv.Itoa(p.Minor) }

// HighestProtocol is the newest protocol of pickle that it has.
func (p Python) HighestProtocol() int {
	switch {
	case p.Major < 3:
		return 2
	case p.Minor < 8:
		return 4
	}
	return 5
}

// Supported reports whether it is a Python whose pickles the project compares
// with: 2.7, and 3.6 or later.
func (p Python) Supported() bool {
	return p.Major == 2 && p.Minor == 7 || p.Major == 3 && p.Minor >= 6
}

// Pythons returns the supported Pythons of this machine, one for each minor
// version, in order. It looks at those that GOBEAKER_PYTHONS lists (paths
// separated as in PATH); without that, at pyenv's and at PATH. If there is none
// the test is skipped, or fails if GOBEAKER_REQUIRE_PEERS is 1.
func Pythons(t testing.TB) []Python {
	t.Helper()
	found := map[string]Python{}
	for _, exe := range candidates() {
		p, err := probe(exe)
		if err != nil || !p.Supported() {
			continue
		}
		if _, known := found[p.Name()]; !known {
			found[p.Name()] = p
		}
	}
	var pythons []Python
	for _, p := range found {
		pythons = append(pythons, p)
	}
	slices.SortFunc(pythons, func(a, b Python) int { return (a.Major-b.Major)*1000 + a.Minor - b.Minor })
	if len(pythons) == 0 {
		const why = "no Python found: set GOBEAKER_PYTHONS to the paths of interpreters (2.7, 3.6 or later)"
		if os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return pythons
}

func candidates() []string {
	if list := os.Getenv("GOBEAKER_PYTHONS"); list != "" {
		return filepath.SplitList(list)
	}
	root := os.Getenv("PYENV_ROOT")
	if root == "" {
		home, _ := os.UserHomeDir()
		root = filepath.Join(home, ".pyenv")
	}
	out, _ := filepath.Glob(filepath.Join(root, "versions", "*", "bin", "python"))
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		for _, pattern := range []string{"python", "python[23]", "python[23].*[0-9]"} {
			more, _ := filepath.Glob(filepath.Join(dir, pattern))
			out = append(out, more...)
		}
	}
	return out
}

// probe asks an interpreter for its version.
func probe(exe string) (Python, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	const ask = "import sys, pickle; print('%d %d' % sys.version_info[:2])"
	out, err := exec.CommandContext(ctx, exe, "-c", ask).Output()
	if err != nil {
		return Python{}, err
	}
	fields := strings.Fields(string(out))
	if len(fields) != 2 {
		return Python{}, errors.New("peers: probe: no version")
	}
	p := Python{Exe: exe}
	p.Major, _ = strconv.Atoi(fields[0])
	p.Minor, _ = strconv.Atoi(fields[1])
	return p, nil
}
