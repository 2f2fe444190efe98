package locksweep

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// Lease is a lock file that nobody else has open, and that nobody can open before it
// is given back. It is locked, too: the kernel takes away a lease that is kept for longer
// than fs.lease-break-time, from a process that was stopped or waits for a disk.
type Lease struct{ fd int }

// Take takes the lock file name in the open directory dir (or unix.AT_FDCWD). The
// error is ErrBusy, ErrGone, ErrUnsupported or an errno.
func Take(dir int, name string) (Lease, error) {
	// O_NONBLOCK: if another Remover has a lease on it, open is not to wait.
	// To open for writing would cost the file system more.
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW)
	switch err {
	case nil:
	case unix.ENOENT:
		return Lease{}, ErrGone
	case unix.EWOULDBLOCK, unix.ETXTBSY:
		return Lease{}, ErrBusy
	default:
		return Lease{}, err
	}
	if err := takeLease(fd); err != nil {
		_ = sysfile.Close(fd)
		return Lease{}, err
	}
	if err := sysfile.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = sysfile.Close(fd)
		return Lease{}, ErrBusy
	}
	return Lease{fd}, nil
}

func openAt(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func takeLease(fd int) error {
	switch _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK); err {
	case nil:
		return nil
	case unix.EAGAIN:
		return ErrBusy
	default: // EINVAL, EACCES, ENOLCK, EOPNOTSUPP …
		return errors.Join(ErrUnsupported, err)
	}
}

// Modified returns when the file was made, for nobody writes to it. ErrGone: the path
// may name another file by now.
func (l Lease) Modified() (time.Time, error) {
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return time.Time{}, err
	}
	if st.Nlink != 1 || st.Size != 0 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return time.Time{}, ErrGone // or it is no lock file of Beaker's
	}
	return time.Unix(st.Mtim.Unix()), nil
}

// Release lets those in who wait to open the file.
func (l Lease) Release() { _ = sysfile.Close(l.fd) }

// Remover removes lock files. It is safe for concurrent use. Close it.
type Remover struct {
	hold  time.Duration
	sleep func(time.Duration) // a field for tests
	held  chan heldFile       // oldest first
	kept  chan struct{}       // closed when no more are held
	late  int
}

// heldFile is a lock file that was unlinked, with its lease.
type heldFile struct {
	fd    int
	dir   string
	name  string
	since time.Time
}

// maxHeld bounds the files that are held open, together with a quarter of what
// the process may have open.
const maxHeld = 8192

// Able reports whether the kernel lets those who open a file wait for its lease for
// longer than hold (fs.lease-break-time, 45 seconds as a rule).
func Able(hold time.Duration) bool {
	text, err := os.ReadFile("/proc/sys/fs/lease-break-time")
	if err != nil {
		return true
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && time.Duration(n)*time.Second > hold
}

// NewRemover returns a Remover that keeps each lease for hold after the file was
// unlinked.
func NewRemover(hold time.Duration) *Remover { return newRemover(hold, time.Sleep) }

func newRemover(hold time.Duration, sleep func(time.Duration)) *Remover {
	most := maxHeld
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur/4 < maxHeld {
		most = max(int(limit.Cur/4), 1)
	}
	r := &Remover{hold: hold, sleep: sleep, held: make(chan heldFile, most), kept: make(chan struct{})}
	go r.keep()
	return r
}

// Remove unlinks the lock file, which was taken as name in the open directory at; its
// path is dir/name. The Lease belongs to the Remover from then on. The caller has
// made sure that the file is not gone.
func (r *Remover) Remove(l Lease, at int, name, dir string) error {
	if err := unix.Unlinkat(at, name, 0); err != nil {
		l.Release()
		return err
	}
	r.held <- heldFile{l.fd, dir, name, time.Now()}
	return nil
}

// keep gives leases back when their time is over. It does not wait for anybody else:
// those who wait to open a file may be who would remove the next one.
func (r *Remover) keep() {
	defer close(r.kept)
	var bridges sync.WaitGroup
	defer bridges.Wait()
	for f := range r.held {
		if wait := r.hold - time.Since(f.since); wait > 0 {
			r.sleep(wait)
		}
		if leaseBroken(f.fd) {
			r.late++
			bridges.Go(func() { r.bridge(f) })
			continue
		}
		_ = sysfile.Close(f.fd)
	}
}

// Close waits until no lease is held, and returns how many came late.
func (r *Remover) Close() (late int) {
	close(r.held)
	<-r.kept
	return r.late
}

// leaseBroken reports whether somebody waits to open the file.
func leaseBroken(fd int) bool {
	kind, err := unix.FcntlInt(uintptr(fd), unix.F_GETLEASE, 0)
	return err != nil || kind != unix.F_WRLCK
}

// bridgePoll is how often it is looked whether the late ones have left.
const bridgePoll = 5 * time.Millisecond

// bridge keeps the lock of the path until those who opened the unlinked file have
// closed it. It waits for as long as they take: whoever else wants the lock waits for
// the same.
func (r *Remover) bridge(f heldFile) {
	// The late one must not have the old lock before we have the new one.
	_ = sysfile.Flock(f.fd, syscall.LOCK_EX|syscall.LOCK_NB)
	lock, err := lockPath(f.dir, f.name)
	if err == nil {
		defer func() { _ = sysfile.Close(lock) }()
	}
	_, _ = unix.FcntlInt(uintptr(f.fd), unix.F_SETLEASE, unix.F_UNLCK)
	_ = sysfile.Flock(f.fd, syscall.LOCK_UN)
	for err == nil && r.stillUsed(f.fd) {
		time.Sleep(bridgePoll)
	}
	_ = sysfile.Close(f.fd)
}

// stillUsed reports whether somebody has the unlinked file open, or opens it within
// the hold.
func (r *Remover) stillUsed(fd int) bool {
	if errors.Is(takeLease(fd), ErrBusy) {
		return true
	}
	r.sleep(r.hold)
	if !leaseBroken(fd) {
		return false
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return true
}

// maxAttempts bounds how often it is begun again because directories or lock files
// vanished.
const maxAttempts = 1024

// lockPath makes the lock file again and locks it, as everybody does.
func lockPath(dir, name string) (int, error) {
	path := filepath.Join(dir, name)
	for range maxAttempts {
		fd, err := sysfile.Create(path, syscall.O_RDWR, 0o777)
		if err == syscall.ENOENT {
			if err := sysfile.MkdirAll(dir); err != nil {
				return -1, err
			}
			continue
		}
		if err != nil {
			return -1, err
		}
		err = sysfile.Flock(fd, syscall.LOCK_EX)
		same := false
		if err == nil {
			same, err = sysfile.Names(path, fd)
		}
		if same {
			return fd, nil
		}
		_ = sysfile.Close(fd)
		if err != nil {
			return -1, err
		}
	}
	return -1, sysfile.ErrVanishing
}
