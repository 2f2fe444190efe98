package inspect

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// Cookie is a cookie taken apart.
type Cookie struct {
	Name      string // "" for a bare value
	Signature Signature
	SignedBy  int    // index of the key that signed it; -1 if none is known
	Payload   string // what follows the signature; the whole value if it has none
	Warnings  []string
}

// Signature is what is known of a cookie's signature.
type Signature string

// The states of a signature; a valid one is followed by the name of its key.
const (
	Unsigned  Signature = "none"
	Unchecked Signature = "not checked"
	Invalid   Signature = "invalid"
	valid     Signature = "valid, by "
)

// ErrNoCookie: the header, or the jar, has no cookie of the name.
var ErrNoCookie = errors.New("no such cookie")

// ParseCookie takes a bare value, a name=value, a Cookie header, a Set-Cookie
// line or a cookie jar ([IsJar]) apart, and checks its signature against the keys.
// Name is the cookie that is meant in a header of several.
func ParseCookie(text, name string, keys []Key) (Cookie, error) {
	c, value, err := find(text, name)
	if err != nil {
		return c, err
	}
	c.check(value, keys)
	return c, nil
}

// find returns the cookie of the name and its value as it stands.
func find(text, name string) (Cookie, string, error) {
	if IsJar(text) {
		return fromJar(text, name)
	}
	text, decoded := percentDecoded(strings.TrimSpace(text))
	c, value := Cookie{}, text
	if isHeader(text) {
		var err error
		if c, value, err = fromHeader(text, name); err != nil {
			return c, value, err
		}
	}
	if decoded {
		c.Warnings = append(c.Warnings, "it was percent-encoded, and is read as it was before: Beaker sends no such thing")
	}
	return c, value, nil
}

// percentDecoded undoes the percent-encoding of a whole cookie, as tools copy it:
// in Beaker's own there is no "%", and what has a "=" as well is not all encoded.
func percentDecoded(text string) (string, bool) {
	if strings.Contains(text, "=") || !strings.Contains(strings.ToUpper(text), "%3D") {
		return text, false
	}
	if plain, err := url.PathUnescape(text); err == nil { // which leaves "+" alone
		return strings.TrimSpace(plain), true
	}
	return text, false
}

// isHeader tells a header from a bare value, which may end in the "=" of base64.
func isHeader(text string) bool {
	lower := strings.ToLower(text)
	if strings.HasPrefix(lower, "set-cookie:") || strings.HasPrefix(lower, "cookie:") {
		return true
	}
	name, rest, ok := strings.Cut(text, "=")
	// A nonce ends in "==" and may have no "/": then it looks like a name.
	return ok && strings.Trim(rest, `="`) != "" && beakerfmt.ValidCookieName(name) && !hasSignature(name)
}

func fromHeader(text, name string) (Cookie, string, error) {
	lower := strings.ToLower(text)
	switch {
	case strings.HasPrefix(lower, "set-cookie:"):
		first, _, _ := strings.Cut(text[len("set-cookie:"):], ";")
		text, name = first, ""
	case strings.HasPrefix(lower, "cookie:"):
		text = text[len("cookie:"):]
	}
	text = strings.TrimSpace(text)
	names := cookieNames(text)
	// Who gives one cookie, or a Set-Cookie line without its name, means that one.
	if !slices.Contains(names, name) && (len(names) == 1 || isSetCookie(text)) {
		name = names[0]
	}
	c := Cookie{Name: name}
	if value, ok := (beakerfmt.CookieWalk{}).Find(text, name); ok {
		return c, value, nil
	}
	value, ok := beakerfmt.CookieWalk{Lenient: true}.Find(text, name)
	if !ok {
		return c, "", fmt.Errorf("inspect: cookie: %w: %s", ErrNoCookie, offer(names))
	}
	c.Warnings = append(c.Warnings, "Python 3 finds no cookie of this name in this header, because of another cookie in it: to Python this user has no session")
	return c, value, nil
}

// isSetCookie tells "name=value; Path=/" from several cookies.
func isSetCookie(text string) bool {
	_, rest, ok := strings.Cut(text, ";")
	if !ok {
		return false
	}
	for part := range strings.SplitSeq(rest, ";") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
		switch name {
		case "path", "domain", "expires", "max-age", "httponly", "secure", "samesite":
		default:
			return false
		}
	}
	return true
}

func cookieNames(text string) []string {
	var names []string
	for part := range strings.SplitSeq(text, ";") {
		if name, _, ok := strings.Cut(strings.TrimSpace(part), "="); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// check splits the signature off and checks it against the keys.
func (c *Cookie) check(value string, keys []Key) {
	all := make([][]byte, len(keys))
	for i, k := range keys {
		all[i] = []byte(k.Key)
	}
	payload, by, err := beakerfmt.Verify(all, value)
	if err == nil {
		c.Signature, c.SignedBy, c.Payload = valid+Signature(keys[by].Label()), by, payload
		return
	}
	c.SignedBy = -1
	bare := strings.Trim(value, `"`)
	switch {
	case !hasSignature(bare):
		c.Signature, c.Payload = Unsigned, beakerfmt.Unquote(value)
	case len(keys) > 0:
		c.Signature, c.Payload = Invalid, bare[beakerfmt.SignatureLen:]
	default:
		c.Signature, c.Payload = Unchecked, bare[beakerfmt.SignatureLen:]
	}
}

// hasSignature reports whether value begins as a signed one does. A bare id of
// 32 digits is too short for that.
func hasSignature(value string) bool {
	if len(value) < beakerfmt.SignatureLen {
		return false
	}
	return strings.Trim(strings.ToLower(value[:beakerfmt.SignatureLen]), "0123456789abcdef") == ""
}

// Plausible reports whether Beaker may have made it: it has a signature, or at
// least it is base64.
func (c *Cookie) Plausible() bool {
	if c.Signature != Unsigned {
		return true
	}
	_, err := base64.StdEncoding.DecodeString(c.Payload)
	return err == nil && c.Payload != ""
}

// SessionID returns the id of a server-side session that the cookie carries.
func (c *Cookie) SessionID() (string, bool) {
	return c.Payload, len(c.Payload) <= 64 && (beakerfmt.IDRule{}).Valid(c.Payload)
}
