package migrate

import (
	"errors"
	"sync"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// Side is a store, and the Manager whose options say how sessions stand in it.
type Side struct {
	Store   stores.Store
	Manager *compat.Manager
}

// ErrOptions is wrapped by errors about the options: nothing was done.
var ErrOptions = errors.New("options")

// Options say what is copied. The source must be a [stores.Lister], the destination
// a [stores.Updater].
type Options struct {
	// From is the source and To the destination. If both have the same Store, its
	// records are converted where they are.
	From, To Side
	// All takes sessions too that have expired.
	All bool
	// Raw copies what is stored without looking into it, expired sessions and logouts
	// too. What the destination has stays. Both sides must have the same peer, serializer and
	// keys.
	Raw bool
	// KeepLoggedOut leaves a session at the destination although it was logged out at
	// the source. It is for passes while Python uses the destination too.
	KeepLoggedOut bool
	// Online looks again at the source after each batch was written: a session that Go
	// deleted in between, from both stores, does not come back. It is for passes while
	// somebody uses package tiered, and costs a second read.
	Online bool
	// Since passes over records that were not modified since, where the store of the
	// source tells: what a pass that began then has seen.
	Since time.Time
	// Move removes from the source what was copied, once it was read back.
	Move bool
	// DryRun writes nothing and counts what would be written.
	DryRun bool
	// Cursor is where an interrupted pass goes on: what Checkpoint was last given.
	Cursor string
	// Batch is how many records are written at once, 128 if zero; Workers how many
	// batches are under way at the same time, 4 if zero.
	Batch, Workers int
	// Rate bounds how many records are taken each second; no bound if zero.
	Rate float64

	// Check is asked about each session before it is written: one that it returns an
	// error for is not copied. It is called by several goroutines. nil: all are fit.
	Check func(session *pyvalue.Dict) error

	// Problem is told of each record that is not copied, Progress the counts after
	// each batch, and Checkpoint a cursor up to which all is done, if the source has
	// such: an error of it ends the pass. They are not called at the same time. nil: nobody
	// is told.
	Problem    func(Problem)
	Progress   func(Counts)
	Checkpoint func(cursor string, done Counts) error
}

// Counts say what became of the records that were listed.
type Counts struct {
	Listed    int64 `json:"listed"`
	Copied    int64 `json:"copied"`     // written where there was none
	Replaced  int64 `json:"replaced"`   // written in place of an older one
	Done      int64 `json:"done"`       // were there already
	Reformed  int64 `json:"reformed"`   // were there, or a later one, in another form, and were converted
	Later     int64 `json:"later"`      // the destination has a later one
	Expired   int64 `json:"expired"`    // passed over
	Empty     int64 `json:"empty"`      // have no session in them
	LoggedOut int64 `json:"logged_out"` // removed from the destination
	Gone      int64 `json:"gone"`       // were removed meanwhile
	Unchanged int64 `json:"unchanged"`  // were passed over for Since
	Failed    int64 `json:"failed"`     // were not copied: see Problem
	Removed   int64 `json:"removed"`    // removed from the source
}

func (c *Counts) add(d Counts) {
	for _, p := range []struct {
		to *int64
		n  int64
	}{
		{&c.Listed, d.Listed}, {&c.Copied, d.Copied}, {&c.Replaced, d.Replaced}, {&c.Done, d.Done}, {&c.Reformed, d.Reformed},
		{&c.Later, d.Later}, {&c.Expired, d.Expired}, {&c.Empty, d.Empty}, {&c.LoggedOut, d.LoggedOut},
		{&c.Gone, d.Gone}, {&c.Unchanged, d.Unchanged}, {&c.Failed, d.Failed}, {&c.Removed, d.Removed},
	} {
		*p.to += p.n
	}
}

// Problem is a record that was not copied.
type Problem struct {
	ID     string // a secret
	Reason Reason
	Err    error // in it there is neither an id nor a value
}

// Reason says why a record was not copied.
type Reason string

// The reasons.
const (
	Unreadable   Reason = "unreadable"  // corrupt, or too large
	Encrypted    Reason = "encrypted"   // no key opens it
	Unencrypted  Reason = "plaintext"   // it should be encrypted and is not
	Inexpressive Reason = "form"        // the form of the destination cannot hold it, or what is there has another one
	Unfit        Reason = "unfit"       // see Options.Check
	Refused      Reason = "refused"     // the destination does not take it
	Conflict     Reason = "destination" // the destination has one that cannot be read
	Different    Reason = "different"   // what was read back is not what was written
	Missing      Reason = "missing"     // the destination has none
)

func (o *Options) check() error {
	switch {
	case o.From.Store == nil || o.To.Store == nil || o.From.Manager == nil || o.To.Manager == nil:
		return errors.New("a store or a manager is missing")
	case o.inPlace() && o.Move:
		return errors.New("what is converted where it is cannot be moved")
	case o.Raw && (o.inPlace() || !sameForm(o.From.Manager.Options(), o.To.Manager.Options())):
		return errors.New("raw: the two sides do not have the same peer, serializer and keys, or are one")
	case o.Batch < 0 || o.Workers < 0 || o.Rate < 0:
		return errors.New("batch, workers and rate cannot be negative")
	}
	if _, ok := stores.As[stores.Lister](o.From.Store); !ok {
		return errors.New("the source does not tell which sessions it has")
	}
	if _, ok := stores.As[stores.Updater](o.To.Store); !ok {
		return errors.New("the destination cannot change records under a lock")
	}
	return nil
}

func sameForm(a, b compat.Options) bool {
	return a.Peer == b.Peer && a.DataSerializer == b.DataSerializer && a.EncryptKey == b.EncryptKey &&
		a.ValidateKey == b.ValidateKey && a.CryptoType == b.CryptoType && a.EncryptNonceBits == b.EncryptNonceBits
}

// fit asks Check.
func (o *Options) fit(session *pyvalue.Dict) error {
	if o.Check == nil {
		return nil
	}
	return o.Check(session)
}

func (o *Options) inPlace() bool { return o.From.Store == o.To.Store }

// teller calls the functions of Options one at a time.
type teller struct {
	mu sync.Mutex
	o  *Options
}

func (t *teller) problem(p Problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.o.Problem != nil {
		t.o.Problem(p)
	}
}

func (t *teller) progress(c Counts, cursor string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.o.Progress != nil {
		t.o.Progress(c)
	}
	if t.o.Checkpoint != nil && cursor != "" {
		return t.o.Checkpoint(cursor, c)
	}
	return nil
}
