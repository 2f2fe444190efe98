// Package facts finds out about an installation by looking: what is stored, which Python
// there is and whether it and Go read each other, the clocks, the files. Looking never
// writes, takes no lock that would keep others waiting, and is bounded in time and size.
// Nothing in these facts is a key, a session id, a cookie or a value: sessions are named
// by beakerfmt.HashID. What they mean is for package doctor to say.
package facts

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// Facts are what was found by looking; nil: not looked at.
type Facts struct {
	Sample *Sample
	Python *Probe
	Clocks *Clocks
	Tree   *Tree // its Files are the configuration files, also where there is no tree
}

// ProblemKind says why a fact could not be had.
type ProblemKind string

// The kinds of problems.
const (
	Unreachable ProblemKind = "unreachable" // nobody answers there
	NoAccess    ProblemKind = "access"      // it does not let us
	Missing     ProblemKind = "missing"     // the directory, table, program or module is not there
	TimedOut    ProblemKind = "timeout"     // the time for it was up
	Unsupported ProblemKind = "unsupported" // this kind of store does not tell
	NotAllowed  ProblemKind = "not-allowed" // whoever started the doctor did not allow it
	Failed      ProblemKind = "failed"      // anything else
)

// Problem is why a fact could not be had, or only a part of it.
type Problem struct {
	Kind ProblemKind `json:"kind"`
	Text string      `json:"text"` // for people; nothing secret
}

// problem classifies an error of a store or of the system; nil for nil.
func problem(err error) *Problem {
	if err == nil {
		return nil
	}
	return &Problem{Kind: problemKind(err), Text: err.Error()}
}

func problemKind(err error) ProblemKind {
	for _, known := range []struct {
		err  error
		kind ProblemKind
	}{
		{errNotAllowed, NotAllowed},
		{stores.ErrAccess, NoAccess}, {fs.ErrPermission, NoAccess},
		{stores.ErrMissing, Missing}, {fs.ErrNotExist, Missing}, {exec.ErrNotFound, Missing}, {syscall.ENOTDIR, Missing},
		{stores.ErrTimeout, TimedOut}, {context.DeadlineExceeded, TimedOut}, {context.Canceled, TimedOut},
		{errors.ErrUnsupported, Unsupported},
		{stores.ErrUnavailable, Unreachable},
	} {
		if errors.Is(err, known.err) {
			return known.kind
		}
	}
	return Failed
}

// MostExamples is how many sessions a count names.
const MostExamples = 3

// Count is how many sessions something was found in, and some of them.
type Count struct {
	Sessions int64    `json:"sessions"`
	Examples []string `json:"examples,omitempty"` // beakerfmt.HashID of their ids
}

// Tally counts sessions by what was found in them.
type Tally map[string]Count

// Sample is what was found in some sessions of a live store.
type Sample struct {
	Where    string   `json:"where"`             // the store, for people
	Problem  *Problem `json:"problem,omitempty"` // what ended the look early; nil: nothing
	Listed   int64    `json:"listed"`            // names that were listed
	Complete bool     `json:"complete"`          // those are all that there are
	Looked   int64    `json:"looked"`            // records that were read, spread over those listed
	Gone     int64    `json:"gone"`              // listed, but not there any more when they were read

	States      Tally `json:"states"`      // "live", "expired", "empty", "encrypted" (no key opens it), "forbidden" (we may not), "locked" (all the time), "unreadable"
	Reasons     Tally `json:"reasons"`     // why what is encrypted or unreadable is so
	Forms       Tally `json:"forms"`       // as inspect.Kind names them: "dict", "text pickle", "text json aes-gcm"
	Texts       Tally `json:"texts"`       // of what type the stored value is: "dict", "str", "py2str", "bytes"
	Serializers Tally `json:"serializers"` // "pickle", "json"
	Protocols   Tally `json:"protocols"`   // of the pickle in which the session stands: "2"
	Containers  Tally `json:"containers"`  // of the pickle around it, in files and dbm: "2", "4"
	Beakers     Tally `json:"beakers"`     // who probably wrote it: "1.12 or later", "up to 1.10", "any"
	Pythons     Tally `json:"pythons"`     // "Python 2", "Python 3.8 to 3.13"
	AES         Tally `json:"aes"`         // modes: "ctr", "gcm", "cbc", "ecb"
	NonceBits   Tally `json:"nonce_bits"`  // of what is encrypted: "48", "128"
	// Whole are the forms as packages beakerfmt and compat have them, the most frequent
	// first: what compat.Peer.Reads wants to know.
	Whole []FormCount `json:"-"`

	Plaintext   Count `json:"plaintext"`    // in clear although there is an encrypt_key
	ClearNonce  Count `json:"clear_nonce"`  // in clear behind a nonce: Beaker had an encrypt_key and no AES library
	OlderKey    Count `json:"older_key"`    // encrypted with another encrypt_key or validate_key than the first
	NotPython3  Count `json:"not_python3"`  // pickled by Python 2 so that no Python 3 loads it
	NoAccessed  Count `json:"no_accessed"`  // without _accessed_time: no timeout ever ends them
	Future      Count `json:"future"`       // accessed more than FutureSlack in the future
	Oversized   Count `json:"oversized"`    // would be too long for a cookie
	PickleClass Count `json:"pickle_class"` // with classes in their pickle that the standard library does not have

	FutureBy  time.Duration `json:"future_by"` // the most that one was in the future
	LargestIn int64         `json:"largest"`   // bytes of the largest record as stored, 0 if it is not known
	Cookie    int64         `json:"cookie"`    // bytes of the largest if it were a cookie: the payload, without the signature
	Classes   []Class       `json:"classes"`   // in pickles, the most frequent first
	Losses    []Loss        `json:"losses"`    // what JSON would not hold as it is, the most frequent first
	Took      time.Duration `json:"took"`      // for listing and reading
	Modified  []Moment      `json:"-"`         // for Clocks: when records were written, by both clocks
}

// FormCount is a form and how many sessions have it.
type FormCount struct {
	Form beakerfmt.Form
	Count
}

// FutureSlack is how far in the future an access may lie before it is told.
const FutureSlack = 2 * time.Minute

// Class is a class or function that pickles in sessions name.
type Class struct {
	Name string `json:"name"` // "decimal.Decimal"
	Count
	// Known: of Python's standard library, or a value that gobeaker makes natural in Go.
	// Whatever it is, Go keeps it as it is: it is written back to the byte's meaning.
	Known bool `json:"known"`
	// Suspicious: what starts programs or reads files. No honest session has that: somebody
	// who can write to the store may be trying CVE-2013-7489.
	Suspicious bool `json:"suspicious,omitempty"`
	// JSON: none of what was seen of it stands in the way of JSON.
	JSON bool `json:"json"`
}

// Loss is something that JSON would not hold as it is.
type Loss struct {
	Key     string `json:"key"`               // of the session, if it looks like a name; else "(other keys)"
	Type    string `json:"type"`              // of the value, or of the part of it: "decimal.Decimal"
	Becomes string `json:"becomes,omitempty"` // what JSON makes of it: "a list"; empty: it cannot be JSON
	Count
}

// Moment is when a record was written, by the clock of its store and by the clock of who
// wrote it.
type Moment struct {
	Store  time.Time
	Writer time.Time
}

// Probe is what was found out about a Python and its Beaker.
type Probe struct {
	Exe     string   `json:"exe"`
	Problem *Problem `json:"problem,omitempty"` // it could not be asked, or not all of it
	Python  string   `json:"python"`            // "3.13.0"
	Beaker  string   `json:"beaker"`            // "1.13.0"; "" if it has none: that is no Problem
	From    string   `json:"beaker_from"`       // the directory of the package
	// Crypto are the libraries for AES that some Beaker uses, in the order nss, pycryptopp,
	// pycrypto (pycryptodome), cryptography; those that this Beaker can use and finds are
	// Usable.
	Crypto []Module `json:"crypto"`
	// Takes is the library that this Beaker takes with the given crypto_type; "" if it
	// finds none. TakesNot is why, in Beaker's words.
	Takes    string `json:"takes"`
	TakesNot string `json:"takes_not,omitempty"`
	// Memcached are its clients of memcached; the one that Beaker takes with the given
	// memcache_module is Usable.
	Memcached []Module `json:"memcached"`
	Packages  []Module `json:"packages"` // redis, SQLAlchemy, TurboGears2, pyramid_beaker, Pylons, ckan, simplejson …
	// Peer is what this Python is to gobeaker.
	Peer       compat.Peer   `json:"-"`
	Name       string        `json:"peer"` // Peer.String
	Skew       time.Duration `json:"skew"` // its clock minus ours
	skewWithin time.Duration
	Trip       *Trip `json:"round_trip,omitempty"`
}

// Module is a distribution that a Python has.
type Module struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // "" if it does not tell
	Usable  bool   `json:"usable"`
	Error   string `json:"error,omitempty"` // it is there and cannot be imported
}

// Trip is a session that went from Python to Go and one that went back, with the options
// of a side, in a directory of their own.
type Trip struct {
	Problem  *Problem `json:"problem,omitempty"` // it could not be tried
	ToGo     Leg      `json:"python_to_go"`
	ToPython Leg      `json:"go_to_python"`
}

// Leg is one direction of a Trip.
type Leg struct {
	OK   bool   `json:"ok"`
	Form string `json:"form,omitempty"` // in which it was written: "text pickle aes-ctr"
	Why  string `json:"why,omitempty"`  // it failed; nothing secret
}

// Clocks are the clocks of an installation, against that of this process.
type Clocks struct {
	Clocks []Clock `json:"clocks"`
}

// Clock is how one of them goes.
type Clock struct {
	Name    string        `json:"name"`    // "store", "python", "file server"
	Against string        `json:"against"` // "this process", or "the writers of the sessions"
	Problem *Problem      `json:"problem,omitempty"`
	Skew    time.Duration `json:"skew"`   // it minus the other one: positive if it is ahead
	Within  time.Duration `json:"within"` // how far Skew may be off
}

// Tree is what was found in the directories of file and dbm stores.
type Tree struct {
	Problem *Problem `json:"problem,omitempty"` // what ended the walk early
	// Estimate: the walk was ended early, and what is counted is only a part.
	Estimate bool      `json:"estimate"`
	Dirs     []Place   `json:"dirs"`  // data_dir, and those of records and locks
	Files    []Place   `json:"files"` // ini files, the gobeaker.toml, secret files
	System   []FileSys `json:"file_systems"`

	Records      int64     `json:"records"`
	Bytes        int64     `json:"bytes"`
	Locks        int64     `json:"locks"`
	StaleLocks   int64     `json:"stale_locks"`    // of no record, and more than a day old; 0 if Estimate
	Temps        int64     `json:"temps"`          // left of writes that crashed
	Old          int64     `json:"old"`            // records not written for longer than the timeout; 0 without one
	PerDay       int64     `json:"per_day"`        // records that were last written in the last week, by days
	WorldRead    int64     `json:"world_readable"` // records that everybody can read; the next ones likewise
	WorldWrite   int64     `json:"world_writable"`
	GroupWrite   int64     `json:"group_writable"`
	Symlinks     int64     `json:"symlinks"`    // where a record or its directory should be
	OtherOwner   int64     `json:"other_owner"` // records of another owner than the directory
	MixedOwners  []int     `json:"owners"`      // user ids of the records, in order
	Unreadable   int64     `json:"unreadable"`  // directories and files that we may not read
	OpenDirs     int64     `json:"open_dirs"`   // directories of records that the world can write to
	NewestRecord time.Time `json:"newest"`
}

// Place is a directory or file and who may do what there.
type Place struct {
	Role    string      `json:"role"` // "data_dir", "records", "locks", "ini", "toml", "secret", "file" (of configuration)
	Path    string      `json:"path"`
	Problem *Problem    `json:"problem,omitempty"`
	Mode    fs.FileMode `json:"mode"` // permissions, setgid and sticky bits
	UID     int         `json:"uid"`  // -1 where the system has none
	GID     int         `json:"gid"`
	Symlink bool        `json:"symlink"`
	// Reachable: the directories above let everybody through, so that the mode counts.
	Reachable bool `json:"reachable"`
	// Replaceable: everybody can put another one in its place, as its directory, or that of
	// the link to it, may be written to and is not sticky.
	Replaceable bool `json:"replaceable"`
}

// FileSys is a file system in which sessions are.
type FileSys struct {
	Path       string `json:"path"` // of the directory that was asked about
	Free       uint64 `json:"free"` // bytes for those who are not root
	Size       uint64 `json:"size"`
	FreeInodes uint64 `json:"free_inodes"`
	Inodes     uint64 `json:"inodes"`  // 0: it has no fixed number
	Network    bool   `json:"network"` // NFS, CIFS and the like: their server has its own clock
	Kind       string `json:"kind,omitempty"`
}
