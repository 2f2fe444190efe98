//go:build unix && !linux

package servers

import (
	"os/exec"
	"syscall"
)

func attributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as}
}

func spawn(cmd *exec.Cmd) error { return cmd.Start() }

func awaitStop(int) error { return nil }
