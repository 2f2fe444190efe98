package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
)

// Where says where a session was kept.
type Where uint8

// The places.
const (
	Elsewhere Where = iota
	InFile
	InCookie
)

// Writer says which Beaker and which Python probably wrote a session. It goes
// by what the versions are known to do: the default protocols of the Pythons,
// base64 on the server from Beaker 1.12 on, _domain and _path in every
// session from 1.11 on.
func (d *Decoded) Writer(where Where) string {
	session, ok := d.Session.(*pyvalue.Dict)
	if !ok || where == Elsewhere {
		return d.python(where)
	}
	return d.beaker(session, where) + ", " + d.python(where)
}

func (d *Decoded) beaker(session *pyvalue.Dict, where Where) string {
	oldest, newest := 0, 0 // minor versions; 0: open
	if _, ok := session.GetStr("_path"); ok {
		oldest = 11
	} else {
		newest = 10
	}
	if d.Form.Serializer == beakerfmt.JSON {
		oldest = max(oldest, 8)
	}
	if where == InFile {
		switch {
		case d.Form.Text != beakerfmt.TextNone:
			oldest, newest = 12, 0
		case newest == 0:
			newest = 11
		}
	}
	switch {
	case oldest != 0 && oldest == newest:
		return fmt.Sprintf("Beaker 1.%d", oldest)
	case oldest != 0 && newest > oldest:
		return fmt.Sprintf("Beaker 1.%d to 1.%d", oldest, newest)
	case newest != 0:
		return fmt.Sprintf("Beaker up to 1.%d", newest)
	default:
		return fmt.Sprintf("Beaker 1.%d or later", oldest)
	}
}

func (d *Decoded) python(where Where) string {
	if d.Dialect() == taggedjson.Python2 {
		return "Python 2"
	}
	if d.Outer == nil {
		if where == InCookie && d.Form.Serializer == beakerfmt.JSON {
			return "any Python (JSON does not tell)"
		}
		return "Python 3"
	}
	switch d.Outer.Protocol {
	case 0, 1:
		return "Python 2"
	case 2:
		return "gobeaker, or a Python that was told protocol 2"
	case 3:
		return "Python 3.0 to 3.7"
	case 4:
		return "Python 3.8 to 3.13"
	}
	return "Python 3.14 or later, or the highest protocol asked for"
}

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

// ClassNames returns the classes in order, each once, without those of which
// Python makes plain values.
func (d *Decoded) ClassNames() []string {
	out := slices.Clone(d.Classes)
	slices.Sort(out)
	return slices.Compact(out)
}
