// Package livetest runs gobeaker beside real Python applications under real
// Beaker releases: one live session, two languages.
//
// Each Python peer is a process of its own (scripts/peerapp.py, unmodified
// SessionMiddleware); the Go side is a net/http server with package middleware
// in this process. Both work on the same directory, or on the same server of one of
// Beaker's other back ends (scripts/livestores; TestStores). scripts/setup-peers makes
// the peers; what it could not make is skipped, or a failure if
// GOBEAKER_REQUIRE_PEERS is 1.
package livetest

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// workerEnv holds the settings of a hammering process: this test binary
// starts itself again as one (hammer_test.go).
const workerEnv = "GOBEAKER_LIVETEST_WORKER"

func TestMain(m *testing.M) {
	if settings := os.Getenv(workerEnv); settings != "" {
		var s workerSettings
		if err := json.Unmarshal([]byte(settings), &s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if err := runWorker(s, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
