package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

func (h *Health) check() error {
	if h == nil {
		return nil
	}
	if !strings.HasPrefix(h.Path, "/") {
		return errors.New("health: give the path to ask, as in /health")
	}
	if _, err := url.ParseRequestURI(h.Path); err != nil {
		return errors.New("health: the path is not one of a URL")
	}
	if h.Interval < 0 || h.Timeout < 0 {
		return errors.New("health: a time is not negative")
	}
	return nil
}

// watch asks an upstream how it is until the context ends.
func (g *Gateway) watch(ctx context.Context, r *route, t *target) {
	interval := r.conf.Health.Interval
	if interval == 0 {
		interval = 10 * time.Second
	}
	for {
		err := t.ask(ctx, r.conf.Health)
		if ctx.Err() != nil {
			return
		}
		if t.ill.Swap(err != nil) != (err != nil) {
			if err != nil {
				g.opts.Log.Error("upstream is down", "route", r.name, "upstream", t.name, "error", err)
			} else {
				g.opts.Log.Info("upstream is up again", "route", r.name, "upstream", t.name)
			}
		}
		select {
		case <-g.opts.After(interval):
		case <-ctx.Done():
			return
		}
	}
}

// ask asks once. The path is that on the upstream's host, whatever its base path.
func (t *target) ask(ctx context.Context, h *Health) error {
	timeout := h.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.Scheme+"://"+t.url.Host+h.Path, nil)
	if err != nil {
		return err
	}
	req.Host = h.Host
	req.Header.Set("User-Agent", "gobeaker-health")
	resp, err := t.bare.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return nil
}
