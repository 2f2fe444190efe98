//go:build unix

package memcachedstore

import (
	"errors"
	"net"
	"syscall"
)

// connected reports whether the other side has the connection still, as far as is known
// here: after a restart of the server all that were idle are closed, and a write to
// one of them would be one that may or may not have been done.
func connected(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	is := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:]) // an answer that nobody asked for is as bad as an end
		is = errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
	})
	return err == nil && is
}
