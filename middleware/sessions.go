package middleware

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// Sessions is the middleware that gives handlers the session they share with
// Python, as Beaker's SessionMiddleware does. Make one with [NewSessions].
type Sessions struct {
	manager current[*compat.Manager]
	opts    SessionsOptions
}

// SessionsOptions are the options of [NewSessions]; the zero value is fine.
type SessionsOptions struct {
	// OnError answers a request whose session could not be written, before
	// anything of the handler's response has gone out. Default: 503 if the store is
	// unavailable, else 500, and the error is logged.
	//
	// That a cookie-only session is too long for its cookie is told apart by
	// errors.As(err, &tooLong) with a tooLong of type
	// *[beakerfmt.CookieTooLongError]: it, and so the log, names sizes and keys but
	// no values.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
	// WriteTimeout limits the time to write a session. It is not the request's own
	// context that does: a client that leaves does not undo what was done for it.
	// Default: 10 seconds.
	WriteTimeout time.Duration
	// Refusals limits how many requests with a forged cookie an address may send; nil:
	// as many as it likes. Such a request beyond that is answered by 429, without the
	// handler.
	Refusals *Refusals
	// Logger gets what cannot be answered any more. Default: slog.Default.
	Logger *slog.Logger
}

// NewSessions returns the middleware over a manager.
func NewSessions(m *compat.Manager, o SessionsOptions) *Sessions {
	s := &Sessions{opts: o}
	s.manager.swap(m)
	if s.opts.WriteTimeout == 0 {
		s.opts.WriteTimeout = 10 * time.Second
	}
	if s.opts.Logger == nil {
		s.opts.Logger = slog.Default()
	}
	if s.opts.OnError == nil {
		s.opts.OnError = s.answerError
	}
	return s
}

// Wrap returns next with sessions. A session that next never asks for costs no
// I/O. The session is written, and its cookie set, before the first byte of
// the response goes out (Beaker: SessionMiddleware.session_start_response);
// changes after that are lost, so save before you stream. If next panics
// before that, nothing is written.
func (s *Sessions) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		manager := s.manager.take()
		session := manager.value.Open(cookieHeader(r))
		defer s.close(r, session, manager)
		if s.opts.Refusals != nil && session.Refused() && !s.opts.Refusals.admit(w, r) {
			return
		}
		both := &struct { // one allocation
			sessionWriter
			sessionContext
		}{sessionContext: sessionContext{r.Context(), session}}
		r = r.WithContext(&both.sessionContext)
		sw := &both.sessionWriter
		*sw = sessionWriter{ResponseWriter: w, request: r, sessions: s, session: session, key: manager.value.Key()}
		next.ServeHTTP(sw, r)
		sw.commit()
		if !sw.failed && session.Pending() {
			s.opts.Logger.ErrorContext(r.Context(), "session was changed after the response had begun: the change is lost; save before the first byte is written",
				"method", r.Method, "path", r.URL.Path)
		}
	})
}

// close gives back what a handler forgot, also after a panic.
func (s *Sessions) close(r *http.Request, session *compat.SessionObject, manager *turn[*compat.Manager]) {
	defer manager.give()
	if err := session.Close(); err != nil {
		s.opts.Logger.ErrorContext(r.Context(), "session lock could not be released", "error", err)
	}
}

// cookieHeader joins the Cookie lines of a request as a WSGI server does;
// HTTP/2 clients may send one line for each cookie.
func cookieHeader(r *http.Request) string {
	switch lines := r.Header["Cookie"]; len(lines) {
	case 0:
		return ""
	case 1:
		return lines[0]
	default:
		return beakerfmt.JoinCookieHeaders(lines)
	}
}

type contextKey struct{}

// sessionContext is the context of a request with its session.
type sessionContext struct {
	context.Context
	session *compat.SessionObject
}

// Value returns the session for contextKey.
func (c *sessionContext) Value(key any) any {
	if key == (contextKey{}) {
		return c.session
	}
	return c.Context.Value(key)
}

// ErrNoMiddleware: the handler is not wrapped by [Sessions.Wrap].
var ErrNoMiddleware = errors.New("middleware: no session in this request: wrap the handler with Sessions.Wrap")

// Session returns the session of a request and loads it at the first call.
// The error is ErrNoMiddleware, or tells that the store failed
// (stores.ErrUnavailable: answer 503, nobody is logged out) or, with
// invalidate_corrupt off, that the record cannot be read (stores.ErrCorrupt).
func Session(r *http.Request) (*compat.Session, error) {
	o, err := Object(r)
	if err != nil {
		return nil, err
	}
	return o.Session(r.Context())
}

// Peek returns a read-only look at the session of a request: no record is
// rewritten and no cookie is sent, so the page may be cached.
func Peek(r *http.Request) (*compat.View, error) {
	o, err := Object(r)
	if err != nil {
		return nil, err
	}
	return o.Peek(r.Context())
}

// Touch counts a request that only looks at its session as a use of it, so that it does
// not time out: see [compat.SessionObject.Touch]. Call it before the response begins. The
// error is for the log.
func Touch(r *http.Request) error {
	o, err := Object(r)
	if err != nil {
		return err
	}
	return o.Touch(r.Context())
}

// Object returns the lazy session of a request, for those who want to write it
// themselves before the response begins.
func Object(r *http.Request) (*compat.SessionObject, error) {
	o, ok := r.Context().Value(contextKey{}).(*compat.SessionObject)
	if !ok {
		return nil, ErrNoMiddleware
	}
	return o, nil
}

func (s *Sessions) answerError(w http.ResponseWriter, r *http.Request, err error) {
	s.opts.Logger.ErrorContext(r.Context(), "session could not be written", "error", err)
	status := http.StatusInternalServerError
	if errors.Is(err, stores.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}
