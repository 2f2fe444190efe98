package sqlstore

import (
	"errors"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/stores/internal/framing"
)

// What holds for who sets nothing else.
const (
	DefaultTable       = "beaker_cache"
	DefaultMaxBytes    = framing.DefaultMaxBytes
	DefaultTimeout     = 3 * time.Second
	DefaultDialTimeout = 2 * time.Second
)

// Protocol0 is the [Options.Protocol] that stands for pickle protocol 0.
const Protocol0 = framing.Protocol0

// Options are the options of a SQL store. Beaker's names are url, sa.*, table_name
// and schema_name.
type Options struct {
	// URL is SQLAlchemy's. If it is empty, the sa.url of Options is used.
	URL string
	// Options are those of SQLAlchemy's engine, by their names with or without
	// "sa.": pool_size, max_overflow, pool_timeout and pool_recycle are obeyed.
	Options map[string]string
	// Table is the name of the table; "" means [DefaultTable].
	Table string
	// Schema is the schema of the table (of MySQL, the database); "" is the
	// connection's own.
	Schema string
	// Sqla makes a missing table as ext:sqla does instead of ext:database.
	Sqla bool
	// Create makes a missing table, and a missing file of SQLite, when it is first
	// needed, as ext:database does. Without it they are [stores.ErrMissing].
	Create bool
	// ReadOnly opens a file of SQLite so that it, and the log beside it, stay as they
	// are: whoever closes a database last would otherwise move its log into it. Create
	// does not count then. The other databases are not different for it.
	ReadOnly bool
	// Location is the time zone of the Python side, whose local time is in the
	// table; nil means time.Local.
	Location *time.Location
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Timeout bounds each statement, and, unless pool_timeout is set, the wait for a
	// connection of the pool. 0 means [DefaultTimeout].
	Timeout time.Duration
	// DialTimeout bounds the making of a connection. 0 means the connect_timeout of
	// the URL, or [DefaultDialTimeout].
	DialTimeout time.Duration
	// IDs says which ids are acceptable; no other gets near a statement.
	IDs beakerfmt.IDRule
	// Protocol is the pickle protocol of the records that are written. 0
	// means 2, which every Python reads; see also [Protocol0].
	Protocol int
	// MaxBytes is the size of the largest record that is read or written. 0
	// means [DefaultMaxBytes].
	MaxBytes int64
	// Limits bounds the decoding of records.
	Limits pickle.Limits
}

// settings are Options with every default filled in.
type settings struct {
	create   bool
	location *time.Location
	now      func() time.Time
	timeout  time.Duration
	protocol int
	maxBytes int64
	limits   pickle.Limits
	pool     pool
}

func (o Options) settle() (settings, error) {
	c := settings{
		create: o.Create && !o.ReadOnly, location: o.Location, now: o.Now, timeout: o.Timeout,
	}
	if c.location == nil {
		c.location = time.Local
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.timeout < 0 || o.DialTimeout < 0 {
		return settings{}, errors.New("a timeout is negative")
	}
	f, err := framing.Frame{Protocol: o.Protocol, MaxBytes: o.MaxBytes, Limits: o.Limits}.Settle(0)
	if err != nil {
		return settings{}, err
	}
	c.protocol, c.maxBytes, c.limits = f.Protocol, f.MaxBytes, f.Limits
	c.pool, err = engineOptions(o.Options, c.timeout)
	return c, err
}

// url is Beaker's choice (database.py: url or sa_opts['sa.url']).
func (o Options) url() (string, error) {
	for _, u := range []string{o.URL, o.Options["sa.url"], o.Options["url"]} {
		if u != "" {
			return u, nil
		}
	}
	return "", errors.New("url or sa.url is required")
}
