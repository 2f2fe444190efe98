// Command gobeaker serves, inspects and verifies Beaker sessions; see
// "gobeaker help".
package main

import (
	"os"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Environment{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
	}))
}
