package filestore

import "golang.org/x/sys/unix"

// noAtime: to be looked at by a sweep is no use of a session, and to note the time of
// it costs more than the reading.
const noAtime = unix.O_NOATIME
