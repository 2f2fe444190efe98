//go:build !unix

package server

import (
	"context"
	"io/fs"
	"net"
)

// bindUnix opens a Unix socket; files have no modes here.
func bindUnix(ctx context.Context, path string, _ fs.FileMode) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "unix", path)
}
