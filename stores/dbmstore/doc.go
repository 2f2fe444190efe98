// Package dbmstore keeps sessions in Beaker's dbm databases (type = dbm): the same
// paths, the same locks, one small database for each session, beside Python processes
// that use the same directory.
//
//	<data_dir>/container_dbm/1/1e/<id>.dbm           one file, or with .dat, .dir and .bak
//	<data_dir>/container_dbm_lock/e/ea/<sha1>.lock   empty; flock(2) on it guards the record
//
// In the database, the key 'session' has the pickle of the session's value
// (container.py, DBMNamespaceManager).
//
// # Formats
//
// Which kind of database it is depends on the Python that made it. It is told by what
// is there, in the order of Python's whichdb, and a record keeps its format when it is
// written again.
//
//	dumb    .dat, .dir, .bak   every Python; Beaker from 1.14 on only where it has no gdbm
//	GNU     .dbm               Python with gdbm, such as Debian's python3-gdbm
//	SQLite  .dbm               Python from 3.13 on with Beaker up to 1.13
//
// New records are written in [Options.Format]. Dumb is the default, for it is what
// every Python reads that looks what is there. Beaker from 1.14 on does not look: with
// gdbm it takes everything for GNU, and needs GNU; without gdbm it takes everything for
// dumb. Python makes an empty database for every id that it is asked for, without a
// lock; such a database is no record, and decides the format of the record that is
// written into it.
//
// Files of Berkeley DB (Python 2 with bsddb) and of ndbm are recognised and refused,
// with an error that is [stores.ErrUnavailable]: there is a record, and nobody is logged
// out by it. Delete removes them. Have the Python that wrote them rewrite them as dumb,
// while the application is stopped,
//
//	import sys, anydbm, dumbdbm, os, glob          # Python 3: dbm, dbm.dumb
//	for name in sys.argv[1:]:                      # .../container_dbm/*/*/*.dbm
//	    db = anydbm.open(name, 'r'); items = dict((k, db[k]) for k in db.keys()); db.close()
//	    for f in glob.glob(name + '*'): os.remove(f)
//	    db = dumbdbm.open(name, 'c')
//	    for k in items: db[k] = items[k]
//	    db.close()
//
// and then move them wherever you like with gobeaker migrate.
//
// # Crashes
//
// After an error, a full disk or a crash the old record is whole. GNU files are written
// anew and renamed. Of dumb ones, the value is put where no value is in .dat and then
// .dir is replaced by a rename. SQLite has its transactions. Keys other than 'session'
// are kept.
//
// The store needs flock(2) and a SQLite in Go: Linux, macOS, FreeBSD, NetBSD and
// OpenBSD. Elsewhere New returns an error that wraps [errors.ErrUnsupported].
package dbmstore
