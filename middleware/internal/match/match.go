// Package match finds what is for a request, among rules by host, path, method and
// headers: the routes of the gateway and the rules of forward-auth are found alike.
//
// The most specific rule counts: an exact host before the longest wildcard before any host;
// of a host the longest prefix, then the rule that names methods, then the one with the
// most headers.
package match

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// Rule says which requests something is for.
type Rule struct {
	// Hosts are names without port, in any case, or "*.example.org" for all below; none: all.
	Hosts []string
	// Prefix is a path that is matched on segment boundaries; "/" takes everything.
	Prefix string
	// Methods in capitals; none: all. GET takes HEAD as well.
	Methods []string
	// Headers that a request has, with the value, or "*" for any.
	Headers map[string]string
}

// Match is a Rule that was checked.
type Match struct {
	hosts   []string // in lower case, in order, "*.example.org" as it is; none: all
	prefix  string   // without a slash at its end; "" takes everything
	folded  string   // the prefix, as forwarded.Fold has it
	methods []string // in order, HEAD too if GET is there; none: all
	headers []header // in order
}

type header struct{ name, value string }

// Compile checks a rule.
func Compile(r Rule) (m Match, err error) {
	if !plainPath(r.Prefix) {
		return m, fmt.Errorf("prefix %q: a prefix is a plain path that begins with /, as in /app", r.Prefix)
	}
	m.prefix = strings.TrimRight(r.Prefix, "/")
	m.folded = strings.TrimRight(forwarded.Fold(m.prefix), "/")
	for _, h := range r.Hosts {
		host, err := compileHost(h)
		if err != nil {
			return m, err
		}
		m.hosts = append(m.hosts, host)
	}
	slices.Sort(m.hosts)
	if twice := doubled(m.hosts, func(h string) string { return h }); twice != "" {
		return m, fmt.Errorf("host %q is there twice", twice)
	}
	for _, method := range r.Methods {
		switch {
		case method == http.MethodTrace || method == http.MethodConnect:
			return m, fmt.Errorf("method %s is never passed on", method)
		case !IsMethod(method):
			return m, fmt.Errorf("method %q: write it in capitals, as in GET", method)
		}
		m.methods = append(m.methods, method)
	}
	if slices.Contains(m.methods, http.MethodGet) {
		m.methods = append(m.methods, http.MethodHead)
	}
	slices.Sort(m.methods)
	m.methods = slices.Compact(m.methods)
	for name, value := range r.Headers {
		if !PlainName(name) || value == "" {
			return m, fmt.Errorf(`header %q: give a name of letters, digits and hyphens, and a value, or "*" for any`, name)
		}
		m.headers = append(m.headers, header{http.CanonicalHeaderKey(name), value})
	}
	slices.SortFunc(m.headers, func(a, b header) int { return strings.Compare(a.name, b.name) })
	if twice := doubled(m.headers, func(h header) string { return h.name }); twice != "" {
		return m, fmt.Errorf("header %q is there twice", twice)
	}
	return m, nil
}

// doubled returns the name that two items of a sorted list have, "" if none have.
func doubled[T any](sorted []T, name func(T) string) string {
	for i := 1; i < len(sorted); i++ {
		if n := name(sorted[i]); n == name(sorted[i-1]) {
			return n
		}
	}
	return ""
}

// plainPath reports whether a prefix is one that every application reads alike.
func plainPath(prefix string) bool {
	if strings.Contains(prefix, "%") {
		return false
	}
	p, err := forwarded.ReadPath(&url.URL{Path: prefix})
	return err == nil && p.Least == prefix && p.Most == prefix
}

func compileHost(s string) (string, error) {
	name, wild := strings.CutPrefix(s, "*.")
	h, err := forwarded.ReadHost(name)
	switch {
	case err != nil && strings.Contains(s, ":") && !strings.ContainsAny(s, "/@[]"):
		return "", fmt.Errorf("host %q: give it without the port; an IPv6 address is written as [2001:db8::1]", s)
	case err != nil || wild && h.Addr().IsValid():
		return "", fmt.Errorf(`host %q: give a name as in app.example.org or *.example.org, international names as xn--…`, s)
	case strings.HasSuffix(s, ":") || h.Port != "":
		return "", fmt.Errorf("host %q: give it without the port", s)
	case wild:
		return "*." + h.Name, nil
	}
	return h.Name, nil
}

// IsMethod reports whether a method can be passed on: in capitals, as werkzeug takes "post"
// for POST, while RFC 9110, 9.1 has them differ; and none that is for proxies themselves.
func IsMethod(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return s != "" && s != http.MethodTrace && s != http.MethodConnect
}

// Overrides are the headers from which some applications take another method.
var Overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// PlainName reports whether the name of a header has nothing that CGI and WSGI could take
// for something else.
func PlainName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != ""
}

// Prefix is that of the rule without a slash at its end.
func (m *Match) Prefix() string { return m.prefix }

// Methods are those of the rule, HEAD too if GET is one; none: all.
func (m *Match) Methods() []string { return m.methods }

// String names the rule by its hosts and its prefix.
func (m *Match) String() string { return strings.Join(m.hosts, ",") + m.prefix + "/" }

// Key is the same for matches that take the same requests.
func (m *Match) Key() string {
	return fmt.Sprintf("%q %q %q %q", m.hosts, m.prefix, m.methods, m.headers)
}

// Clashes reports whether it would be left to the order of two matches which one takes a
// request.
func (m *Match) Clashes(o *Match) bool {
	if m.prefix != o.prefix || !slices.Equal(m.headers, o.headers) || (len(m.methods) == 0) != (len(o.methods) == 0) {
		return false
	}
	return overlap(m.methods, o.methods) && overlap(m.hosts, o.hosts)
}

// overlap reports whether two lists have something in common, or both have nothing, which
// stands for everything.
func overlap(a, b []string) bool {
	return len(a) == 0 && len(b) == 0 || slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// placed reports whether the match is for the place of a question, whatever its method.
func (m *Match) placed(q *Question, path string, folded bool) bool {
	prefix := m.prefix
	if folded {
		prefix = m.folded
	}
	if !forwarded.Under(path, prefix) {
		return false
	}
	for i := range m.headers {
		h := &m.headers[i]
		if values := q.Header[h.name]; len(values) == 0 || h.value != "*" && !slices.Contains(values, h.value) {
			return false
		}
	}
	return true
}

func (m *Match) takes(method string) bool {
	return len(m.methods) == 0 || slices.Contains(m.methods, method)
}

// before orders matches of the same host: the more specific one first.
func before[T any](a, b Entry[T]) int {
	named := func(m *Match) int { return min(len(m.methods), 1) }
	return cmp.Or(
		cmp.Compare(len(b.Match.prefix), len(a.Match.prefix)),
		cmp.Compare(named(b.Match), named(a.Match)),
		cmp.Compare(len(b.Match.headers), len(a.Match.headers)))
}
