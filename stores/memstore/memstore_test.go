package memstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		New: func(*testing.T) stores.Store { return memstore.New() },
	})
}

func TestRuleOfIDs(t *testing.T) {
	rule, err := beakerfmt.NewIDRule(`[a-z.]+`)
	require.NoError(t, err)
	s := &memstore.Store{IDs: rule}
	require.NoError(t, s.Put(t.Context(), "some.id", pyvalue.None{}))
	require.ErrorIs(t, s.Put(t.Context(), "UPPER", pyvalue.None{}), stores.ErrInvalidID)
}
