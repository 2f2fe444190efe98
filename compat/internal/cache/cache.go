// Package cache keeps what was costly to read, as long as nobody says that it has
// changed. It knows nothing of sessions.
package cache

import (
	"hash/maphash"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Cache keeps values by their keys. It is safe for concurrent use. Make one with [New].
type Cache[V any] struct {
	seed maphash.Seed

	mu        sync.Mutex
	entries   *simplelru.LRU[string, weighed[V]]
	weight    int
	maxWeight int
	// forgotten counts the calls of Forget, of the keys that fall into one slot together:
	// one number for each key that was ever forgotten would be too many.
	forgotten [1024]uint64
}

type weighed[V any] struct {
	value  V
	weight int
}

// share is the part of the whole weight that one value may have.
const share = 16

// New returns a cache for so many values, which together weigh at most maxWeight, for
// example bytes; a value of more than a sixteenth of that is not kept. Both are
// positive.
func New[V any](entries, maxWeight int) *Cache[V] {
	c := &Cache[V]{seed: maphash.MakeSeed(), maxWeight: maxWeight}
	var err error
	c.entries, err = simplelru.NewLRU(entries, func(_ string, v weighed[V]) { c.weight -= v.weight })
	if err != nil {
		panic(err) // only of a size that is not positive
	}
	return c
}

// MaxWeight is the weight from which on a value is not kept.
func (c *Cache[V]) MaxWeight() int { return c.maxWeight / share }

// Get returns what is kept under a key.
func (c *Cache[V]) Get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.entries.Get(key)
	return v.value, ok
}

// Ticket stands for the moment at which a value began to be read.
type Ticket struct {
	key       string
	forgotten uint64
}

// Begin is called before a value is read that is to be put under key.
func (c *Cache[V]) Begin(key string) Ticket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Ticket{key, *c.slot(key)}
}

// Put keeps a value that was read after Begin gave the ticket, unless the key was
// forgotten since: it may have been read before that. Evicted is how many others had to
// go for it.
func (c *Cache[V]) Put(t Ticket, v V, weight int) (evicted int) {
	if weight > c.MaxWeight() {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.slot(t.key) != t.forgotten {
		return 0
	}
	c.entries.Remove(t.key)
	if c.entries.Add(t.key, weighed[V]{v, weight}) {
		evicted++
	}
	for c.weight += weight; c.weight > c.maxWeight; evicted++ {
		c.entries.RemoveOldest()
	}
	return evicted
}

// Forget drops what is kept under key, and what is being read to be kept there.
func (c *Cache[V]) Forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
	*c.slot(key)++
}

func (c *Cache[V]) slot(key string) *uint64 {
	return &c.forgotten[maphash.String(c.seed, key)%uint64(len(c.forgotten))]
}
