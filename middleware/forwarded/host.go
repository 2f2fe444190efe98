package forwarded

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Host is what a Host header or the authority of a URL says.
type Host struct {
	// Name is a DNS name in lower case without the dot at its end, or an address: IPv6 in
	// brackets, as RFC 5952 writes it.
	Name string
	// Port is without its colon; "" if there is none.
	Port string
}

// ErrHost is the error of [ReadHost].
var ErrHost = errors.New("forwarded: this is no host")

// maxName is how long a DNS name can be, and maxLabel each part of it (RFC 1035, 2.3.4).
const maxName, maxLabel = 253, 63

// ReadHost reads a host, perhaps with a port. It takes names of letters, digits, hyphens
// and underscores, and addresses; nothing that two programs could read in two ways: no
// user, no list, no zone, no empty label, no port but 1 to 65535 as a number is written.
// A colon without a port is none (RFC 3986, 6.2.3). Of what is written as Host has it, it
// costs nothing.
func ReadHost(s string) (Host, error) {
	name, port := s, ""
	end := strings.IndexByte(s, ']') + 1
	if i := strings.IndexByte(s[end:], ':'); i >= 0 {
		name, port = s[:end+i], s[end+i+1:]
		if port != "" && !validPort(port) {
			return Host{}, ErrHost
		}
	}
	if strings.HasPrefix(name, "[") {
		return readIPv6(name, port)
	}
	name = strings.TrimSuffix(name, ".")
	if len(name) > maxName {
		return Host{}, ErrHost
	}
	lower, label := true, 0
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return Host{}, ErrHost
			}
			label = -1
		case c >= 'A' && c <= 'Z':
			lower = false
		case !alphanumeric(c) && c != '-' && c != '_':
			return Host{}, ErrHost
		}
		if label++; label > maxLabel {
			return Host{}, ErrHost
		}
	}
	if label == 0 {
		return Host{}, ErrHost
	}
	if !lower {
		name = strings.ToLower(name)
	}
	return Host{name, port}, nil
}

func readIPv6(name, port string) (Host, error) {
	a, err := netip.ParseAddr(strings.TrimSuffix(name[1:], "]"))
	if err != nil || name[len(name)-1] != ']' || !a.Is6() || a.Zone() != "" {
		return Host{}, ErrHost
	}
	var buffer [len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]")]byte
	text := append(a.AppendTo(append(buffer[:0], '[')), ']')
	if string(text) != name {
		name = string(text)
	}
	return Host{name, port}, nil
}

// Addr returns the address if the name is one, else an invalid one.
func (h Host) Addr() netip.Addr {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(h.Name, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// String is the host as a URL has it.
func (h Host) String() string {
	if h.Port == "" {
		return h.Name
	}
	return h.Name + ":" + h.Port
}

// validPort reports whether s is a port from 1 to 65535 as a number is written.
func validPort(s string) bool {
	if s == "" || s[0] == '0' || len(s) > len("65535") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) < len("65535") || s <= "65535"
}

// OwnName reports whether a request calls this server by a name that is its own, and not
// by the name of some site, which that site has pointed here so that its pages may read
// the answers (DNS rebinding). Its own are localhost and what is below it (RFC 6761, 6.3),
// every address, as no site can point that elsewhere, and the given names, which count for
// every port if they have none. Who names no host, or comes by a Unix socket, is no
// browser.
func OwnName(r *http.Request, names []string) bool {
	if r.Host == "" {
		return true
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return true
	}
	host, err := ReadHost(r.Host)
	switch {
	case err != nil:
		return false
	case host.Name == "localhost", strings.HasSuffix(host.Name, ".localhost"), host.Addr().IsValid():
		return true
	}
	for _, name := range names {
		own, err := ReadHost(name)
		if err == nil && own.Name == host.Name && (own.Port == "" || own.Port == host.Port) {
			return true
		}
	}
	return false
}

// Customer returns the address by which limits and shares count a client: of IPv6 the
// first 64 bits, which is what one customer has at least (RFC 6177, 2), of IPv4 all.
// Of an invalid address, as of who comes by a Unix socket, it is that.
func Customer(a netip.Addr) netip.Addr {
	a = plain(a)
	if !a.Is6() {
		return a
	}
	p, _ := a.Prefix(64) // an error only for other numbers of bits
	return p.Addr()
}
