//go:build unix

package plainfile

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A pipe that nobody writes to does not keep anybody waiting; what a shell's <(command)
// makes is read.
func TestReadPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	data, err := Read(fifo, 100)
	require.NoError(t, err)
	require.Empty(t, data)

	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	_, err = w.WriteString("secret\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	data, err = Read("/dev/fd/"+strconv.Itoa(int(r.Fd())), 100)
	require.NoError(t, err)
	require.Equal(t, "secret\n", string(data))
}
