package servers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
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

// awaitStop waits until every thread of a process that was sent SIGSTOP has stopped:
// on a busy machine it goes on for a while.
func awaitStop(pid int) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(stats) == 0 {
			return fmt.Errorf("servers: pause: no process %d", pid)
		}
		if !slices.ContainsFunc(stats, runs) {
			return nil
		}
	}
	return errors.New("servers: pause: it does not stop")
}

// runs reports whether the thread of a stat file is not stopped: proc(5), the letter
// behind the name.
func runs(stat string) bool {
	text, err := os.ReadFile(stat)
	at := bytes.LastIndexByte(text, ')')
	return err == nil && at >= 0 && !bytes.HasPrefix(text[at:], []byte(") T"))
}
