package livetest

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/livestores"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// In every back end, on real servers: what one side begins, changes, renames, ends and
// lets time out, the other one sees; and both may write at the same time.
func TestStores(t *testing.T) {
	set := livestores.New(t)
	t.Run("rules", func(t *testing.T) {
		for _, venv := range storePeers(t) {
			t.Run(venv.Name, func(t *testing.T) {
				t.Parallel()
				for _, kind := range livestores.Of(t, venv) {
					if venv.Beaker != "1.9.1" || kind.Name == "redis" {
						t.Run(kind.Name, func(t *testing.T) { runRules(t, venv, set.Place(t, kind, venv)) })
					}
				}
			})
		}
	})
	t.Run("fleet", func(t *testing.T) {
		for _, kind := range livestores.Kinds() {
			fleet := fleetWith(t, kind)
			if slices.Contains(fleets, kind.Name) && len(fleet) > 1 && !testing.Short() {
				t.Run(kind.Name, func(t *testing.T) {
					t.Parallel()
					place := set.Place(t, kind, fleet[0])
					runFleet(t, fleet, newWorld(t, fleet[0], setup{place: place, secret: "s", auto: true}))
				})
			}
		}
	})
	t.Run("hammer", func(t *testing.T) {
		for _, kind := range livestores.Kinds()[1:] { // but files: TestHammer
			if kind.Name == "sqla/mariadb" || kind.Name == "sqla/sqlite" {
				continue // in statements like database's
			}
			t.Run(kind.Name, func(t *testing.T) {
				t.Parallel()
				venv := newestWith(t, kind)
				runHammer(t, kind, newHammer(t, venv, set.Place(t, kind, venv), 2, 3, 5))
			})
		}
	})
}

// storePeers are those of Beaker 1.11 and 1.13, where many stay, one for each client
// library, and 1.9, the last whose records in Redis have no end. With -short it is one.
func storePeers(t *testing.T) (chosen []peers.Venv) {
	seen := map[string]bool{}
	for _, v := range peers.Stores(t) {
		what := fmt.Sprintf("%s %t %s", v.Beaker, v.Python2(), v.Packages["pylibmc"])
		wanted := v.Beaker == "1.11.0" || v.Python2() && v.Beaker == "1.9.1" || !v.Python2() && v.Beaker == "1.13.0"
		if seen[what] || !wanted {
			continue
		}
		seen[what] = true
		if !testing.Short() || what == "1.13.0 false " {
			chosen = append(chosen, v)
		}
	}
	return chosen
}

// fleets are where clients of different age write what they do differently.
var fleets = []string{"redis", "memcached/python-memcached", "database/postgresql"}

// fleetWith are those of one Python 3 that write alike, from 1.12 on, with clients of
// different age.
func fleetWith(t *testing.T, kind livestores.Kind) (fleet []peers.Venv) {
	for _, v := range peers.Stores(t) {
		same := len(fleet) == 0 || v.Python == fleet[0].Python
		if same && !v.Python2() && release(t, v).Minor >= 12 && kind.On(t, v) {
			fleet = append(fleet, v)
		}
	}
	return fleet
}

const storeTimeout = 600 // seconds

func runRules(t *testing.T, venv peers.Venv, place livestores.Place) {
	w := newWorld(t, venv, setup{place: place, secret: "s", timeout: storeTimeout})
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) { s.run(w.newBrowser(t, true)) })
	}
	runTimeouts(t, w)
	switch place.Kind.Type {
	case "ext:redis", "ext:rediscluster":
		runLifetimes(t, w)
	case "ext:memcached":
		t.Run("every server has some", func(t *testing.T) { runSpread(t, w) })
	}
}

// samples is where the Python application keeps one value of each kind. MariaDB has
// no room for a long one: SQLAlchemy's PickleType is a BLOB of 64 KiB there.
func (w *world) samples() string {
	if strings.HasSuffix(w.setup.place.Kind.Name, "/mariadb") {
		return "/samples?key=long+text"
	}
	return "/samples"
}

// runSpread is for a world with several servers.
func runSpread(t *testing.T, w *world) {
	for i := range 24 {
		b := w.newBrowser(t, true)
		if i%2 == 0 {
			b.inGo(put(map[string]any{"n": i}))
			require.Equal(t, i, b.pyGet("n"))
			continue
		}
		b.pySet("n", i)
		b.inGo(want(map[string]any{"n": i}))
	}
	// python-memcached has changed its mind about keys like this one's.
	b := w.newBrowser(t, true)
	b.take(zeroHash())
	b.pySet("n", 24)
	b.inGo(want(map[string]any{"n": 24}))
	for _, address := range w.setup.place.Servers {
		require.Positive(t, memcachedItems(t, address), address)
	}
}

// zeroHash is an id whose key in memcached has the hash 0 (python-memcached:
// cmemcache_hash).
func zeroHash() string {
	for {
		id := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
		if crc32.ChecksumIEEE([]byte(id+"_session"))>>16&0x7fff == 0 {
			return id
		}
	}
}

// take gives the browser the cookie of an id.
func (b *browser) take(id string) {
	u, err := url.Parse(b.world.gateway)
	require.NoError(b.t, err)
	value := string(beakerfmt.AppendSigned(nil, []byte(b.world.setup.secret), id))
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: cookieName, Value: value}})
}

// memcachedItems is how many items a server of memcached has.
func memcachedItems(t *testing.T, address string) (n int) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("stats\r\nquit\r\n"))
	require.NoError(t, err)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "STAT curr_items %d", &n); err == nil {
			return n
		}
	}
	require.Fail(t, "no curr_items")
	return 0
}

// lifetimes are those of the records in Redis.
type lifetimes struct{ client redis.UniversalClient }

func newLifetimes(t *testing.T, w *world) lifetimes {
	c := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: w.setup.place.Servers, IsClusterMode: w.setup.place.Kind.Type == "ext:rediscluster",
	})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return lifetimes{c}
}

func redisKey(id string) string { return "beaker_cache:" + id + ":session" }

// shorten lets a record end in a minute.
func (l lifetimes) shorten(t *testing.T, id string) {
	t.Helper()
	done, err := l.client.Expire(context.Background(), redisKey(id), time.Minute).Result()
	require.NoError(t, err)
	require.True(t, done)
}

// require: a record has this long to live, counted from now or from a short time ago;
// 0 is for ever.
func (l lifetimes) require(t *testing.T, id string, life time.Duration) {
	t.Helper()
	got, err := l.client.TTL(context.Background(), redisKey(id)).Result()
	require.NoError(t, err)
	if life == 0 {
		require.Equal(t, time.Duration(-1), got)
		return
	}
	require.LessOrEqual(t, got, life)
	require.Greater(t, got, life-time.Minute)
}

// runLifetimes: Redis drops a record some time after its session has timed out, from
// Beaker 1.10 on. Each write puts that off, even one that is only for the time of the
// last access.
func runLifetimes(t *testing.T, w *world) {
	peer, err := compat.ParsePeer(w.peer.Peer())
	require.NoError(t, err)
	life := seconds(storeTimeout + 120)
	if peer.Minor < 10 {
		life = 0
	}
	records := newLifetimes(t, w)
	begin := func(t *testing.T) (b *browser, id string) {
		b = w.newBrowser(t, true)
		b.pySet("a", "one")
		d, _ := b.dump()
		records.require(t, d.ID, life)
		records.shorten(t, d.ID)
		return b, d.ID
	}
	t.Run("Python writes", func(t *testing.T) {
		b, id := begin(t)
		b.pySet("a", "two")
		records.require(t, id, life)
	})
	t.Run("Python reads", func(t *testing.T) {
		b, id := begin(t)
		require.Equal(t, "one", b.pyGet("a"))
		records.require(t, id, life)
	})
	t.Run("Go writes", func(t *testing.T) {
		b, id := begin(t)
		b.inGo(put(map[string]any{"a": "two"}))
		records.require(t, id, life)
	})
	t.Run("Go reads", func(t *testing.T) {
		b, id := begin(t)
		w.age(t, id, 100) // or Go does not write the time again
		records.shorten(t, id)
		b.inGo(want(map[string]any{"a": "one"}))
		records.require(t, id, life)
	})
	t.Run("Go begins", func(t *testing.T) {
		b := w.newBrowser(t, true)
		b.inGo(put(map[string]any{"a": "one"}))
		d, _ := b.dump()
		records.require(t, d.ID, life)
	})
	t.Run("Go ends", func(t *testing.T) {
		b, id := begin(t)
		b.inGo(func(s *compat.Session) error { s.Delete(); return nil })
		n, err := records.client.Exists(context.Background(), redisKey(id)).Result()
		require.NoError(t, err)
		require.Zero(t, n)
	})
	t.Run("without a timeout", func(t *testing.T) {
		forever := newWorld(t, w.peer, setup{place: w.setup.place, secret: "s"})
		b, id := begin(t)
		b.world = forever
		b.inGo(put(map[string]any{"a": "two"}))
		records.require(t, id, 0)
		records.shorten(t, id)
		b.pySet("a", "three")
		records.require(t, id, 0)
		b.inGo(want(map[string]any{"a": "three"}))
	})
}
