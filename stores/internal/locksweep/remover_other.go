//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package locksweep

import "time"

// Lease is a lock file that nobody else uses. There is none on this system.
type Lease struct{}

// Take returns ErrUnsupported: this system has no leases.
func Take(int, string) (Lease, error) { return Lease{}, ErrUnsupported }

// Modified returns ErrUnsupported.
func (Lease) Modified() (time.Time, error) { return time.Time{}, ErrUnsupported }

// Release does nothing.
func (Lease) Release() {}

// Remover removes nothing on this system.
type Remover struct{}

// Able reports that there are no leases.
func Able(time.Duration) bool { return false }

// NewRemover returns a Remover.
func NewRemover(time.Duration) *Remover { return &Remover{} }

// Remove returns ErrUnsupported.
func (*Remover) Remove(Lease, int, string, string) error { return ErrUnsupported }

// Close does nothing.
func (*Remover) Close() (late int) { return 0 }
