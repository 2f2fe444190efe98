package pyvalue

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendReprFloat appends f as Python's repr writes it: the shortest digits
// that give f again, with an exponent below 1e-4 and from 1e16 on.
func AppendReprFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// ReprFloat returns f as Python's repr writes it: "1.0", "1e+16", "1e-05",
// "inf", "nan".
func ReprFloat(f float64) string { return string(AppendReprFloat(nil, f)) }

// HexFloat returns f as Python's float.hex writes it: "0x1.8000000000000p+0".
func HexFloat(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ReprFloat(f)
	}
	bits := math.Float64bits(f)
	dst := make([]byte, 0, 24)
	if bits>>63 != 0 {
		dst = append(dst, '-')
	}
	exp, frac := int(bits>>52&0x7FF), bits&(1<<52-1)
	if exp == 0 && frac == 0 {
		return string(append(dst, "0x0.0p+0"...))
	}
	lead := byte('1')
	if exp == 0 {
		lead, exp = '0', 1
	}
	dst = append(dst, '0', 'x', lead, '.')
	for shift := 48; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[frac>>shift&0xF])
	}
	dst = append(dst, 'p')
	if exp >= 1023 {
		dst = append(dst, '+')
	}
	return string(strconv.AppendInt(dst, int64(exp-1023), 10))
}

// reprComplex appends c as Python's repr writes it.
func reprComplex(dst []byte, c complex128) []byte {
	re, im := trimFloat(real(c)), trimFloat(imag(c))
	if real(c) == 0 && !math.Signbit(real(c)) {
		return append(append(dst, im...), 'j')
	}
	dst = append(append(dst, '('), re...)
	if im[0] != '-' {
		dst = append(dst, '+')
	}
	return append(append(dst, im...), "j)"...)
}

func trimFloat(f float64) string { return strings.TrimSuffix(ReprFloat(f), ".0") }

// ReprStr returns the text of a [Str] as Python 3's repr writes it, quotes
// included. Bytes that are no text are written as their lone surrogates, as
// Python's "surrogateescape" names them.
func ReprStr(s string) string { return string(appendReprStr(nil, s, len(s))) }

// ReprBytes returns b as Python 3's repr of bytes writes it: b'…'.
func ReprBytes(b string) string { return string(appendReprBytes([]byte("b"), b, len(b))) }

// appendReprStr stops after limit bytes of the text.
func appendReprStr(dst []byte, s string, limit int) []byte {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for i := 0; i < 3 && len(s) > 0 && !utf8.RuneStart(s[len(s)-1]); i++ {
			s = s[:len(s)-1]
		}
		if len(s) > 0 && s[len(s)-1] >= 0xC0 {
			s = s[:len(s)-1]
		}
	}
	quote := quoteFor(s)
	dst = append(dst, quote)
	for len(s) > 0 {
		r, n := DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			r = 0xDC00 | rune(s[0])
		}
		dst = appendReprRune(dst, r, quote)
		s = s[n:]
	}
	return closeQuote(dst, quote, cut)
}

func appendReprBytes(dst []byte, s string, limit int) []byte {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	quote := quoteFor(s)
	dst = append(dst, quote)
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x7F {
			dst = append(dst, '\\', 'x', hexDigits[s[i]>>4], hexDigits[s[i]&0xF])
			continue
		}
		dst = appendReprRune(dst, rune(s[i]), quote)
	}
	return closeQuote(dst, quote, cut)
}

func quoteFor(s string) byte {
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		return '"'
	}
	return '\''
}

func closeQuote(dst []byte, quote byte, cut bool) []byte {
	if cut {
		dst = append(dst, ellipsis...)
	}
	return append(dst, quote)
}

func appendReprRune(dst []byte, r rune, quote byte) []byte {
	switch {
	case r == rune(quote) || r == '\\':
		return append(dst, '\\', byte(r))
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r == '\t':
		return append(dst, `\t`...)
	case unicode.IsPrint(r):
		return utf8.AppendRune(dst, r)
	case r < 0x100:
		return appendHex(append(dst, `\x`...), r, 2)
	case r < 0x10000:
		return appendHex(append(dst, `\u`...), r, 4)
	}
	return appendHex(append(dst, `\U`...), r, 8)
}

func appendHex(dst []byte, r rune, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[r>>shift&0xF])
	}
	return dst
}
