package server

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// accessLog logs one line for each request when it is done: never a cookie, a
// header or a query, in which ids and tokens may be.
func accessLog(next http.Handler, log *slog.Logger, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := now()
		counted := &countingWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			client, _, _ := net.SplitHostPort(r.RemoteAddr)
			log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("method", r.Method), slog.String("host", r.Host), slog.String("path", r.URL.Path),
				slog.Int("status", counted.status), slog.Int64("bytes", counted.bytes),
				slog.Duration("took", now().Sub(start)), slog.String("client", client))
		}()
		next.ServeHTTP(counted, r)
	})
}

// countingWriter notes status and size. Flusher and the rest are reached through
// Unwrap.
type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
	wrote  bool
}

// Unwrap is for http.ResponseController.
func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Hijack hands the connection over. The proxy does so for an upgrade only, and
// writes the 101 on the connection itself.
func (c *countingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err == nil && !c.wrote {
		c.status, c.wrote = http.StatusSwitchingProtocols, true
	}
	return conn, rw, err
}

// WriteHeader notes the final status; 1xx may come before it.
func (c *countingWriter) WriteHeader(status int) {
	if !c.wrote && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.status, c.wrote = status, true
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (c *countingWriter) Write(p []byte) (int, error) {
	c.wrote = true
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom keeps sendfile where the connection has it.
func (c *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	c.wrote = true
	n, err := io.Copy(c.ResponseWriter, r)
	c.bytes += n
	return n, err
}
