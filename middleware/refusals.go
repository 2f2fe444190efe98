package middleware

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// Refusals limits how many requests with a session cookie that no key of ours has signed
// an address may send. Who guesses signatures is slowed down; who has a good cookie, or
// none, is never kept out, whatever others behind the same address do. Make one with
// [NewRefusals]. It is safe for concurrent use, by several [Sessions] too.
//
// A change of the secret makes the cookie of every visitor such a one: keep the
// former secret in OldSecrets of [compat.Options].
type Refusals struct {
	opts RefusalOptions

	mu      sync.Mutex
	clients *simplelru.LRU[netip.Addr, *rate.Limiter]
}

// RefusalOptions are the options of [NewRefusals]; the zero value is fine.
type RefusalOptions struct {
	// PerMinute is how many such requests an address may send in the long run; 0: 60.
	PerMinute float64
	// Burst is how many it may send at once; 0: 120.
	Burst int
	// Clients is how many addresses are remembered, about 200 bytes each: those that
	// sent such a request last. 0: 10,000.
	Clients int
	// Client tells where a request comes from. An address that is not valid, as of who
	// comes by a Unix socket, has no limit. Of IPv6 the first 64 bits count: that is what
	// one customer has. nil: the peer of the connection; behind a proxy that is the proxy.
	Client func(*http.Request) netip.Addr
	// Limited is called for each request that is answered by 429, for a metric; nil: nobody
	// is told. It must be safe for concurrent use.
	Limited func()
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// NewRefusals returns Refusals that have refused nobody yet.
func NewRefusals(o RefusalOptions) *Refusals {
	if o.PerMinute <= 0 {
		o.PerMinute = 60
	}
	if o.Burst <= 0 {
		o.Burst = 120
	}
	if o.Clients <= 0 {
		o.Clients = 10_000
	}
	if o.Client == nil {
		o.Client = func(r *http.Request) netip.Addr {
			peer, _ := forwarded.Trusted{}.Peer(r)
			return peer
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	clients, err := simplelru.NewLRU[netip.Addr, *rate.Limiter](o.Clients, nil)
	if err != nil {
		panic(err) // only of a size that is not positive
	}
	return &Refusals{opts: o, clients: clients}
}

// admit counts a request with a forged cookie, and answers it if it is one too many (RFC
// 6585, section 4).
func (f *Refusals) admit(w http.ResponseWriter, r *http.Request) bool {
	wait, ok := f.count(f.opts.Client(r))
	if ok {
		return true
	}
	if f.opts.Limited != nil {
		f.opts.Limited()
	}
	w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Too many requests with a session cookie that is not valid here. Delete it, or wait.", http.StatusTooManyRequests)
	return false
}

// count counts a request. If it is one too many, wait is how long the next one would have
// to wait.
func (f *Refusals) count(client netip.Addr) (wait time.Duration, ok bool) {
	if client = forwarded.Customer(client); !client.IsValid() {
		return 0, true
	}
	f.mu.Lock()
	limiter, known := f.clients.Get(client)
	if !known {
		limiter = rate.NewLimiter(rate.Limit(f.opts.PerMinute/60), f.opts.Burst)
		f.clients.Add(client, limiter)
	}
	f.mu.Unlock()
	now := f.opts.Now()
	if limiter.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - limiter.TokensAt(now)
	return time.Duration(missing / float64(limiter.Limit()) * float64(time.Second)), false
}
