package memcachedstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/fault"
)

// Store is a memcached store. It implements [stores.Store], [stores.Updater],
// [stores.Inserter], [stores.Lister], [stores.Pinger] and [stores.Clock], and is safe for
// concurrent use. Beaker locks no sessions in memcached, so it is no [stores.Locker].
type Store struct {
	settings
	selector *Selector
}

var _ interface {
	stores.Store
	stores.Updater
	stores.Inserter
	stores.Lister
	stores.Pinger
	stores.Clock
} = (*Store)(nil)

// New returns a memcached store, or an error that says which option is wrong. It does
// not touch the network: [Store.Ping] tells whether the servers work.
func New(o Options) (*Store, error) {
	c, err := o.settle()
	if err != nil {
		return nil, err
	}
	selector, err := NewSelector(o)
	if err != nil {
		return nil, err
	}
	return &Store{settings: c, selector: selector}, nil
}

// Close closes the connections. The Store cannot be used any more.
func (s *Store) Close() error {
	for _, srv := range s.selector.servers {
		srv.close()
	}
	return nil
}

// Get implements [stores.Store].
func (s *Store) Get(ctx context.Context, id string) (pyvalue.Value, error) {
	key, err := s.key(ctx, id)
	if err != nil {
		return nil, failed("get", id, err)
	}
	item, _, err := s.item(ctx, key)
	if err != nil {
		return nil, failed("get", id, err)
	}
	v, err := s.decode(item)
	return v, failed("get", id, err)
}

// Put implements [stores.Store]. v must not be nil. It asks twice for an id of which
// there is no record yet: see the package's comment for why it does not "set".
func (s *Store) Put(ctx context.Context, id string, v pyvalue.Value) error {
	key, err := s.key(ctx, id)
	if err != nil {
		return failed("put", id, err)
	}
	item, err := s.encode(key, v)
	if err != nil {
		return failed("put", id, err)
	}
	return failed("put", id, again(ctx, func() error {
		err := s.write(ctx, key, func(c *memcache.Client) error { return c.Replace(item) })
		if errors.Is(err, memcache.ErrNotStored) {
			err = s.write(ctx, key, func(c *memcache.Client) error { return c.Add(item) })
		}
		return err
	}))
}

// Delete implements [stores.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	key, err := s.key(ctx, id)
	if err != nil {
		return failed("delete", id, err)
	}
	err = s.write(ctx, key, func(c *memcache.Client) error { return c.Delete(key) })
	if errors.Is(err, memcache.ErrCacheMiss) {
		err = nil
	}
	return failed("delete", id, err)
}

// Update implements [stores.Updater] by compare-and-set. f is called again when
// somebody else has changed the record meanwhile. An error of f is returned as it is.
func (s *Store) Update(ctx context.Context, id string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	key, err := s.key(ctx, id)
	if err != nil {
		return failed("update", id, err)
	}
	err = again(ctx, func() error { return s.updateOnce(ctx, key, f) })
	if own, ok := err.(ownError); ok {
		return own.error
	}
	return failed("update", id, err)
}

// ownError is an error of the caller's function, on its way through.
type ownError struct{ error }

func (s *Store) updateOnce(ctx context.Context, key string, f func(old pyvalue.Value) (pyvalue.Value, error)) error {
	old, srv, err := s.item(ctx, key)
	var v pyvalue.Value
	switch {
	case errors.Is(err, stores.ErrNotExist):
	case err != nil:
		return err
	default:
		if v, err = s.decode(old); err != nil {
			return err
		}
	}
	v, err = f(v)
	if errors.Is(err, stores.ErrRemove) {
		return s.removeSame(ctx, srv, old)
	}
	if err != nil {
		return ownError{err}
	}
	if v == nil {
		return nil
	}
	item, err := s.encode(key, v)
	if err != nil {
		return err
	}
	if old == nil {
		return s.writeTo(ctx, srv, func(c *memcache.Client) error { return c.Add(item) })
	}
	item.CasID = old.CasID
	return s.writeTo(ctx, srv, func(c *memcache.Client) error { return c.CompareAndSwap(item) })
}

// removeSame deletes an item that nobody has changed since. memcached has no such
// request in its old protocol: the item is replaced by one that has expired already.
func (s *Store) removeSame(ctx context.Context, srv *server, old *memcache.Item) error {
	if old == nil {
		return nil
	}
	expired := &memcache.Item{Key: old.Key, CasID: old.CasID, Expiration: -1}
	return s.writeTo(ctx, srv, func(c *memcache.Client) error { return c.CompareAndSwap(expired) })
}

// Ping implements [stores.Pinger]. python-memcached goes on with the servers that
// are left, so that one that answers is enough; pylibmc does not.
func (s *Store) Ping(ctx context.Context) error {
	var last error
	for _, srv := range s.selector.servers {
		_, err := s.attempt(ctx, srv, read, (*memcache.Client).Ping)
		if err == nil && s.selector.rehash {
			return nil
		}
		if err != nil {
			last = fmt.Errorf("%s: %w", srv.name, err)
		}
		if err := ctx.Err(); err != nil {
			return failed("ping", "", err)
		}
	}
	return failed("ping", "", last)
}

// key returns the key of an acceptable id.
func (s *Store) key(ctx context.Context, id string) (string, error) {
	if !s.ids.Valid(id) {
		return "", stores.ErrInvalidID
	}
	key := beakerfmt.MemcachedKey(id, s.python)
	if len(key) > beakerfmt.MaxMemcachedKey {
		return "", fmt.Errorf("%w: memcached takes no key of %d bytes", stores.ErrInvalidID, len(key))
	}
	return key, ctx.Err()
}

func (s *Store) decode(item *memcache.Item) (pyvalue.Value, error) {
	v, err := beakerfmt.DecodeMemcached(item.Value, item.Flags, s.limits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stores.ErrCorrupt, err)
	}
	return v, nil
}

// encode makes an item. What is too large is not sent: a client that does so
// with "set" has memcached delete what is there.
func (s *Store) encode(key string, v pyvalue.Value) (*memcache.Item, error) {
	if v == nil {
		return nil, fault.Permanent(errors.New("nil is not a Python value"))
	}
	data, flags, err := beakerfmt.AppendMemcached(nil, v)
	if err != nil {
		return nil, fault.Permanent(err)
	}
	if limit := s.maxValue(key); len(data) > limit {
		return nil, fmt.Errorf("%w: it has %d bytes, and memcached's item limit (-I) of %d leaves %d", stores.ErrTooLarge, len(data), s.maxItem, limit)
	}
	return &memcache.Item{Key: key, Value: data, Flags: flags}, nil
}

func failed(op, id string, err error) error { return fault.Wrap("memcachedstore", op, id, err) }
