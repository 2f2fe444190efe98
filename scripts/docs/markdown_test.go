package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// part is a fenced block of a page without its fences, or what stands between two.
type part struct {
	block            bool
	language, indent string
	text             string // without the indent
	source           string // as it is in the page
	line             int    // of the first line
}

// parse takes a page apart.
func parse(t *testing.T, page string) []part {
	t.Helper()
	parts := []part{{line: 1}}
	number := 0
	for line := range strings.Lines(page) {
		number++
		last := &parts[len(parts)-1]
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && !last.block:
			last.source += line
			last.text += line
			indent := line[:strings.Index(line, "`")]
			parts = append(parts, part{block: true, language: language, indent: indent, line: number + 1})
		case fence:
			parts = append(parts, part{line: number, source: line})
		default:
			last.source += line
			last.text += strings.TrimPrefix(line, last.indent)
		}
	}
	require.False(t, parts[len(parts)-1].block, "a block without an end")
	return parts
}

var fileLine = regexp.MustCompile(`^(?:#|;|//) file: (\S+)\n`)

// file is the name of the file that a block is, and what is in it.
func (p part) file() (name, content string) {
	if m := fileLine.FindStringSubmatch(p.text); p.block && m != nil {
		return m[1], p.text[len(m[0]):]
	}
	return "", ""
}

// command is a command of a block, and what is to be printed.
type command struct {
	text   string // as the shell gets it
	source string // as it is in the page
	want   string
	line   int
}

func (p part) commands(t *testing.T) (all []command) {
	t.Helper()
	at := p.line
	for line := range strings.Lines(p.text) {
		if text, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, command{text: text, source: line, line: at})
		} else {
			require.NotEmpty(t, all, "line %d: a block of console begins with a command", at)
			c := &all[len(all)-1]
			if text, ok := strings.CutPrefix(line, "> "); ok && c.want == "" {
				c.text += text
				c.source += line
			} else {
				c.want += line
			}
		}
		at++
	}
	return all
}

// indented is text as it stands in the page.
func (p part) indented(text string) string {
	if p.indent == "" {
		return text
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			out.WriteString(p.indent)
		}
		out.WriteString(line)
	}
	return out.String()
}

// matches tells whether got is what a page shows.
func matches(want, got string) bool {
	var pattern strings.Builder
	pattern.WriteString(`^`)
	for line := range strings.Lines(want) {
		if line == "...\n" {
			pattern.WriteString(`(?s:.*\n)??`)
			continue
		}
		for i, piece := range strings.Split(line, "…") {
			if i > 0 {
				pattern.WriteString(`.+?`)
			}
			pattern.WriteString(regexp.QuoteMeta(piece))
		}
	}
	pattern.WriteString(`$`)
	return regexp.MustCompile(pattern.String()).MatchString(got)
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		want, got string
		same      bool
	}{
		{"", "", true},
		{"", "a\n", false},
		{"a\n", "a\n", true},
		{"a\n", "a\nb\n", false},
		{"a\n", "b\na\n", false},
		{"...\na\n", "b\nc\na\n", true},
		{"...\na\n", "a\n", true},
		{"...\na\n", "ba\n", false},
		{"a\n...\n", "a\n", true},
		{"a\n...\nc\n", "a\nb\nc\n", true},
		{"a … c\n", "a b c\n", true},
		{"a … c\n", "a  c\n", false},
		{"a … c\n", "a b\n c\n", false},
		{"a.c\n", "abc\n", false},
	} {
		require.Equal(t, test.same, matches(test.want, test.got), "%q %q", test.want, test.got)
	}
}

func TestParse(t *testing.T) {
	page := "Text.\n\n- one\n\n  ```console\n  $ a\n  > b\n  c\n\n  d\n  $ e\n  ```\n\n```toml\n# file: x.toml\ny = 1\n```\nEnd.\n"
	parts := parse(t, page)
	require.Len(t, parts, 5)
	all := ""
	for _, p := range parts {
		all += p.source
	}
	require.Equal(t, page, all)
	require.Equal(t, []command{
		{text: "a\nb\n", source: "$ a\n> b\n", want: "c\n\nd\n", line: 6},
		{text: "e\n", source: "$ e\n", line: 11},
	}, parts[1].commands(t))
	require.Equal(t, "  $ a\n  > b\n  c\n\n  d\n  $ e\n", parts[1].indented(parts[1].text))
	name, content := parts[3].file()
	require.Equal(t, []string{"x.toml", "y = 1\n"}, []string{name, content})
}
