package inspect

import (
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Stored decodes a session value as a store returns it. What the store itself puts around
// it is not known.
func Stored(v pyvalue.Value, c *beakerfmt.Codec) (Decoded, error) {
	session, form, err := c.DecodeValue(v)
	if err != nil {
		return Decoded{}, fmt.Errorf("inspect: stored: %w", err)
	}
	d := Decoded{Session: session, Form: form}
	if form.Text != beakerfmt.TextNone {
		d.inner(textOf(v), c)
		return d, nil
	}
	if data, err := pickle.Append(nil, v, pickle.DefaultProtocol); err == nil {
		if info, err := pickle.Inspect(data, pickle.Limits{}); err == nil {
			d.Classes = info.Globals
		}
	}
	return d, nil
}

// Kind names the form of a session in a store in a word or two: "dict", "text pickle",
// "text json aes-ctr".
func Kind(f beakerfmt.Form) string {
	if f.Text == beakerfmt.TextNone {
		return "dict"
	}
	kind := "text " + f.Serializer.String()
	if f.AES != beakerfmt.AESNone {
		kind += " aes-" + strings.ToLower(f.AES.String())
	}
	return kind
}

// StoredText is the form of a session in a store in words.
func (d *Decoded) StoredText() string {
	if d.Form.Text == beakerfmt.TextNone {
		return "the dict itself"
	}
	text := "base64 text in a " + d.Form.Text.String()
	switch {
	case d.Form.Serializer == beakerfmt.JSON && d.Serialized > 0:
		return fmt.Sprintf("%s, zlib-compressed JSON, inflated %d bytes", text, d.Serialized)
	case d.Form.Serializer == beakerfmt.JSON:
		return text + ", zlib-compressed JSON"
	}
	return fmt.Sprintf("%s, pickle protocol %d", text, d.Form.Protocol)
}
