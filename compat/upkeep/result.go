package upkeep

import "github.com/gobeaker/gobeaker/stores/filestore"

// Result is what a run did, or did so far.
type Result struct {
	Listed int64 // records that there are
	Recent int64 // of these, written too recently to be expired, and not looked into
	Live   int64 // sessions that stay

	Expired int64 // removed: past the timeout
	Older   int64 // removed: not used for OlderThan
	Dead    int64 // removed: what a delete leaves
	Broken  int64 // removed: corrupt or undecryptable ones, as asked for
	Bytes   int64 // of those that were removed, where the store tells

	Corrupt       int64 // left: they cannot be read
	Undecryptable int64 // left: no key opens them
	// Other are records without a session: a cache's, or gone since they were listed.
	Other  int64
	Failed int64 // could not be handled

	// Resumed: the run went on where an earlier one was broken off.
	Resumed bool
	// Complete: all records were seen, up to the end of the list.
	Complete bool
	Sweep    filestore.SweepResult
}

// Removed is how many records were removed.
func (r Result) Removed() int64 { return r.Expired + r.Older + r.Dead + r.Broken }

func (r *Result) add(o Result) {
	r.Listed += o.Listed
	r.Recent += o.Recent
	r.Live += o.Live
	r.Expired += o.Expired
	r.Older += o.Older
	r.Dead += o.Dead
	r.Broken += o.Broken
	r.Bytes += o.Bytes
	r.Corrupt += o.Corrupt
	r.Undecryptable += o.Undecryptable
	r.Other += o.Other
	r.Failed += o.Failed
}
