package beakerfmt

import "strings"

// Dialect says whose http.cookies reads or writes a cookie.
type Dialect uint8

// The dialects. Python 3.6 to 3.13 agree with each other; for 3.14 see
// [CookieWalk.Partitioned].
const (
	Python3 Dialect = iota
	Python2         // 2.7
)

// CookieWalk finds a cookie in a Cookie header exactly as a Python peer does, so
// that both agree on who is logged in: net/http takes the first of two cookies
// of one name where Python takes the last, and sees cookies in headers that
// Python drops as a whole. The zero CookieWalk is that of Python 3 with a
// Beaker of this decade.
//
// Pythons with the security patches of 2026 (Debian's 3.11.2-6+deb12u9 is one)
// refuse control characters in quoted values: they find no cookie of that name,
// and none at all if it was the value of an attribute. The walk does not know
// which Python has them. It finds every cookie that those find, the same one, and
// some that they do not.
type CookieWalk struct {
	Dialect Dialect
	// StrictNames: Beaker up to 1.7. A name that the walk can read but that
	// http.cookies does not accept spoils the whole header; later ones pass
	// over that cookie.
	StrictNames bool
	// PlainSameSite: Beaker before 1.10 on a Python before 3.8, to which
	// "samesite" is a name like any other, not a reserved one.
	PlainSameSite bool
	// Partitioned: Python 3.14 and later, to which "partitioned" is a reserved
	// name, and one that needs no value.
	Partitioned bool
	// Lenient reads the header as a browser means it where Python finds no
	// cookie of that name, perhaps because of some other cookie.
	Lenient bool
}

// Find returns the value of the named cookie as it stands in the header, with
// its quotes, for [Verify] or [Unquote]. Of several cookies of that name the
// last counts. It takes time in proportion to the header.
//
// Where http.cookies fails with an exception there is no cookie, as there is none
// for a Beaker that checks signatures.
//
// Beaker: cookie.py, SimpleCookie.load; Python: http.cookies, BaseCookie.load.
func (w CookieWalk) Find(header, name string) (coded string, ok bool) {
	if !w.canFind(name) {
		return "", false
	}
	coded, ok = w.walk(header, name)
	if !ok && w.Lenient {
		return findAsSent(header, name)
	}
	return coded, ok
}

func (w CookieWalk) walk(header, name string) (coded string, ok bool) {
	seen := false // a cookie to which attributes may belong
	for pos := 0; pos < len(header); {
		m, matched := matchCookie(header, pos)
		if !matched {
			break // what was found so far stays found
		}
		pos = m.end
		switch {
		case m.name[0] == '$':
			// RFC 2965's attributes. An unknown one is an error, which Beaker
			// answers by ignoring the header.
			if seen && !w.reserved(m.name[1:]) {
				return "", false
			}
		case w.reserved(m.name):
			if w.Dialect == Python3 && (!seen || !m.hasValue && !w.isFlag(m.name)) {
				return "", false
			}
		case !m.hasValue:
			if w.Dialect == Python3 {
				return "", false
			}
		default:
			if w.StrictNames && w.spoiled(m.name) {
				return "", false
			}
			seen = true
			if m.name == name {
				coded, ok = m.value, true
			}
		}
	}
	return coded, ok
}

// findAsSent reads the header as RFC 6265 has browsers write it.
func findAsSent(header, name string) (coded string, ok bool) {
	for header != "" {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		n, value, has := strings.Cut(pair, "=")
		if has && strings.Trim(n, spaces) == name {
			coded, ok = strings.Trim(value, spaces), true
		}
	}
	return coded, ok
}

// ValidCookieName reports whether http.cookies accepts the name for a cookie and
// finds the cookie again: no reserved word (path, expires …), no leading "$",
// and no other characters than those of a token of RFC 2109. A colon is fit for
// Python 3 only. For any other name Beaker fails or sends nonsense.
func ValidCookieName(name string) bool { return CookieWalk{}.canFind(name) }

func (w CookieWalk) canFind(name string) bool {
	return name != "" && name[0] != '$' && !w.spoiled(name) && !w.reserved(name)
}

// spoiled: http.cookies does not accept the name.
func (w CookieWalk) spoiled(name string) bool { return !isToken(name, w.Dialect) }

// isToken: only characters that need no quoting (http.cookies, _LegalChars).
func isToken(s string, d Dialect) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenChar(s[i], d) {
			return false
		}
	}
	return true
}

func isTokenChar(c byte, d Dialect) bool {
	return classes[c]&classToken != 0 || c == ':' && d == Python3
}

// reserved: the name of an attribute, in any case (Morsel._reserved; Beaker adds
// samesite to it since 1.10).
func (w CookieWalk) reserved(name string) bool {
	is := func(word string) bool { return strings.EqualFold(name, word) }
	switch len(name) {
	case 4:
		return is("path")
	case 6:
		return is("domain") || is("secure")
	case 7:
		return is("expires") || is("max-age") || is("version") || is("comment")
	case 8:
		return is("httponly") || is("samesite") && !w.PlainSameSite
	case 11:
		return w.Partitioned && is("partitioned")
	}
	return false
}

// isFlag: a reserved name that needs no value (Morsel._flags).
func (w CookieWalk) isFlag(name string) bool {
	return strings.EqualFold(name, "secure") || strings.EqualFold(name, "httponly") ||
		w.Partitioned && strings.EqualFold(name, "partitioned")
}

// JoinCookieHeaders makes one header of several Cookie lines, as HTTP/2 says and
// as servers do before they hand them to an application.
func JoinCookieHeaders(lines []string) string { return strings.Join(lines, "; ") }

// Unquote undoes the quoting of a cookie value as http.cookies does for cookies
// that are not signed: if it stands in double quotes they go, and so do the
// backslashes before a character or before three octal digits. Octal escapes
// above \177 become one byte each, as in Python 2; for Python 3 they are the
// characters of latin-1.
//
// Python: http.cookies, _unquote.
func Unquote(coded string) string {
	if len(coded) < 2 || coded[0] != '"' || coded[len(coded)-1] != '"' {
		return coded
	}
	s := coded[1 : len(coded)-1]
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		switch {
		case s[i] != '\\' || i+1 == len(s) || s[i+1] == '\n':
			out = append(out, s[i])
			i++
		case isOctal(s[i+1:]):
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 4
		default:
			out = append(out, s[i+1])
			i += 2
		}
	}
	return string(out)
}

func isOctal(s string) bool {
	return len(s) >= 3 && '0' <= s[0] && s[0] <= '3' && '0' <= s[1] && s[1] <= '7' && '0' <= s[2] && s[2] <= '7'
}
