package compat

import (
	"context"
	"errors"
	"fmt"
)

// What Lock and Unlock return when they are called out of turn.
var (
	ErrNotLocked = errors.New("session is not locked")
	ErrLocked    = errors.New("session is locked already")
	ErrClosed    = errors.New("the request of the session is over")
)

// Lock takes the lock of the session's record, the one that Beaker takes, and
// waits for it at most until ctx ends. Reload afterwards to see what others
// wrote. Always Unlock; the end of the request does it for those who forget.
func (s *Session) Lock(ctx context.Context) error {
	if s.m.locker == nil {
		return fmt.Errorf("compat: lock: cookie-only sessions have no locks, nor have those of this store: %w", ErrUnsupported)
	}
	id, err := s.idToLock()
	if err != nil {
		return fmt.Errorf("compat: lock: %w", err)
	}
	held, unlock, err := s.m.locker.Lock(ctx, id)
	if err != nil {
		return fmt.Errorf("compat: lock: %w", err)
	}
	defer s.enter()()
	if err := s.lockable(); err != nil { // meanwhile
		return fmt.Errorf("compat: lock: %w", errors.Join(err, unlock()))
	}
	s.held, s.unlock = held, unlock
	return nil
}

// idToLock is the id, if the session can be locked at all.
func (s *Session) idToLock() (string, error) {
	defer s.enter()()
	return s.id, s.lockable()
}

func (s *Session) lockable() error {
	switch {
	case s.closed:
		return ErrClosed
	case s.unlock != nil:
		return ErrLocked
	}
	return nil
}

// Unlock gives the lock back.
func (s *Session) Unlock() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unlock == nil {
		return fmt.Errorf("compat: unlock: %w", ErrNotLocked)
	}
	unlock := s.unlock
	s.held, s.unlock = nil, nil
	return unlock()
}

// close ends the request: a lock that is still held is given back, and none is
// taken any more.
func (s *Session) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if err := s.Unlock(); err != nil && !errors.Is(err, ErrNotLocked) {
		return err
	}
	return nil
}

// lockedContext returns the context for store operations: ctx, and with it the
// lock that the session holds, if any.
func (s *Session) lockedContext(ctx context.Context) context.Context {
	if s.held == nil {
		return ctx
	}
	return lockedContext{ctx, s.held}
}

// lockedContext ends when its Context ends, and carries what held carries.
type lockedContext struct {
	context.Context
	held context.Context
}

func (c lockedContext) Value(key any) any {
	if v := c.held.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}
