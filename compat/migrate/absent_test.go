package migrate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat/migrate"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// hollow lists records in which there is no session, as Beaker's empty databases of type
// dbm, and those of gone, which are not there any more.
type hollow struct {
	*memstore.Store
	gone map[string]bool
}

func (s hollow) Get(_ context.Context, id string) (pyvalue.Value, error) {
	return nil, fmt.Errorf("hollow: %w", stores.ErrNotExist)
}

func (s hollow) Update(_ context.Context, id string, f func(pyvalue.Value) (pyvalue.Value, error)) error {
	_, err := f(nil)
	return err
}

func (s hollow) Modified(_ context.Context, id string) (time.Time, error) {
	if s.gone[id] {
		return time.Time{}, stores.ErrNotExist
	}
	return now, nil
}

// TestHollow: a record without a session is not one that has gone.
func TestHollow(t *testing.T) {
	from := side(t, &hollow{memstore.New(), map[string]bool{id(3): true}}, nil)
	to := side(t, memstore.New(), nil)
	for n := range 4 {
		put(t, from, id(n), session(n, time.Minute))
	}
	want := migrate.Counts{Listed: 4, Empty: 3, Gone: 1}
	require.Equal(t, want, run(t, migrate.Options{From: from, To: to}))
	require.Equal(t, want, run(t, migrate.Options{From: from, To: from}), "in place")
	c, err := migrate.Verify(t.Context(), migrate.Options{From: from, To: to})
	require.NoError(t, err)
	require.Equal(t, want, c)
}
