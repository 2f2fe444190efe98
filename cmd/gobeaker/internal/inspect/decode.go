// Package inspect takes a cookie, a record, a session id or a pickle apart and
// says what it found: the values, the form in which they stood, and who
// probably wrote them.
package inspect

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
)

// Decoded is a session and how it stood in what was read.
type Decoded struct {
	// Session is the session dict; for a pickle of anything else that value.
	Session pyvalue.Value
	Form    beakerfmt.Form
	// Container is the pickled dict around the session, nil if there is none.
	Container *pyvalue.Dict
	// Outer is the pickle that was read first: that of a file or a bare pickle.
	Outer *pickle.Info
	// Pickles are the pickles that were read, the outer one first.
	Pickles [][]byte
	// Classes are the classes and functions that they name.
	Classes []string
}

// Form is [Decoded.Form] as JSON.
type Form struct {
	Text       string `json:"text"`       // dict, str, py2str, bytes
	Serializer string `json:"serializer"` // pickle, json
	// Protocol is that of the pickle in which the session itself stands.
	Protocol *int `json:"protocol"`
	// Container is the protocol of the pickle around it.
	Container *int `json:"container_protocol,omitempty"`
}

// JSON returns the form for output.
func (d *Decoded) JSON() *Form {
	f := &Form{Text: d.Form.Text.String(), Serializer: d.Form.Serializer.String()}
	if d.Form.Text != beakerfmt.TextNone && d.Form.Serializer == beakerfmt.Pickle {
		f.Protocol = &d.Form.Protocol
	}
	if d.Outer != nil {
		if d.Form.Text == beakerfmt.TextNone {
			f.Protocol = &d.Outer.Protocol
		}
		if d.Container != nil {
			f.Container = &d.Outer.Protocol
		}
	}
	return f
}

// Dialect is the Python that wrote it, as far as the values tell.
func (d *Decoded) Dialect() taggedjson.Dialect {
	if d.Outer != nil && d.Outer.Python2 {
		return taggedjson.Python2
	}
	return taggedjson.Guess(d.Session)
}

// File decodes a record of the file back end: a pickled {'session': value}.
// What it could read before an error is in Decoded.
func File(data []byte) (Decoded, error) {
	d, err := outer(data)
	if err != nil {
		return d, err
	}
	if d.Container, err = beakerfmt.DecodeContainer(data, pickle.Limits{}); err != nil {
		return d, fmt.Errorf("inspect: file: %w", err)
	}
	v, ok := d.Container.GetStr(beakerfmt.SessionKey)
	if !ok {
		return d, fmt.Errorf("inspect: file: it has no key %q: %w", beakerfmt.SessionKey, beakerfmt.ErrNoSession)
	}
	session, form, err := new(beakerfmt.Codec).DecodeValue(v)
	if err != nil {
		return d, fmt.Errorf("inspect: file: %w", err)
	}
	d.Session, d.Form = session, form
	if text, ok := pyvalue.Text(v); ok {
		d.inner(text)
	}
	return d, nil
}

// Payload decodes what follows the signature in the cookie of a cookie-only
// session.
func Payload(text string) (Decoded, error) {
	session, form, err := new(beakerfmt.Codec).DecodePayload(text, -1)
	if err != nil {
		return Decoded{}, fmt.Errorf("inspect: cookie: %w", err)
	}
	d := Decoded{Session: session, Form: form}
	d.inner(text)
	return d, nil
}

// Pickle decodes any pickle. One of a container is decoded as File does.
func Pickle(data []byte) (Decoded, error) {
	d, err := outer(data)
	if err != nil {
		return d, err
	}
	if d.Session, err = pickle.Decode(data, pickle.Limits{}); err != nil {
		return d, fmt.Errorf("inspect: pickle: %w: %w", beakerfmt.ErrCorrupt, err)
	}
	return d, nil
}

func outer(data []byte) (Decoded, error) {
	info, err := pickle.Inspect(data, pickle.Limits{})
	if err != nil {
		return Decoded{}, fmt.Errorf("inspect: %w: %w", beakerfmt.ErrCorrupt, err)
	}
	return Decoded{Outer: &info, Pickles: [][]byte{data[:info.Length]}, Classes: info.Globals}, nil
}

// inner notes the pickle in a base64 text, which has been decoded before.
func (d *Decoded) inner(text string) {
	if d.Form.Serializer != beakerfmt.Pickle {
		return
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return
	}
	if info, err := pickle.Inspect(data, pickle.Limits{}); err == nil {
		d.Pickles = append(d.Pickles, data[:info.Length])
		d.Classes = append(d.Classes, info.Globals...)
	}
}

// IsContainer reports whether a decoded pickle is a record of the file back
// end: a dict with the key 'session' and hardly anything else.
func IsContainer(v pyvalue.Value) bool {
	d, ok := v.(*pyvalue.Dict)
	if !ok || d.Len() > 4 {
		return false
	}
	_, ok = d.GetStr(beakerfmt.SessionKey)
	return ok
}

// IsMissing reports whether err says that there is no session, rather than
// that one cannot be read.
func IsMissing(err error) bool { return errors.Is(err, beakerfmt.ErrNoSession) }
