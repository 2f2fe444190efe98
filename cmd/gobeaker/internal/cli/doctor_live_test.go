package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// TestDoctorAsks: which Python an application has decides how its ini is read and which
// Beaker it has, for each application by itself; a Go program does not change with it.
func TestDoctorAsks(t *testing.T) {
	exes := map[bool]string{}
	for _, v := range peers.Beakers(t) {
		if v.Beaker == "1.11.0" {
			exes[v.Python2()] = v.Exe
		}
	}
	if len(exes) < 2 {
		t.Skip("there are no Python 2 and Python 3 with Beaker 1.11")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const options = "use = egg:Shop\nbeaker.session.data_dir = /srv/shop/data\nbeaker.session.secret = b7f0c3a95d21e8846fa0719c3e5d2b68 ; change me\n"
	shop, blog := write("shop.ini", "[app:main]\n"+options), write("blog.ini", "[app:main]\n"+options)
	toml := write("go.toml", "[session]\nini = \"shop.ini\"\n")

	doctor := func(args ...string) string {
		var stdout, stderr bytes.Buffer
		code := cli.Main(append([]string{"doctor", "--offline"}, args...), cli.Environment{Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }})
		require.Empty(t, stderr.String())
		require.Contains(t, []int{0, 1, 6}, code)
		return strings.Join(strings.Fields(stdout.String()), " ") // lines are broken where paths end
	}

	says := doctor(shop, blog, "--python", exes[true])
	require.Contains(t, says, shop+": type file, peer beaker-1.11/python2")
	require.NotContains(t, says, "sides-")
	require.NotContains(t, says, "dialect")
	require.NotContains(t, says, "repeat after", "what stands behind the secret is a comment")

	says = doctor(shop, blog, "--python", shop+"="+exes[true], "--python", blog+"="+exes[false])
	require.Contains(t, says, shop+": type file, peer beaker-1.11/python2")
	require.Contains(t, says, blog+": type file, peer beaker-1.11/python3")
	require.Contains(t, says, "sides-secret", "for Python 3 the comment is a part of it")

	says = doctor(shop, "--python", exes[true], "--dialect", "python3")
	require.Contains(t, says, "dialect-contradicted")

	says = doctor(write("alone.toml", "[session]\ndata_dir = \"/srv/shop/data\"\nsecret = \"b7f0c3a95d21e8846fa0719c3e5d2b68\"\n"), "--python", exes[true])
	require.Contains(t, says, "peer auto (the Python that was asked is")
	require.NotContains(t, says, "went both ways")

	says = doctor(toml, "--python", exes[true])
	require.Contains(t, says, toml+": type file, peer auto (the Python that was asked is beaker-1.11/python2")
	require.Contains(t, says, "round-trip-failed", "what auto writes")
	require.Contains(t, says, `Set peer = "beaker-1.11/python2`)
	require.Contains(t, says, "dialect-contradicted", "go.toml does not say that it is Python 2's")
}
