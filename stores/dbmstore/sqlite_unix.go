//go:build darwin || freebsd || linux || netbsd || openbsd

package dbmstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/internal/sysfile"
)

// The statements of dbm/sqlite3.py. Python asks for a write-ahead log, which leaves no
// file behind when the database is closed.
const (
	sqliteBuild = "CREATE TABLE IF NOT EXISTS Dict (key BLOB UNIQUE NOT NULL, value BLOB NOT NULL)"
	sqliteStore = "REPLACE INTO Dict (key, value) VALUES (CAST(? AS BLOB), CAST(? AS BLOB))"
	sqliteLook  = "SELECT length(value), CASE WHEN length(value) <= ? THEN CAST(value AS BLOB) END FROM Dict WHERE key = CAST(? AS BLOB)"
)

// sqliteBusy is how long SQLite waits for others, in milliseconds. Under Beaker's lock
// there are none but those that make an empty database.
const sqliteBusy = "busy_timeout(5000)"

// openSQLite opens a database of one connection. Mode is ro, rw or rwc.
func openSQLite(base, mode string, more ...string) (*sql.DB, error) {
	query := url.Values{"mode": {mode}, "_pragma": {sqliteBusy, "trusted_schema(0)"}}
	for _, option := range more {
		name, value, _ := strings.Cut(option, "=")
		query.Add(name, value)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: base, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// errCut: the database is shorter than it says.
var errCut = errors.New("the SQLite database was cut off")

// wholeSQLite finds out whether the file has all the pages that its header tells of
// (https://www.sqlite.org/fileformat.html, 1.3). SQLite itself does not: it takes a
// missing page for an empty one. With a log beside it, it may be shorter.
func wholeSQLite(base string) error {
	f, size, err := openFile(base)
	if err != nil {
		return err
	}
	var h [32]byte
	err = readAt(f, h[:min(size, int64(len(h)))], 0)
	pageSize, pages := int64(binary.BigEndian.Uint16(h[16:])), int64(binary.BigEndian.Uint32(h[28:]))
	if pageSize == 1 {
		pageSize = 1 << 16
	}
	if err := errors.Join(err, f.Close()); err != nil || size >= max(pages, 1)*pageSize {
		return err
	}
	if log, err := hasLog(base, "-wal"); log || err != nil {
		return err
	}
	return corrupt(errCut)
}

// hasLog reports whether there is something in a log beside the database, so that the
// file alone is not all of it.
func hasLog(base string, suffixes ...string) (bool, error) {
	for _, suffix := range suffixes {
		var log syscall.Stat_t
		err := sysfile.Stat(base+suffix, &log)
		if err != nil && err != syscall.ENOENT || err == nil && log.Size > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// readSQLite reads the session of a SQLite database.
func (s *Store) readSQLite(ctx context.Context, base string) ([]byte, error) {
	if err := wholeSQLite(base); err != nil {
		return nil, err
	}
	log, err := hasLog(base, "-wal", "-journal")
	if err != nil {
		return nil, err
	}
	var how []string
	if !log {
		// Under the lock nobody writes. SQLite would otherwise leave an index and an empty
		// log behind, which it cannot even make in a read-only directory or on a full disk.
		how = []string{"immutable=1"}
	}
	data, err := s.lookSQLite(ctx, base, how...)
	return data, sqliteError(ctx, err)
}

func (s *Store) lookSQLite(ctx context.Context, base string, more ...string) ([]byte, error) {
	db, err := openSQLite(base, "ro", more...)
	if err != nil {
		return nil, err
	}
	var size int64
	var data []byte
	err = db.QueryRowContext(ctx, sqliteLook, s.maxBytes, beakerfmt.SessionKey).Scan(&size, &data)
	switch {
	case err == nil && size > s.maxBytes:
		err = errTooLarge
	case errors.Is(err, sql.ErrNoRows), isNoTable(err):
		err = stores.ErrNotExist
	}
	return data, errors.Join(err, db.Close())
}

// isNoTable reports whether the database has no table yet: Python makes it a moment
// after the file.
func isNoTable(err error) bool {
	return sqliteCode(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "no such table")
}

// writeSQLite writes into a SQLite database, in a transaction, and makes it if there is
// none. A damaged one is replaced.
func (s *Store) writeSQLite(ctx context.Context, base string, data []byte) error {
	err := wholeSQLite(base)
	if err == nil || errors.Is(err, syscall.ENOENT) {
		err = storeSQLite(ctx, base, data)
	}
	if errors.Is(sqliteError(ctx, err), stores.ErrCorrupt) {
		if err := s.remove(base); err != nil {
			return err
		}
		err = storeSQLite(ctx, base, data)
	}
	return sqliteError(ctx, err)
}

// storeSQLite keeps the index of the log in memory (locking_mode): under Beaker's lock
// nobody else needs it, and a full disk has no room for it.
func storeSQLite(ctx context.Context, base string, data []byte) error {
	fd, err := sysfile.Create(base, syscall.O_RDWR, 0o666) // SQLite would make it with 0644
	if err != nil {
		return err
	}
	if err := sysfile.Close(fd); err != nil {
		return err
	}
	db, err := openSQLite(base, "rw", "_pragma=locking_mode(exclusive)", "_pragma=journal_mode(wal)")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, sqliteBuild)
	if err == nil {
		_, err = db.ExecContext(ctx, sqliteStore, beakerfmt.SessionKey, data)
	}
	return errors.Join(err, db.Close())
}

// sqliteCode is the primary result code of an error of SQLite, or 0.
func sqliteCode(err error) int { return extendedCode(err) & 0xff }

func extendedCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// sqliteError makes an error of SQLite one of the store. SQLite's own words may hold a
// path, and are left out.
func sqliteError(ctx context.Context, err error) error {
	code := sqliteCode(err)
	said := fmt.Errorf("SQLite: result code %d", code)
	switch code {
	case 0:
		return err
	case sqlite3.SQLITE_IOERR:
		switch extendedCode(err) {
		case sqlite3.SQLITE_IOERR_SHORT_READ:
			return corrupt(said)
		case sqlite3.SQLITE_IOERR_SHMSIZE: // no room for the index of the log
			return fmt.Errorf("%w: %w", stores.ErrFull, said)
		}
	case sqlite3.SQLITE_INTERRUPT:
		return errors.Join(ctx.Err(), said)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH:
		return corrupt(said)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", stores.ErrFull, said)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("%w: %w", stores.ErrAccess, said)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", stores.ErrTimeout, said)
	}
	return said
}
