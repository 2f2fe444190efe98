package redisstore

import (
	"crypto/tls"
	"errors"
	"math"
	"slices"
	"time"
)

// handler takes an option's value, which is not empty, over into the settings, or,
// where it belongs to the address, into the target.
type handler func(c *settings, t *target, value string) error

// handlers are the options that redis-py takes from a url's query and that make
// sense here. connection.py: URL_QUERY_ARGUMENT_PARSERS, and the arguments of
// Connection, SSLConnection, UnixDomainSocketConnection and ConnectionPool.
var handlers = map[string]handler{
	"db": func(*settings, *target, string) error { return nil }, // parseURL has it
	// redis-py lets the url's own parts prevail over these.
	"username": func(_ *settings, t *target, v string) error { t.username = orElse(t.username, v); return nil },
	"password": func(_ *settings, t *target, v string) error { t.password = orElse(t.password, v); return nil },
	"host":     tcpHost,
	"port":     tcpPort,
	"path":     socketPath,

	"socket_timeout":         func(c *settings, _ *target, v string) error { return seconds(&c.timeout, v) },
	"socket_connect_timeout": func(c *settings, _ *target, v string) error { return seconds(&c.dialTimeout, v) },
	"max_connections":        maxConnections,
	"client_name":            func(c *settings, _ *target, v string) error { c.clientName = v; return nil },

	"ssl_cert_reqs":      certReqs,
	"ssl_check_hostname": func(c *settings, _ *target, v string) error { c.tls.checkHostname = pyBool(v); return nil },
	"ssl_ca_certs":       func(c *settings, _ *target, v string) error { c.tls.caFile = v; return nil },
	"ssl_ca_path":        func(c *settings, _ *target, v string) error { c.tls.caDir = v; return nil },
	"ssl_ca_data":        func(c *settings, _ *target, v string) error { c.tls.caData = v; return nil },
	"ssl_certfile":       func(c *settings, _ *target, v string) error { c.tls.certFile = v; return nil },
	"ssl_keyfile":        func(c *settings, _ *target, v string) error { c.tls.keyFile = v; return nil },
	"ssl_min_version":    minVersion,

	"socket_keepalive":      keepAlive,
	"retry_on_timeout":      passOver,
	"retry_on_error":        passOver,
	"encoding":              passOver,
	"encoding_errors":       passOver,
	"lib_name":              passOver,
	"lib_version":           passOver,
	"legacy_responses":      passOver,
	"health_check_interval": wholeNumber,
	"socket_read_size":      wholeNumber,
	"protocol":              oneOf("2", "3"),
}

// refusedOptions are those of redis-py with which Beaker does not work, or that would
// have to be obeyed and are not.
var refusedOptions = []string{
	"decode_responses", "ssl_password", "ssl_ciphers", "ssl_validate_ocsp", "ssl_validate_ocsp_stapled", "ssl_ocsp_context",
	"ssl_ocsp_expected_cert", "ssl_include_verify_flags", "ssl_exclude_verify_flags",
}

func passOver(*settings, *target, string) error { return nil }

// keepAlive: Go keeps connections alive anyway.
func keepAlive(_ *settings, t *target, _ string) error {
	if t.kind == unixPath {
		return errors.New("a unix socket has none")
	}
	return nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func tcpHost(_ *settings, t *target, v string) error {
	if t.kind == unixPath {
		return errors.New("a unix socket has none")
	}
	t.host = orElse(t.host, v)
	return nil
}

func tcpPort(_ *settings, t *target, v string) error {
	n, ok := pyInt(v)
	switch {
	case t.kind == unixPath:
		return errors.New("a unix socket has none")
	case t.port != 0:
		return nil
	case !ok || n < 0 || n > math.MaxUint16:
		return errors.New("it is not a number from 0 to 65535")
	}
	t.port = n
	return nil
}

func socketPath(_ *settings, t *target, v string) error {
	if t.kind != unixPath {
		return errors.New("only a unix socket has one")
	}
	t.path = orElse(t.path, v)
	return nil
}

// maxSeconds keeps a time.Duration from overflowing.
const maxSeconds = 1e9

func seconds(d *time.Duration, v string) error {
	f, ok := pyFloat(v)
	if !ok || !(f > 0 && f <= maxSeconds) {
		return errors.New("it is not a number of seconds above 0")
	}
	*d = max(time.Duration(f*float64(time.Second)), time.Millisecond)
	return nil
}

func maxConnections(c *settings, _ *target, v string) error {
	n, ok := pyInt(v)
	if !ok || n < 0 {
		return errors.New("it is not a number of connections")
	}
	c.maxConnections = n
	return nil
}

func wholeNumber(_ *settings, _ *target, v string) error {
	if n, ok := pyInt(v); !ok || n < 0 {
		return errors.New("it is not a whole number")
	}
	return nil
}

func oneOf(values ...string) handler {
	return func(_ *settings, _ *target, v string) error {
		if !slices.Contains(values, v) {
			return errors.New("redis-py does not take this value")
		}
		return nil
	}
}

// certReqs: for a client, Python's CERT_OPTIONAL is CERT_REQUIRED.
func certReqs(c *settings, t *target, v string) error {
	c.tls.verifyNone = v == "none"
	return oneOf("none", "optional", "required")(c, t, v)
}

// minVersion: ssl.TLSVersion has the numbers of the protocol, as Go has.
func minVersion(c *settings, _ *target, v string) error {
	n, ok := pyInt(v)
	if !ok || n < tls.VersionTLS10 || n > tls.VersionTLS13 {
		return errors.New("it is not the number of a TLS version")
	}
	c.tls.minVersion = uint16(n)
	return nil
}
