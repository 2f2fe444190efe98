package middleware

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// Why [CSRF.Check] refuses a request, and why a helper of this package makes
// nothing of what it finds in a session.
var (
	ErrCSRFToken       = errors.New("no valid CSRF token")
	ErrCSRFOrigin      = errors.New("request of a foreign origin")
	ErrUnexpectedValue = errors.New("the session holds something else under this key")
)

// CSRF shares the token that guards forms with a Python framework: a form that
// Python rendered can be posted to Go, and the reverse. Start from
// [WebHelpersCSRF] or [PyramidCSRF].
//
// As long as nobody changes it, it is safe for concurrent use by different requests;
// not on one session from several goroutines, each of which could make a token when
// there is none yet.
type CSRF struct {
	// Key is the key of the session that holds the token.
	Key string
	// Header, Query and Field name where a request carries the token; they are
	// looked at in this order, "" is not looked at. An empty header counts as none.
	Header, Query, Field string
	// SafeMethods are let through by Protect.
	SafeMethods []string
	// Type is the Python type of a token that is made here. One that exists
	// keeps its type.
	Type TokenType
	// NewToken makes the text of a new token.
	NewToken func() string
	// Status answers what Protect refuses.
	Status int

	// Origin has https requests checked by their Origin or Referer too.
	Origin OriginCheck
	// TrustedOrigins are hosts, with a port if it is not 443, that count like the
	// request's own; ".example.com" is the domain and all below it. "null" is the
	// origin of a sandboxed page.
	TrustedOrigins []string
	// Scheme tells how the browser came here, for a service behind a proxy that
	// ends TLS: "http" or "https", in whatever case. nil: "https" if the request's
	// TLS is set or its URL says so.
	Scheme func(*http.Request) string

	// MaxBody is how many bytes of a form are read, into memory, to find the
	// token; 0: 10 MiB. A form with a file that is larger can be sent with a header.
	MaxBody int64
	// OnError answers what Protect does not let through. nil: a plain page with
	// Status, with 413 for a form that is too large, and 503 or 500 if there is no
	// session.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
	// Logger is told of what Protect does not let through, unless OnError is set.
	// nil: slog.Default.
	Logger *slog.Logger
}

// TokenType is a Python type for tokens.
type TokenType uint8

// The types in which frameworks store tokens.
const (
	TokenText  TokenType = iota // str of Python 3, unicode of Python 2
	TokenStr2                   // str of Python 2
	TokenBytes                  // bytes of Python 3
)

// OriginCheck says what Check does about Origin and Referer.
type OriginCheck uint8

// The ways to check origins.
const (
	OriginIgnored  OriginCheck = iota
	OriginRequired             // an https request without either is refused
	OriginOptional             // it is let through (Pyramid: allow_no_origin)
)

// WebHelpersCSRF are the rules of Pylons 1.0 with WebHelpers: a decimal token
// under "_authentication_token", in the query or the form under the same name,
// asked for whatever the method; 403. Pylons 0.9.7 does not look at the query.
// Any text that is there is a token: descendants of Pylons store SHA-1 sums.
//
// WebHelpers: pylonslib.secure_form (html.secure_form before 1.0); Pylons:
// decorators.secure.authenticate_form. That decorator also takes the field out of
// the form; here it stays.
func WebHelpersCSRF() *CSRF {
	const name = "_authentication_token"
	return &CSRF{
		Key: name, Query: name, Field: name,
		Type:     TokenStr2,
		NewToken: func() string { return new(big.Int).SetBytes(randomBytes(16)).String() },
		Status:   http.StatusForbidden,
	}
}

// PyramidCSRF are the rules of Pyramid 1.9 and later with
// set_default_csrf_options and pyramid_beaker: a hexadecimal token under
// "_csrft_", in the header X-CSRF-Token or the form as "csrf_token", never in the
// query; 400.
//
// New tokens are text, as pyramid_beaker makes them from 0.8 on; up to 0.7 they
// are TokenStr2 on Python 2 and TokenBytes on Python 3. Pyramid compares text and
// bytes by their bytes, and so does Check.
//
// Pyramid: csrf.check_csrf_token, csrf.check_csrf_origin, viewderivers.csrf_view;
// pyramid_beaker: get_csrf_token of its session.
func PyramidCSRF() *CSRF {
	return &CSRF{
		Key: "_csrft_", Header: "X-CSRF-Token", Field: "csrf_token",
		SafeMethods: []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace},
		NewToken:    func() string { return hex.EncodeToString(randomBytes(20)) },
		Status:      http.StatusBadRequest,
		Origin:      OriginRequired,
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// Token returns the session's token, for the field of a form. If there is none
// yet, it makes one and saves the session. What is no text or bytes under Key is
// ErrUnexpectedValue.
func (c *CSRF) Token(s *compat.Session) (string, error) {
	token, err := c.stored(s)
	if err != nil {
		return "", fmt.Errorf("middleware: csrf token: %w", err)
	}
	if token != "" {
		return token, nil
	}
	return c.Renew(s)
}

// Renew gives the session a new token, as is good practice after a login, and
// saves it (Pyramid: new_csrf_token). Forms that were rendered before are refused
// from then on.
func (c *CSRF) Renew(s *compat.Session) (string, error) {
	token := c.NewToken()
	var v pyvalue.Value = pyvalue.Str(token)
	switch c.Type {
	case TokenStr2:
		v = pyvalue.Py2Str(token)
	case TokenBytes:
		v = pyvalue.Bytes(token)
	}
	if err := s.Set(c.Key, v); err != nil {
		return "", fmt.Errorf("middleware: csrf token: %w", err)
	}
	s.Save()
	return token, nil
}

// stored returns the session's token, "" if it has none. None and the empty
// text count as none: Pylons, and Pyramid in part, would let an empty field pass.
func (c *CSRF) stored(g compat.Getter) (string, error) {
	v, ok := g.Get(c.Key)
	if _, none := v.(pyvalue.None); !ok || none {
		return "", nil
	}
	token, ok := pyvalue.Text(v)
	if !ok {
		return "", fmt.Errorf("%w: %q is of type %s", ErrUnexpectedValue, c.Key, pyvalue.TypeName(v))
	}
	return token, nil
}

// Check reports by nil that a request carries the session's token and comes
// from an origin that it may come from, whatever its method; otherwise by
// ErrCSRFToken or ErrCSRFOrigin. A session without a token is given none: nothing
// would be right for it. Any other error means that the form could not be read;
// *http.MaxBytesError that it is larger than MaxBody.
//
// If it has to read the body it puts it back, so that what comes after Check can
// read it again.
func (c *CSRF) Check(r *http.Request, g compat.Getter) error {
	if reason := c.foreign(r); reason != "" {
		return fmt.Errorf("middleware: csrf: %w: %s", ErrCSRFOrigin, reason)
	}
	want, err := c.stored(g)
	if err != nil {
		return fmt.Errorf("middleware: csrf: %w: %w", ErrCSRFToken, err)
	}
	if want == "" {
		return fmt.Errorf("middleware: csrf: %w: the session has none", ErrCSRFToken)
	}
	got, err := c.submitted(r)
	switch {
	case err != nil:
		return fmt.Errorf("middleware: csrf: read form: %w", err)
	case got == "":
		return fmt.Errorf("middleware: csrf: %w: the request carries none", ErrCSRFToken)
	case subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 0:
		return fmt.Errorf("middleware: csrf: %w: the request carries another one", ErrCSRFToken)
	}
	return nil
}

// Protect returns next with every request checked whose method is not safe. It
// goes inside [Sessions.Wrap]. WebHelpersCSRF has no safe methods: as Pylons'
// decorator it belongs around the handlers that take forms, not around pages.
func (c *CSRF) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(c.SafeMethods, r.Method) {
			s, err := Session(r)
			if err == nil {
				err = c.Check(r, s)
			}
			if err != nil {
				c.refuse(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (c *CSRF) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if c.OnError != nil {
		c.OnError(w, r, err)
		return
	}
	status, text := http.StatusInternalServerError, "The session is not available."
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, ErrCSRFToken), errors.Is(err, ErrCSRFOrigin):
		status, text = c.Status, "This form has expired or was sent from another site. Load its page again and send it once more."
	case errors.As(err, &tooLarge):
		status, text = http.StatusRequestEntityTooLarge, "This form is too large."
	case errors.Is(err, errForm):
		status, text = http.StatusBadRequest, "This form did not arrive whole."
	case errors.Is(err, stores.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
	}
	c.log(r, status, err)
	http.Error(w, text, status)
}

func (c *CSRF) log(r *http.Request, status int, err error) {
	logger, level := c.Logger, slog.LevelWarn
	if logger == nil {
		logger = slog.Default()
	}
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	logger.Log(r.Context(), level, "request was not let through",
		"method", r.Method, "path", r.URL.Path, "status", status, "error", err)
}
