package pyvalue

import "unicode/utf8"

const (
	surrogateMin = 0xD800
	surrogateMax = 0xDFFF
)

// DecodeRune returns the first code point of the text of a [Str] and its width
// in bytes. Unlike [utf8.DecodeRuneInString] it knows lone surrogates by their
// three bytes. What is no code point at all gives ([utf8.RuneError], 1), the
// empty text ([utf8.RuneError], 0).
func DecodeRune(s string) (r rune, size int) {
	r, size = utf8.DecodeRuneInString(s)
	if r != utf8.RuneError || size != 1 || len(s) < 3 || s[0] != 0xED {
		return r, size
	}
	if s[1] < 0xA0 || s[1] > 0xBF || s[2] < 0x80 || s[2] > 0xBF {
		return r, size
	}
	return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), 3
}

// AppendRune appends a code point as a [Str] holds it: UTF-8, and three bytes
// for a lone surrogate.
func AppendRune(dst []byte, r rune) []byte {
	if r < surrogateMin || r > surrogateMax {
		return utf8.AppendRune(dst, r)
	}
	return append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
}

// ValidText reports whether s can be the text of a [Str]: code points in
// UTF-8, lone surrogates allowed.
func ValidText(s string) bool {
	if utf8.ValidString(s) {
		return true
	}
	for len(s) > 0 {
		r, n := DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		s = s[n:]
	}
	return true
}
