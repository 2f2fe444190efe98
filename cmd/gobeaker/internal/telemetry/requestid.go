package telemetry

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
)

// requestIDHeader is how a request's id comes from proxies in front and goes to upstreams
// and clients.
const requestIDHeader = "X-Request-Id"

// Bounds of an id that is taken from a proxy.
const (
	minRequestID = 8
	maxRequestID = 128
)

type requestKey struct{}

// requestContext is the context of a request with its id.
type requestContext struct {
	context.Context
	id string
}

// Value returns the context itself for requestKey.
func (c *requestContext) Value(key any) any {
	if key == (requestKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// RequestID returns the id that [Metrics.Wrap] gave the request of a context; "" if there
// is none.
func RequestID(ctx context.Context) string {
	if c, ok := ctx.Value(requestKey{}).(*requestContext); ok {
		return c.id
	}
	return ""
}

// givenID returns the id that a request brings; "" if it has none, or more than one, or one
// that is not made of what ids are usually made of.
func givenID(h http.Header) string {
	all := h[requestIDHeader]
	if len(all) != 1 || !validID(all[0]) {
		return ""
	}
	return all[0]
}

func validID(id string) bool {
	if len(id) < minRequestID || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case c == '-', c == '_', c == '.', c == ':', c == '=', c == '+', c == '/', c == '@':
		default:
			return false
		}
	}
	return true
}

// newID returns 128 random bits in hex. The system's randomness does not fail.
func newID(random io.Reader) string {
	var b [16]byte
	_, _ = io.ReadFull(random, b[:])
	return hex.EncodeToString(b[:])
}
