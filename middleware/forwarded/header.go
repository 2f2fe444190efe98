package forwarded

import (
	"net/http"
	"strings"
)

// told are the headers, beside X-Forwarded-…, by which proxies tell applications where a
// request came from, where they are mounted, and what was asked for at first. "Proxy"
// becomes HTTP_PROXY in CGI.
var told = map[string]bool{
	"forwarded": true, "x-real-ip": true, "x-script-name": true, "x-scheme": true, "x-url-scheme": true,
	"x-original-url": true, "x-rewrite-url": true, "x-original-host": true, "x-host": true, "proxy": true,
	"x-original-uri": true, "x-original-method": true, "x-client-ip": true, "x-cluster-client-ip": true,
	"true-client-ip": true, "front-end-https": true, "x-url-prefix": true,
}

const family = "x-forwarded"

// Told reports whether a header of this name says of a request which way it came, so that
// nobody but a proxy may send it. So counts every name with anything but letters, digits
// and hyphens, as nginx has it by default: WSGI, CGI and PHP cannot tell X_Forwarded_For
// and X.Forwarded.For from X-Forwarded-For, nor does Script_name differ from what a server
// sets on its own.
func Told(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !alphanumeric(c) && c != '-' {
			return true
		}
	}
	if len(name) >= len(family) && strings.EqualFold(name[:len(family)], family) {
		return true
	}
	var lower [len("x-cluster-client-ip")]byte
	if len(name) > len(lower) {
		return false
	}
	for i := 0; i < len(name); i++ {
		lower[i] = name[i]
		if c := name[i]; c >= 'A' && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return told[string(lower[:len(name)])]
}

// maxChain is how many bytes of X-Forwarded-For are passed on, from the right.
const maxChain = 2048

// Set tells an application where a request came from, in the header h of the request to
// it, from which every header that is [Told] has been removed. r is the request as it came,
// and o what [Trusted.Origin] said of it. X-Forwarded-For gets the peer, after what
// trusted proxies had in it; X-Forwarded-Host and -Proto say what o does;
// X-Forwarded-Port is kept of trusted proxies. mounted is the prefix of the path that was
// taken off, or "": it goes into X-Forwarded-Prefix, after that of trusted proxies.
func (o Origin) Set(h http.Header, r *http.Request, mounted string) {
	values := make([]string, 0, 5) // one allocation for all of them
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if o.Host != "" {
		set("X-Forwarded-Host", o.Host)
	}
	set("X-Forwarded-Proto", o.Scheme)
	if chain := o.chain(r); chain != "" {
		set("X-Forwarded-For", chain)
	}
	if o.Trusted {
		if port := last(r.Header["X-Forwarded-Port"]); validPort(port) {
			set("X-Forwarded-Port", port)
		}
		mounted = prefix(last(r.Header["X-Forwarded-Prefix"])) + mounted
	}
	if mounted != "" {
		set("X-Forwarded-Prefix", mounted)
	}
}

// chain returns X-Forwarded-For: the peer, after what a trusted peer said.
func (o Origin) chain(r *http.Request) string {
	peer := ""
	if i := strings.LastIndexByte(r.RemoteAddr, ':'); i > 0 {
		peer = r.RemoteAddr[:i]
		if !o.Trusted && peer[0] != '[' {
			return peer // the usual case costs nothing
		}
		addr, ok := address(peer)
		if !ok {
			addr, _ = Trusted{}.Peer(r) // with a zone
		}
		peer = ""
		if addr.IsValid() {
			peer = addr.String()
		}
	}
	if !o.Trusted {
		return peer
	}
	before := strings.Join(r.Header["X-Forwarded-For"], ", ")
	if len(before) > maxChain {
		before = before[len(before)-maxChain:]
		_, before, _ = strings.Cut(before, ",")
	}
	before = strings.Trim(before, " \t,")
	switch {
	case before == "":
		return peer
	case peer == "":
		return before
	}
	return before + ", " + peer
}

// prefix returns the prefix that a proxy tells if it is the path of a place on this host:
// applications make links of it.
func prefix(s string) string {
	s = strings.TrimRight(s, "/")
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 255 || strings.Contains(s, "..") {
		return ""
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("/-._~%", rune(c)) {
			return ""
		}
	}
	return s
}
