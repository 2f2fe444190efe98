// Package upkeep removes the sessions that nobody can use any more from a store,
// while Python and Go use it: Beaker itself never removes any.
//
// Whether a record goes is decided while all others are excluded from it, by the lock,
// transaction or compare-and-set that its store has against Python, on what is in it at
// that moment: the time of the last access and the timeout of the options, as Beaker
// decides it for a request. What a delete leaves goes as well. Nothing goes that could
// not be read, unless that is asked for.
//
// Beaker writes the time of the access with every write, so a record that was written
// more recently than the timeout should not have expired. Of such records the first
// thousand are looked into, and then one of sixteen; if one has expired all the same,
// as after a restore from a backup or by a program with another clock, all that follow
// are. [Options.All] looks into all in any case.
package upkeep
