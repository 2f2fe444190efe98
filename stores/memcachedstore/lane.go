package memcachedstore

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/gobeaker/gobeaker/stores"
)

// lane is one connection to a server, with a gomemcache client of its own that never
// has another one. gomemcache knows no contexts, does not say whether a request was
// sent when it failed, and reads values of any size: for all that, the lane is the
// connection that it reads and writes. It is for one request at a time.
type lane struct {
	timeouts
	server *server
	client *memcache.Client

	// Of the request under way:
	ctx     context.Context
	sent    bool   // something of it may have reached the server
	inLine  bool   // a line of the answer that is looked at is not complete
	line    []byte // what is there of it
	value   int64  // how much of a value is to come before the line after it
	valued  bool   // a value was announced
	dialErr error  // why there is no connection
	large   int64  // the size of the value, if that is too large

	mu    sync.Mutex
	conn  net.Conn // nil: not connected
	ended bool     // ctx has ended: conn is of no more use
}

// maxLine is how much of the first line of an answer is kept: a key, and numbers.
const maxLine = 512

func newLane(srv *server, t timeouts) *lane {
	l := &lane{timeouts: t, server: srv, client: memcache.NewFromSelector(srv)}
	l.client.Timeout = t.io
	l.client.MaxIdleConns = 1
	l.client.DialContext = func(context.Context, string, string) (net.Conn, error) { return l.dial() }
	return l
}

// run makes one request, bounded by ctx.
func (l *lane) run(ctx context.Context, request func(c *memcache.Client) error) error {
	finish := l.begin(ctx)
	err := request(l.client)
	finish()
	return err
}

// begin binds the lane to ctx until what it returns is called.
func (l *lane) begin(ctx context.Context) (finish func()) {
	l.ctx, l.sent, l.inLine, l.dialErr, l.large = ctx, false, false, nil, 0
	l.line, l.value, l.valued = l.line[:0], 0, false
	if ctx.Done() == nil {
		return func() {}
	}
	stop := context.AfterFunc(ctx, l.interrupt)
	return func() {
		if !stop() {
			l.interrupt() // so that it is done before the lane is looked at
		}
	}
}

// interrupt ends what waits for the connection.
func (l *lane) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.conn != nil {
		_ = l.conn.SetDeadline(time.Unix(1, 0))
	}
}

func (l *lane) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.timeouts.dial)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, l.server.network, l.server.address)
	if err != nil {
		l.dialErr = err
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	if l.ended {
		_ = conn.SetDeadline(time.Unix(1, 0))
	}
	return l, nil
}

// usable reports whether a next request can be made.
func (l *lane) usable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil && !l.ended && connected(l.conn)
}

// reusable is usable right after a request.
func (l *lane) reusable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil && !l.ended
}

// discard closes the connection.
func (l *lane) discard() { _ = l.Close() }

// Read implements [net.Conn].
func (l *lane) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	if err := l.scan(p[:n]); err != nil {
		return 0, err
	}
	return n, err
}

// scan keeps the first line of an answer and, if that announces a value, the one after
// the value.
func (l *lane) scan(p []byte) error {
	for l.inLine && len(p) > 0 {
		if l.value > 0 {
			n := min(l.value, int64(len(p)))
			l.value, p = l.value-n, p[n:]
			continue
		}
		text, rest, whole := bytes.Cut(p, []byte("\n"))
		l.line = append(l.line, text[:min(len(text), maxLine-len(l.line))]...)
		if !whole && len(l.line) < maxLine {
			return nil
		}
		p = rest
		if err := l.scanned(); err != nil {
			return err
		}
	}
	return nil
}

// scanned refuses the answer if its line announces a value that is too large, or a
// second one: gomemcache would make room for it.
func (l *lane) scanned() error {
	l.inLine = false
	// VALUE key flags bytes [cas], taken apart as gomemcache does
	fields := bytes.Split(bytes.TrimSuffix(l.line, []byte("\r")), []byte(" "))
	if string(fields[0]) != "VALUE" {
		return nil
	}
	if len(fields) < 4 || len(l.line) == maxLine || l.valued {
		return errNonsense
	}
	size, err := strconv.ParseInt(string(fields[3]), 10, 64)
	switch {
	case err != nil || size < 0:
		return errNonsense
	case size > int64(l.maxBytes):
		l.large = size
		return fmt.Errorf("%w: %w: it has %d bytes, %d is the limit", stores.ErrCorrupt, stores.ErrTooLarge, size, l.maxBytes)
	}
	l.valued, l.value = true, size+2
	l.inLine, l.line = true, l.line[:0]
	return nil
}

// Write implements [net.Conn].
func (l *lane) Write(p []byte) (int, error) {
	l.sent, l.inLine, l.line = true, true, l.line[:0]
	l.value, l.valued = 0, false
	return l.conn.Write(p)
}

// SetDeadline implements [net.Conn]. It does not lift an interrupt.
func (l *lane) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	return l.conn.SetDeadline(t)
}

// Close implements [net.Conn].
func (l *lane) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close()
	l.conn = nil
	return err
}

// LocalAddr implements [net.Conn].
func (l *lane) LocalAddr() net.Addr { return l.conn.LocalAddr() }

// RemoteAddr implements [net.Conn].
func (l *lane) RemoteAddr() net.Addr { return l.server }

// SetReadDeadline implements [net.Conn].
func (l *lane) SetReadDeadline(t time.Time) error { return l.SetDeadline(t) }

// SetWriteDeadline implements [net.Conn].
func (l *lane) SetWriteDeadline(t time.Time) error { return l.SetDeadline(t) }
