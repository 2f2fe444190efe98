package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processors are those that a process may use; nil: all.
type processors []int

// divide gives the subjects processors of their own, so that it is they who limit how much
// goes through, and all else the others. A machine that has one has nothing to divide.
func divide() (subjects, others processors, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, nil, err
	}
	var all processors
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	if len(all) < 2 {
		return nil, nil, errors.New("-divide: there is one processor")
	}
	half := len(all) / 2
	return all[half:], all[:half], nil
}

func (p processors) set() *unix.CPUSet {
	var set unix.CPUSet
	for _, i := range p {
		set.Set(i)
	}
	return &set
}

// keepTo has all threads of this process use these processors.
func (p processors) keepTo() error {
	if p == nil {
		return nil
	}
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(filepath.Base(t))
		if err == nil {
			err = unix.SchedSetaffinity(id, p.set())
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	runtime.GOMAXPROCS(len(p))
	return nil
}

// starter starts processes on some processors. It does so from a thread that lasts as long
// as this process: a child has the processors of the thread that started it, and ends with
// it.
type starter chan func()

func newStarter(p processors) starter {
	s := make(starter)
	go func() {
		runtime.LockOSThread()
		if p != nil {
			_ = unix.SchedSetaffinity(0, p.set()) // they are ours: it was asked
		}
		for f := range s {
			f()
		}
	}()
	return s
}

// process is a child.
type process struct {
	name   string
	cmd    *exec.Cmd
	ended  chan struct{}
	stderr string // the file that has what it says there
}

// start starts a program. What it says on standard error goes to a file below the
// directory: not in it, for gobeaker serve watches the directories above its configuration,
// and would be told of each line.
func (s starter) start(dir, name string, out *os.File, exe string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(exe, args...), ended: make(chan struct{})}
	logs := filepath.Join(dir, "log")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	p.stderr = filepath.Join(logs, strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' || r == ',' {
			return '-'
		}
		return r
	}, name)+".log")
	log, err := os.Create(p.stderr)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Dir, p.cmd.Stderr, p.cmd.Stdout = dir, log, log
	if out != nil {
		p.cmd.Stdout = out
	}
	p.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	s <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// startTold starts a program that says where it serves and returns, of its first lines, so
// many.
func (s starter) startTold(dir, name string, lines int, exe string, args ...string) (*process, []string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	p, err := s.start(dir, name, w, exe, args...)
	w.Close()
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	in := bufio.NewReader(r)
	var told []string
	for range lines {
		line, err := in.ReadString('\n')
		if err != nil {
			r.Close()
			p.stop()
			return nil, nil, fmt.Errorf("%s: it does not say where it serves: %s", name, p.said())
		}
		told = append(told, strings.TrimSpace(line))
	}
	go func() { // it goes on saying things
		_, _ = in.WriteTo(discard{})
		r.Close()
	}()
	return p, told, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// said is the end of what a process has said on standard error.
func (p *process) said() string {
	text, _ := os.ReadFile(p.stderr)
	return string(bytes.TrimSpace(text[max(len(text)-2000, 0):]))
}

// stopTime is how long a process may take to stop.
const stopTime = 20 * time.Second

// stop ends it and waits.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTime):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// pids are those of the process and of its children.
func (p *process) pids() []int {
	pids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[i]))
		for _, file := range children {
			text, _ := os.ReadFile(file)
			for field := range strings.FieldsSeq(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids
}

// cpu is the processor time that the process and its children have taken, in nanoseconds'
// precision.
func (p *process) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, pid := range p.pids() {
		var t unix.Timespec
		// clock_getcpuclockid(3): the clock of all threads of a process.
		if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
			return 0, fmt.Errorf("%s has ended: %s", p.name, p.said())
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// memory is what the process has in memory (VmRSS), in bytes, and files is how many it has
// open.
func (p *process) memory() (bytes int64, files int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, 0, errors.New("statm is not as proc(5) says")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	return pages * int64(os.Getpagesize()), len(open), err
}
