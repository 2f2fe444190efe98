package servers

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// attributes have the kernel end the server when the test process ends without
// having ended it, as after a timeout.
func attributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL}
}

// starts runs on a thread that lasts as long as the process: Pdeathsig is about the
// thread that started the child.
var starts = sync.OnceValue(func() chan func() {
	todo := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range todo {
			f()
		}
	}()
	return todo
})

func spawn(cmd *exec.Cmd) error {
	done := make(chan error)
	starts() <- func() { done <- cmd.Start() }
	return <-done
}
