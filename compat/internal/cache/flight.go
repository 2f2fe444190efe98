package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/singleflight"
)

// readTime limits the time of a read that nobody may be waiting for any more. Who had
// only joined it reads once again.
const readTime = 10 * time.Second

// tooLong is the error of a read that took longer than readTime.
type tooLong struct{ error }

// Flights has those who want to read the same at the same time read it once. It is safe
// for concurrent use.
type Flights[V any] struct{ group singleflight.Group }

// Forget has whoever comes from now on not wait for a read that began before.
func (f *Flights[V]) Forget(key string) { f.group.Forget(key) }

// Read calls read, or waits for the call of somebody else for the same key that began
// after the key was last forgotten; led tells which. The read goes on if ctx ends, so that
// who leaves takes nothing from those who wait with him, and has what else ctx carries. It
// must not change its result afterwards: all who wait get the same.
func (f *Flights[V]) Read(ctx context.Context, key string, read func(context.Context) (V, error)) (v V, led bool, err error) {
	ours := false // written by the read, and looked at after it
	for again := false; ; again = true {
		if err := ctx.Err(); err != nil {
			return v, false, err
		}
		done := f.group.DoChan(key, func() (got any, err error) {
			ours = true
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
			defer cancel()
			defer func() {
				if p := recover(); p != nil {
					err = &panicked{p, debug.Stack()}
				}
			}()
			got, err = read(ctx)
			if err != nil && ctx.Err() != nil {
				err = tooLong{err}
			}
			return got, err
		})
		select {
		case <-ctx.Done():
			return v, false, ctx.Err()
		case result := <-done:
			if p, ok := result.Err.(*panicked); ok {
				panic(p)
			}
			late, isLate := result.Err.(tooLong)
			switch {
			case isLate && !ours && !again:
				continue
			case isLate:
				return v, ours, late.error
			}
			v, _ = result.Val.(V)
			return v, ours, result.Err
		}
	}
}

// panicked carries a panic from the goroutine of a read to those who wait for it.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }
