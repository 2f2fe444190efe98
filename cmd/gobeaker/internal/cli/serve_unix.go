//go:build unix

package cli

import (
	"os"
	"syscall"
)

// upgradeSignals have a new process take over from a server.
var upgradeSignals = []os.Signal{syscall.SIGUSR2}
