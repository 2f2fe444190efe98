//go:build race

package telemetry

// Under the race detector a sync.Pool, such as slog's, forgets things at random.
func init() { forgetfulPools = true }
