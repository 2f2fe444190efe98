// Package sysfile has the system calls of the stores that keep files, taken directly:
// os.File costs an attempt to register each file with the poller, a cleanup and an
// allocation, and its errors hold the path, which holds the session id. They are
// repeated when a signal interrupts them, and their errors are bare errnos.
//
// It is for the systems that have flock(2): Linux, macOS and the BSDs.
package sysfile
