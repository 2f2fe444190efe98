package mongostore

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/stores/internal/framing"
)

// Defaults of [Options].
const (
	DefaultDialTimeout = 2 * time.Second
	DefaultTimeout     = 3 * time.Second
	// DefaultMaxBytes is what a document of MongoDB, of 16 MiB, has room for beside
	// the key.
	DefaultMaxBytes = 16<<20 - 4<<10
)

// Protocol0 is the [Options.Protocol] that stands for pickle protocol 0, the
// one of Python 2.
const Protocol0 = framing.Protocol0

// Options are the options of a store in MongoDB.
type Options struct {
	// URL is Beaker's url: mongodb://user:password@host1,host2/database?options, or
	// mongodb+srv://. It must name a database.
	URL string
	// DialTimeout bounds how long a server is looked for, and Timeout how long it may
	// take to answer. 0 means the defaults.
	DialTimeout, Timeout time.Duration
	// MaxConnections bounds the connections to each server. 0 means the driver's
	// default, or the url's maxPoolSize.
	MaxConnections int
	// IDs says which ids are acceptable; no key is formed from any other.
	IDs beakerfmt.IDRule
	// Protocol is the pickle protocol of the records that are written. 0
	// means 2, which every Python reads; see also [Protocol0].
	Protocol int
	// MaxBytes is the size of the largest record that is read or written. 0
	// means [DefaultMaxBytes], which is also the most.
	MaxBytes int64
	// Limits bounds the decoding of records.
	Limits pickle.Limits
	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// settings are Options with every default filled in.
type settings struct {
	url, database        string
	dialTimeout, timeout time.Duration
	maxConnections       uint64
	ids                  beakerfmt.IDRule
	protocol             int
	maxBytes             int64
	limits               pickle.Limits
	now                  func() time.Time
}

func (o Options) settle() (settings, error) {
	database, err := defaultDatabase(o.URL)
	if err != nil {
		return settings{}, err
	}
	c := settings{
		url: o.URL, database: database, dialTimeout: o.DialTimeout, timeout: o.Timeout,
		ids: o.IDs, now: o.Now,
	}
	switch {
	case o.DialTimeout < 0 || o.Timeout < 0:
		return settings{}, errors.New("mongostore: options: a timeout is negative")
	case o.MaxConnections < 0:
		return settings{}, errors.New("mongostore: options: the number of connections is negative")
	}
	f, err := framing.Frame{Protocol: o.Protocol, MaxBytes: orDefault(o.MaxBytes, DefaultMaxBytes), Limits: o.Limits}.Settle(DefaultMaxBytes)
	if err != nil {
		return settings{}, fmt.Errorf("mongostore: options: %w", err)
	}
	c.protocol, c.maxBytes, c.limits = f.Protocol, f.MaxBytes, f.Limits
	c.maxConnections = uint64(o.MaxConnections)
	c.dialTimeout = orDefault(c.dialTimeout, DefaultDialTimeout)
	c.timeout = orDefault(c.timeout, DefaultTimeout)
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// defaultDatabase is the database that a url names: what pymongo's
// get_default_database returns, on which Beaker insists. No error holds the url, for
// there may be a password in it.
func defaultDatabase(uri string) (string, error) {
	rest, ok := strings.CutPrefix(uri, "mongodb://")
	if !ok {
		if rest, ok = strings.CutPrefix(uri, "mongodb+srv://"); !ok {
			return "", errors.New("mongostore: options: url must begin with mongodb:// or mongodb+srv://")
		}
	}
	rest, _, _ = strings.Cut(rest, "?")
	_, name, _ := strings.Cut(rest, "/")
	name, err := url.PathUnescape(name)
	if err != nil {
		return "", errors.New("mongostore: options: url: the database is not well escaped")
	}
	name, _, _ = strings.Cut(name, ".") // the rest is a collection, for others
	switch {
	case name == "":
		return "", errors.New("mongostore: options: url names no database: mongodb://host/database")
	case strings.ContainsAny(name, "/\\ \"$*<>:|?\x00"):
		return "", errors.New("mongostore: options: url: no such name of a database")
	}
	return name, nil
}
