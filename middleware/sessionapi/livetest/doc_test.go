// Package livetest has only tests: a service in node uses the session API over a Unix
// socket, beside applications of real Beaker that use the same sessions.
package livetest
