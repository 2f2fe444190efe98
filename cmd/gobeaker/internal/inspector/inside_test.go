package inspector

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMeasure(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		name  string
		value float64
		want  string
	}{
		{"x_total", 0, "0"}, {"x_total", 999, "999"}, {"x_total", 1234567, "1,234,567"}, {"x", -1234, "-1,234"}, {"x", 0.25, "0.25"},
		{"x", math.NaN(), "–"}, {"x", math.Inf(1), "–"}, {"x", 1e20, "1e+20"},
		{"x_bytes", 1536, "1.5 KiB"}, {"x_bytes_total", 10, "10 bytes"},
		{"x_seconds", 0, "0 s"}, {"x_seconds", 0.000012, "12 µs"}, {"x_seconds", 0.0123, "12.3 ms"}, {"x_seconds", 3.5, "3.5 s"}, {"x_seconds", 3725, "1h2m5s"}, {"x_seconds (mean)", 0.5, "500 ms"}, {"x_seconds", 1e12, "1e+12 s"},
		{"x_timestamp_seconds", 1_799_999_000, "16 minutes ago"}, {"x_timestamp_seconds", 0, "never"}, {"process_start_time_seconds", 1_799_992_800, "2 hours ago"},
	} {
		require.Equal(t, c.want, measure(c.name, c.value, now), "%s %v", c.name, c.value)
	}
	for d, want := range map[time.Duration]string{
		0: "less than a second", time.Second: "1 second", 90 * time.Second: "1 minute 30 seconds", 2 * time.Hour: "2 hours",
		24*time.Hour + time.Second: "1 day", 36 * time.Hour: "1 day 12 hours",
	} {
		require.Equal(t, want, span(d))
	}
	for d, want := range map[time.Duration]string{0: "just now", time.Second: "1 second ago", 90 * time.Minute: "1 hour ago", 72 * time.Hour: "3 days ago", -time.Hour: "in the future"} {
		require.Equal(t, want, ago(d))
	}
}

func TestGroups(t *testing.T) {
	var names []string
	for _, g := range groups([]Number{{Name: "go_goroutines"}, {Name: "gobeaker_build_info"}, {Name: "gobeaker_store_x"}, {Name: "gobeaker_other_x"}, {Name: "gobeaker_http_x"}, {Name: "gobeaker_store_y"}}, time.Now()) {
		names = append(names, g.Name)
	}
	require.Equal(t, []string{"Requests", "Store", "Other", "Go runtime", "Build"}, names)
}

func TestSealed(t *testing.T) {
	g, other := NewGuard(nil), NewGuard(nil)
	text, err := g.seal("list", listLink{Query: query{Text: "ann"}, At: position{From: "id", Run: 3}})
	require.NoError(t, err)
	var link listLink
	require.True(t, g.open("list", text, &link))
	require.Equal(t, "ann", link.Query.Text)
	require.False(t, g.open("next", text, &link), "for another purpose")
	require.False(t, other.open("list", text, &link))
	again, err := g.seal("list", link)
	require.NoError(t, err)
	require.NotEqual(t, text, again)
	require.Regexp(t, `^[A-Za-z0-9_-]+$`, text)
	require.True(t, g.validForm("browser", "x", g.formToken("browser", "x")))
	require.False(t, g.validForm("browser", "x", ""))
	require.False(t, g.validForm("browser", "y", g.formToken("browser", "x")))
}

// FuzzOpen: nothing but what was sealed is opened.
func FuzzOpen(f *testing.F) {
	g := NewGuard(nil)
	f.Add("")
	f.Add(strings.Repeat("A", 60))
	f.Fuzz(func(t *testing.T, text string) {
		var link listLink
		require.False(t, g.open("list", text, &link))
	})
}

// FuzzWildcard compares with a regular expression.
func FuzzWildcard(f *testing.F) {
	for _, c := range [][2]string{{"", ""}, {"*", "x"}, {"a*b*c", "aXbYc"}, {"*b*b*", "b"}, {"a**", "a"}, {"ab*ba", "aba"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re, err := regexp.Compile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if err != nil || strings.ToValidUTF8(text, "") != text || strings.ToValidUTF8(pattern, "") != pattern {
			t.Skip("a regular expression is of UTF-8")
		}
		require.Equal(t, re.MatchString(text), wildcard(pattern, text))
	})
}

// FuzzSearch: every query is either taken or refused with a reason.
func FuzzSearch(f *testing.F) {
	i := &inspector{hide: func(key string) bool { return strings.Contains(key, "password") }}
	for _, text := range []string{"", "=", "a=", "a==b", "0123", "password=x", "*", "0123456789abcdef"} {
		f.Add(text, "live")
	}
	f.Fuzz(func(t *testing.T, text, state string) {
		m, problem := i.matcher(query{text, state})
		if problem != "" {
			require.Empty(t, m.key+m.hash)
			return
		}
		require.False(t, m.equal && (m.key == "" || strings.Contains(m.key, "password")))
		require.False(t, m.hash != "" && m.key != "")
	})
}
