package redisstore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOddRefusals: of what is no refusal of a Redis nothing is repeated.
func TestOddRefusals(t *testing.T) {
	for _, text := range []string{"", " ", strings.Repeat("A", 100000), "secret", "Sekrit x", "A1 x"} {
		require.Equal(t, "the server answers with an error", refused(text).Error())
	}
	require.Equal(t, "the server answers ERR", refused("ERR secret").Error())
}
