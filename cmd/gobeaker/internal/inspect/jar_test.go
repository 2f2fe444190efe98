package inspect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
)

func TestJar(t *testing.T) {
	line := func(name, value string) string { return "h\tTRUE\t/\tFALSE\t0\t" + name + "\t" + value + "\n" }
	const head = "# Netscape HTTP Cookie File\n"
	for name, c := range map[string]struct {
		text, cookie, payload string
		warnings              int
	}{
		"one":           {head + line("a", "1"), "a", "1", 0},
		"by name":       {line("a", "1") + line("sid", "2"), "sid", "2", 0},
		"http only":     {line("a", "1") + "#HttpOnly_" + line("sid", "2"), "sid", "2", 0},
		"of two hosts":  {line("sid", "1") + line("a", "0") + line("sid", "2"), "sid", "2", 1},
		"CR LF":         {strings.ReplaceAll(head+line("sid", "2"), "\n", "\r\n"), "sid", "2", 0},
		"no value":      {head + line("sid", ""), "sid", "", 0},
		"a comment":     {head + "# " + line("sid", "1") + line("sid", "2"), "sid", "2", 0},
		"no newline":    {strings.TrimSpace(line("sid", "2")), "sid", "2", 0},
		"quoted, as is": {line("sid", `"2"`), "sid", `"2"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, inspect.IsJar(c.text))
			got, err := inspect.ParseCookie(c.text, "sid", nil)
			require.NoError(t, err)
			require.Equal(t, c.cookie, got.Name)
			require.Equal(t, strings.Trim(c.payload, `"`), got.Payload)
			require.Len(t, got.Warnings, c.warnings)
		})
	}
	var many strings.Builder
	for i := range 100 {
		many.WriteString(line(fmt.Sprint("c", i), "x"))
	}
	_, err := inspect.ParseCookie(many.String(), "sid", nil)
	require.ErrorIs(t, err, inspect.ErrNoCookie)
	require.ErrorContains(t, err, "c0, c1, ")
	require.NotContains(t, err.Error(), "c50")
	for _, text := range []string{"", "a=b", "a\tb", "h\tmaybe\t/\tFALSE\t0\ta\tb", "# comment"} {
		require.False(t, inspect.IsJar(text), text)
	}
}

func TestPlausible(t *testing.T) {
	for text, want := range map[string]bool{
		"38b5a66a9c2d4b49bb1bf68a67ad67a2d37d1b6f€": true, // signed, whatever follows
		"gAJ9cQAu": true, "gAJ9cQA": false, "hello, world": false, "": false, `{"a":1}`: false,
	} {
		c, err := inspect.ParseCookie(text, "sid", nil)
		require.NoError(t, err)
		require.Equal(t, want, c.Plausible(), text)
	}
}
