package pickle

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// readLine reads up to the next newline, which it leaves out.
func (m *machine) readLine() (string, error) {
	n := strings.IndexByte(m.in[m.pos:], '\n')
	if n < 0 {
		return "", errShort
	}
	s := m.in[m.pos : m.pos+n]
	m.pos += n + 1
	return s, nil
}

// line carries out the opcodes of protocol 0 whose argument is a line of text.
func (m *machine) line(op byte) error {
	s, err := m.readLine()
	if err != nil {
		return err
	}
	switch op {
	case opInt:
		return m.intLine(s)
	case opLong:
		return m.decimal(strings.TrimSuffix(s, "L"), true)
	case opFloat:
		return m.floatLine(s)
	case opString:
		return m.stringLine(s)
	case opUnicode:
		return m.unicodeLine(s)
	case opPersID:
		return m.persLine(s)
	}
	key, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return syntax("memo entry has no number")
	}
	if op == opPut {
		return m.put(uint32(key))
	}
	return m.get(uint32(key))
}

func (m *machine) intLine(s string) error {
	switch s { // how protocol 0 and 1 write what else would be 0 and 1
	case "00":
		m.push(pyvalue.Bool(false))
		return nil
	case "01":
		m.push(pyvalue.Bool(true))
		return nil
	}
	return m.decimal(s, false)
}

// decimal pushes an integer in decimal text. Python 2 reads an INT that is too
// large for its int as long.
func (m *machine) decimal(s string, long bool) error {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return syntax("no decimal number")
	}
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return syntax("no decimal number")
		}
	}
	if digits[0] == '0' && len(digits) > 1 {
		return syntax("decimal number with leading zeros") // Python takes it for octal, or refuses it
	}
	if len(digits) > maxDigits(m.lim.MaxIntBits) {
		return limit("integer is too long")
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if long {
			m.push(m.arena.Int(n, true))
		} else {
			m.pushPy2Int(n)
		}
		return nil
	}
	n, _ := new(big.Int).SetString(s, 10)
	if n.BitLen() > m.lim.MaxIntBits {
		return limit("integer is too long")
	}
	m.push(pyvalue.NewLong(n))
	return nil
}

func (m *machine) pushPy2Int(n int64) {
	if n == int64(int32(n)) {
		m.push(m.arena.Int(n, false))
		return
	}
	i := pyvalue.MakePy2Int(n)
	m.push(&i)
}

// bigLong reads a little-endian two's complement of more than 8 bytes.
func bigLong(s string) *pyvalue.Int {
	b := []byte(s)
	slices.Reverse(b)
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return pyvalue.NewLong(n)
}

func (m *machine) floatLine(s string) error {
	f, ok := parseFloat(s)
	if !ok {
		return syntax("no floating-point number")
	}
	m.push(m.arena.Float(f))
	return nil
}

// parseFloat reads what Python's float() reads and repr() writes, less the
// blanks and underscores that float() allows.
func parseFloat(s string) (float64, bool) {
	switch bare := strings.ToLower(strings.TrimLeft(s, "+-")); {
	case len(s)-len(bare) > 1 || strings.ContainsAny(bare, "xp_"):
		return 0, false
	case bare == "nan" && strings.HasPrefix(s, "-"):
		return math.Copysign(pyvalue.NaN(), -1), true
	case bare == "nan":
		return pyvalue.NaN(), true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func (m *machine) persLine(s string) error {
	var id pyvalue.Value = pyvalue.Str(s)
	if !pyvalue.IsASCII(s) {
		id = pyvalue.Py2Str(s) // only Python 2 writes such
	}
	m.push(&pyvalue.Persistent{ID: id, Text: true})
	return nil
}

// stringLine reads Python 2's repr of a str. Like Python it looks at the first
// and the last quote only.
func (m *machine) stringLine(s string) error {
	s = strings.TrimRight(s, " \t\r\v\f")
	n := len(s)
	if n < 2 || s[0] != s[n-1] || s[0] != '\'' && s[0] != '"' {
		return syntax("string is not in quotes")
	}
	s = s[1 : n-1]
	if strings.IndexByte(s, '\\') < 0 {
		m.py2str(s)
		return nil
	}
	out, ok := unescape(s)
	if !ok {
		return syntax("string has a broken escape")
	}
	m.py2str(out)
	return nil
}

// unescape undoes the escapes of a Python 2 string literal.
func unescape(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		switch c := s[i]; c {
		case '\\', '\'', '"':
			out = append(out, c)
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'a':
			out = append(out, '\a')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'v':
			out = append(out, '\v')
		case 'x':
			n, ok := hexDigits(s[i+1:], 2)
			if !ok {
				return "", false
			}
			out = append(out, byte(n))
			i += 2
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n, used := octalDigits(s[i:])
			out = append(out, byte(n))
			i += used - 1
		default: // not an escape: both stand for themselves
			out = append(out, '\\', c)
		}
	}
	return string(out), true
}

// hexDigits reads exactly n hexadecimal digits.
func hexDigits(s string, n int) (uint32, bool) {
	if len(s) < n {
		return 0, false
	}
	var out uint32
	for i := 0; i < n; i++ {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		out = out<<4 | uint32(c)
	}
	return out, true
}

// octalDigits reads up to three octal digits.
func octalDigits(s string) (n uint32, used int) {
	for used < 3 && used < len(s) && '0' <= s[used] && s[used] <= '7' {
		n = n<<3 | uint32(s[used]-'0')
		used++
	}
	return n, used
}

// unicodeLine reads Python's raw-unicode-escape: Latin-1, and \uXXXX and
// \UXXXXXXXX for the rest.
func (m *machine) unicodeLine(s string) error {
	if pyvalue.IsASCII(s) && strings.IndexByte(s, '\\') < 0 {
		m.push(m.arena.Str(s))
		return nil
	}
	out := make([]byte, 0, len(s)+len(s)/8)
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = appendRune(out, rune(s[i]))
			continue
		}
		i++
		width := 0
		switch s[i] {
		case 'u':
			width = 4
		case 'U':
			width = 8
		default: // the pair stands for itself, so that \\u is no escape
			out = appendRune(append(out, '\\'), rune(s[i]))
			continue
		}
		n, ok := hexDigits(s[i+1:], width)
		if !ok || n > utf8.MaxRune {
			return syntax("text has a broken escape")
		}
		out = appendRune(out, rune(n))
		i += width
	}
	m.push(m.arena.Str(string(out)))
	return nil
}

// appendRune appends a code point, which may be a lone surrogate.
func appendRune(dst []byte, r rune) []byte {
	if 0xd800 <= r && r <= 0xdfff {
		return append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(dst, r)
}

// validText reports whether s is UTF-8, lone surrogates allowed.
func validText(s string) bool {
	for !utf8.ValidString(s) {
		i := strings.IndexByte(s, 0xed)
		for ; i >= 0 && i+3 <= len(s); i++ {
			if s[i] == 0xed && s[i+1] >= 0xa0 && s[i+1] <= 0xbf && s[i+2] >= 0x80 && s[i+2] <= 0xbf {
				break
			}
		}
		if i < 0 || i+3 > len(s) || !utf8.ValidString(s[:i]) {
			return false
		}
		s = s[i+3:]
	}
	return true
}

// decodeRune returns the first code point of valid text, which may be a lone
// surrogate, and its length.
func decodeRune(s string) (r rune, size int) {
	if s[0] == 0xed && s[1] >= 0xa0 {
		return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return utf8.DecodeRuneInString(s)
}
