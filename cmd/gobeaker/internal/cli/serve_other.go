//go:build !unix

package cli

import "os"

// upgradeSignals have a new process take over from a server: nothing does here.
var upgradeSignals []os.Signal
