package zlibsize

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// input names a generated input: the same one on every machine.
type input struct {
	kind string
	size int
	seed uint64
}

func (in input) String() string { return fmt.Sprintf("%s %d %d", in.kind, in.size, in.seed) }

// bytes makes the input: pieces of its kind until it has its size.
func (in input) bytes() []byte {
	r := rand.New(rand.NewPCG(in.seed, 0))
	piece := kinds()[in.kind](r)
	out := make([]byte, 0, in.size+300)
	for len(out) < in.size {
		out = append(out, piece(out)...)
	}
	return out[:in.size]
}

// maker makes the pieces of a kind. A piece may depend on what there is.
type maker func(r *rand.Rand) func(sofar []byte) []byte

func kinds() map[string]maker {
	return map[string]maker{
		"session": sessions,
		"random":  func(r *rand.Rand) func([]byte) []byte { return func([]byte) []byte { return random(r, 64) } },
		"equal": func(r *rand.Rand) func([]byte) []byte {
			c := byte(r.Uint32())
			return func([]byte) []byte { return slices.Repeat([]byte{c}, 256) }
		},
		"few":     few,
		"skewed":  skewed,
		"copies":  copies,
		"flipped": flipped,
	}
}

func random(r *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// sessions are JSON members with values of some of the sorts that sessions have.
func sessions(r *rand.Rand) func([]byte) []byte {
	const vocabulary = "user cart item name mail price total flash next lang theme token order state step visited the of and a to in is for with Straße"
	words := strings.Fields(vocabulary)
	word := func() string { return words[r.IntN(len(words))] }
	values := []func() string{
		func() string { return strconv.FormatInt(r.Int64N(1<<(1+r.Int64N(62))), 10) },
		func() string { return strconv.FormatFloat(1.7e9+r.Float64()*1e6, 'f', -1, 64) },
		func() string { return strconv.Quote(hex.EncodeToString(random(r, 16))) },
		func() string { return strconv.Quote(base64.StdEncoding.EncodeToString(random(r, 1+r.IntN(90)))) },
		func() string { return []string{"true", "false", "null", "[]", "{}", `""`}[r.IntN(6)] },
		func() string {
			return fmt.Sprintf(`"\u%04x\u%04x\u00%02x"`, 0x400+r.IntN(80), 0x4e00+r.IntN(2000), r.IntN(256))
		},
		func() string {
			text := make([]string, 1+r.IntN(20))
			for i := range text {
				text[i] = word()
			}
			return strconv.Quote(strings.Join(text, " "))
		},
		func() string {
			return fmt.Sprintf(`{"id": %d, "name": "%s", "qty": %d}`, r.IntN(1e5), word(), r.IntN(9))
		},
	}
	// A session has not all sorts, or all would be much alike.
	r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	values = values[:1+r.IntN(len(values))]
	numbered := r.IntN(2) == 0
	return func(sofar []byte) []byte {
		key := word()
		if numbered {
			key += strconv.Itoa(r.IntN(1000))
		}
		open := ", "
		if len(sofar) == 0 {
			open = "{"
		}
		return fmt.Appendf(nil, `%s"%s": %s`, open, key, values[r.IntN(len(values))]())
	}
}

// few different bytes: long chains, and many matches of any length.
func few(r *rand.Rand) func([]byte) []byte {
	n := 2 + r.IntN(20)
	return func([]byte) []byte {
		out := random(r, 16)
		for i := range out {
			out[i] = 'a' + out[i]%byte(n)
		}
		return out
	}
}

// skewed: some bytes are so rare that their codes would be too long.
func skewed(r *rand.Rand) func([]byte) []byte {
	base := 1.2 + r.Float64()
	alphabet := random(r, 256)
	return func([]byte) []byte {
		n := int(r.ExpFloat64() / math.Log(base))
		return append(random(r, r.IntN(3)/2), alphabet[min(n, 255)])
	}
}

// copies of what came before, at any distance, also those that are too far.
func copies(r *rand.Rand) func([]byte) []byte {
	return func(sofar []byte) []byte {
		if len(sofar) < 10 || r.IntN(3) == 0 {
			return random(r, 1+r.IntN(40))
		}
		from := r.IntN(len(sofar))
		if r.IntN(2) == 0 { // around the limits
			limits := []int{tooFar, maxDistance, windowSize}
			from = len(sofar) - limits[r.IntN(len(limits))] + r.IntN(5) - 2
		}
		from = max(from, 0)
		length := []int{3, 4, 8, 20, 300}[r.IntN(5)] + r.IntN(3)
		return sofar[from:min(from+length, len(sofar))]
	}
}

// flipped is one text again and again, with a byte changed here and there.
func flipped(r *rand.Rand) func([]byte) []byte {
	text := random(r, 5+r.IntN(400))
	return func([]byte) []byte {
		text[r.IntN(len(text))] ^= byte(r.Uint32())
		return text
	}
}
