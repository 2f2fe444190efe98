package inspect

import (
	"fmt"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
)

// Where says where a session was kept.
type Where uint8

// The places.
const (
	Elsewhere Where = iota
	InFile
	InCookie
)

// Writer is who probably wrote a session, and what tells so.
type Writer struct {
	Beaker   *Range   `json:"beaker,omitempty"` // nil: it does not tell
	Python   *Range   `json:"python,omitempty"`
	Evidence []string `json:"evidence,omitempty"`
	pythonIs string   // in words
}

// Range is a range of versions, both ends in it; "" where it is open.
type Range struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// String gives "1.11", "1.8 to 1.10", "up to 1.10" or "1.12 or later".
func (r Range) String() string {
	switch {
	case r.From == r.To:
		return r.From
	case r.From == "":
		return "up to " + r.To
	case r.To == "":
		return r.From + " or later"
	}
	return r.From + " to " + r.To
}

// String says it in a line.
func (w Writer) String() string {
	if w.Beaker == nil {
		return w.pythonIs
	}
	return "Beaker " + w.Beaker.String() + ", " + w.pythonIs
}

// Writer says which Beaker and which Python probably wrote a session. It goes
// by what the releases are known to do ([compat.Eras]) and by how the Pythons
// write pickles.
func (d *Decoded) Writer(where Where) Writer {
	w := Writer{}
	d.python(where, &w)
	session, ok := d.Session.(*pyvalue.Dict)
	if ok && where != Elsewhere {
		d.beaker(session, where, &w)
	}
	return w
}

// clue is something that only some eras do.
type clue struct {
	says string
	fits func(compat.Era) bool
}

func (d *Decoded) beaker(session *pyvalue.Dict, where Where, w *Writer) {
	left := compat.Eras()
	all := len(left)
	for _, c := range d.clues(session, where) {
		fitting := slices.DeleteFunc(slices.Clone(left), func(e compat.Era) bool { return !c.fits(e) })
		if len(fitting) == 0 { // another clue said otherwise: the stronger ones come first
			w.Evidence = append(w.Evidence, c.says+", which does not go with the rest")
			continue
		}
		left = fitting
		w.Evidence = append(w.Evidence, c.says)
	}
	if len(left) == all {
		return
	}
	eras := compat.Eras()
	w.Beaker = &Range{}
	first, last := left[0].Since, left[len(left)-1].Since
	if first != eras[0].Since {
		w.Beaker.From = from(first)
	}
	if i := slices.IndexFunc(eras, func(e compat.Era) bool { return e.Since == last }) + 1; i < len(eras) {
		w.Beaker.To = before(eras[i].Since)
		if first.Patch > 0 && eras[i].Since == (compat.Release{Major: first.Major, Minor: first.Minor + 1}) {
			w.Beaker.To = w.Beaker.From // the rest of a series
		}
	}
}

// from names a release by its series if it is the first one of it.
func from(r compat.Release) string {
	if r.Patch == 0 {
		return fmt.Sprintf("%d.%d", r.Major, r.Minor)
	}
	return r.String()
}

// before names what came before a release: the whole series before, or the
// release before it in its own.
func before(r compat.Release) string {
	if r.Patch == 0 {
		return fmt.Sprintf("%d.%d", r.Major, r.Minor-1)
	}
	r.Patch--
	return r.String()
}

// clues are in the order of their strength: what is certain first.
func (d *Decoded) clues(session *pyvalue.Dict, where Where) []clue {
	var out []clue
	add := func(yes bool, says string, fits func(compat.Era) bool) {
		if yes {
			out = append(out, clue{says, fits})
		}
	}
	f := d.Form
	inClear := f.AES == beakerfmt.AESNone && f.NonceBits == 0
	add(where == InFile && f.Text == beakerfmt.TextNone, "a dict that is stored as it is", func(e compat.Era) bool { return !e.ServerText })
	add(where == InFile && f.Text != beakerfmt.TextNone && inClear, "base64 text on the server", func(e compat.Era) bool { return e.ServerText })
	add(where == InFile && !inClear, "encryption on the server", func(e compat.Era) bool { return e.ServerAES })
	has := func(library string) func(compat.Era) bool {
		return func(e compat.Era) bool {
			return slices.Contains(e.Libraries, library) || slices.Contains(e.CryptoTypes, library)
		}
	}
	add(f.AES == beakerfmt.GCM, "AES-GCM, of the library cryptography", has("cryptography"))
	add(f.AES == beakerfmt.ECB, "AES-ECB", func(e compat.Era) bool { return e.PyCrypto == beakerfmt.ECB })
	add(f.AES == beakerfmt.CBC, "AES-CBC, of the library nss", has("nss"))
	add(f.AES == beakerfmt.AESNone && !inClear, "a nonce in front of clear text, for want of an AES library", func(e compat.Era) bool { return len(e.CryptoTypes) > 0 })
	add(f.Text != beakerfmt.TextNone && f.Serializer == beakerfmt.JSON, "JSON", func(e compat.Era) bool { return e.JSON })
	_, hasPath := session.GetStr("_path")
	add(hasPath, "the key _path", func(e compat.Era) bool { return e.ConfigKeys })
	add(!hasPath, "no key _path", func(e compat.Era) bool { return !e.ConfigKeys })
	old := compat.Eras()[0].NonceBits // every newer one can be told to take that size too
	add(!inClear && f.NonceBits == old, fmt.Sprintf("a nonce of %d bits, as Beaker up to 1.7 or with encrypt_nonce_bits = %d", old, old), func(compat.Era) bool { return true })
	add(!inClear && f.NonceBits != old, fmt.Sprintf("a nonce of %d bits", f.NonceBits), func(e compat.Era) bool { return e.NonceBits != old })
	return out
}

func (d *Decoded) python(where Where, w *Writer) {
	is := func(words string, r *Range, evidence string) {
		w.pythonIs, w.Python = words, r
		if evidence != "" {
			w.Evidence = append(w.Evidence, evidence)
		}
	}
	two := &Range{To: "2.7"}
	three := &Range{From: "3.0"}
	start, numbered := 0, false
	if len(d.Pickles) > 0 {
		start, numbered = memoStart(d.Pickles[len(d.Pickles)-1])
	}
	switch {
	case d.Dialect() == taggedjson.Python2 && numbered && start == 0:
		is("gobeaker, in a session of Python 2", two, "8-bit strings of Python 2, but not in the way in which it numbers them")
	case d.Dialect() == taggedjson.Python2:
		is("Python 2", two, "8-bit strings of Python 2")
	case where != InCookie && d.Outer != nil:
		d.pythonOfProtocol(is)
	case d.Form.Serializer == beakerfmt.JSON:
		is("any Python (JSON does not tell)", nil, "")
	case numbered && start == 1:
		is("Python 2", two, "a pickle that numbers from 1")
	case numbered:
		is("Python 3", three, "a pickle that numbers from 0")
	default:
		is("Python 3", three, "no 8-bit strings")
	}
}

func (d *Decoded) pythonOfProtocol(is func(string, *Range, string)) {
	evidence := fmt.Sprintf("the pickle's protocol, %d", d.Outer.Protocol)
	switch d.Outer.Protocol {
	case 0, 1:
		is("Python 2", &Range{To: "2.7"}, evidence)
	case 2:
		is("gobeaker, or a Python that was told protocol 2", nil, evidence)
	case 3:
		is("Python 3.0 to 3.7", &Range{From: "3.0", To: "3.7"}, evidence)
	case 4:
		is("Python 3.8 to 3.13", &Range{From: "3.8", To: "3.13"}, evidence)
	default:
		is("Python 3.14 or later, or the highest protocol asked for", &Range{From: "3.8"}, evidence)
	}
}
