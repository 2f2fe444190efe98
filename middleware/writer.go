package middleware

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

// sessionWriter commits the session before the response begins. It is one
// per request, used by one goroutine at a time, like any ResponseWriter.
type sessionWriter struct {
	http.ResponseWriter
	request  *http.Request
	sessions *Sessions
	session  *compat.SessionObject
	key      string // the name of its cookie

	committed bool
	failed    bool // the error answer has gone out in place of the handler's
}

// errNotWritten: the connection cannot be handed over after the client was
// told that its session could not be written.
var errNotWritten = errors.New("middleware: the session could not be written, the response was replaced by an error")

// ofTheResponse are the headers that belong to a response which is not sent
// after all; others, of outer middleware for example, stay.
var ofTheResponse = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Range",
	"Content-Type", "Etag", "Expires", "Last-Modified", "Location", "Set-Cookie", "Trailer",
}

// commit writes the session and sets its cookie, once.
func (w *sessionWriter) commit() {
	if w.committed {
		return
	}
	w.committed = true
	if err := w.persist(); err != nil {
		w.failed = true
		for _, name := range ofTheResponse {
			w.ResponseWriter.Header().Del(name)
		}
		w.sessions.opts.OnError(w.ResponseWriter, w.request, err)
		return
	}
	if cookie, ok := w.session.SetCookie(); ok && !(w.session.Touched() && w.standsBack()) {
		w.ResponseWriter.Header().Add("Set-Cookie", strings.TrimPrefix(cookie, " "))
	}
	if w.session.Consulted() {
		addVary(w.ResponseWriter.Header())
	}
}

// standsBack reports whether a cookie that only says that the session was used is better
// left to another response: the application behind has set the session's cookie itself,
// or caches that many share may keep the response, and show others the cookie (RFC 9111,
// section 7.3).
func (w *sessionWriter) standsBack() bool {
	h := w.ResponseWriter.Header()
	for _, line := range h["Set-Cookie"] {
		name, _, _ := strings.Cut(line, "=")
		if strings.TrimSpace(name) == w.key {
			return true
		}
	}
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(directive, "=")
			if name = strings.ToLower(strings.TrimSpace(name)); name == "public" || name == "s-maxage" {
				return true
			}
		}
	}
	return false
}

func (w *sessionWriter) persist() error {
	if !w.session.Accessed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.request.Context()), w.sessions.opts.WriteTimeout)
	defer cancel()
	return w.session.Persist(ctx)
}

// addVary says that the response depends on the cookie.
func addVary(h http.Header) {
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Cookie") {
				return
			}
		}
	}
	h.Add("Vary", "Cookie")
}

// WriteHeader commits the session and begins the response. Informational
// responses (1xx) do not begin it.
func (w *sessionWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.commit()
	}
	if !w.failed {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write commits the session and writes. Once the response was replaced by an
// error, what the handler writes is dropped without a word: a reverse proxy would
// take an error for a reason to cut the connection, and the answer with it.
func (w *sessionWriter) Write(p []byte) (int, error) {
	if w.commit(); w.failed {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// WriteString commits the session and writes.
func (w *sessionWriter) WriteString(s string) (int, error) {
	if w.commit(); w.failed {
		return len(s), nil
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom commits the session and hands the copy down, so that sendfile works.
func (w *sessionWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.commit(); w.failed {
		return io.Copy(io.Discard, r)
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush commits the session and flushes.
func (w *sessionWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *sessionWriter) FlushError() error {
	w.commit()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack commits the session, whose cookie the handler cannot send any more,
// and hands the connection over.
func (w *sessionWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.commit(); w.failed {
		return nil, nil, errNotWritten
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController find the rest.
func (w *sessionWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
