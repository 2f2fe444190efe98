// Package cli is the command line of gobeaker: one file for each subcommand.
// It reads arguments and prints; what the commands do is elsewhere.
package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/build"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// Environment is what the commands take from outside.
type Environment struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(key string) string
	Now    func() time.Time // nil: time.Now
	// Process is set if the command has a process of its own: then it takes the sockets
	// that systemd opened, tells it how it is, and passes its listeners on at SIGUSR2.
	Process bool
}

// lookup is os.LookupEnv, by which an empty variable is not set.
func (e Environment) lookup(name string) (string, bool) {
	v := e.Getenv(name)
	return v, v != ""
}

// The exit codes; "gobeaker help exit-codes" explains them.
const (
	exitOK          = 0
	exitNo          = 1
	exitUsage       = 2
	exitCorrupt     = 3
	exitEncrypted   = 4
	exitUnavailable = 5
	exitWarnings    = 6
)

// exitError is an error with the exit code it asks for. Without an error of its
// own there is nothing more to print.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func fail(code int, err error) error { return &exitError{code, err} }

func usage(format string, args ...any) error {
	return fail(exitUsage, fmt.Errorf(format, args...))
}

// Main runs the command line and returns the exit code.
func Main(args []string, env Environment) int {
	root := newRoot(env)
	root.SetArgs(args)
	command, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	var e *exitError
	if !errors.As(err, &e) { // cobra's own: unknown commands, flags, arguments
		fmt.Fprintf(env.Stderr, "gobeaker: %v\nTry: %s --help\n", err, command.CommandPath())
		return exitUsage
	}
	if e.err != nil {
		fmt.Fprintf(env.Stderr, "gobeaker: %s\n", printable(e.err.Error()))
	}
	return e.code
}

func newRoot(env Environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "gobeaker",
		Short: "Live inside a running Beaker installation",
		Long: `gobeaker shares web sessions with Python applications that use Beaker: the
same cookies, the same files, the same bytes, while both run.`,
		Example: `  gobeaker serve                       the session page on http://127.0.0.1:8080/
  gobeaker serve --config gobeaker.toml    a gateway in front of old and new applications
  gobeaker inspect data/container_file/1/1e/1e4c….cache
  gobeaker inspect --json -  < cookie.txt
  gobeaker convert --to json data/container_file/1/1e/1e4c….cache
  gobeaker ls --ini production.ini
  gobeaker migrate --from production.ini --to redis.toml
  gobeaker doctor production.ini
  gobeaker config production.ini
  gobeaker keygen
  gobeaker verify testdata/fixtures`,
		Version:       build.Read().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.AddCommand(newServe(env), newInspect(env), newConvert(env), newMigrate(env), newLs(env), newShow(env), newRm(env), newStats(env),
		newConfig(env), newDoctor(env), newVerify(env), newKeygen(env), newGC(env), newPing(env), newVersion(env), newManual(env),
		newConfigFile(), newExitCodes())
	root.SetVersionTemplate("gobeaker {{.Version}}\n")
	complete(root, completions())
	return root
}

// newConfigFile is a help topic.
func newConfigFile() *cobra.Command {
	return &cobra.Command{Use: "config-file", Short: "What can stand in gobeaker.toml, and its flags and variables", Long: settings.Text()}
}

// newExitCodes is a help topic.
func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Exit codes of gobeaker:

  0  it was done, and all is well
  1  it was done, and the answer is no: a fixture failed, the signature is not
     valid, there is no such session or cookie, the form that convert was
     asked for cannot hold it; or serve could not listen
  2  the command line or a configuration file is wrong; nothing was done
  3  what was to be read is corrupt, or cannot be read
  4  it is encrypted, and no key that was given opens it
  5  the store is unavailable, or gc or migrate was stopped before it was done:
     another gc is at work, or a signal came
  6  doctor has warnings, and nothing worse; errors are code 1

inspect prints what it could find out also with codes 1, 3 and 4.`,
	}
}
