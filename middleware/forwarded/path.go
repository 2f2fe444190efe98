package forwarded

import (
	"errors"
	"net/url"
	"strings"
)

// ErrPath is wrapped by every error of [ReadPath].
var ErrPath = errors.New("forwarded: this path is read in more than one way")

// Path is how applications may read the path of a URL. They differ in how often they
// decode it, and in what they make of empty segments, backslashes and parameters. A check
// that depends on a prefix of the path must come to the same for Plain, Least and Most:
// then it does for every other reading, too.
type Path struct {
	// Plain is decoded once, as WSGI servers do.
	Plain string
	// Least is decoded but for %2F and %5C, which stay part of a segment.
	Least string
	// Most is decoded until there is nothing left to decode, has slashes for backslashes,
	// no empty segments, no parameters (";v=1") and nothing from a decoded ? or # on.
	Most string
}

// ReadPath returns the readings of a URL's path. It refuses what no browser sends and
// what applications could agree on least: a path that does not begin with a slash, "."
// and ".." as segments in any spelling (also as "..;x"), two slashes or backslashes at the
// beginning, after which a host may stand, control characters, parameters with encoded
// slashes, and text that is encoded more than four times over. Of a usual
// path all readings are equal, and it costs nothing.
func ReadPath(u *url.URL) (Path, error) {
	plain := u.Path
	if plain == "" || plain[0] != '/' || u.Opaque != "" {
		return Path{}, fail("it does not begin with a slash")
	}
	odd := u.RawPath != ""
	for i := 0; i < len(plain) && !odd; i++ {
		switch c := plain[i]; c {
		case '/', '.':
			odd = i > 0 && plain[i-1] == '/'
		case '%', ';', '\\', '?', '#', 0x7f:
			odd = true
		default:
			odd = c < ' ' || c >= 0xc0
		}
	}
	if !odd {
		return Path{plain, plain, plain}, nil
	}
	p := Path{Plain: plain, Least: plain}
	if strings.Contains(u.RawPath, "%") {
		p.Least = decode(u.EscapedPath(), true)
	}
	var err error
	p.Most, err = most(u.EscapedPath())
	return p, err
}

// rounds is how often a path is decoded: once by the server, and by what an application
// does beyond that.
const rounds = 5

func most(s string) (string, error) {
	for round := 0; ; round++ {
		if hidesInParameters(s) {
			return "", fail("it has an encoded slash in a parameter")
		}
		decoded := decode(s, false)
		if decoded == s {
			break
		}
		if s = decoded; round == rounds-1 && decode(s, false) != s {
			return "", fail("it is encoded too often")
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return "", fail("it has a control character in it")
		}
	}
	s = strings.ReplaceAll(s, `\`, "/")
	if namesHost(s) {
		return "", fail("it begins as the name of a host")
	}
	end := len(s)
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		end = i
	}
	if hasDots(s) || hasDots(s[:end]) {
		return "", fail("it has . or .. in it")
	}
	s = s[:end]
	return clean(s, func(segment string) string {
		segment, _, _ = strings.Cut(segment, ";")
		return segment
	}), nil
}

// namesHost reports whether the first segment is empty, but for a parameter, and not the
// only one: of "//a/b" new URL() of JavaScript and urlparse of Python 2 take a for a host
// (RFC 3986, 4.2), and /b for the path.
func namesHost(s string) bool {
	first, _, more := strings.Cut(s[1:], "/")
	return more && (first == "" || first[0] == ';')
}

func fail(why string) error { return &pathError{why} }

type pathError struct{ why string }

func (e *pathError) Error() string { return ErrPath.Error() + ": " + e.why }
func (e *pathError) Unwrap() error { return ErrPath }

// hasDots reports whether a segment, with or without a parameter, is . or .. .
func hasDots(s string) bool {
	for segment := range strings.SplitSeq(s, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// hidesInParameters reports whether a parameter would have more segments in it after
// another decoding: who drops parameters before it, or segment by segment, sees another
// path than who drops them after.
func hidesInParameters(s string) bool {
	if !strings.Contains(s, "%") {
		return false
	}
	for segment := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '/' || r == '\\' }) {
		_, parameter, ok := strings.Cut(decode(segment, false), ";")
		if ok && (strings.ContainsAny(parameter, `/\`) || decode(parameter, false) != parameter) {
			return true
		}
	}
	return false
}

// clean joins what f makes of the segments, without empty ones. A slash at the end stays.
func clean(s string, f func(string) string) string {
	out := make([]byte, 0, len(s)+1)
	for segment := range strings.SplitSeq(s, "/") {
		if segment = f(segment); segment != "" {
			out = append(append(out, '/'), segment...)
		}
	}
	if len(out) == 0 || strings.HasSuffix(s, "/") {
		out = append(out, '/')
	}
	return string(out)
}

// decode decodes %XX once, and leaves what is no such thing. UTF-8 of more bytes than a
// dot, slash, backslash or percent sign needs counts as that character, as it does for
// some old decoders. With keepSlashes %2F and %5C stay.
func decode(s string, keepSlashes bool) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+2 >= len(s) {
			if out != nil {
				out = append(out, s[i])
			}
			continue
		}
		high, low := unhex(s[i+1]), unhex(s[i+2])
		c := high<<4 | low
		if high > 15 || low > 15 || keepSlashes && (c == '/' || c == '\\') {
			if out != nil {
				out = append(out, s[i])
			}
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(s)), s[:i]...)
		}
		out = append(out, c)
		i += 2
	}
	if out != nil {
		s = string(out)
	}
	if keepSlashes {
		return s
	}
	return overlong.Replace(s)
}

// overlong are the longer spellings of . / \ % in UTF-8 (RFC 3629, 10).
var overlong = strings.NewReplacer(
	"\xc0\xae", ".", "\xc0\xaf", "/", "\xc1\x9c", `\`, "\xc0\xa5", "%",
	"\xe0\x80\xae", ".", "\xe0\x80\xaf", "/", "\xe0\x81\x9c", `\`, "\xe0\x80\xa5", "%",
	"\xf0\x80\x80\xae", ".", "\xf0\x80\x80\xaf", "/", "\xf0\x80\x81\x9c", `\`, "\xf0\x80\x80\xa5", "%",
)

// unhex returns the value of a hexadecimal digit, more than 15 of anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// Under reports whether a path is a prefix or below it. A prefix ends without a slash; ""
// has everything below it.
func Under(path, prefix string) bool {
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || prefix == "" || path[len(prefix)] == '/')
}

// Fold returns a path as an application reads it that takes no notice of case and, as
// Windows, of dots and spaces at the end of a segment. Of the usual path it is the path.
func Fold(path string) string {
	odd := false
	for i := 0; i < len(path) && !odd; i++ {
		c := path[i]
		odd = c >= 'A' && c <= 'Z' || (c == '.' || c == ' ') && (i+1 == len(path) || path[i+1] == '/' || path[i+1] == '.' || path[i+1] == ' ')
	}
	if !odd {
		return path
	}
	return clean(path, func(segment string) string {
		segment = strings.TrimRight(segment, ". ")
		lower := []byte(segment)
		for i, c := range lower {
			if c >= 'A' && c <= 'Z' {
				lower[i] = c + ('a' - 'A')
			}
		}
		return string(lower)
	})
}
