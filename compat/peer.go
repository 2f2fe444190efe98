package compat

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// Peer is the Python side that must be able to read what we write. The zero
// Peer means "auto": a record is written back in the form in which it was
// read, and a new one as the newest Beaker writes it.
type Peer struct {
	// Major and Minor are Beaker's version; both 0 for auto.
	Major, Minor int
	// Python is 2 or 3, or 0 if it is not known or both are there.
	Python int
}

// ParsePeer reads "auto", "beaker-1.11" or "beaker-1.11/python2".
func ParsePeer(name string) (Peer, error) {
	if name == "" || name == "auto" {
		return Peer{}, nil
	}
	fail := fmt.Errorf(`compat: peer %q is not known: use "auto", or "beaker-1.11", or "beaker-1.11/python2"`, name)
	version, python, _ := strings.Cut(name, "/")
	version, ok := strings.CutPrefix(version, "beaker-")
	if !ok {
		return Peer{}, fail
	}
	var p Peer
	switch python {
	case "":
	case "python2":
		p.Python = 2
	case "python3":
		p.Python = 3
	default:
		return Peer{}, fail
	}
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return Peer{}, fail
	}
	var err1, err2 error
	p.Major, err1 = strconv.Atoi(parts[0])
	p.Minor, err2 = strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil || p.Major != 1 || p.Minor < 0 {
		return Peer{}, fail
	}
	return p, nil
}

// IsAuto reports whether no particular peer is configured.
func (p Peer) IsAuto() bool { return p.Major == 0 }

// String gives the name that [ParsePeer] reads.
func (p Peer) String() string {
	if p.IsAuto() {
		return "auto"
	}
	s := fmt.Sprintf("beaker-%d.%d", p.Major, p.Minor)
	if p.Python != 0 {
		s += fmt.Sprintf("/python%d", p.Python)
	}
	return s
}

// since reports whether the peer is of Beaker 1.minor or later; auto is the
// newest.
func (p Peer) since(minor int) bool { return p.IsAuto() || p.Minor >= minor }

// form is how the peer writes a server-side session without encryption:
// up to 1.11 the dict itself, from 1.12 on a text (Beaker: Session.save,
// Session._encrypt_data). The text is unicode, which Python 2 and 3 both read.
func (p Peer) form(s beakerfmt.Serializer) beakerfmt.Form {
	if !p.since(12) {
		return beakerfmt.Form{Text: beakerfmt.TextNone}
	}
	return beakerfmt.Form{Text: beakerfmt.TextStr, Serializer: s, Protocol: 2}
}

// dialect is whose http.cookies parse and print the headers.
func (p Peer) dialect() beakerfmt.Dialect {
	if p.Python == 2 {
		return beakerfmt.Python2
	}
	return beakerfmt.Python3
}

// walk is how the peer reads a Cookie header. Before 1.8 an illegal name
// spoiled it, and before 1.10 Beaker had not yet taught an older Python that
// SameSite is an attribute (Beaker: cookie.py).
func (p Peer) walk(lenient bool) beakerfmt.CookieWalk {
	return beakerfmt.CookieWalk{
		Dialect:       p.dialect(),
		StrictNames:   !p.since(8),
		PlainSameSite: !p.since(10) && p.Python == 2,
		Lenient:       lenient,
	}
}
