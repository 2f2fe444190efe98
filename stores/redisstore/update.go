package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// Update implements [stores.Updater] by WATCH, GET, MULTI, EXEC: f is called again
// with the newer value when somebody wrote the record meanwhile. An error of f is
// returned as it is.
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	if err := s.check(ctx, id); err != nil {
		return failed("update", id, err)
	}
	if err := s.locks.Acquire(ctx, id); err != nil {
		return failed("update", id, err)
	}
	defer s.locks.Release(id)
	u := update{Store: s, id: id, f: f, key: beakerfmt.RedisKey(id), buf: s.buffers.take()}
	defer func() { s.buffers.giveBack(u.buf) }()
	for n := 0; ; n++ {
		err := u.run(ctx)
		var own ownError
		switch {
		case errors.As(err, &own):
			return own.error
		case !errors.Is(err, errTooSmall) && !errors.Is(err, redis.TxFailedErr):
			return failed("update", id, err)
		case !pause(ctx, conflictPause(n)):
			return failed("update", id, ctx.Err())
		}
	}
}

// conflictPause is random, so that of several writers none starves.
func conflictPause(n int) time.Duration {
	const first, most = time.Millisecond, 64
	return rand.N(first * time.Duration(min(1<<min(n, 10), most)))
}

// ownError is an error of the caller's function, on its way through.
type ownError struct{ error }

// update is one Update.
type update struct {
	*Store
	id   string
	f    func(old pyvalue.Value) (pyvalue.Value, error)
	key  string
	buf  *[]byte
	data []byte // the record that was read, in buf
}

// run is one attempt. TxFailedErr and errTooSmall ask for another one.
func (u *update) run(ctx context.Context) error {
	var read, sent bool // whether f was called, and whether EXEC may have been sent
	once := func() error {
		read, sent = false, false
		return u.client.Watch(ctx, func(tx *redis.Tx) error {
			v, err := u.next(ctx, tx, &read)
			if err != nil && !errors.Is(err, stores.ErrRemove) {
				return err
			}
			if v == nil && err == nil {
				return nil
			}
			sent = true
			return u.finish(ctx, tx, v)
		}, u.key)
	}
	err := once()
	if !read && again(ctx, err, false) {
		err = u.retry(ctx, false, func() error {
			err := once()
			if read {
				return settled{err}
			}
			return err
		})
	}
	return u.verdict(ctx, err, sent)
}

// settled is the result of an attempt that went so far that it is not to be repeated.
type settled struct{ error }

// verdict is what a caller needs to know of an attempt's result.
func (u *update) verdict(ctx context.Context, err error, sent bool) error {
	if s, ok := err.(settled); ok {
		err = s.error
	}
	switch {
	case err == nil, errors.As(err, new(ownError)), errors.Is(err, errTooSmall), errors.Is(err, redis.TxFailedErr),
		errors.Is(err, stores.ErrCorrupt), errors.Is(err, stores.ErrTooLarge):
		return err
	case sent:
		return uncertain(ctx, err)
	}
	return cause(ctx, err)
}

// next reads the record and returns what f makes of it: a value to be written,
// ErrRemove, or nothing.
func (u *update) next(ctx context.Context, tx *redis.Tx, read *bool) (pyvalue.Value, error) {
	var old pyvalue.Value
	var err error
	u.data, err = u.read(ctx, tx, u.key, u.buf)
	switch {
	case err == nil:
		if old, err = u.decode(u.data); err != nil {
			return nil, err
		}
	case !errors.Is(err, stores.ErrNotExist):
		return nil, err
	}
	*read = true
	v, err := u.f(old)
	switch {
	case errors.Is(err, stores.ErrRemove) && old == nil:
		return nil, nil
	case errors.Is(err, stores.ErrRemove):
		return nil, stores.ErrRemove
	case err != nil:
		return nil, ownError{err}
	}
	return v, nil
}

// finish writes v or, if that is nil, removes the record.
func (u *update) finish(ctx context.Context, tx *redis.Tx, v pyvalue.Value) error {
	if v == nil {
		return u.remove(ctx, tx)
	}
	data, err := u.encode(v)
	if err != nil {
		return ownError{failed("update", u.id, err)}
	}
	return transact(ctx, tx, u.set(ctx, u.key, data))
}

// removeSame removes a record that is still the one that was read.
const removeSame = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

func (u *update) remove(ctx context.Context, tx *redis.Tx) error {
	err := transact(ctx, tx, command(ctx, make([]byte, maxStatus), "del", u.key))
	if !redis.IsOOMError(err) {
		return err
	}
	// A server that is full refuses whatever is in a transaction, and a script not
	// before something in it takes up memory.
	cmd := command(ctx, make([]byte, maxStatus), "eval", removeSame, 1, u.key, u.data)
	err = tx.Process(ctx, cmd)
	if err == nil && string(cmd.Bytes()) == "0" {
		return redis.TxFailedErr
	}
	return err
}

// transact runs the one command of a transaction.
func transact(ctx context.Context, tx *redis.Tx, write redis.Cmder) error {
	pipe := tx.TxPipeline()
	_ = pipe.Process(ctx, write)
	_, err := pipe.Exec(ctx)
	if own := write.Err(); redis.IsExecAbortError(err) && isRefusal(own) {
		return own // why the server did not take it
	}
	return err
}
