package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// record finds the record of a fixture.
func record(t *testing.T, fixture string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(testdata(t), "file", fixture, "tree", "container_file", "*", "*", "*.cache"))
	require.NoError(t, err)
	require.Len(t, found, 1, fixture)
	return found[0]
}

// What convert writes is the same session to every Python that can read it.
func TestConvertedForPython(t *testing.T) {
	dir, scripts := t.TempDir(), peers.Script(t, "")
	key := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(key, []byte("k\n"), 0o600))
	script := filepath.Join("testdata", "python", "converted.py")
	for _, p := range peers.Pythons(t) {
		t.Run(p.Name(), func(t *testing.T) {
			by := "py3.6"
			if p.Major == 2 {
				by = "py2.7"
			}
			rich, plain := record(t, "file-b1.13.0-"+by+"-pickle-none-rich"), record(t, "file-b1.13.0-"+by+"-json-none-json")
			args := []string{scripts}
			check := func(kind, original string, flags ...string) {
				to := filepath.Join(dir, fmt.Sprintf("%s-%d", p.Name(), len(args)))
				gobeaker(t, "", append(append([]string{"convert", "--out", to}, flags...), original)...)
				args = append(args, kind, original, to)
			}
			for proto := range p.HighestProtocol() + 1 {
				for _, kind := range []string{"pickle", "dict", "text"} {
					check(kind, rich, "--to", fmt.Sprintf("%s:%d", kind, proto))
				}
			}
			check("json", plain, "--to", "json")
			check("text", plain, "--to", "text", "--serializer", "json")
			check("dict", plain, "--peer", "beaker-1.11")
			check("text", rich, "--peer", "beaker-1.13")
			check("cookie", rich, "--to", "cookie", "--validate-key-file", key)
			check("cookie", plain, "--to", "cookie", "--serializer", "json", "--validate-key-file", key)
			require.Equal(t, "same", python(t, p.Exe, script, args...))
		})
	}
}

// What convert writes for a peer is what that Beaker reads, whichever wrote it.
func TestConvertedForBeaker(t *testing.T) {
	scripts, script := peers.Script(t, ""), filepath.Join("testdata", "python", "converted.py")
	for _, peer := range peers.Beakers(t) {
		by := "py3.6"
		if peer.Python2() {
			by = "py2.7"
		}
		for _, beaker := range []string{"1.11.0", "1.13.0"} {
			t.Run(beaker+" for "+peer.Name, func(t *testing.T) {
				original, dir := record(t, "file-b"+beaker+"-"+by+"-pickle-none-rich"), t.TempDir()
				const id = "0123456789abcdef0123456789abcdef"
				to := filepath.Join(dir, "container_file", "0", "01", id+".cache")
				require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
				gobeaker(t, "", "convert", "--peer", peer.Peer(), "--out", to, original)
				require.Equal(t, "same", python(t, peer.Exe, script, scripts, "beaker", original, dir, id))
			})
		}
	}
}
