package identity

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Why a header cannot hold a text. Nothing of the text is in them.
var (
	errNotASCII  = errors.New("it is not ASCII")
	errControl   = errors.New("it has control characters")
	errSpace     = errors.New("it begins or ends with a space")
	errSeparator = errors.New("a member contains a character of the separator")
)

// checkASCII refuses what a header cannot hold, or a receiver would change (RFC 9110,
// section 5.5).
func checkASCII(s string) error {
	if strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") {
		return errSpace
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == 0x7F:
			return errControl
		case c > 0x7F:
			return errNotASCII
		}
	}
	return nil
}

// checkUTF8 is checkASCII for the whole of Unicode. Line and paragraph separators count
// as control characters.
func checkUTF8(s string) error {
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return errControl
		}
	}
	if unicode.IsSpace(first) || unicode.IsSpace(last) {
		return errSpace
	}
	return nil
}

const upperHex = "0123456789ABCDEF"

// appendPercent appends s with everything escaped that is not unreserved (RFC 3986,
// section 2.3), so that it is one part in any place of a URL and in any list.
func appendPercent(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isUnreserved(c) {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

func isUnreserved(c byte) bool {
	return isAlphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
