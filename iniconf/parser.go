package iniconf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Dialect says whose ConfigParser and whose PasteDeploy read the file.
type Dialect uint8

// The dialects.
const (
	Auto     Dialect = iota // by LoadOptions.Python; else Python3, unless only Python39 or Python2 can read the file
	Python2                 // ConfigParser of Python 2.7, PasteDeploy 1.5.2
	Python3                 // configparser of Python 3.10 and later, PasteDeploy 2.0 and later
	Python39                // configparser of Python 3.6 to 3.9: as Python3, but a header ends at its first bracket
)

// String returns "auto", "python2", "python3" or "python3.9".
func (d Dialect) String() string {
	switch d {
	case Python2:
		return "python2"
	case Python3:
		return "python3"
	case Python39:
		return "python3.9"
	}
	return "auto"
}

// python is the dialect in a sentence.
func (d Dialect) python() string {
	if d == Python2 {
		return "Python 2"
	}
	return "Python 3"
}

// ParseDialect is the reverse of [Dialect.String]; "" is "auto" too.
func ParseDialect(name string) (Dialect, error) {
	for _, d := range []Dialect{Auto, Python2, Python3, Python39} {
		if name == d.String() {
			return d, nil
		}
	}
	if name == "" {
		return Auto, nil
	}
	return Auto, fmt.Errorf("iniconf: dialect %q is not known: use auto, python2, python3 (3.10 and later) or python3.9 (3.6 to 3.9)", clip(name))
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
	cur    *section // nil before the first header
	open   bool     // whether lines may continue the value of option place
	place  int      // in cur.opts
	value  []string // the lines of that value
	spots  []spot   // where the lines of all values stand, the open one's last
	indent int      // of the last line that was not a continuation (Python 3)
	bad    []int    // lines that make no sense; reported at the end
	first  *Error   // what is wrong with the first of them
}

// parse reads the text of a file by the rules of a dialect (not Auto). It is the
// method _read of ConfigParser 2.7 and configparser 3. Whether the text is UTF-8
// is looked at first; Python meets a bad byte when its reading gets there.
func parse(file, text string, d Dialect) (*document, error) {
	if d != Python2 {
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
	for n, line := range d.lines(text) {
		if err := readLine(line, n); err != nil {
			return nil, err
		}
	}
	p.closeValue()
	if p.first != nil {
		return nil, p.parsingError()
	}
	return p.doc, nil
}

func checkUTF8(file, text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	bad := 0
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			bad = i
			break
		}
	}
	pos := Position{File: file}
	for n, line := range Python3.lines(text[:bad] + "?") {
		pos.Line, pos.Column = n, len(line)
	}
	return errorAt(pos, KindEncoding, "not UTF-8; save the file as UTF-8 (Python 2 takes any bytes)")
}

// line2 takes one line by the rules of Python 2.
func (p *parser) line2(line string, n int) error {
	stripped := Python2.strip(line)
	if stripped == "" || line[0] == '#' || line[0] == ';' || isRem(line) {
		return nil
	}
	column := 1 + strings.Index(line, stripped)
	if isSpace2(line[0]) && p.open {
		p.more(stripped, n, column)
		return nil
	}
	pos := Position{p.doc.file, n, column}
	// The header must stand at the margin; what follows it is ignored.
	if name, ok := shortHeader(line); ok {
		return p.header(name, pos)
	}
	if p.cur == nil {
		return p.missingHeader(pos, line)
	}
	if isSpace2(line[0]) {
		p.nonsense(pos, "an indented line with no option above that it could continue; Python 2 wants the first option of a section at the margin")
		return nil
	}
	delimiter := strings.IndexAny(line, "=:")
	if delimiter <= 0 {
		p.nonsense(pos, reason(stripped))
		return nil
	}
	value, skipped := value2(line[delimiter+1:])
	return p.option(Python2.rstrip(line[:delimiter]), value, pos, delimiter+2+skipped)
}

// isRem tells a line of Python 2 that begins with the word rem in any case.
func isRem(line string) bool {
	return len(line) >= 3 && strings.EqualFold(line[:3], "rem") && (len(line) == 3 || isSpace2(line[3]))
}

// shortHeader is \[([^]]+)\] at the start of the text, the header of Python 2 and
// of Python 3 up to 3.9; what follows is ignored.
func shortHeader(text string) (string, bool) {
	end := strings.IndexByte(text, ']')
	if text[0] != '[' || end < 2 {
		return "", false
	}
	return text[1:end], true
}

// longHeader is \[(.+)\], the header of Python 3.10 and later: up to the last
// bracket of the line.
func longHeader(text string) (string, bool) {
	if text[0] != '[' {
		return "", false
	}
	end := strings.LastIndexByte(text, ']')
	if end < 2 {
		return "", false
	}
	return text[1:end], true
}

// value2 cleans what follows a delimiter, and tells how many blanks it skipped.
// Of comments only the first ';' counts, and only after white space. A value that
// begins with ';' is a comment if its line ends in white space, because Python
// looks at the byte at index -1.
func value2(text string) (value string, skipped int) {
	value = strings.TrimLeftFunc(text, isSpace2Rune)
	skipped = len(text) - len(value)
	if semi := strings.IndexByte(value, ';'); semi >= 0 {
		before := semi - 1
		if before < 0 {
			before = len(value) - 1
		}
		if isSpace2(value[before]) {
			value = value[:semi]
		}
	}
	if value = Python2.rstrip(value); value == `""` {
		value = ""
	}
	return value, skipped
}

// line3 takes one line by the rules of Python 3.
func (p *parser) line3(line string, n int) error {
	value := Python3.strip(line)
	if value == "" {
		if p.open {
			p.more("", n, 1)
		}
		return nil
	}
	if value[0] == '#' || value[0] == ';' {
		return nil
	}
	before := strings.Index(line, value)
	indent := utf8.RuneCountInString(line[:before])
	if p.open && indent > p.indent {
		p.more(value, n, before+1)
		return nil
	}
	p.indent = indent
	pos := Position{p.doc.file, n, before + 1}
	header := longHeader
	if p.doc.dialect == Python39 {
		header = shortHeader
	}
	if name, ok := header(value); ok {
		return p.header(name, pos)
	}
	if p.cur == nil {
		return p.missingHeader(pos, line)
	}
	delimiter := strings.IndexAny(value, "=:")
	if delimiter < 0 {
		p.nonsense(pos, reason(value))
		return nil
	}
	key, text := Python3.rstrip(value[:delimiter]), value[delimiter+1:]
	trimmed := strings.TrimLeftFunc(text, isSpace3)
	if err := p.option(key, trimmed, pos, before+delimiter+2+len(text)-len(trimmed)); err != nil {
		return err
	}
	if key == "" {
		// An option without a name is an error, and nothing continues it.
		p.nonsense(pos, reason(value))
		p.open = false
	}
	return nil
}

// nonsense notes a line that is an error when the file has been read.
func (p *parser) nonsense(pos Position, why string) {
	if p.first == nil {
		p.first = errorAt(pos, KindParsing, why)
	}
	p.bad = append(p.bad, pos.Line)
}

// reason says what is wrong with a line, never what it holds.
func reason(line string) string {
	switch line[0] {
	case '[':
		return "a section header without a name or without its closing bracket; write [name]"
	case '=', ':':
		return "an option without a name; write name = value, or indent the line if it continues the value above"
	}
	return "neither a section, nor an option (name = value), nor a comment; correct the line, or indent it if it continues the value above"
}

// header begins a section, or goes on with one that was there before.
func (p *parser) header(name string, pos Position) error {
	p.closeValue()
	s := p.doc.byName[name]
	switch {
	case s != nil && p.doc.dialect != Python2:
		return errorAt(pos, KindDuplicateSection, fmt.Sprintf(
			"section [%s] is also on line %d; merge the two (Python 2 does so, Python 3 refuses)", clip(name), s.pos.Line))
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

// option begins a value, whose text is in column column of the line.
func (p *parser) option(key, value string, pos Position, column int) error {
	p.closeValue()
	if old, twice := p.cur.opts.get(key); twice && p.doc.dialect != Python2 {
		return errorAt(pos, KindDuplicateOption, fmt.Sprintf(
			"option %q is also on line %d of section [%s]; remove one (Python 2 takes the last, Python 3 refuses)",
			clip(key), old.Line, clip(p.cur.name)))
	}
	p.place = p.cur.opts.set(Setting{Key: key, Value: value, Position: pos, Section: p.cur.name})
	p.open, p.value = true, p.value[:0]
	p.more(value, pos.Line, column)
	return nil
}

// more takes one line of the open value.
func (p *parser) more(text string, line, column int) {
	p.value = append(p.value, text)
	p.spots = append(p.spots, spot{line, column})
}

// closeValue puts the lines of a value together. Python 3 drops the blank lines
// at its end.
func (p *parser) closeValue() {
	if !p.open {
		return
	}
	p.open = false
	o := &p.cur.opts.items[p.place]
	if len(p.value) > 1 {
		o.Value = strings.Join(p.value, "\n")
		if p.doc.dialect != Python2 {
			o.Value = Python3.rstrip(o.Value)
		}
	}
	o.spots = slices.Clip(p.spots[len(p.spots)-len(p.value):])
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
	text := p.doc.dialect.strip(line)
	msg := "text before the first section; put a header such as [app:main] above it, or # in front of it"
	switch {
	case strings.HasPrefix(line, "\ufeff"):
		msg = "the file begins with a byte-order mark, which Python takes for text before the first section; save it as UTF-8 without BOM"
	case text[0] == '[':
		msg = "text before the first section: " + reason("[")
		if _, ok := shortHeader(text); ok {
			msg = "a section header that is indented, which Python 2 takes for text before the first section; put it at the margin"
		}
	}
	return errorAt(pos, KindMissingSectionHeader, msg)
}

// parsingError is the error about all lines that make no sense.
func (p *parser) parsingError() *Error {
	const most = 10
	e := p.first
	e.Lines = p.bad
	if len(e.Lines) > 1 {
		var list []string
		for _, n := range e.Lines[:min(most, len(e.Lines))] {
			list = append(list, strconv.Itoa(n))
		}
		if n := len(e.Lines) - most; n > 0 {
			list = append(list, strconv.Itoa(n)+" more")
		}
		e.Msg += fmt.Sprintf("; lines that make no sense: %s", strings.Join(list, ", "))
	}
	return e
}
