package identity

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// maxPage bounds the URL that a login page is told; of a longer one it is told the root.
const maxPage = 2048

const placeholder = "{url}"

// login is where browsers are sent.
type login struct {
	parts      []string // of the template, the page's URL stands between them
	host, path string   // of the login page; no host: that of the request
	hosts      []string // where pages may be; none: anywhere
}

func newLogin(template string, hosts []string) (*login, error) {
	for _, c := range []byte(template) {
		if c <= ' ' || c >= 0x7F || c == '\\' {
			return nil, fmt.Errorf("%q: %q is not for a URL", template, c)
		}
	}
	parts := strings.Split(template, placeholder)
	if strings.ContainsAny(strings.Join(parts, ""), "{}") {
		return nil, fmt.Errorf("%q: in braces there is only {url}", template)
	}
	if len(parts) > 1 && !strings.ContainsAny(parts[0], "?#") {
		return nil, fmt.Errorf("%q: {url} stands in the query or in the fragment", template)
	}
	u, err := url.Parse(strings.Join(parts, "x"))
	if err != nil {
		return nil, fmt.Errorf("%q is no URL", template)
	}
	l := &login{parts: parts, path: u.EscapedPath()}
	switch {
	case u.User != nil || u.Opaque != "":
		return nil, fmt.Errorf("%q: neither a name nor a password belongs there", template)
	case u.Scheme == "http" || u.Scheme == "https":
		if l.host, err = normalHost(u.Host, u.Scheme); err != nil {
			return nil, fmt.Errorf("%q: %w", template, err)
		}
		if l.path == "" {
			l.path = "/"
		}
	case u.Scheme != "" || u.Host != "" || !strings.HasPrefix(template, "/") || strings.HasPrefix(template, "//"):
		return nil, fmt.Errorf("%q: neither http:// nor https:// nor a path of its own", template)
	}
	for _, host := range hosts {
		name, wild := strings.CutPrefix(host, "*.")
		normal, err := normalHost(name, "")
		if err != nil {
			return nil, fmt.Errorf("host %q: %w", host, err)
		}
		if wild {
			normal = "*." + normal
		}
		l.hosts = append(l.hosts, normal)
	}
	return l, nil
}

// location returns the URL of the login page with that of the request in it.
//
// What the request says is only ever the inside of one parameter, and there a URL of an
// allowed host: the scheme and the host are checked and written anew, and of the rest
// nothing is left that a browser would take for the end of a host or the beginning of
// another.
func (l *login) location(r *Request) (string, error) {
	if r.Scheme != "http" && r.Scheme != "https" {
		return "", errors.New("the request has no scheme")
	}
	host, err := normalHost(cmp.Or(r.PageHost, r.Host), r.Scheme)
	if err != nil {
		return "", err
	}
	if !l.takes(host) {
		return "", errors.New("the host of the request is not one of the login page's")
	}
	uri, err := pageURI(r.URI)
	if err != nil {
		return "", err
	}
	if path, _, _ := strings.Cut(uri, "?"); path == l.path && (l.host == "" || l.host == host) {
		return "", errors.New("this is the login page")
	}
	page := r.Scheme + "://" + host + uri
	if len(page) > maxPage {
		page = r.Scheme + "://" + host + "/"
	}
	return strings.Join(l.parts, string(appendPercent(nil, page))), nil
}

// LoginPage returns the address of the login page for a request that is not admitted, "" if
// there is none, for a link. After the login a page that cannot be asked for by GET is the
// root of its host.
func (p *Policy) LoginPage(r *Request) string {
	if p.login == nil {
		return ""
	}
	page := *r
	if !mayRedirect(r.Method) {
		page.URI = "/"
	}
	location, err := p.login.location(&page)
	if err != nil {
		return ""
	}
	return location
}

func (l *login) takes(host string) bool {
	if len(l.hosts) == 0 {
		return true
	}
	for _, allowed := range l.hosts {
		if below, wild := strings.CutPrefix(allowed, "*"); host == allowed || wild && len(host) > len(below) && strings.HasSuffix(host, below) {
			return true
		}
	}
	return false
}

var errHost = errors.New("this is no host")

// normalHost returns a host without the port that is the scheme's own. It takes nothing
// that a browser reads in another way.
func normalHost(host, scheme string) (string, error) {
	h, err := forwarded.ReadHost(host)
	if err != nil {
		return "", errHost
	}
	if scheme == "http" && h.Port == "80" || scheme == "https" && h.Port == "443" {
		h.Port = ""
	}
	return h.String(), nil
}

// pageURI returns the path and the query of a page in characters of a URI only, and with
// one slash at its beginning: a login page that cuts the host off must not come to have
// "//evil.example".
func pageURI(uri string) (string, error) {
	if !strings.HasPrefix(uri, "/") {
		return "", errors.New("the request has no path")
	}
	rest := strings.TrimLeft(uri, `/\`)
	out := append(make([]byte, 0, len(rest)+8), '/')
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c < ' ' || c == 0x7F:
			return "", errors.New("the path has control characters")
		case isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@/?", c) >= 0 || isEscape(rest[i:]):
			out = append(out, c)
		default:
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(out), nil
}

// isEscape reports whether s begins with a percent sign and two hexadecimal digits.
func isEscape(s string) bool {
	if len(s) < 3 || s[0] != '%' {
		return false
	}
	_, err := strconv.ParseUint(s[1:3], 16, 8)
	return err == nil
}

func mayRedirect(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}

// IsPage reports whether a browser asks for a page, so that sending it to a login page
// makes sense: by GET or HEAD, with text/html in Accept, and neither by a script
// (X-Requested-With) nor for a part of a page (Sec-Fetch-Mode, of the W3C's Fetch
// Metadata, where a browser sends it).
func IsPage(method string, h http.Header) bool {
	if !mayRedirect(method) || len(h["X-Requested-With"]) > 0 {
		return false
	}
	for _, mode := range h["Sec-Fetch-Mode"] {
		if mode != "navigate" {
			return false
		}
	}
	for _, line := range h["Accept"] {
		for item := range strings.SplitSeq(line, ",") {
			kind, parameters, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(kind), "text/html") && !isRefused(parameters) {
				return true
			}
		}
	}
	return false
}

// isRefused reports whether the parameters of an item of Accept have a weight of zero
// (RFC 9110, section 12.4.2).
func isRefused(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, weight, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			n, err := strconv.ParseFloat(weight, 64)
			return err != nil || n <= 0
		}
	}
	return false
}
