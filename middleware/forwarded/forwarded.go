// Package forwarded says where a request came from, as far as the proxies in front can be
// believed, and keeps what cannot be believed from the applications behind.
//
// Only what the nearest proxy says counts, and only if it is a trusted one: of
// X-Forwarded-For the entries from the right, as each proxy appends the address of who
// came to it; of X-Forwarded-Host and X-Forwarded-Proto the last value. What stands
// further left was written by somebody else, at worst by the client.
package forwarded

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Trusted are the proxies whose word counts. The zero value trusts nobody. It is safe for
// concurrent use.
type Trusted struct {
	prefixes []netip.Prefix
	unix     bool
}

// words are the names that [Parse] knows, and the networks that they mean.
var words = map[string][]string{
	"loopback": {"127.0.0.0/8", "::1/128"},
	"private": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
		"fc00::/7", "fe80::/10", "::1/128"},
}

// Parse reads addresses ("10.1.2.3"), networks ("10.0.0.0/8"), and the words "loopback",
// "private" (RFC 1918, RFC 4193, link-local and loopback) and "unix" (whoever comes by a
// Unix socket).
func Parse(list []string) (Trusted, error) {
	var t Trusted
	for _, entry := range list {
		texts, word := words[entry]
		switch {
		case entry == "unix":
			t.unix = true
			continue
		case !word:
			texts = []string{entry}
		}
		for _, text := range texts {
			p, err := parsePrefix(text)
			if err != nil {
				return Trusted{}, fmt.Errorf(`forwarded: trusted proxy %q: give an address, a network such as 10.0.0.0/8, "loopback", "private" or "unix"`, entry)
			}
			t.prefixes = append(t.prefixes, p)
		}
	}
	return t, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		addr = plain(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// plain returns an address as it is compared: IPv4 as such, without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Contains reports whether an address is that of a trusted proxy.
func (t Trusted) Contains(a netip.Addr) bool {
	a = plain(a)
	for _, p := range t.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Peer returns the address of who sent the request over this connection, and whether it
// is a trusted proxy. The address of who came by a Unix socket is invalid.
func (t Trusted) Peer(r *http.Request) (addr netip.Addr, trusted bool) {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		// A Unix socket has "@", its path, or no name at all.
		return netip.Addr{}, t.unix && (r.RemoteAddr == "" || r.RemoteAddr[0] == '@' || r.RemoteAddr[0] == '/')
	}
	addr = plain(ap.Addr())
	return addr, t.Contains(addr)
}

// Origin is what is known of who sent a request.
type Origin struct {
	// Client is the address of the client; invalid if it came by a Unix socket.
	Client netip.Addr
	// Scheme is "http" or "https", Host what the client asked for, with its port.
	Scheme, Host string
	// Trusted: the peer is a trusted proxy.
	Trusted bool
}

// maxHops is how many entries of X-Forwarded-For are looked at: more proxies than that
// stand in no row.
const maxHops = 32

// Origin tells who sent a request: the peer of the connection, or, of trusted proxies,
// the last one in X-Forwarded-For that is not one of them. An entry that is no address
// ends the search: then the proxy that wrote it is all that is known.
func (t Trusted) Origin(r *http.Request) Origin {
	o := Origin{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		o.Scheme = "https"
	}
	o.Client, o.Trusted = t.Peer(r)
	if !o.Trusted {
		return o
	}
	o.Client = t.client(r.Header["X-Forwarded-For"], o.Client)
	switch scheme := last(r.Header["X-Forwarded-Proto"]); {
	case strings.EqualFold(scheme, "https"), strings.EqualFold(scheme, "wss"):
		o.Scheme = "https"
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "ws"):
		o.Scheme = "http"
	}
	if host := last(r.Header["X-Forwarded-Host"]); host != "" {
		if _, err := ReadHost(host); err == nil {
			o.Host = host
		}
	}
	return o
}

// client goes from proxy to proxy, from the right, as long as they are trusted.
func (t Trusted) client(lines []string, peer netip.Addr) netip.Addr {
	hops := 0
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			entry, rest, more = cutLast(rest)
			addr, ok := address(entry)
			if !ok {
				return peer
			}
			if peer = addr; !t.Contains(addr) {
				return peer
			}
			if hops++; hops == maxHops {
				return peer
			}
		}
	}
	return peer
}

// cutLast cuts a list at its last comma.
func cutLast(s string) (entry, rest string, more bool) {
	i := strings.LastIndexByte(s, ',')
	if i < 0 {
		return s, "", false
	}
	return s[i+1:], s[:i], true
}

// last returns the last value of a header with lists in it.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	entry, _, _ := cutLast(lines[len(lines)-1])
	return strings.Trim(entry, " \t")
}

// address reads an entry of X-Forwarded-For: an address, perhaps with a port, IPv6
// perhaps in brackets.
func address(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if len(s) > len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%eth0.verylong]:65535") {
		return netip.Addr{}, false
	}
	bare := s
	switch {
	case strings.HasPrefix(s, "["):
		var port string
		var closed bool
		if bare, port, closed = strings.Cut(s[1:], "]"); !closed || port != "" && !isPort(port) || !strings.Contains(bare, ":") {
			return netip.Addr{}, false
		}
	case strings.Count(s, ":") == 1:
		i := strings.IndexByte(s, ':')
		if !isPort(s[i:]) {
			return netip.Addr{}, false
		}
		bare = s[:i]
	}
	// A zone is a name that only its own machine knows, and any text to the parser.
	if strings.Contains(bare, "%") {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(bare)
	return plain(a), err == nil
}

// isPort reports whether s is a colon and what a proxy may have written as a port.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > len(":65535") || s[0] != ':' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
