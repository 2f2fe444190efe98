package settings

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Name is what an error calls a key: "server.tls_key". A route and a rule go by what their
// author called them and not by a number, which is nowhere in the file: `route "/app": retries`.
func (c *Config) Name(key ...string) string {
	switch {
	case len(key) > 1 && key[0] == "route":
		if i, err := strconv.Atoi(key[1]); err == nil && i >= 0 && i < len(c.Routes) {
			r := &c.Routes[i]
			return titled("route", cmp.Or(r.Name, title(r.Hosts, r.Prefix)), key[2:])
		}
	case len(key) > 2 && key[0] == "forward_auth" && key[1] == "rule":
		if i, err := strconv.Atoi(key[2]); err == nil && i >= 0 && i < len(c.ForwardAuth.Rules) {
			r := &c.ForwardAuth.Rules[i]
			return titled("forward_auth rule", title(r.Hosts, r.Prefix), key[3:])
		}
	}
	return strings.Join(key, ".")
}

func title(hosts []string, prefix string) string {
	prefix = cmp.Or(prefix, "/")
	if len(hosts) > 0 {
		return hosts[0] + prefix
	}
	return prefix
}

func titled(kind, name string, rest []string) string {
	text := fmt.Sprintf("%s %q", kind, name)
	if len(rest) > 0 {
		text += ": " + strings.Join(rest, ".")
	}
	return text
}
