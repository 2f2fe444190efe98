// Package sqlstore keeps sessions where Beaker's ext:database and ext:sqla keep
// them: in a table of PostgreSQL, MySQL, MariaDB or SQLite.
//
// The table is Beaker's (database.py and sqla.py):
//
//	id         serial primary key                     ext:database only
//	namespace  varchar(255), unique or primary key    the session id
//	accessed   timestamp, naive local time            when it was written last
//	created    timestamp, naive local time            when it was written first
//	data       blob                                   pickle of {'session': value}
//
// The two layouts are written and read by the same statements; they differ only in
// the table that is made where there is none. A table may be shared with Beaker's
// caches, whose rows have no key 'session': such a row is [stores.ErrNotExist] to Get
// and nil to Update, keeps its other keys when a session is put into it, and is never
// removed by an Update that found no session. List yields it, for it does not look
// into the data, if its namespace is an acceptable session id.
//
// # Writers beside each other
//
// Beaker takes no lock and no transaction around load and save: the last writer wins,
// and two first saves of one session end in an exception for one of them. Here a Put
// compares and swaps; an Update locks the row (SELECT … FOR UPDATE) on PostgreSQL
// and MySQL, and compares and swaps on SQLite, whose only lock is of the whole
// database. What is written is in either case compared with what was read, so that
// also tables without transactions (MyISAM) lose no update.
//
// # Limits of the tables that Beaker makes
//
// On MySQL and MariaDB Beaker's column data is a BLOB of at most 65535 bytes. A larger
// record is [stores.ErrTooLarge], never cut off; ALTER TABLE … MODIFY data LONGBLOB
// helps Python too. Where the collation of namespace does not tell upper from lower
// case (MySQL's default), two ids that differ only in that cannot both have a record:
// the second is [stores.ErrInvalidID]. Beaker's own ids are lower case.
//
// # URLs
//
// A URL is read as SQLAlchemy 1.4 and 2.0 do, with one addition: an unescaped @ in
// the password, which 1.3 takes, is taken too. (2.1 also unquotes the name of the
// database; here a %41 in it is a %41.) Drivers of Python that are named in it
// (+psycopg2, +pymysql …) change nothing. Of its query, and of the sa.* options, what
// has a meaning here is obeyed, what only tunes a Python driver is passed over, and
// anything else is an error. PostgreSQL also reads libpq's environment variables and
// password file, as psycopg2 does.
package sqlstore
