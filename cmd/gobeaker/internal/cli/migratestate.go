package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat/migrate"
)

// stateEvery is how often the state is written at most.
const stateEvery = time.Second

// sinceMargin is how far the clocks of store and machine may differ: the local times
// in a database are an hour off in the night when summer time ends.
const sinceMargin = 2 * time.Hour

// migrateState is what --state remembers. The cursor may have an id in it, so the file
// is readable by its owner alone.
type migrateState struct {
	Version int    `json:"version"`
	From    string `json:"from"`
	To      string `json:"to"`
	// Began is when the pass began that is under way, or that was the last one.
	Began  time.Time `json:"began"`
	Cursor string    `json:"cursor,omitempty"` // of a pass that was broken off
	// Failed: the part of that pass that is done has left out records.
	Failed bool `json:"failed,omitempty"`
	// Last is when the last pass began that copied everything.
	Last time.Time `json:"last,omitzero"`
	// Stores tells apart what From and To do not: tables, databases of one server.
	Stores string `json:"stores"`

	path    string
	written time.Time
}

func openState(path string, from, to *openStore, now time.Time) (*migrateState, error) {
	s := &migrateState{Version: 1, From: from.where, To: to.where, Stores: storeName(from.options) + storeName(to.options), Began: now, path: path}
	data, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, s.save() // if it cannot be written, that is better known now
	case err != nil:
		return nil, fmt.Errorf("migrate: --state: %w", err)
	}
	var old migrateState
	if err := json.Unmarshal(data, &old); err != nil || old.Version != s.Version {
		return nil, fmt.Errorf("migrate: --state %s: this is no state of gobeaker migrate", path)
	}
	if old.From != s.From || old.To != s.To || old.Stores != s.Stores {
		return nil, fmt.Errorf("migrate: --state %s: it is of another migration, %s → %s", path, old.From, old.To)
	}
	old.path = path
	if old.Cursor == "" {
		old.Began, old.Failed = now, false
	}
	return &old, nil
}

// begin has a pass go on where it was broken off.
func (s *migrateState) begin(o *migrate.Options, delta bool) {
	o.Cursor = s.Cursor
	if delta && !s.Last.IsZero() {
		o.Since = s.Last.Add(-sinceMargin)
	}
}

func (s *migrateState) reached(cursor string, c migrate.Counts, now time.Time) error {
	s.Cursor = cursor
	s.Failed = s.Failed || c.Failed > 0
	if now.Sub(s.written) < stateEvery {
		return nil
	}
	s.written = now
	return s.save()
}

// ended notes the end of a pass. After one with failures, be it before it was broken off,
// nothing may be left out by the next.
func (s *migrateState) ended(c migrate.Counts, err error) error {
	s.Failed = s.Failed || c.Failed > 0
	if err != nil {
		return errors.Join(err, s.save())
	}
	if s.Cursor = ""; !s.Failed {
		s.Last = s.Began
	}
	return s.save()
}

// save replaces the file at once.
func (s *migrateState) save() error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("migrate: --state: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), ".migrate-*.temp") // for its owner alone
	if err != nil {
		return fmt.Errorf("migrate: --state: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("migrate: --state: %w", err)
	}
	return nil
}

// mostShown is how many problems are told on standard error.
const mostShown = 10

// problemReport tells what could not be copied.
type problemReport struct {
	file    *os.File // nil: there is none
	w       *bufio.Writer
	stderr  io.Writer
	showIDs bool
	n       int
	err     error
}

// openReport makes the file. One that there is is somebody's, but for an empty one; a report
// is added to if the pass may be one that goes on.
func openReport(path string, showIDs, goesOn bool, stderr io.Writer) (*problemReport, error) {
	r := &problemReport{stderr: stderr, showIDs: showIDs}
	if path == "" {
		return r, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		switch old, problem := readFile(path); {
		case problem != nil:
			return nil, fmt.Errorf("migrate: --report: %w", problem)
		case len(old) == 0, goesOn && strings.HasPrefix(string(old), `{"session":"`):
			f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		case goesOn:
			return nil, fmt.Errorf("migrate: --report %s: there is such a file, and it is no report; name another one", path)
		default:
			return nil, fmt.Errorf("migrate: --report %s: there is such a file; name another one", path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: --report: %w", err)
	}
	r.file, r.w = f, bufio.NewWriter(f)
	return r, nil
}

func (r *problemReport) problem(p migrate.Problem) {
	hash := beakerfmt.HashID(p.ID)
	if r.n++; r.n <= mostShown {
		fmt.Fprintf(r.stderr, "gobeaker: migrate: session %s: %s: %s\n", hash, p.Reason, printable(strings.ReplaceAll(p.Err.Error(), "\n", "; ")))
	}
	if r.file == nil {
		return
	}
	line := struct {
		Session string         `json:"session"`
		ID      string         `json:"id,omitempty"`
		Reason  migrate.Reason `json:"reason"`
		Error   string         `json:"error"`
	}{Session: hash, Reason: p.Reason, Error: p.Err.Error()}
	if r.showIDs {
		line.ID = p.ID
	}
	enc := json.NewEncoder(r.w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); r.err == nil { // with a full disk they all fail
		r.err = err
	}
}

// close says how many problems there were beyond those that were shown.
func (r *problemReport) close(path string) error {
	switch {
	case r.n > mostShown && r.file == nil:
		fmt.Fprintf(r.stderr, "gobeaker: migrate: %d more; --report FILE has all of them\n", r.n-mostShown)
	case r.n > mostShown:
		fmt.Fprintf(r.stderr, "gobeaker: migrate: %d more in %s\n", r.n-mostShown, path)
	}
	if r.file == nil {
		return nil
	}
	if err := errors.Join(r.err, r.w.Flush(), r.file.Close()); err != nil {
		return fmt.Errorf("migrate: --report: %w", err)
	}
	return nil
}
