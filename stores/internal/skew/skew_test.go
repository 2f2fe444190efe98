package skew

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWidest(t *testing.T) {
	var w Widest
	at := time.Now()
	w.Add(at.Add(time.Second), at, at.Add(2*time.Second)) // in the middle: no difference
	require.Zero(t, w.most)
	w.Add(at.Add(-time.Hour), at, at)
	w.Add(at.Add(time.Minute), at, at)
	require.Equal(t, -time.Hour, w.most)
	require.True(t, w.Now().Before(at.Add(-time.Minute)))
	require.Equal(t, time.UTC, w.Now().Location())
}
