package iniconf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Dialect says whose ConfigParser and whose PasteDeploy read the file.
type Dialect uint8

// The dialects.
const (
	Auto    Dialect = iota // Python3, unless only Python2 can read the file
	Python2                // ConfigParser of Python 2.7, PasteDeploy 1.5.2
	Python3                // configparser of Python 3.10 and later, PasteDeploy 2.1.1 and later
)

// String returns "auto", "python2" or "python3".
func (d Dialect) String() string {
	switch d {
	case Python2:
		return "python2"
	case Python3:
		return "python3"
	}
	return "auto"
}

// ParseDialect is the reverse of [Dialect.String]; "" is "auto" too.
func ParseDialect(name string) (Dialect, error) {
	for _, d := range []Dialect{Auto, Python2, Python3} {
		if name == d.String() {
			return d, nil
		}
	}
	if name == "" {
		return Auto, nil
	}
	return Auto, fmt.Errorf("iniconf: dialect %q is not known: use auto, python2 or python3", clip(name))
}

const defaultSection = "DEFAULT"

// section is one section with its options before interpolation.
type section struct {
	name string
	pos  Position
	opts *table
}

// document is what ConfigParser makes of one file.
type document struct {
	file     string
	dialect  Dialect
	defaults *section
	sections []*section
	byName   map[string]*section
}

// parser holds the state of reading one file, line by line.
type parser struct {
	doc    *document
	cur    *section   // nil before the first header
	open   bool       // whether lines may continue the value of option place
	place  int        // in cur.opts
	value  []string   // the lines of that value
	indent int        // of the last line that was not a continuation (Python 3)
	bad    []Position // lines that make no sense; reported at the end
}

// parse reads the text of a file by the rules of a dialect (Python2 or
// Python3). It is the method _read of ConfigParser 2.7 and configparser 3.
func parse(file, text string, d Dialect) (*document, error) {
	if d == Python3 {
		if err := checkUTF8(file, text); err != nil {
			return nil, err
		}
	}
	p := &parser{
		doc: &document{
			file: file, dialect: d,
			defaults: &section{name: defaultSection, pos: Position{File: file}, opts: newTable()},
			byName:   map[string]*section{},
		},
	}
	readLine := p.line3
	if d == Python2 {
		readLine = p.line2
	}
	for i, line := range d.splitLines(text) {
		if err := readLine(line, i+1); err != nil {
			return nil, err
		}
	}
	p.closeValue()
	if len(p.bad) > 0 {
		return nil, p.parsingError()
	}
	return p.doc, nil
}

func checkUTF8(file, text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		column += size
		if r == '\n' {
			line, column = line+1, 1
		}
		i += size
	}
	return errorAt(Position{file, line, column}, KindEncoding, "not UTF-8; save the file as UTF-8")
}

// line2 takes one line by the rules of Python 2.
func (p *parser) line2(line string, n int) error {
	stripped := Python2.strip(line)
	if stripped == "" || line[0] == '#' || line[0] == ';' || isRem(line) {
		return nil
	}
	if isSpace2(line[0]) && p.open {
		p.value = append(p.value, stripped)
		return nil
	}
	if name, ok := header2(line); ok {
		return p.header(name, Position{p.doc.file, n, 1})
	}
	column := 1 + strings.Index(line, stripped)
	if p.cur == nil {
		return p.missingHeader(Position{p.doc.file, n, column}, line)
	}
	key, value, ok := option2(line)
	if !ok {
		p.bad = append(p.bad, Position{p.doc.file, n, column})
		return nil
	}
	return p.option(key, value, Position{p.doc.file, n, column})
}

// isRem tells a line of Python 2 that begins with the word rem in any case.
func isRem(line string) bool {
	return len(line) >= 3 && strings.EqualFold(line[:3], "rem") && (len(line) == 3 || isSpace2(line[3]))
}

// header2 is \[([^]]+)\] at the start of the line; what follows is ignored.
func header2(line string) (string, bool) {
	if line[0] != '[' {
		return "", false
	}
	end := strings.IndexByte(line, ']')
	if end < 2 {
		return "", false
	}
	return line[1:end], true
}

// option2 splits a line at the first delimiter and cuts a comment off: only the
// first ';' counts, and only after white space. A value that begins with ';' is
// a comment if its line ends in white space, because Python looks at the byte
// at index -1.
func option2(line string) (key, value string, ok bool) {
	i := strings.IndexAny(line, "=:")
	if i <= 0 || isSpace2(line[0]) {
		return "", "", false
	}
	key = Python2.rstrip(line[:i])
	value = strings.TrimLeftFunc(line[i+1:], isSpace2Rune)
	if semi := strings.IndexByte(value, ';'); semi >= 0 {
		before := semi - 1
		if before < 0 {
			before = len(value) - 1
		}
		if isSpace2(value[before]) {
			value = value[:semi]
		}
	}
	value = Python2.strip(value)
	if value == `""` {
		value = ""
	}
	return key, value, true
}

// line3 takes one line by the rules of Python 3.
func (p *parser) line3(line string, n int) error {
	value := Python3.strip(line)
	if value == "" {
		if p.open {
			p.value = append(p.value, "")
		}
		return nil
	}
	if value[0] == '#' || value[0] == ';' {
		return nil
	}
	before := strings.Index(line, value)
	indent := utf8.RuneCountInString(line[:before])
	if p.open && indent > p.indent {
		p.value = append(p.value, value)
		return nil
	}
	p.indent = indent
	pos := Position{p.doc.file, n, before + 1}
	// The header is greedy: up to the last bracket of the line.
	if end := strings.LastIndexByte(value, ']'); value[0] == '[' && end >= 2 {
		return p.header(value[1:end], pos)
	}
	if p.cur == nil {
		return p.missingHeader(pos, line)
	}
	i := strings.IndexAny(value, "=:")
	if i < 0 {
		p.bad = append(p.bad, pos)
		return nil
	}
	key := Python3.rstrip(value[:i])
	if err := p.option(key, Python3.strip(value[i+1:]), pos); err != nil {
		return err
	}
	if key == "" {
		// An option without a name is an error, and nothing continues it.
		p.bad = append(p.bad, pos)
		p.open = false
	}
	return nil
}

// header begins a section, or goes on with one that was there before.
func (p *parser) header(name string, pos Position) error {
	p.closeValue()
	s := p.doc.byName[name]
	switch {
	case s != nil && p.doc.dialect == Python3:
		return errorAt(pos, KindDuplicateSection, fmt.Sprintf(
			"section [%s] is also on line %d; merge the two (Python 2 does so, Python 3 refuses)", name, s.pos.Line))
	case s != nil:
		p.cur = s
	case name == defaultSection:
		p.cur = p.doc.defaults
	default:
		p.cur = &section{name: name, pos: pos, opts: newTable()}
		p.doc.byName[name] = p.cur
		p.doc.sections = append(p.doc.sections, p.cur)
		if p.doc.dialect == Python2 {
			// Python 2 lets %(__name__)s stand for the section's name.
			p.cur.opts.set(Setting{Key: "__name__", Value: name, Position: pos, Section: name})
		}
	}
	return nil
}

// option begins a value.
func (p *parser) option(key, value string, pos Position) error {
	p.closeValue()
	if old, twice := p.cur.opts.get(key); twice && p.doc.dialect == Python3 {
		return errorAt(pos, KindDuplicateOption, fmt.Sprintf(
			"option %q is also on line %d of section [%s]; remove one (Python 2 takes the last, Python 3 refuses)",
			clip(key), old.Line, p.cur.name))
	}
	p.place = p.cur.opts.set(Setting{Key: key, Value: value, Position: pos, Section: p.cur.name})
	p.value = append(p.value[:0], value)
	p.open = true
	return nil
}

// closeValue puts the lines of a value together. Python 3 drops the blank lines
// at its end.
func (p *parser) closeValue() {
	if p.open && len(p.value) > 1 {
		value := strings.Join(p.value, "\n")
		if p.doc.dialect == Python3 {
			value = Python3.rstrip(value)
		}
		p.cur.opts.items[p.place].Value = value
	}
	p.open = false
}

// clip shortens a name for a message: a misread line may be long.
func clip(name string) string {
	const most = 60
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

func (p *parser) missingHeader(pos Position, line string) error {
	if strings.HasPrefix(line, "\ufeff") {
		return errorAt(pos, KindMissingSectionHeader,
			"the file begins with a byte-order mark, which Python takes for text before the first section; save it as UTF-8 without BOM")
	}
	return errorAt(pos, KindMissingSectionHeader,
		"text before the first section; put a header such as [app:main] above it, or # in front of it")
}

func (p *parser) parsingError() error {
	msg := "neither a section, nor an option (name = value), nor a comment; correct the line, or indent it if it continues the value above"
	if len(p.bad) > 1 {
		msg += fmt.Sprintf("; there are %d such lines, the next is line %d", len(p.bad), p.bad[1].Line)
	}
	return errorAt(p.bad[0], KindParsing, msg)
}
