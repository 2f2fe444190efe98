package telemetry

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
	"github.com/gobeaker/gobeaker/compat"
)

// pagePath is docs/metrics.md, whose tables are made from the metrics: UPDATE_DOCS=1
// writes them.
var pagePath = filepath.Join("..", "..", "..", "..", "docs", "metrics.md")

func metricsTable(m *Metrics) string {
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | What |\n|---|---|---|---|\n")
	for _, f := range m.families {
		labels := ""
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, labels, inMarkdown(f.Help))
	}
	return b.String()
}

// inMarkdown keeps signs from having a meaning.
func inMarkdown(text string) string {
	return strings.NewReplacer("_", `\_`, "*", `\*`, "<", "&lt;", "|", `\|`).Replace(text)
}

func eventsTable() string {
	var b strings.Builder
	b.WriteString("| Event | Outcomes |\n|---|---|\n")
	for _, kind := range compat.EventKinds() {
		var all []string
		for _, o := range compat.Outcomes(kind) {
			all = append(all, "`"+string(o)+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", kind, strings.Join(all, ", "))
	}
	return b.String()
}

// TestPage: docs/metrics.md has the metrics that there are, and its rules ask for no others.
func TestPage(t *testing.T) {
	m := NewMetrics(Options{})
	data, err := os.ReadFile(pagePath)
	require.NoError(t, err)
	page := between(t, string(data), "metrics", metricsTable(m))
	page = between(t, page, "events", eventsTable())
	if os.Getenv("UPDATE_DOCS") == "1" {
		require.NoError(t, os.WriteFile(pagePath, []byte(page), 0o666))
		data = []byte(page)
	}
	require.Equal(t, page, string(data), "run it with UPDATE_DOCS=1")

	for _, block := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(page, -1) {
		path := filepath.Join(t.TempDir(), "gobeaker.toml")
		require.NoError(t, os.WriteFile(path, []byte(block[1]), 0o600))
		_, err := settings.Load(path)
		require.NoError(t, err, block[1])
	}

	known := map[string]family{}
	for _, f := range m.families {
		known[f.Name] = f
	}
	asked := regexp.MustCompile(`(gobeaker_[a-z_]+)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`([a-z_]+)\s*[=!]`)
	for _, q := range asked.FindAllStringSubmatch(page, -1) {
		name := strings.TrimSuffix(q[1], "_bucket")
		require.Contains(t, known, name)
		for _, l := range label.FindAllStringSubmatch(q[2], -1) {
			require.Contains(t, known[name].Labels, l[1], q[0])
		}
	}
}

// between puts text between the marks of a name.
func between(t *testing.T, page, name, text string) string {
	t.Helper()
	start, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(page, start)
	require.True(t, ok, start)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, end)
	return before + start + text + end + after
}
