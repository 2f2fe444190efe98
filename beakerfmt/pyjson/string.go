package pyjson

import (
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// plain returns the length of the part of s that stands for itself in a string.
func plain(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

// string reads a string from its opening quote on.
func (d *decoder) string() (string, error) {
	start := d.pos
	d.pos++
	n := plain(d.text[d.pos:])
	if d.pos+n < len(d.text) && d.text[d.pos+n] == '"' { // nothing escaped: no copy
		s := d.text[d.pos : d.pos+n]
		d.pos += n + 1
		return s, nil
	}
	var buf []byte
	for {
		buf = append(buf, d.text[d.pos:d.pos+n]...)
		d.pos += n
		if d.pos >= len(d.text) {
			return "", d.failAt(start, "the string has no end")
		}
		switch d.text[d.pos] {
		case '"':
			d.pos++
			return string(buf), nil
		case '\\':
			r, err := d.escape(start)
			if err != nil {
				return "", err
			}
			buf = pyvalue.AppendRune(buf, r)
		default:
			return "", d.fail("control character in a string")
		}
		n = plain(d.text[d.pos:])
	}
}

// escape reads an escape from its backslash on. start is where the string began.
func (d *decoder) escape(start int) (rune, error) {
	if d.pos+1 >= len(d.text) {
		return 0, d.failAt(start, "the string has no end")
	}
	c := d.text[d.pos+1]
	if c == 'u' {
		return d.unicode()
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return 0, d.fail("unknown escape")
	}
	d.pos += 2
	return rune("\"\\/\b\f\n\r\t"[i]), nil
}

// unicode reads \uXXXX, and the second one of a pair of surrogates with it.
func (d *decoder) unicode() (rune, error) {
	r, ok := hex4(d.text[d.pos:])
	if !ok {
		return 0, d.fail("four hexadecimal digits are expected after \\u")
	}
	d.pos += 6
	if r < 0xD800 || r > 0xDBFF {
		return r, nil
	}
	low, ok := hex4(d.text[d.pos:])
	if !ok || low < 0xDC00 || low > 0xDFFF {
		return r, nil // alone
	}
	d.pos += 6
	return 0x10000 + (r-0xD800)<<10 + (low - 0xDC00), nil
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}
