package compat

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat/internal/cache"
	"github.com/gobeaker/gobeaker/stores"
)

// kept is a live session as it was decoded. Nobody changes it: many may be looking at it.
type kept struct {
	values  *pyvalue.Dict
	base    base
	read    time.Time
	version stores.Version // of the record before it was read; zero if that tells nothing
	weight  int
}

// found is what was read for a Peek, and perhaps for others that came meanwhile.
type found struct {
	record
	how Outcome // OutcomeMiss or OutcomeSame
}

// sessionCache keeps what Peek has decoded. What is new, over or broken is not kept:
// that would have to be asked for again in any case.
type sessionCache struct {
	kept     *cache.Cache[kept]
	flights  cache.Flights[found]
	m        *Manager
	versions stores.Versioner // nil if the store is none
}

// averageWeight is the memory that one of CacheSessions may take on average, in bytes.
const averageWeight = 8 << 10

// maxCacheSessions is more than any machine has memory for.
const maxCacheSessions = 100_000_000

// newSessionCache returns nil if there is to be none.
func newSessionCache(m *Manager, store stores.Store) *sessionCache {
	if m.opts.CacheTime <= 0 {
		return nil
	}
	c := &sessionCache{kept: cache.New[kept](m.opts.CacheSessions, m.opts.CacheSessions*averageWeight), m: m}
	c.versions, _ = stores.As[stores.Versioner](store)
	return c
}

// young reports whether CacheTime is not over for what was read then.
func (c *sessionCache) young(read time.Time) bool {
	age := c.m.now().Sub(read)
	return age >= 0 && age <= c.m.opts.CacheTime
}

// forget is called after every write.
func (c *sessionCache) forget(id string) {
	c.kept.Forget(id)
	c.flights.Forget(id)
}

// put keeps a live session.
func (c *sessionCache) put(t cache.Ticket, k kept) {
	if k.weight == 0 {
		k.weight = k.weigh(c.kept.MaxWeight())
	}
	for range c.kept.Put(t, k, k.weight) {
		c.m.tell(Event{Kind: KindCache, Outcome: OutcomeEvicted})
	}
}

// cached is peek where sessions are cached.
func (h *inStore) cached(ctx context.Context, c claim) (record, error) {
	id := c.text
	if k, ok := h.cache.kept.Get(id); ok && h.cache.holds(ctx, id, k) {
		h.m.tell(Event{Kind: KindCache, Outcome: OutcomeHit})
		return record{id: id, values: k.values, base: k.base}, nil
	}
	f, led, err := h.cache.flights.Read(ctx, id, func(ctx context.Context) (found, error) { return h.refresh(ctx, c) })
	e := Event{Kind: KindCache, Outcome: OutcomeMiss}
	switch {
	case err != nil:
	case led:
		e.Outcome = f.how
	default:
		e.Outcome = OutcomeHit
	}
	h.m.tell(e)
	return f.record, err
}

// holds reports whether what is kept of a session may be shown without reading it again.
// That it has timed out must be read: somebody may have used it since.
func (c *sessionCache) holds(ctx context.Context, id string, k kept) bool {
	if !c.young(k.read) || c.m.timedOut(k.values) {
		return false
	}
	if c.versions == nil {
		return true
	}
	if k.version == (stores.Version{}) {
		return false
	}
	now, err := c.versions.Version(ctx, id)
	return err == nil && now == k.version
}

// refresh reads a session, and decodes it unless it is, byte by byte, the one that is kept.
func (h *inStore) refresh(ctx context.Context, c claim) (found, error) {
	id := c.text
	ticket := h.cache.kept.Begin(id)
	now := kept{read: h.m.now()}
	if h.cache.versions != nil {
		now.version, _ = h.cache.versions.Version(ctx, id) // the Get tells what is wrong
	}
	v, err := h.look(ctx, id)
	if k, ok := h.cache.kept.Get(id); ok && err == nil && k.base.text != nil && v == k.base.text && !h.m.timedOut(k.values) {
		k.read, k.version = now.read, now.version
		h.cache.put(ticket, k)
		return found{record{id: id, values: k.values, base: k.base}, OutcomeSame}, nil
	}
	r, err := h.understand(ctx, id, v, err)
	h.m.tellLoad(c, r, err)
	if err == nil && r.state == present {
		now.values, now.base = r.values, r.base
		h.cache.put(ticket, now)
	}
	return found{r, OutcomeMiss}, err
}

// cached is peek where sessions are cached. A cookie is what it is: what is kept of it
// can only time out.
func (h inCookie) cached(ctx context.Context, c claim) (record, error) {
	sum := sha256.Sum256([]byte(c.text))
	key := string(append(sum[:], byte(c.key)))
	if k, ok := h.cache.kept.Get(key); ok && h.cache.young(k.read) {
		h.m.tell(Event{Kind: KindCache, Outcome: OutcomeHit})
		state, err := h.m.judge(k.values)
		return record{state: state, values: k.values, base: k.base}, err
	}
	ticket := h.cache.kept.Begin(key)
	r, err := h.find(ctx, c)
	h.m.tellLoad(c, r, err)
	h.m.tell(Event{Kind: KindCache, Outcome: OutcomeMiss})
	if err == nil && r.state == present {
		h.cache.put(ticket, kept{values: r.values, base: r.base, read: h.m.now()})
	}
	return r, err
}

// forgetful is a store that has the cache forget what is written.
type forgetful struct {
	stores.Store
	updater stores.Updater
	cache   *sessionCache
}

func (f forgetful) Put(ctx context.Context, id string, v pyvalue.Value) error {
	defer f.cache.forget(id) // also after an error: it may have been written
	return f.Store.Put(ctx, id, v)
}

func (f forgetful) Delete(ctx context.Context, id string) error {
	defer f.cache.forget(id)
	return f.Store.Delete(ctx, id)
}

func (f forgetful) Update(ctx context.Context, id string, change func(old pyvalue.Value) (pyvalue.Value, error)) error {
	defer f.cache.forget(id)
	return f.updater.Update(ctx, id, change)
}
