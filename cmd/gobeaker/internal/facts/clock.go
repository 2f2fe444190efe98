package facts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// defaultClockTime is how long a store may take to tell the time.
const defaultClockTime = 10 * time.Second

// AgainstUs and AgainstWriters say with what a clock was compared.
const (
	AgainstUs      = "this process"
	AgainstWriters = "the writers of the sessions"
)

// ClockOptions say which clocks [ReadClocks] reads.
type ClockOptions struct {
	// Options are those of the store; without Store it is not asked.
	Options compat.Options
	Store   bool
	// What was found before, as far as it was looked for: the sessions and the
	// directories tell of a file server's clock, the probe of a Python's.
	Sample *Sample
	Tree   *Tree
	Python *Probe
	// Time bounds it; 0: 10 seconds.
	Time time.Duration
}

// ReadClocks compares the clocks of an installation. What goes wrong is in
// Clock.Problem.
func ReadClocks(ctx context.Context, o ClockOptions) *Clocks {
	c := &Clocks{Clocks: []Clock{}}
	if o.Store && hasServer(o.Options) {
		c.Clocks = append(c.Clocks, storeClock(ctx, o)...)
	}
	if o.Python != nil && o.Python.Python != "" {
		c.Clocks = append(c.Clocks, Clock{Name: "python", Against: AgainstUs, Skew: o.Python.Skew, Within: o.Python.skewWithin})
	}
	if o.Sample != nil && o.Tree != nil && slices.ContainsFunc(o.Tree.System, func(f FileSys) bool { return f.Network }) {
		if clock, ok := fileServer(o.Sample.Modified); ok {
			c.Clocks = append(c.Clocks, clock)
		}
	}
	return c
}

// hasServer reports whether the sessions are kept by another process.
func hasServer(o compat.Options) bool {
	switch kindOf(o) {
	case "file", "dbm", "memory", "cookie":
		return false
	}
	return true
}

// storeClock asks the store; nothing if it has no clock.
func storeClock(ctx context.Context, o ClockOptions) []Clock {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.Time, defaultClockTime))
	defer cancel()
	c := Clock{Name: "store", Against: AgainstUs}
	store, err := openToLook(o.Options)
	if err == nil {
		defer closeStore(store)
		err = c.read(ctx, store)
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		c.Problem = problem(err)
	}
	return []Clock{c}
}

// second is the resolution of what memcached tells.
const second = time.Second

func (c *Clock) read(ctx context.Context, s stores.Store) error {
	clock, ok := stores.As[stores.Clock](s)
	if !ok {
		return errors.ErrUnsupported
	}
	asked := time.Now()
	now, err := clock.Now(ctx)
	if err != nil {
		return fmt.Errorf("doctor: clock: %w", err)
	}
	c.Skew, c.Within = time.Until(now), time.Since(asked)/2+second
	return nil
}

// What it takes to tell a file server's clock from its records.
const (
	leastMoments = 5
	mostApart    = 12 * time.Hour // copied or restored records say nothing
)

// fileServer compares when the newest records were written by the clock of their file
// system and by that of who wrote them. A session is written at the end of its request, so
// that the file is the later one by that long; the least differences count. False: there
// are too few.
func fileServer(moments []Moment) (Clock, bool) {
	var apart []time.Duration
	for _, m := range moments {
		if d := m.Store.Sub(m.Writer); d.Abs() < mostApart {
			apart = append(apart, d)
		}
	}
	if len(apart) < leastMoments {
		return Clock{}, false
	}
	slices.Sort(apart)
	low, middle := apart[len(apart)/10], apart[len(apart)/2]
	return Clock{Name: "file server", Against: AgainstWriters, Skew: low, Within: middle - low + second}, true
}
