// Package redisstore keeps sessions in Redis beside Beaker's ext:redis and
// ext:rediscluster: the same keys, the same values, the same lifetime.
//
//	beaker_cache:<id>:session    the pickle of the session value
//
// A write is SET, or SETEX where [Options.TTL] is set. [Store.Update] is WATCH, GET,
// MULTI, EXEC, so it never overwrites what a Python process wrote meanwhile; when
// somebody did, its function is called again.
//
// # Addresses
//
// A url means what redis-py's from_url makes of it since its version 4 (3.x takes
// percent signs literally), oddities included: a path that is no number is database
// 0, an option without a value is not there, the first of two of a name counts. Of
// redis-py's options
//
//   - db, username, password, host, port, path, socket_timeout,
//     socket_connect_timeout, max_connections, client_name, ssl_cert_reqs,
//     ssl_check_hostname, ssl_ca_certs, ssl_ca_path, ssl_ca_data, ssl_certfile,
//     ssl_keyfile and ssl_min_version are honoured;
//   - those that have to do with redis-py itself (retry_on_timeout,
//     health_check_interval, encoding, protocol …) are checked and passed over;
//   - all others are refused, as redis-py refuses what it does not know, when it
//     connects. decode_responses is among them: with it Beaker cannot read its own
//     pickles.
//
// The name of a TLS server is checked unless ssl_check_hostname says no, as in
// redis-py since 6.0; before, redis-py did not.
//
// Of the urls of a cluster Beaker takes host and port alone, and the rest from further
// options of the same names ([Options.Extra]). Here the first url may also bring
// credentials, TLS and options, which Beaker would pass over.
//
// Beaker has no configuration for Sentinel. [Options.MasterName] and
// [Options.Sentinels] are ours; the url then gives everything but the address.
//
// # Faults
//
// Reads are tried again a few times, writes only when they certainly were not done:
// nobody could be reached, or the server said so. Any other write that fails on the
// way is [stores.ErrUncertain]. That the caller's context ends by its deadline is
// noticed at once; a cancellation when the server answers, or at the timeout. A
// write that was under way then may have been done.
package redisstore
