package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

const rmLong = `Rm removes sessions from a store, under their locks: their users are logged out. WHICH is
an id, or a hash as logs and "gobeaker ls" name it; the first 4 digits or more of
a hash are enough if no other begins so. Nothing is removed if one of them is
not found.

On a terminal it asks first; elsewhere --yes has to be given. A Python process that has
loaded a session already may write it again. To remove what has expired there is "gobeaker gc".

` + storeHelp

func newRm(env Environment) *cobra.Command {
	var flags storeFlags
	var yes bool
	c := &cobra.Command{
		Use:   "rm WHICH…",
		Short: "Remove sessions from a store",
		Long:  rmLong,
		Example: `  gobeaker rm --ini production.ini 1c0fe2a4b7d1
  gobeaker rm --data-dir data --yes 1e4c684fb206494191440c2cc28cbc22`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runRm(args, &flags, yes, env) },
	}
	flags.register(c.Flags())
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func runRm(which []string, flags *storeFlags, yes bool, env Environment) error {
	ctx, stop := interruptible()
	defer stop()
	s, err := flags.openThere("rm", env)
	if err != nil {
		return err
	}
	defer s.close()
	ids, err := s.resolve(ctx, "rm", which)
	if err != nil {
		return err
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if !yes {
		switch sure, err := confirm(env, fmt.Sprintf("Remove %s from %s? [y/N] ", sessions(len(ids)), s.where)); {
		case err != nil:
			return err
		case !sure:
			return fail(exitNo, errors.New("rm: nothing was removed"))
		}
	}
	for _, id := range ids {
		if err := s.store.Delete(ctx, id); err != nil {
			return storeProblem("rm", err)
		}
		fmt.Fprintf(env.Stdout, "removed %s\n", beakerfmt.HashID(id))
	}
	return nil
}

func sessions(n int) string {
	if n == 1 {
		return "1 session"
	}
	return fmt.Sprintf("%d sessions", n)
}

// confirm asks on a terminal.
func confirm(env Environment, question string) (bool, error) {
	if !isTerminal(env.Stdin) {
		return false, usage("rm: standard input is no terminal, so there is nobody to ask: give --yes")
	}
	fmt.Fprint(env.Stderr, question)
	answer, err := bufio.NewReader(env.Stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, fail(exitNo, fmt.Errorf("rm: %w", err))
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
