// Package inspect takes a cookie, a record, a session id or a pickle apart and
// says what it found: the values, the form in which they stood, and who
// probably wrote them.
package inspect

import (
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
	// Outer is the pickle that was read first: that of a record or a bare pickle. An
	// item of memcached need not be one.
	Outer *pickle.Info
	// Inner is the pickle in the text, if there is one.
	Inner *pickle.Info
	// Text is how long the text is, in bytes: nonce, padding and all.
	Text int
	// Serialized is how long the pickle or the JSON document in the text is, in
	// bytes, decrypted and inflated.
	Serialized int
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
	// AES is the mode of an encrypted one: ctr, gcm, cbc, ecb.
	AES string `json:"aes,omitempty"`
	// NonceBits is the size of the nonce in front of the text.
	NonceBits int `json:"nonce_bits,omitempty"`
}

// JSON returns the form for output.
func (d *Decoded) JSON() *Form {
	f := &Form{Text: d.Form.Text.String(), Serializer: d.Form.Serializer.String(), NonceBits: d.Form.NonceBits}
	if d.Form.AES != beakerfmt.AESNone {
		f.AES = d.Form.AES.String()
	}
	if d.Form.Text != beakerfmt.TextNone && d.Form.Serializer == beakerfmt.Pickle {
		f.Protocol = &d.Form.Protocol
	}
	if d.Outer != nil {
		if d.Form.Text == beakerfmt.TextNone {
			f.Protocol = &d.Outer.Protocol
		}
		if d.Container != nil || d.Form.Text != beakerfmt.TextNone {
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
func File(data []byte, c *beakerfmt.Codec) (Decoded, error) {
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
	if err := d.value(v, c); err != nil {
		return d, fmt.Errorf("inspect: file: %w", err)
	}
	return d, nil
}

// Value decodes what other back ends than files and SQL keep: the pickled value,
// without a dict around it.
func Value(data []byte, c *beakerfmt.Codec) (Decoded, error) {
	d, err := outer(data)
	if err != nil {
		return d, err
	}
	v, err := pickle.Decode(data, pickle.Limits{})
	if err != nil {
		return d, fmt.Errorf("inspect: value: %w: %w", beakerfmt.ErrCorrupt, err)
	}
	if err := d.value(v, c); err != nil {
		return d, fmt.Errorf("inspect: value: %w", err)
	}
	return d, nil
}

// Item decodes the value of an item of memcached by its flags.
func Item(data []byte, flags uint32, c *beakerfmt.Codec) (Decoded, error) {
	if flags == beakerfmt.MemcachedPickle {
		return Value(data, c)
	}
	v, err := beakerfmt.DecodeMemcached(data, flags, beakerfmt.MemcachedLimits{})
	if err != nil {
		return Decoded{}, fmt.Errorf("inspect: item: %w", err)
	}
	var d Decoded
	if err := d.value(v, c); err != nil {
		return d, fmt.Errorf("inspect: item: %w", err)
	}
	return d, nil
}

// value decodes the session value that was found.
func (d *Decoded) value(v pyvalue.Value, c *beakerfmt.Codec) error {
	session, form, err := c.DecodeValue(v)
	if err != nil {
		return err
	}
	d.Session, d.Form = session, form
	if form.Text != beakerfmt.TextNone {
		d.inner(textOf(v), c)
	}
	return nil
}

// textOf returns the text in which a session stands.
func textOf(v pyvalue.Value) string {
	if b, ok := v.(pyvalue.Bytes); ok {
		return string(b)
	}
	text, _ := pyvalue.Text(v)
	return text
}

// Payload decodes what follows the signature in the cookie of a cookie-only
// session. signedBy is the index of the codec's validate key that signed it, -1
// if that is not known.
func Payload(text string, signedBy int, c *beakerfmt.Codec) (Decoded, error) {
	session, form, err := c.DecodePayload(text, signedBy)
	if err != nil {
		return Decoded{}, fmt.Errorf("inspect: cookie: %w", err)
	}
	d := Decoded{Session: session, Form: form}
	d.inner(text, c)
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

// inner notes what is in a text that has been decoded before.
func (d *Decoded) inner(text string, c *beakerfmt.Codec) {
	d.Text = len(text)
	data, err := c.Plaintext(text, d.Form)
	if err != nil {
		return
	}
	if d.Form.Serializer != beakerfmt.Pickle {
		d.Serialized = inflatedLen(data)
		return
	}
	info, err := pickle.Inspect(data, pickle.Limits{})
	if err != nil {
		return
	}
	d.Serialized, d.Inner = info.Length, &info
	d.Pickles = append(d.Pickles, data[:info.Length])
	d.Classes = append(d.Classes, info.Globals...)
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

// WithValue returns a container as the one that was read, with another value in
// the place of the session: other keys stay, in their places.
func (d *Decoded) WithValue(v pyvalue.Value) *pyvalue.Dict {
	container := &pyvalue.Dict{}
	if d.Container != nil {
		for k, old := range d.Container.All() {
			if name, _ := pyvalue.Text(k); name == beakerfmt.SessionKey { // under the key as it is spelled there
				old = v
			}
			container.Put(k, old)
		}
	}
	if _, ok := container.GetStr(beakerfmt.SessionKey); !ok {
		container.SetStr(beakerfmt.SessionKey, v)
	}
	return container
}
