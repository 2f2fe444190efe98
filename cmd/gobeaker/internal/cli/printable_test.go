package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain text\nof lines": "plain text\nof lines", "\ufffd ├─ 'ü' → …": "\ufffd ├─ 'ü' → …",
		"os\x1b]0;title\a.system":       `os\x1b]0;title\x07.system`,
		"c1 \u009b31m \x7f \r \b \t":    `c1 \x9b31m \x7f \x0d \x08 \x09`,
		"bytes \x9b31m \xff":            `bytes \x9b31m \xff`,
		"bidi \u202e \u2028 \U000e0001": `bidi \u202e \u2028 \ue0001`,
	} {
		require.Equal(t, want, printable(in))
	}
}
