package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// verdict is what becomes of a record.
type verdict uint8

const (
	live verdict = iota
	expired
	older
	dead
	broken // cannot be read, and is to go
	corrupt
	undecryptable
	other
)

func (v verdict) removes() bool {
	return v == expired || v == older || v == dead || v == broken
}

func (v verdict) count(r *Result, size int64) {
	if v.removes() {
		r.Bytes += size
	}
	switch v {
	case live:
		r.Live++
	case expired:
		r.Expired++
	case older:
		r.Older++
	case dead:
		r.Dead++
	case broken:
		r.Broken++
	case corrupt:
		r.Corrupt++
	case undecryptable:
		r.Undecryptable++
	case other:
		r.Other++
	}
}

// judge decides about a session value. Old reports whether its record was written
// longer ago than that; it is asked where the session does not tell.
func (c *Collector) judge(v pyvalue.Value, old func(age time.Duration) bool) verdict {
	if v == nil {
		// There is no session in it: nothing of ours, for a cache may be in the same place
		// and be kept in the same way.
		return other
	}
	e, err := c.manager.Examine(v)
	switch {
	case err == nil:
		return c.judgeSession(e, old)
	case errors.Is(err, beakerfmt.ErrEncrypted), errors.Is(err, beakerfmt.ErrDecrypt), errors.Is(err, beakerfmt.ErrPlaintext):
		if c.o.Undecryptable && old(c.unreadableAge()) {
			return broken
		}
		return undecryptable
	case c.o.Corrupt && old(c.unreadableAge()):
		return broken
	}
	return corrupt
}

func (c *Collector) judgeSession(e compat.Examined, old func(age time.Duration) bool) verdict {
	switch {
	case e.State == compat.Dead:
		return dead
	case e.State == compat.Expired:
		return expired
	case c.o.OlderThan == 0:
		return live
	}
	tooOld := false
	if e.Accessed.IsZero() {
		tooOld = old(c.o.OlderThan)
	} else {
		tooOld = c.o.Now().Sub(e.Accessed) > c.o.OlderThan
	}
	if tooOld {
		return older
	}
	return live
}

// dater is a store that tells when a record was last written, without a lock.
type dater interface {
	Modified(ctx context.Context, id string) (time.Time, error)
}

// oldness returns what judge asks for: by the store's own word at that moment if it
// has one, for somebody may have written since the list.
func (c *Collector) oldness(ctx context.Context, info stores.Info) func(age time.Duration) bool {
	return func(age time.Duration) bool {
		modified := info.Modified
		if d, ok := inner[dater](c.store); ok {
			var err error
			if modified, err = d.Modified(ctx, info.ID); err != nil {
				return false
			}
		}
		return !modified.IsZero() && c.o.Now().Sub(modified) > age
	}
}

// inner returns s, or the first of those that it wraps, that has a capability of which
// package stores does not know.
func inner[Capability any](s stores.Store) (Capability, bool) {
	for {
		if c, ok := s.(Capability); ok {
			return c, true
		}
		w, ok := s.(stores.Wrapper)
		if !ok {
			var none Capability
			return none, false
		}
		s = w.Unwrap()
	}
}
