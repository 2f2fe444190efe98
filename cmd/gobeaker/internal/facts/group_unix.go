//go:build unix

package facts

import (
	"os/exec"
	"syscall"
)

// inGroup makes a command the head of a group of its own, and has it stopped with all
// that it started.
func inGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
