package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
)

// errSameStore: what is removed from the source would be the only copy.
var errSameStore = errors.New("move: the two sides are the same store under two names")

// probe makes sure that what is removed from the source is not the copy: one store can
// have two names, which no comparison of options tells. It writes a record without a
// session to the destination, and looks for it at the source.
func (c *copier) probe(ctx context.Context) (err error) {
	id, err := beakerfmt.NewID(rand.Reader)
	if err != nil {
		return err
	}
	put := func(pyvalue.Value) (pyvalue.Value, error) { return pyvalue.NewDict(), nil }
	switch err := c.updater.Update(ctx, id, put); {
	case errors.Is(err, stores.ErrInvalidID):
		return fmt.Errorf("%w: move: the destination takes no id of ours, by which to tell whether it is another store than the source", ErrOptions)
	case err != nil:
		return err
	}
	defer func() {
		take := func(pyvalue.Value) (pyvalue.Value, error) { return nil, stores.ErrRemove }
		err = errors.Join(err, c.updater.Update(context.WithoutCancel(ctx), id, take))
	}()
	switch _, err := c.o.From.Store.Get(ctx, id); {
	case errors.Is(err, stores.ErrNotExist), errors.Is(err, stores.ErrInvalidID):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: %w", ErrOptions, errSameStore)
}
