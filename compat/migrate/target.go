package migrate

import (
	"bytes"
	"errors"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

// target knows how sessions are to stand.
type target struct {
	m    *compat.Manager
	opts compat.Options
	own  beakerfmt.Form // of what a named peer writes
	from compat.Options // of the Manager that opened what is converted
}

func newTarget(from, to *compat.Manager) target {
	t := target{m: to, opts: to.Options(), from: from.Options()}
	t.own, _ = t.opts.Peer.Form(&t.opts) // New has checked it
	return t
}

// adapt makes what was found such that the Python of the peer loads it.
func (t *target) adapt(e *compat.Examined) (changed bool, err error) {
	if t.opts.Peer.Python != 3 || e.State == compat.Dead {
		return false, nil
	}
	e.Values, changed, err = forPython3(e.Values)
	return changed, err
}

// asIs reports whether a session that was found so need not be encoded again: form and
// keys are those that it would get.
func (t *target) asIs(f beakerfmt.Form) bool {
	if f.AES != beakerfmt.AESNone {
		from, to := &t.from, &t.opts
		if nth(from.EncryptKey, from.OldEncryptKeys, f.EncryptKey) != to.EncryptKey || nth(from.ValidateKey, from.OldValidateKeys, f.ValidateKey) != to.ValidateKey {
			return false
		}
	}
	p := t.opts.Peer
	switch {
	case f.Text != beakerfmt.TextNone && f.Serializer != t.own.Serializer && p.IsAuto():
		return false
	case p.IsAuto():
		return f.AES != beakerfmt.AESNone || f.NonceBits == 0 && t.opts.EncryptKey == ""
	case p.Python == 2 && f.Protocol > 2:
		return false
	case f.Text == beakerfmt.TextBytes && t.own.Text != beakerfmt.TextNone:
		return false
	}
	return f.AES == t.own.AES && p.Reads(f, &t.opts) == nil
}

func nth(first string, older []string, i int) string {
	if i == 0 {
		return first
	}
	return older[i-1]
}

// errCollision: JSON has only text for keys.
var errCollision = errors.New("it is not the same session in JSON: two keys of a dict become the same text")

// value returns a session as it is to stand, given how it was found, and whether it was
// changed since.
func (t *target) value(found pyvalue.Value, e compat.Examined, changed bool) (pyvalue.Value, error) {
	if !changed && t.asIs(e.Form) {
		return found, nil
	}
	f := e.Form // of which a peer that is auto keeps what goes with its options
	if t.opts.EncryptKey == "" {
		f.AES, f.NonceBits = beakerfmt.AESNone, 0
	}
	if f.Text != beakerfmt.TextNone {
		f.Serializer = t.own.Serializer
	}
	v, err := t.m.Encode(e.Values, f)
	if err != nil || t.own.Text == beakerfmt.TextNone || t.own.Serializer != beakerfmt.JSON || e.Form.Serializer == beakerfmt.JSON {
		return v, err
	}
	made, err := t.m.Examine(v)
	if err != nil {
		return nil, err
	}
	if !t.alike(e.Values, made) {
		return nil, errCollision
	}
	return v, nil
}

// alike compares a session with what was made of it.
func (t *target) alike(session *pyvalue.Dict, made compat.Examined) bool {
	if made.State == compat.Dead {
		return false
	}
	if equal(session, made.Values) {
		return true
	}
	if made.Form.Serializer != beakerfmt.JSON {
		return false
	}
	x, err1 := pyjson.Append(nil, session)
	y, err2 := pyjson.Append(nil, made.Values)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// equal compares values by their pickles: protocol 2 spells every value in one way,
// however it was spelled where it was read.
func equal(a, b pyvalue.Value) bool {
	x, err1 := pickle.Append(nil, a, pickle.DefaultProtocol)
	y, err2 := pickle.Append(nil, b, pickle.DefaultProtocol)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// reasonOf says why a session could not be read.
func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, beakerfmt.ErrEncrypted), errors.Is(err, beakerfmt.ErrDecrypt):
		return Encrypted
	case errors.Is(err, beakerfmt.ErrPlaintext):
		return Unencrypted
	}
	return Unreadable
}
