// Package locksweep removes lock files beside processes that lock them, Python's
// Beaker among them.
//
// Beaker opens a lock file, waits in flock(2) and does not look again whether the
// path still names what it has locked (synchronization.py, FileSynchronizer). So to
// have the lock is not enough to unlink its file: somebody may wait for it, or be
// between open and flock, and would then be alone with a file that has no name while
// others lock a new one.
//
// What tells is a lease (fcntl(2), F_SETLEASE with F_WRLCK). The kernel grants it
// only if nobody else has the file open, which covers holders, waiters and those
// before flock; and who opens the file while the lease stands waits within open
// until it is given back. That leaves those who have looked up the name and have not
// yet opened what it named, a moment inside the kernel. For them the lease is kept
// for a while after the file was unlinked. If one of them shows up, the Remover takes
// the lock of the file that the path names by then, on behalf of the late one, and
// keeps it until the late one has closed the old file: a bridge.
//
// What remains: a process that is stopped inside open(2) for longer than the hold,
// which takes a machine that gives it no time at all for so long; and a Remover that
// is killed while somebody is late.
//
// Leases are Linux's, for files of one's own or with CAP_LEASE, on local file
// systems. Elsewhere, over NFS for one, Take says [ErrUnsupported] and no lock file
// is removed.
package locksweep
