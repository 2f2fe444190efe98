package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqlitePassedOver tune Python's sqlite3.
var sqlitePassedOver = wordsOf(`timeout isolation_level detect_types check_same_thread cached_statements native_datetime uri`)

// busyMillis is how long SQLite itself waits for a lock, deaf to contexts. The store
// tries again after that.
const busyMillis = 50

// openSQLite opens what pysqlite would open (SQLAlchemy's dialects/sqlite/pysqlite.py,
// create_connect_args).
func openSQLite(t target, o Options) (*dialect, error) {
	if t.user != "" || t.password != "" || t.host != "" || t.port != "" {
		return nil, errors.New("SQLite has no user and no host: it must be sqlite:///relative/file.db or sqlite:////absolute/file.db")
	}
	uri := slices.ContainsFunc(t.query, func(o option) bool { return o.key == "uri" && isTrue(o.value) })
	name, path, alone, err := sqliteName(t, uri)
	if err != nil {
		return nil, err
	}
	o.Create = o.Create && !o.ReadOnly
	switch {
	case alone:
	case o.ReadOnly: // the last of several counts
		name = withParam(name, "mode=ro")
	case strings.Contains(name, "mode="):
	case o.Create:
		name = withParam(name, "mode=rwc")
	default:
		name = withParam(name, "mode=rw")
	}
	name = withParam(name, fmt.Sprintf("_pragma=busy_timeout(%d)", busyMillis))
	connector, err := sqlite.NewConnector(name)
	if err == nil && o.ReadOnly && path != "" {
		connector, err = newOnlooker(connector, name, path)
	}
	if err != nil {
		return nil, errors.New("its options do not give a database of SQLite")
	}
	return &dialect{
		connector: connector,
		examine:   func(err error) *failure { return examineSQLite(err, path, o.Create) },
		quote:     `"`,
		passOver:  " ON CONFLICT DO NOTHING",
		returning: " RETURNING namespace",
		exact:     "namespace = ?",
		exactArgs: 1,
		accessed:  "CAST(accessed AS TEXT)",
		data:      "CAST(data AS BLOB)",
		size:      "length(data)",
		layouts:   sqliteLayouts,
		alone:     alone,
		turns:     semaphore.NewWeighted(allTurns),
	}, nil
}

// sqliteLayouts are what SQLAlchemy makes of Beaker's columns on SQLite.
var sqliteLayouts = [2]string{`
	id INTEGER NOT NULL,
	namespace VARCHAR(255) NOT NULL,
	accessed DATETIME NOT NULL,
	created DATETIME NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (namespace)`, `
	namespace VARCHAR(255) NOT NULL,
	accessed DATETIME NOT NULL,
	created DATETIME NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (namespace)`}

// sqliteName is SQLite's URI of the database, and its path if it is a plain file.
func sqliteName(t target, uri bool) (name, path string, alone bool, err error) {
	for _, o := range t.query {
		if !sqlitePassedOver[o.key] && (!uri || strings.HasPrefix(o.key, "_")) {
			return "", "", false, unknownOption(o)
		}
	}
	switch {
	case t.database == "" || t.database == ":memory:":
		return "file::memory:", "", true, nil
	case uri && strings.HasPrefix(t.database, "file:"):
		name = t.database
		for _, o := range t.query {
			if !sqlitePassedOver[o.key] {
				name = withParam(name, o.key+"="+url.QueryEscape(o.value))
			}
		}
		alone = strings.HasPrefix(name, "file::memory:") || strings.Contains(name, "mode=memory")
		return name, "", alone, nil
	}
	// Made absolute now, so that a later chdir does not move the store.
	if path, err = filepath.Abs(t.database); err != nil {
		return "", "", false, err
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath(), path, false, nil
}

func withParam(name, param string) string {
	if strings.Contains(name, "?") {
		return name + "&" + param
	}
	return name + "?" + param
}

// isTrue is SQLAlchemy's asbool.
func isTrue(word string) bool {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "true", "yes", "on", "y", "t", "1":
		return true
	}
	return false
}

// examineSQLite reads the result code. path is that of the database, "" if unknown, and
// create whether it was to be made.
func examineSQLite(err error, path string, create bool) *failure {
	var said *sqlite.Error
	if !errors.As(err, &said) {
		return nil
	}
	code := said.Code() & 0xff
	f := &failure{kind: sqliteKind(code), text: "SQLite: " + sqlite.ErrorCodeString[code]}
	switch {
	case code == sqlite3.SQLITE_ERROR && strings.Contains(said.Error(), "no such table"):
		f.kind, f.text = noTable, "SQLite: no such table"
	case code == sqlite3.SQLITE_ERROR && strings.Contains(said.Error(), "unknown database"):
		f.kind, f.text = missing, "SQLite: no such schema"
	case code == sqlite3.SQLITE_INTERRUPT:
		return nil // by the end of a context
	case code == sqlite3.SQLITE_CANTOPEN && path != "":
		f.kind, f.cause = whyNotOpened(path, create)
	}
	return f
}

func sqliteKind(code int) kind {
	switch code {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return busy
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN:
		return denied
	case sqlite3.SQLITE_FULL:
		return full
	case sqlite3.SQLITE_TOOBIG:
		return tooLong
	case sqlite3.SQLITE_CONSTRAINT:
		return exists
	}
	return broken
}

// whyNotOpened asks the system, for SQLite does not tell. The path stays out of it.
func whyNotOpened(path string, create bool) (kind, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_ = f.Close()
		return denied, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		_, noDir := os.Stat(filepath.Dir(path))
		if !create || noDir != nil {
			return missing, fs.ErrNotExist
		}
		return denied, nil
	}
	var said *fs.PathError
	if errors.As(err, &said) {
		return denied, said.Err
	}
	return denied, nil
}
