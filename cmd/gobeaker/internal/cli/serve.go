package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
)

// defaultConfig is read if it is there and no other file is named.
const defaultConfig = "gobeaker.toml"

const serveLong = `Serve is a gateway: it passes requests on to applications by path prefix, so
that an old Python application and new services share one address and with it
their cookies. Cookies pass untouched; WebSockets and streams work.

Without a configuration it serves a page that shows its visitor's session, keeps
it in memory, counts the visits and changes keys. Over sessions that are
configured ([session], --data-dir) that page is read-only: it neither counts nor
changes anything, because other applications trust what is in there.

The configuration is gobeaker.toml in the current folder, or --config. Flags go
before the environment, the environment before the file. A file:

  listen = "127.0.0.1:8080"

  [[route]]                        # the longest prefix wins; "/app" is not "/apple"
  prefix = "/new"
  upstream = "http://127.0.0.1:9000"
  strip_prefix = true              # the service sees /x for /new/x

  [[route]]
  prefix = "/"
  upstream = "unix:/run/old-app.sock"

  [[route]]
  prefix = "/_session"
  upstream = "builtin:session"     # the page that shows the session, read-only

  [session]                        # only for that page and for gobeaker inspect --config:
  ini = "production.ini#main"      # start from the Python application's ini
  secret_file = "session.secret"   # and replace what is to differ, by Beaker's names
  peer = "beaker-1.11/python2"     # see below

  [log]
  format = "json"                  # or "text"
  level = "info"                   # debug, info, warn, error
  access = true                    # a line per request: no cookies, no queries

  [server]
  read_header_timeout = "10s"
  idle_timeout = "2m"
  drain_timeout = "20s"            # how long requests may go on after SIGTERM
  dial_timeout = "10s"             # to connect to an upstream
  response_timeout = "0s"          # until an upstream begins to answer; 0: no limit

The gateway itself needs no [session]: cookies pass through it as they are. Beside
Beaker's own options (type, key, secret, data_dir, timeout …), [session] has these:

  peer               which Beaker must be able to read what is written. The default
                     "auto" writes a record back in the form in which it was, but
                     NEW sessions in the form of Beaker 1.12 and later, which Beaker
                     up to 1.11 cannot read. If the applications run such a one, say
                     so: "beaker-1.11", with Python's major version or the AES
                     library, as in "beaker-1.11/python2" or "beaker-1.13/nss"; or
                     by a name: pylons-1.0, turbogears-2.4, turbogears-2.5,
                     pyramid_beaker, ckan-2.9, ckan-2.10
  editable           true: the page counts visits and has forms that set and delete
                     keys, as without a configuration. Whoever reaches it can then
                     write any key of their own session, "user" or "is_admin"
                     included. Default false; a warning is logged at start
  ini, ini_dialect   an ini file, "file#application" if that is not main; and
                     who reads it: "auto", "python2", "python3", or "python3.9" for
                     Python 3.6 to 3.9
  framework          who makes the application's session middleware, as that decides
                     defaults and prefixes: "auto" (guessed from the ini), beaker,
                     pylons, turbogears, turbogears-2.4, pyramid_beaker, ckan,
                     ckan-2.9 or ckan-2.10
  ini_global         a table: the settings that are given to the ini from outside, as
                     name=value on the command line of paster or pserve
  pastedeploy        "1.5" or "2.1": whose precedence they and [DEFAULT] have.
                     Default: that of the dialect
  strict_beaker      true: invalidate_corrupt and use_cookies are read from the ini as
                     Beaker reads them, to which the text "false" is true
  secret_file, secret_env
                     a file whose first line is the secret; the environment variable
                     that is the secret. Likewise validate_key_file, encrypt_key_file,
                     url_file and validate_key_env, encrypt_key_env, url_env
  old_secrets, old_validate_keys, old_encrypt_keys
                     further keys, accepted for reading; what they signed or
                     encrypted is written with the present ones when next seen.
                     old_secret_files, old_validate_key_files, old_encrypt_key_files:
                     files that hold them
  accept_plaintext   true: read sessions that are not encrypted although there is an
                     encrypt_key; they are encrypted when next written
  write              "merge" (default): only the keys that a request changed are
                     written; "replace": the whole session, as Beaker does
  delete_records     true (default): records of sessions that ended are removed;
                     false: they stay and stay valid, as with Beaker
  touch_interval     how old the stored access time may grow before a session that
                     was only read is written, "30s"; "0s": never old, as Beaker.
                     Default: a tenth of timeout, at most a minute
  adopt_unknown_ids  true: an id that the store does not know becomes that of a new
                     session, as with Beaker, which allows session fixation
  id_pattern         the regular expression of acceptable session ids
  lenient_cookies    true: read a Cookie header as browsers mean it, also where
                     Python drops all of it because of another cookie

peer, write, delete_records and touch_interval matter to what writes sessions: to
the page if it is editable.

Paths are relative to the file that names them. Environment: GOBEAKER_CONFIG,
GOBEAKER_LISTEN, GOBEAKER_DATA_DIR, GOBEAKER_LOG_FORMAT, GOBEAKER_LOG_LEVEL,
GOBEAKER_ACCESS_LOG, and GOBEAKER_SECRET, GOBEAKER_VALIDATE_KEY,
GOBEAKER_ENCRYPT_KEY and GOBEAKER_URL (secrets of the sessions, which have no flags
because other users of the machine can read the arguments).

Changes of the configuration take effect without a restart. Its files are watched:
gobeaker.toml, the ini and the files that it includes, and the files with secrets;
also where they are symlinks, as those of a Kubernetes ConfigMap or Secret. A change
is taken up as a whole or not at all: if it is wrong, that is logged with file and
line, and all stays as it is. So it does if the session store that it names does not
answer, which is tried again every 30 seconds, and if it has no secret, validate_key
or encrypt_key any more where there was one, as a file that is half-written may seem
to be complete. One line of the log names the options that changed, without their
values, and says whether the store is kept or a new one. No request is dropped,
streams and WebSockets go on, and sessions in memory are kept; the old store is closed
when its last request has ended. New timeouts of connections hold for new ones. listen
cannot be changed so, nor flags and environment, which still come first.

SIGHUP has the files read again at once, and connections to the session store made
anew, also if nothing has changed; it takes up what has lost a key. Many at a time are
one. docs/reload.md, in the source, has secrets that rotate step by step, Kubernetes,
and the same for a Go service of your own.

It stops on SIGINT or SIGTERM: requests under way are finished first, at most for
the drain timeout. A second signal ends it at once.`

func newServe(env Environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway, or a page that shows the session",
		Long:  serveLong,
		Example: `  gobeaker serve
  gobeaker serve --config gobeaker.toml --listen 127.0.0.1:0
  GOBEAKER_SECRET=sekrit gobeaker serve --data-dir /var/lib/app/sessions`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	configFile := f.String("config", "", "the configuration `file` (default "+defaultConfig+", if it is there)")
	f.String("listen", "", "the `address` to listen on (default 127.0.0.1:8080)")
	f.String("data-dir", "", "show the sessions in this `directory`, Beaker's data_dir")
	f.String("log-format", "", "`text` or json")
	f.String("log-level", "", "debug, `info`, warn or error")
	f.String("access-log", "", "log each request: `true` or false")
	c.RunE = func(*cobra.Command, []string) error {
		path := configPath(*configFile, env.Getenv)
		load := func() (server.Config, error) { return serveConfig(path, f, env.Getenv) }
		config, err := load()
		if err != nil {
			return fail(exitUsage, err)
		}
		return serve(config, load, env)
	}
	return c
}

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
func serveConfig(path string, flags *pflag.FlagSet, getenv func(string) string) (server.Config, error) {
	config := server.Default()
	if path != "" {
		var err error
		if config, err = server.Load(path); err != nil {
			return config, err
		}
	}
	for _, name := range []string{"listen", "data-dir", "log-format", "log-level", "access-log"} {
		value := getenv("GOBEAKER_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
		if f := flags.Lookup(name); f.Changed {
			value = f.Value.String()
		} else if value == "" {
			continue
		}
		if err := config.Override(name, value); err != nil {
			return config, err
		}
	}
	return config, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

func serve(config server.Config, load func() (server.Config, error), env Environment) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process
	s, err := server.New(ctx, config, server.Environment{
		Stdout: env.Stdout, Stderr: env.Stderr, Getenv: env.Getenv, Now: time.Now,
		Reload: load, Hangup: hangup,
	})
	if errors.Is(err, server.ErrConfig) {
		return fail(exitUsage, err)
	}
	if err == nil {
		err = s.Run(ctx)
	}
	if err != nil {
		return fail(exitNo, err)
	}
	return nil
}
