package redisstore

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// target is what redis-py's parse_url makes of a url: its keyword arguments.
type target struct {
	kind     kind
	username string
	password string
	host     string
	port     int // 0 if the url names none
	path     string
	db       int
	hasDB    bool
	query    []option // the first of each name, in the order of the url
}

type kind int

const (
	plainTCP kind = iota // redis://
	overTLS              // rediss://
	unixPath             // unix://
)

// option is an option of a query.
type option struct{ name, value string }

var errScheme = errors.New("the url must begin with redis://, rediss:// or unix://")

// parseURL reads a url as redis-py does (connection.py, parse_url; the parts by
// urllib.parse). No error holds any of it.
func parseURL(url string) (target, error) {
	scheme, rest, _ := strings.Cut(stripped(url), "://")
	t := target{}
	switch scheme {
	case "redis":
	case "rediss":
		t.kind = overTLS
	case "unix":
		t.kind = unixPath
	default:
		return target{}, errScheme
	}
	if !strings.HasPrefix(url, scheme+"://") {
		return target{}, errScheme // redis-py looks at it before anything is stripped
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	t.query = parseQuery(query)
	if err := t.parseDBOption(); err != nil {
		return target{}, err
	}
	if err := t.parseAuthority(authority); err != nil {
		return target{}, err
	}
	if t.kind == unixPath {
		t.path = unquote(path)
	} else if !t.hasDB && path != "" {
		t.db, t.hasDB = pyInt(strings.ReplaceAll(unquote(path), "/", "")) // what is no number counts for nothing
	}
	return t, nil
}

// stripped is url without what urlsplit takes out of it.
func stripped(url string) string {
	return strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(url)
}

func (t *target) parseDBOption() error {
	for _, o := range t.query {
		if o.name == "db" {
			if t.db, t.hasDB = pyInt(o.value); !t.hasDB {
				return errors.New("db is not a number")
			}
		}
	}
	return nil
}

// parseAuthority reads user:password@host:port (parse.py, _NetlocResultMixinStr).
func (t *target) parseAuthority(authority string) error {
	if err := checkBrackets(authority); err != nil {
		return err
	}
	user, address := "", authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, address = authority[:at], authority[at+1:]
	}
	username, password, _ := strings.Cut(user, ":")
	t.username, t.password = unquote(username), unquote(password)
	if t.kind == unixPath {
		return nil
	}
	host, port := splitHost(address)
	name, zone, hasZone := strings.Cut(host, "%")
	host = strings.ToLower(name)
	if hasZone {
		host += "%" + zone
	}
	t.host = unquote(host)
	if port == "" {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return errors.New("the port is not a number from 0 to 65535")
	}
	t.port = int(n)
	return nil
}

func splitHost(address string) (host, port string) {
	_, bracketed, ok := strings.Cut(address, "[")
	if !ok {
		host, port, _ = strings.Cut(address, ":")
		return host, port
	}
	host, port, _ = strings.Cut(bracketed, "]")
	_, port, _ = strings.Cut(port, ":")
	return host, port
}

// checkBrackets is urlsplit's look at an IPv6 address; RFC 3986 knows "v1.x", too.
func checkBrackets(authority string) error {
	open, closed := strings.Contains(authority, "["), strings.Contains(authority, "]")
	if open != closed {
		return errors.New("a bracket of the address is missing")
	}
	if !open {
		return nil
	}
	_, rest, _ := strings.Cut(authority, "[")
	host, _, _ := strings.Cut(rest, "]")
	if strings.HasPrefix(host, "v") {
		return nil
	}
	host, _, _ = strings.Cut(host, "%25")
	if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() {
		return errors.New("what is in brackets is not an IPv6 address")
	}
	return nil
}

// parseQuery is parse_qs, of which redis-py uses the first value of each name. What
// has no value is left out.
func parseQuery(query string) []option {
	var options []option
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, value = unquotePlus(name), unquotePlus(value)
		if value == "" || seen[name] {
			continue
		}
		seen[name] = true
		options = append(options, option{name, value})
	}
	return options
}

func unquotePlus(s string) string { return unquote(strings.ReplaceAll(s, "+", " ")) }

// unquote is urllib.parse.unquote: what is no escape stays as it is, and what is no
// UTF-8 becomes U+FFFD.
func unquote(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.Map(func(r rune) rune { return r }, b.String())
}

// digits takes out the underscores that Python allows between digits.
func digits(s string) (string, bool) {
	for i := range len(s) {
		if s[i] == '_' && (i == 0 || i == len(s)-1 || !isDigit(s[i-1]) || !isDigit(s[i+1])) {
			return "", false
		}
	}
	return strings.ReplaceAll(s, "_", ""), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// pyInt is int(text).
func pyInt(text string) (int, bool) {
	s, ok := digits(strings.TrimSpace(text))
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, false
	}
	return int(n), true
}

// pyFloat is float(text).
func pyFloat(text string) (float64, bool) {
	s, ok := digits(strings.TrimSpace(text))
	if !ok || strings.ContainsAny(s, "xXpP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// pyBool is redis-py's to_bool of a text that is not empty.
func pyBool(text string) bool {
	switch strings.ToUpper(text) {
	case "0", "F", "FALSE", "N", "NO":
		return false
	}
	return true
}

// ofOption says which option is wrong, without its value.
func ofOption(name string, err error) error { return fmt.Errorf("option %s: %w", name, err) }
