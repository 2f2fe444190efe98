package telemetry

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// writer notes status and size of a response, and sets its X-Request-Id, whatever an
// upstream has sent under that name.
type writer struct {
	http.ResponseWriter
	id       []string // X-Request-Id, as a header has it
	status   int
	bytes    int64
	wrote    bool
	hijacked bool
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the final status; 1xx may come before it.
func (w *writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.head(status)
	} else {
		w.Header()[requestIDHeader] = w.id
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) head(status int) {
	if !w.wrote {
		w.Header()[requestIDHeader] = w.id // a 1xx of the proxy's clears all headers
		w.status, w.wrote = status, true
	}
}

// Write counts.
func (w *writer) Write(p []byte) (int, error) {
	w.head(http.StatusOK)
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom keeps sendfile where the connection has it.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	w.head(http.StatusOK)
	n, err := io.Copy(w.ResponseWriter, r)
	w.bytes += n
	return n, err
}

// FlushError sends the head, if that has not been, and what is buffered.
func (w *writer) FlushError() error {
	w.head(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is for handlers that ask for an http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack hands the connection over. The proxy does so for an upgrade only, and
// writes the 101 on the connection itself.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.hijacked = true
		if !w.wrote {
			w.status, w.wrote = http.StatusSwitchingProtocols, true
		}
	}
	return conn, rw, err
}

// body counts what is read of a request's body, which a transport may do for a moment
// longer than the handler runs.
type body struct {
	io.ReadCloser
	bytes atomic.Int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}
