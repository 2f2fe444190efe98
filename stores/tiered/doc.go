// Package tiered is a store over two others, a new one and an old one, for as long as
// sessions move from the old to the new while everything runs.
//
// Only Go can read both. A Python process is on the old store until it is restarted
// with other settings, and from then on the new one. So there are three phases, and
// [Options] are to fit the one that the Python processes are in:
//
//	phase                       Read          Write         Manager above
//	1 all Python on the old     ReadOld       WriteBoth     with the old options
//	2 some here, some there     ReadNewest    WriteBoth     with the new options
//	3 all Python on the new     ReadNewFirst  WriteNewOnly  with the new options
//
// Without Python, or with Python stopped meanwhile, phase 3 is all that is needed. To
// be able to go back from it, use WriteBoth there too.
//
// # Phase 1
//
// The old store leads: it alone is read, so Go and Python see each other's sessions as
// ever. What Go writes is copied to the new store after it; that this fails is no
// error but told to [Options.Report]. What Python writes comes there by passes of
// package migrate. Before phase 2 make one, and again until little is left to do.
//
// # Phase 2
//
// A session may have gone on in either store. Of two records the one that
// [Options.Newer] prefers counts, by the time of the last access (let the clocks of
// the machines agree): the last writer wins, with the whole session, as it does
// between two requests to Python. What the other one changed since the two were last
// equal is lost. A Get that finds the two different makes them equal, so that a
// session that passes through Go is the same on either side; where every request does,
// in a gateway that loads the session before it hands the request on, Python on either
// side always finds what the other side left, as long as the requests of one session
// do not overlap. Where requests pass Go by, Python on the new store does not know who
// logged in at Python on the old since the last pass: keep the users at one side
// (sticky sessions), or make this phase short, or leave it out: stop Python, make a
// pass, start it again.
//
// A logout by Python leaves a record without a session in it and without a time. It is
// believed, whatever the other side has, and both records are removed by the next Get.
// Who logged in again on the other side before anybody looked has to do it once more.
//
// An update takes the locks that there are, the new store's first, and writes the new
// record, then the old one. If either cannot be reached it is an error.
//
// # Phase 3
//
// The new store leads. The old one is asked for what the new one does not have, and
// such a session is written to the new store when it is next saved; Python finds those
// that a pass or Go has copied. With [Options.Move] the old record is then removed.
// Without it, let nothing remove records without a session from the new store
// ("gobeaker gc") as long as the old one is behind it, or a logout would be forgotten.
//
// # In all phases
//
// The processes of Go need not change their options at the same moment: one that is a
// phase behind or ahead of another sees what that one writes.
//
// Nobody is logged out by the move itself: a session that is in the store that leads,
// or only in the one behind it, is found, and a store that cannot be asked is an error
// and no logout. A delete removes both records, and if one of them could not be
// removed it says so. Only if there is no lock for all that write a session (neither store
// has locks, as none but files and dbm have, or with WriteNewOnly the new one has none)
// a session may stay that one process deletes in the moment in which two others save it, as
// with two requests to Beaker. Records are written to each store in the form that its Python
// reads: see [Options.ToNew].
package tiered
