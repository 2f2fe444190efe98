package iniconf

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Kind says what is wrong, under the names that Python programmers know.
type Kind uint8

// The kinds of errors. Those up to KindInterpolationSyntax are ConfigParser's
// classes.
const (
	KindParsing                    Kind = iota + 1 // a line that is neither a section, an option nor a comment
	KindMissingSectionHeader                       // text before the first section
	KindDuplicateSection                           // Python 3 only
	KindDuplicateOption                            // Python 3 only
	KindInterpolationDepth                         // more than ten levels of %(name)s
	KindInterpolationMissingOption                 // %(name)s with no such name
	KindInterpolationSyntax                        // a % that means nothing
	KindEncoding                                   // not UTF-8
	KindLookup                                     // PasteDeploy's LookupError: a section or setting that is not there
	KindLoop                                       // a section that leads back to itself
	KindLimit                                      // one of Limits
	KindFile                                       // a file that cannot be read; Unwrap gives the cause
	KindOption                                     // a setting that Beaker refuses
)

var kindNames = [...]string{
	KindParsing:                    "ParsingError",
	KindMissingSectionHeader:       "MissingSectionHeaderError",
	KindDuplicateSection:           "DuplicateSectionError",
	KindDuplicateOption:            "DuplicateOptionError",
	KindInterpolationDepth:         "InterpolationDepthError",
	KindInterpolationMissingOption: "InterpolationMissingOptionError",
	KindInterpolationSyntax:        "InterpolationSyntaxError",
	KindEncoding:                   "UnicodeDecodeError",
	KindLookup:                     "LookupError",
	KindLoop:                       "LoopError",
	KindLimit:                      "LimitError",
	KindFile:                       "FileError",
	KindOption:                     "OptionError",
}

// String returns the name of the Python class, where there is one.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// Position is a place in a file. Lines and columns count from 1, columns in
// bytes; 0 means that only the file, or only the line, is known.
type Position struct {
	File   string
	Line   int
	Column int
}

// String returns "file:line:col" as far as it is known.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}

// Error is the type of all errors of this package.
type Error struct {
	Position
	Kind  Kind
	Msg   string     // what is wrong and what to do; never the value of a secret
	Err   error      // the cause, for KindFile
	Lines []int      // of a KindParsing: all lines that make no sense, in order
	Via   []Position // the lines that led to the file or section, the first one first
}

// Error returns "iniconf: file:line:col: what is wrong; what to do (included from
// file:line)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("iniconf: ")
	if p := e.Position.String(); p != "" {
		b.WriteString(p + ": ")
	}
	b.WriteString(e.Msg)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	const most = 3 // at either end
	for i, p := range e.Via {
		if left := len(e.Via) - i; i >= most && left > most {
			if i == most {
				fmt.Fprintf(&b, ", … %d more …", left-most)
			}
			continue
		}
		b.WriteString([...]string{" (included from ", ", "}[min(i, 1)] + filepath.Base(p.File) + ":" + strconv.Itoa(p.Line))
	}
	if e.Via != nil {
		b.WriteByte(')')
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// errorAt makes an *Error; the message must not hold a secret.
func errorAt(p Position, k Kind, msg string) *Error {
	return &Error{Position: p, Kind: k, Msg: msg}
}

// shown quotes a value for a message, or stands in for one that may be secret.
func shown(key, value string) string {
	const most = 60
	switch {
	case sensitive(key):
		return "(not shown)"
	case len(value) > most:
		return strconv.Quote(strings.ToValidUTF8(value[:most], "")) + "…"
	}
	return strconv.Quote(value)
}
