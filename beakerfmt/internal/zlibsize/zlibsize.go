// Package zlibsize computes how long the output of Python's zlib.compress is,
// without making it.
//
// A Python peer compresses a JSON session again whenever it saves it, and
// refuses a cookie that has become too long. Go's compressors find other matches
// than zlib and so say nothing about that.
//
// The rules are those of zlib by Gailly and Adler at its default level, 6, with
// its default window and memory, as in 1.2.8 to 1.3.1: what deflate.c matches
// and what trees.c makes of it. Replacements for zlib have rules of their own and
// give other lengths: zlib-ng, which some distributions and CPython for Windows
// since 3.14 link, Cloudflare's, compression in hardware.
package zlibsize

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// The row of level 6 in deflate.c's table of configurations.
const (
	goodLength = 8   // with such a match in hand, look through a quarter of the chain
	lazyLength = 16  // with such a match in hand, do not look for a better one
	niceLength = 128 // a match that ends the search
	chainLimit = 128 // candidates to look at
)

const (
	windowSize = 1 << 15
	hashSize   = 1 << 15
	minMatch   = 3
	maxMatch   = 258
	// zlib wants the longest match and the byte after it ahead of it, also when
	// it slides its window.
	maxDistance = windowSize - (maxMatch + minMatch + 1)
	// A match of three bytes costs more than three literals if it is further away.
	tooFar = 4096

	frame = 2 + 4 // zlib's header, and its checksum after the last block
)

// The tables are too large to be made for each call.
var matchers = sync.Pool{New: func() any { return new(matcher) }}

// Len returns the length in bytes of zlib.compress(data), which is compared with
// CPython up to 256 KiB. It takes about as long as compressing, so the caller
// bounds what comes from outside; its memory does not depend on data. It may be
// called concurrently.
func Len(data []byte) int {
	m := matchers.Get().(*matcher)
	defer matchers.Put(m)
	total := m.deflate(data)
	m.data = nil
	return frame + (total+7)/8
}

// matcher finds the matches that deflate_slow finds.
//
// zlib slides a window of 64 KiB over its input and forgets what has left it. What
// it forgets is further away than maxDistance, so positions in the whole input
// give the same matches.
type matcher struct {
	data []byte
	// head has the last position of each hash, and prev the one before of a
	// position in the window. 0 is for none: zlib never matches the first byte.
	head [hashSize]int32
	prev [windowSize]int32
	tree tree
}

// deflate returns the length of the blocks, in bits. A match is put off by one
// byte, for there may be a longer one at the next position.
func (m *matcher) deflate(data []byte) int {
	m.data = data
	clear(m.head[:])
	b := block{tree: &m.tree}
	total := 0
	var before match // at pos-1
	waiting := false // the byte at pos-1 is in no symbol yet
	for pos := 0; pos < len(data); {
		var here match
		if last := m.insert(pos); last != 0 && before.length < lazyLength && pos-last <= maxDistance {
			here = m.longest(pos, last, before.length)
		}
		switch {
		case before.length >= minMatch && here.length <= before.length:
			b.match(before)
			end := pos - 1 + before.length
			for pos++; pos < end; pos++ {
				m.insert(pos)
			}
			before, waiting = match{}, false
			if b.full() {
				total = b.end(total, pos)
			}
		case waiting:
			b.literal(data[pos-1])
			if b.full() {
				total = b.end(total, pos)
			}
			before = here
			pos++
		default:
			before, waiting = here, true
			pos++
		}
	}
	if waiting {
		b.literal(data[len(data)-1])
	}
	// The last block is written even if it is empty.
	return b.end(total, len(data))
}

// match is a copy of bytes that came distance before. The zero match is none.
type match struct{ length, distance int }

// insert makes pos the last position of its three bytes, and returns the one
// that was it.
func (m *matcher) insert(pos int) int {
	if pos+minMatch > len(m.data) {
		return 0
	}
	d := m.data[pos : pos+minMatch]
	// Other bytes with the same hash count against chainLimit, so the hash must be zlib's.
	hash := (uint(d[0])<<10 ^ uint(d[1])<<5 ^ uint(d[2])) % hashSize
	last := m.head[hash]
	m.prev[pos%windowSize] = last
	m.head[hash] = int32(pos)
	return int(last)
}

// longest returns the nearest of the longest matches at pos that are longer than
// atLeast, or none. The candidates begin with last.
func (m *matcher) longest(pos, last, atLeast int) match {
	tries := chainLimit
	if atLeast >= goodLength {
		tries /= 4
	}
	ahead := m.data[pos:min(pos+maxMatch, len(m.data))]
	nice := min(niceLength, len(ahead))
	best := match{length: max(atLeast, minMatch-1)}
	if best.length >= len(ahead) {
		return match{}
	}
	limit := max(pos-maxDistance, 0)
	for {
		there := m.data[last : last+len(ahead)]
		if there[best.length] == ahead[best.length] && there[best.length-1] == ahead[best.length-1] {
			if n := common(there, ahead); n > best.length {
				best = match{n, pos - last}
				if n >= nice {
					break
				}
			}
		}
		last = int(m.prev[last%windowSize])
		// The first candidate may be as far as maxDistance, the others not quite.
		if tries--; last <= limit || tries == 0 {
			break
		}
	}
	if best.distance == 0 || best.length == minMatch && best.distance > tooFar {
		return match{}
	}
	return best
}

// common returns how many bytes a and b, of the same length, begin with in common.
func common(a, b []byte) int {
	n := 0
	for ; n+8 <= len(a); n += 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}
