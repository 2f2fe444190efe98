package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"os"

	"modernc.org/sqlite"
)

// onlooker connects to a file of SQLite so that nothing is left behind. In mode=ro SQLite
// moves no log into the database, but it makes the log and its index where there are none.
type onlooker struct {
	driver.Connector
	alone driver.Connector // takes it that nobody writes
	path  string
}

func newOnlooker(c driver.Connector, name, path string) (driver.Connector, error) {
	alone, err := sqlite.NewConnector(withParam(name, "immutable=1"))
	return onlooker{c, alone, path}, err
}

// Connect implements [driver.Connector].
func (o onlooker) Connect(ctx context.Context) (driver.Conn, error) {
	if o.isIdle() {
		return o.alone.Connect(ctx)
	}
	return o.Connector.Connect(ctx)
}

// isIdle reports whether it is a database with a write-ahead log that nobody has open:
// whoever has keeps the log there. Byte 18 of the file tells of such a log
// (https://www.sqlite.org/fileformat.html, 1.3.3).
func (o onlooker) isIdle() bool {
	if _, err := os.Stat(o.path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if info, err := os.Stat(o.path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(o.path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	var header [20]byte
	_, err = io.ReadFull(f, header[:])
	return err == nil && header[18] == 2
}
