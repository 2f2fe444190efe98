package upkeep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrBusy: another run is at work on the same store.
var ErrBusy = errors.New("another gc is at work on this store")

// State is a file in which a run keeps its place in the list, for the next one to go on
// if it is broken off. While it is open, nobody else opens it. It may hold a session
// id: it is readable for its owner alone.
type State struct {
	file  *os.File
	saved place
}

type place struct {
	// Store tells which store it is about: a cursor is worth nothing in another one.
	Store  string `json:"store"`
	Cursor string `json:"cursor"` // "" if the last run came to the end
}

// maxState bounds the size of the file.
const maxState = 64 << 10

// OpenState opens a state file, and makes it if it is missing. Store names the store;
// a place in another one, or one that a crash cut short, is none. If somebody else has it open the error is ErrBusy.
func OpenState(path, store string) (*State, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("upkeep: state: %w", err)
	}
	s := &State{file: f}
	if err := s.open(store); err != nil {
		return nil, errors.Join(fmt.Errorf("upkeep: state: %w", err), f.Close())
	}
	return s, nil
}

func (s *State) open(store string) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if err := lockState(s.file); err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(s.file, maxState))
	if err != nil {
		return err
	}
	var p place
	switch err := json.Unmarshal(data, &p); {
	case len(data) != 0 && !bytes.HasPrefix(data, []byte(`{"store":`)):
		return errors.New("it is another kind of file") // which is not to be written over
	case err == nil && p.Store == store:
		s.saved = p
	}
	s.saved.Store = store
	return nil
}

// Close closes the file and lets others have it. It stays where it is.
func (s *State) Close() error {
	if s == nil {
		return nil
	}
	return s.file.Close()
}

func (s *State) cursor() string {
	if s == nil {
		return ""
	}
	return s.saved.Cursor
}

// save writes the place over the old one; the file itself must stay, for it is locked.
func (s *State) save(cursor string) error {
	if s == nil {
		return nil
	}
	s.saved.Cursor = cursor
	data, err := json.Marshal(s.saved)
	if err != nil {
		return err
	}
	// Padded with line breaks over what an older one had more: one write, and never a
	// mixture. A state that is cut short by a crash is none.
	if info, err := s.file.Stat(); err == nil {
		for int64(len(data)) < info.Size() && len(data) < maxState {
			data = append(data, '\n')
		}
	}
	if _, err := s.file.WriteAt(data, 0); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
