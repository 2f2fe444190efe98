package beakerfmt

// What http.cookies looks for, again and again from where the last one ended, is
// this (bytes; \w and \s are those of ASCII, also in Python 3):
//
//	\s* NAME ( \s* = \s* VALUE )? \s* ( \s+ | ; | end )
//
//	NAME    shortest run of name characters, "=" among them
//	VALUE   "(?:[^\\"]|\\.)*"
//	      | \w{3},\s[\w\s-]{9,11}\s[\d:]{8}\sGMT
//	      | run of name characters and brackets, maybe empty
//
// The regular expression backtracks; the matcher below goes straight to what
// the backtracking arrives at. Three facts make that possible. Name characters
// are value characters, so from any "=" inside a name the plain value ends at
// the same place. A match must end in a space, a semicolon or the end, none
// of which is a value character, so a shorter value never helps. And blanks
// after "=" can always be given back to end the match after an empty value.

// spaces is what \s matches.
const spaces = " \t\n\v\f\r"

// Classes of characters.
const (
	classToken = 1 << iota // accepted in names by both Pythons without quoting
	className              // of a name in the pattern
	classValue             // of a plain value in the pattern
	classSpace
	classWord
)

var classes = func() (t [256]uint8) {
	set := func(chars string, class uint8) {
		for i := 0; i < len(chars); i++ {
			t[chars[i]] |= class
		}
	}
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	set(alnum+"_", classWord)
	set(alnum+"!#$%&'*+-.^_`|~", classToken|className|classValue)
	set(":<>@,/)(?}{=", className|classValue)
	set("[]", classValue)
	set(spaces, classSpace)
	return t
}()

// cookieMatch is one match of the pattern.
type cookieMatch struct {
	name     string
	value    string
	hasValue bool // there was a "="
	end      int
}

// matchCookie matches the pattern at pos.
func matchCookie(s string, pos int) (cookieMatch, bool) {
	start := skip(s, pos, classSpace)
	nameEnd := skip(s, start, className) // the longest name
	if nameEnd == start {
		return cookieMatch{}, false
	}
	// The shortest name first: up to a "=" inside the run.
	for eq := start + 1; eq < nameEnd; eq++ {
		if s[eq] != '=' {
			continue
		}
		if value, end, ok := matchValue(s, eq+1, nameEnd); ok {
			return cookieMatch{s[start:eq], value, true, end}, true
		}
		// Every other "=" with name characters after it fails at the same
		// place; one at the end of the run may have a quoted value.
		if eq < nameEnd-2 {
			eq = nameEnd - 2
		}
	}
	// The whole run, and a "=" after blanks.
	if eq := skip(s, nameEnd, classSpace); eq > nameEnd && eq < len(s) && s[eq] == '=' {
		if value, end, ok := matchValue(s, eq+1, eq+1); ok {
			return cookieMatch{s[start:nameEnd], value, true, end}, true
		}
	}
	end, ok := matchEnd(s, nameEnd)
	return cookieMatch{name: s[start:nameEnd], end: end}, ok
}

// matchValue matches what follows a "=": blanks, a value and the end. All from
// pos up to known are name characters, which need not be looked at again.
func matchValue(s string, pos, known int) (value string, end int, ok bool) {
	from := skip(s, pos, classSpace)
	if to, ok := matchQuoted(s, from); ok {
		if end, ok := matchEnd(s, to); ok {
			return s[from:to], end, true
		}
	}
	if to, ok := matchDate(s, from); ok {
		if end, ok := matchEnd(s, to); ok {
			return s[from:to], end, true
		}
	}
	to := skip(s, max(from, known), classValue)
	if end, ok := matchEnd(s, to); ok {
		return s[from:to], end, true
	}
	return "", from, from > pos // the empty value, ended by a blank
}

// matchQuoted matches a quoted string at pos and returns its end.
func matchQuoted(s string, pos int) (end int, ok bool) {
	if pos >= len(s) || s[pos] != '"' {
		return 0, false
	}
	for i := pos + 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1, true
		case '\\':
			i++
			if i < len(s) && s[i] == '\n' { // which "." does not match
				return 0, false
			}
		}
	}
	return 0, false
}

// matchDate matches a date such as "Tue, 14-Nov-2023 22:18:20 GMT" at pos and
// returns its end. At most one length of the middle can match: of two, the one
// would have a blank where the other has a digit.
func matchDate(s string, pos int) (end int, ok bool) {
	const short, prefix, suffix = 9, len("Tue, "), len(" 22:18:20 GMT")
	if len(s)-pos < prefix+short+suffix || !all(s[pos:pos+3], isWord) || s[pos+3] != ',' || !isSpace(s[pos+4]) {
		return 0, false
	}
	for n := short + 2; n >= short; n-- {
		mid := pos + prefix
		time := mid + n
		end := time + suffix
		if end <= len(s) && isSpace(s[time]) && isSpace(s[time+9]) && s[time+10:end] == "GMT" &&
			all(s[time+1:time+9], isTimeChar) && all(s[mid:time], isDateChar) {
			return end, true
		}
	}
	return 0, false
}

// matchEnd matches what ends a cookie: blanks, and a semicolon or the end of
// the header if there was no blank. It returns where the next one begins.
func matchEnd(s string, pos int) (end int, ok bool) {
	next := skip(s, pos, classSpace)
	if next < len(s) && s[next] == ';' {
		return next + 1, true
	}
	return next, next > pos || next == len(s)
}

// skip returns the end of the run of characters of a class.
func skip(s string, pos int, class uint8) int {
	for pos < len(s) && classes[s[pos]]&class != 0 {
		pos++
	}
	return pos
}

func all(s string, is func(byte) bool) bool {
	for i := 0; i < len(s); i++ {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isSpace(c byte) bool    { return classes[c]&classSpace != 0 }
func isWord(c byte) bool     { return classes[c]&classWord != 0 }
func isTimeChar(c byte) bool { return '0' <= c && c <= '9' || c == ':' }
func isDateChar(c byte) bool { return isWord(c) || isSpace(c) || c == '-' }
