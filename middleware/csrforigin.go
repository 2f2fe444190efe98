package middleware

import (
	"net/http"
	"slices"
	"strings"
)

// foreign says why a request does not come from where it may come from, or "".
// Only https is checked, where nobody on the way can take the Referer off
// (Pyramid: csrf.check_csrf_origin).
func (c *CSRF) foreign(r *http.Request) string {
	if c.Origin == OriginIgnored || !strings.EqualFold(c.scheme(r), "https") {
		return ""
	}
	origin, fromReferer := r.Referer(), true
	if lines, ok := r.Header["Origin"]; ok {
		// Of several the last one is nearest to us.
		all := strings.Join(lines, ",")
		origin, fromReferer = all[strings.LastIndexByte(all, ' ')+1:], false
	}
	if origin == "" {
		if c.Origin == OriginOptional {
			return ""
		}
		return "it has neither Origin nor Referer"
	}
	if origin == "null" && !fromReferer {
		if slices.Contains(c.TrustedOrigins, "null") {
			return ""
		}
		return "its origin is null"
	}
	scheme, rest, _ := strings.Cut(origin, "://")
	if !strings.EqualFold(scheme, "https") {
		return "its origin is not https"
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	own := func(trusted string) bool { return sameDomain(host, trusted) }
	if own(ownHost(r.Host)) || slices.ContainsFunc(c.TrustedOrigins, own) {
		return ""
	}
	return "its origin is not trusted"
}

func (c *CSRF) scheme(r *http.Request) string {
	switch {
	case c.Scheme != nil:
		return c.Scheme(r)
	case r.TLS != nil:
		return "https"
	}
	return r.URL.Scheme
}

// ownHost is a Host header as browsers write it into Origin: without a port of
// the schemes (WebOb: request.domain, request.host_port).
func ownHost(host string) string {
	if domain, ok := strings.CutSuffix(host, ":443"); ok {
		return domain
	}
	return strings.TrimSuffix(host, ":80")
}

// sameDomain is Pyramid's util.is_same_domain.
func sameDomain(host, pattern string) bool {
	pattern = strings.ToLower(pattern)
	if domain, ok := strings.CutPrefix(pattern, "."); ok {
		return host == domain || strings.HasSuffix(host, pattern)
	}
	return pattern != "" && host == pattern
}
