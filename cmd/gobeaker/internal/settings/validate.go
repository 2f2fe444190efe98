package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// refuse is an error about a key, with the place where it stands, or the flag or variable
// that gave it.
func (c *Config) refuse(key []string, format string, args ...any) error {
	name := c.Name(key...)
	if from := c.outside[strings.Join(key, ".")]; from != "" {
		name = from
	}
	return fmt.Errorf("settings: %s%s: %w: %s", c.At(key...), name, ErrConfig, fmt.Sprintf(format, args...))
}

// Validate checks what can be checked without opening anything and without the packages
// that the settings are for. What is wrong with one table does not hide what is wrong with
// another.
func (c *Config) Validate() error {
	var all []error
	for _, check := range []func() error{c.checkAddresses, c.checkLog, c.checkSafety, c.checkServer, c.checkRoutes, c.checkRules} {
		all = append(all, check())
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	if c.meta != nil && len(c.Routes) == 0 && c.Session == nil && c.ForwardAuth.Listen == "" && c.API.Listen == "" {
		return fmt.Errorf("settings: %s: %w: there is no [[route]] in it, so there is nothing to serve", c.File(), ErrConfig)
	}
	return nil
}

func (c *Config) checkAddresses() error {
	seen := map[string]string{}
	for _, l := range []struct {
		key     string
		address string
	}{{"listen", c.Listen}, {"forward_auth.listen", c.ForwardAuth.Listen}, {"api.listen", c.API.Listen}, {"admin.listen", c.Admin.Listen}} {
		if l.address == "" && l.key != "listen" || l.key == "listen" && c.hasNoVisitors() {
			continue
		}
		key := strings.Split(l.key, ".")
		network, address, err := SplitAddress(l.address)
		if err != nil {
			return c.refuse(key, "%q: %v", l.address, err)
		}
		if _, port, _ := net.SplitHostPort(address); network == "tcp" && port == "0" {
			continue
		}
		if other := seen[l.address]; other != "" {
			return c.refuse(key, "%q is the address of %s already", l.address, other)
		}
		seen[l.address] = l.key
	}
	return nil
}

// ListenGiven reports whether somebody said where visitors come.
func (c *Config) ListenGiven() bool {
	return c.Listen != Default().Listen || c.Outside("listen") || c.meta.Has("listen")
}

// hasNoVisitors reports whether there are only proxies and services to be answered, so that
// the default of listen is not listened at.
func (c *Config) hasNoVisitors() bool {
	return len(c.Routes) == 0 && (c.ForwardAuth.Listen != "" || c.API.Listen != "") && !c.ListenGiven()
}

// SplitAddress returns what net.Listen takes.
func SplitAddress(text string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return "", "", fmt.Errorf(`give the path of a socket, as in "unix:/run/gobeaker.sock"`)
		}
		return "unix", filepath.Clean(path), nil
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", "", fmt.Errorf(`give host:port, as in "127.0.0.1:8080", or unix:/path`)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", "", fmt.Errorf("a port is a number from 0 to 65535; 0 takes a free one")
	}
	return "tcp", text, nil
}

// Local reports whether only this machine can reach an address.
func Local(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (c *Config) checkLog() error {
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return c.refuse([]string{"log", "format"}, `%q: use "text" or "json"`, c.Log.Format)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return c.refuse([]string{"log", "level"}, "%q: use debug, info, warn or error", c.Log.Level)
	}
	return nil
}

// checkSafety keeps what operators and services have from being reached by everybody.
func (c *Config) checkSafety() error {
	if a := c.Admin; a.Listen != "" && !Local(a.Listen) {
		if !a.AllowRemote {
			return c.refuse([]string{"admin", "listen"}, "%q can be reached from other machines; use 127.0.0.1 or unix:/path, or say allow_remote = true", a.Listen)
		}
		if (a.Inspector || a.Pprof) && len(a.TokenFiles) == 0 && a.TokenEnv == "" {
			return c.refuse([]string{"admin", "allow_remote"}, "the inspector and pprof need token_files or token_env then")
		}
	}
	if a := c.API; a.Listen != "" {
		tokens := len(a.TokenFiles) > 0 || a.TokenEnv != ""
		switch unix := strings.HasPrefix(a.Listen, "unix:"); {
		case !Local(a.Listen) && !a.AllowRemote:
			return c.refuse([]string{"api", "listen"}, "%q can be reached from other machines; use 127.0.0.1 or unix:/path, or say allow_remote = true", a.Listen)
		case a.Open && tokens:
			return c.refuse([]string{"api", "open"}, "there are tokens as well; leave one out")
		case a.Open && !unix:
			return c.refuse([]string{"api", "open"}, "only an API at unix:/path may be open: everybody on the machine can reach %q", a.Listen)
		case !a.Open && !tokens:
			return c.refuse([]string{"api", "listen"}, "give token_files or token_env, or open = true at unix:/path")
		}
	}
	return nil
}

func (c *Config) checkServer() error {
	if (c.Server.TLSCertificate == "") != (c.Server.TLSKey == "") {
		key := "tls_key"
		if c.Server.TLSKey == "" {
			key = "tls_certificate"
		}
		return c.refuse([]string{"server", key}, "tls_certificate and tls_key belong together")
	}
	switch l := c.Limits; {
	case l.Connections < 0 || l.Connections > maxCount:
		return c.refuse([]string{"limits", "connections"}, "give a number from 0 to %d", maxCount)
	case l.HeaderBytes < 4<<10 || l.HeaderBytes > 16<<20:
		return c.refuse([]string{"limits", "header_bytes"}, `give "4KiB" to "16MiB"`)
	case l.Memory != 0 && l.Memory < 16<<20:
		return c.refuse([]string{"limits", "memory"}, `give at least "16MiB", or 0 for no limit`)
	case !(l.RefusalsPerMinute >= 0 && l.RefusalsPerMinute <= maxCount): // which NaN is not
		return c.refuse([]string{"limits", "refusals_per_minute"}, "give a number from 0 to %d", maxCount)
	case l.RefusalsPerMinute > 0 && (l.RefusalsBurst < 1 || l.RefusalsBurst > maxCount):
		return c.refuse([]string{"limits", "refusals_burst"}, "give a number from 1 to %d", maxCount)
	case l.RefusalsPerMinute > 0 && (l.RefusalsClients < 1 || l.RefusalsClients > maxCount):
		return c.refuse([]string{"limits", "refusals_clients"}, "give a number from 1 to %d", maxCount)
	}
	if !(c.Tracing.Ratio >= 0 && c.Tracing.Ratio <= 1) {
		return c.refuse([]string{"tracing", "ratio"}, "give a number from 0 to 1")
	}
	return nil
}

// maxCount bounds what is counted, and for some of it room is kept from the beginning.
const maxCount = 10_000_000

// maxRetries bounds how often one request is sent: there are not more upstreams than that.
const maxRetries = 100

func (c *Config) checkRoutes() error {
	for i, r := range c.Routes {
		key := func(name string) []string { return []string{"route", strconv.Itoa(i), name} }
		builtin := strings.HasPrefix(r.Upstream, "builtin:")
		switch {
		case r.Upstream != "" && len(r.Upstreams) > 0:
			return c.refuse(key("upstreams"), "give upstream or upstreams, not both")
		case r.Upstream == "" && len(r.Upstreams) == 0:
			return c.refuse([]string{"route", strconv.Itoa(i)}, "it has no upstream: say who answers, as in upstream = \"http://127.0.0.1:9000\"")
		case builtin && r.Upstream != BuiltinSession && r.Upstream != BuiltinForwardAuth && r.Upstream != BuiltinJWKS:
			return c.refuse(key("upstream"), "%q: use %s, %s or %s", r.Upstream, BuiltinSession, BuiltinForwardAuth, BuiltinJWKS)
		case r.Upstream == BuiltinJWKS && len(c.Assertion.KeyFiles) == 0:
			return c.refuse(key("upstream"), "there is no [assertion] with key_files")
		case r.Upstream == BuiltinForwardAuth && len(c.ForwardAuth.TrustedProxies) == 0:
			return c.refuse(key("upstream"), "visitors reach it as well as proxies: say in [forward_auth] which may ask, as in trusted_proxies = [\"10.0.0.5\"]")
		case builtin && (r.Health != nil || r.TLS != nil):
			return c.refuse(key("upstream"), "%s has neither health nor tls", r.Upstream)
		case r.Retries < 0 || r.Retries > maxRetries:
			return c.refuse(key("retries"), "give a number from 0 to %d", maxRetries)
		case r.Weight != nil && !(*r.Weight >= 0 && *r.Weight <= maxCount):
			return c.refuse(key("weight"), "give a number from 0 to %d", maxCount)
		case r.Touch != nil && *r.Touch && !r.HasPolicy():
			return c.refuse(key("touch"), "only for a route with a policy is the session looked at, and this one has none; leave touch out: the application counts its use itself")
		case r.Audience != "" && r.PolicyName == "" && r.PolicyAssertion == nil:
			return c.refuse(key("audience"), "without a policy that has an assertion nobody is told")
		}
		if err := c.checkPolicy(&r.Policy, r.PolicyName, "route", strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkRules() error {
	for key, name := range map[string]string{"policy": c.ForwardAuth.Policy, "userinfo": c.ForwardAuth.UserInfo} {
		if name == "" {
			continue
		}
		if err := c.checkName(name, "forward_auth", key); err != nil {
			return err
		}
	}
	for i, r := range c.ForwardAuth.Rules {
		at := []string{"forward_auth", "rule", strconv.Itoa(i)}
		if err := c.checkPolicy(&r.Policy, r.PolicyName, at...); err != nil {
			return err
		}
		if r.PolicyName == "" && r.Empty() {
			return c.refuse(at, "the rule has no policy")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Policies)) {
		p := c.Policies[name]
		if err := c.checkAssertion(&p, "policy", name); err != nil {
			return err
		}
	}
	return nil
}

// checkPolicy checks what a route or a rule says of its policy.
func (c *Config) checkPolicy(inline *Policy, name string, at ...string) error {
	if name != "" && !inline.Empty() {
		return c.refuse(append(at, "policy"), "give the name of a policy, or its keys here, not both")
	}
	if name != "" {
		return c.checkName(name, append(at, "policy")...)
	}
	return c.checkAssertion(inline, at...)
}

func (c *Config) checkAssertion(p *Policy, at ...string) error {
	if p.PolicyAssertion != nil && len(c.Assertion.KeyFiles) == 0 {
		return c.refuse(append(at, "assertion"), "there is no [assertion] with key_files")
	}
	return nil
}

func (c *Config) checkName(name string, at ...string) error {
	if _, ok := c.Policies[name]; ok {
		return nil
	}
	known := slices.Sorted(maps.Keys(c.Policies))
	if len(known) == 0 {
		return c.refuse(at, "there is no [policy.%s]", name)
	}
	return c.refuse(at, "there is no [policy.%s]; there are: %s", name, strings.Join(known, ", "))
}
