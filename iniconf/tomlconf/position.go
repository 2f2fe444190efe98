package tomlconf

import (
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// mark is a place in a file: a key, or an element of an array.
type mark struct {
	key  []string // as the library gives it
	path []string // with the number of each element of an array of tables
	line int
	// What the file is up to here, closed with closers, is a whole file.
	end     int
	closers string
	defines bool // here the key begins
}

// scanner finds the keys of a text. The library, which knows their places, does not
// tell them. It has accepted the text, so there is nothing to check here.
type scanner struct {
	text   string
	pos    int
	line   int
	open   string         // what closes the arrays and tables around pos
	depth  int            // how many they are
	counts map[string]int // elements of each array of tables so far
	marks  []mark
}

// maxDepth is how deep in arrays and inline tables there are marks.
const maxDepth = 64

// scan returns the marks of a TOML document in their order.
func scan(text string) []mark {
	s := &scanner{text: text, line: 1, counts: map[string]int{}}
	var key, path []string
	for s.blank(); s.pos < len(s.text); s.blank() {
		if s.text[s.pos] == '[' {
			key, path = s.header()
			continue
		}
		s.keyValue(key, path)
	}
	return s.marks
}

// blank passes over white space, line ends and comments.
func (s *scanner) blank() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r':
			s.pos++
		case '\n':
			s.pos++
			s.line++
		case '#':
			s.until("\n")
		default:
			return
		}
	}
}

// until moves to the next one of these letters.
func (s *scanner) until(letters string) {
	if i := strings.IndexAny(s.text[s.pos:], letters); i >= 0 {
		s.pos += i
		return
	}
	s.pos = len(s.text)
}

// take passes over a sign, if it is next.
func (s *scanner) take(sign string) bool {
	if !strings.HasPrefix(s.text[s.pos:], sign) {
		return false
	}
	s.pos += len(sign)
	return true
}

// mark notes the present place.
func (s *scanner) mark(key, path []string, line int, defines bool) {
	if s.depth > maxDepth {
		return
	}
	s.marks = append(s.marks, mark{key: key, path: path, line: line, end: s.pos, closers: s.open, defines: defines})
}

// header reads "[a.b]" or "[[a.b]]".
func (s *scanner) header() (key, path []string) {
	line := s.line
	s.take("[")
	array := s.take("[")
	key = s.keyParts()
	s.until("]")
	s.take("]")
	for i, part := range key {
		path = append(path, part)
		name := strings.Join(path, "\x00")
		n := s.counts[name]
		switch last := i == len(key)-1; {
		case last && array:
			s.counts[name]++
			path = append(path, strconv.Itoa(n))
		case n > 0:
			path = append(path, strconv.Itoa(n-1))
		}
	}
	if array {
		s.take("]")
	}
	s.mark(key, path, line, true)
	return key, path
}

// keyParts reads "a.'b'.c" and the white space around it.
func (s *scanner) keyParts() (parts []string) {
	for {
		s.blank()
		switch c := s.text[s.pos]; c {
		case '"', '\'':
			parts = append(parts, s.quoted(string(c)))
		default:
			start := s.pos
			s.until(" \t.=]")
			parts = append(parts, s.text[start:s.pos])
		}
		s.blank()
		if !s.take(".") {
			return parts
		}
	}
}

// quoted reads a text in quotes of that kind, one line long.
func (s *scanner) quoted(quote string) string {
	start := s.pos
	s.take(quote)
	s.toEnd(quote)
	text := s.text[start:s.pos]
	if quote == `"` && strings.Contains(text, `\`) {
		var plain struct{ Key string }
		_, _ = toml.Decode("key = "+text, &plain) // accepted before
		return plain.Key
	}
	return text[1 : len(text)-1]
}

// toEnd moves behind the end of a text in quotes.
func (s *scanner) toEnd(quote string) {
	for !s.take(quote) {
		if s.text[s.pos] == '\\' && quote[0] == '"' {
			s.pos++
		}
		if s.text[s.pos] == '\n' {
			s.line++
		}
		s.pos++
	}
}

// keyValue reads "key = value".
func (s *scanner) keyValue(key, path []string) {
	line := s.line
	parts := s.keyParts()
	s.take("=")
	s.blank()
	s.value(s.add(key, parts...), s.add(path, parts...), line, true)
}

// add makes the key of something in a table or array.
func (s *scanner) add(key []string, parts ...string) []string {
	if s.depth > maxDepth {
		return key
	}
	return slices.Concat(key, parts)
}

// value reads a value and notes what is in it.
func (s *scanner) value(key, path []string, line int, defines bool) {
	around := s.open
	switch s.text[s.pos] {
	case '{':
		s.enter("{", "}")
		s.mark(key, path, line, defines)
		for s.blank(); !s.take("}"); s.blank() {
			s.keyValue(key, path)
			s.blank()
			s.take(",")
		}
	case '[':
		s.enter("[", "]")
		s.mark(key, path, line, defines)
		for i := 0; ; i++ {
			if s.blank(); s.take("]") {
				break
			}
			s.value(key, s.add(path, strconv.Itoa(i)), s.line, false)
			s.blank()
			s.take(",")
		}
	default:
		s.scalar()
		s.mark(key, path, line, defines)
		return
	}
	s.open = around
	s.depth--
	s.mark(key, path, line, false)
}

func (s *scanner) enter(sign, closer string) {
	s.take(sign)
	if s.depth++; s.depth <= maxDepth {
		s.open = closer + s.open
	}
}

// scalar passes over a text, number, time or word.
func (s *scanner) scalar() {
	for _, quote := range []string{`"""`, `'''`, `"`, `'`} {
		if s.take(quote) {
			s.toEnd(quote)
			for len(quote) == 3 && s.take(quote[:1]) { // up to two may stand before the end
			}
			return
		}
	}
	s.until(",]}#\r\n")
}
