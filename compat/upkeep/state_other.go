//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package upkeep

import "os"

const noFollow = 0

// lockState does nothing: this system has no flock(2).
func lockState(*os.File) error { return nil }
