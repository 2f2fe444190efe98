package redisstore

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// protocol2 is the RESP of all servers: nothing here needs the newer one.
const protocol2 = 2

// client makes the client of the settings. It does not connect.
//
// Nothing is ever repeated by go-redis: MaxRetries says so for a server, and for a
// cluster, which repeats by itself, the commands do (see uncertain writes in
// command).
func (o Options) client(c settings) redis.UniversalClient {
	switch {
	case len(o.URLs) > 0:
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: c.addrs, Username: c.username, Password: c.password, ClientName: c.clientName,
			Dialer: c.dialer(), DialTimeout: c.dialTimeout, ReadTimeout: c.timeout, WriteTimeout: c.timeout,
			Protocol: protocol2, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
			PoolSize: c.maxConnections, MaxActiveConns: c.maxConnections,
			DisableIdentity: true, DisableRoutingPolicies: true,
		})
	case o.sentinel():
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: o.MasterName, SentinelAddrs: c.addrs,
			SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
			Username: c.username, Password: c.password, DB: c.db, ClientName: c.clientName,
			Dialer: c.dialer(), DialTimeout: c.dialTimeout, ReadTimeout: c.timeout, WriteTimeout: c.timeout,
			Protocol: protocol2, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
			PoolSize: c.maxConnections, MaxActiveConns: c.maxConnections,
			DisableIdentity: true,
		})
	}
	network := "tcp"
	if c.kind == unixPath {
		network = "unix"
	}
	return redis.NewClient(&redis.Options{
		Network: network, Addr: c.addrs[0], Username: c.username, Password: c.password, DB: c.db, ClientName: c.clientName,
		Dialer: c.dialer(), DialTimeout: c.dialTimeout, ReadTimeout: c.timeout, WriteTimeout: c.timeout,
		Protocol: protocol2, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		PoolSize: c.maxConnections, MaxActiveConns: c.maxConnections,
		DisableIdentity: true,
	})
}

// command returns a command whose answer, a number, a status or a text, goes into
// buf. Unlike all others of go-redis it says of itself that it must not be repeated.
// A ClusterClient, whatever its options, repeats what it may.
func command(ctx context.Context, buf []byte, args ...any) *redis.ZeroCopyStringCmd {
	return redis.NewZeroCopyStringCmd(ctx, buf, args...)
}

// maxStatus is more than any answer to a write has.
const maxStatus = 64

// set returns the command that writes a record.
func (s *Store) set(ctx context.Context, key string, data []byte) *redis.ZeroCopyStringCmd {
	if s.ttl > 0 { // as Beaker: a user may have been given just this right
		return command(ctx, make([]byte, maxStatus), "setex", key, s.ttl, data)
	}
	return command(ctx, make([]byte, maxStatus), "set", key, data)
}

// setNew returns the command that writes a record where there is none.
func (s *Store) setNew(ctx context.Context, key string, data []byte) *redis.ZeroCopyStringCmd {
	if s.ttl > 0 {
		return command(ctx, make([]byte, maxStatus), "set", key, data, "nx", "ex", s.ttl)
	}
	return command(ctx, make([]byte, maxStatus), "set", key, data, "nx")
}

const (
	firstBuffer = 64 << 10
	keptBuffer  = 1 << 20
)

// buffers are what records are read into.
type buffers struct {
	pool sync.Pool
}

func (b *buffers) take() *[]byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return buf
	}
	buf := make([]byte, firstBuffer)
	return &buf
}

func (b *buffers) giveBack(buf *[]byte) {
	if len(*buf) <= keptBuffer {
		b.pool.Put(buf)
	}
}
