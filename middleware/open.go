package middleware

import (
	"net/http"

	"github.com/gobeaker/gobeaker/compat"
)

// Open returns the lazy session of a request to those who write it and answer with its
// cookie themselves, outside of [Sessions.Wrap]. The session belongs to the manager of
// the moment; done gives both back, and has to be called. The error of done is that a
// lock which is still held could not be released.
func (s *Sessions) Open(r *http.Request) (session *compat.SessionObject, done func() error) {
	manager := s.manager.take()
	session = manager.value.Open(cookieHeader(r))
	return session, func() error {
		defer manager.give()
		return session.Close()
	}
}
