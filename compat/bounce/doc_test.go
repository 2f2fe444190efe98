// Package bounce passes one session to and fro between live Python and Go, a
// thousand times, each changing something, and looks whether anything was lost.
//
// The Python side is a process (scripts/bounce/worker.py) that runs requests in
// the whole stack of Beaker or of a framework; the Go side is package compat. What
// the session must hold is kept by neither of them (model). scripts/setup-peers
// makes the peers; what it could not make is skipped, or a failure if
// GOBEAKER_REQUIRE_PEERS is 1.
//
//	TestBounce        cookies and files, with every Beaker and every framework
//	TestBounceStores  every back end, with the client libraries that Beaker uses there
package bounce
