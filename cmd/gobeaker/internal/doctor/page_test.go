package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pagePath is docs/doctor.md, which is made from the checks: UPDATE_DOCS=1 writes it.
var pagePath = filepath.Join("..", "..", "..", "..", "docs", "doctor.md")

const pageStart = `# What gobeaker doctor looks for

` + "`gobeaker doctor production.ini`" + ` examines the session options of an application, how several
applications go together, what is in their store, and (with ` + "`--python`" + `) the Python that they
run with. Which Python and Beaker that is also decides how the ini is read; ` + "`--python shop.ini=EXE`" + `,
` + "`--peer shop.ini=PEER`" + ` and ` + "`--framework shop.ini=NAME`" + ` hold for one of several. It writes nothing and shows
nothing secret. ` + "`gobeaker doctor --help`" + ` has the flags.

Each finding has a code. Codes do not change: ` + "`--skip code`" + ` leaves a check out, ` + "`--only code`" + `
does it alone. The severities below are the usual ones; a finding may be graver or less grave
than that, and says why. Exit code 0: nothing but information; 6: warnings; 1: errors.

This page is made from the program itself; a test keeps it equal.

| Code | Severity | What it finds |
|---|---|---|
`

func page() string {
	var b strings.Builder
	b.WriteString(pageStart)
	for _, c := range Checks() {
		fmt.Fprintf(&b, "| [%s](#%[1]s) | %s | %s |\n", c.Code, c.Severity, inMarkdown(c.Title))
	}
	for _, c := range Checks() {
		fmt.Fprintf(&b, "\n## %s\n\n**%s** (%s). %s\n\n*To do:* %s\n", c.Code, inMarkdown(c.Title), c.Severity, inMarkdown(c.Explanation), inMarkdown(c.Remedy))
	}
	return b.String()
}

// inMarkdown keeps signs from having a meaning.
func inMarkdown(text string) string {
	return strings.NewReplacer("_", `\_`, "*", `\*`, "<", "&lt;", "|", `\|`).Replace(text)
}

// TestPage: docs/doctor.md says what the checks say.
func TestPage(t *testing.T) {
	if os.Getenv("UPDATE_DOCS") == "1" {
		require.NoError(t, os.MkdirAll(filepath.Dir(pagePath), 0o777))
		require.NoError(t, os.WriteFile(pagePath, []byte(page()), 0o666))
	}
	data, err := os.ReadFile(pagePath)
	require.NoError(t, err)
	require.Equal(t, page(), string(data), "run it with UPDATE_DOCS=1")
}
