//go:build !linux

package server

import "time"

// monotonic is only asked for by systemd, which is not here.
func monotonic() time.Duration { return 0 }
