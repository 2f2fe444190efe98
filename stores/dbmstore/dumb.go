package dbmstore

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// dumbBlock is what values of dbm.dumb begin at a multiple of.
const dumbBlock = 512

// dumbEntry is where the value of a key lies in the .dat file.
type dumbEntry struct {
	key       string // bytes
	pos, size int64
}

// end is where the blocks of the value end.
func (e dumbEntry) end() int64 { return (e.pos + e.size + dumbBlock - 1) / dumbBlock * dumbBlock }

var errDumbIndex = errors.New("not an index of dbm.dumb")

// dumbIndex decodes a .dir file, of which each line is
//
//	'session', (0, 512)
//
// the repr of the key and where its value is. A key that occurs again has its last
// place (dbm/dumb.py, _Database._update).
func dumbIndex(text []byte) ([]dumbEntry, error) {
	var all []dumbEntry
	at := map[string]int{}
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		e, err := dumbLine(strings.TrimRight(string(line), " \t\r\f\v"))
		if err != nil {
			return nil, err
		}
		if i, again := at[e.key]; again {
			all[i] = e
			continue
		}
		at[e.key] = len(all)
		all = append(all, e)
	}
	return all, nil
}

func dumbLine(line string) (dumbEntry, error) {
	key, rest, err := pythonString(line)
	if err != nil {
		return dumbEntry{}, err
	}
	rest, comma := strings.CutPrefix(strings.TrimLeft(rest, " "), ",")
	rest, open := strings.CutPrefix(strings.TrimLeft(rest, " "), "(")
	rest, closed := strings.CutSuffix(rest, ")")
	pos, size, both := strings.Cut(rest, ",")
	e := dumbEntry{key: key}
	if !comma || !open || !closed || !both {
		return e, errDumbIndex
	}
	if e.pos, err = pythonInt(pos); err != nil {
		return e, err
	}
	e.size, err = pythonInt(size)
	return e, err
}

// pythonInt reads a place, which Python 2 may write as a long.
func pythonInt(s string) (int64, error) {
	s = strings.TrimSuffix(strings.TrimSpace(s), "L")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > largestDumb || s[0] == '+' {
		return 0, errDumbIndex
	}
	return n, nil
}

// largestDumb is beyond every .dat file, and leaves room for sums.
const largestDumb = 1 << 50

// pythonString reads the literal of a string at the beginning of a line, as repr
// writes it of bytes taken for Latin-1.
func pythonString(s string) (value, rest string, err error) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", "", errDumbIndex
	}
	var b strings.Builder
	for i := 1; i < len(s); {
		switch c := s[i]; c {
		case s[0]:
			return b.String(), s[i+1:], nil
		case '\\':
			c, n, ok := unescape(s[i+1:])
			if !ok {
				return "", "", errDumbIndex
			}
			b.WriteByte(c)
			i += 1 + n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return "", "", errDumbIndex
}

// unescape reads what follows a backslash, and says how many bytes that was.
func unescape(s string) (c byte, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	switch s[0] {
	case '\\', '\'', '"':
		return s[0], 1, true
	case 'n':
		return '\n', 1, true
	case 'r':
		return '\r', 1, true
	case 't':
		return '\t', 1, true
	case 'x':
		if len(s) >= 3 {
			x, err := strconv.ParseUint(s[1:3], 16, 8)
			return byte(x), 3, err == nil
		}
	}
	return 0, 0, false
}

// appendDumbIndex encodes a .dir file, in ASCII, as Python 2 and 3 both read it.
func appendDumbIndex(b []byte, all []dumbEntry) []byte {
	for _, e := range all {
		b = append(b, '\'')
		for _, c := range []byte(e.key) {
			switch {
			case c == '\\' || c == '\'':
				b = append(b, '\\', c)
			case c < ' ' || c > '~':
				b = append(b, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
			default:
				b = append(b, c)
			}
		}
		b = append(b, "', ("...)
		b = strconv.AppendInt(b, e.pos, 10)
		b = append(b, ", "...)
		b = strconv.AppendInt(b, e.size, 10)
		b = append(b, ")\n"...)
	}
	return b
}

// dumbPlace finds the first place for a value of size bytes where nothing is that
// the entries name.
func dumbPlace(all []dumbEntry, size int64) int64 {
	taken := slices.SortedFunc(slices.Values(all), func(a, b dumbEntry) int {
		if a.pos != b.pos {
			return int(max(-1, min(1, a.pos-b.pos)))
		}
		return int(max(-1, min(1, a.size-b.size)))
	})
	free := int64(0)
	for _, e := range taken {
		if free+size <= e.pos {
			break
		}
		free = max(free, e.end())
	}
	return free
}
