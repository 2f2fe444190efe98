// Package filestore keeps sessions in Beaker's files (type = file): the same
// paths, the same locks, the same bytes, beside Python processes that use the
// same directory.
//
//	<data_dir>/container_file/1/1e/<id>.cache       the pickle of {'session': value}
//	<data_dir>/container_file_lock/e/ea/<sha1>.lock empty; flock(2) on it guards the record
//
// A record is read under the shared lock and written under the exclusive one; who will
// write nothing may do without ([Store.Look]).
// It is written whole to <id>.cache.temp, the name that Beaker uses since
// 1.9.1, and then renamed, so that after an error, a full disk or a crash the
// old record is whole. Directories and lock files that somebody removes are
// made again. Lock files are only removed by a [Sweep], beside records and other
// litter of which nobody has any use.
//
// Where Beaker does otherwise:
//
//   - A record that this process may not read (EACCES) is ErrUnavailable. Beaker
//     since 1.9.1 takes it for an empty one (container.py,
//     FileNamespaceManager.do_open), which logs its user out and then, if it may
//     write, replaces what the user had.
//   - A data_dir that was there and has gone, with the file system that it was on or
//     by another name, is ErrUnavailable, and nothing is made in its place: Beaker
//     makes it anew, without the sessions, and so logs everybody out.
//   - An id of which there is neither a record nor a lock file leaves no lock
//     file behind when it is looked up or deleted.
//   - A write keeps the other keys of the container, as Beaker up to 1.5.4 did.
//   - Beaker makes its directories when a session is made, this package when a
//     record is written; [Store.Ping] makes the two at the top.
//
// The store needs flock(2): Linux, macOS and the BSDs. Elsewhere New returns an
// error that wraps [errors.ErrUnsupported].
package filestore
