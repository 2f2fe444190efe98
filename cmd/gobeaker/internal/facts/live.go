package facts

import (
	"cmp"
	"context"
	"time"

	"github.com/gobeaker/gobeaker/compat"
)

// LookOptions say what [Look] looks at.
type LookOptions struct {
	// Options are the session options of one side.
	Options compat.Options
	// PythonOptions are those of the Python that is probed, where Options are of a Go
	// program; nil: the same.
	PythonOptions *compat.Options
	// Files are the configuration files, of which the modes are looked at in any case.
	Files []string
	// Secrets are those of Files that hold nothing but keys; nil: it is guessed.
	Secrets []string
	// Store: look at the live store. Sample is how many of its sessions are read at most;
	// 0: 1,000. Crawl: memcached may be asked for all its keys.
	Store  bool
	Sample int
	Crawl  bool
	// Python is an interpreter to be probed, a path or a name; "": none.
	Python string
	// Now is the clock by which sessions expire; nil: time.Now.
	Now func() time.Time
	// Timeout bounds each of the looks; 0: 30 seconds.
	Timeout time.Duration
}

// defaultLookTime is how long one of the looks may take.
const defaultLookTime = 30 * time.Second

// Look gathers the facts of one side. It writes nothing but a temporary directory of its
// own, where a Python is probed. What could not be seen is in the facts.
func Look(ctx context.Context, o LookOptions) Facts {
	o.Timeout = cmp.Or(o.Timeout, defaultLookTime)
	python := o.Options
	if o.PythonOptions != nil {
		python = *o.PythonOptions
	}
	var f Facts
	f.Tree = within(ctx, o.Timeout, func(ctx context.Context) *Tree {
		return WalkTree(ctx, TreeOptions{Options: o.Options, Files: o.Files, Secrets: o.Secrets, Records: o.Store, Time: o.Timeout, Now: o.Now})
	}, func(p *Problem) *Tree {
		return &Tree{Problem: p, Estimate: true, Dirs: []Place{}, Files: []Place{}, System: []FileSys{}, MixedOwners: []int{}}
	})
	if o.Store {
		f.Sample = within(ctx, o.Timeout, func(ctx context.Context) *Sample {
			return TakeSample(ctx, SampleOptions{Options: o.Options, Sessions: o.Sample, Time: o.Timeout, Crawl: o.Crawl, Now: o.Now})
		}, func(p *Problem) *Sample {
			t := newTaker(SampleOptions{Options: o.Options})
			t.Problem = p
			t.finish()
			return &t.Sample
		})
	}
	if o.Python != "" {
		f.Python = within(ctx, o.Timeout, func(ctx context.Context) *Probe {
			return ProbePython(ctx, ProbeOptions{Exe: o.Python, Options: o.Options, Python: python, Go: o.PythonOptions != nil, NoTrip: !sameKeys(&o.Options, &python), Time: o.Timeout})
		}, func(p *Problem) *Probe {
			return &Probe{Exe: o.Python, Problem: p, Crypto: []Module{}, Memcached: []Module{}, Packages: []Module{}}
		})
	}
	if o.Store || o.Python != "" {
		f.Clocks = within(ctx, o.Timeout, func(ctx context.Context) *Clocks {
			return ReadClocks(ctx, ClockOptions{Options: o.Options, Store: o.Store, Sample: f.Sample, Tree: f.Tree, Python: f.Python, Time: o.Timeout})
		}, func(p *Problem) *Clocks {
			return &Clocks{Clocks: []Clock{{Name: "store", Against: AgainstUs, Problem: p}}}
		})
	}
	return f
}

// lookGrace is how long a look may take to end when its time is up.
const lookGrace = 2 * time.Second

// within has a look end in its time even if a call of the system does not, as on a dead
// NFS server: that one is left behind, and late makes the facts instead.
func within[T any](ctx context.Context, most time.Duration, look func(context.Context) T, late func(*Problem) T) T {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	done := make(chan T, 1)
	go func() { done <- look(ctx) }()
	select {
	case facts := <-done:
		return facts
	case <-ctx.Done():
	}
	grace := time.NewTimer(lookGrace)
	defer grace.Stop()
	select {
	case facts := <-done:
		return facts
	case <-grace.C:
		return late(&Problem{TimedOut, "doctor: the system does not answer: " + ctx.Err().Error()})
	}
}

// sameKeys reports whether a session can go both ways at all: where the keys or the name of
// the cookie differ it cannot, and the comparison of the sides says so.
func sameKeys(a, b *compat.Options) bool {
	return a.Key == b.Key && a.Secret == b.Secret && a.ValidateKey == b.ValidateKey && a.EncryptKey == b.EncryptKey &&
		(a.Type == "cookie") == (b.Type == "cookie")
}

// SharedWith returns the facts of a side to which what another one saw in the same store
// is added.
func (f Facts) SharedWith(other Facts) Facts {
	f.Sample = other.Sample
	if f.Clocks == nil {
		f.Clocks = other.Clocks
	}
	if other.Tree != nil {
		tree := *other.Tree
		tree.Files = nil
		if f.Tree != nil {
			tree.Files = f.Tree.Files
		}
		f.Tree = &tree
	}
	return f
}
