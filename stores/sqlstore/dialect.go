package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sync/semaphore"
)

// allTurns are those of a writer.
const allTurns = 1 << 30

// dialect is what the three kinds of database do not have in common.
type dialect struct {
	connector driver.Connector // touches no network
	// examine tells what an error of the driver means, or nil if the database did not
	// speak.
	examine func(err error) *failure
	quote   string // around names
	// numbered: parameters are $1, $2 …, not ?.
	numbered bool
	// begin begins a transaction in which rows can be locked. "": there is none, and
	// an Update compares and swaps instead.
	begin string
	// noLocks, if there is one, tells of the server that was last connected to that
	// an Update has to compare and swap in spite of begin.
	noLocks func() bool
	// passOver ends an INSERT that is to pass over rows that are there, and
	// returning one that tells which it wrote. "": there is an error instead, and
	// rows are looked for first.
	passOver, returning string
	// exact is a condition for a namespace that is equal to the byte, and exactArgs
	// how many parameters it has.
	exact     string
	exactArgs int
	// accessed is that column as text, data as comparable bytes, size its length.
	accessed, data, size string
	// clock asks for the time in UTC. "": the database is in this process, and has its
	// clock.
	clock string
	// layouts are the columns of ext:database and ext:sqla as SQLAlchemy makes them.
	layouts [2]string
	// turns are one for who reads, and all for who writes; nil: any number may write
	// at once.
	turns *semaphore.Weighted
	// alone: each connection has a database of its own, in memory.
	alone bool
}

// statements are the SQL texts of a store.
type statements struct {
	get, lock, look, ping, list string
	insert, update, swap        string
	remove, removeSame, create  string
	insertMany, lookMany        string // to be continued by the rows
}

// row is a row's columns as get and lock read them.
const rowColumns = "namespace, %[2]s, CASE WHEN %[2]s <= %[3]d THEN data END"

// statements makes the texts. Only names are put into them, and those quoted; values
// are parameters.
func (d *dialect) statements(o Options, maxBytes int64) statements {
	table := d.name(o.Table)
	if o.Schema != "" {
		table = d.name(o.Schema) + "." + table
	}
	layout := d.layouts[0]
	if o.Sqla {
		layout = d.layouts[1]
	}
	row := fmt.Sprintf("SELECT "+rowColumns+" FROM %[1]s WHERE %[4]s", "{table}", d.size, maxBytes, d.exact)
	s := statements{
		get:        row,
		lock:       row + " FOR UPDATE",
		look:       "SELECT namespace FROM {table} WHERE namespace = ?",
		ping:       "SELECT namespace, accessed, created, data FROM {table} WHERE 1 = 0",
		list:       fmt.Sprintf("SELECT namespace, %s, %s FROM {table} WHERE namespace > ? ORDER BY namespace LIMIT %d", d.accessed, d.size, listPage),
		insert:     "INSERT INTO {table} (namespace, accessed, created, data) VALUES (?, ?, ?, ?)" + d.passOver,
		update:     "UPDATE {table} SET data = ?, accessed = ? WHERE " + d.exact,
		remove:     "DELETE FROM {table} WHERE " + d.exact,
		create:     "CREATE TABLE IF NOT EXISTS {table} (" + layout + "\n)",
		insertMany: "INSERT INTO {table} (namespace, accessed, created, data) VALUES ",
		lookMany:   "SELECT namespace FROM {table} WHERE namespace IN ",
	}
	s.swap = s.update + " AND " + d.data + " = ?"
	s.removeSame = s.remove + " AND " + d.data + " = ?"
	for _, text := range []*string{
		&s.get, &s.lock, &s.look, &s.ping, &s.list, &s.insert, &s.update, &s.swap, &s.remove, &s.removeSame, &s.create,
		&s.insertMany, &s.lookMany,
	} {
		*text = strings.ReplaceAll(d.rebind(*text), "{table}", table)
	}
	return s
}

// name quotes a name. SQLAlchemy quotes only where it must; for the names that it
// does not quote the meaning is the same.
func (d *dialect) name(n string) string {
	return d.quote + strings.ReplaceAll(n, d.quote, d.quote+d.quote) + d.quote
}

// rebind numbers the parameters of a statement, if the database wants that.
func (d *dialect) rebind(query string) string {
	if !d.numbered {
		return query
	}
	parts := strings.Split(query, "?")
	var b strings.Builder
	b.WriteString(parts[0])
	for n, part := range parts[1:] {
		b.WriteString("$" + strconv.Itoa(n+1) + part)
	}
	return b.String()
}

// key returns the parameters of exact.
func (d *dialect) key(id string, before ...any) []any {
	for range d.exactArgs {
		before = append(before, id)
	}
	return before
}

// rows is "(?, ?), (?, ?)": n rows of so many columns.
func (d *dialect) rows(n, columns int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", columns), ", ") + ")"
	return d.rebind(strings.TrimSuffix(strings.Repeat(one+", ", n), ", "))
}

// open finds the dialect of a URL.
func (o Options) open(text string) (*dialect, error) {
	t, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	kind, err := t.family()
	if err != nil {
		return nil, err
	}
	switch kind {
	case postgresFamily:
		return openPostgres(t, o)
	case mysqlFamily:
		return openMySQL(t, o)
	}
	return openSQLite(t, o)
}
