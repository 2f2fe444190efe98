// Package settings is what "gobeaker serve" can be told: the tables of gobeaker.toml, and
// the variables and flags that go before them. It reads and checks them, and describes
// each; what they come to is package server's.
package settings

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// ErrConfig is wrapped by every error about a setting: what to do about it is
// in its text.
var ErrConfig = errors.New("bad configuration")

// The upstreams of routes that this process answers itself.
const (
	BuiltinSession     = "builtin:session"      // the page that shows the session
	BuiltinForwardAuth = "builtin:forward-auth" // the endpoints of [forward_auth]
	BuiltinJWKS        = "builtin:jwks"         // the public keys of [assertion]
)

// Config is what "gobeaker serve" is told: the file gobeaker.toml, with the
// environment and the flags on top.
//
// The tags of its fields are the one place that says what a setting is called and what it
// does: help, the flags, the variables and the reference are made of them (see
// [Scalars] and [Reference]). flag is the name of the flag where it is not made of the key;
// value says what kind of text it takes.
type Config struct {
	Listen         string            `toml:"listen" value:"address" help:"where visitors come: host:port (port 0 takes a free one) or unix:/path; with [forward_auth] or [api] and no routes only if it is given"`
	TrustedProxies []string          `toml:"trusted_proxies" value:"networks" help:"proxies in front whose X-Forwarded-… headers are believed: addresses, networks, and the words loopback, private and unix"`
	Routes         []Route           `toml:"route" help:"who answers which requests; without one the session page does"`
	Policies       map[string]Policy `toml:"policy" help:"who may come in and what the application is told about them, under a name for routes and rules"`
	Assertion      Assertion         `toml:"assertion" help:"the signed assertions (JWT) that policies may add"`
	ForwardAuth    ForwardAuth       `toml:"forward_auth" help:"answers for proxies that ask who may come in: /auth, /forward-auth, /ext-authz/, /userinfo"`
	API            API               `toml:"api" help:"the session API for services in other languages"`
	Admin          Admin             `toml:"admin" help:"the address for operators: /ping, /ready, /metrics, and what is switched on here"`
	Session        *tomlconf.Session `toml:"session" help:"the sessions of the Python application: Beaker's options without their prefix, and further ones"`
	Server         Server            `toml:"server" help:"how long the server waits for whom, and TLS"`
	Limits         Limits            `toml:"limits" help:"what the server bears"`
	Log            Log               `toml:"log" help:"the log, on standard error"`
	Tracing        Tracing           `toml:"tracing" help:"OpenTelemetry"`

	meta    *tomlconf.Meta    // the file; nil if there is none
	dataDir string            // of a flag or the environment
	options []outsideOption   // of [session], from flags and the environment
	outside map[string]string // what flags and variables gave, by key: who did
}

// Route is one [[route]] table.
type Route struct {
	Name            string            `toml:"name" value:"text" help:"what it is called in logs and metrics; default: its hosts and prefix"`
	Hosts           []string          `toml:"hosts" help:"the hosts that it takes, as in \"app.example.org\" or \"*.example.org\"; default: all"`
	Prefix          string            `toml:"prefix" value:"path" help:"the paths that it takes: \"/app\" is \"/app\" and \"/app/x\", not \"/apple\"; default: \"/\""`
	Methods         []string          `toml:"methods" help:"the methods that it takes; default: all"`
	MatchHeaders    map[string]string `toml:"match_headers" help:"headers that a request must have: the value, or \"*\" for any"`
	Weight          *float64          `toml:"weight" help:"shares the visitors with other routes of the same match: of 1 and 3 the second gets three quarters"`
	Sticky          string            `toml:"sticky" value:"key" help:"the session key by which a visitor stays with a route; default: the session's id"`
	Upstream        string            `toml:"upstream" value:"URL" help:"who answers: http://, https:// or h2c://host:port, unix:/path, builtin:session, builtin:forward-auth or builtin:jwks"`
	Upstreams       []string          `toml:"upstreams" help:"several of them, asked by turns"`
	StripPrefix     bool              `toml:"strip_prefix" help:"the upstream sees /x for /prefix/x, and X-Forwarded-Prefix"`
	HideCookies     []string          `toml:"hide_cookies" help:"cookies that the upstream does not get to see"`
	HideSession     bool              `toml:"hide_session_cookie" help:"the upstream does not get to see the session's cookie, so that it cannot be stolen there"`
	Touch           *bool             `toml:"touch" help:"whether a request counts as a use of the session; for routes with a policy, where the default is true; on others the gateway does not look into it"`
	Retries         int               `toml:"retries" help:"how many other upstreams are tried for a request that is safe to repeat"`
	ResponseTimeout Duration          `toml:"response_timeout" help:"until the upstream begins to answer, in place of that of [server]"`
	Health          *Health           `toml:"health" help:"the upstreams are asked now and then; those that are ill get no requests"`
	TLS             *TLS              `toml:"tls" help:"how https upstreams are spoken to"`
	PolicyName      string            `toml:"policy" value:"name" help:"the name of the [policy.<name>] that says who may come in; give it, or the keys of a policy in the route itself, not both"`
	Audience        string            `toml:"audience" value:"text" help:"in place of that of the policy's assertion"`
	Policy
}

// HasPolicy reports whether not everybody may come in, or the upstream is told who does.
func (r *Route) HasPolicy() bool { return r.PolicyName != "" || !r.Empty() }

// SameMatch reports whether two routes take the same requests.
func (r *Route) SameMatch(o *Route) bool {
	return r.Prefix == o.Prefix && slices.Equal(r.Hosts, o.Hosts) && slices.Equal(r.Methods, o.Methods) && maps.Equal(r.MatchHeaders, o.MatchHeaders)
}

// Health is the health table of a route.
type Health struct {
	Path     string   `toml:"path" value:"path" help:"what is asked by GET; 200 to 399 is healthy"`
	Interval Duration `toml:"interval" help:"the time between two questions; default: 10s"`
	Timeout  Duration `toml:"timeout" help:"the time for an answer; default: 5s"`
	Host     string   `toml:"host" value:"name" help:"the Host header; default: the upstream's"`
}

// TLS is the tls table of a route.
type TLS struct {
	CAFile          string `toml:"ca_file" value:"file" help:"the authorities that are trusted in place of the system's"`
	CertificateFile string `toml:"certificate_file" value:"file" help:"the certificate that the upstream may ask for"`
	KeyFile         string `toml:"key_file" value:"file" help:"its key"`
	ServerName      string `toml:"server_name" value:"name" help:"in place of the upstream's host"`
	Insecure        bool   `toml:"insecure" help:"take any certificate"`
}

// Policy is a [policy.name] table; routes and rules have its keys as well.
type Policy struct {
	Require         []string          `toml:"require" help:"session values that must be there and be true to Python: \"user_id\", \"user.email\""`
	Groups          string            `toml:"groups" value:"path" help:"where the session has the visitor's groups"`
	AnyGroup        []string          `toml:"any_group" help:"of which the visitor must have one"`
	Allow           string            `toml:"allow" value:"expression" help:"an expression of expr-lang that must be true, as in 'session.role == \"editor\"'"`
	Login           string            `toml:"login" value:"URL" help:"where a browser without a session is sent; {url} is the page that it asked for; default: 401"`
	LoginHosts      []string          `toml:"login_hosts" help:"the hosts that such a page may be on; default: that of the request"`
	Headers         map[string]Header `toml:"headers" help:"what the application is told: a header's name, and the path of a session value or a table of path, join, encode and default"`
	PolicyAssertion *PolicyAssertion  `toml:"assertion" help:"a signed assertion (JWT) as well; needs [assertion]"`
}

// Empty reports whether there is nothing in it.
func (p *Policy) Empty() bool {
	return len(p.Require) == 0 && p.Groups == "" && len(p.AnyGroup) == 0 && p.Allow == "" && p.Login == "" &&
		len(p.LoginHosts) == 0 && len(p.Headers) == 0 && p.PolicyAssertion == nil
}

// PolicyAssertion is the assertion table of a policy.
type PolicyAssertion struct {
	Audience string            `toml:"audience" value:"text" help:"the aud claim: the application that is told"`
	Header   string            `toml:"header" value:"name" help:"the header; default: X-Gobeaker-Assertion"`
	Lifetime Duration          `toml:"lifetime" help:"how long it is good; default: 1m"`
	Subject  string            `toml:"subject" value:"path" help:"the session value of the sub claim"`
	Claims   map[string]string `toml:"claims" help:"further claims, and the paths of their session values"`
}

// Header is a header that tells a session value: a path, or a table.
type Header struct {
	Path    string
	Join    string
	Encode  string
	Default string
}

// Assertion is the [assertion] table.
type Assertion struct {
	Issuer   string   `toml:"issuer" value:"URL" help:"the iss claim"`
	KeyFiles []string `toml:"key_files" value:"files" help:"private keys, PEM: the first signs, the public keys of all are in the JWKS"`
}

// ForwardAuth is the [forward_auth] table.
type ForwardAuth struct {
	Listen         string   `toml:"listen" value:"address" help:"an address of its own: host:port or unix:/path; the upstream builtin:forward-auth needs none"`
	SocketMode     FileMode `toml:"socket_mode" help:"the mode of a Unix socket"`
	Policy         string   `toml:"policy" value:"name" help:"the policy where no rule fits; default: nobody may"`
	UserInfo       string   `toml:"userinfo" value:"name" help:"the policy whose headers /userinfo tells the visitor; default: policy"`
	TrustedProxies []string `toml:"trusted_proxies" value:"networks" help:"the proxies that may ask; default: those of the top level, or loopback and unix"`
	Touch          bool     `toml:"touch" help:"a request that is asked about counts as a use of the session"`
	Rules          []Rule   `toml:"rule" help:"which policy is for which requests; the most specific one counts"`
}

// Rule is one [[forward_auth.rule]] table.
type Rule struct {
	Hosts      []string `toml:"hosts" help:"as in a route"`
	Prefix     string   `toml:"prefix" value:"path" help:"as in a route"`
	Methods    []string `toml:"methods" help:"as in a route"`
	PolicyName string   `toml:"policy" value:"name" help:"the name of the [policy.<name>]; give it, or the keys of a policy in the rule itself, not both"`
	Policy
}

// API is the [api] table.
type API struct {
	Listen      string   `toml:"listen" value:"address" help:"unix:/path, or host:port on loopback"`
	SocketMode  FileMode `toml:"socket_mode" help:"the mode of a Unix socket"`
	AllowRemote bool     `toml:"allow_remote" help:"allow an address that is not loopback"`
	Hosts       []string `toml:"hosts" value:"names" help:"names by which services reach it, beside localhost and addresses"`
	TokenFiles  []string `toml:"token_files" value:"files" help:"files whose first line is a bearer token, 20 characters or more"`
	TokenEnv    string   `toml:"token_env" value:"name" help:"the environment variable that is one"`
	Open        bool     `toml:"open" help:"ask for no token: for a Unix socket whose mode says who may come"`
	MaxBody     Size     `toml:"max_body" help:"the size of a request"`
}

// Admin is the [admin] table.
type Admin struct {
	Listen        string   `toml:"listen" value:"address" help:"host:port on loopback, or unix:/path"`
	SocketMode    FileMode `toml:"socket_mode" help:"the mode of a Unix socket"`
	AllowRemote   bool     `toml:"allow_remote" help:"allow an address that is not loopback; the inspector and pprof need a token then"`
	Hosts         []string `toml:"hosts" value:"names" help:"names by which browsers reach it, beside localhost and addresses"`
	TokenFiles    []string `toml:"token_files" value:"files" help:"files whose first line is a token for the inspector and pprof, 20 characters or more; the file's name is the user's in the log"`
	TokenEnv      string   `toml:"token_env" value:"name" help:"the environment variable that is the token"`
	Inspector     bool     `toml:"inspector" help:"/inspector/: the sessions in the store"`
	InspectorMask []string `toml:"inspector_mask" value:"patterns" help:"keys whose values it does not show; default: *password*, *token*, *secret* and the like"`
	ReadOnly      bool     `toml:"read_only" help:"the inspector changes nothing"`
	Pprof         bool     `toml:"pprof" help:"/debug/pprof/"`
}

// Server is the [server] table: how long the server waits for whom, and TLS.
type Server struct {
	ReadHeaderTimeout Duration `toml:"read_header_timeout" help:"until a client has sent the head of a request"`
	ReadTimeout       Duration `toml:"read_timeout" help:"until it has sent all of it; cuts long uploads, and streams; 0s: no limit"`
	WriteTimeout      Duration `toml:"write_timeout" help:"until it has the whole response; cuts streams; 0s: no limit"`
	StallTimeout      Duration `toml:"stall_timeout" help:"for a client that neither sends nor takes anything of what is under way; streams that are quiet are not; 0s: no limit"`
	IdleTimeout       Duration `toml:"idle_timeout" help:"until the next request on a connection"`
	DrainDelay        Duration `toml:"drain_delay" help:"after a signal to stop, /ready says so this long before the listeners close"`
	DrainTimeout      Duration `toml:"drain_timeout" help:"how long requests may go on then"`
	DialTimeout       Duration `toml:"dial_timeout" help:"to connect to an upstream"`
	ResponseTimeout   Duration `toml:"response_timeout" help:"until an upstream begins to answer; 0s: no limit"`
	TLSCertificate    string   `toml:"tls_certificate" value:"file" help:"the certificate of the main address, with what leads to its authority, PEM; read again when it changes"`
	TLSKey            string   `toml:"tls_key" value:"file" help:"its key"`
	H2C               bool     `toml:"h2c" help:"HTTP/2 without TLS (prior knowledge) at the main address"`
	SocketMode        FileMode `toml:"socket_mode" help:"the mode of a Unix socket"`
	PIDFile           string   `toml:"pid_file" value:"file" help:"where the process writes its number, also after SIGUSR2; removed at the end"`
}

// Limits is the [limits] table.
type Limits struct {
	Connections       int     `toml:"connections" help:"open connections at the main address; further ones wait; 0: no limit"`
	HeaderBytes       Size    `toml:"header_bytes" help:"the head of a request"`
	Memory            Size    `toml:"memory" help:"the memory that the process tries to keep to (GOMEMLIMIT); 0: no limit"`
	RefusalsPerMinute float64 `toml:"refusals_per_minute" help:"cookies with a wrong signature that one client may send, before it gets 429; 0: no limit"`
	RefusalsBurst     int     `toml:"refusals_burst" help:"so many at once"`
	RefusalsClients   int     `toml:"refusals_clients" help:"clients that are kept in mind for that"`
}

// Log is the [log] table.
type Log struct {
	Format string `toml:"format" value:"text|json" help:"text or json"`
	Level  string `toml:"level" value:"level" help:"debug, info, warn or error"`
	Access bool   `toml:"access" flag:"access-log" help:"a line for each request: no cookies, no queries"`
	Agent  bool   `toml:"user_agent" help:"the client's program in that line"`
}

// SlogLevel is the level, which was checked.
func (l Log) SlogLevel() (level slog.Level) {
	_ = level.UnmarshalText([]byte(l.Level))
	return level
}

// Tracing is the [tracing] table.
type Tracing struct {
	Endpoint string  `toml:"endpoint" value:"URL" help:"the OTLP/HTTP collector that traces are sent to; none: no traces"`
	Ratio    float64 `toml:"ratio" help:"the share of new traces that are recorded, 0 to 1"`
	Service  string  `toml:"service" value:"name" help:"the name of this service in them"`
}

// Default returns the configuration of a server that is told nothing: the
// built-in page on loopback port 8080.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:8080",
		Log:    Log{Format: "text", Level: "info", Access: true},
		Server: Server{
			ReadHeaderTimeout: Duration(10 * time.Second),
			StallTimeout:      Duration(time.Minute),
			IdleTimeout:       Duration(2 * time.Minute),
			DrainTimeout:      Duration(20 * time.Second),
			DialTimeout:       Duration(10 * time.Second),
			SocketMode:        0o660,
		},
		Limits:      Limits{HeaderBytes: 64 << 10, RefusalsBurst: 120, RefusalsClients: 10_000},
		ForwardAuth: ForwardAuth{SocketMode: 0o660, Touch: true},
		API:         API{SocketMode: 0o600, MaxBody: 256 << 10},
		Admin:       Admin{SocketMode: 0o600},
		Tracing:     Tracing{Ratio: 1, Service: "gobeaker"},
	}
}
