// Package livetest runs the CSRF and flash helpers of package middleware beside
// the frameworks whose keys they read and write: Pylons with WebHelpers, Pyramid
// with pyramid_beaker, TurboGears.
//
// Each application is a process of its own (scripts/frameworks); the Go side is a
// net/http server in this process, over the same directory of sessions.
// scripts/setup-peers makes the environments; what it could not make is skipped,
// or a failure if GOBEAKER_REQUIRE_PEERS is 1.
package livetest
