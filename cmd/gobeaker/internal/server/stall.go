package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// stalling is a request whose client must go on reading and sending: each piece has time
// of its own, so that who is slow is served and who stands still is not. Streams between
// two pieces may be as quiet as they like.
type stalling struct {
	http.ResponseWriter
	control *http.ResponseController
	read    time.Duration // for the next piece of the body; 0: no limit
	write   time.Duration // for a piece of the answer to be taken; 0: no limit
	body    io.ReadCloser
	whole   bool // the body has been read to its end
}

// piece is how much of an answer is to be taken in one go.
const piece = 32 << 10

// patient has a request answered with the limits of m. What net/http limits as a whole
// needs no limit by piece, and would lose its own by it.
func (m manner) patient(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := &stalling{ResponseWriter: w, control: http.NewResponseController(w), body: r.Body, whole: r.Body == nil || r.Body == http.NoBody}
	if m.read == 0 && !s.whole {
		s.read = m.stall
		r.Body = stallingBody{s}
	}
	if m.write == 0 {
		s.write = m.stall
	}
	defer s.end()
	s.limitWrite(false) // what is left of the request before
	next.ServeHTTP(s, r)
}

// end limits what net/http itself still does: it sends what is buffered, and reads what the
// handler has left of the body.
func (s *stalling) end() {
	s.limitWrite(true)
	if s.read > 0 && !s.whole {
		_ = s.control.SetReadDeadline(time.Now().Add(s.read))
	}
}

// limitWrite begins or ends a limit. An HTTP/2 stream is reset when one is over, whether
// anything is written or not.
func (s *stalling) limitWrite(on bool) {
	if s.write == 0 {
		return
	}
	var at time.Time
	if on {
		at = time.Now().Add(s.write)
	}
	_ = s.control.SetWriteDeadline(at) // a connection that cannot have one has been taken over
}

// Unwrap is for http.ResponseController.
func (s *stalling) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Write writes piece by piece.
func (s *stalling) Write(p []byte) (n int, err error) {
	for {
		s.limitWrite(true)
		more, err := s.ResponseWriter.Write(p[:min(piece, len(p))])
		s.limitWrite(false)
		n += more
		if p = p[more:]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// FlushError sends what is buffered.
func (s *stalling) FlushError() error {
	s.limitWrite(true)
	defer s.limitWrite(false)
	return s.control.Flush()
}

// stallingBody is the body of such a request.
type stallingBody struct{ *stalling }

// Read reads a piece. A client that stood still for too long is not listened to any more.
func (b stallingBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.read))
	n, err := b.body.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.whole = true // the deadline stays as it is
		return n, err
	}
	b.whole = b.whole || err != nil
	_ = b.control.SetReadDeadline(time.Time{})
	return n, err
}

// Close implements [io.Closer].
func (b stallingBody) Close() error { return b.body.Close() }
