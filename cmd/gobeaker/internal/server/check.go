package server

import (
	"context"
	"fmt"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/telemetry"
)

// Check does all that [New] does with a configuration, its files included, but connects
// to nothing: neither to the session store nor to an upstream. It returns in a word what
// would be served.
func Check(ctx context.Context, c settings.Config, env Environment) (string, error) {
	s := newServer(c, env)
	s.checking = true
	n, err := s.resolve(c)
	if err != nil {
		return "", err
	}
	if err := tracing(&c, env).Check(); err != nil {
		return "", fmt.Errorf("server: %s[tracing]: %w: %w", c.At("tracing"), settings.ErrConfig, err)
	}
	s.now.Store(n)
	s.metrics = telemetry.NewMetrics(telemetry.Options{Version: env.Version, Commit: env.Commit, Now: env.Now, Log: n.log})
	if err := s.build(ctx, n, nil, false); err != nil {
		return "", err
	}
	s.release(n)
	name := c.File()
	if name == "" {
		name = "the configuration"
	}
	return fmt.Sprintf("%s is good: %s", name, s.what(&c)), nil
}

// tracing is where the configuration has traces go.
func tracing(c *settings.Config, env Environment) telemetry.Tracing {
	return telemetry.Tracing{Endpoint: c.Tracing.Endpoint, Ratio: c.Tracing.Ratio, Service: c.Tracing.Service, Version: env.Version}
}
