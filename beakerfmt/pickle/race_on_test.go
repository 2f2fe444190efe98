//go:build race

package pickle_test

// Under the race detector sync.Pool forgets now and then, on purpose.
const raceDetector = true
