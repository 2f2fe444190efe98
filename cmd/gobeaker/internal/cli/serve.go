package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/build"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// defaultConfig is read if it is there and no other file is named.
const defaultConfig = "gobeaker.toml"

const serveLong = `Serve is a gateway: it passes requests on to applications by host, path, method
and header, so that an old Python application and new services share one address
and with it their cookies. It can ask who the visitor is and tell the applications,
answer proxies that ask the same, and give services in other languages the session.
Cookies pass untouched; WebSockets and streams work.

Without a configuration it serves a page that shows its visitor's session, keeps
it in memory, counts the visits and changes keys. Over sessions that are
configured ([session], --data-dir) that page is read-only: it neither counts nor
changes anything, because other applications trust what is in there.

The configuration is gobeaker.toml in the current folder, or --config. Flags go
before the environment, the environment before the file. A short one:

  [[route]]                        # the longest prefix wins; "/app" is not "/apple"
  prefix = "/new"
  upstream = "http://127.0.0.1:9000"
  require = ["user_id"]            # nobody comes in without it
  headers = { Remote-User = "user_id" }

  [[route]]
  prefix = "/"
  upstream = "unix:/run/old-app.sock"

  [session]
  ini = "production.ini#main"      # the Python application's

"gobeaker help config-file" explains all of it. Each flag below has a variable:
GOBEAKER_ and its name, as in GOBEAKER_ADMIN_LISTEN. Secrets have no flags, because
other users of the machine can read the arguments: GOBEAKER_SECRET,
GOBEAKER_VALIDATE_KEY, GOBEAKER_ENCRYPT_KEY and GOBEAKER_URL, or files.

Changes of the files take effect without a restart, as a whole or not at all, and
without a lost request; SIGHUP has them read at once and the store opened anew.
SIGUSR2 has a new process of the same program take over, while this one finishes its
requests. It stops on SIGINT or SIGTERM: requests under way are finished first, at
most for the drain timeout. A second signal ends it at once.`

func newServe(env Environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway, or a page that shows the session",
		Long:  serveLong,
		Example: `  gobeaker serve
  gobeaker serve --config gobeaker.toml --listen 127.0.0.1:0
  gobeaker serve --route /=http://127.0.0.1:5000 --admin-listen 127.0.0.1:9901
  GOBEAKER_SECRET=sekrit gobeaker serve --data-dir /var/lib/app/sessions`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.SortFlags = false
	configFile := f.String("config", "", "the configuration `file` (default "+defaultConfig+", if it is there)")
	check := f.Bool("check", false, "only check the configuration and the files that it names: connect to nothing, listen nowhere")
	serveFlags(f)
	c.RunE = func(*cobra.Command, []string) error {
		path := configPath(*configFile, env.Getenv)
		load := func() (settings.Config, error) { return serveConfig(path, f, env.Getenv) }
		config, err := load()
		if err != nil {
			return fail(exitUsage, err)
		}
		if *check {
			return checkServe(config, env)
		}
		return serve(config, load, env)
	}
	return c
}

// serveFlags adds a flag for each setting. All of them are texts: what they mean, and what
// is wrong with them, is the settings' own.
func serveFlags(f *pflag.FlagSet) {
	for _, s := range settings.Scalars() {
		help := s.Help
		if s.Default != "" && s.Default != "false" && s.Default != "0" && s.Default != "0s" {
			help += " (default " + s.Default + ")"
		}
		f.Var(&settingValue{kind: s.Value}, s.Flag, help)
		if s.Key == "listen" {
			f.StringArray(settings.RouteFlag, nil, "a route `prefix=upstream`, in place of those of the file; can be repeated")
			f.String(settings.DataDirFlag, "", "share sessions in Beaker's files below this `folder`, as [session] data_dir")
			f.StringArray(settings.SessionFlag, nil, "an `option=value` of [session], as in timeout=3600; can be repeated")
		}
	}
}

// settingValue is the text of a flag. Its type is what the help shows: "address".
type settingValue struct{ text, kind string }

func (v *settingValue) String() string { return v.text }

func (v *settingValue) Set(text string) error {
	v.text = text
	return nil
}

func (v *settingValue) Type() string { return v.kind }

// configPath returns the file to read, "" for none. It is looked for only once: a server
// whose file was deleted does not go on with another one, or with none.
func configPath(flag string, getenv func(string) string) string {
	path := flag
	if path == "" {
		path = getenv("GOBEAKER_CONFIG")
	}
	if path == "" && exists(defaultConfig) {
		path = defaultConfig
	}
	return path
}

// serveConfig puts file, environment and flags together.
func serveConfig(path string, flags *pflag.FlagSet, getenv func(string) string) (settings.Config, error) {
	config := settings.Default()
	if path != "" {
		var err error
		if config, err = settings.Load(path); err != nil {
			return config, err
		}
	}
	if err := config.Environment(getenv); err != nil {
		return config, err
	}
	var err error
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if err == nil && f.Name != "config" && f.Name != "check" && f.Name != "help" {
				err = config.Override(f.Name, value, "--"+f.Name)
			}
		}
	})
	return config, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// checkServe says whether the configuration is good.
func checkServe(config settings.Config, env Environment) error {
	good, err := server.Check(context.Background(), config, server.Environment{
		Stdout: env.Stdout, Stderr: env.Stderr, Getenv: env.Getenv, Now: time.Now,
	})
	if err != nil {
		return fail(exitUsage, err)
	}
	fmt.Fprintln(env.Stdout, good)
	return nil
}

func serve(config settings.Config, load func() (settings.Config, error), env Environment) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process
	outside, err := serveEnvironment(&config, env)
	if err != nil {
		return fail(exitNo, err)
	}
	outside.Reload, outside.Hangup = load, hangup
	if outside.Handover != nil {
		upgrade := make(chan os.Signal, 1)
		signal.Notify(upgrade, upgradeSignals...)
		defer signal.Stop(upgrade)
		outside.Upgrade = upgrade
	}
	s, err := server.New(ctx, config, outside)
	if err == nil {
		err = s.Run(ctx)
	}
	switch {
	case errors.Is(err, settings.ErrConfig):
		return fail(exitUsage, err)
	case err != nil:
		return fail(exitNo, err)
	}
	return nil
}

// serveEnvironment is what the server takes from the process.
func serveEnvironment(config *settings.Config, env Environment) (server.Environment, error) {
	b := build.Read()
	out := server.Environment{
		Stdout: env.Stdout, Stderr: env.Stderr, Getenv: env.Getenv, Now: time.Now,
		Version: b.Version, Commit: b.Commit,
	}
	if !env.Process {
		return out, nil
	}
	out.Linger = 2 * time.Second
	var err error
	if len(upgradeSignals) > 0 {
		if out.Handover, err = server.NewHandover(config.Relative("server.pid_file", config.Server.PIDFile)); err != nil {
			return out, err
		}
	}
	if out.Handover.IsHeir() {
		out.Sockets, err = out.Handover.Sockets()
	} else {
		out.Sockets, err = server.Activated()
	}
	if err != nil {
		return out, err
	}
	if out.Watchdog, err = server.Watchdog(out.Handover.IsHeir()); err != nil {
		return out, err
	}
	out.Notify = func(state string) { _, _ = daemon.SdNotify(false, state) }
	return out, nil
}
