// Package matrix writes down which Beakers, Pythons, AES libraries and
// serializers are tested: the table of the README, and MATRIX.md with the names
// of the fixtures and a table for each of the other back ends. It has only a test, which fails when they are out of date:
//
//	go test ./scripts/matrix -update
package matrix

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the tables anew")

const (
	manifest = "../../testdata/fixtures/manifest.jsonl"
	full     = "../../testdata/fixtures/MATRIX.md"
	readme   = "../../README.md"
	begin    = "<!-- begin: go test ./scripts/matrix -update -->\n"
	end      = "<!-- end -->\n"
)

// columns are the AES libraries, and how the manifest calls them.
var columns = []struct {
	title string
	names []string
}{
	{"no AES", []string{"none", "noencryption"}},
	{"PyCrypto(dome)", []string{"pycrypto", "pycryptodome"}},
	{"pycryptopp", []string{"pycryptopp"}},
	{"cryptography", []string{"cryptography"}},
	{"nss", []string{"nss", "default-nss"}},
}

type fixture struct {
	ID, Kind, Backend, Beaker, Python, Crypto, Serializer, Client string
	Store                                                         struct{ WhichDB string }
}

// inStore: it is of another back end than files and cookies, where the AES library
// makes no difference.
func (f fixture) inStore() bool { return f.Backend != "file" && f.Backend != "cookie" }

// cell is one Beaker with one column and one serializer.
type cell struct {
	beaker, serializer string
	column             int
}

func TestMatrix(t *testing.T) {
	all := read(t)
	cells := cellsOf(t, all)
	table, names := short(cells), long(cells)+stores(all)
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "the README has no place for the table")
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	want := before + begin + table + end + after
	if *update {
		require.NoError(t, os.WriteFile(readme, []byte(want), 0o644))
		require.NoError(t, os.WriteFile(full, []byte(names), 0o644))
		return
	}
	require.Equal(t, want, string(text), "run go test ./scripts/matrix -update")
	have, err := os.ReadFile(full)
	require.NoError(t, err)
	require.Equal(t, names, string(have), "run go test ./scripts/matrix -update")
}

// read returns the positive fixtures.
func read(t *testing.T) (all []fixture) {
	t.Helper()
	file, err := os.Open(manifest)
	require.NoError(t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var f fixture
		require.NoError(t, json.Unmarshal(lines.Bytes(), &f))
		if f.Kind == "positive" {
			all = append(all, f)
		}
	}
	require.NoError(t, lines.Err())
	return all
}

// cellsOf returns the fixtures in files and cookies of every cell.
func cellsOf(t *testing.T, all []fixture) map[cell][]fixture {
	t.Helper()
	cells := map[cell][]fixture{}
	for _, f := range all {
		if f.inStore() {
			continue
		}
		c := cell{beaker: f.Beaker, serializer: f.Serializer, column: column(f.Crypto)}
		require.GreaterOrEqual(t, c.column, 0, f.Crypto)
		cells[c] = append(cells[c], f)
	}
	require.NotEmpty(t, cells)
	return cells
}

func column(crypto string) int {
	crypto = strings.TrimSuffix(crypto, "-shim")
	for i, c := range columns {
		if slices.Contains(c.names, crypto) {
			return i
		}
	}
	return -1
}

// beakers in the order of their versions; "master" is the last.
func beakers(cells map[cell][]fixture) []string {
	seen := map[string]bool{}
	for c := range cells {
		seen[c.beaker] = true
	}
	return inOrder(seen)
}

func inOrder(seen map[string]bool) []string {
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return slices.Compare(version(a), version(b)) })
}

func version(text string) (numbers []int) {
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "sys"), ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			n = 1 << 20
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// short is the table of the README.
func short(cells map[cell][]fixture) string {
	var b strings.Builder
	b.WriteString("| Beaker |")
	for _, c := range columns {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, beaker := range beakers(cells) {
		b.WriteString("| " + beaker + " |")
		for i := range columns {
			b.WriteString(" " + content(cells[cell{beaker, "pickle", i}], cells[cell{beaker, "json", i}]) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// content is that of a cell: JSON is named apart only where its Pythons are others.
func content(pickle, json []fixture) string {
	switch p, j := pythons(pickle), pythons(json); {
	case j == "":
		return p
	case p == j:
		return p + " (+ JSON)"
	default:
		return p + "; JSON: " + j
	}
}

// pythons are the Pythons of fixtures, those in a row as a range.
func pythons(all []fixture) string {
	seen := map[string]bool{}
	for _, f := range all {
		v := version(f.Python)
		seen[fmt.Sprintf("%d.%d", v[0], v[1])] = true
	}
	sorted := inOrder(seen)
	var parts []string
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && version(sorted[j+1])[0] == version(sorted[j])[0] && version(sorted[j+1])[1] == version(sorted[j])[1]+1 {
			j++
		}
		part := sorted[i]
		switch {
		case j == i+1:
			part += ", " + sorted[j]
		case j > i:
			part += "–" + sorted[j]
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// long names the fixtures behind each cell.
func long(cells map[cell][]fixture) string {
	var b strings.Builder
	b.WriteString("# The fixtures behind the table\n\nWritten by `go test ./scripts/matrix -update`. A fixture is a folder of its name in `cookie` or `file`.\n")
	for _, beaker := range beakers(cells) {
		fmt.Fprintf(&b, "\n## Beaker %s\n\n", beaker)
		for i, c := range columns {
			for _, s := range []string{"pickle", "json"} {
				all := cells[cell{beaker, s, i}]
				if len(all) == 0 {
					continue
				}
				slices.SortFunc(all, func(a, b fixture) int { return cmp.Compare(a.ID, b.ID) })
				fmt.Fprintf(&b, "- %s, %s:", c.title, s)
				for _, f := range all {
					fmt.Fprintf(&b, " `%s`", f.ID)
				}
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}

// client is what talked to the store: a library of Python, or the kind of DBM.
func (f fixture) client() string { return cmp.Or(f.Client, f.Store.WhichDB) }

// stores is a table for each other back end: which client libraries, with which
// Pythons.
func stores(all []fixture) string {
	backends := map[string][]fixture{}
	for _, f := range all {
		if f.inStore() {
			backends[f.Backend] = append(backends[f.Backend], f)
		}
	}
	var b strings.Builder
	b.WriteString("\n# The other back ends\n\nIn the folders of their names. By Beaker and the library that talked to the store: the Pythons, and how many fixtures.\n")
	for _, name := range slices.Sorted(maps.Keys(backends)) {
		b.WriteString("\n## " + name + "\n\n")
		storeTable(&b, backends[name])
	}
	return b.String()
}

func storeTable(b *strings.Builder, all []fixture) {
	beakers, clients := map[string]bool{}, map[string]bool{}
	rows := map[[2]string][]fixture{}
	for _, f := range all {
		beakers[f.Beaker], clients[f.client()] = true, true
		key := [2]string{f.Beaker, f.client()}
		rows[key] = append(rows[key], f)
	}
	b.WriteString("| Beaker |")
	for _, client := range slices.Sorted(maps.Keys(clients)) {
		b.WriteString(" " + strings.ReplaceAll(client, "@", " ") + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(clients)) + "\n")
	for _, beaker := range inOrder(beakers) {
		b.WriteString("| " + beaker + " |")
		for _, client := range slices.Sorted(maps.Keys(clients)) {
			if found := rows[[2]string{beaker, client}]; len(found) > 0 {
				fmt.Fprintf(b, " %s (%d)", pythons(found), len(found))
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
}
