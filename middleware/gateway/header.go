package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// forged reports whether a header of this name is not for clients to send.
func (g *Gateway) forged(name string) bool {
	return g.secret[http.CanonicalHeaderKey(name)] || forwarded.Told(name)
}

// reserved are names that cannot stand in a trailer (RFC 9110, 6.5.1), however they were
// announced: where a message ends, where it goes, who sends it.
var reserved = map[string]bool{
	"Transfer-Encoding": true, "Content-Length": true, "Content-Type": true, "Content-Encoding": true, "Content-Range": true,
	"Trailer": true, "Host": true, "Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Upgrade": true,
	"Cookie": true, "Set-Cookie": true, "Authorization": true, "Proxy-Authorization": true, "Proxy-Authenticate": true,
	"Www-Authenticate": true, "Cache-Control": true, "Expect": true, "Max-Forwards": true, "Pragma": true, "Range": true,
}

// announced returns the trailers that an application may get, of those that a request
// announces; nil if there are none.
func (g *Gateway) announced(in http.Header) http.Header {
	var out http.Header
	for name := range in {
		if reserved[http.CanonicalHeaderKey(name)] || g.forged(name) {
			continue
		}
		if out == nil {
			out = http.Header{}
		}
		out[name] = nil
	}
	return out
}

// hideCookies returns Cookie headers without the cookies of some names. All else stays
// byte for byte; a header that has nothing else in it goes.
func hideCookies(lines, names []string) []string {
	hidden := func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(names, strings.Trim(name, " \t"))
	}
	var out []string
	for i, line := range lines {
		found := false
		for pair := range strings.SplitSeq(line, ";") {
			found = found || hidden(pair)
		}
		if !found {
			if out != nil {
				out = append(out, line)
			}
			continue
		}
		if out == nil {
			out = append(make([]string, 0, len(lines)), lines[:i]...)
		}
		var kept strings.Builder
		first := true
		for pair := range strings.SplitSeq(line, ";") {
			if hidden(pair) {
				continue
			}
			if first {
				pair = strings.TrimLeft(pair, " \t")
			} else {
				kept.WriteByte(';')
			}
			first = false
			kept.WriteString(pair)
		}
		if kept.Len() > 0 {
			out = append(out, kept.String())
		}
	}
	if out == nil {
		return lines
	}
	return out
}

// setCookies sets the Cookie header of a request to an application. Several lines are one:
// for HTTP/1.1 they have to be (RFC 9113, 8.2.3), and the application then sees the cookies
// in the order in which the session was looked for here.
func setCookies(h http.Header, lines, hide []string) {
	if len(lines) > 1 {
		lines = []string{beakerfmt.JoinCookieHeaders(lines)}
	}
	if len(hide) > 0 {
		lines = hideCookies(lines, hide)
	}
	if len(lines) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = lines
}

// stripPrefix takes prefix, which is that of the path, off u's path, escaped and not. One
// slash is left in front: of two slashes or backslashes, applications and browsers would
// make a host ("//evil.example").
func stripPrefix(u *url.URL, prefix string) {
	escaped, path := u.RawPath, u.Path
	u.Path, u.RawPath = rooted(strings.TrimPrefix(path, prefix), false), ""
	if escaped == "" {
		return
	}
	// The prefix may be spelled otherwise there: as many bytes go as it decodes from.
	u.RawPath = rooted(afterDecoded(escaped, len(prefix)), true)
}

// afterDecoded returns what stands in an escaped path after its first n bytes, decoded.
func afterDecoded(escaped string, n int) string {
	i := 0
	for ; n > 0 && i < len(escaped); n-- {
		if escaped[i] == '%' {
			i += 2
		}
		i++
	}
	return escaped[min(i, len(escaped)):]
}

// rooted returns the rest of a path with one slash in front, for all that are there, and
// backslashes.
func rooted(rest string, escaped bool) string {
	i := 0
	for more := true; more && i < len(rest); {
		switch {
		case rest[i] == '/' || rest[i] == '\\':
			i++
		case escaped && len(rest) >= i+3 && (strings.EqualFold(rest[i:i+3], "%2f") || strings.EqualFold(rest[i:i+3], "%5c")):
			i += 3
		default:
			more = false
		}
	}
	if i > 0 && rest[i-1] == '/' {
		return rest[i-1:]
	}
	return "/" + rest[i:]
}

// readableBelow reports whether the path can be passed on without the prefix: what is left
// can be odder than the whole ("/app/%252fhost").
func readableBelow(u *url.URL, prefix string) bool {
	rest := *u
	stripPrefix(&rest, prefix)
	_, err := forwarded.ReadPath(&rest)
	return err == nil
}
