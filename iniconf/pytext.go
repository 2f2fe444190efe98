package iniconf

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isSpace2 is Python 2's isspace for an 8-bit string in the C locale.
func isSpace2(c byte) bool {
	return c == ' ' || (c >= '\t' && c <= '\r')
}

// isSpace3 is Python 3's str.isspace: Unicode's white space and the four
// information separators.
func isSpace3(r rune) bool {
	return unicode.IsSpace(r) || (r >= 0x1c && r <= 0x1f)
}

func isSpace2Rune(r rune) bool { return r < utf8.RuneSelf && isSpace2(byte(r)) }

// space returns the dialect's white space as a function for package strings.
// A stray byte of an 8-bit string reads as U+FFFD, which is not white space.
func (d Dialect) space() func(rune) bool {
	if d == Python2 {
		return isSpace2Rune
	}
	return isSpace3
}

func (d Dialect) strip(s string) string  { return strings.TrimLeftFunc(d.rstrip(s), d.space()) }
func (d Dialect) rstrip(s string) string { return strings.TrimRightFunc(s, d.space()) }

// fields is str.split() without arguments.
func (d Dialect) fields(s string) []string { return strings.FieldsFunc(s, d.space()) }

// lines yields the lines of a text with their numbers, without their ends, as the
// dialect's open() makes them: Python 2 knows "\n" alone, Python 3 also "\r\n" and
// "\r". A last line that is empty is no line.
func (d Dialect) lines(text string) iter.Seq2[int, string] {
	if d != Python2 && strings.Contains(text, "\r") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return func(yield func(int, string) bool) {
		rest := text
		for n := 1; rest != ""; n++ {
			var line string
			line, rest, _ = strings.Cut(rest, "\n")
			if !yield(n, line) {
				return
			}
		}
	}
}

// digit returns the value of a decimal digit as Python's \d and int() know it:
// any script's in Python 3, ASCII's in Python 2.
func (d Dialect) digit(r rune) (int, bool) {
	if r < utf8.RuneSelf || d == Python2 {
		return int(r - '0'), r >= '0' && r <= '9'
	}
	if !unicode.IsDigit(r) {
		return 0, false
	}
	// Unicode encodes decimal digits in runs of ten from zero to nine.
	for _, t := range unicode.Nd.R16 {
		if lo := rune(t.Lo); r >= lo && r <= rune(t.Hi) {
			return int(r-lo) % 10, true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if lo := rune(t.Lo); r >= lo && r <= rune(t.Hi) {
			return int(r-lo) % 10, true
		}
	}
	return 0, false
}
