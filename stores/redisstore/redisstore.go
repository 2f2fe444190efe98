package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
	"github.com/gobeaker/gobeaker/stores/internal/idlock"
)

// Store is a store in Redis. It implements [stores.Store], [stores.Updater],
// [stores.Lister], [stores.Inserter], [stores.Pinger] and [stores.Clock], and is safe for
// concurrent use, together with other Stores and processes on the same server.
type Store struct {
	settings
	ids     beakerfmt.IDRule
	client  redis.UniversalClient
	buffers buffers
	locks   idlock.Locks // updates of one process wait for each other instead of starting anew
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Lister
	stores.Inserter
	stores.Pinger
	stores.Clock
} = (*Store)(nil)

// New returns a store, or an error that says which option is wrong. It does not
// touch the network: [Store.Ping] tells whether the server works.
func New(o Options) (*Store, error) {
	c, err := o.settle()
	if err != nil {
		return nil, fmt.Errorf("redisstore: options: %w", err)
	}
	return &Store{settings: c, ids: o.IDs, client: o.client(c)}, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return failed("close", "", cause(context.Background(), err))
	}
	return nil
}

// Get implements [stores.Store].
func (s *Store) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	if err := s.check(ctx, id); err != nil {
		return nil, failed("get", id, err)
	}
	buf := s.buffers.take()
	defer s.buffers.giveBack(buf)
	var data []byte
	err := s.try(ctx, false, func() (err error) {
		data, err = s.read(ctx, s.client, beakerfmt.RedisKey(id), buf)
		return err
	})
	if err != nil {
		return nil, failed("get", id, err)
	}
	v, err := s.decode(data)
	return v, failed("get", id, err)
}

// reader is a client, or a connection with a WATCH.
type reader interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// read reads a record into buf, which it makes larger if need be.
func (s *Store) read(ctx context.Context, from reader, key string, buf *[]byte) ([]byte, error) {
	for {
		cmd := command(ctx, *buf, "get", key)
		err := from.Process(ctx, cmd)
		switch {
		case err == nil && cmd.Val() > s.maxBytes:
			return nil, errCorruptSize
		case err == nil:
			return cmd.Bytes(), nil
		case err == redis.Nil: // not one inside of another error: that is a sentinel's
			return nil, stores.ErrNotExist
		}
		size, short := tooSmall(err)
		switch {
		case !short:
			return nil, err
		case size > s.maxBytes:
			return nil, errCorruptSize
		case from != reader(s.client):
			*buf = make([]byte, roomFor(size))
			return nil, errTooSmall // the connection is lost, and the WATCH with it
		}
		*buf = make([]byte, roomFor(size))
	}
}

var (
	errCorruptSize = fmt.Errorf("%w: %w", stores.ErrCorrupt, stores.ErrTooLarge)
	errTooSmall    = errors.New("the buffer was too small")
)

// tooSmall reports whether the buffer of a command was too small, and which size the
// answer has.
func tooSmall(err error) (size int, ok bool) {
	const prefix = "redis: buffer too small: need %d bytes"
	if !strings.HasPrefix(err.Error(), prefix[:strings.IndexByte(prefix, '%')]) {
		return 0, false
	}
	_, scanErr := fmt.Sscanf(err.Error(), prefix, &size)
	return size, scanErr == nil
}

// roomFor is the size of a buffer for such an answer, the line's end included, and
// some more: sessions grow.
func roomFor(size int) int { return size + size/4 + 1024 }

func (s *Store) decode(data []byte) (pyvalue.Value, error) {
	v, err := beakerfmt.DecodeRedis(data, s.limits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stores.ErrCorrupt, err)
	}
	return v, nil
}

func (s *Store) encode(v pyvalue.Value) ([]byte, error) {
	if v == nil {
		return nil, fault.Permanent(errors.New("nil is not a Python value"))
	}
	data, err := beakerfmt.AppendRedis(nil, v, s.protocol)
	switch {
	case err != nil:
		return nil, fault.Permanent(err)
	case len(data) > s.maxBytes:
		return nil, stores.ErrTooLarge
	}
	return data, nil
}

// Put implements [stores.Store]. v must not be nil.
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	if err := s.check(ctx, id); err != nil {
		return failed("put", id, err)
	}
	data, err := s.encode(v)
	if err != nil {
		return failed("put", id, err)
	}
	return failed("put", id, s.try(ctx, true, func() error {
		return s.client.Process(ctx, s.set(ctx, beakerfmt.RedisKey(id), data))
	}))
}

// Delete implements [stores.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.check(ctx, id); err != nil {
		return failed("delete", id, err)
	}
	return failed("delete", id, s.try(ctx, true, func() error {
		return s.client.Process(ctx, command(ctx, make([]byte, maxStatus), "del", beakerfmt.RedisKey(id)))
	}))
}

// Ping implements [stores.Pinger]: it asks for a key, since somebody may have been
// given the right to that and not to PING. In a cluster every master must answer.
func (s *Store) Ping(ctx context.Context) error {
	key := beakerfmt.RedisKey("ping")
	err := s.try(ctx, false, func() error { return s.client.Exists(ctx, key).Err() })
	cluster, ok := s.client.(*redis.ClusterClient)
	if err != nil || !ok {
		return failed("ping", "", err)
	}
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := node.Ping(ctx).Err(); err != nil && !redis.IsPermissionError(err) {
			return err
		}
		return nil
	})
	return failed("ping", "", cause(ctx, err))
}

// check refuses what must not get near a key.
func (s *Store) check(ctx context.Context, id string) error {
	if !s.ids.Valid(id) {
		return stores.ErrInvalidID
	}
	return ctx.Err()
}

// How often, and how soon, something is tried again.
const (
	maxTries   = 4
	firstPause = 20 * time.Millisecond
	longPause  = 200 * time.Millisecond
)

// try runs op, a read or a write, again where that is allowed and may help, and
// returns the cause of its last failure.
func (s *Store) try(ctx context.Context, write bool, op func() error) error {
	err := op()
	if again(ctx, err, write) {
		err = s.retry(ctx, write, op)
	}
	switch {
	case err == nil, errors.Is(err, stores.ErrNotExist), errors.Is(err, stores.ErrCorrupt):
		return err
	case write:
		return uncertain(ctx, err)
	}
	return cause(ctx, err)
}

func (s *Store) retry(ctx context.Context, write bool, op func() error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, longPause
	if !pause(ctx, pauses.NextBackOff()) {
		return ctx.Err()
	}
	var last error
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		last = op()
		if last != nil && !again(ctx, last, write) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(maxTries-1))
	return last
}

// pause waits, and reports whether the context still stands.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
