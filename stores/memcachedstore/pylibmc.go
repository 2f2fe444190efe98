package memcachedstore

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

// The points of a server on libmemcached's rings (libmemcached/hosts.cc,
// update_continuum).
const (
	ketamaPoints   = 100
	weightedPoints = 160
	pointsOfDigest = 4
)

// pylibmcHashes are libmemcached's hashes by pylibmc's names.
var pylibmcHashes = map[string]func(string) uint32{
	"default":  oneAtATime,
	"md5":      func(key string) uint32 { return md5Point(md5.Sum([]byte(key)), 0) },
	"crc":      func(key string) uint32 { return crc32.ChecksumIEEE([]byte(key)) >> 16 & 0x7fff },
	"fnv1_32":  func(key string) uint32 { return fnv1(key, fnvOffset32, fnvPrime32) },
	"fnv1a_32": func(key string) uint32 { return fnv1a(key, fnvOffset32, fnvPrime32) },
	"fnv1_64":  func(key string) uint32 { return fnv1(key, fnvOffset64, fnvPrime64) },
	"fnv1a_64": func(key string) uint32 { return fnv1a(key, fnvOffset64, fnvPrime64) },
}

// placing are the behaviors that move keys in ways that are not followed here. They may
// be off.
var placing = []string{
	"ketama_hash", "auto_eject", "remove_failed", "num_replicas", "dead_timeout", "_sort_hosts", "_hash_with_prefix_key", "namespace",
}

// pylibmcChoice returns how pylibmc with these behaviors chooses the server of a
// key.
func pylibmcChoice(servers []*server, behaviors map[string]string) (func(key string) *server, error) {
	for _, name := range placing {
		if v, given := behaviors[name]; given && (name == "ketama_hash" || isOn(v)) {
			return nil, fmt.Errorf("behavior.%s is not supported: it moves sessions to servers where they would not be found", name)
		}
	}
	name := cmp.Or(behaviors["hash"], "default")
	hash, known := pylibmcHashes[name]
	if !known {
		return nil, fmt.Errorf("behavior.hash = %s is not supported", name)
	}
	ketama, weighted := isOn(behaviors["ketama"]), isOn(behaviors["ketama_weighted"])
	switch d := behaviors["distribution"]; d {
	case "", "modula":
	case "consistent", "consistent ketama":
		ketama = true
	default:
		return nil, fmt.Errorf("behavior.distribution = %s is not supported", d)
	}
	switch {
	case weighted && (behaviors["hash"] != "" || behaviors["distribution"] != ""), ketama && behaviors["distribution"] == "modula":
		return nil, fmt.Errorf("behaviors of which each undoes the other: name ketama or ketama_weighted alone, or hash and distribution")
	case weighted:
		hash = pylibmcHashes["md5"]
	case !ketama:
		return func(key string) *server { return servers[int(hash(key))%len(servers)] }, nil
	}
	// Beaker works with clones of its client, and these have weights on the ring only
	// if a server was given one, whatever the behaviors say.
	if slices.ContainsFunc(servers, func(srv *server) bool { return srv.weight > 1 }) {
		return weightedRing(servers).choose(hash), nil
	}
	return ketamaRing(servers, hash).choose(hash), nil
}

// isOn: Beaker makes a bool or an int of them (util.py, verify_options).
func isOn(v string) bool {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "", "0", "false", "no", "off", "n", "f":
		return false
	}
	return true
}

// signed: libmemcached adds C's chars, which are signed where pylibmc's users are. It
// matters for keys of ids with spaces.
func signed(b byte) uint32 { return uint32(int8(b)) }

// The constants of FNV. libmemcached keeps 32 bits of the hash of 64, for which as
// many of its constants are enough.
const (
	fnvOffset32, fnvPrime32 = 0x811c9dc5, 0x01000193
	fnvOffset64, fnvPrime64 = 0xcbf29ce484222325 & 0xffffffff, 0x100000001b3 & 0xffffffff
)

func fnv1(key string, h, prime uint32) uint32 {
	for i := 0; i < len(key); i++ {
		h = h*prime ^ signed(key[i])
	}
	return h
}

func fnv1a(key string, h, prime uint32) uint32 {
	for i := 0; i < len(key); i++ {
		h = (h ^ signed(key[i])) * prime
	}
	return h
}

// oneAtATime is Bob Jenkins's hash of that name.
func oneAtATime(key string) uint32 {
	var h uint32
	for i := 0; i < len(key); i++ {
		h += signed(key[i])
		h += h << 10
		h ^= h >> 6
	}
	h += h << 3
	h ^= h >> 11
	h += h << 15
	return h
}

func md5Point(sum [md5.Size]byte, n int) uint32 { return binary.LittleEndian.Uint32(sum[4*n:]) }

// ring is libmemcached's continuum.
type ring []point

type point struct {
	value uint32
	at    *server
}

func ketamaRing(servers []*server, hash func(string) uint32) ring {
	var r ring
	for _, srv := range servers {
		for i := range ketamaPoints {
			r = append(r, point{hash(srv.point(i)), srv})
		}
	}
	return r.sorted()
}

func weightedRing(servers []*server) ring {
	var total int
	for _, srv := range servers {
		total += srv.weight
	}
	var r ring
	for _, srv := range servers {
		share := float32(srv.weight) / float32(total) // libmemcached's float, so that it rounds alike
		digests := int(share*weightedPoints/pointsOfDigest*float32(len(servers)) + 1e-10)
		for i := range digests {
			sum := md5.Sum([]byte(srv.point(i)))
			for n := range pointsOfDigest {
				r = append(r, point{md5Point(sum, n), srv})
			}
		}
	}
	return r.sorted()
}

// point is the name of a server's nth point.
func (srv *server) point(n int) string {
	name := srv.host
	if srv.port != defaultPort {
		name += ":" + srv.port
	}
	return name + "-" + strconv.Itoa(n)
}

func (r ring) sorted() ring {
	slices.SortStableFunc(r, func(a, b point) int { return cmp.Compare(a.value, b.value) })
	return r
}

// choose takes the first point that is not before the key's hash.
func (r ring) choose(hash func(string) uint32) func(key string) *server {
	return func(key string) *server {
		i, _ := slices.BinarySearchFunc(r, hash(key), func(p point, h uint32) int { return cmp.Compare(p.value, h) })
		return r[i%len(r)].at
	}
}
