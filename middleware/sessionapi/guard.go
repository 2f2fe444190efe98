package sessionapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// guard refuses what a browser sends, and what a page has sent to a name of its own that
// points here (DNS rebinding). Browsers put Origin or Sec-Fetch-Site, which no page can
// take away, on what they send; services have no reason to.
func (a *api) guard(r *http.Request) error {
	if len(r.Header["Origin"]) > 0 || len(r.Header["Sec-Fetch-Site"]) > 0 {
		return fromBrowser.problem("A service passes on its visitor's Cookie header, but neither Origin nor Sec-Fetch-Site.")
	}
	if !forwarded.OwnName(r, a.hosts) {
		return wrongHost.problem("The Host header has to be localhost, an address, or one of the names that the API was given.")
	}
	return nil
}

func overUnixSocket(r *http.Request) bool {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && address.Network() == "unix"
}

// authorize asks for one of the tokens (RFC 6750, section 2.1). All are compared, in
// time that does not depend on what they are.
func (a *api) authorize(c *call) error {
	token, given := bearer(c.Header)
	digest := sha256.Sum256([]byte(token))
	known := 0
	for i := range a.tokens {
		known |= subtle.ConstantTimeCompare(digest[:], a.tokens[i][:])
	}
	if given && known == 1 {
		c.caller = digest
		return nil
	}
	if a.open && overUnixSocket(c.Request) {
		return nil
	}
	p := unauthorized.problem("")
	challenge := `Bearer realm="gobeaker session API"`
	if given {
		challenge += `, error="invalid_token"`
	}
	p.header = http.Header{"Www-Authenticate": {challenge}}
	return p
}

func bearer(h http.Header) (token string, given bool) {
	lines := h["Authorization"]
	if len(lines) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(lines[0], " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}
