package zlibsize

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const vectorFile = "testdata/lengths.txt"

// vectors are the inputs whose lengths are committed: of each kind some sizes, and
// those around which something changes.
func vectors() []input {
	var all []input
	seed := uint64(0)
	for _, kind := range []string{"copies", "equal", "few", "flipped", "random", "session", "skewed"} {
		for _, size := range []int{
			0, 1, 2, 3, 4, 5, 10, 30, 100, 257, 258, 259, 260, 261, 262, 263, 1000, 3000, 4100, 7000, 10_000,
			16_382, 16_383, 16_384, 16_385, 20_000, 32_505, 32_506, 32_507, 32_768, 32_769, 40_000,
			65_273, 65_274, 65_275, 65_535, 65_536, 65_537, 100_000, 262_144,
		} {
			seed++
			all = append(all, input{kind, size, seed})
		}
	}
	return all
}

// What CPython's zlib said. TestAgainstPython writes the file with -update.
func TestLen(t *testing.T) {
	data, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(string(data)) {
		var in input
		var want int
		_, err := fmt.Sscanf(line, "%s %d %d %d", &in.kind, &in.size, &in.seed, &want)
		require.NoError(t, err, line)
		require.Equal(t, want, Len(in.bytes()), line)
		n++
	}
	require.Equal(t, len(vectors()), n)
}

func TestLenOfTheShortest(t *testing.T) {
	for text, want := range map[string]int{
		"":                       8,
		"a":                      9,
		"{}":                     10,
		strings.Repeat("a", 258): 12,
	} {
		require.Equal(t, want, Len([]byte(text)), text)
	}
}

func TestLenConcurrently(t *testing.T) {
	data := input{"session", 9000, 1}.bytes()
	want := Len(data)
	got := make([]int, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			Len(input{"copies", 1000 * i, uint64(i)}.bytes())
			got[i] = Len(data)
		})
	}
	all.Wait()
	for _, n := range got {
		require.Equal(t, want, n)
	}
}

// stored is the length of n bytes that are not compressed, in blocks as long as
// those of as many literals.
func stored(n int) int { return frame + n + 5*(n/blockSymbols+1) }

func FuzzLen(f *testing.F) {
	for _, in := range vectors() {
		if in.size <= 1000 {
			f.Add(in.bytes(), uint8(0))
		}
	}
	f.Add([]byte(`{"a": 1}`), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, more uint8) {
		data = append(data, bytes.Repeat(data, int(more))...)
		n := Len(data)
		require.LessOrEqual(t, n, stored(len(data)))
		// No symbol is shorter than a bit, and none stands for more than 258 bytes
		// of two symbols: a length and a distance.
		require.GreaterOrEqual(t, n, frame+(10+len(data)/maxMatch*2)/8)
		require.Equal(t, n, Len(data), "a second time")
	})
}

func BenchmarkLen(b *testing.B) {
	for _, in := range []input{{"session", 1000, 1}, {"session", 6000, 1}, {"session", 40_000, 1}, {"random", 3000, 1}, {"equal", 40_000, 1}} {
		b.Run(fmt.Sprintf("%s/%d", in.kind, in.size), func(b *testing.B) {
			data := in.bytes()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				Len(data)
			}
		})
	}
}
