package cli_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gobeaker": func() {
			os.Exit(cli.Main(os.Args[1:], cli.Environment{
				Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Process: true,
			}))
		},
	})
}

// TestScripts runs the txtar scripts: each command with its errors and exit codes.
func TestScripts(t *testing.T) {
	fixtures := testdata(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") == "1",
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", fixtures)
			for _, name := range []string{"CONFIG", "LISTEN", "SECRET", "VALIDATE_KEY", "ENCRYPT_KEY", "DATA_DIR", "LOG_FORMAT", "LOG_LEVEL", "ACCESS_LOG"} {
				env.Setenv("GOBEAKER_"+name, "")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "collect": collect},
	})
}
