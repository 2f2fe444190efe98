package beakerfmt

import (
	"strings"
	"time"
)

// SetCookie is the Set-Cookie header of a session. The zero value of each
// attribute leaves it out.
type SetCookie struct {
	Name  string // see [ValidCookieName]
	Value string // what [AppendSigned] made, or a bare id
	// Unsigned: Value is a bare id, which is quoted where http.cookies quotes.
	// Signed values stand as they are, as Beaker writes them.
	Unsigned bool

	Domain   string
	Path     string
	Expires  string // from [FormatExpires]
	HTTPOnly bool
	Secure   bool
	SameSite string // verbatim
}

// Append appends the value of the header, byte for byte as Beaker on that Python
// sends it: it begins with a space, the attributes are in the order of the
// alphabet, and Python 2 spells "httponly" and "secure" in lower case.
//
// Nothing can be smuggled into the header: a value with a control character, a
// semicolon or a byte beyond ASCII is always quoted, an attribute with a control
// character or a semicolon is left out, and for a name that is not valid
// nothing at all is appended. Nor are attributes sent back that a client put into
// its Cookie header (path, comment, max-age …), as http.cookies does if the
// session's cookie came with some.
//
// Beaker: session.py, Session._set_cookie_values and _update_cookie_out.
func (c SetCookie) Append(dst []byte, d Dialect) []byte {
	if !ValidCookieName(c.Name) {
		return dst
	}
	httpOnly, secure := "HttpOnly", "Secure"
	if d == Python2 {
		httpOnly, secure = "httponly", "secure"
	}
	dst = append(dst, ' ')
	dst = append(dst, c.Name...)
	dst = append(dst, '=')
	dst = c.appendValue(dst, d)
	dst = appendAttribute(dst, "Domain", c.Domain)
	dst = appendAttribute(dst, "expires", c.Expires)
	if c.HTTPOnly {
		dst = append(append(dst, "; "...), httpOnly...)
	}
	dst = appendAttribute(dst, "Path", c.Path)
	dst = appendAttribute(dst, "SameSite", c.SameSite)
	if c.Secure {
		dst = append(append(dst, "; "...), secure...)
	}
	return dst
}

func (c SetCookie) appendValue(dst []byte, d Dialect) []byte {
	bare := isHarmless(c.Value)
	if c.Unsigned {
		bare = isToken(c.Value, d) && (c.Value != "" || d == Python2)
	}
	if bare {
		return append(dst, c.Value...)
	}
	return appendQuoted(dst, c.Value)
}

func appendAttribute(dst []byte, name, value string) []byte {
	if value == "" || !isAttribute(value) {
		return dst
	}
	dst = append(append(dst, "; "...), name...)
	return append(append(dst, '='), value...)
}

// appendQuoted quotes as http.cookies does (_quote): what a browser may stumble
// over becomes three octal digits.
func appendQuoted(dst []byte, value string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c >= 0x7f || c == ',' || c == ';':
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// isHarmless: the value stays one value however it is read.
func isHarmless(value string) bool {
	return isAttribute(value) && strings.IndexFunc(value, func(r rune) bool { return r >= 0x80 }) < 0
}

func isAttribute(value string) bool {
	return strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == ';' }) < 0
}

// FormatExpires returns the date of an "expires" attribute, in UTC and with
// English names whatever the locale: "Tue, 14-Nov-2023 22:18:20 GMT".
//
// Beaker: session.py, Session.serialize_cookie_date.
func FormatExpires(t time.Time) string {
	return t.UTC().Format("Mon, 02-Jan-2006 15:04:05 GMT")
}
