// Package memcachedstore keeps sessions in memcached (type = ext:memcached), where
// Beaker keeps them: under the same key, on the same server, in a form that each of
// its client libraries reads.
//
// # Which server
//
// With several servers the client library decides which one has a session, and each
// library decides otherwise: see [Client]. [Selector] does it as they do, also when a
// server is down. python-memcached then takes another one, which has not got the
// session: Beaker sees a new one, and so do we. When the server is back it is asked
// again after 30 seconds, counted by each client process for itself, and may still
// have the session as it was before. pylibmc takes no other one: what is there cannot
// be reached meanwhile.
//
// # What is not as in Beaker
//
// Beaker writes by "set", of which memcached drops the old value if there is no room
// for the new one. [Store.Put] writes by "replace" and "add", which leave it.
// [Store.Update] writes by "cas" what nobody has changed since it was read.
//
// Items have no time of expiry, as Beaker's sessions have none there. What memcached
// evicts for want of memory is gone.
package memcachedstore
