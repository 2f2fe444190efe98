package cli_test

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// collect is "collect DIR fixture…": it puts the records of file fixtures, which may be
// named by patterns, into one data_dir.
func collect(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: collect DIR fixture…")
	}
	n := 0
	for _, fixture := range args[1:] {
		found, err := filepath.Glob(filepath.Join(ts.Getenv("FIXTURES"), "file", fixture, "tree", "container_file", "*", "*", "*.cache"))
		ts.Check(err)
		for _, path := range found {
			data, err := os.ReadFile(path)
			ts.Check(err)
			below, err := filepath.Rel(filepath.Join(path, "..", "..", ".."), path)
			ts.Check(err)
			to := filepath.Join(ts.MkAbs(args[0]), "container_file", below)
			ts.Check(os.MkdirAll(filepath.Dir(to), 0o755))
			ts.Check(os.WriteFile(to, data, 0o644))
			n++
		}
	}
	if n == 0 {
		ts.Fatalf("no such fixtures")
	}
}
