package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// Verify compares the two sides record by record and writes nothing. A session of the
// source that the destination has is counted as Done, or as Later if it was used there since; one
// that it does not have is a Problem, and so is one that is there and not the same, or that was logged out at the source.
func Verify(ctx context.Context, o Options) (Counts, error) {
	if err := o.check(); err != nil {
		return Counts{}, fmt.Errorf("migrate: %w: %w", ErrOptions, err)
	}
	p := newPass(&o)
	err := p.run(ctx, p.verify)
	return p.counts, wrap("verify", err)
}

func (c *copier) verify(ctx context.Context, b *batch) error {
	b.counts.Listed += int64(len(b.infos))
	for _, info := range b.infos {
		if err := c.verifyOne(ctx, b, info); err != nil {
			return err
		}
	}
	return nil
}

var (
	errMissing = errors.New("the destination has no such session")
	errOther   = errors.New("the destination has another session")
	errOutlive = errors.New("it was logged out at the source, and the destination still has it; another pass removes it")
	errForm    = errors.New("the destination has it in another form than its settings say, so its Python may not read it; another pass converts it")
)

func (c *copier) verifyOne(ctx context.Context, b *batch, info stores.Info) error {
	id := info.ID
	v, err := stores.Look(ctx, c.o.From.Store, id)
	switch {
	case errors.Is(err, stores.ErrNotExist):
		c.absent(ctx, b, id)
		return nil
	case err != nil:
		return c.fail(b, id, Unreadable, err)
	}
	e, err := c.o.From.Manager.Examine(v)
	switch {
	case err != nil:
		return c.fail(b, id, reasonOf(err), err)
	case e.State == compat.Dead:
		b.counts.Empty++
		return c.verifyLogout(ctx, b, info)
	case e.State == compat.Expired && !c.o.All:
		b.counts.Expired++
		return nil
	}
	there, err := c.o.To.Store.Get(ctx, id)
	switch {
	case errors.Is(err, stores.ErrNotExist):
		return c.fail(b, id, Missing, errMissing)
	case err != nil:
		return c.fail(b, id, Conflict, err)
	}
	if _, err := c.into.adapt(&e); err != nil {
		return c.fail(b, id, Inexpressive, err)
	}
	it := item{id: id, session: e.Values, accessed: e.Accessed}
	result, err := c.judge(&it, there)
	switch {
	case err != nil:
		return c.fail(b, id, Conflict, err)
	case result.outcome == replace:
		return c.fail(b, id, Different, errOther)
	case result.outcome == reform:
		return c.fail(b, id, Inexpressive, errForm)
	}
	b.count(result.outcome)
	return nil
}

// verifyLogout looks whether a session that was logged out at the source is still there.
func (c *copier) verifyLogout(ctx context.Context, b *batch, info stores.Info) error {
	if c.o.KeepLoggedOut {
		return nil
	}
	there, err := c.o.To.Store.Get(ctx, info.ID)
	switch {
	case errors.Is(err, stores.ErrNotExist), errors.Is(err, stores.ErrCorrupt):
		return nil
	case err != nil:
		return c.fail(b, info.ID, Conflict, err)
	case c.outlived(there, info):
		return c.fail(b, info.ID, Different, errOutlive)
	}
	return nil
}
