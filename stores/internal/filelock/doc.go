// Package filelock takes the locks that Beaker's file and dbm sessions take: flock(2)
// on a file of the lock directory, shared to read and exclusive to write
// (synchronization.py, FileSynchronizer).
//
// It is for the systems that have flock(2): Linux, macOS and the BSDs. The stores
// that stand on it return [errors.ErrUnsupported] elsewhere.
package filelock
