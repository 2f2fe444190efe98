package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/middleware/internal/match"
)

// question is what a proxy asks about: a request that it has got and not yet passed on.
type question struct {
	identity.Request
	host   string         // Request.Host as rules compare it: without port
	path   forwarded.Path // of Request.URI
	policy string         // that the proxy asks for; "": rules decide
}

// What is longer is refused.
const (
	maxURI    = 16 << 10
	maxMethod = 32
)

// readAuth reads the question of nginx's auth_request: X-Original-Method and
// X-Original-URL; or, in place of the latter, X-Original-URI, X-Forwarded-Proto and the
// Host of the question itself, which the client cannot write where nginx is not told to
// pass it on.
func readAuth(r *http.Request) (question, error) {
	var q question
	method, err := only(r.Header, "X-Original-Method")
	if err != nil {
		return q, err
	}
	address, errURL := only(r.Header, "X-Original-Url")
	uri, errURI := only(r.Header, "X-Original-Uri")
	switch {
	case errURL == nil && len(r.Header["X-Original-Uri"]) == 0:
		var scheme, host string
		if scheme, host, uri, err = splitURL(address); err != nil {
			return q, err
		}
		err = q.set(method, scheme, host, uri)
	case errURI == nil && len(r.Header["X-Original-Url"]) == 0:
		var scheme string
		if scheme, err = only(r.Header, "X-Forwarded-Proto"); err != nil {
			return q, err
		}
		err = q.set(method, scheme, r.Host, uri)
	default:
		return q, errors.New("wants one X-Original-URL or one X-Original-URI, and not both")
	}
	if err != nil {
		return q, err
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, errors.New("the query of the question cannot be read")
	}
	q.policy, err = policyOf(values)
	return q, err
}

// readForwardAuth reads the question of Traefik's and caddy's forward_auth: the
// X-Forwarded-… headers of the method, scheme, host and URI.
//
// caddy puts the query of the request into the question if its configuration says
// `uri /forward-auth` without a question mark. Then a policy in it is the client's choice.
func readForwardAuth(r *http.Request) (question, error) {
	var q question
	var values [4]string
	for i, name := range [...]string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"} {
		var err error
		if values[i], err = only(r.Header, name); err != nil {
			return q, err
		}
	}
	if err := q.set(values[0], values[1], values[2], values[3]); err != nil {
		return q, err
	}
	asked, err := url.ParseQuery(r.URL.RawQuery)
	_, clients, _ := strings.Cut(q.URI, "?")
	switch {
	case r.URL.RawQuery == clients && asked.Has("policy"):
		return q, errors.New("the policy is the client's: let the proxy ask for /forward-auth? with its own query, or none")
	case r.URL.RawQuery == clients:
		return q, nil
	case err != nil:
		return q, errors.New("the query of the question cannot be read")
	}
	q.policy, err = policyOf(asked)
	return q, err
}

// readExtAuthz reads the question of Envoy's ext_authz over HTTP with the path_prefix
// /ext-authz: its method, Host, path and query are those of the request. So the query
// names no policy.
func readExtAuthz(r *http.Request) (question, error) {
	var q question
	scheme, err := only(r.Header, "X-Forwarded-Proto")
	if err != nil {
		return q, err
	}
	uri := strings.TrimPrefix(r.URL.EscapedPath(), pathExtAuthz)
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		uri += "?" + r.URL.RawQuery
	}
	return q, q.set(r.Method, scheme, r.Host, uri)
}

// set checks the parts of the request that is asked about. The errors name what is wrong
// and do not repeat it: it may have secrets of the visitor in it.
func (q *question) set(method, scheme, host, uri string) (err error) {
	if err := checkMethod(method); err != nil {
		return err
	}
	q.Method = method
	switch {
	case strings.EqualFold(scheme, "https"), strings.EqualFold(scheme, "wss"):
		q.Scheme = "https"
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "ws"):
		q.Scheme = "http"
	default:
		return errors.New("the scheme is neither http nor https")
	}
	if q.Host, q.host, err = readHost(host); err != nil {
		return err
	}
	if q.path, err = readURI(uri); err != nil {
		return err
	}
	q.URI = uri
	return nil
}

// only returns the value of a header that must be there once. name is canonical.
func only(h http.Header, name string) (string, error) {
	switch values := h[name]; {
	case len(values) == 0:
		return "", fmt.Errorf("%s is missing", name)
	case len(values) > 1:
		return "", fmt.Errorf("%s is there more than once", name)
	default:
		return values[0], nil
	}
}

// checkMethod checks the name of a method.
func checkMethod(s string) error {
	if len(s) > maxMethod || !match.IsMethod(s) {
		return errors.New("the method is none that can be asked about, in capitals")
	}
	return nil
}

// splitURL splits "https://host/path?query" and checks nothing.
func splitURL(s string) (scheme, host, uri string, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return "", "", "", errors.New("X-Original-URL is not of the form scheme://host/path")
	}
	return scheme, rest[:slash], rest[slash:], nil
}

// readHost checks a host, perhaps with a port, and returns it as it is compared, and
// without the port.
func readHost(s string) (host, bare string, err error) {
	h, err := forwarded.ReadHost(s)
	if err != nil {
		return "", "", errors.New("the host is no name and no address")
	}
	if strings.HasPrefix(s, h.Name) && h.Port != "" && len(s) == len(h.Name)+len(":")+len(h.Port) {
		return s, h.Name, nil
	}
	return h.String(), h.Name, nil
}

// readURI checks a path with its query and returns how the path can be read.
func readURI(s string) (forwarded.Path, error) {
	if len(s) > maxURI {
		return forwarded.Path{}, errors.New("the URI is too long")
	}
	if !strings.HasPrefix(s, "/") {
		return forwarded.Path{}, errors.New("the URI does not begin with a slash")
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' {
			return forwarded.Path{}, errors.New("the URI has a character in it that none has")
		}
	}
	u, err := url.ParseRequestURI(s)
	if err != nil {
		return forwarded.Path{}, errors.New("the URI is not one")
	}
	return forwarded.ReadPath(u)
}

// policyOf returns the policy that a query names, "" if it names none.
func policyOf(query url.Values) (string, error) {
	switch names := query["policy"]; {
	case len(names) == 0:
		return "", nil
	case len(names) > 1:
		return "", errors.New("two policies are asked for")
	case names[0] == "":
		return "", errUnknownPolicy
	default:
		return names[0], nil
	}
}
