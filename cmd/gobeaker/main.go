// Command gobeaker serves, inspects and verifies Beaker sessions; see
// "gobeaker help".
package main

import (
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
)

func main() {
	redis.SetLogger(&logging.VoidLogger{}) // it would write beside our log what our errors say anyway
	os.Exit(cli.Main(os.Args[1:], cli.Environment{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Process: true,
	}))
}
