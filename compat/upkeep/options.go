package upkeep

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/time/rate"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// defaultAge is how old a record that cannot be read has to be, where there is neither
// a timeout nor [Options.OlderThan].
const defaultAge = 24 * time.Hour

// Options are the options of a [Collector].
type Options struct {
	// OlderThan removes sessions whose last access is longer ago, whatever the timeout.
	// Of one that tells no access, it is the last write. 0: only the timeout counts.
	OlderThan time.Duration
	// Corrupt removes records that cannot be read, if they were written longer ago
	// than the timeout and OlderThan, or than a day if there is neither. The store must have
	// Locker, or must tell of the trouble only in what is within the record.
	Corrupt bool
	// Undecryptable does so with those that no key opens. They may be another
	// application's.
	Undecryptable bool
	// All looks into all records, however recently they were written, instead of some
	// of those.
	All bool
	// DryRun counts what would be removed.
	DryRun bool
	// Workers is how many records are looked at at a time; 0 means as many as there are
	// processors, but at least 2.
	Workers int
	// Rate is how many records are looked into in a second; 0: no limit.
	Rate float64
	// MaxDuration ends the run after this time; the next one goes on. 0: no limit.
	MaxDuration time.Duration
	// State is where a run that was broken off left its place; nil: nowhere.
	State *State
	// Sweep says what is done about lock files and other litter, where the store has
	// any; nil: nothing. DryRun, Wait and Now are set.
	Sweep *filestore.SweepOptions
	// Progress, if set, is called now and then with what was done so far, by one
	// goroutine at a time.
	Progress func(Result)
	// Failure, if set, is told of each record that could not be handled, by one
	// goroutine at a time. The error names it by a hash.
	Failure func(error)
	// Now is the clock; nil means time.Now. The Manager has its own.
	Now func() time.Time
}

// Collector removes what is of no use in a store.
type Collector struct {
	o       Options
	manager *compat.Manager
	store   stores.Store
	updater stores.Updater
	lister  stores.Lister
	limiter *rate.Limiter // nil: no limit
	timeout time.Duration // 0: none
}

// New checks the options. The manager, which was made over the same store, says what is
// expired.
func New(m *compat.Manager, store stores.Store, o Options) (*Collector, error) {
	c := &Collector{o: o, manager: m, store: store}
	if t := m.Options().Timeout; t != compat.NoTimeout {
		c.timeout = max(t, 1) // 0 expires whatever is older than now
	}
	var ok, updates bool
	c.lister, ok = stores.As[stores.Lister](store)
	c.updater, updates = stores.As[stores.Updater](store)
	switch {
	case !ok:
		return nil, fmt.Errorf("upkeep: new: the store cannot list its records: %w", errors.ErrUnsupported)
	case !updates:
		return nil, fmt.Errorf("upkeep: new: the store cannot exclude others from a record: %w", errors.ErrUnsupported)
	case o.OlderThan < 0, o.Rate < 0, o.MaxDuration < 0, o.Workers < 0:
		return nil, errors.New("upkeep: new: an option is negative")
	}
	if o.DryRun {
		c.o.State = nil // its place is not that of a run that removes
	}
	if o.Workers == 0 {
		c.o.Workers = max(runtime.GOMAXPROCS(0), 2)
	}
	if o.Now == nil {
		c.o.Now = time.Now
	}
	if o.Rate > 0 {
		c.limiter = rate.NewLimiter(rate.Limit(o.Rate), max(int(o.Rate/10), 1))
	}
	return c, nil
}

// age is how long ago the last write of a record is that may have expired. Where
// nothing expires all are looked into, for what deletes left.
func (c *Collector) age() time.Duration {
	switch {
	case c.timeout == 0 && c.o.OlderThan == 0:
		return -always
	case c.timeout != 0 && c.o.OlderThan != 0:
		return min(c.timeout, c.o.OlderThan)
	}
	return max(c.timeout, c.o.OlderThan)
}

// always is longer than any clock is ahead.
const always = 100 * 365 * 24 * time.Hour

// unreadableAge is the same for records that cannot be read.
func (c *Collector) unreadableAge() time.Duration {
	if age := max(c.timeout, c.o.OlderThan); age != 0 {
		return age
	}
	return defaultAge
}
