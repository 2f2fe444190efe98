package compat

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// The keys that Beaker keeps for itself in a session.
const (
	keyCreated  = "_creation_time"
	keyAccessed = "_accessed_time"
	keyDomain   = "_domain"
	keyPath     = "_path"
	keyExpires  = "_expires"
)

// recordState tells what a store has under an id.
type recordState uint8

const (
	present recordState = iota
	absent              // the id is not known
	empty               // there is a record without a session in it, as a delete leaves
	expired             // the session is past its timeout
)

// record is a session as it was found.
type record struct {
	state  recordState
	id     string // "" if the request presented none
	values *pyvalue.Dict
	base   base
	stale  bool   // the cookie is to be made anew with the present keys
	came   *place // of the cookie that brought a cookie-only session that is present
}

// place is where a browser keeps a cookie. Only one sent to the same place replaces
// it.
type place struct{ domain, path string }

// base remembers a record so that it can be told later what changed since,
// in our session and in the store.
type base struct {
	form    beakerfmt.Form
	text    pyvalue.Value // the stored text; nil if the dict itself is stored
	dump    []byte        // the stored dict as a pickle, once it was needed
	exposed bool          // somebody may have changed the values since
}

// decode decodes what stands for a session.
func (m *Manager) decode(v pyvalue.Value) (*pyvalue.Dict, base, error) {
	values, form, err := m.codec.DecodeValue(v)
	if err != nil {
		return nil, base{}, err
	}
	b := base{form: form}
	if form.Text != beakerfmt.TextNone {
		b.text = v
	}
	return values, b, nil
}

// judge tells whether a session is past its timeout.
func (m *Manager) judge(values *pyvalue.Dict) (recordState, error) {
	switch {
	case m.opts.Timeout != NoTimeout && hasOddTime(values):
		return present, fmt.Errorf("%w: its %s is no number", stores.ErrCorrupt, keyAccessed)
	case m.timedOut(values):
		return expired, nil
	}
	return present, nil
}

// isDeleted recognises what Beaker from 1.11 on leaves of a deleted session: its
// configuration without a creation time, and perhaps the time of a later look.
func isDeleted(d *pyvalue.Dict) bool {
	for k := range d.All() {
		switch name, _ := pyvalue.Text(k); name {
		case keyDomain, keyPath, keyAccessed:
		default:
			return false
		}
	}
	return true
}

// timedOut is strict: a session is still valid exactly at its timeout. One
// that has no access time does not expire (Beaker: Session.load, from 1.12).
func (m *Manager) timedOut(d *pyvalue.Dict) bool {
	if m.opts.Timeout == NoTimeout {
		return false
	}
	at, ok := seconds(d, keyAccessed)
	return ok && m.clock()-at > m.opts.Timeout.Seconds()
}

// hasOddTime: Python cannot tell whether such a session has timed out, and
// stumbles over it.
func hasOddTime(d *pyvalue.Dict) bool {
	_, there := d.GetStr(keyAccessed)
	_, number := seconds(d, keyAccessed)
	return there && !number
}

// seconds returns a time of the session in seconds since 1970; Python may have
// put a float or an int there.
func seconds(d *pyvalue.Dict, key string) (float64, bool) {
	v, _ := d.GetStr(key)
	switch v := v.(type) {
	case pyvalue.Float:
		return float64(v), true
	case *pyvalue.Int:
		n, ok := v.Int64()
		return float64(n), ok
	}
	return 0, false
}

func timeOf(d *pyvalue.Dict, key string) (time.Time, bool) {
	at, ok := seconds(d, key)
	if !ok || !(math.Abs(at) < 1<<62/1e9) { // what time.Duration can still hold; not NaN
		return time.Time{}, false
	}
	whole, part := math.Modf(at)
	return time.Unix(int64(whole), int64(math.Round(part*1e6))*1e3).UTC(), true
}

// remember makes sure that the values as loaded can be had again. It must be
// called before the first of them changes or is given to somebody who may
// change it.
func (b *base) remember(values *pyvalue.Dict) error {
	b.exposed = true
	if b.text != nil || b.dump != nil {
		return nil
	}
	dump, err := dump(values)
	b.dump = dump
	return err
}

// untouched reports whether nobody can have changed the values since.
func (b *base) untouched() bool { return !b.exposed }

// values returns a fresh copy of the values as loaded. Remember must have been
// called.
func (b *base) values(c *beakerfmt.Codec) (*pyvalue.Dict, error) {
	if b.text != nil {
		d, _, err := c.DecodeValue(b.text)
		return d, err
	}
	v, err := pickle.Decode(b.dump, pickle.OwnLimits())
	if err != nil {
		return nil, err
	}
	d, ok := v.(*pyvalue.Dict)
	if !ok {
		return nil, errors.New("compat: remembered session is no dict")
	}
	return d, nil
}

// stillIn reports whether the store still has what we loaded.
func (b *base) stillIn(stored pyvalue.Value) bool {
	if b.text != nil {
		return stored == b.text
	}
	d, ok := stored.(*pyvalue.Dict)
	if !ok || b.dump == nil {
		return false
	}
	now, err := dump(d)
	return err == nil && bytes.Equal(now, b.dump)
}

// dump is how values are compared: protocol 2 spells every value in one way.
func dump(v pyvalue.Value) ([]byte, error) {
	return pickle.Append(nil, v, pickle.DefaultProtocol)
}
