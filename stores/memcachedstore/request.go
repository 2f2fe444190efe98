package memcachedstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cenkalti/backoff/v5"

	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

// access tells requests that may be repeated from those that may not.
type access bool

const (
	read    access = false
	writing access = true
)

// outcome says what a failed request means for the server and for another try.
type outcome uint8

const (
	answered outcome = iota // the server is well
	unsent                  // there is no connection: nothing was sent
	broken                  // the connection was lost
	silent                  // no answer in time
	given                   // the caller has given up
)

// maxBroken is how often a read is made again because its connection was lost.
const maxBroken = 2

// errConflict: somebody else was faster, or the server was lost before anything was
// written. What is to be written has to be looked at again.
var errConflict = errors.New("the record was changed meanwhile")

var (
	errClosed    = errors.New("the store is closed")
	errLost      = errors.New("the connection was lost")
	errNonsense  = errors.New("the server does not answer as memcached does")
	errEndlessly = errors.New("the record is changed all the time")
)

// item reads the item of a key, and says from which server.
func (s *Store) item(ctx context.Context, key string) (item *memcache.Item, srv *server, err error) {
	srv, err = s.request(ctx, key, read, func(c *memcache.Client) (err error) {
		if item, err = c.Get(key); err == nil && item.Key != key {
			return errNonsense // never somebody else's session
		}
		return err
	})
	if errors.Is(err, memcache.ErrCacheMiss) {
		err = stores.ErrNotExist
	}
	if err != nil {
		return nil, srv, err
	}
	return item, srv, nil
}

func (s *Store) write(ctx context.Context, key string, do func(*memcache.Client) error) error {
	_, err := s.request(ctx, key, writing, do)
	return err
}

// request makes a request of the server of a key. As python-memcached does, it goes on
// with the next one if that cannot be connected to.
func (s *Store) request(ctx context.Context, key string, a access, do func(*memcache.Client) error) (*server, error) {
	var last error
	lost := 0
	for range 2*len(s.selector.servers) + serverRetries {
		srv, err := s.selector.pick(key)
		if err != nil {
			if last == nil {
				last = err
			}
			break
		}
		what, err := s.attempt(ctx, srv, a, do)
		switch {
		case what == unsent:
		case what == broken && a == read && lost < maxBroken:
			lost++
		default:
			return srv, err
		}
		last = err
	}
	return nil, last
}

// writeTo writes to the server from which something was read, and to no other: the
// number by which that compares is its own.
func (s *Store) writeTo(ctx context.Context, srv *server, do func(*memcache.Client) error) error {
	what, err := s.attempt(ctx, srv, writing, do)
	if what == unsent {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}

// attempt makes a request of a server once, and has the selector know how that went.
func (s *Store) attempt(ctx context.Context, srv *server, a access, do func(*memcache.Client) error) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return given, err
	}
	if srv.isClosed() {
		return answered, errClosed
	}
	l := srv.take(s.timeouts)
	err := l.run(ctx, do)
	what, err := l.judge(err)
	s.note(srv, what, err)
	if a == writing && l.sent && what != answered {
		err = fmt.Errorf("%w: %w", stores.ErrUncertain, err)
	}
	if what == answered && l.reusable() {
		srv.give(l)
	} else {
		l.discard()
	}
	return what, err
}

// note: python-memcached marks a server dead when it cannot be connected to or does
// not answer in time. That a connection was lost is no more than a hint: a server
// that is down will refuse the next one.
func (s *Store) note(srv *server, what outcome, err error) {
	switch what {
	case answered:
		srv.markAlive()
	case unsent, silent:
		s.selector.markDead(srv, err)
	case broken:
		srv.dropIdle()
	}
}

// judge says what became of the request that run made.
func (l *lane) judge(err error) (outcome, error) {
	switch {
	case err == nil:
		return answered, nil
	case errors.Is(err, memcache.ErrCacheMiss), errors.Is(err, memcache.ErrNotStored), errors.Is(err, memcache.ErrCASConflict):
		return answered, err
	case l.large > 0:
		return answered, err
	case fault.Ended(l.ctx) != nil: // as soon as it is so: it is not the server's fault
		return given, fault.Ended(l.ctx)
	case l.dialErr != nil:
		return l.judgeDial()
	case isTimeout(err):
		return silent, fmt.Errorf("%w: %s, %v", stores.ErrTimeout, l.server.name, l.io)
	}
	if refusal := l.server.refusal(string(l.line)); refusal != nil {
		return answered, refusal
	}
	// Other errors of gomemcache quote the answer, and there may be a key in that.
	if errors.As(err, new(*net.OpError)) {
		return broken, err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return broken, fmt.Errorf("%s: %w", l.server.name, errLost)
	}
	return answered, fmt.Errorf("%s: %w", l.server.name, errNonsense)
}

func (l *lane) judgeDial() (outcome, error) {
	if isTimeout(l.dialErr) { // such an error is also a DeadlineExceeded, which would be the caller's
		return unsent, fmt.Errorf("%w: connecting to %s, %v", stores.ErrTimeout, l.server.name, l.timeouts.dial)
	}
	return unsent, l.dialErr
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// refusal says why the server did not do what it was asked to do, by its answer; nil:
// it does not say so.
func (srv *server) refusal(line string) error {
	kind, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case kind != "ERROR" && kind != "CLIENT_ERROR" && kind != "SERVER_ERROR":
		return nil
	case strings.Contains(text, "too large"):
		return fmt.Errorf("%w: the item limit (-I) of %s is less than the one that was configured here", stores.ErrTooLarge, srv.name)
	case strings.Contains(text, "out of memory"):
		return fmt.Errorf("%w: %s is out of memory", stores.ErrFull, srv.name)
	case strings.Contains(text, "auth"):
		return fmt.Errorf("%w: %s asks for a password, for which the text protocol of Beaker's clients has no place", stores.ErrAccess, srv.name)
	}
	return fmt.Errorf("%s answers %s", srv.name, kind)
}

// How long to wait for who is faster, and for how many times at most. The waits are
// random, so that each has his turn.
const (
	firstPause = time.Millisecond
	maxPause   = 50 * time.Millisecond
	maxTries   = 1000
)

// again calls do until it meets no conflict.
func again(ctx context.Context, do func() error) error {
	pauses := &backoff.ExponentialBackOff{InitialInterval: firstPause, RandomizationFactor: 1, Multiplier: 1.5, MaxInterval: maxPause}
	pauses.Reset()
	for range maxTries {
		err := do()
		if !isConflict(err) {
			return err
		}
		if err := pause(ctx, pauses.NextBackOff()); err != nil {
			return err
		}
	}
	return errEndlessly
}

// isConflict: errors of the caller's function are none, whatever they wrap.
func isConflict(err error) bool {
	if _, own := err.(ownError); own {
		return false
	}
	return errors.Is(err, errConflict) || errors.Is(err, memcache.ErrCASConflict) ||
		errors.Is(err, memcache.ErrNotStored) || errors.Is(err, memcache.ErrCacheMiss)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
