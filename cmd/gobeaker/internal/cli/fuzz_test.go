package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
)

// Keys that no input contains by chance.
const (
	fuzzValidate = "validate-4d1c9a77b0"
	fuzzEncrypt  = "encrypt-93be02f51c"
)

// Whatever stands on standard input, inspect and convert end with a code that they
// know, print no key, nothing that a terminal takes for an instruction, and an error
// where the code says so.
func FuzzInput(f *testing.F) {
	fixtures := testdata(f)
	for _, pattern := range []string{
		"cookie/cookie-b1.13.0-*/set-cookie.txt", "cookie/cookie-b1.6.3-*/set-cookie.txt", "negative/*b1.14.1*/*",
		"file/file-b1.13.0-py3.8-*/tree/container_file/*/*/*.cache", "file/file-b1.11.0-py2.7-*class*/tree/container_file/*/*/*.cache",
	} {
		paths, err := filepath.Glob(filepath.Join(fixtures, filepath.FromSlash(pattern)))
		require.NoError(f, err)
		require.NotEmpty(f, paths, pattern)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	environment := map[string]string{"GOBEAKER_VALIDATE_KEY": fuzzValidate, "GOBEAKER_ENCRYPT_KEY": fuzzEncrypt, "GOBEAKER_SECRET": "validate-key"}
	commands := [][]string{
		{"inspect", "-"}, {"inspect", "--json", "--as", "cookie", "-"}, {"inspect", "--as", "file", "-"},
		{"convert", "--to", "json", "-"}, {"convert", "--to", "tagged-json", "--as", "pickle", "-"},
		{"convert", "--peer", "beaker-1.11/python2", "-"}, {"convert", "--to", "cookie", "--encrypt", "gcm", "-"},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("validate-4d")) || bytes.Contains(data, []byte("encrypt-93")) {
			return
		}
		for _, args := range commands {
			var stdout, stderr bytes.Buffer
			code := cli.Main(args, cli.Environment{
				Stdin: bytes.NewReader(data), Stdout: &stdout, Stderr: &stderr, Getenv: func(k string) string { return environment[k] },
			})
			said := slices.ContainsFunc(strings.Split(stderr.String(), "\n"), func(line string) bool {
				return strings.HasPrefix(line, "gobeaker: ") && !strings.Contains(line, ": note: ")
			})
			if code < 0 || code > 4 || said != (code != 0) {
				t.Fatalf("%q: exit code %d, and an error is printed: %t", args, code, said)
			}
			for _, text := range []string{stdout.String(), stderr.String()} {
				if strings.Contains(text, fuzzValidate) || strings.Contains(text, fuzzEncrypt) {
					t.Fatalf("%q prints a key", args)
				}
			}
			if args[0] == "inspect" && strings.ContainsFunc(stdout.String(), func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
				t.Fatalf("%q prints control characters", args)
			}
		}
	})
}
