package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// FormText is the form in words.
func (d *Decoded) FormText() string {
	var parts []string
	switch {
	case d.Container == nil && d.Form.Text == beakerfmt.TextNone:
		parts = append(parts, "a bare pickle")
	case d.Form.Text == beakerfmt.TextNone:
		parts = append(parts, "the dict itself")
	case d.Container == nil:
		parts = append(parts, "base64 in the cookie")
	default:
		parts = append(parts, "base64 text in a "+d.Form.Text.String())
	}
	f := d.JSON()
	if f.Serializer == "json" {
		parts = append(parts, "zlib-compressed JSON")
		if d.Serialized > 0 {
			parts = append(parts, fmt.Sprintf("inflated %d bytes", d.Serialized))
		}
	} else if f.Protocol != nil && d.Form.Text != beakerfmt.TextNone {
		parts = append(parts, fmt.Sprintf("pickle protocol %d", *f.Protocol))
	}
	if d.Outer != nil {
		what := "container pickle protocol"
		if d.Container == nil {
			what = "protocol"
		}
		parts = append(parts, fmt.Sprintf("%s %d", what, d.Outer.Protocol))
	}
	return strings.Join(parts, ", ")
}

// Encryption says how it is encrypted, "" if it is not.
func (d *Decoded) Encryption() string {
	if d.Form.AES == beakerfmt.AESNone {
		return ""
	}
	return fmt.Sprintf("AES-256-%s, behind a nonce of %d bits", strings.ToUpper(d.Form.AES.String()), d.Form.NonceBits)
}

// ClassNames returns the classes in order, each once, without those of which
// Python makes plain values.
func (d *Decoded) ClassNames() []string {
	out := slices.Clone(d.Classes)
	slices.Sort(out)
	return slices.Compact(out)
}
