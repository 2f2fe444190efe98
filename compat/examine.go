package compat

import (
	"errors"
	"fmt"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// State tells what a record is to a request that presents its id.
type State uint8

// The states.
const (
	Live    State = iota // a session
	Expired              // a session past its timeout
	Dead                 // what a delete leaves: no session in it
)

// String names the state: "live", "expired", "dead".
func (s State) String() string { return [...]string{"live", "expired", "dead"}[s] }

// Examined is what a record holds.
type Examined struct {
	State State
	// Values is the session; nil if the record is dead.
	Values *pyvalue.Dict
	Form   beakerfmt.Form
	// Created and Accessed are zero where the session does not tell, or tells
	// nonsense.
	Created, Accessed time.Time
}

// Examine decodes a session value as a store returns it, for tools that look at
// records without a request. A value that cannot be read is stores.ErrCorrupt; it
// wraps beakerfmt.ErrEncrypted, ErrDecrypt or ErrPlaintext where that is the reason.
// Safe for concurrent use.
func (m *Manager) Examine(v pyvalue.Value) (Examined, error) {
	values, b, err := m.decode(v)
	switch {
	case errors.Is(err, beakerfmt.ErrNoSession), err == nil && isDeleted(values):
		return Examined{State: Dead, Form: b.form}, nil
	case err != nil:
		return Examined{}, fmt.Errorf("compat: examine: %w: %w", stores.ErrCorrupt, err)
	}
	state, err := m.judge(values)
	if err != nil {
		return Examined{}, fmt.Errorf("compat: examine: %w", err)
	}
	e := Examined{Values: values, Form: b.form}
	if state == expired {
		e.State = Expired
	}
	e.Created, _ = timeOf(values, keyCreated)
	e.Accessed, _ = timeOf(values, keyAccessed)
	return e, nil
}

// Encode encodes a session as the peer reads it, with the first of the keys. Found is
// the form in which it was found; with the peer auto it keeps that, as long as it is
// not in clear under an encrypt_key. The error names the key of what this form cannot
// hold. Safe for concurrent use.
func (m *Manager) Encode(values *pyvalue.Dict, found beakerfmt.Form) (pyvalue.Value, error) {
	v, err := m.codec.EncodeValue(values, m.formFor(found))
	if err != nil {
		return nil, fmt.Errorf("compat: encode: %w", err)
	}
	return v, nil
}
