package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// target is an upstream of a route.
type target struct {
	name      string // as in the configuration
	url       *url.URL
	websocket bool // it can be asked for one
	transport http.RoundTripper
	bare      *http.Transport // without what Options.Transport puts around it

	inFlight atomic.Int64
	ill      atomic.Bool  // the last health check failed
	skipTill atomic.Int64 // nanoseconds since 1970: connecting to it has just failed
}

// skipFor is how long an upstream that could not be connected to is left out, if there are
// others.
const skipFor = 2 * time.Second

func (t *target) skipped(now time.Time) bool {
	till := t.skipTill.Load()
	return till != 0 && now.UnixNano() < till
}

// errDown: no health check of any upstream of the route succeeds.
var errDown = errors.New("all upstreams are down")

// pick returns the upstream for an attempt: the first good one from place on, counted from
// the start that is this request's turn. It returns its place. A first attempt falls back
// to upstreams that were just not to be connected to: there may be no others, and they may
// be back.
func (r *route) pick(start uint32, place int, now time.Time) (*target, int) {
	n := len(r.targets)
	for _, patient := range [...]bool{true, false} {
		for i := place; i < n; i++ {
			t := r.targets[(int(start%uint32(n))+i)%n]
			if !t.ill.Load() && !(patient && t.skipped(now)) {
				return t, i
			}
		}
		if place > 0 {
			break
		}
	}
	return nil, n
}

// Schemes beside http.
const (
	schemeH2C   = "h2c"
	schemeHTTPS = "https"
)

// parseUpstream returns where to send requests, and the socket's path if it is
// a Unix socket.
func parseUpstream(s string) (u *url.URL, socket string, err error) {
	const unixForm = "unix:"
	if strings.HasPrefix(s, unixForm) {
		socket = strings.TrimPrefix(strings.TrimPrefix(s, unixForm), "//")
		if !strings.HasPrefix(socket, "/") {
			return nil, "", errors.New("unix: wants the absolute path of a socket, as in unix:/run/app.sock")
		}
		return &url.URL{Scheme: "http", Host: "localhost"}, socket, nil
	}
	u, err = url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != schemeHTTPS && u.Scheme != schemeH2C || u.Hostname() == "":
		// The error of url.Parse would have the text in it, and with it a password.
		return nil, "", errors.New("an upstream is http://host:port, https://host:port, h2c://host:port or unix:/path/to.sock")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.ForceQuery:
		return nil, "", errors.New("an upstream has no user, query or fragment")
	}
	if u.Path != "" {
		if _, err := forwarded.ReadPath(u); err != nil {
			return nil, "", errors.New("the path of an upstream is a plain one, with no . or .. in it")
		}
	}
	return u, "", nil
}

// transports makes one transport for all upstreams that are spoken to alike.
type transports struct {
	made map[transportKey]*http.Transport
}

type transportKey struct {
	scheme, socket, tls string
	response            time.Duration
}

// get returns the transport for an upstream.
func (ts *transports) get(scheme, socket string, r *Route, o *Options) (*http.Transport, error) {
	key := transportKey{scheme: scheme, socket: socket, response: r.ResponseTimeout}
	if key.response == 0 {
		key.response = o.ResponseTimeout
	}
	if scheme == schemeHTTPS {
		key.tls = fmt.Sprintf("%q %q %q %q %t", r.TLS.CA, r.TLS.Certificate, r.TLS.Key, r.TLS.ServerName, r.TLS.Insecure)
	}
	if t, ok := ts.made[key]; ok {
		return t, nil
	}
	t := newTransport(socket, key.response, o)
	switch scheme {
	case schemeHTTPS:
		var err error
		if t.TLSClientConfig, err = r.TLS.config(); err != nil {
			return nil, err
		}
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true) // for WebSocket, and for who has no HTTP/2
		t.Protocols.SetHTTP2(true)
	case schemeH2C:
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	if ts.made == nil {
		ts.made = map[transportKey]*http.Transport{}
	}
	ts.made[key] = t
	return t, nil
}

// idleUpstream is how long a connection waits for its next request. It must be
// less than what the upstream waits: a POST that meets a connection that was
// just closed cannot be sent again and would be a 502. gunicorn waits 2 seconds.
const idleUpstream = time.Second

// newTransport returns a transport that changes nothing on the way: no
// proxy of the environment, no compression of its own.
func newTransport(socket string, response time.Duration, o *Options) *http.Transport {
	dialer := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}
	if dialer.Timeout == 0 {
		dialer.Timeout = 10 * time.Second
	}
	t := &http.Transport{
		DialContext:           dialer.DialContext,
		DisableCompression:    true,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       idleUpstream,
		TLSHandshakeTimeout:   dialer.Timeout,
		ExpectContinueTimeout: time.Second,
		ResponseHeaderTimeout: response,
		// Early hints count, too.
		MaxResponseHeaderBytes: 1 << 20,
		// A connection that carries many requests must not outlive its other end.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	if socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}

func (t *TLS) isZero() bool {
	return len(t.CA) == 0 && len(t.Certificate) == 0 && len(t.Key) == 0 && t.ServerName == "" && !t.Insecure
}

// config returns what crypto/tls wants.
func (t *TLS) config() (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.Insecure,
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	if len(t.CA) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(t.CA) {
			return nil, errors.New("tls: there is no certificate in the authorities: give PEM text")
		}
		if t.Insecure {
			return nil, errors.New("tls: insecure takes any certificate: give authorities or insecure, not both")
		}
	}
	switch {
	case len(t.Certificate) > 0 && len(t.Key) > 0:
		pair, err := tls.X509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: certificate and key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	case len(t.Certificate)+len(t.Key) > 0:
		return nil, errors.New("tls: a certificate needs its key, and a key its certificate")
	}
	return c, nil
}

// notConnected reports whether an attempt failed before there was a connection.
func notConnected(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
