// Package gateway is what stands in front of old and new applications: it passes
// requests on by host, path, method and header, checks who may come in, tells the
// applications who the visitor is, and moves traffic from one application to another by
// fractions. Sessions are read through package middleware; their cookies pass as they
// are.
//
// # What a request may be
//
// A check that depends on the path holds only if the application reads the same path. So
// a path is refused (400) if it has a segment "." or ".." in any spelling, a control
// character, or an encoded slash in a parameter; and other odd spellings ("//", "%2f",
// "%5c", ";", double encoding) are refused where some way to read them leads to another
// route than the one that takes the request, and other case ("/Admin") if that other
// route has a check that this one lacks. Elsewhere they pass as they are. The readings are
// those of
// [forwarded.ReadPath]. Prefixes say where an application is, not what it does: two
// addresses of the same page have to be protected both.
//
// TRACE and CONNECT are refused, and methods in lower case, which some applications take
// for the others. Routes that name methods are no protection in applications that take
// another method out of a form (_method); the headers that some take it from
// (X-HTTP-Method-Override) are deleted if a route names methods. Upgrades are for
// WebSocket only.
//
// # What an application sees
//
// Body, query, Host, Cookie and Set-Cookie pass byte for byte, but for cookies that a
// route hides. X-Forwarded-For, -Host, -Proto and -Prefix say what is known (see package
// forwarded). What a client says under such names, or under names by which any route tells
// who the visitor is, is deleted on every route, from trailers, too, and with it every
// header whose name has anything but letters, digits and hyphens, which applications may
// take for another.
//
// A request is sent twice only if it had not reached an application, or if it is safe and
// Retries says so. One with an Idempotency-Key net/http itself sends again, POST included,
// when a connection that was kept turns out to be closed ([net/http.Transport]).
package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
)

// ErrConfig is wrapped by every error of [New].
var ErrConfig = errors.New("bad gateway configuration")

// RouteError is an error of [New] about one route. It wraps [ErrConfig].
type RouteError struct {
	Index int // in Options.Routes
	Name  string
	Err   error
}

func (e *RouteError) Error() string {
	return fmt.Sprintf("gateway: route %q: %v: %v", e.Name, ErrConfig, e.Err)
}

// Unwrap returns ErrConfig and the cause.
func (e *RouteError) Unwrap() []error { return []error{ErrConfig, e.Err} }

// Options configure [New].
type Options struct {
	// Routes in any order: of those that take a request, the one with the most specific
	// host wins (exact, then wildcard, then any), then the longest prefix, then the one
	// that names methods, then the one that matches the most headers, then the first.
	Routes []Route
	// Sessions reads the session of a request; nil if no route has an Identity or a
	// Weight.
	Sessions *middleware.Sessions
	// Trusted are the proxies in front whose X-Forwarded-… headers are believed; the zero
	// value: nobody's. Routes go by the Host header all the same.
	Trusted forwarded.Trusted
	// IdentityHeaders are names of headers that no client may send, beside those that the
	// Identity of any route sets. They are deleted from every request.
	IdentityHeaders []string
	// NotFound answers what no route takes, as it came; nil: 404.
	NotFound http.Handler
	// Log is told of upstreams that fail, and of their health; nil: nobody is.
	Log *slog.Logger
	// Observe is told of each attempt to have an upstream answer, after its head has come
	// or the attempt has failed. Nil: nobody is. It must not block.
	Observe func(Attempt)
	// Transport wraps the transport of each upstream, and so sees each attempt, but no
	// health check; nil: none does.
	Transport func(http.RoundTripper) http.RoundTripper

	// DialTimeout limits the time to connect to an upstream; 0: 10 seconds.
	DialTimeout time.Duration
	// ResponseTimeout limits the time from the end of the request to the head of
	// the response (it does not cut streams); 0: no limit.
	ResponseTimeout time.Duration
	// After is the clock of the health checks; nil: time.After. Now is the clock of all
	// else; nil: time.Now.
	After func(time.Duration) <-chan time.Time
	Now   func() time.Time

	// Before is the Gateway that this one takes the place of, after a change of the
	// configuration: what it knows of upstreams that stay is known at once. Nil: none.
	Before *Gateway
}

// Route says who answers which requests.
type Route struct {
	// Name is what the route is called in logs and metrics, and among those that share by
	// which a visitor is known to belong to it; "": its hosts and prefix.
	Name string

	// Hosts are the names that it takes, without port, in any case: "app.example.org",
	// or "*.example.org" for every name below, however deep. None: all.
	Hosts []string
	// Prefix is matched on segment boundaries: "/app" takes "/app" and
	// "/app/x", not "/apple". "/" takes everything.
	Prefix string
	// Methods that it takes; none: all. GET takes HEAD as well.
	Methods []string
	// Headers that a request must have, by name: the value, or "*" for any.
	Headers map[string]string

	// Weight shares requests with other routes of the same Hosts, Prefix, Methods and
	// Headers: of routes that weigh 1 and 3 the second gets three quarters of the
	// visitors. All of them have a weight then, and one may be 0. A visitor stays with
	// a route, by session, or by address (IPv6: by /64) as long as there is none; when
	// weights change, only as many visitors change as have to, in every process that has
	// the same names and weights alike. Nil: this route does not share.
	Weight *float64
	// Sticky is the key of a session by which a visitor stays ("user_id"), so that it
	// outlives the session; "": the id of the session. It is the same for all that share.
	// If the session cannot be read for it, the answer is 503.
	Sticky string

	// Upstreams are asked by turns: "http://host:port", "https://host:port" and
	// "h2c://host:port", with or without a base path, or "unix:/path/to.sock".
	Upstreams []string
	// TLS is about https upstreams; the zero value is fine.
	TLS TLS
	// Health has the upstreams watched; nil: an upstream that cannot be connected to is
	// left out for a moment, no more.
	Health *Health
	// Retries is how many other upstreams are tried when one cannot be connected to, or
	// closes the connection before it answers a request that is safe to repeat: GET,
	// HEAD and OPTIONS (RFC 9110, 9.2.1) without a body. What took too long is not tried
	// again. 0: none.
	Retries int
	// ResponseTimeout is in place of Options.ResponseTimeout; 0: that one.
	ResponseTimeout time.Duration

	// Handler answers in this process, in place of Upstreams. It gets the request with
	// the X-Forwarded-… headers as they came; all else is as for an upstream.
	Handler http.Handler
	// StripPrefix takes Prefix off the path before the request is passed on and
	// tells the upstream by X-Forwarded-Prefix.
	StripPrefix bool

	// Identity says who may come and what the upstream is told about them; nil:
	// everybody, and nothing.
	Identity *identity.Policy
	// HideCookies are names of cookies that the upstream does not get to see.
	HideCookies []string
	// NoTouch leaves the access time of the session to the upstream. Without it a
	// session that is read here counts as used.
	NoTouch bool
}

// TLS is how an https upstream is spoken to.
type TLS struct {
	// CA is PEM text of the authorities that are trusted in place of the system's.
	CA []byte
	// Certificate and Key, PEM text, are what the upstream may ask for.
	Certificate, Key []byte
	// ServerName is in place of the upstream's host.
	ServerName string
	// Insecure takes any certificate.
	Insecure bool
}

// Health is how upstreams are watched.
type Health struct {
	// Path is asked by GET; an answer of 200 to 399 is healthy.
	Path string
	// Interval is the time between two questions; 0: 10 seconds. Timeout limits each; 0: 5
	// seconds.
	Interval, Timeout time.Duration
	// Host is the Host header of the questions; "": that of the upstream.
	Host string
}

// Attempt is one question to one upstream.
type Attempt struct {
	Route, Upstream string
	Status          int // of the answer; 0 if there is none
	Took            time.Duration
	Retry           bool  // it was not the first
	Err             error // why there is no answer
}

// UpstreamState is how an upstream is. Healthy is what the last health check said, or
// that connecting to it did not just fail.
type UpstreamState struct {
	Route, Upstream string
	Healthy         bool
	InFlight        int64
}
