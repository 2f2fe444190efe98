package zlibsize

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

var update = flag.Bool("update", false, "write "+vectorFile)

const (
	liveSeed = 20240611
	maxSize  = 40_000
)

// liveInputs is how many inputs the first Python with a zlib is asked about.
// Others with the same zlib get a part of them.
func liveInputs() int {
	if testing.Short() {
		return 500
	}
	return 3_000
}

// generated are inputs of which half are sessions, and most are short.
func generated(n int) []input {
	r := rand.New(rand.NewPCG(liveSeed, 0))
	kinds := []string{"session", "session", "session", "session", "session", "session", "copies", "equal", "few", "flipped", "random", "skewed"}
	all := make([]input, n)
	for i := range all {
		size := r.IntN(maxSize + 1)
		if i%8 != 0 {
			size = int(math.Exp(r.Float64()*math.Log(maxSize+2))) - 1
		}
		all[i] = input{kinds[i%len(kinds)], size, liveSeed + uint64(i)}
	}
	return all
}

// ask is the peer: a line for the length of each input, which its own length
// (4 bytes) precedes.
const ask = `
import struct, sys, zlib
stdin = getattr(sys.stdin, "buffer", sys.stdin)
while True:
    size = stdin.read(4)
    if not size:
        break
    data = stdin.read(struct.unpack("<I", size)[0])
    packed = zlib.compress(data)
    assert zlib.decompress(packed) == data
    print(len(packed))
`

// lengths asks a Python. The inputs are too many to be kept.
func lengths(t *testing.T, python string, inputs []input) []int {
	t.Helper()
	cmd := exec.Command(python, "-c", ask)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	w := bufio.NewWriter(in)
	for _, i := range inputs {
		data := i.bytes()
		_, err = w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = w.Flush()
	}
	_ = in.Close()
	require.NoError(t, cmd.Wait(), stderr.String())
	require.NoError(t, err)
	var all []int
	for line := range strings.Lines(out.String()) {
		var n int
		_, err := fmt.Sscan(line, &n)
		require.NoError(t, err)
		all = append(all, n)
	}
	require.Len(t, all, len(inputs))
	return all
}

// zlibVersion is that of the library that a Python runs with.
func zlibVersion(t *testing.T, python string) string {
	t.Helper()
	const show = "import zlib; print(getattr(zlib, 'ZLIB_RUNTIME_VERSION', zlib.ZLIB_VERSION))"
	out, err := exec.Command(python, "-c", show).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// CPython is asked about the same inputs. There must not be a difference for any.
func TestAgainstPython(t *testing.T) {
	all := generated(liveInputs())
	seen := map[string]bool{}
	for _, py := range peers.Pythons(t) {
		t.Run(py.Name(), func(t *testing.T) {
			version := zlibVersion(t, py.Exe)
			if strings.Contains(version, "zlib-ng") {
				t.Skipf("zlib %s has rules of its own", version)
			}
			inputs := all
			if seen[version] {
				inputs = all[:len(all)/20]
			}
			seen[version] = true
			inputs = append(vectors(), inputs...)
			got := lengths(t, py.Exe, inputs)
			total, size := 0, 0
			for i, in := range inputs {
				require.Equal(t, got[i], Len(in.bytes()), "%s, zlib %s", in, version)
				total += got[i]
				size += in.size
			}
			t.Logf("zlib %s: %d inputs of seed %d, %d bytes, %d compressed", version, len(inputs), liveSeed, size, total)
			if *update {
				write(t, got)
			}
		})
	}
}

func write(t *testing.T, lengths []int) {
	t.Helper()
	var out strings.Builder
	for i, in := range vectors() {
		fmt.Fprintf(&out, "%s %d\n", in, lengths[i])
	}
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile(vectorFile, []byte(out.String()), 0o644))
}
