package server

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPercentFor(t *testing.T) {
	for used, want := range map[uint64]int{
		0: 800, 1 << 20: 800, 3 << 20: 800, 4 << 20: 800, 5 << 20: 800, 9 << 20: 400, 16 << 20: 200, 31 << 20: 200, 32 << 20: 100, 1 << 40: 100,
	} {
		require.Equal(t, want, percentFor(used), "%d", used)
	}
}
