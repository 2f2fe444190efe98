package memcachedstore

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
)

// Client is the client library of the Python side. It decides which server has a
// key.
type Client uint8

// The client libraries. Their order of servers counts: it must be the Python side's.
const (
	// PythonMemcached is python-memcached (Beaker's memcache_module = memcache), 1.60
	// and later.
	PythonMemcached Client = iota
	// PythonMemcachedOld is python-memcached up to 1.59, thus that of every Python 2.
	// One key in 32,768 has another server.
	PythonMemcachedOld
	// Pylibmc is pylibmc (memcache_module = pylibmc). See [Options.Behaviors].
	Pylibmc
)

// Defaults of who sets none.
const (
	DefaultDialTimeout = 2 * time.Second
	DefaultTimeout     = 3 * time.Second // python-memcached's
	DefaultMaxIdle     = 8
	DefaultMaxItem     = 1 << 20
	DefaultMaxBytes    = 16 << 20
)

// Options are the options of a memcached store.
type Options struct {
	// Servers are the parts of Beaker's url, which has semicolons between them:
	// "host", "host:port", "unix:/path", "inet6:[::1]:port" for python-memcached,
	// "host:port:weight", "/path", "[::1]:port" for pylibmc. The port is 11211 if
	// there is none.
	Servers []string
	// Client is the client library of the Python side.
	Client Client
	// Behaviors are pylibmc's, by the names that follow Beaker's "behavior.". Those
	// that decide on servers are heeded (hash, distribution, ketama,
	// ketama_weighted), or refused if it cannot be done as pylibmc does; the others
	// are about the Python side alone.
	Behaviors map[string]string
	// Python is 2 or 3, that of Beaker; 0 means 3. It matters only for ids with
	// spaces, which the zero IDs do not admit.
	Python int
	// DialTimeout bounds how long connecting takes, Timeout one request.
	DialTimeout, Timeout time.Duration
	// MaxIdle is how many idle connections to each server are kept.
	MaxIdle int
	// MaxItem is the size of the largest item that the servers take, key and overhead
	// included: memcached's -I, 1 MiB if they have none.
	MaxItem int
	// MaxBytes is the size of the largest value that is read.
	MaxBytes int
	// IDs says which ids are acceptable; no key is formed from any other.
	IDs beakerfmt.IDRule
	// Limits bounds the decoding of pickles.
	Limits pickle.Limits
	// Now is the clock by which a dead server is tried again; nil is the machine's.
	Now func() time.Time
}

// settings are the Options with every default filled in.
type settings struct {
	timeouts
	maxItem int
	ids     beakerfmt.IDRule
	python  int
	limits  beakerfmt.MemcachedLimits
}

// timeouts are what a connection must know.
type timeouts struct {
	dial, io time.Duration
	maxIdle  int
	maxBytes int
}

func (o Options) settle() (settings, error) {
	if o.DialTimeout < 0 || o.Timeout < 0 || o.MaxIdle < 0 || o.MaxItem < 0 || o.MaxBytes < 0 {
		return settings{}, errors.New("memcachedstore: options: a limit is negative")
	}
	if o.Python != 0 && o.Python != 2 && o.Python != 3 {
		return settings{}, fmt.Errorf("memcachedstore: options: no Python %d", o.Python)
	}
	c := settings{
		timeouts: timeouts{
			dial: cmp.Or(o.DialTimeout, DefaultDialTimeout), io: cmp.Or(o.Timeout, DefaultTimeout),
			maxIdle: cmp.Or(o.MaxIdle, DefaultMaxIdle), maxBytes: cmp.Or(o.MaxBytes, DefaultMaxBytes),
		},
		maxItem: cmp.Or(o.MaxItem, DefaultMaxItem),
		ids:     o.IDs, python: o.Python,
	}
	c.limits = beakerfmt.MemcachedLimits{MaxInflated: c.maxBytes, Pickle: o.Limits}
	if o.Limits.MaxBytes == 0 {
		c.limits.Pickle.MaxBytes = c.maxBytes
	}
	return c, nil
}

// itemOverhead is what an item has beside key and value: memcached 1.6 has 63 bytes,
// older ones with longer numbers in the item up to 80.
const itemOverhead = 96

// maxValue is the size of the largest value under a key.
func (c settings) maxValue(key string) int { return c.maxItem - itemOverhead - len(key) }
