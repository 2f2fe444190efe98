package sessionapi

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/middleware"
)

// ErrConfig is wrapped by every error of [New].
var ErrConfig = errors.New("bad session API configuration")

// Options configure [New].
type Options struct {
	// Sessions open the sessions. Their Wrap is not needed around the API.
	Sessions *middleware.Sessions
	// Tokens are the bearer tokens that are accepted (RFC 6750), 20 characters or more
	// each; at least one, unless Open is set.
	Tokens []string
	// Open asks for no token on a Unix socket, whose mode says who may come. Elsewhere
	// a token is asked for in any case.
	Open bool
	// MaxBody is the size of a request's body in bytes; 0: 256 KiB.
	MaxBody int64
	// MaxSession is the size, as a pickle, beyond which a session is not let grow, in
	// bytes; 0: 1 MiB, which is what memcached takes.
	MaxSession int64
	// Hosts are names by which services call the API, beside localhost and addresses. Any
	// other name may be one that somebody has pointed here (DNS rebinding).
	Hosts []string
	// Answers are those to requests with an Idempotency-Key: given to each New of a
	// process, they outlive a reload. nil: ones of its own.
	Answers *Answers
	// Log is told of requests that failed through no fault of the client. nil:
	// slog.Default.
	Log *slog.Logger
}

const (
	minToken          = 20
	defaultMaxBody    = 256 << 10
	defaultMaxSession = 1 << 20
)

// New returns the API. It is safe for concurrent use. The listener must be served by
// net/http's Server, whose requests tell by which address they came.
func New(o Options) (http.Handler, error) {
	a := &api{
		sessions: o.Sessions, open: o.Open, hosts: o.Hosts, answers: o.Answers, log: o.Log,
		maxBody: o.MaxBody, maxSession: int(o.MaxSession),
	}
	if o.Sessions == nil {
		return nil, fmt.Errorf("sessionapi: %w: no sessions", ErrConfig)
	}
	if len(o.Tokens) == 0 && !o.Open {
		return nil, fmt.Errorf("sessionapi: %w: no token, and not open", ErrConfig)
	}
	if o.MaxBody < 0 || o.MaxSession < 0 {
		return nil, fmt.Errorf("sessionapi: %w: a negative size", ErrConfig)
	}
	for i, token := range o.Tokens {
		if len(token) < minToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("sessionapi: %w: token %d: not %d or more printable characters without spaces", ErrConfig, i+1, minToken)
		}
		a.tokens = append(a.tokens, sha256.Sum256([]byte(token)))
	}
	if a.maxBody == 0 {
		a.maxBody = defaultMaxBody
	}
	if a.maxSession == 0 {
		a.maxSession = defaultMaxSession
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.answers == nil {
		a.answers = NewAnswers(nil)
	}
	a.paths = a.routes()
	return a, nil
}

// api is the handler.
type api struct {
	sessions   *middleware.Sessions
	tokens     [][sha256.Size]byte
	open       bool
	hosts      []string
	maxBody    int64
	maxSession int
	log        *slog.Logger
	answers    *Answers
	paths      map[string]map[string]operation // by path and method
}

// operation is what is done at one path by one method.
type operation struct {
	do func(*call) (*answer, error)
	// body is the media type that the body must have; "": there is none.
	body string
	// once: an Idempotency-Key keeps it from being done twice.
	once bool
	// public: no token is asked for.
	public bool
}

const (
	typeJSON    = "application/json"
	typePatch   = "application/merge-patch+json" // RFC 7396
	typeProblem = "application/problem+json"     // RFC 9457
)

func (a *api) routes() map[string]map[string]operation {
	return map[string]map[string]operation{
		"/openapi.json": {"GET": {do: describe, public: true}},
		"/v1/session": {
			"GET":    {do: a.get},
			"PATCH":  {do: a.patch, body: typePatch, once: true},
			"DELETE": {do: a.delete},
		},
		"/v1/session/regenerate": {"POST": {do: a.regenerate, once: true}},
		"/v1/session/touch":      {"POST": {do: a.touch}},
		"/v1/session/csrf":       {"POST": {do: a.checkCSRF, body: typeJSON}},
		"/v1/session/csrf/token": {"POST": {do: a.tokenCSRF, body: typeJSON, once: true}},
		"/v1/session/flash":      {"POST": {do: a.pushFlash, body: typeJSON, once: true}},
		"/v1/session/flash/pop":  {"POST": {do: a.popFlash, body: typeJSON, once: true}},
	}
}

// call is one request on its way.
type call struct {
	*http.Request
	body   []byte
	caller [sha256.Size]byte // the token's digest; zero without one
	began  bool              // there was no session when it was asked for a change
}

// answer is a response, whole, so that it can be kept.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Request: r}
	ans, err := a.serve(w, c)
	if err != nil {
		p := problemOf(err)
		if p.Status >= http.StatusInternalServerError {
			a.log.ErrorContext(r.Context(), "session API: request failed", "method", r.Method, "path", r.URL.Path, "status", p.Status, "error", err)
		}
		ans = p.answer()
	}
	h := w.Header()
	maps.Copy(h, ans.header)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if ans.body != nil {
		h.Set("Content-Length", strconv.Itoa(len(ans.body)))
	}
	w.WriteHeader(ans.status)
	_, _ = w.Write(ans.body) // who has left does not read it
}

// serve does what is asked for, once everything about the request is in order.
func (a *api) serve(w http.ResponseWriter, c *call) (*answer, error) {
	if err := a.guard(c.Request); err != nil {
		return nil, err
	}
	methods := a.paths[c.URL.Path]
	method := c.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op, known := methods[method]
	if !op.public {
		if err := a.authorize(c); err != nil {
			return nil, err
		}
	}
	switch {
	case methods == nil:
		return nil, notFound.problem("There is nothing at this path; see /openapi.json.")
	case !known:
		p := methodNotAllowed.problem("")
		p.header = http.Header{"Allow": {allowed(methods)}}
		return nil, p
	}
	if err := a.read(w, c, op); err != nil {
		return nil, err
	}
	if key := c.Header.Values("Idempotency-Key"); op.once && len(key) > 0 {
		return a.once(c, key, op)
	}
	return op.do(c)
}

func allowed(methods map[string]operation) string {
	names := slices.Collect(maps.Keys(methods))
	if _, ok := methods["GET"]; ok {
		names = append(names, "HEAD")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// read reads the body of an operation that has one.
func (a *api) read(w http.ResponseWriter, c *call, op operation) error {
	if op.body == "" {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != op.body {
		p := unsupportedMediaType.problem("The body has to be " + op.body + ".")
		if op.body == typePatch {
			p.header = http.Header{"Accept-Patch": {typePatch}} // RFC 5789, section 2.2
		}
		return p
	}
	tooLarge := bodyTooLarge.problem("")
	tooLarge.Limit = int(a.maxBody)
	if c.ContentLength > a.maxBody {
		return tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.Body, a.maxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return tooLarge
	case err != nil:
		return badRequest.problem("The body did not arrive whole.")
	}
	c.body = body
	return nil
}

//go:embed openapi.json
var description []byte

func describe(*call) (*answer, error) {
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {typeJSON}}, body: description}, nil
}
