//go:build unix

package server

import (
	"context"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// bindUnix opens a Unix socket. On Linux the mode of the file is that of the descriptor
// before it is bound, so that there is no moment in which too many can connect; where that
// is not so, the umask is what protects it until it has its mode.
func bindUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
	}}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil { // the umask may have taken too much
		l.Close()
		return nil, err
	}
	return l, nil
}
